"""From what a user or a hunt group wants done with calls to the plan of one call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from forwardkit import (
    BOX,
    INSIDE,
    MONDAY,
    TOGETHER,
    at,
    delayed,
    planned,
    situated,
    together,
    who,
)

from sipxd.call.forward import (
    MAXIMUM_RINGS,
    Moment,
    group_plan,
    total_seconds,
    user_plan,
    with_q,
)
from sipxd.call.plan import Leaf, Onward, Plan, Reason
from sipxd.call.search import MAXIMUM_BRANCHES
from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.directory.schedule import Period, Schedule

# -- the call sequence (contract 9.2) ------------------------------------------------------------


@pytest.mark.parametrize(
    ("rings", "expected"),
    [
        ([delayed(), delayed(), delayed()], [0.95, 0.9, 0.85]),
        ([together(), delayed(), together()], [1.0, 0.95, 0.95]),
        ([together(), together(), delayed()], [1.0, 1.0, 0.95]),
        ([delayed(enabled=False), delayed(), together()], [0.95, 0.95]),
        ([delayed(""), together(), delayed()], [1.0, 0.95]),
        ([], []),
    ],
)
def test_q_of_rings(rings: list[Ring], expected: list[float]) -> None:
    assert [q for q, _ in with_q(rings, extra=1)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rings", "expected"),
    [
        ([], [["phone 0"]]),
        ([delayed("a"), delayed("b")], [["phone 0"], ["a"], ["b"]]),
        ([together("a"), together("b"), delayed("c")], [["phone 0", "a", "b"], ["c"]]),
        ([delayed("a"), together("b"), delayed("c")], [["phone 0"], ["a", "b"], ["c"]]),
        ([delayed("a", enabled=False), together("b")], [["phone 0", "b"]]),
        ([delayed(""), together("b")], [["phone 0", "b"]]),
        ([delayed("a", enabled=False)], [["phone 0"]]),
    ],
)
def test_rings_fall_into_stages(rings: list[Ring], expected: list[list[str]]) -> None:
    assert planned(situated(*rings)) == expected


def test_phones_ring_for_the_users_time_and_rings_for_their_own() -> None:
    (phones, rings) = user_plan(situated(together("a", 7), delayed("b", 9)), INSIDE).stages
    assert [branch.seconds for branch in (*phones, *rings)] == [20.0, 7.0, 9.0]
    assert [isinstance(branch, Leaf) and branch.own for branch in phones] == [True, False]


def test_numbers_are_called_for_the_user_who_forwards_and_why() -> None:
    stages = user_plan(situated(together("a"), delayed("b")), INSIDE).stages
    assert stages[0][1] == Onward("a", 30.0, "200", Reason.UNCONDITIONAL)
    assert stages[1] == (Onward("b", 30.0, "200", Reason.NO_ANSWER),)


def test_it_is_the_plan_of_that_user_for_that_call() -> None:
    plan = user_plan(situated(voicemail=BOX), INSIDE)
    assert (plan.whose, plan.passage, plan.last) == ("200", INSIDE, (BOX,))
    assert user_plan(situated(), INSIDE).last == ()


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ((0.5, 0.5), [["phone 0", "phone 1", "a"], ["b"]]),
        ((0.5, 0.25), [["phone 0", "a"], ["b"], ["phone 1"]]),
        ((0.1, 1.0), [["phone 1", "a"], ["b"], ["phone 0"]]),
        ((0.0,), [["phone 0", "a"], ["b"]]),
        ((1.0, 0.97), [["phone 0", "a"], ["phone 1"], ["b"]]),
        ((1.0, 0.999995), [["phone 0", "a", "phone 1"], ["b"]]),
    ],
)
def test_phones_stand_in_order_by_their_q_and_the_best_are_in_the_first_stage(
    phones: tuple[float, ...], expected: list[list[str]]
) -> None:
    assert planned(situated(together("a"), delayed("b"), phones=phones)) == expected


def test_who_has_no_phone_has_a_first_stage_all_the_same() -> None:
    assert planned(situated(delayed("a"), phones=())) == [[], ["a"]]
    assert planned(situated(together("a"), delayed("b"), phones=())) == [["a"], ["b"]]
    assert user_plan(situated(phones=()), INSIDE).is_empty


def test_of_the_longest_sequence_a_plan_holds_as_many_rings_in_order_as_a_search_may_ring() -> None:
    never = [delayed("never", enabled=False)] * 100
    rings = [*never, *(delayed(str(n)) for n in range(900))]
    assert MAXIMUM_RINGS == MAXIMUM_BRANCHES
    assert planned(situated(*rings))[1:] == [[str(n)] for n in range(MAXIMUM_RINGS)]


# -- schedules (9.7) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "rings"),
    [
        ("2026-11-23T08:59", False),
        ("2026-11-23T09:00", True),
        ("2026-11-23T17:00:59", True),
        ("2026-11-23T17:01", False),
        ("2026-11-22T12:00", False),  # a Sunday
        ("2026-11-27T12:00", True),  # a Friday
        ("2026-03-27T08:30+00:00", True),  # 9:30 in winter
        ("2026-03-27T07:30+00:00", False),  # 8:30 in winter
        ("2026-03-30T07:30+00:00", True),  # 9:30 in summer, the clock was put forward on the 29th
        ("2026-03-30T15:30+00:00", False),  # 17:30 in summer
        ("2026-10-26T07:30+00:00", False),  # 8:30, the clock was put back on the 25th
        ("2026-10-26T15:30+00:00", True),  # 16:30
    ],
)
def test_a_ring_rings_within_its_schedule_on_the_clock_of_the_wall(when: str, rings: bool) -> None:
    user = situated(delayed("a", schedule=7), moment=at(when))
    assert planned(user) == ([["phone 0"], ["a"]] if rings else [["phone 0"]])


def test_an_hour_that_comes_twice_holds_twice_and_one_that_is_left_out_does_not_hold() -> None:
    night = Schedule(8, "Night", (Period(0, 2 * 60, 3 * 60 - 1),))

    def holds(text: str) -> bool:
        return situated(moment=at(text), schedule={8: night}.get).holds(8)

    back = [holds(f"2026-10-25T0{hour}:30+00:00") for hour in range(4)]
    assert back == [True, True, False, False]  # 2:30, 2:30 again, 3:30, 4:30
    forward = [holds(f"2026-03-29T0{hour}:30+00:00") for hour in range(4)]
    assert forward == [False, False, False, False]  # 1:30, 3:30, 4:30, 5:30


def test_a_ring_out_of_its_schedule_keeps_its_stage_for_those_that_follow_it() -> None:
    evening = at("2026-11-23T20:00")
    rings = (delayed("a", schedule=7), together("b"))
    assert planned(situated(*rings, moment=evening)) == [["phone 0"], ["b"]]


def test_a_ring_whose_schedule_is_gone_rings_always() -> None:
    assert planned(situated(delayed("a", schedule=99))) == [["phone 0"], ["a"]]


def test_a_moment_knows_its_day_of_the_week() -> None:
    days = [at(f"2026-11-{day}T12:00").day for day in range(22, 29)]
    assert days == [1, 2, 3, 4, 5, 6, 7]
    assert MONDAY.minute == 600
    machine = Moment.of(MONDAY.seconds, None)
    assert machine.seconds == MONDAY.seconds


# -- hunt groups (9.9, 9.10) ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rings", "seconds"),
    [
        ([], 20),
        ([together(seconds=7)], 20),
        ([together(seconds=70)], 70),
        ([together(seconds=70), together(seconds=5), delayed(seconds=9)], 79),
        ([delayed(seconds=9), together(seconds=30), delayed(seconds=4)], 54),
        ([delayed(seconds=9, enabled=False), delayed("", 30)], 20),
        ([delayed(seconds=9, enabled=False), together(seconds=30)], 30),
    ],
)
def test_how_long_phones_and_rings_take_in_the_end(rings: list[Ring], seconds: float) -> None:
    assert total_seconds(Forwarding(rings=tuple(rings)), 20.0) == seconds


def group(*members: Member, **rest: Any) -> CallGroup:
    return CallGroup(1, "sales", "500", members, **rest)


TEAM = (Member("201", 10), Member("202", 15, TOGETHER), Member("203", 5))


def group_plan_of(subject: CallGroup, totals: dict[str, float] | None = None) -> Plan:
    return group_plan(subject, INSIDE, (totals or {}).get)


def test_members_of_a_group_ring_in_stages_as_rings_do() -> None:
    plan = group_plan_of(group(*TEAM))
    assert plan.stages == (
        (Onward("201", 10.0, "500"), Onward("202", 15.0, "500")),
        (Onward("203", 5.0, "500"),),
    )
    assert (plan.whose, plan.passage, plan.last) == ("500", INSIDE, ())
    first = group_plan_of(group(Member("201", 10, TOGETHER), Member("202", 9)))
    assert [[who(branch) for branch in stage] for stage in first.stages] == [["201"], ["202"]]


def test_the_step_of_a_group_leaves_room_for_its_fallback() -> None:
    rings = [delayed(), delayed()]
    assert [q for q, _ in with_q(rings, extra=2)] == pytest.approx([0.95, 0.9])


def test_a_member_whose_own_forwarding_is_followed_has_as_long_as_that_takes() -> None:
    totals = {"201": 75.0}
    (stage, _) = group_plan_of(group(*TEAM), totals).stages
    assert [branch.seconds for branch in stage] == [75.0, 15.0]
    (stage, _) = group_plan_of(group(*TEAM, follow=False), totals).stages
    assert [branch.seconds for branch in stage] == [10.0, 15.0]
    assert all(isinstance(branch, Onward) and not branch.follow for branch in stage)


def test_a_group_falls_back_to_a_number_of_its_own() -> None:
    plan = group_plan_of(group(*TEAM, fallback="+4930", fallback_seconds=44))
    assert plan.stages[-1] == (Onward("+4930", 44.0, "500", Reason.NO_ANSWER),)
    assert (len(plan.stages), plan.last) == (3, ())


def test_a_group_falls_back_to_the_voicemail_of_its_last_member_rather_than_to_a_number() -> None:
    plan = group_plan_of(group(*TEAM, fallback="+4930", voicemail_fallback=True))
    assert plan.last == (Onward("203", 5.0, "500", voicemail=True),)
    assert len(plan.stages) == 2


def test_a_group_without_members_has_nothing_but_its_fallback() -> None:
    assert group_plan_of(group()).is_empty
    assert group_plan_of(group(voicemail_fallback=True)).is_empty
    plan = group_plan_of(group(voicemail_fallback=True, fallback="+4930"))
    assert [who(branch) for branch in plan.branches()] == ["+4930"]
