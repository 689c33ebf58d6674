"""Challenges to what a leg sends within its dialog."""

from __future__ import annotations

import pytest
from legkit import (
    FLOW,
    Peer,
    answered,
    authorizer,
    challenge,
    invite,
    is_right,
    local,
    of,
    one,
    reply,
    request_of,
    sdp,
    uac,
)

from sipxd.sip.leg import (
    Answered,
    Gone,
    OfferFailed,
    Output,
    ReferOutcome,
    Relayed,
    SendAck,
    SendRequest,
    SendResponse,
)
from sipxd.sip.uas import UasLeg
from sipxd.sip.usage import InviteUsage, LegState

ALLOW = "INVITE, ACK, BYE, UPDATE"


def up(kind: str) -> InviteUsage:
    """A leg that is up, with an account."""
    if kind == "outgoing":
        outgoing = uac(authorizer=authorizer())
        answered(outgoing, allow=ALLOW)
        return outgoing
    request = invite(sdp(4000), headers=[("Allow", ALLOW)])
    incoming = UasLeg(local(), "invite", request, FLOW, authorizer())
    out = incoming.accept(sdp(5000), "b1")
    Peer(incoming).acknowledge(one(out, SendResponse).response)
    return incoming


@pytest.fixture(params=["outgoing", "incoming"])
def leg(request: pytest.FixtureRequest) -> InviteUsage:
    return up(request.param)


def ask(
    leg: InviteUsage, sent: SendRequest, nonce: str = "n1", *, proxy: bool = False
) -> list[Output]:
    """The request is challenged."""
    status = 407 if proxy else 401
    refusal = reply(sent.request, status, headers=[challenge(nonce, proxy=proxy)])
    return leg.receive_response(sent.key, refusal)


def repeated(leg: InviteUsage, out: list[Output], method: str) -> SendRequest:
    """The request goes out, is challenged, and goes out once more."""
    first = request_of(out, method)
    again = request_of(ask(leg, first), method)
    assert again.request.cseq[0] == first.request.cseq[0] + 1
    assert again.request.body == first.request.body
    assert again.request.call_id == first.request.call_id
    assert is_right(again.request)
    return again


def test_a_bye_answers_its_challenge(leg: InviteUsage) -> None:
    bye = repeated(leg, leg.hang_up((("Reason", "x"),)), "BYE")
    assert bye.request.get("Reason") == "x"
    assert leg.receive_response(bye.key, reply(bye.request, 200))[-1] == Gone()


def test_a_bye_that_is_refused_again_ends_the_leg_all_the_same(leg: InviteUsage) -> None:
    bye = repeated(leg, leg.hang_up(), "BYE")
    assert ask(leg, bye, "n2")[-1] == Gone()


def test_an_offer_stays_open_while_it_is_challenged(leg: InviteUsage) -> None:
    again = repeated(leg, leg.offer(sdp(5002)), "INVITE")
    assert leg.offer(sdp(5004)) == []  # waits its turn
    out = leg.receive_response(again.key, reply(again.request, 200, sdp(4002)))
    ack = one(out, SendAck).request
    assert ack.cseq[0] == again.request.cseq[0]
    assert ack.get("Authorization") == again.request.get("Authorization")
    assert one(out, Answered).offered == sdp(5002)
    # The next one comes with credentials at once.
    assert is_right(request_of(out, "INVITE").request)


def test_an_offer_whose_challenge_nobody_can_answer_has_failed() -> None:
    leg = uac()
    answered(leg)
    sent = request_of(leg.offer(sdp(5002)), "INVITE")
    assert one(ask(leg, sent), OfferFailed).status == 403
    assert leg.state is LegState.UP


def test_an_offer_by_update_and_a_refresh_answer_their_challenges(leg: InviteUsage) -> None:
    again = repeated(leg, leg.offer(sdp(5002), update=True), "UPDATE")
    out = leg.receive_response(again.key, reply(again.request, 200, sdp(4000)))
    assert one(out, Answered)
    refresh = request_of(leg.timer("refresh"), "UPDATE")
    assert is_right(refresh.request)
    assert request_of(ask(leg, refresh, "n2"), "UPDATE")


@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
def test_relayed_requests_answer_their_challenges(leg: InviteUsage, method: str) -> None:
    again = repeated(leg, leg.relay("far>1", method, (("Content-Type", "a/b"),), b"x"), method)
    assert again.request.get("Content-Type") == "a/b"
    out = leg.receive_response(again.key, reply(again.request, 200))
    assert one(out, Relayed).status == 200


def test_a_challenge_is_not_shown_to_the_far_side() -> None:
    leg = uac()
    answered(leg)
    sent = request_of(leg.relay("far>1", "INFO", (), b""), "INFO")
    relayed = one(ask(leg, sent, proxy=True), Relayed)
    assert (relayed.status, relayed.headers) == (403, ())


def test_a_refer_answers_its_challenge_and_is_known_by_its_new_number(leg: InviteUsage) -> None:
    again = repeated(leg, leg.refer("sip:300@pbx"), "REFER")
    accepted = leg.receive_response(again.key, reply(again.request, 202))
    assert not one(accepted, ReferOutcome).final
    told = Peer(leg).send(
        "NOTIFY",
        b"SIP/2.0 200 OK",
        headers=[
            ("Event", f"refer;id={again.request.cseq[0]}"),
            ("Content-Type", "message/sipfrag"),
        ],
    )
    assert one(told, SendResponse).response.status == 200


def test_the_bye_for_a_2xx_that_nobody_wants_answers_its_challenge() -> None:
    leg = uac(authorizer=authorizer())
    sent = request_of(leg.start(sdp(5000)), "INVITE")
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000), tag="one"))
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000), tag="two"))
    bye = request_of(out, "BYE")
    again = request_of(ask(leg, bye), "BYE")
    assert (again.request.to_tag, again.request.cseq) == ("two", (3, "BYE"))
    assert is_right(again.request)
    assert ask(leg, again, "n2") == []
    assert leg.state is LegState.UP


def test_a_reinvite_is_not_sent_again_once_the_leg_has_ended(leg: InviteUsage) -> None:
    sent = request_of(leg.offer(sdp(5002)), "INVITE")
    request_of(leg.hang_up(), "BYE")
    assert not of(ask(leg, sent), SendRequest)
