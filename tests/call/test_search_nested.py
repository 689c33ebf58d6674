"""The search for numbers: looked up when their turn comes, searched inside their time."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from searchkit import PASSAGE, number, own, phone, plan, started, steps, timers

from sipxd.call.effects import Seek, StartTimer, StopTimer
from sipxd.call.plan import Onward, Plan, Reason
from sipxd.call.search import (
    MAXIMUM_BRANCHES,
    MAXIMUM_DEPTH,
    BranchState,
    Exhausted,
    Search,
)

# -- a number ------------------------------------------------------------------------------------


def test_a_number_is_looked_up_when_its_turn_comes_and_its_time_begins_then() -> None:
    mobile = number("+4917", 30.0)
    search = started([own("desk")], [mobile])
    assert search.expired("1")[1:] == [Seek("2", mobile, PASSAGE), StartTimer("ring:2", 30.0)]
    assert search.state("2") is BranchState.SEEKING
    assert search.target("2") is None
    out = search.found("2", plan([phone("mobile", None)]))
    assert (steps(out), timers(out)) == (["ring 2.1 mobile"], [])
    assert search.state("2") is BranchState.SEARCHING
    assert search.legs == ["1", "2.1"]


def test_an_answer_inside_a_number_is_the_answer_and_cancels_everybody_else() -> None:
    search = started([number("300"), number("400"), phone("desk")])
    search.found("1", plan([phone("a"), phone("b")]))
    out = search.answered("1.2")
    assert steps(out) == [
        "won 1.2",
        "drop 1.1, answered elsewhere",
        "drop 3, answered elsewhere",
    ]
    assert timers(out) == ["-1.2", "-1", "-1.1", "-2", "-3"]
    assert search.found("2", plan([phone("c")])) == []
    assert steps(search.answered("1.1")) == ["drop 1.1, answered elsewhere"]


def test_a_number_that_leads_nowhere_has_failed() -> None:
    search = started([number("300")], [number("301")])
    assert steps(search.not_found("1", 403, "Forbidden: no")) == ["seek 2 301"]
    assert search.state("1") is BranchState.REFUSED
    assert search.not_found("2", 404, "Not Found")[-1] == Exhausted(403, "Forbidden: no")


def test_a_number_that_leads_to_nobody_has_failed_as_its_plan_says() -> None:
    search = started([number("300")])
    assert search.found("1", Plan((), refusal=(486, "Do Not Disturb"))) == [
        StopTimer("ring:1"),
        Exhausted(486, "Do Not Disturb"),
    ]


def test_a_number_whose_time_is_over_before_it_was_found_is_given_up() -> None:
    search = started([number("300")], [phone("b")])
    assert steps(search.expired("1")) == ["ring 2 b"]
    assert search.found("1", plan([phone("a")])) == []
    assert search.not_found("1", 404, "Not Found") == []


def test_what_was_never_sought_cannot_be_found() -> None:
    search = started([phone("desk")])
    assert search.found("1", plan([phone("a")])) == []
    assert search.found("9", plan([phone("a")])) == []
    assert search.not_found("9", 404, "Not Found") == []


# -- plans inside each other ---------------------------------------------------------------------


def test_a_plan_inside_a_branch_has_stages_of_its_own() -> None:
    search = started([number("300", 60)], [phone("last")])
    search.found("1", plan([own("a", 10)], [number("301", 20)]))
    assert steps(search.expired("1.1")) == ["drop 1.1", "seek 1.2 301"]
    search.found("1.2", plan([own("b", 10)]))
    out = search.expired("1.2.1")
    assert steps(out) == ["drop 1.2.1", "ring 2 last"]
    assert timers(out) == ["-1.2", "-1", "+2 20"]
    assert search.state("1.2") is search.state("1") is BranchState.REFUSED


def test_three_deep_an_answer_wins_and_an_exhausted_plan_refuses_the_branch_around_it() -> None:
    def deep() -> Search:
        search = started([number("300")], [phone("last")])
        search.found("1", plan([number("301")]))
        search.found("1.1", plan([number("302")]))
        search.found("1.1.1", plan([phone("c")]))
        return search

    out = deep().answered("1.1.1.1")
    assert steps(out) == ["won 1.1.1.1"]
    assert timers(out) == ["-1.1.1.1", "-1", "-1.1", "-1.1.1"]
    search = deep()
    out = search.refused("1.1.1.1", 603, "Decline")
    assert steps(out) == ["ring 2 last"]
    assert timers(out) == ["-1.1.1.1", "-1.1.1", "-1.1", "-1", "+2 20"]
    assert search.expired("2")[-1] == Exhausted(603, "Decline")


def test_the_time_of_the_outer_branch_ends_everything_inside_it() -> None:
    search = started([number("300", 15)], [phone("last")])
    search.found("1", plan([own("a", 99), number("301", 99)]))
    search.found("1.2", plan([own("b", 99), number("302", 99)]))
    out = search.expired("1")
    assert steps(out) == ["drop 1.1", "drop 1.2.1", "ring 2 last"]
    assert timers(out) == ["-1.1", "-1.2", "-1.2.1", "-1.2.2", "+2 20"]
    states = {search.state(name) for name in ("1", "1.1", "1.2", "1.2.1", "1.2.2")}
    assert states == {BranchState.CANCELLED}
    assert search.found("1.2.2", plan([phone("c")])) == []
    assert steps(search.answered("1.2.1")) == ["drop 1.2.1"]


def test_what_a_branch_says_counts_as_408_when_its_time_is_over() -> None:
    search = started([number("300", 15)])
    search.found("1", plan([own("a"), phone("b")]))
    search.refused("1.1", 486, "Busy")
    assert search.expired("1")[-1] == Exhausted(408, "No answer")


@pytest.mark.parametrize("end", ["answered", "refused", "expired", "stop"])
def test_a_search_that_is_over_leaves_nothing_for_the_garbage_collector(end: str) -> None:
    gc.collect()
    gc.disable()
    try:
        search = started([number("300"), number("400")])
        search.found("1", plan([number("301")]))
        search.found("1.1", plan([phone("b"), phone("c")]))
        search.not_found("2", 404, "Not Found")
        match end:
            case "answered":
                search.answered("1.1.1")
            case "refused":
                search.refused("1.1.1", 486, "Busy")
                search.refused("1.1.2", 486, "Busy")
            case "expired":
                search.expired("1")
            case _:
                search.stop()
        del search
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("event", ["stop", "out_of_time"])
def test_giving_up_ends_what_rings_however_deep(event: str) -> None:
    search = started([number("300"), number("400")], limit=60.0)
    search.found("1", plan([number("301")]))
    search.found("1.1", plan([phone("b")]))
    out = search.stop() if event == "stop" else search.out_of_time()
    assert steps(out)[:1] == ["drop 1.1.1"]
    assert {"-1", "-1.1", "-1.1.1", "-2"} <= set(timers(out))
    assert search.ringing == ()
    assert search.found("2", plan([phone("c")])) == []


def test_a_plan_inside_a_branch_may_end_in_a_box_of_its_own() -> None:
    search = started([number("300")], last=(phone("box"),), limit=60.0)
    out = search.found("1", plan([phone("a")], last=(number("299"),)))
    assert steps(out) == ["ring 1.1 a"]
    out = search.expired("1.1")
    assert (steps(out), timers(out)) == (["drop 1.1", "seek 1.2 299"], ["+1.2 30"])
    assert steps(search.not_found("1.2", 480, "No voicemail")) == ["ring 2 box"]


# -- nobody twice, no end ------------------------------------------------------------------------


def test_a_user_who_is_being_rung_already_is_not_rung_a_second_time() -> None:
    search = started([number("300"), number("300")])
    search.found("1", plan([phone("a")], whose="300"))
    assert search.found("2", plan([phone("a")], whose="300"))[0] == StopTimer("ring:2")
    assert search.state("2") is BranchState.REFUSED
    search.expired("1")
    assert search.state("1") is BranchState.CANCELLED


def test_a_circle_ends_with_482() -> None:
    search = Search(plan([number("300")], whose="200"), "")
    search.start()
    search.found("1", plan([number("200")], whose="300"))
    (_, _, outcome) = search.found("1.1", plan([number("300")], whose="200"))
    assert isinstance(outcome, Exhausted)
    assert outcome.status == 482


@pytest.mark.parametrize("end", ["exhausted", "expired", "expired around"])
def test_a_user_who_has_been_rung_may_be_rung_again_later(end: str) -> None:
    search = started([number("300")], [number("400")])
    search.found("1", plan([number("400")]))
    search.found("1.1", plan([phone("a")], whose="400"))
    match end:
        case "exhausted":
            search.refused("1.1.1", 486, "Busy")
        case "expired":
            search.expired("1.1")
        case _:
            search.expired("1")
    assert steps(search.found("2", plan([phone("a")], whose="400"))) == ["ring 2.1 a"]


def test_plans_go_only_so_deep_inside_each_other() -> None:
    search = started([number("n")])
    name = "1"
    for _ in range(MAXIMUM_DEPTH):
        assert steps(search.found(name, plan([number("n")]))) == [f"seek {name}.1 n"]
        name += ".1"
    outcome = search.found(name, plan([phone("a")]))[-1]
    assert isinstance(outcome, Exhausted)
    assert outcome.status == 482


def test_a_stage_rings_only_so_many_at_once() -> None:
    search = Search(plan([phone(str(n)) for n in range(25)], [phone("last")], parallel=20), "")
    assert len(steps(search.start())) == 20
    for name in search.legs[:19]:
        search.refused(name, 503, "No")
    assert steps(search.refused("20", 503, "No")) == ["ring 21 last"]
    assert steps(search.refused("21", 600, "Busy")) == ["503"]


def test_the_whole_search_rings_only_so_many_at_once() -> None:
    search = started([own("desk"), number("300"), phone("mobile")], parallel=3)
    out = search.found("2", plan([phone("a"), phone("b")]))
    assert steps(out) == ["ring 2.1 a"]
    assert len(search.ringing) == 3
    search.refused("1", 486, "Busy")
    assert len(search.ringing) == 2


def test_a_number_for_which_there_is_no_room_has_failed_with_503() -> None:
    search = started([phone("a"), number("300")], parallel=1)
    assert search.legs == ["1"]
    assert not search.owns("2")
    assert search.refused("1", 600, "Busy")[-1] == Exhausted(503, "Too many branches")


def test_a_search_has_only_so_many_branches_in_all() -> None:
    search = Search(plan([number(str(n)) for n in range(1000)]), "")
    assert len(steps(search.start())) == MAXIMUM_BRANCHES
    assert search.found("1", plan([phone("a")], [phone("b")])) == [StopTimer("ring:1")]
    assert search.state("1") is BranchState.REFUSED
    assert not search.legs


def test_voicemail_is_there_for_whoever_has_tried_as_many_branches_as_there_may_be() -> None:
    stages = [[phone(str(n))] for n in range(MAXIMUM_BRANCHES + 50)]
    search = started(*stages, last=(phone("box"),))
    for n in range(1, MAXIMUM_BRANCHES):
        search.refused(str(n), 486, "Busy")
    last = search.refused(str(MAXIMUM_BRANCHES), 486, "Busy")
    assert steps(last) == [f"ring {MAXIMUM_BRANCHES + 1} box"]


# -- redirections --------------------------------------------------------------------------------


def test_contacts_of_a_redirection_are_tried_by_their_q_in_the_time_that_is_left() -> None:
    search = started([own("desk", 20)], [phone("last")])
    contacts = [(0.5, "sip:c@x"), (1.0, "sip:a@x"), (1.0, "sip:b@x")]
    out = search.refused("1", 302, "Moved", contacts)
    assert out == [
        Seek("1.1", Onward("sip:a@x", None, "200", Reason.DEFLECTION), PASSAGE),
        Seek("1.2", Onward("sip:b@x", None, "200", Reason.DEFLECTION), PASSAGE),
    ]
    assert search.state("1") is BranchState.SEARCHING
    search.found("1.1", plan([phone("a", None)]))
    search.not_found("1.2", 404, "Not Found")
    assert steps(search.refused("1.1.1", 486, "Busy")) == ["seek 1.3 sip:c@x"]
    search.found("1.3", plan([phone("c", None)]))
    out = search.expired("1")
    assert steps(out) == ["drop 1.3.1", "ring 2 last"]


def test_an_answer_behind_a_redirection_is_the_answer() -> None:
    search = started([own("desk"), phone("b")])
    search.refused("1", 302, "Moved", [(1.0, "sip:a@x")])
    search.found("1.1", plan([phone("a", None)]))
    out = search.answered("1.1.1")
    assert steps(out) == ["won 1.1.1", "drop 2, answered elsewhere"]
    assert timers(out) == ["-1", "-2"]


def test_a_redirection_without_a_contact_is_a_refusal() -> None:
    assert steps(started([own("desk")]).refused("1", 302, "Moved")) == ["480"]


def test_a_redirection_for_whose_calls_nobody_answers_is_a_refusal() -> None:
    search = Search(Plan(((phone("trunk"),),)), "")
    search.start()
    assert steps(search.refused("1", 302, "Moved", [(1.0, "sip:a@x")])) == ["480"]


def test_a_redirection_by_somebody_outside_is_for_the_account_of_who_pays_for_the_branch() -> None:
    search = started([phone("trunk")])
    (seek,) = search.refused("1", 302, "Moved", [(1.0, "sip:a@x")])
    assert isinstance(seek, Seek)
    assert seek.onward.by == PASSAGE.payer


def test_contacts_beside_a_response_that_is_no_redirection_mean_nothing() -> None:
    assert steps(started([own("desk")]).refused("1", 485, "Ambiguous", [(1.0, "sip:a@x")])) == [
        "485"
    ]


def test_what_a_phone_plays_before_it_redirects_does_not_extend_the_time_behind_it() -> None:
    search = started([own("desk")], early_media_extends=True)
    search.progress("1", plays=True)
    search.refused("1", 302, "Moved", [(1.0, "sip:a@x")])
    search.found("1.1", plan([phone("a", None)]))
    assert steps(search.expired("1")) == ["drop 1.1.1", "408"]


def test_a_number_whose_phone_is_all_that_rings_and_plays_something_outlives_its_time() -> None:
    search = started([number("300", 20.0)], [phone("b")], early_media_extends=True)
    search.found("1", plan([number("0711", 10.0)]))
    search.found("1.1", plan([phone("trunk", None)]))
    search.progress("1.1.1", plays=True)
    assert search.expired("1.1") == []
    assert search.expired("1") == []
    assert steps(search.answered("1.1.1")) == ["won 1.1.1"]


def test_a_number_of_whose_phones_two_ring_does_not_outlive_its_time() -> None:
    search = started([number("300", 20.0)], [phone("b")], early_media_extends=True)
    search.found("1", plan([phone("a", None), phone("trunk", None)]))
    search.progress("1.2", plays=True)
    assert steps(search.expired("1")) == ["drop 1.1", "drop 1.2", "ring 2 b"]
