"""The search and the user's situation: what has become of his own phones decides what follows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from searchkit import number, own, phone, plan, started, steps

from sipxd.call.plan import Situation
from sipxd.call.search import Search

DETOURS = {
    Situation.BUSY: ((number("busy"),),),
    Situation.NO_ANSWER: ((number("late"),),),
    Situation.NOT_REGISTERED: ((number("gone"),), (number("farther"),)),
}


@pytest.mark.parametrize(
    ("ends", "leads_to"),
    [
        ([486], "busy"),
        ([600], "busy"),
        ([603], "busy"),
        (["time"], "late"),
        ([488], "late"),
        ([480], "gone"),
        ([404], "gone"),
        ([408], "gone"),
        ([503], "gone"),
        ([503, "time"], "late"),
        (["time", 486], "busy"),
        ([480, 486], "busy"),
        ([486, 503], "busy"),
        ([503, 480], "gone"),
        ([], "gone"),
    ],
)
def test_the_fate_of_the_own_phones_decides_where_the_call_goes(
    ends: list[int | str], leads_to: str
) -> None:
    search = Search(plan([own("a") for _ in ends], [phone("next")], detours=DETOURS), "")
    out = search.start()
    for index, end in enumerate(ends, 1):
        name = str(index)
        out = search.expired(name) if end == "time" else search.refused(name, int(end), "No")
    assert steps(out)[-1] == f"seek {len(ends) + 1} {leads_to}"


@pytest.mark.parametrize(("status", "leads_to"), [(480, "late"), (408, "late"), (486, "busy")])
def test_a_phone_that_has_rung_was_there(status: int, leads_to: str) -> None:
    search = started([own("a")], [phone("next")], detours=DETOURS)
    search.progress("1", plays=False)
    assert steps(search.refused("1", status, "No")) == [f"seek 2 {leads_to}"]


def test_a_situation_without_a_detour_goes_on_with_the_sequence() -> None:
    detours = {Situation.BUSY: DETOURS[Situation.BUSY]}
    search = started([own("a")], [phone("next")], detours=detours)
    assert steps(search.expired("1")) == ["drop 1", "ring 2 next"]
    assert steps(search.refused("2", 486, "Busy")) == ["486"]


def test_a_detour_takes_the_place_of_the_rest_of_the_sequence_then_comes_voicemail() -> None:
    search = started([own("a")], [phone("next")], detours=DETOURS, last=(phone("box"),))
    assert steps(search.refused("1", 480, "Gone")) == ["seek 2 gone"]
    assert steps(search.expired("2")) == ["seek 3 farther"]
    assert steps(search.expired("3")) == ["ring 4 box"]


def test_a_detour_without_stages_leads_to_voicemail() -> None:
    search = started(
        [own("a")], [phone("next")], detours={Situation.BUSY: ()}, last=(phone("box"),)
    )
    assert steps(search.refused("1", 486, "Busy")) == ["ring 2 box"]


def test_what_becomes_of_somebody_elses_phone_is_not_the_users_situation() -> None:
    search = started([own("a"), phone("friend")], [phone("next")], detours=DETOURS)
    search.refused("2", 486, "Busy")
    assert steps(search.expired("1")) == ["drop 1", "seek 3 late"]


def test_every_phone_of_the_user_is_tried_before_his_situation_is_decided() -> None:
    search = started([own("desk")], [own("attic")], [phone("next")], detours=DETOURS)
    assert steps(search.refused("1", 480, "Gone")) == ["ring 2 attic"]
    assert steps(search.refused("2", 486, "Busy")) == ["seek 3 busy"]


def test_a_phone_that_redirected_in_vain_has_been_reached() -> None:
    search = started([own("desk")], detours=DETOURS)
    search.refused("1", 302, "Moved", [(1.0, "sip:a@x")])
    assert steps(search.not_found("1.1", 404, "Not Found")) == ["seek 2 late"]


def test_a_user_inside_a_branch_has_a_situation_of_his_own() -> None:
    search = started([own("desk"), number("300")], [phone("next")], detours=DETOURS)
    search.found("2", plan([own("a")], detours={Situation.BUSY: ((phone("friend"),),)}))
    assert steps(search.refused("2.1", 486, "Busy")) == ["ring 2.2 friend"]
    assert steps(search.refused("2.2", 486, "Busy")) == []
    assert steps(search.expired("1")) == ["drop 1", "seek 3 late"]


def test_when_the_time_for_all_together_is_over_no_detour_is_taken() -> None:
    search = started([own("desk")], [phone("next")], detours=DETOURS, limit=9.0)
    assert steps(search.out_of_time()) == ["drop 1", "408"]
