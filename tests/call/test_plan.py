"""The plan: how long it takes, whether it is more than one phone, what can be rung of it."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import pytest

sys.path.append(str(Path(__file__).parent))

from searchkit import number, own, phone, plan

from sipxd.call.effects import Identity, Target
from sipxd.call.plan import Leaf, Plan, Situation, ring_all

BUSY, LATE = Situation.BUSY, Situation.NO_ANSWER
IDENTITY = Identity("<sip:a@x>", "<sip:b@x>")


@pytest.mark.parametrize(
    ("subject", "seconds"),
    [
        (plan(), 0),
        (plan([own("a", 20), number("n", 30)]), 30),
        (plan([own("a", 20), number("n", 30)], [phone("b", 7), phone("c", 5)]), 37),
        (plan([own("a", 20)], last=(phone("box", 15),)), 35),
        (plan([own("a", 20)], last=(phone("box", None),)), 20),
        (plan([own("a", 90)], [phone("b", 90)], last=(phone("box", 15),), limit=100.0), 115),
        (plan([own("a", 20)], [phone("b", 7)], detours={BUSY: ((number("n", 60),),)}), 80),
        (plan([own("a", 20)], [phone("b", 7)], detours={BUSY: ()}), 27),
        (plan([own("a", 20)], [own("b", 9)], [phone("c", 5)], detours={BUSY: ((number("n", 7),),)}),
         36),
        (plan([], [phone("b", 7)], detours={LATE: ((number("n", 60),),)}), 60),
    ],
)  # fmt: skip
def test_the_longest_time_that_a_plan_can_take(subject: Plan, seconds: float) -> None:
    assert subject.seconds == seconds


def test_the_head_of_a_plan_ends_with_the_last_phone_of_the_user() -> None:
    stages = ((own("a"),), (phone("b"),), (own("c"), number("n")), (phone("d"),))
    subject = plan(*stages)
    assert (subject.head, subject.rest) == (stages[:3], stages[3:])
    others = plan([phone("b")], [phone("d")])
    assert (others.head, others.rest) == (others.stages[:1], others.stages[1:])
    assert (plan().head, plan().rest) == ((), ())


@pytest.mark.parametrize(
    ("subject", "cascade"),
    [
        (plan(), False),
        (plan([own("a")]), False),
        (plan(last=(phone("box"),)), False),
        (plan([number("n")]), True),
        (plan([own("a"), phone("b")]), True),
        (plan([own("a")], [phone("b")]), True),
        (plan([own("a")], last=(phone("box"),)), True),
        (plan([own("a")], detours={BUSY: ()}), True),
    ],
)
def test_a_cascade_has_more_than_one_branch_or_may_have(subject: Plan, cascade: bool) -> None:
    assert subject.is_cascade is cascade


@pytest.mark.parametrize(
    ("subject", "empty"),
    [
        (plan(), True),
        (plan([], []), True),
        (plan([], detours={BUSY: ()}), True),
        (plan([], detours={BUSY: ((number("n"),),)}), False),
        (plan([number("n")]), False),
        (plan(last=(phone("box"),)), False),
    ],
)
def test_an_empty_plan_rings_nobody_whatever_happens(subject: Plan, empty: bool) -> None:
    assert subject.is_empty is empty


def test_the_targets_of_a_plan_are_what_needs_no_looking_up() -> None:
    subject = plan([own("a"), number("n")], [phone("b")], last=(phone("box"),))
    assert [target.label for target in subject.targets] == ["a", "b", "box"]


def test_changing_the_targets_of_a_plan_changes_nothing_else() -> None:
    subject = plan([own("a", 9), number("n")], last=(phone("box"),), limit=60.0, whose="200")

    def elsewhere(target: Target) -> Target:
        return attrs.evolve(target, label=f"{target.label}!")

    changed = subject.with_targets(elsewhere)
    assert [target.label for target in changed.targets] == ["a!", "box!"]
    assert changed.with_targets(lambda target: attrs.evolve(target, label=target.label[:-1])) == (
        subject
    )


def test_ringing_all_is_one_stage() -> None:
    targets = (Target("sip:a@x"), Target("sip:b@x"))
    destination = ring_all(targets, IDENTITY, 20.0)
    assert destination.plan.stages == (tuple(Leaf(target, 20.0) for target in targets),)
    assert (destination.targets, destination.seconds) == (targets, 20.0)
    other = destination.with_targets(lambda target: Target("sip:c@x"))
    assert (other.identity, len(other.targets)) == (IDENTITY, 2)
