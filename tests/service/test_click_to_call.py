"""Click-to-call from the request to the last BYE, on phones in memory."""

from __future__ import annotations

import collections
import gc

import pytest
from twisted.internet.defer import Deferred

from sipxd.call.effects import Target
from sipxd.call.record import CallState, Cause, Side
from sipxd.errors import BadInput, Forbidden, NotFound, Overloaded, TooManyCalls
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour, Phone


def two_phones(
    near: Behaviour | None = None, far: Behaviour | None = None, **options: object
) -> tuple[Office, Phone, Phone]:
    office = Office(**options)  # type: ignore[arg-type]
    return office, office.add_phone("200", near), office.add_phone("201", far)


def media_meets(one: Phone, other: Phone) -> bool:
    """Whether each phone was told the other's address and port, in both directions."""
    hosts = {phone: f"198.51.100.{n}" for n, phone in enumerate((one, other), 1)}
    return one.calls[-1].remote_media == (hosts[other], other._media_port, "sendrecv") and (
        other.calls[-1].remote_media == (hosts[one], one._media_port, "sendrecv")
    )


def assert_nothing_left(office: Office) -> None:
    office.run(70)
    assert office.left_over() == {}


def test_the_users_phone_rings_first_then_the_number_and_media_meets() -> None:
    office, alice, bob = two_phones()
    call = office.click("200", "201")
    office.run(0.5)
    assert alice.live_calls and not bob.live_calls
    assert alice.calls[-1].peer == "201"
    office.run(1)
    assert bob.live_calls
    assert office.record(call).state is CallState.CALLEE
    office.run(2)
    record = office.record(call)
    assert record.state is CallState.BRIDGED and not record.media_mismatch
    assert media_meets(alice, bob)
    alice.calls[-1].hang_up()
    office.run(1)
    assert office.record(call).cause == Cause("caller", Side.NEAR, 200, "Hung up.")
    assert bob.calls[-1].ended
    assert_nothing_left(office)


def test_an_overloaded_server_begins_no_call() -> None:
    office, alice, _ = two_phones()
    office.calls.is_overloaded = lambda: True
    with pytest.raises(Overloaded):
        office.click("200", "201")
    office.calls.is_overloaded = lambda: False
    office.click("200", "201")
    office.run(0.5)
    assert alice.live_calls


def test_the_first_invite_waits_for_the_commit() -> None:
    office, _, _ = two_phones()
    office.store.failing = Overloaded("full", retry_after=1)
    with pytest.raises(Overloaded):
        office.click("200", "201")
    office.run(5)
    assert office.requests("INVITE") == []
    assert_nothing_left(office)


def test_the_first_phone_is_answered_without_media_at_once() -> None:
    office, alice, _ = two_phones(far=Behaviour(answer_after=None))
    office.click("200", "201")
    office.run(2)
    (ack,) = office.requests("ACK", "198.51.100.1")
    assert b"a=inactive" in ack and b"m=audio 9 " in ack
    assert alice.calls[-1].up


@pytest.mark.parametrize(
    ("far", "code", "sentence"),
    [
        (Behaviour(refuse=486), 486, "The line is busy."),
        (Behaviour(refuse=603), 603, "The call was declined."),
        (Behaviour(answer_after=None), 408, "Nobody answered in time."),
        (Behaviour(answer_after=None, late_answer=True), 408, "Nobody answered in time."),
    ],
)
def test_where_the_number_does_not_answer_the_caller_is_hung_up_with_the_reason(
    far: Behaviour, code: int, sentence: str
) -> None:
    office, alice, _ = two_phones(far=far)
    call = office.click("200", "201")
    office.run(40)
    assert office.record(call).cause == Cause("callee", Side.FAR, code, sentence)
    (bye,) = office.requests("BYE", "198.51.100.1")
    assert f"Reason: SIP;cause={code}".encode() in bye
    assert alice.calls[-1].ended
    assert_nothing_left(office)


def test_a_phone_that_answers_our_cancel_is_acknowledged_and_hung_up() -> None:
    office, _, bob = two_phones(far=Behaviour(answer_after=None, late_answer=True))
    office.click("200", "201")
    office.run(40)
    assert len(office.requests("ACK", "198.51.100.2")) == 1
    assert len(office.requests("BYE", "198.51.100.2")) == 1
    assert bob.live_calls == []


def test_the_number_is_never_called_when_the_users_phone_does_not_answer() -> None:
    office, _, bob = two_phones(near=Behaviour(answer_after=None))
    call = office.click("200", "201")
    office.run(40)
    cause = office.record(call).cause
    assert cause is not None and (cause.who, cause.leg, cause.code) == ("caller", Side.NEAR, 408)
    assert bob.calls == []
    assert_nothing_left(office)


def test_a_phone_that_wants_sdp_gets_it_and_is_remembered() -> None:
    near = Behaviour(refuse_offerless=True)
    office, alice, bob = two_phones(near=near)
    for _ in range(2):
        call = office.click("200", "201")
        office.run(5)
        assert office.record(call).state is CallState.BRIDGED
        assert media_meets(alice, bob)
        bob.calls[-1].hang_up()
        office.run(1)
    # Three INVITEs that began a leg: one refused, one again, and the second call straight away.
    firsts = [i for i in office.requests("INVITE", "198.51.100.1") if b"sip:200@198" in i[:30]]
    assert [b"m=audio" in invite for invite in firsts] == [False, True, True]
    assert_nothing_left(office)


def test_early_media_is_a_preview_and_needs_no_second_offer() -> None:
    office, alice, _ = two_phones(far=Behaviour(early_media=True, answer_after=5))
    call = office.click("200", "201")
    office.run(4)
    assert office.record(call).state is CallState.CALLEE  # a preview is no answer
    assert alice.calls[-1].remote_media == ("198.51.100.2", 20004, "sendrecv")
    office.run(4)
    assert office.record(call).state is CallState.BRIDGED
    reinvites = [
        i
        for i in office.requests("INVITE", "198.51.100.1")
        if b"To: " in i and b";tag" in i.split(b"To: ")[1].split(b"\r\n")[0]
    ]
    assert len(reinvites) == 1


def test_of_two_phones_that_answer_at_once_exactly_one_keeps_the_call() -> None:
    office = Office()
    first = office.add_phone("200")
    second = office.add_phone("200")
    office.add_phone("201")
    call = office.click("200", "201")
    office.run(5)
    assert office.record(call).state is CallState.BRIDGED
    assert sorted(phone.calls[-1].up for phone in (first, second)) == [False, True]
    loser = "198.51.100.2" if first.calls[-1].up else "198.51.100.1"
    (ack,) = office.requests("ACK", loser)
    assert b"m=audio" in ack  # its offer was answered
    assert len(office.requests("BYE", loser)) == 1


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0012, 1.5, 2.003, 2.0045, 2.0055, 4.0])
def test_delete_ends_the_call_in_every_state(moment: float) -> None:
    office, alice, bob = two_phones()
    call = office.click("200", "201")
    office.run(moment)
    office.now(office.calls.hang_up(call, by="200"))
    assert office.record(call).cause == Cause("api", None, 200, "Ended by 200.")
    office.run(1)
    assert not alice.live_calls and not bob.live_calls
    assert_nothing_left(office)


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("after", [0.0, 0.0005, 0.001, 0.0015, 0.002, 0.0035, 0.5])
def test_a_phone_may_hang_up_at_each_step(who: int, after: float) -> None:
    behaviours = [Behaviour(), Behaviour()]
    behaviours[who] = Behaviour(hang_up_after=after)
    office, alice, bob = two_phones(*behaviours)
    call = office.click("200", "201")
    office.run(10)
    record = office.record(call)
    assert record.state is CallState.ENDED
    assert record.cause is not None
    assert record.cause.leg is (Side.NEAR, Side.FAR)[who]
    assert not alice.live_calls and not bob.live_calls
    assert_nothing_left(office)


def test_the_caller_who_hangs_up_while_it_rings_has_the_number_cancelled() -> None:
    office, alice, bob = two_phones(far=Behaviour(answer_after=None))
    office.click("200", "201")
    office.run(3)
    alice.calls[-1].hang_up()
    office.run(1)
    assert len(office.requests("CANCEL", "198.51.100.2")) == 1
    assert bob.live_calls == []
    assert_nothing_left(office)


def test_hold_and_resume_cross_the_bridge() -> None:
    office, alice, bob = two_phones()
    office.click("200", "201")
    office.run(5)
    for holder, held in ((alice, bob), (bob, alice)):
        holder.calls[-1].hold()
        office.run(1)
        media = held.calls[-1].remote_media
        assert media is not None and media[2] == "sendonly"
        holder.calls[-1].resume()
        office.run(1)
        assert media_meets(alice, bob)


def test_two_holds_at_the_same_moment_end_in_a_defined_state() -> None:
    office, alice, bob = two_phones()
    call = office.click("200", "201")
    office.run(5)
    alice.calls[-1].hold()
    bob.calls[-1].hold()
    office.run(30)
    alice.calls[-1].resume()
    office.run(10)
    bob.calls[-1].resume()
    office.run(10)
    assert office.record(call).state is CallState.BRIDGED
    assert media_meets(alice, bob)


def test_a_hold_that_the_phone_takes_back_leaves_the_call_as_it_was() -> None:
    office, alice, _ = two_phones()
    call = office.click("200", "201")
    office.run(5)
    bob_node = office.network._nodes["198.51.100.2", 5060]
    receiver, bob_node.receiver = bob_node.receiver, lambda data, flow: None
    leg = alice.calls[-1]
    leg.hold()
    office.run(1)
    (handle,) = [h for key, h in leg.driver._clients.items() if key.startswith("reinvite")]
    alice.stack.cancel(handle)
    office.run(1)
    bob_node.receiver = receiver
    office.run(10)
    assert any(
        p.data.startswith(b"SIP/2.0 487") and p.destination == "198.51.100.1:5060"
        for p in office.network.log
    )
    assert leg.up and office.record(call).state is CallState.BRIDGED


def test_a_hold_while_the_number_rings_is_answered_and_the_number_told_later() -> None:
    office, alice, bob = two_phones(far=Behaviour(answer_after=5))
    call = office.click("200", "201")
    office.run(2)
    alice.calls[-1].hold()
    office.run(8)
    assert office.record(call).state is CallState.BRIDGED
    alice.calls[-1].resume()
    office.run(2)
    assert media_meets(alice, bob)


def test_the_same_number_again_is_the_same_call_until_it_has_ended() -> None:
    office, alice, _ = two_phones()
    call = office.click("200", "201")
    assert office.click("200", "2-0-1") == call
    office.run(5)
    assert office.click("200", "201") == call
    alice.calls[-1].hang_up()
    office.run(1)
    assert office.click("200", "201") != call


def test_who_may_not_or_cannot_be_called_is_said_before_anything_rings() -> None:
    office, _, _ = two_phones()
    office.add_user("202")
    for number, error in [
        ("20\r1", BadInput),
        ("112", Forbidden),
        ("201@elsewhere.example", Forbidden),
        ("999999", NotFound),
        ("202", NotFound),
    ]:
        with pytest.raises(error):
            office.click("200", number)
    with pytest.raises(NotFound, match="No phone of 202"):
        office.click("202", "201")
    office.run(1)
    assert office.requests("INVITE") == []


def test_calls_being_set_up_and_calls_a_minute_are_capped_per_user() -> None:
    office = Office(settings="[limits]\nuser_calls_pending = 2\nuser_calls_per_minute = 3\n")
    caller = office.add_phone("200", Behaviour(answer_after=1, hang_up_after=0.0))
    for name in ("201", "202", "203"):
        office.add_phone(name)
    office.click("200", "201")
    office.click("200", "202")
    with pytest.raises(TooManyCalls):
        office.click("200", "203")
    office.run(20)
    assert not caller.live_calls
    office.click("200", "203")
    office.run(10)
    with pytest.raises(TooManyCalls):
        office.click("200", "201")
    office.run(60)
    office.click("200", "201")


def test_a_full_daemon_refuses_new_calls_and_keeps_the_old() -> None:
    office = Office(settings="[limits]\ncalls = 1\n")
    for name in ("200", "201", "202"):
        office.add_phone(name)
    call = office.click("200", "201")
    with pytest.raises(Overloaded):
        office.click("200", "202")
    office.run(5)
    assert office.record(call).state is CallState.BRIDGED


def test_waiting_for_the_outcome_ends_with_the_bridge_or_with_the_call() -> None:
    office, _, _ = two_phones(far=Behaviour(refuse=486))

    call = office.click("200", "201")
    results: list[object] = []
    Deferred.fromCoroutine(office.calls.outcome(call)).addCallback(results.append)
    office.run(0.5)
    assert results == []
    office.run(2)
    assert office.record(call) in results


def test_info_crosses_the_bridge_and_its_answer_comes_back() -> None:
    office, alice, _ = two_phones()
    office.click("200", "201")
    office.run(5)
    leg = alice.calls[-1]
    headers = [("Content-Type", "application/dtmf-relay")]
    leg.driver.work(leg.machine.relay("digit", "INFO", headers, b"Signal=5\r\n"))
    office.run(1)
    (info,) = office.requests("INFO", "198.51.100.2")
    assert b"Content-Type: application/dtmf-relay" in info and info.endswith(b"Signal=5\r\n")


def test_the_session_is_refreshed_and_a_phone_that_vanished_ends_the_call() -> None:
    office, _, _ = two_phones(settings="[call]\nsession_expires = 90\n")
    call = office.click("200", "201")
    office.run(200)
    assert office.record(call).state is CallState.BRIDGED
    office.network._nodes["198.51.100.2", 5060].receiver = lambda data, flow: None
    office.network._nodes["198.51.100.2", 5060].broken = True
    office.run(200)
    record = office.record(call)
    assert record.state is CallState.ENDED and record.cause is not None
    assert (record.cause.who, record.cause.leg) == ("sipxd", Side.FAR)


def test_a_tone_of_the_pbx_is_heard_while_a_bare_180_rings() -> None:

    office, alice, bob = two_phones(far=Behaviour(answer_after=5))
    tone = office.add_phone("900", Behaviour(answer_after=0.0))
    target = Target("sip:900@198.51.100.3:5060", office.transport.flow_to("198.51.100.3", 5060))
    office.calls.ringback = target
    call = office.click("200", "201")
    office.run(3)
    assert alice.calls[-1].remote_media == ("198.51.100.3", 20006, "sendrecv")
    office.run(6)
    assert office.record(call).state is CallState.BRIDGED
    assert media_meets(alice, bob)
    assert not tone.live_calls


def test_a_busy_tone_is_heard_before_the_caller_is_hung_up() -> None:

    office, alice, _ = two_phones(far=Behaviour(refuse=486))
    tone = office.add_phone("900", Behaviour(answer_after=0.0))
    target = Target("sip:900@198.51.100.3:5060", office.transport.flow_to("198.51.100.3", 5060))
    office.calls.busy_tone = target
    call = office.click("200", "201")
    office.run(3)
    assert alice.calls[-1].up and tone.live_calls
    office.run(15)
    cause = office.record(call).cause
    assert cause is not None and cause.code == 486
    assert not alice.live_calls and not tone.live_calls
    assert_nothing_left(office)


def test_every_call_ends_in_a_defined_state_on_a_network_that_loses_reorders_and_repeats() -> None:
    results: collections.Counter[str] = collections.Counter()
    for seed in range(30):
        office, alice, bob = two_phones(seed=seed, loss=0.1, reordering=0.05, duplication=0.02)
        call = office.click("200", "201")
        office.run(70)
        if office.record(call).state is CallState.BRIDGED:
            assert media_meets(alice, bob) or office.record(call).media_mismatch
            (alice if seed % 2 else bob).calls[-1].hang_up()
        office.run(200)
        record = office.record(call)
        results[record.state] += 1
        assert record.cause is not None
        assert office.left_over() == {}
    assert results == {CallState.ENDED: 30}


def test_a_call_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    office, alice, bob = two_phones(far=Behaviour(hang_up_after=0.5))
    office.click("200", "201")
    office.run(80)
    gc.collect()
    gc.disable()
    try:
        office.click("200", "201")
        office.run(80)
        office.network.log.clear()
        office.store.units.clear()
        for phone in (alice, bob):
            phone.calls.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()
