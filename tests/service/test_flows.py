"""Each flow of a click-to-call, from the request to the last BYE, on phones in memory."""

from __future__ import annotations

import collections
from typing import Any

import attrs
import pytest

from sipxd import config
from sipxd.call.phones import Refusal
from sipxd.call.record import CallState, Cause, ClickFlow, Side
from sipxd.errors import BadInput
from sipxd.testing.office import Office
from sipxd.testing.phone import AGENT, Behaviour, Phone, PhoneCall

FLOWS = ["offer", "offerless", "refer", "auto"]
REFERRING = ["refer", "auto"]
ALICE, BOB = "198.51.100.1", "198.51.100.2"


def office_with(
    flow: str, near: Behaviour | None = None, far: Behaviour | None = None, **options: Any
) -> tuple[Office, Phone, Phone]:
    office = Office(settings=f'[call]\nflow = "{flow}"\nring_timeout = 20\n', **options)
    return office, office.add_phone("200", near), office.add_phone("201", far)


def talking(phone: Phone) -> PhoneCall:
    """The call that the phone is in."""
    return next(call for call in reversed(phone.calls) if call.up)


def media_meets(one: Phone, other: Phone) -> bool:
    """Whether each phone was told the other's address and port, in both directions."""
    return talking(one).remote_media == (BOB, other._media_port, "sendrecv") and (
        talking(other).remote_media == (ALICE, one._media_port, "sendrecv")
    )


def assert_ended(office: Office, call: str, cause: Cause) -> None:
    """The call has ended so, and nothing of it is left."""
    assert office.record(call).cause == cause
    office.run(70)
    assert office.left_over() == {}
    assert len(office.table.returns) == 0


# -- every flow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", FLOWS)
def test_the_two_talk_and_whoever_hangs_up_ends_the_call(flow: str) -> None:
    for who, side in ((0, Side.NEAR), (1, Side.FAR)):
        office, *phones = office_with(flow)
        call = office.click("200", "201")
        office.run(8)
        record = office.record(call)
        assert record.state is CallState.BRIDGED and not record.media_mismatch
        assert record.flow == ("refer" if flow == "auto" else flow)
        assert record.answered is not None and record.bridged is not None
        assert record.answered < record.bridged
        assert media_meets(*phones)
        talking(phones[who]).hang_up()
        office.run(1)
        assert_ended(office, call, Cause(side.value, side, 200, "Hung up."))


@pytest.mark.parametrize("flow", FLOWS)
def test_a_phone_that_wants_an_offer_gets_one_and_is_remembered(flow: str) -> None:
    office, alice, bob = office_with(flow, near=Behaviour(refuse_offerless=True))
    for attempts in (2, 1):
        before = len(office.requests("INVITE", ALICE))
        call = office.click("200", "201")
        office.run(1.05)
        assert len(office.requests("INVITE", ALICE)) == before + attempts
        office.run(7)
        assert office.record(call).state is CallState.BRIDGED
        assert media_meets(alice, bob)
        talking(bob).hang_up()
        office.run(1)
    assert office.table.phones.refuses(AGENT, Refusal.OFFERLESS)
    assert_ended(office, call, Cause("callee", Side.FAR, 200, "Hung up."))


@pytest.mark.parametrize("flow", REFERRING)
def test_a_held_offer_before_refer_says_sendonly(flow: str) -> None:
    office, _, _ = office_with(flow, near=Behaviour(refuse_offerless=True))
    office.click("200", "201")
    office.run(1)
    _, again = office.requests("INVITE", ALICE)
    assert b"a=sendonly" in again and b"a=inactive" not in again


@pytest.mark.parametrize("flow", FLOWS)
def test_the_user_hangs_up_while_the_destination_rings(flow: str) -> None:
    office, alice, bob = office_with(flow, far=Behaviour(answer_after=None))
    call = office.click("200", "201")
    office.run(3)
    assert bob.live_calls
    alice.calls[-1].hang_up()
    office.run(1)
    assert len(office.requests("CANCEL", BOB)) == 1
    cause = office.record(call).cause
    assert cause is not None and (cause.who, cause.leg) == ("caller", Side.NEAR)
    assert not alice.live_calls and not bob.live_calls
    assert_ended(office, call, cause)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("near", "code"), [(Behaviour(refuse=486), 486), (Behaviour(answer_after=None), 408)]
)
def test_a_user_who_does_not_answer_is_rung_once_and_the_destination_never(
    flow: str, near: Behaviour, code: int
) -> None:
    office, _, bob = office_with(flow, near=near)
    call = office.click("200", "201")
    office.run(25)
    assert len(office.requests("INVITE")) == 1 and not bob.calls
    cause = office.record(call).cause
    assert cause is not None and (cause.who, cause.leg, cause.code) == ("caller", Side.NEAR, code)
    assert_ended(office, call, cause)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("far", "code", "sentence"),
    [
        (Behaviour(refuse=486), 486, "The line is busy."),
        (Behaviour(answer_after=None), 408, "Nobody answered in time."),
        (Behaviour(answer_after=None, late_answer=True), 408, "Nobody answered in time."),
    ],
)
def test_a_destination_that_does_not_answer_is_told_to_the_user(
    flow: str, far: Behaviour, code: int, sentence: str
) -> None:
    office, alice, bob = office_with(flow, far=far)
    call = office.click("200", "201")
    office.run(30)
    assert not alice.live_calls and not bob.live_calls
    byes = office.requests("BYE", ALICE)
    assert any(f"SIP;cause={code}".encode() in bye for bye in byes)
    assert_ended(office, call, Cause("callee", Side.FAR, code, sentence))


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    "moment", [0.0, 0.5, 1.0012, 1.0025, 1.0045, 1.05, 1.1025, 1.106, 1.5, 2.1, 2.105, 2.108, 5]
)
def test_delete_ends_the_call_in_every_phase(flow: str, moment: float) -> None:
    office, alice, bob = office_with(flow)
    call = office.click("200", "201")
    office.run(moment)
    office.now(office.calls.hang_up(call, by="200"))
    office.run(1.5)
    assert not bob.live_calls and not alice.live_calls
    assert_ended(office, call, Cause("api", None, 200, "Ended by 200."))


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("late", [0, 1])
def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up(
    flow: str, late: int
) -> None:
    behaviours = [Behaviour(), Behaviour()]
    behaviours[late] = Behaviour(answer_after=None, late_answer=True)
    office, alice, bob = office_with(flow, *behaviours)
    call = office.click("200", "201")
    office.run(3)
    office.now(office.calls.hang_up(call, by="200"))
    office.run(2)
    assert not alice.live_calls and not bob.live_calls
    host = (ALICE, BOB)[late]
    assert len(office.requests("ACK", host)) >= 1
    assert len(office.requests("BYE", host)) == 1
    assert_ended(office, call, Cause("api", None, 200, "Ended by 200."))


@pytest.mark.parametrize("flow", FLOWS)
def test_every_call_ends_in_a_defined_state_on_a_bad_network(flow: str) -> None:
    results: collections.Counter[str] = collections.Counter()
    for seed in range(12):
        bad: dict[str, Any] = {"loss": 0.1, "reordering": 0.05, "duplication": 0.02}
        office, alice, bob = office_with(flow, seed=seed, **bad)
        call = office.click("200", "201")
        office.run(80)
        if office.record(call).state is CallState.BRIDGED:
            results["bridged"] += 1
            assert media_meets(alice, bob) or office.record(call).media_mismatch
            talking(alice if seed % 2 else bob).hang_up()
        office.run(200)
        assert office.record(call).state is CallState.ENDED
        assert office.left_over() == {}
    assert results["bridged"] >= 8


# -- which flow ------------------------------------------------------------------------------------


def flow_of(office: Office, user: str, asked: str | None = None) -> ClickFlow | None:
    call = office.calls.click_to_call(office.users[user], "201", source="192.0.2.9", flow=asked)
    record = office.now(call)
    office.now(office.calls.hang_up(record.id, by=user))
    office.run(70)
    return record.flow


def test_the_request_goes_before_the_user_and_the_user_before_the_configuration() -> None:
    office, _, _ = office_with("offerless")
    assert flow_of(office, "200") is ClickFlow.OFFERLESS
    office.users["200"] = office.change_user("200", flow="refer")
    assert flow_of(office, "200") is ClickFlow.REFER
    assert flow_of(office, "200", "offer") is ClickFlow.OFFER


def test_the_configuration_knows_every_flow() -> None:
    assert tuple(ClickFlow) == config.FLOWS


def test_an_unknown_flow_is_refused_before_anything_rings() -> None:
    office, _, _ = office_with("offer")
    with pytest.raises(BadInput, match="offer, offerless, refer, auto"):
        flow_of(office, "200", "magic")
    assert office.requests("INVITE") == []


# -- offerless -------------------------------------------------------------------------------------


def test_offerless_asks_the_destination_and_answers_it_in_the_acknowledgement() -> None:
    office, alice, _ = office_with("offerless")
    office.click("200", "201")
    office.run(5)
    (invite,) = office.requests("INVITE", BOB)
    assert b"Content-Length: 0" in invite
    (ack,) = office.requests("ACK", BOB)
    assert f"m=audio {alice._media_port} ".encode() in ack and b"a=inactive" not in ack


def test_offerless_offers_to_a_destination_that_wants_that() -> None:
    office, alice, bob = office_with("offerless", far=Behaviour(refuse_offerless=True))
    for attempts in (2, 1):
        before = len(office.requests("INVITE", BOB))
        call = office.click("200", "201")
        office.run(5)
        assert office.record(call).state is CallState.BRIDGED
        assert media_meets(alice, bob)
        assert len(office.requests("INVITE", BOB)) == before + attempts
        talking(bob).hang_up()
        office.run(1)


def test_offerless_ends_both_where_the_user_refuses_the_destinations_offer() -> None:
    office, alice, bob = office_with("offerless", far=Behaviour(answer_after=3))
    call = office.click("200", "201")
    office.run(3)
    leg = alice.calls[-1]
    leg.machine.answer = lambda sdp: leg.machine.reject(488)  # type: ignore[method-assign]
    office.run(5)
    (ack,) = office.requests("ACK", BOB)
    assert b"a=inactive" in ack
    assert len(office.requests("BYE", BOB)) == len(office.requests("BYE", ALICE)) == 1
    assert not bob.live_calls and not alice.live_calls
    sentence = "The two phones have no media in common."
    del leg.machine.answer
    assert_ended(office, call, Cause("sipxd", Side.NEAR, 488, sentence))


# -- refer -----------------------------------------------------------------------------------------


def test_refer_names_a_one_time_address_of_ours_and_the_user_who_asked() -> None:
    office, _, _ = office_with("refer")
    office.click("200", "201")
    office.run(1.05)
    (refer,) = office.requests("REFER", ALICE)
    head = dict(
        line.split(": ", 1) for line in refer.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    )
    token = head["Refer-To"].removeprefix("<sip:").split("@")[0]
    assert len(token) == 32 and int(token, 16)
    assert head["Refer-To"] == f"<sip:{token}@192.0.2.1:5060>"
    assert head["Referred-By"] == "<sip:200@example.org>"


def test_refer_keeps_one_record_and_always_hangs_up_on_the_first_call() -> None:
    office, alice, _ = office_with("refer")
    call = office.click("200", "201")
    office.run(6)
    assert [live.id for live in office.table.calls.values()] == [call]
    assert alice.calls[0].ended and talking(alice) is alice.calls[1]
    assert len(office.requests("BYE", ALICE)) == 1
    kinds = [unit.event.kind for unit in office.store.units]
    assert kinds == ["call.started", "call.answered", "call.returned", "call.bridged"]


@pytest.mark.parametrize("identity", ["<sip:toto@10.0.0.7>", '"x" <sip:unknown@elsewhere.example>'])
def test_a_phone_without_an_account_comes_back_by_its_token(identity: str) -> None:
    office, alice, bob = office_with("refer", near=Behaviour(identity=identity))
    call = office.click("200", "201")
    office.run(6)
    assert office.record(call).state is CallState.BRIDGED
    assert media_meets(alice, bob)
    (invite,) = office.requests("INVITE", BOB)
    assert b"From: <sip:200@example.org>" in invite  # whose call it is, whatever the phone says
    talking(bob).hang_up()
    office.run(1)
    assert_ended(office, call, Cause("callee", Side.FAR, 200, "Hung up."))


def test_a_token_works_once_and_for_the_phone_that_was_referred_alone() -> None:
    office, _, bob = office_with("refer", near=Behaviour(dial_after=5))
    thief = office.add_phone("203")
    office.click("200", "201")
    office.run(2)
    (refer,) = office.requests("REFER", ALICE)
    token = refer.split(b"Refer-To: <sip:")[1].split(b"@")[0].decode()
    stolen = thief.call(token)
    office.run(2)
    assert stolen.status == 404 and not bob.calls
    office.run(5)
    assert talking(bob)
    again = office.phones[0].call(token)
    office.run(2)
    assert again.status == 404


def test_a_refused_refer_goes_on_as_offer_and_405_is_remembered() -> None:
    for status, remembered in ((405, True), (603, False)):
        office, alice, bob = office_with("refer", near=Behaviour(refer=status))
        for refers in (1, 1 if remembered else 2):
            call = office.click("200", "201")
            office.run(6)
            record = office.record(call)
            assert (record.state, record.flow) == (CallState.BRIDGED, ClickFlow.OFFER)
            assert media_meets(alice, bob)
            assert len(office.requests("REFER")) == refers
            talking(alice).hang_up()
            office.run(1)
        assert office.table.phones.refuses(AGENT, Refusal.REFER) is remembered
        assert_ended(office, call, Cause("caller", Side.NEAR, 200, "Hung up."))


def test_a_phone_that_takes_refer_and_does_nothing_is_given_up() -> None:
    office, alice, _ = office_with("refer", near=Behaviour(dial_after=None))
    call = office.click("200", "201")
    office.run(30)
    assert not alice.live_calls
    sentence = "The user's phone did not make the call that it was asked for."
    assert_ended(office, call, Cause("caller", Side.NEAR, 408, sentence))


def test_a_phone_may_hang_up_on_the_first_call_before_it_dials() -> None:
    near = Behaviour(leave_after_refer=True, dial_after=1)
    office, alice, bob = office_with("refer", near=near)
    call = office.click("200", "201")
    office.run(8)
    assert office.record(call).state is CallState.BRIDGED
    assert media_meets(alice, bob)
    talking(alice).hang_up()
    office.run(1)
    assert_ended(office, call, Cause("caller", Side.NEAR, 200, "Hung up."))


def test_a_user_who_hangs_up_instead_of_dialling_ends_the_call() -> None:
    near = Behaviour(leave_after_refer=True, dial_after=None)
    office, _, bob = office_with("refer", near=near)
    call = office.click("200", "201")
    office.run(8)
    assert not bob.calls
    assert_ended(office, call, Cause("caller", Side.NEAR, 200, "Hung up."))


def test_a_phone_that_comes_back_too_late_is_refused() -> None:
    office, alice, bob = office_with("refer", near=Behaviour(dial_after=20))
    call = office.click("200", "201")
    office.run(30)
    assert alice.calls[-1].status == 404 and not bob.calls
    cause = office.record(call).cause
    assert cause is not None
    assert_ended(office, call, cause)


def test_a_hold_of_the_first_call_before_dialling_is_answered() -> None:
    office, alice, bob = office_with("refer", near=Behaviour(dial_after=1), far=Behaviour())
    call = office.click("200", "201")
    office.run(1.5)
    alice.calls[0].hold()
    office.run(8)
    assert office.record(call).state is CallState.BRIDGED
    assert media_meets(alice, bob)


def test_the_returned_call_can_be_held_and_transferred_like_any_other() -> None:
    office, alice, bob = office_with("refer")
    carol = office.add_phone("202")
    call = office.click("200", "201")
    office.run(6)
    talking(alice).hold()
    office.run(1)
    held = talking(bob).remote_media
    assert held is not None and held[2] == "sendonly"
    talking(alice).resume()
    office.run(1)
    assert media_meets(alice, bob)
    talking(alice).transfer("202")
    office.run(6)
    assert talking(carol) and talking(bob)
    assert office.record(call).state is CallState.BRIDGED
    talking(bob).hang_up()
    office.run(1)
    cause = office.record(call).cause
    assert cause is not None and cause.code == 200
    assert_ended(office, call, cause)


# -- refer beside a PBX ----------------------------------------------------------------------------


def beside_a_pbx(
    near: Behaviour, far: Behaviour | None = None, flow: str = "refer"
) -> tuple[Office, Phone, Phone]:
    """The phones are known to us, but their calls are not ours to carry."""
    office, alice, bob = office_with(flow, near, far)
    sip = attrs.evolve(office.config.sip, registrar=False)
    office.calls._config = attrs.evolve(office.config, sip=sip)
    return office, alice, bob


def test_auto_beside_a_pbx_is_offer() -> None:
    office, alice, bob = beside_a_pbx(Behaviour(), flow="auto")
    call = office.click("200", "201")
    office.run(6)
    assert office.record(call).flow is ClickFlow.OFFER
    assert office.requests("REFER") == [] and media_meets(alice, bob)


def test_beside_a_pbx_the_phone_is_referred_to_the_number_and_the_record_follows_it() -> None:
    office, alice, bob = beside_a_pbx(Behaviour())
    call = office.click("200", "201")
    office.run(6)
    (refer,) = office.requests("REFER", ALICE)
    assert b"Refer-To: <sip:201@example.org>" in refer
    record = office.record(call)
    assert record.state is CallState.ENDED and record.bridged is not None
    sentence = "The user's phone has called the number by itself."
    assert record.cause == Cause("sipxd", None, 200, sentence)
    assert alice.calls[0].ended and talking(alice) is alice.calls[1] and talking(bob)


def test_beside_a_pbx_a_busy_number_is_told_by_the_phone() -> None:
    office, alice, _ = beside_a_pbx(Behaviour(), Behaviour(refuse=486))
    call = office.click("200", "201")
    office.run(6)
    cause = Cause("callee", Side.FAR, 486, "The line is busy.")
    assert office.record(call).cause == cause
    assert not alice.live_calls


def test_beside_a_pbx_a_phone_that_tells_nothing_is_given_up() -> None:
    office, alice, _ = beside_a_pbx(Behaviour(dial_after=None))
    call = office.click("200", "201")
    office.run(60)
    assert office.record(call).state is CallState.CALLEE
    office.run(60)
    assert not alice.live_calls
    sentence = "The user's phone does not tell what became of the call."
    assert_ended(office, call, Cause("caller", Side.NEAR, 408, sentence))
