"""Click-to-call to a user who forwards: what the one who called hears meanwhile."""

from __future__ import annotations

from sipxd.call.effects import Target
from sipxd.call.record import CallState
from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour, Phone

PLAYS = Behaviour(early_media=True, answer_after=None)
RINGS = Behaviour(answer_after=None)


def house(*callees: Behaviour, settings: str = "") -> tuple[Office, Phone]:
    """The phone of 200, and one of 201, 202 ... each; 201 sends his calls on to the others."""
    office = Office(settings=settings)
    caller = office.add_phone("200")
    for number, behaviour in enumerate(callees, 201):
        office.add_phone(str(number), behaviour)
    rings = [Ring(str(number), 4) for number in range(202, 201 + len(callees))]
    forwarding = Forwarding(timer=4, rings=tuple(rings))
    office.forwardings._forwardings[office.users["201"].id] = forwarding
    return office, caller


def heard(office: Office, caller: Phone, times: int) -> list[str]:
    """The address of what the caller hears, every four seconds."""
    found = []
    for _ in range(times):
        office.run(4)
        media = caller.calls[-1].remote_media
        found.append("" if media is None else media[0])
    return found


def assert_nothing_left(office: Office) -> None:
    office.run(70)
    assert office.left_over() == {}


def test_the_preview_of_a_branch_whose_time_is_over_gives_way_to_the_next_one() -> None:
    office, caller = house(PLAYS, Behaviour(early_media=True, answer_after=3.5))
    call = office.click("200", "201")
    office.run(1.5)
    assert heard(office, caller, 1) == ["198.51.100.3"]
    assert office.record(call).state is CallState.CALLEE
    office.run(4)
    assert office.record(call).state is CallState.BRIDGED
    caller.calls[-1].hang_up()
    assert_nothing_left(office)


def test_the_first_of_those_that_play_something_at_the_same_time_is_heard_until_it_ends() -> None:
    office, caller = house(PLAYS)
    office.add_phone("201", PLAYS)
    office.click("200", "201")
    (first,) = set(heard(office, caller, 1))
    assert first in ("198.51.100.2", "198.51.100.3")
    office.run(30)
    assert_nothing_left(office)


def test_tones_of_the_pbx_are_heard_again_behind_an_announcement() -> None:
    office, caller = house(PLAYS, RINGS, PLAYS)
    tone = office.add_phone("900", Behaviour(answer_after=0.0))
    target = Target("sip:900@198.51.100.5:5060", office.transport.flow_to("198.51.100.5", 5060))
    office.calls.ringback = office.calls.busy_tone = target
    office.click("200", "201")
    office.run(1)
    assert heard(office, caller, 4) == [f"198.51.100.{n}" for n in (2, 5, 4, 5)]
    office.run(20)
    assert [len(tone.calls), len(tone.live_calls)] == [2, 0]
    assert_nothing_left(office)
