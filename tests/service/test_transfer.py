"""Transfers on the whole server in memory: blind, attended, and INVITE with Replaces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipxd.call.record import CallState
from sipxd.directory.forwarding import Forwarding
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour, Phone, PhoneCall


def three_phones(third: Behaviour | None = None) -> tuple[Office, Phone, Phone, Phone]:
    office = Office()
    alice, bob = office.add_phone("200"), office.add_phone("201")
    return office, alice, bob, office.add_phone("202", third)


def talking(one: PhoneCall, other: PhoneCall) -> bool:
    """Both are up, and each was last told of the other's port, in both directions."""
    ports = {
        call.machine.media.last_sent and call.remote_media and call.remote_media[1:]
        for call in (one, other)
    }
    return one.up and other.up and all(p is not None and p[1] == "sendrecv" for p in ports)


def port(phone: Phone) -> int:
    return phone._media_port


def kinds(office: Office) -> list[str]:
    return [unit.event.kind for unit in office.store.units]


def over(office: Office) -> None:
    """Everybody hangs up; nothing is left."""
    for phone in office.phones:
        for call in phone.live_calls:
            call.hang_up()
    office.run(80)
    assert office.left_over() == {}


def test_the_caller_transfers_the_callee_to_a_number() -> None:
    office, alice, bob, carol = three_phones()
    call = alice.call("201")
    office.run(5)
    call.hold()
    office.run(1)
    call.transfer("202")
    office.run(5)
    assert call.referral == [202, 100, 180, 200]
    assert call.ended
    (at_bob,), (at_carol,) = bob.live_calls, carol.live_calls
    assert talking(at_bob, at_carol)
    assert at_bob.remote_media == ("198.51.100.3", port(carol), "sendrecv")
    assert at_carol.remote_media == ("198.51.100.2", port(bob), "sendrecv")
    (record,) = office.calls.live()
    assert (record.user, record.number, record.state) == ("200", "201", CallState.BRIDGED)
    event = next(u.event for u in office.store.units if u.event.kind == "call.transferred")
    assert event.data == {"party": "caller", "by": "200", "to": "202"}
    at_carol.hang_up()
    office.run(1)
    assert not bob.live_calls
    over(office)


def test_the_callee_transfers_the_caller_under_his_own_name() -> None:
    office, alice, bob, carol = three_phones()
    call = alice.call("201")
    office.run(5)
    bob.live_calls[0].transfer("202")
    office.run(5)
    assert not bob.live_calls
    assert talking(call, carol.live_calls[0])
    (invite,) = office.requests("INVITE", "198.51.100.3")
    assert b"Referred-By: <sip:201@example.org>" in invite
    assert b"From: <sip:200@example.org>" in invite
    over(office)


def test_a_transfer_that_fails_leaves_the_call_as_it_was() -> None:
    office, alice, bob, _ = three_phones(Behaviour(refuse=486))
    call = alice.call("201")
    office.run(5)
    call.transfer("202")
    office.run(5)
    assert call.referral == [202, 100, 486]
    assert talking(call, bob.live_calls[0])
    call.transfer("202")
    office.run(5)
    assert call.referral == [202, 100, 486, 202, 100, 486]
    over(office)


def test_nobody_answers_the_transfer_in_time() -> None:
    office, alice, bob, carol = three_phones(Behaviour(answer_after=None))
    call = alice.call("201")
    office.run(5)
    call.transfer("202")
    office.run(60)
    assert call.referral == [202, 100, 180, 408]
    assert talking(call, bob.live_calls[0])
    assert not carol.live_calls
    over(office)


@pytest.mark.parametrize(("number", "status"), [("555", 404), ("110", 403), ("x@other.org", 403)])
def test_a_number_that_may_not_be_called_is_told_and_the_call_goes_on(
    number: str, status: int
) -> None:
    office, alice, bob, _ = three_phones()
    call = alice.call("201")
    office.run(5)
    call._refer(f"sip:{number}" if "@" in number else f"sip:{number}@example.org")
    office.run(5)
    assert call.referral == [202, 100, status]
    assert talking(call, bob.live_calls[0])
    over(office)


def test_who_transfers_may_hang_up_at_once() -> None:
    office, alice, bob, carol = three_phones()
    call = alice.call("201")
    office.run(5)
    call.transfer("202")
    office.run(0.05)
    call.hang_up()
    office.run(5)
    assert talking(bob.live_calls[0], carol.live_calls[0])
    over(office)


def test_who_transfers_and_hangs_up_leaves_nobody_behind_when_it_fails() -> None:
    office, alice, bob, _ = three_phones(Behaviour(refuse=486))
    call = alice.call("201")
    office.run(5)
    call.transfer("202")
    call.hang_up()
    office.run(5)
    assert not bob.live_calls
    over(office)


def test_the_other_side_hangs_up_while_the_target_rings() -> None:
    office, alice, bob, carol = three_phones(Behaviour(answer_after=None))
    call = alice.call("201")
    office.run(5)
    call.transfer("202")
    office.run(2)
    bob.live_calls[0].hang_up()
    office.run(2)
    assert call.ended and not carol.live_calls
    assert call.referral == [202, 100, 180, 487]
    over(office)


def test_a_click_to_call_is_transferred_by_either_side() -> None:
    office, alice, bob, carol = three_phones()
    office.click("200", "201")
    office.run(8)
    (at_alice,) = alice.live_calls
    at_alice.transfer("202")
    office.run(5)
    assert not alice.live_calls
    (at_bob,), (at_carol,) = bob.live_calls, carol.live_calls
    assert talking(at_bob, at_carol)
    at_carol.transfer("200")
    office.run(5)
    assert talking(at_bob, alice.live_calls[0])
    assert not carol.live_calls
    over(office)


# -- attended ----------------------------------------------------------------------------------


def consulted(office: Office, alice: Phone, bob: Phone) -> tuple[PhoneCall, PhoneCall]:
    """Alice talks to Bob, holds, and talks to Carol."""
    first = alice.call("201")
    office.run(5)
    first.hold()
    office.run(1)
    second = alice.call("202")
    office.run(5)
    assert first.up and second.up
    return first, second


def test_attended_transfer_connects_the_far_parties_of_two_calls() -> None:
    office, alice, bob, carol = three_phones()
    first, second = consulted(office, alice, bob)
    second.hold()
    office.run(1)
    first.transfer_to(second)
    office.run(5)
    assert first.referral == [202, 100, 200]
    assert not alice.live_calls
    (at_bob,), (at_carol,) = bob.live_calls, carol.live_calls
    assert talking(at_bob, at_carol)
    assert at_bob.remote_media == ("198.51.100.3", port(carol), "sendrecv")
    assert at_carol.remote_media == ("198.51.100.2", port(bob), "sendrecv")
    (record,) = office.calls.live()
    assert record.number == "201"
    ended = next(u.record for u in office.store.units if u.event.kind == "call.ended")
    assert ended.number == "202" and ended.cause is not None and ended.cause.code == 200
    at_bob.hang_up()
    office.run(1)
    assert not carol.live_calls
    over(office)


def test_the_stored_dialogs_follow_the_parties() -> None:
    office, alice, bob, _ = three_phones()
    first, second = consulted(office, alice, bob)
    first.transfer_to(second)
    office.run(5)
    with office.store.engine.begin() as connection:
        rows = connection.exec_driver_sql("select call_id, leg_id from dialogs").all()
    (record,) = office.calls.live()
    assert len(rows) == 2 and {row[0] for row in rows} == {record.id}
    over(office)
    with office.store.engine.begin() as connection:
        assert connection.exec_driver_sql("select count(*) from dialogs").scalar() == 0


def test_a_dialog_that_nobody_knows_is_481_and_the_call_goes_on() -> None:
    office, alice, bob, _ = three_phones()
    first, _ = consulted(office, alice, bob)
    uri = "sip:202@example.org?Replaces=nothing%3Bto-tag%3Da%3Bfrom-tag%3Db"
    first._refer(uri)
    office.run(5)
    assert first.referral == [202, 100, 481]
    assert len(alice.live_calls) == 2
    over(office)


def test_a_dialog_that_the_pbx_carries_is_named_to_the_pbx_only() -> None:
    office = Office(settings='[sip]\noutbound_proxy = "sip:198.51.100.3:5060"')
    alice, bob, pbx = (office.add_phone(name) for name in ("200", "201", "202"))
    busy = office.add_user("203")
    office.forwardings._forwardings[busy.id] = Forwarding(do_not_disturb=True)  # he talks already
    call = alice.call("201")
    office.run(5)
    dialog = "elsewhere%3Bto-tag%3Da%3Bfrom-tag%3Db"
    call._refer(f"sip:202@example.org?Replaces={dialog}")
    office.run(5)
    assert call.referral == [202, 100, 481]
    call._refer(f"sip:203@example.org?Replaces={dialog}")
    office.run(5)
    assert call.referral[3:] == [202, 100, 180, 200]
    (invite,) = office.requests("INVITE", "198.51.100.3")
    assert b"Replaces: elsewhere;to-tag=a;from-tag=b" in invite
    assert b"Require: replaces" in invite
    assert talking(bob.live_calls[0], pbx.live_calls[0])
    over(office)


def test_nobody_connects_a_call_of_somebody_else() -> None:
    office, alice, bob, _ = three_phones()
    first = alice.call("201")
    office.run(5)
    dave, erin = office.add_phone("203"), office.add_phone("204")
    other = dave.call("204")
    office.run(5)
    first.transfer_to(other)
    office.run(5)
    assert first.referral == [202, 100, 403]
    assert talking(other, erin.live_calls[0]) and talking(first, bob.live_calls[0])
    over(office)


def test_a_consultation_that_still_rings_becomes_a_call_to_its_number() -> None:
    office, alice, bob, carol = three_phones(Behaviour(answer_after=6))
    first = alice.call("201")
    office.run(5)
    second = alice.call("202")
    office.run(2)
    dialog = second.replaces if second.machine.dialog else None
    assert dialog is None
    found = next(leg for leg in office.table._legs.values() if leg[0].record.number == "202")
    leg = found[0].leg("near")
    assert leg is not None and leg.dialog is not None
    tags = f"{leg.dialog.call_id};to-tag={leg.dialog.local_tag};from-tag={leg.dialog.remote_tag}"
    first._refer(f"sip:202@example.org?Replaces={tags.replace(';', '%3B').replace('=', '%3D')}")
    office.run(10)
    assert not alice.live_calls
    assert talking(bob.live_calls[0], carol.live_calls[0])
    over(office)


# -- INVITE with Replaces ----------------------------------------------------------------------


def test_another_phone_of_the_user_takes_a_call_over() -> None:
    office, alice, bob, _ = three_phones()
    desk = office.add_phone("200")
    call = alice.call("201")
    office.run(5)
    moved = desk.call("201", (("Replaces", str(call.replaces)), ("Require", "replaces")))
    office.run(5)
    assert call.ended
    assert talking(moved, bob.live_calls[0])
    assert moved.remote_media == ("198.51.100.2", port(bob), "sendrecv")
    assert bob.live_calls[0].remote_media == ("198.51.100.4", port(desk), "sendrecv")
    over(office)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("nothing;to-tag=a;from-tag=b", 481),
        ("{};early-only", 486),
        ("nonsense", 400),
    ],
)
def test_what_cannot_be_replaced_is_refused(header: str, status: int) -> None:
    office, alice, bob, _ = three_phones()
    desk = office.add_phone("200")
    call = alice.call("201")
    office.run(5)
    moved = desk.call("201", (("Replaces", header.format(call.replaces)),))
    office.run(5)
    assert moved.status == status
    assert talking(call, bob.live_calls[0])
    over(office)


def test_somebody_else_cannot_take_a_call_over() -> None:
    office, alice, bob, carol = three_phones()
    call = alice.call("201")
    office.run(5)
    stolen = carol.call("201", (("Replaces", str(call.replaces)),))
    office.run(5)
    assert stolen.status == 403
    assert talking(call, bob.live_calls[0])
    over(office)


def test_giving_up_a_take_over_that_crosses_its_answer_ends_the_call_for_all() -> None:
    office, alice, bob, _ = three_phones()
    desk = office.add_phone("200")
    call = alice.call("201")
    office.run(5)
    before = len(office.requests("INVITE", "198.51.100.2"))
    moved = desk.call("201", (("Replaces", str(call.replaces)),))
    while len(office.requests("INVITE", "198.51.100.2")) == before:
        office.run(0.0005)
    moved.hang_up()
    office.run(10)
    assert moved.status == 487
    assert not alice.live_calls and not bob.live_calls
    over(office)


# -- whatever happens --------------------------------------------------------------------------

ACTS = ("blind", "attended", "alice 1", "alice 2", "bob", "carol", "api", "replace")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from((0.0, 0.001, 0.02, 1.5)))))
def test_no_leg_is_ever_left_over(steps: list[tuple[str, float]]) -> None:
    office, alice, bob, carol = three_phones()
    desk = office.add_phone("200")
    first, second = consulted(office, alice, bob)
    for act, pause in steps[:8]:
        match act:
            case "blind":
                first.transfer("202")
            case "attended":
                if second.machine.dialog is not None:
                    first.transfer_to(second)
            case "alice 1":
                first.hang_up()
            case "alice 2":
                second.hang_up()
            case "bob" | "carol":
                phone = bob if act == "bob" else carol
                for call in phone.live_calls:
                    call.hang_up()
            case "api":
                for record in office.calls.live():
                    office.table.calls[record.id].runner.hang_up("api", "enough")
                    break
            case _:
                if first.machine.dialog is not None:
                    desk.call("201", (("Replaces", str(first.replaces)),))
        office.run(pause)
    office.run(5)
    for call in office.table.calls.values():
        assert call.runner.record.state is not CallState.ENDED or not call.runner._legs
    over(office)
