"""The search: who rings, who wins, and what a failure looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.call.search import (
    BranchState,
    DropBranch,
    Exhausted,
    RingBranch,
    Search,
    Won,
)


def started(*names: str) -> Search:
    search = Search([(name, 20.0) for name in names])
    search.start()
    return search


def test_every_branch_rings_with_its_own_time() -> None:
    search = Search([("desk", 20.0), ("mobile", 30.0)])
    assert search.start() == [RingBranch("desk", 20.0), RingBranch("mobile", 30.0)]


def test_the_first_answer_wins_and_the_others_are_told_that_it_was_elsewhere() -> None:
    search = started("desk", "mobile", "home")
    assert search.answered("mobile") == [
        Won("mobile"),
        DropBranch("desk", elsewhere=True),
        DropBranch("home", elsewhere=True),
    ]
    assert search.winner == "mobile"


def test_a_second_answer_is_dropped() -> None:
    search = started("desk", "mobile")
    search.answered("desk")
    assert search.answered("mobile") == [DropBranch("mobile", elsewhere=True)]


def test_an_answer_after_the_time_is_dropped_without_claiming_an_answer_elsewhere() -> None:
    search = started("desk", "mobile")
    assert search.expired("desk") == [DropBranch("desk", elsewhere=False)]
    assert search.answered("desk") == [DropBranch("desk", elsewhere=False)]


def test_a_refusal_ends_its_branch_only_even_if_it_is_final_everywhere() -> None:
    search = started("desk", "mobile")
    assert search.refused("desk", 603, "Decline") == []
    assert search.state("mobile") is BranchState.RINGING


def test_a_search_without_branches_fails_at_once() -> None:
    assert Search([]).start() == [Exhausted(404, "Nobody to ring")]


@pytest.mark.parametrize(
    ("statuses", "best"),
    [
        ([486, 404], 486),
        ([404, 480], 404),
        ([503, 404], 404),
        ([500, 600], 600),
        ([503, 606], 503),
        ([480, 603], 603),
        ([302, 503], 480),
        ([401, 503], 403),
        ([407, 408], 403),
    ],
)
def test_the_best_response_is_shown_and_none_that_belongs_inside(
    statuses: list[int], best: int
) -> None:
    for order in (statuses, statuses[::-1]):
        search = started("a", "b")
        assert search.refused("a", order[0], "one") == []
        (outcome,) = search.refused("b", order[1], "two")
        assert isinstance(outcome, Exhausted)
        assert outcome.status == best


def test_time_outs_alone_are_408() -> None:
    search = started("a", "b")
    search.expired("a")
    assert search.expired("b") == [
        DropBranch("b", elsewhere=False),
        Exhausted(408, "No answer"),
    ]


def test_a_stopped_search_cancels_what_rings_and_reports_nothing_more() -> None:
    search = started("a", "b")
    search.refused("a", 486, "Busy Here")
    assert search.stop() == [DropBranch("b", elsewhere=False)]
    assert search.refused("b", 487, "Request Terminated") == []
    assert search.answered("b") == [DropBranch("b", elsewhere=False)]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["answered", "refused", "expired", "stop"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([302, 401, 404, 408, 486, 503, 603]),
    ),
    max_size=30,
)


@given(EVENTS)
def test_in_any_order_of_events_at_most_one_branch_wins_and_every_late_answer_is_dropped(
    events: list[tuple[str, str, int]],
) -> None:
    search = started("a", "b", "c")
    won: list[str] = []
    exhausted = 0
    for kind, name, status in events:
        before = search.state(name)
        if kind == "answered":
            outcomes = search.answered(name)
            if before not in (BranchState.RINGING, BranchState.WON):
                assert [o.branch for o in outcomes if isinstance(o, DropBranch)] == [name]
        elif kind == "refused":
            outcomes = search.refused(name, status, "no")
        elif kind == "expired":
            outcomes = search.expired(name)
        else:
            outcomes = search.stop()
        won += [o.branch for o in outcomes if isinstance(o, Won)]
        exhausted += sum(isinstance(o, Exhausted) for o in outcomes)
        if before is not BranchState.RINGING:
            assert search.state(name) is before  # an end is final
    assert len(won) <= 1
    assert exhausted + len(won) <= 1
    winners = [n for n in "abc" if search.state(n) is BranchState.WON]
    assert winners == won
