"""Rules: exceptions from the call sequence by caller, situation and time; do not disturb."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from forwardkit import BOX, INSIDE, MONDAY, at, delayed, situated, who

from sipxd.call.forward import Situated, is_about, user_plan
from sipxd.call.plan import Onward, Passage, Plan, Reason, Situation
from sipxd.call.policy import outsider
from sipxd.directory.forwarding import (
    ANONYMOUS,
    EVERYONE,
    INTERNAL,
    Action,
    Forwarding,
    Rule,
    When,
)
from sipxd.directory.user import User

OUTSIDE = Passage(outsider("+4930123"))
HIDDEN = Passage(outsider("+4930123"), private=True)
NAMELESS = Passage(outsider("anonymous"))
RINGS = (delayed("ring"),)
CHRISTMAS = {("DE", datetime.date(2026, 12, 25)), ("DE-BY", datetime.date(2026, 12, 25))}


def ruled(*rules: Rule, **rest: Any) -> Situated:
    """A user with a phone, a ring, a voicemail box, and those rules."""
    rest = {"voicemail": BOX} | rest
    return situated(settings=Forwarding(rings=RINGS, rules=rules), **rest)


def always(number: str = "away", **rest: Any) -> Rule:
    return Rule(When.ALWAYS, number=number, **rest)


def leads_to(user: Situated, passage: Passage = INSIDE) -> list[str]:
    """Whom his plan rings, voicemail last."""
    return [who(branch) for branch in user_plan(user, passage).branches()]


ORDINARY = ["phone 0", "ring", "box"]


def test_without_rules_the_sequence_holds() -> None:
    assert leads_to(ruled()) == ORDINARY


# -- what a rule does ----------------------------------------------------------------------------


def test_a_call_that_is_always_forwarded_rings_there_then_goes_to_voicemail() -> None:
    plan = user_plan(ruled(always(seconds=44)), INSIDE)
    assert plan.stages == ((Onward("away", 44.0, "200", Reason.UNCONDITIONAL),),)
    assert (plan.last, plan.detours, plan.whose) == ((BOX,), {}, "200")


def test_a_call_that_always_goes_to_voicemail_rings_nobody_else() -> None:
    assert leads_to(ruled(always(action=Action.VOICEMAIL))) == ["box"]
    plan = user_plan(ruled(always(action=Action.VOICEMAIL), voicemail=None), INSIDE)
    assert (plan.is_empty, plan.refusal) == (True, (480, "No voicemail"))


@pytest.mark.parametrize(
    ("caller", "passage", "refusal"),
    [
        (EVERYONE, INSIDE, (603, "Decline")),
        (EVERYONE, HIDDEN, (603, "Decline")),
        ("+4930123", OUTSIDE, (603, "Decline")),
        (ANONYMOUS, HIDDEN, (433, "Anonymity Disallowed")),
    ],
)
def test_a_call_that_is_rejected_does_not_even_reach_voicemail(
    caller: str, passage: Passage, refusal: tuple[int, str]
) -> None:
    plan = user_plan(ruled(always(action=Action.REJECT, caller=caller)), passage)
    assert plan.is_empty
    assert plan.refusal == refusal


def test_rules_for_situations_are_detours_each_for_its_reason() -> None:
    plan = user_plan(
        ruled(
            Rule(When.BUSY, number="b", seconds=5),
            Rule(When.NO_ANSWER, action=Action.VOICEMAIL),
            Rule(When.NOT_REGISTERED, number="r"),
        ),
        INSIDE,
    )
    assert plan.detours == {
        Situation.BUSY: ((Onward("b", 5.0, "200", Reason.BUSY),),),
        Situation.NO_ANSWER: (),
        Situation.NOT_REGISTERED: ((Onward("r", 30.0, "200", Reason.UNAVAILABLE),),),
    }
    assert [who(branch) for branch in plan.branches()] == ORDINARY


def test_a_situation_without_a_rule_has_no_detour() -> None:
    assert set(user_plan(ruled(Rule(When.BUSY, number="b")), INSIDE).detours) == {Situation.BUSY}


def test_who_has_no_phone_is_not_registered_before_any_delayed_ring() -> None:
    plan = user_plan(ruled(Rule(When.NOT_REGISTERED, number="r"), phones=()), INSIDE)
    assert plan.head == ((),)
    assert [who(branch) for (branch,) in plan.rest] == ["ring"]


def test_the_first_rule_that_holds_decides_and_always_goes_before_situations() -> None:
    busy = Rule(When.BUSY, number="b")
    first, second = always("first", caller="555"), always("second")
    assert leads_to(ruled(busy, first, second)) == ["second", "box"]
    assert leads_to(ruled(second, first)) == ["second", "box"]
    twice = user_plan(ruled(busy, Rule(When.BUSY, number="later")), INSIDE)
    assert twice.detours[Situation.BUSY] == ((Onward("b", 30.0, "200", Reason.BUSY),),)


# -- who calls -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "inside", "outside", "hidden", "nameless"),
    [
        (EVERYONE, True, True, True, True),
        (INTERNAL, True, False, False, False),
        (ANONYMOUS, False, False, True, True),
        ("100", True, False, False, False),
        ("+4930123", False, True, False, False),
        ("555", False, False, False, False),
    ],
)
def test_a_rule_is_about_certain_callers(
    caller: str, inside: bool, outside: bool, hidden: bool, nameless: bool
) -> None:
    passages = (INSIDE, OUTSIDE, HIDDEN, NAMELESS)
    assert [is_about(caller, one) for one in passages] == [inside, outside, hidden, nameless]
    applied = [leads_to(ruled(always(caller=caller)), one) == ["away", "box"] for one in passages]
    assert applied == [inside, outside, hidden, nameless]


@pytest.mark.parametrize(
    ("named", "calls"),
    [
        ("+4930123", "004930123"),
        ("004930123", "+4930123"),
        ("+49 (30) 123", "+4930123"),
        ("0049-30-123", "004930123"),
        ("ann@Example.ORG", "ann@example.org"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(named: str, calls: str) -> None:
    assert is_about(named, Passage(outsider(calls)))


@pytest.mark.parametrize(
    ("named", "calls"),
    [("+4930123", "4930123"), ("+4930123", "030123"), ("100", "1000"), ("0", "00"), ("?", "!")],
)
def test_numbers_that_only_look_alike_are_different(named: str, calls: str) -> None:
    assert not is_about(named, Passage(outsider(calls)))


@pytest.mark.parametrize("named", ["100", "ann", "+49301100", "0049301100"])
def test_a_user_is_known_by_his_aliases_too(named: str) -> None:
    assert is_about(named, INSIDE)


def test_a_user_who_hides_is_still_one_of_the_house() -> None:
    hides = Passage(User(1, "100"), private=True)
    assert [is_about(one, hides) for one in (INTERNAL, ANONYMOUS, "100")] == [True, True, False]


def test_a_situation_looks_at_who_calls_as_well() -> None:
    user = ruled(Rule(When.BUSY, INTERNAL, number="b"))
    assert Situation.BUSY in user_plan(user, INSIDE).detours
    assert not user_plan(user, OUTSIDE).detours


# -- when it holds -------------------------------------------------------------------------------


def test_a_rule_that_is_switched_off_does_not_hold() -> None:
    assert leads_to(ruled(always(enabled=False))) == ORDINARY


def test_a_rule_ends_by_itself() -> None:
    rule = always(until=at("2026-11-23T14:00").seconds)
    holds = {
        text: leads_to(ruled(rule, moment=at(f"2026-11-{text}"))) != ORDINARY
        for text in ("23T13:59:59", "23T14:00", "24T10:00")
    }
    assert list(holds.values()) == [True, False, False]


def test_a_rule_holds_within_its_schedule_only() -> None:
    rule = always(schedule=7)
    assert leads_to(ruled(rule)) == ["away", "box"]
    assert leads_to(ruled(rule, moment=at("2026-11-23T20:00"))) == ORDINARY
    assert leads_to(ruled(always(schedule=99))) == ["away", "box"]


@pytest.mark.parametrize(
    ("conditions", "ordinary_day", "holiday"),
    [
        ({"only_on_holidays": "DE"}, False, True),
        ({"not_on_holidays": "DE"}, True, False),
        ({"only_on_holidays": "DE-BY", "not_on_holidays": "FR"}, False, True),
        ({"only_on_holidays": "DE", "not_on_holidays": "DE-BY"}, False, False),
        ({"only_on_holidays": "DE", "schedule": 7}, False, True),
        ({"only_on_holidays": "DE", "enabled": False}, False, False),
    ],
)
def test_a_rule_may_hold_on_holidays_only_or_never_on_them(
    conditions: dict[str, Any], ordinary_day: bool, holiday: bool
) -> None:
    def holds(text: str) -> bool:
        user = ruled(
            always(**conditions),
            moment=at(text),
            is_holiday=lambda place, day: (place, day) in CHRISTMAS,
        )
        return leads_to(user) != ORDINARY

    assert [holds("2026-12-18T12:00"), holds("2026-12-25T12:00")] == [ordinary_day, holiday]


def test_a_holiday_is_one_of_the_users_time_zone() -> None:
    user = ruled(
        always(only_on_holidays="DE"),
        moment=at("2026-12-24T23:30+00:00"),
        is_holiday=lambda place, day: (place, day) in CHRISTMAS,
    )
    assert leads_to(user) == ["away", "box"]


# -- do not disturb ------------------------------------------------------------------------------


def undisturbed(*rules: Rule, until: float | None = None, **rest: Any) -> Plan:
    settings = Forwarding(rings=RINGS, rules=rules, do_not_disturb=True, do_not_disturb_until=until)
    return user_plan(situated(settings=settings, **rest), INSIDE)


def test_who_is_not_to_be_disturbed_is_busy_and_nothing_of_his_rings_but_voicemail() -> None:
    plan = undisturbed()
    assert (plan.is_empty, plan.refusal) == (True, (486, "Do Not Disturb"))
    assert [who(branch) for branch in undisturbed(voicemail=BOX).branches()] == ["box"]


def test_a_rule_for_busy_holds_for_who_is_not_to_be_disturbed() -> None:
    plan = undisturbed(Rule(When.BUSY, number="b"), voicemail=BOX)
    assert plan.stages == ((Onward("b", 30.0, "200", Reason.DO_NOT_DISTURB),),)
    assert (plan.last, plan.detours) == ((BOX,), {})
    other = undisturbed(Rule(When.BUSY, "555", number="b"))
    assert other.refusal == (486, "Do Not Disturb")


def test_a_rule_for_always_goes_before_do_not_disturb() -> None:
    plan = undisturbed(always())
    assert plan.stages == ((Onward("away", 30.0, "200", Reason.UNCONDITIONAL),),)


def test_do_not_disturb_ends_by_itself() -> None:
    assert undisturbed(until=MONDAY.seconds + 1).is_empty
    assert not undisturbed(until=MONDAY.seconds).is_empty
