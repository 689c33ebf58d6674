"""The search: who rings when, who wins, and what a failure looks like."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from searchkit import own, phone, plan, started, steps, timers

from sipxd.call.effects import ELSEWHERE, Release, StartTimer, StopTimer
from sipxd.call.plan import Plan
from sipxd.call.search import BranchState, Exhausted, RingBranch, Search

# -- a stage -------------------------------------------------------------------------------------


def test_every_branch_of_a_stage_rings_at_once_with_its_own_time() -> None:
    desk, mobile = phone("desk", 20.0), phone("mobile", 30.0)
    assert Search(plan([desk, mobile]), "far-").start() == [
        RingBranch("far-1", desk.target),
        StartTimer("ring:far-1", 20.0),
        RingBranch("far-2", mobile.target),
        StartTimer("ring:far-2", 30.0),
    ]


def test_a_branch_without_a_time_of_its_own_has_no_timer() -> None:
    search = Search(plan([phone("desk", None)]), "")
    assert timers(search.start()) == []
    assert search.expired("1") == []
    assert search.state("1") is BranchState.RINGING


def test_the_first_answer_wins_and_the_others_are_told_that_it_was_elsewhere() -> None:
    search = started([phone("desk"), phone("mobile"), phone("home")])
    out = search.answered("2")
    assert steps(out) == ["won 2", "drop 1, answered elsewhere", "drop 3, answered elsewhere"]
    assert timers(out) == ["-2", "-1", "-3"]
    assert search.winner == "2"


def test_a_second_answer_is_dropped() -> None:
    search = started([phone("desk"), phone("mobile")])
    search.answered("1")
    assert search.answered("2") == [Release("2", ELSEWHERE)]
    assert search.winner == "1"


def test_an_answer_that_comes_twice_is_one_answer() -> None:
    search = started([phone("desk"), phone("mobile")])
    search.answered("1")
    assert search.answered("1") == []


def test_an_answer_after_the_time_is_dropped_without_claiming_an_answer_elsewhere() -> None:
    search = started([phone("desk", 10), phone("mobile")])
    assert search.expired("1") == [Release("1")]
    assert search.answered("1") == [Release("1")]


def test_a_time_that_ran_out_cannot_run_out_again() -> None:
    search = started([phone("desk", 10), phone("mobile")])
    search.expired("1")
    assert search.expired("1") == []


@pytest.mark.parametrize("status", [404, 486, 503, 600, 603, 606])
def test_a_refusal_ends_its_branch_only_even_if_it_is_final_everywhere(status: int) -> None:
    search = started([phone("desk"), phone("mobile")])
    out = search.refused("1", status, "No")
    assert (steps(out), timers(out)) == ([], ["-1"])
    assert search.state("1") is BranchState.REFUSED
    assert search.state("2") is BranchState.RINGING


def test_a_branch_that_nobody_knows_has_no_time_and_no_target() -> None:
    search = started([phone("desk")])
    assert not search.owns("7")
    assert (search.target("7"), search.expired("7")) == (None, [])


# -- the stages ----------------------------------------------------------------------------------


def test_the_stages_ring_one_after_the_other() -> None:
    search = Search(plan([own("desk")], [phone("mobile")], [phone("home"), phone("boat")]), "")
    assert steps(search.start()) == ["ring 1 desk"]
    assert steps(search.expired("1")) == ["drop 1", "ring 2 mobile"]
    assert steps(search.refused("2", 486, "Busy")) == ["ring 3 home", "ring 4 boat"]
    assert steps(search.refused("3", 404, "Not Found")) == []
    assert steps(search.expired("4")) == ["drop 4", "486"]


def test_the_slowest_branch_ends_the_stage() -> None:
    search = started([own("desk", 20), phone("mobile", 30)], [phone("home")])
    assert steps(search.expired("1")) == ["drop 1"]
    assert steps(search.expired("2")) == ["drop 2", "ring 3 home"]


def test_an_earlier_branch_that_answers_late_does_not_disturb_the_present_stage() -> None:
    search = started([phone("desk")], [phone("mobile")])
    search.expired("1")
    assert steps(search.answered("1")) == ["drop 1"]
    assert search.state("2") is BranchState.RINGING
    assert steps(search.answered("2")) == ["won 2"]
    assert steps(search.answered("1")) == ["drop 1, answered elsewhere"]


def test_a_stage_without_branches_is_passed_over() -> None:
    search = Search(plan([], [phone("mobile")], []), "")
    assert steps(search.start()) == ["ring 1 mobile"]
    assert steps(search.refused("1", 486, "Busy")) == ["486"]


def test_a_search_without_branches_fails_at_once_as_its_plan_says() -> None:
    assert Search(Plan(()), "").start() == [Exhausted(404, "Nobody to ring")]
    assert Search(plan(refusal=(603, "Decline")), "").start() == [Exhausted(603, "Decline")]


# -- the response --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "best"),
    [
        ([486, 404], 486),
        ([486, 408], 486),
        ([403, 487], 403),
        ([404, 480], 480),
        ([404, 408], 408),
        ([404, 487], 487),
        ([503, 404], 404),
        ([503, 480], 480),
        ([500, 600], 500),
        ([503, 606], 503),
        ([480, 603], 603),
        ([486, 600], 486),
        ([302, 503], 480),
        ([302, 404], 480),
        ([401, 503], 403),
        ([407, 408], 403),
    ],
)
def test_the_best_response_is_shown_and_none_that_belongs_inside(
    statuses: list[int], best: int
) -> None:
    for first, second in (statuses, statuses[::-1]):
        for stages in ([[phone("a"), phone("b")]], [[phone("a")], [phone("b")]]):
            search = started(*stages)
            search.refused("1", first, "one")
            assert steps(search.refused("2", second, "two")) == [str(best)]


def test_among_responses_that_say_as_much_the_first_one_is_shown() -> None:
    search = started([phone("a"), phone("b")])
    search.refused("2", 603, "Decline")
    assert search.refused("1", 486, "Busy Here") == [StopTimer("ring:1"), Exhausted(603, "Decline")]


@pytest.mark.parametrize(
    ("status", "reason", "shown"),
    [
        (401, "Unauthorized", Exhausted(403, "Forbidden")),
        (407, "Proxy Authentication Required", Exhausted(403, "Forbidden")),
        (302, "Moved Temporarily", Exhausted(480, "Temporarily Unavailable")),
        (486, "In a meeting", Exhausted(486, "In a meeting")),
    ],
)
def test_the_words_fit_the_status_that_is_shown(status: int, reason: str, shown: Exhausted) -> None:
    assert started([phone("a")]).refused("1", status, reason)[-1] == shown


def test_time_outs_alone_are_408() -> None:
    search = started([phone("a"), phone("b")])
    search.expired("1")
    assert search.expired("2") == [Release("2"), Exhausted(408, "No answer")]


# -- the end -------------------------------------------------------------------------------------


def test_a_stopped_search_cancels_what_rings_and_reports_nothing_more() -> None:
    search = started([phone("a"), phone("b")], [phone("c")])
    search.refused("1", 486, "Busy Here")
    out = search.stop()
    assert (steps(out), timers(out)) == (["drop 2"], ["-2"])
    assert search.refused("2", 487, "Request Terminated") == []
    assert search.expired("2") == []
    assert search.answered("2") == [Release("2")]
    assert search.stop() == []
    assert not search.owns("3")


def test_a_search_that_is_over_has_nothing_to_stop() -> None:
    won = started([phone("a")])
    won.answered("1")
    lost = started([phone("a")])
    lost.refused("1", 486, "Busy Here")
    assert (won.stop(), won.out_of_time()) == ([], [])
    assert (lost.stop(), lost.out_of_time()) == ([], [])


def test_a_search_that_never_began_has_nothing_to_stop() -> None:
    search = Search(plan([phone("a")], limit=9.0), "")
    assert search.stop() == []
    assert search.stop() == []


def test_it_tells_whom_it_rings_by_their_labels_each_once() -> None:
    search = started([own("200"), own("200"), phone("mobile")], [phone("home")])
    assert search.ringing == ("200", "mobile")
    search.refused("3", 486, "Busy")
    assert search.ringing == ("200",)
    search.refused("1", 486, "Busy")
    assert search.ringing == ("200",)
    search.expired("2")
    assert search.ringing == ("home",)
    search.answered("4")
    assert search.ringing == ()
    assert search.legs == ["1", "2", "3", "4"]


# -- time for all together, and voicemail --------------------------------------------------------


def test_voicemail_is_rung_after_everything_else() -> None:
    search = Search(plan([own("desk")], [phone("mobile")], last=(phone("box"),)), "")
    assert steps(search.start()) == ["ring 1 desk"]
    assert steps(search.expired("1")) == ["drop 1", "ring 2 mobile"]
    assert steps(search.expired("2")) == ["drop 2", "ring 3 box"]
    assert steps(search.refused("3", 503, "Full")) == ["408"]


def test_voicemail_alone_is_rung_at_once() -> None:
    assert steps(Search(plan(last=(phone("box"),)), "").start()) == ["ring 1 box"]


def test_the_time_for_all_together_begins_with_the_first_stage_and_ends_before_voicemail() -> None:
    search = Search(plan([own("desk")], last=(phone("box"),), limit=180.0), "far-")
    out = search.start()
    assert out[0] == StartTimer("limit:far-", 180.0)
    assert timers(out) == ["+limit:far- 180", "+far-1 20"]
    assert timers(search.expired("far-1")) == ["-limit:far-", "+far-2 20"]


@pytest.mark.parametrize("end", ["answered", "refused", "stop"])
def test_the_time_for_all_together_ends_with_the_search(end: str) -> None:
    search = started([own("desk"), phone("mobile")], limit=180.0)
    search.refused("2", 486, "Busy")
    match end:
        case "answered":
            out = search.answered("1")
        case "refused":
            out = search.refused("1", 486, "Busy")
        case _:
            out = search.stop()
    assert timers(out) == ["-1", "-limit:"]


def test_one_phone_alone_needs_no_time_for_all_together() -> None:
    assert timers(Search(plan([own("desk")], limit=180.0), "").start()) == ["+1 20"]
    assert timers(Search(plan(limit=180.0), "").start()) == []


def test_one_phone_that_would_ring_longer_than_all_together_may_is_cut_short() -> None:
    search = Search(plan([own("desk", 999)], limit=180.0), "")
    assert timers(search.start()) == ["+limit: 180", "+1 999"]
    out = search.out_of_time()
    assert (steps(out), timers(out)) == (["drop 1", "408"], ["-1"])


def test_when_the_time_for_all_together_is_over_only_voicemail_is_left() -> None:
    search = started(
        [own("desk"), phone("mobile")], [phone("home")], last=(phone("box"),), limit=15.0
    )
    out = search.out_of_time()
    assert steps(out) == ["drop 1", "drop 2", "ring 3 box"]
    assert timers(out) == ["-1", "-2", "+3 20"]
    assert search.out_of_time() == []
    assert search.state("3") is BranchState.RINGING
    assert steps(search.answered("3")) == ["won 3"]


def test_when_the_time_for_all_together_is_over_and_there_is_no_voicemail_that_is_408() -> None:
    search = started([own("desk"), phone("mobile")], [phone("home")], limit=15.0)
    search.refused("2", 404, "Not Found")
    assert steps(search.out_of_time()) == ["drop 1", "408"]


def test_time_that_runs_out_while_voicemail_rings_does_not_end_voicemail() -> None:
    search = started([own("desk")], last=(phone("box"),), limit=15.0)
    search.expired("1")
    assert search.out_of_time() == []
    assert search.ringing == ("box",)


# -- early media ---------------------------------------------------------------------------------


def test_a_branch_that_plays_something_is_given_up_at_its_time_all_the_same() -> None:
    search = started([phone("trunk")])
    search.progress("1", plays=True)
    assert steps(search.expired("1")) == ["drop 1", "408"]


def test_where_so_configured_a_branch_that_is_alone_and_plays_something_outlives_its_time() -> None:
    search = started([phone("trunk")], [phone("home")], early_media_extends=True)
    search.progress("1", plays=True)
    assert search.expired("1") == []
    assert search.state("1") is BranchState.RINGING
    out = search.answered("1")
    assert (steps(out), timers(out)) == (["won 1"], [])  # its timer has run out already


@pytest.mark.parametrize("silent", [True, False])
def test_a_branch_that_is_silent_or_not_alone_does_not_outlive_its_time(silent: bool) -> None:
    beside = [] if silent else [phone("mobile")]
    search = started([phone("trunk"), *beside], early_media_extends=True)
    if not silent:
        search.progress("1", plays=True)
    assert steps(search.expired("1"))[:1] == ["drop 1"]


def test_what_outlives_its_time_ends_with_that_for_all_together() -> None:
    search = Search(plan([phone("trunk")], limit=180, early_media_extends=True), "")
    assert timers(search.start()) == ["+limit: 180", "+1 20"]
    search.progress("1", plays=True)
    assert search.expired("1") == []
    assert steps(search.out_of_time()) == ["drop 1", "408"]


def test_voicemail_that_plays_something_does_not_outlive_its_time() -> None:
    rest = {"last": (phone("box"),), "limit": 180, "early_media_extends": True}
    search = started([phone("trunk")], **rest)
    search.refused("1", 486, "Busy")
    search.progress("2", plays=True)
    assert steps(search.expired("2")) == ["drop 2", "486"]


def test_a_branch_that_has_become_alone_and_plays_something_outlives_its_time() -> None:
    search = started([phone("trunk"), phone("mobile")], early_media_extends=True)
    search.progress("1", plays=True)
    search.refused("2", 486, "Busy")
    assert search.expired("1") == []
    assert steps(search.refused("1", 487, "Given up")) == ["486"]
