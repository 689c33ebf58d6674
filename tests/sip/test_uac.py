"""Outgoing legs: INVITE, its responses, CANCEL, and 2xx that nobody wants."""

from __future__ import annotations

import pytest
from legkit import (
    DTLS,
    Peer,
    ack_of,
    answered,
    authorizer,
    challenge,
    is_right,
    of,
    one,
    reply,
    request_of,
    sdp,
    uac,
)

from sipxd.sip.credentials import MAXIMUM_REPEATS
from sipxd.sip.leg import (
    Answered,
    Ended,
    Gone,
    Offered,
    Output,
    Progress,
    Refused,
    SendAck,
    SendCancel,
    SendRequest,
    StartTimer,
    Up,
)
from sipxd.sip.message import Header
from sipxd.sip.sdp import MAX_MEDIA, parse
from sipxd.sip.session_timer import MAXIMUM_RAISES
from sipxd.sip.uac import MAXIMUM_STRAYS, UacLeg
from sipxd.sip.usage import LegState

WHY: tuple[Header, ...] = (("Reason", "SIP;cause=200"),)


def rung(leg: UacLeg, body: bytes | None = None) -> SendRequest:
    return request_of(leg.start(body), "INVITE")


def test_the_invite_says_who_calls_whom_and_what_we_can() -> None:
    invite = rung(uac(), sdp(5000)).request
    assert invite.uri == "sip:200@198.51.100.1:5060"
    assert invite.to_tag is None
    assert invite.from_tag
    assert invite.cseq == (1, "INVITE")
    assert invite.get("Supported") == "timer, replaces, norefersub, 100rel"
    assert invite.get("Session-Expires") == "1800"
    assert invite.sdp is not None
    assert parse(invite.sdp).origin is not None


def test_routes_lead_the_invite() -> None:
    leg = uac(routes=("<sip:p1;lr>", "<sip:p2;lr>"))
    assert rung(leg).request.values("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]


def test_a_2xx_with_an_answer_is_acknowledged_and_the_leg_is_up() -> None:
    leg = uac()
    out = answered(leg)
    assert ack_of(out).cseq == (1, "ACK")
    assert ack_of(out).body == b""
    assert one(out, Up)
    assert one(out, Answered) == Answered(sdp(4000))
    assert leg.state is LegState.UP
    assert leg.peer_agent == "phone/1"


def test_a_2xx_with_an_offer_waits_for_our_answer() -> None:
    leg = uac()
    sent = rung(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    assert not of(out, SendAck)
    assert one(out, Offered) == Offered(sdp(4000))
    assert leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000))) == []
    ack = ack_of(leg.answer(sdp(5000)))
    assert ack.sdp is not None
    assert parse(ack.sdp).media[0].port == 5000
    again = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    assert again == [SendAck(ack)]


def test_a_held_answer_is_inactive_with_a_port() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    ack = ack_of(leg.answer_held())
    assert ack.sdp is not None
    held = parse(ack.sdp)
    assert (str(held.direction(0)), held.media[0].port) == ("inactive", 9)


def test_an_offer_that_cannot_be_held_gets_ack_with_a_refusal_and_bye() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 200, DTLS))
    out = leg.answer_held()
    ack = ack_of(out)
    assert ack.sdp is not None
    assert parse(ack.sdp).media[0].port == 0
    assert request_of(out, "BYE")
    assert one(out, Ended).status == 488


def test_hanging_up_while_the_2xx_waits_for_its_answer() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    out = leg.hang_up(WHY)
    assert [type(o) for o in out if isinstance(o, (SendAck, SendRequest))] == [SendAck, SendRequest]
    assert ack_of(out).sdp is not None
    assert request_of(out, "BYE").request.get("Reason") == "SIP;cause=200"


def test_the_peer_hanging_up_while_its_2xx_waits_for_the_answer() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    out = Peer(leg).send("BYE")
    assert ack_of(out).sdp is not None
    assert one(out, Ended).by_peer
    assert leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000))) == [
        SendAck(ack_of(out))
    ]


@pytest.mark.parametrize("body", [b"", b"nonsense"])
def test_an_invite_without_sdp_that_gets_none_back_is_hung_up(body: bytes) -> None:
    leg = uac()
    sent = rung(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 200, body))
    assert ack_of(out).body == b""
    assert request_of(out, "BYE")
    assert one(out, Refused).status == 488
    assert not of(out, Up)


@pytest.mark.parametrize("body", [b"", b"nonsense", sdp(0)])
def test_an_answer_without_media_is_a_failed_call(body: bytes) -> None:
    leg = uac()
    sent = rung(leg, sdp(5000))
    out = leg.receive_response(sent.key, reply(sent.request, 200, body))
    assert ack_of(out)
    assert request_of(out, "BYE")
    assert one(out, Refused).status == 488


def test_progress_is_told_but_not_100() -> None:
    leg = uac()
    sent = rung(leg, sdp(5000))
    assert leg.receive_response(sent.key, reply(sent.request, 100)) == []
    assert leg.receive_response(sent.key, reply(sent.request, 180)) == [Progress(180)]


def test_an_early_answer_counts_where_the_2xx_of_the_same_branch_has_none() -> None:
    leg = uac()
    sent = rung(leg, sdp(5000))
    early = leg.receive_response(sent.key, reply(sent.request, 183, sdp(4002)))
    assert early == [Progress(183, sdp(4002), "peer")]
    out = leg.receive_response(sent.key, reply(sent.request, 200))
    assert one(out, Answered) == Answered(sdp(4002))


def test_an_early_answer_of_another_branch_does_not_count() -> None:
    leg = uac()
    sent = rung(leg, sdp(5000))
    leg.receive_response(sent.key, reply(sent.request, 183, sdp(4002), tag="one"))
    out = leg.receive_response(sent.key, reply(sent.request, 200, tag="two"))
    assert one(out, Refused).status == 488


def test_an_offer_in_an_unreliable_response_is_not_looked_at() -> None:
    leg = uac()
    sent = rung(leg)
    assert leg.receive_response(sent.key, reply(sent.request, 183, sdp())) == [Progress(183)]


def test_a_refusal_is_told_with_the_phone_that_refused() -> None:
    leg = uac()
    sent = rung(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 486))
    assert out == [Refused(486, "Busy Here", "phone/1"), Gone()]
    assert leg.receive_response(sent.key, reply(sent.request, 486)) == []


@pytest.mark.parametrize("status", [408, 503])
def test_no_answer_at_all_is_a_refusal(status: int) -> None:
    leg = uac()
    sent = rung(leg)
    out = leg.request_failed(sent.key, status)
    assert one(out, Refused).status == status
    assert out[-1] == Gone()


# -- CANCEL ------------------------------------------------------------------------------------


def test_cancel_waits_for_a_provisional_response() -> None:
    leg = uac()
    sent = rung(leg)
    assert leg.cancel(WHY) == []
    out = leg.receive_response(sent.key, reply(sent.request, 100))
    assert out == [SendCancel(sent.key, WHY)]
    assert leg.receive_response(sent.key, reply(sent.request, 180)) == []


def test_cancel_goes_out_at_once_after_one_and_only_once() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 180))
    assert leg.hang_up(WHY) == [SendCancel(sent.key, WHY)]
    assert leg.hang_up(WHY) == []
    out = leg.receive_response(sent.key, reply(sent.request, 487))
    assert [type(o) for o in out] == [Refused, Gone]


def test_cancel_before_the_invite_means_no_invite() -> None:
    leg = uac()
    assert [type(o) for o in leg.cancel()] == [Refused, Gone]
    assert leg.start(sdp()) == []
    assert leg.start_held() == []


@pytest.mark.parametrize("offerless", [True, False])
def test_a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up(offerless: bool) -> None:
    leg = uac()
    sent = rung(leg, None if offerless else sdp(5000))
    leg.receive_response(sent.key, reply(sent.request, 180))
    leg.cancel(WHY)
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    ack = ack_of(out)
    assert (ack.sdp is not None) is offerless
    bye = request_of(out, "BYE")
    assert bye.request.get("Reason") == "SIP;cause=200"
    assert not of(out, Up)
    assert one(out, Refused).status == 487
    assert leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000))) == [SendAck(ack)]
    assert leg.receive_response(bye.key, reply(bye.request, 200))[-1] == Gone()


@pytest.mark.parametrize("offerless", [True, False])
def test_a_200_after_the_end_is_acknowledged_and_hung_up(offerless: bool) -> None:
    leg = uac()
    sent = rung(leg, None if offerless else sdp(5000))
    leg.request_failed(sent.key, 408)
    late = reply(sent.request, 200, sdp(4000))
    out = leg.receive_response(sent.key, late)
    assert (ack_of(out).sdp is not None) is offerless
    assert request_of(out, "BYE").request.cseq == (2, "BYE")
    assert leg.receive_response(sent.key, late) == [SendAck(ack_of(out))]


def test_a_cancelled_invite_is_not_tried_again() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 100))
    leg.cancel()
    assert (
        one(
            leg.receive_response(sent.key, reply(sent.request, 401, headers=[challenge()])), Refused
        ).status
        == 401
    )


# -- forks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("offerless", [True, False])
def test_a_2xx_of_another_branch_is_dismissed(offerless: bool) -> None:
    leg = uac()
    sent = rung(leg, None if offerless else sdp(5000))
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000), tag="one"))
    other = reply(sent.request, 200, sdp(4002), tag="two", contact="sip:two@198.51.100.2")
    out = leg.receive_response(sent.key, other)
    ack, bye = ack_of(out), request_of(out, "BYE")
    assert (ack.uri, ack.to_tag) == ("sip:two@198.51.100.2", "two")
    assert (ack.sdp is not None) is offerless
    assert (bye.request.to_tag, bye.request.cseq) == ("two", (2, "BYE"))
    assert leg.receive_response(sent.key, other) == [SendAck(ack)]
    assert leg.receive_response(bye.key, reply(bye.request, 200)) == []
    assert leg.request_failed(bye.key, 408) == []
    assert leg.state is LegState.UP


def test_a_fork_into_very_many_is_acknowledged_with_bounded_effort() -> None:
    leg = uac()
    sent = rung(leg, sdp(5000))
    out: list[Output] = []
    for n in range(MAXIMUM_STRAYS + 5):
        out += leg.receive_response(sent.key, reply(sent.request, 200, sdp(), tag=f"t{n}"))
    assert len(of(out, SendAck)) == MAXIMUM_STRAYS + 5
    assert len(of(out, SendRequest)) == MAXIMUM_STRAYS


@pytest.mark.parametrize(
    "wrong",
    [{"contact": None}, {"contact": "tel:1"}, {"headers": [("Record-Route", "nonsense")]}],
)
def test_a_2xx_that_makes_no_dialog_is_acknowledged_and_hung_up_all_the_same(
    wrong: dict[str, object],
) -> None:
    leg = uac()
    sent = rung(leg)
    response = reply(sent.request, 200, sdp(), **wrong)  # type: ignore[arg-type]
    out = leg.receive_response(sent.key, response)
    assert ack_of(out).sdp is not None
    assert request_of(out, "BYE")
    assert one(out, Refused).status == 502
    assert out[-1] == Gone()
    assert leg.receive_response(sent.key, response) == [SendAck(ack_of(out))]


# -- trying again ------------------------------------------------------------------------------


def test_422_is_tried_again_with_the_interval_it_names() -> None:
    leg = uac(session_expires=90)
    sent = rung(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 422, headers=[("Min-SE", "600")]))
    again = request_of(out, "INVITE")
    assert again.request.cseq == (2, "INVITE")
    assert again.request.get("Session-Expires") == "600"
    assert again.request.get("Min-SE") == "600"
    assert again.request.from_tag == sent.request.from_tag
    ok = leg.receive_response(again.key, reply(again.request, 200, sdp()))
    assert of(ok, StartTimer) == [StartTimer("refresh", 300.0)]


@pytest.mark.parametrize("minimum", ["90", "99999", "x"])
def test_422_that_names_nothing_better_is_a_refusal(minimum: str) -> None:
    leg = uac(session_expires=90)
    sent = rung(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 422, headers=[("Min-SE", minimum)]))
    assert one(out, Refused).status == 422


def test_a_challenge_is_answered_once() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    challenged = reply(sent.request, 407, headers=[challenge(proxy=True)])
    again = request_of(leg.receive_response(sent.key, challenged), "INVITE")
    assert is_right(again.request, "Proxy-Authorization")
    assert again.request.cseq == (2, "INVITE")
    challenged = reply(again.request, 407, headers=[challenge("n2", proxy=True)])
    refused = one(leg.receive_response(again.key, challenged), Refused)
    assert (refused.status, refused.reason) == (
        407,
        'The peer refused our password for realm "pbx"',
    )


def test_a_proxy_and_the_peer_behind_it_may_both_ask() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    for header in (challenge("p1", proxy=True), challenge("w1")):
        status = 407 if header[0].startswith("Proxy") else 401
        answer = reply(sent.request, status, headers=[header])
        sent = request_of(leg.receive_response(sent.key, answer), "INVITE")
    assert is_right(sent.request, "Proxy-Authorization")
    assert is_right(sent.request, "Authorization")
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp()))
    ack = one(leg.answer(sdp(5000)), SendAck).request
    assert one(out, Offered)
    for name in ("Authorization", "Proxy-Authorization"):
        assert ack.get_all(name) == sent.request.get_all(name)


def test_who_challenges_for_ever_is_answered_a_few_times() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    for n in range(MAXIMUM_REPEATS):
        stale = challenge(f"n{n}", more=', qop="auth", stale=true')
        out = leg.receive_response(sent.key, reply(sent.request, 401, headers=[stale]))
        sent = request_of(out, "INVITE")
    stale = challenge("last", more=', qop="auth", stale=true')
    out = leg.receive_response(sent.key, reply(sent.request, 401, headers=[stale]))
    assert one(out, Refused).status == 401


@pytest.mark.parametrize("with_account", [True, False])
def test_a_challenge_of_somebody_else_ends_the_leg_and_says_why(with_account: bool) -> None:
    leg = uac(authorizer=authorizer() if with_account else None)
    sent = rung(leg)
    foreign = reply(sent.request, 401, headers=[challenge(realm="else\\where")])
    refused = one(leg.receive_response(sent.key, foreign), Refused)
    assert refused.reason == (
        'The peer asked for the password of realm "elsewhere", which is not ours to give'
    )


def test_a_challenge_nobody_can_answer_is_a_refusal() -> None:
    leg = uac()
    sent = rung(leg)
    assert (
        one(
            leg.receive_response(sent.key, reply(sent.request, 401, headers=[challenge()])), Refused
        ).status
        == 401
    )


def test_a_422_after_a_challenge_is_tried_again_with_the_credentials_that_are_known() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    challenged = reply(sent.request, 401, headers=[challenge()])
    sent = request_of(leg.receive_response(sent.key, challenged), "INVITE")
    too_small = reply(sent.request, 422, headers=[("Min-SE", "3600")])
    sent = request_of(leg.receive_response(sent.key, too_small), "INVITE")
    assert "nc=00000002" in (sent.request.get("Authorization") or "")
    challenged = reply(sent.request, 401, headers=[challenge("n2")])
    sent = request_of(leg.receive_response(sent.key, challenged), "INVITE")
    assert sent.request.cseq == (4, "INVITE")
    assert is_right(sent.request)


def test_a_422_that_always_asks_for_more_is_followed_a_few_times() -> None:
    leg = uac(session_expires=90)
    sent = rung(leg)
    refused: list[Refused] = []
    for n in range(20):
        too_small = reply(sent.request, 422, headers=[("Min-SE", str(100 + n))])
        out = leg.receive_response(sent.key, too_small)
        refused = of(out, Refused)
        if refused:
            break
        sent = request_of(out, "INVITE")
    assert refused[0].status == 422
    assert sent.request.cseq[0] == MAXIMUM_RAISES + 1


def test_cancel_waits_for_a_provisional_response_of_the_second_invite() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 100))
    again = request_of(
        leg.receive_response(sent.key, reply(sent.request, 401, headers=[challenge()])), "INVITE"
    )
    assert leg.cancel() == []
    out = leg.receive_response(again.key, reply(again.request, 180))
    assert out == [SendCancel(again.key, ())]


# -- offers ------------------------------------------------------------------------------------


def test_a_held_invite_offers_common_codecs_without_media() -> None:
    sent = request_of(uac().start_held(), "INVITE")
    assert sent.request.sdp is not None
    offer = parse(sent.request.sdp)
    assert (offer.media[0].port, str(offer.direction(0))) == (9, "inactive")


def test_an_offer_that_cannot_be_shown_is_refused_at_once() -> None:
    out = uac().start(b"v=0\r\n" + b"m=audio 4000 RTP/AVP 0\r\n" * (MAX_MEDIA + 1))
    assert one(out, Refused).status == 488
    assert out[-1] == Gone()


def test_the_invite_goes_out_once() -> None:
    leg = uac()
    rung(leg)
    assert leg.start(sdp()) == []


def test_responses_to_what_was_never_sent_are_nothing() -> None:
    leg = uac()
    sent = rung(leg)
    assert leg.receive_response("bye-9", reply(sent.request, 200)) == []
    assert leg.request_failed("reinvite-9", 408) == []
    assert leg.timer("cancelled") == []
