"""The model of the forwarding search does what the contract's own examples say (section 9)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import pytest

sys.path.append(str(Path(__file__).parent))

from forwarding_model import (
    Answers,
    Behaviour,
    Plan,
    Refuses,
    Ring,
    Rung,
    Silent,
    q_values,
    search,
    stages,
)

Kind = Literal["If no response", "At the same time"]
DELAYED: Kind = "If no response"
IMMEDIATE: Kind = "At the same time"
SILENT = Silent()


def delayed(behaviour: Behaviour = SILENT, seconds: float = 30) -> Ring:
    return Ring(DELAYED, seconds, behaviour)


def immediate(behaviour: Behaviour = SILENT, seconds: float = 30) -> Ring:
    return Ring(IMMEDIATE, seconds, behaviour)


def staged(*rings: Ring) -> list[list[str]]:
    return [[branch.who for branch in stage] for stage in stages(Plan([SILENT], rings=rings))]


# 9.2


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((DELAYED, DELAYED, DELAYED), [0.95, 0.9, 0.85]),
        ((IMMEDIATE, DELAYED, IMMEDIATE), [1.0, 0.95, 0.95]),
        ((IMMEDIATE, IMMEDIATE, DELAYED), [1.0, 1.0, 0.95]),
    ],
)
def test_q_of_three_rings(kinds: tuple[Kind, ...], expected: list[float]) -> None:
    assert q_values([Ring(kind, 30, SILENT) for kind in kinds]) == pytest.approx(expected)


def test_leading_immediate_rings_ring_with_the_phones() -> None:
    assert staged(immediate(), immediate(), delayed()) == [
        ["phone 0", "ring 0", "ring 1"],
        ["ring 2"],
    ]


def test_an_immediate_ring_belongs_to_the_delayed_one_before_it() -> None:
    assert staged(delayed(), immediate(), delayed(), immediate()) == [
        ["phone 0"],
        ["ring 0", "ring 1"],
        ["ring 2", "ring 3"],
    ]


@pytest.mark.parametrize(
    "dropped",
    [Ring(DELAYED, 30, SILENT, enabled=False), Ring(DELAYED, 30, SILENT, empty=True)],
)
def test_a_disabled_or_empty_ring_takes_no_step(dropped: Ring) -> None:
    assert q_values([dropped, immediate(), delayed()]) == [None, 1.0, pytest.approx(0.95)]
    assert staged(dropped, immediate(), delayed()) == [["phone 0", "ring 1"], ["ring 2"]]


def test_a_ring_out_of_its_schedule_takes_its_step() -> None:
    out = Ring(DELAYED, 30, SILENT, active=False)
    assert staged(out, immediate()) == [["phone 0"], ["ring 1"]]
    assert search(Plan([SILENT], 20, [out, immediate()])).rung == [
        Rung(0, 20, "phone 0"),
        Rung(20, 50, "ring 1"),
    ]


# 9.3


def test_no_candidate_at_all() -> None:
    nobody = Ring(DELAYED, 30, SILENT, active=False)
    assert search(Plan()) == (0, 404, None, [])
    assert search(Plan(rings=[nobody])) == (0, 404, None, [])


def test_the_slowest_branch_ends_the_stage() -> None:
    assert search(Plan([SILENT], 20, [immediate(), delayed(Answers(5))])) == (
        35,
        200,
        "ring 1",
        [Rung(0, 20, "phone 0"), Rung(0, 30, "ring 0"), Rung(30, 35, "ring 1")],
    )


def test_a_lone_busy_phone_ends_the_stage_at_once() -> None:
    assert search(Plan([Refuses(486, 0.5)], 20, [delayed(Answers(5))])).rung == [
        Rung(0, 0.5, "phone 0"),
        Rung(0.5, 5.5, "ring 0"),
    ]


def test_a_failure_cancels_nothing() -> None:
    assert search(Plan([Refuses(486, 1), Answers(7)])) == (
        7,
        200,
        "phone 1",
        [Rung(0, 1, "phone 0"), Rung(0, 7, "phone 1")],
    )


def test_an_answer_cancels_all_others_and_ends_the_search() -> None:
    assert search(Plan([SILENT, Answers(7)], 20, [immediate(), delayed()], voicemail=1)) == (
        7,
        200,
        "phone 1",
        [Rung(0, 7, "phone 0"), Rung(0, 7, "phone 1"), Rung(0, 7, "ring 0")],
    )


def test_who_would_answer_too_late_never_does() -> None:
    assert search(Plan([Answers(21)], 20)) == (20, 408, None, [Rung(0, 20, "phone 0")])
    assert search(Plan([Refuses(486, 21)], 20)) == (20, 408, None, [Rung(0, 20, "phone 0")])


def test_without_phones_the_first_delayed_ring_starts_at_once() -> None:
    assert search(Plan(rings=[delayed(Answers(5))])).rung == [Rung(0, 5, "ring 0")]


def test_without_phones_leading_immediate_rings_are_a_stage_of_their_own() -> None:
    assert search(Plan(rings=[immediate(seconds=10), delayed(Answers(5))])).rung == [
        Rung(0, 10, "ring 0"),
        Rung(10, 15, "ring 1"),
    ]


def test_a_6xx_does_not_stop_the_search() -> None:
    assert search(Plan([Refuses(603, 1)], rings=[delayed(Answers(5))])).answered_by == "ring 0"
    assert search(Plan([Refuses(600, 1)], rings=[delayed(Refuses(503, 5))])).status == 503


def test_a_loop_is_but_a_failure() -> None:
    assert search(Plan(rings=[delayed(Refuses(482, 0)), delayed(Answers(5))])) == (
        5,
        200,
        "ring 1",
        [Rung(0, 0, "ring 0"), Rung(0, 5, "ring 1")],
    )


def test_the_targets_own_forwarding_applies_within_the_leg() -> None:
    target = Plan([SILENT], 12, [delayed(), immediate(seconds=3)])
    assert search(Plan([SILENT], 20, [delayed(target), delayed(Answers(5))])) == (
        55,
        200,
        "ring 1",
        [
            Rung(0, 20, "phone 0"),
            Rung(20, 32, "ring 0/phone 0"),
            Rung(32, 35, "ring 0/ring 1"),
            Rung(32, 50, "ring 0/ring 0"),
            Rung(50, 55, "ring 1"),
        ],
    )


def test_the_targets_voicemail_never_answers() -> None:
    target = Plan([Refuses(486, 2)], voicemail=1)
    assert search(Plan(rings=[delayed(target)])) == (2, 486, None, [Rung(0, 2, "ring 0/phone 0")])


def test_a_target_two_users_away_answers() -> None:
    last = Plan([Answers(4)])
    middle = Plan([Refuses(486, 1)], rings=[delayed(last)])
    assert search(Plan([Refuses(486, 2)], rings=[delayed(middle)])) == (
        7,
        200,
        "ring 0/ring 0/phone 0",
        [
            Rung(0, 2, "phone 0"),
            Rung(2, 3, "ring 0/phone 0"),
            Rung(3, 7, "ring 0/ring 0/phone 0"),
        ],
    )


def test_an_answer_elsewhere_cancels_the_targets_branches_and_begins_no_more() -> None:
    target = Plan([SILENT], 8, [delayed(seconds=5), delayed()])
    assert search(Plan([Answers(10)], 20, [immediate(target)])).rung == [
        Rung(0, 8, "ring 0/phone 0"),
        Rung(0, 10, "phone 0"),
        Rung(8, 10, "ring 0/ring 0"),
    ]


def test_a_target_that_runs_out_of_time_counts_as_timeout() -> None:
    target = Plan([Refuses(486, 2)], rings=[delayed(seconds=90)])
    assert search(Plan(rings=[delayed(target)])) == (
        30,
        408,
        None,
        [Rung(0, 2, "ring 0/phone 0"), Rung(2, 30, "ring 0/ring 0")],
    )


def test_a_target_without_candidates_is_a_404_at_once() -> None:
    assert search(Plan(rings=[delayed(Plan())])) == (0, 404, None, [])
    assert search(Plan([SILENT], 20, [delayed(Plan()), delayed(Answers(5))])).at == 25


# 9.4


def test_the_overall_limit_cancels_all() -> None:
    plan = Plan([SILENT], 20, [delayed(seconds=100), delayed(Plan([SILENT], 999), 999), delayed()])
    tried = [
        Rung(0, 20, "phone 0"),
        Rung(20, 120, "ring 0"),
        Rung(120, 180, "ring 1/phone 0"),
    ]
    assert search(plan) == (180, 408, None, tried)
    assert search(plan, limit=7) == (7, 408, None, [Rung(0, 7, "phone 0")])


def test_voicemail_follows_the_limit_and_is_not_bound_by_it() -> None:
    assert search(Plan([SILENT], 999, [delayed()], voicemail=2)) == (
        182,
        200,
        "voicemail",
        [Rung(0, 180, "phone 0"), Rung(180, 182, "voicemail")],
    )


# 9.5


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        ((408, 486), 486),
        ((480, 603), 603),
        ((487, 403), 403),
        ((404, 480), 480),
        ((404, 408), 408),
        ((503, 404), 404),
        ((600, 503), 503),
        ((606, 600), 606),
        ((486, 603), 486),
        ((603, 486), 603),
        ((480, 408), 480),
        ((408, 487), 408),
        ((500, 503), 500),
        ((401,), 403),
        ((407, 486), 403),
        ((302,), 480),
        ((302, 486), 486),
        ((302, 404), 480),
    ],
)
def test_the_best_failure_is_shown(statuses: tuple[int, ...], shown: int) -> None:
    phones = [Refuses(status, after) for after, status in enumerate(statuses, 1)]
    rings = [delayed(phone) for phone in phones]
    assert search(Plan(phones)).status == shown
    assert search(Plan(phones[::-1])).status == shown, "the earlier, not the one listed first"
    assert search(Plan(rings=rings)).status == shown, "over several stages"
    assert search(Plan(rings=[delayed(Plan(phones))])).status == shown, "of a forwarding target"


def test_all_ended_by_timeout() -> None:
    assert search(Plan([SILENT], 20, [delayed()])).status == 408
    assert search(Plan([SILENT, Refuses(404, 1)])).status == 408


# 9.6


@pytest.mark.parametrize("rings", [[], [Ring(DELAYED, 30, Answers(1), enabled=False)]])
def test_no_rings_or_all_disabled(rings: list[Ring]) -> None:
    phone, voicemail = Rung(0, 20, "phone 0"), Rung(20, 23, "voicemail")
    assert search(Plan([SILENT], 20, rings, voicemail=3)) == (
        23,
        200,
        "voicemail",
        [phone, voicemail],
    )
    assert search(Plan([SILENT], 20, rings)) == (20, 408, None, [phone])
    assert search(Plan([Refuses(486, 1)], 20, rings)) == (1, 486, None, [Rung(0, 1, "phone 0")])


def test_rings_without_voicemail() -> None:
    assert search(Plan([SILENT], 20, [delayed()])) == (
        50,
        408,
        None,
        [Rung(0, 20, "phone 0"), Rung(20, 50, "ring 0")],
    )


def test_rings_and_voicemail() -> None:
    assert search(Plan([SILENT], 20, [delayed()], voicemail=3)) == (
        53,
        200,
        "voicemail",
        [Rung(0, 20, "phone 0"), Rung(20, 50, "ring 0"), Rung(50, 53, "voicemail")],
    )


def test_a_rings_own_answering_machine_may_be_earlier() -> None:
    end = search(Plan([SILENT], 20, [delayed(Answers(25))], voicemail=3))
    assert (end.at, end.answered_by) == (45, "ring 0")


def test_nothing_but_voicemail() -> None:
    assert search(Plan(voicemail=3)) == (3, 200, "voicemail", [Rung(0, 3, "voicemail")])


# 9.9


def test_the_total_time_is_the_sum_of_the_longest_of_each_stage() -> None:
    rings = [immediate(seconds=25), delayed(seconds=10), immediate(seconds=15), delayed(seconds=5)]
    assert search(Plan([SILENT], 20, rings)).at == 25 + 15 + 5
