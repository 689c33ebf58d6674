"""Requests in an established dialog, from both sides, until its end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from legkit import (
    DTLS,
    Peer,
    ack_of,
    local,
    of,
    one,
    reply,
    request_of,
    sdp,
    status_of,
    up_uac,
    up_uas,
)

from sipxd.sip.dialog_usage import BYE_AGAIN
from sipxd.sip.leg import (
    Answered,
    Ended,
    Gone,
    Offered,
    OfferFailed,
    Output,
    Relay,
    Relayed,
    SendAck,
    SendCancel,
    SendRequest,
    SendResponse,
    StartTimer,
    StopTimer,
    Updated,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import with_direction
from sipxd.sip.message import Response
from sipxd.sip.peer_requests import MAXIMUM_RELAYS
from sipxd.sip.sdp import MAX_MEDIA, Direction, parse
from sipxd.sip.usage import MAXIMUM_COLLISIONS, InviteUsage, LegState

HOLD = sdp(4000, "sendonly")


def response(outputs: list[Output]) -> Response:
    return one(outputs, SendResponse).response


def offered(leg: InviteUsage, body: bytes = HOLD) -> SendRequest:
    return request_of(leg.offer(body), "INVITE")


# -- re-INVITE of the peer ---------------------------------------------------------------------


def test_an_offer_of_the_peer_is_told_and_answered_when_the_answer_comes() -> None:
    leg, peer = up_uac()
    assert peer.send("INVITE", HOLD) == [Offered(HOLD)]
    out = leg.answer(sdp(5000, "recvonly"))
    ok = response(out)
    assert ok.sdp is not None
    assert str(parse(ok.sdp).direction(0)) == "recvonly"
    assert peer.acknowledge(ok) == [StopTimer("2xx"), StopTimer("ack")]


def test_an_offer_is_refused_and_the_dialog_goes_on() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", HOLD)
    assert status_of(leg.reject(488)) == 488
    assert leg.media.last_heard == sdp(4000)
    assert peer.send("INVITE", HOLD) == [Offered(HOLD)]


def test_a_refusal_below_400_makes_no_sense_and_becomes_488() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", HOLD)
    assert status_of(leg.reject(302)) == 488


def test_an_answer_that_cannot_be_shown_refuses_the_offer() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", HOLD)
    many = b"v=0\r\n" + b"m=video 4000 RTP/AVP 31\r\n" * MAX_MEDIA
    assert status_of(leg.answer(many)) == 488


def test_an_offer_that_cannot_be_read_is_488() -> None:
    leg, peer = up_uac()
    assert status_of(peer.send("INVITE", b"nonsense")) == 488
    assert status_of(peer.send("UPDATE", b"nonsense")) == 488
    assert offered(leg)


def test_a_re_invite_that_says_nothing_new_is_answered_here() -> None:
    leg, peer = up_uac()
    before = leg.media.last_sent
    ok = response(peer.send("INVITE", sdp(4000)))
    assert (ok.status, ok.sdp) == (200, before)


def test_the_repeated_hold_of_a_peer_gets_an_answer_that_fits() -> None:
    leg, peer = up_uac()
    sent = offered(leg, sdp(5000))
    leg.receive_response(sent.key, reply(sent.request, 200, HOLD))
    ok = response(peer.send("INVITE", HOLD))
    assert ok.sdp is not None
    assert str(parse(ok.sdp).direction(0)) == "recvonly"


def test_a_re_invite_without_sdp_is_answered_with_what_the_peer_has() -> None:
    leg, peer = up_uac()
    ok = response(peer.send("INVITE"))
    assert ok.sdp == leg.media.last_sent
    out = peer.acknowledge(ok, sdp(4002))
    assert one(out, Updated) == Updated(sdp(4002))


@pytest.mark.parametrize("body", [b"", sdp(0)])
def test_a_re_invite_without_sdp_whose_ack_has_none_changes_nothing(body: bytes) -> None:
    leg, peer = up_uac()
    before = leg.media.last_sent
    out = peer.acknowledge(response(peer.send("INVITE")), body)
    assert one(out, OfferFailed) == OfferFailed(488)
    assert leg.media.last_sent == before
    assert offered(leg)


def test_a_re_invite_without_sdp_during_back_off_leaves_our_offer_waiting() -> None:
    leg, peer = up_uac()
    sent = offered(leg)
    leg.receive_response(sent.key, reply(sent.request, 491))
    ok = response(peer.send("INVITE"))
    peer.acknowledge(ok, sdp(4000))
    again = request_of(leg.timer("glare"), "INVITE")
    assert again.request.sdp == sent.request.sdp


def test_a_second_re_invite_before_the_first_is_answered_is_500() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", HOLD)
    out = peer.send("INVITE", sdp(4004), key="in-2")
    assert status_of(out) == 500
    assert 0 <= int(response(out).get("Retry-After") or "") <= 10
    assert status_of(leg.answer(sdp(5000))) == 200


def test_a_re_invite_is_held_back_while_our_offer_is_open() -> None:
    leg, peer = up_uac()
    sent = offered(leg, sdp(5002))
    assert not of(peer.send("INVITE", HOLD), SendResponse)
    assert status_of(peer.send("INVITE", HOLD, key="in-2")) == 500
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    assert [type(o) for o in of(out, (SendAck, Answered, Offered))] == [  # type: ignore[arg-type]
        SendAck,
        Answered,
        Offered,
    ]
    answer = one(leg.answer(sdp(5002)), SendResponse)
    assert (answer.key, answer.response.status) == ("in-1", 200)


def test_the_peers_offer_goes_first_after_a_collision() -> None:
    leg, peer = up_uac()
    sent = offered(leg, sdp(5002))
    peer.send("INVITE", HOLD)
    out = leg.receive_response(sent.key, reply(sent.request, 491))
    assert one(out, Offered) == Offered(HOLD)
    assert one(out, StartTimer).name == "glare"
    ok = response(leg.answer(sdp(5000)))
    assert leg.timer("glare") == []
    body = request_of(peer.acknowledge(ok), "INVITE").request.sdp
    assert body is not None
    assert parse(body).media[0].port == 5002


@pytest.mark.parametrize(("up", "seconds"), [(up_uac, 4.0), (up_uas, 2.0)])
def test_two_sides_that_hold_each_other_back_go_on(up: Any, seconds: float) -> None:
    leg, peer = up()
    sent = offered(leg, sdp(5002))
    assert one(peer.send("INVITE", HOLD), StartTimer) == StartTimer("held", seconds)
    assert status_of(leg.timer("held")) == 491
    assert leg.timer("held") == []
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    assert of(out, Answered)


def test_a_re_invite_is_held_back_while_our_2xx_waits_for_its_ack() -> None:
    _, peer = up_uac()
    ok = response(peer.send("INVITE", sdp(4000)))
    assert peer.send("INVITE", HOLD, key="in-2") == []
    assert one(peer.acknowledge(ok), Offered) == Offered(HOLD)


def test_our_offer_waits_while_our_2xx_waits_for_its_ack() -> None:
    leg, peer = up_uac()
    ok = response(peer.send("INVITE", sdp(4000)))
    assert leg.offer(sdp(5002)) == []
    assert request_of(peer.acknowledge(ok), "INVITE").request.sdp


def test_a_cancelled_re_invite_is_487_and_changes_nothing() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", HOLD)
    assert status_of(leg.request_cancelled("in-1")) == 487
    assert leg.answer(sdp(5000)) == []
    assert leg.media.last_heard == sdp(4000)
    assert leg.request_cancelled("in-1") == []
    offered(leg)
    peer.send("INVITE", HOLD, key="in-2")
    assert status_of(leg.request_cancelled("in-2")) == 487


def test_an_interval_below_the_minimum_is_422() -> None:
    _, peer = up_uac()
    short = [("Supported", "timer"), ("Session-Expires", "60")]
    for method in ("INVITE", "UPDATE"):
        out = peer.send(method, HOLD, headers=short)
        assert (status_of(out), response(out).get("Min-SE")) == (422, "90")


def test_an_offer_that_cannot_be_held_is_refused_and_the_call_goes_on() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", DTLS)
    assert status_of(leg.answer_held()) == 488
    assert leg.state is LegState.UP


def test_a_target_refresh_is_followed() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", sdp(4000), contact="sip:moved@198.51.100.9")
    assert request_of(leg.relay("k", "INFO", (), b""), "INFO").request.uri == (
        "sip:moved@198.51.100.9"
    )


# -- UPDATE of the peer ------------------------------------------------------------------------


def test_an_update_without_sdp_is_a_refresh() -> None:
    leg, peer = up_uac()
    out = peer.send("UPDATE", headers=[("Supported", "timer"), ("Session-Expires", "600")])
    assert (status_of(out), response(out).body) == (200, b"")
    assert StartTimer("expire", 568.0) in out
    assert leg.timer("expire")[-1] == Ended(False, 408, "The session was not refreshed in time.")


def test_an_update_with_sdp_is_told_and_answered_without_ack() -> None:
    leg, peer = up_uac()
    assert peer.send("UPDATE", HOLD) == [Offered(HOLD, update=True)]
    out = leg.answer(sdp(5000))
    assert status_of(out) == 200
    assert not [t for t in of(out, StartTimer) if t.name in ("2xx", "ack")]
    assert offered(leg)


def test_an_update_that_says_nothing_new_is_answered_here() -> None:
    leg, peer = up_uac()
    assert response(peer.send("UPDATE", sdp(4000))).sdp == leg.media.last_sent


@pytest.mark.parametrize("body", [HOLD, sdp(4000)])
def test_an_update_that_meets_our_offer_is_491(body: bytes) -> None:
    leg, peer = up_uac()
    offered(leg)
    assert status_of(peer.send("UPDATE", body)) == 491
    assert status_of(peer.send("UPDATE", key="in-2")) == 200


@pytest.mark.parametrize("first", ["INVITE", "UPDATE"])
def test_an_update_that_meets_the_peers_own_open_offer_is_500(first: str) -> None:
    _, peer = up_uac()
    peer.send(first, HOLD)
    out = peer.send("UPDATE", sdp(4004), key="in-2")
    assert status_of(out) == 500
    assert response(out).get("Retry-After") is not None


# -- other requests of the peer ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
def test_info_and_message_are_relayed_and_answered_once(method: str) -> None:
    leg, peer = up_uac()
    relay = one(peer.send(method, key="in-5"), Relay)
    assert relay.request.method == method
    relayed = Relayed("in-5", 200, (("Content-Type", "text/plain"),), b"x")
    out = leg.respond(relay.request, "in-5", relayed)
    assert (status_of(out), response(out).body) == (200, b"x")
    assert leg.respond(relay.request, "in-5", relayed) == []


def test_relayed_requests_that_wait_are_bounded() -> None:
    _, peer = up_uac()
    out: list[Output] = []
    for n in range(MAXIMUM_RELAYS + 1):
        out += peer.send("INFO", key=f"in-{n}")
    assert len(of(out, Relay)) == MAXIMUM_RELAYS
    assert status_of(out) == 500


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 200), ("SUBSCRIBE", 489), ("NOTIFY", 489), ("REFER", 400), ("FOO", 405)],
)
def test_what_is_not_relayed_is_answered_here(method: str, status: int) -> None:
    _, peer = up_uac()
    assert status_of(peer.send(method)) == status


def test_requests_out_of_order_are_500_and_gaps_are_fine() -> None:
    _, peer = up_uac()
    assert status_of(peer.send("OPTIONS", cseq=10)) == 200
    assert status_of(peer.send("OPTIONS", cseq=10)) == 500
    assert status_of(peer.send("OPTIONS", cseq=9)) == 500
    assert status_of(peer.send("OPTIONS", cseq=20)) == 200


def test_a_callees_first_request_may_be_numbered_zero() -> None:
    _, peer = up_uac()
    assert status_of(peer.send("OPTIONS", cseq=0)) == 200


# -- our offers --------------------------------------------------------------------------------


def test_an_offer_of_ours_is_answered() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006)))
    assert ack_of(out).cseq == (sent.request.cseq[0], "ACK")
    assert one(out, Answered) == Answered(sdp(4006), HOLD)
    again = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006)))
    assert again == [SendAck(ack_of(out))]


UPDATES = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")


def test_an_offer_goes_by_update_where_that_is_wished_and_allowed() -> None:
    leg, peer = up_uac()
    peer.send("OPTIONS", headers=[UPDATES])
    sent = request_of(leg.offer(HOLD, update=True), "UPDATE")
    assert b"a=sendonly" in sent.request.body
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006)))
    assert one(out, Answered) == Answered(sdp(4006), HOLD)
    assert of(out, SendAck) == []


def test_an_offer_goes_by_re_invite_where_update_is_not_allowed() -> None:
    leg, peer = up_uac()
    peer.send("OPTIONS", headers=[("Allow", "INVITE, ACK, BYE, CANCEL")])
    request_of(leg.offer(HOLD, update=True), "INVITE")


@pytest.mark.parametrize("status", [405, 501])
def test_an_offer_whose_update_is_unknown_after_all_goes_by_re_invite(status: int) -> None:
    leg, peer = up_uac()
    peer.send("OPTIONS", headers=[UPDATES])
    sent = request_of(leg.offer(HOLD, update=True), "UPDATE")
    out = leg.receive_response(sent.key, reply(sent.request, status))
    again = request_of(out, "INVITE")
    out = leg.receive_response(again.key, reply(again.request, 200, sdp(4006)))
    assert one(out, Answered) == Answered(sdp(4006), HOLD)


def test_an_offer_by_update_that_collides_is_tried_again() -> None:
    leg, peer = up_uac()
    peer.send("OPTIONS", headers=[UPDATES])
    sent = request_of(leg.offer(HOLD, update=True), "UPDATE")
    out = leg.receive_response(sent.key, reply(sent.request, 491))
    assert one(out, StartTimer).name == "glare"
    request_of(leg.timer("glare"), "UPDATE")


def test_the_ack_of_the_invite_before_is_repeated_too() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006)))
    first = leg.receive_response("invite-1", reply(sent.request, 200, sdp(4000)))
    assert ack_of(first).cseq == (1, "ACK")


def test_a_newer_offer_replaces_the_one_that_waits() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    assert leg.offer(sdp(5002)) == []
    assert leg.offer(sdp(5004)) == []
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    body = request_of(out, "INVITE").request.sdp
    assert body is not None
    assert parse(body).media[0].port == 5004


def test_an_offer_that_waits_can_be_withdrawn() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    leg.offer(sdp(5002))
    leg.withdraw()
    assert not of(leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000))), SendRequest)


def test_a_refused_offer_is_told_and_what_held_before_holds_on() -> None:
    leg, peer = up_uac()
    before = leg.media.last_sent
    sent = offered(leg, sdp(5002))
    out = leg.receive_response(sent.key, reply(sent.request, 488))
    assert out == [OfferFailed(488, sdp(5002))]
    assert response(peer.send("INVITE")).sdp == before


@pytest.mark.parametrize("body", [b"", sdp(0), b"nonsense"])
def test_a_2xx_without_a_usable_answer_is_a_failed_offer(body: bytes) -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 200, body))
    assert ack_of(out)
    assert one(out, OfferFailed) == OfferFailed(488, HOLD)


def test_an_offer_that_cannot_be_shown_fails_without_a_message() -> None:
    leg, _ = up_uac()
    many = b"v=0\r\n" + b"m=video 4000 RTP/AVP 31\r\n" * MAX_MEDIA
    assert leg.offer(many) == [OfferFailed(488, many)]
    assert leg.offer(b"nonsense") == [OfferFailed(488, b"nonsense")]
    assert offered(leg)


def test_asking_for_an_offer_and_answering_it_in_the_ack() -> None:
    leg, _ = up_uac()
    sent = request_of(leg.ask_offer(), "INVITE")
    assert sent.request.body == b""
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006)))
    assert one(out, Offered) == Offered(sdp(4006))
    assert not of(out, SendAck)
    assert leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006))) == []
    ack = ack_of(leg.answer(sdp(5000)))
    assert ack.cseq == (sent.request.cseq[0], "ACK")
    assert ack.sdp is not None


def test_rejecting_the_offer_of_a_2xx_answers_it_without_media() -> None:
    leg, _ = up_uac()
    sent = request_of(leg.ask_offer(), "INVITE")
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4006)))
    ack = ack_of(leg.reject(488))
    assert ack.sdp is not None
    assert str(parse(ack.sdp).direction(0)) == "inactive"


@pytest.mark.parametrize("body", [b"", b"nonsense"])
def test_asking_for_an_offer_and_getting_none(body: bytes) -> None:
    leg, _ = up_uac()
    sent = request_of(leg.ask_offer(), "INVITE")
    out = leg.receive_response(sent.key, reply(sent.request, 200, body))
    assert ack_of(out).body == b""
    assert one(out, OfferFailed) == OfferFailed(488)
    assert offered(leg)


@pytest.mark.parametrize(
    ("up", "low", "high"), [(up_uac, 2.1, 4.0), (up_uas, 0.0, 2.0)]
)  # fmt: skip
def test_491_is_tried_again_after_a_while(up: Any, low: float, high: float) -> None:
    leg, _ = up()
    sent = offered(leg)
    timer = one(leg.receive_response(sent.key, reply(sent.request, 491)), StartTimer)
    assert timer.name == "glare"
    assert low <= timer.seconds <= high
    again = request_of(leg.timer("glare"), "INVITE")
    assert again.request.sdp == sent.request.sdp
    assert again.request.cseq[0] == sent.request.cseq[0] + 1


@pytest.mark.parametrize(("after", "low"), [("5", 5.0), ("3600", 10.0), ("x", 5.0), ("0", 0.0)])
def test_500_with_retry_after_is_tried_again_then(after: str, low: float) -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 500, headers=[("Retry-After", after)]))
    assert low <= one(out, StartTimer).seconds <= low + 0.5


def test_500_without_retry_after_is_a_refusal() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    assert leg.receive_response(sent.key, reply(sent.request, 500)) == [OfferFailed(500, HOLD)]


def test_collisions_without_end_are_a_refusal() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    for _ in range(MAXIMUM_COLLISIONS):
        leg.receive_response(sent.key, reply(sent.request, 491))
        sent = request_of(leg.timer("glare"), "INVITE")
    out = leg.receive_response(sent.key, reply(sent.request, 491))
    assert out == [OfferFailed(491, HOLD)]
    assert offered(leg)


def test_422_is_tried_again_with_a_longer_interval() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 422, headers=[("Min-SE", "3600")]))
    again = request_of(out, "INVITE")
    assert (again.request.get("Session-Expires") or "").startswith("3600")
    assert again.request.sdp == sent.request.sdp


@pytest.mark.parametrize("status", [481, 408])
def test_481_and_408_end_the_leg(status: int) -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    out = leg.receive_response(sent.key, reply(sent.request, status))
    assert request_of(out, "BYE")
    assert one(out, Ended).status == status


@pytest.mark.parametrize("status", [408, 503])
def test_a_request_without_response_ends_the_leg(status: int) -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    out = leg.request_failed(sent.key, status)
    assert request_of(out, "BYE")
    assert one(out, Ended).status == status


# -- relaying to the peer ----------------------------------------------------------------------


def test_a_relayed_request_gets_its_response_back() -> None:
    leg, _ = up_uac()
    sent = request_of(leg.relay("a>1", "INFO", (("Content-Type", "x/y"),), b"x"), "INFO")
    assert (sent.key, sent.request.body) == ("a>1", b"x")
    assert leg.receive_response("a>1", reply(sent.request, 100)) == []
    out = leg.receive_response("a>1", reply(sent.request, 415, headers=[("Accept", "x/z")]))
    assert out == [Relayed("a>1", 415, (("Accept", "x/z"),))]
    assert leg.receive_response("a>1", reply(sent.request, 415)) == []


def test_a_relayed_request_that_nobody_answers_ends_the_leg() -> None:
    leg, _ = up_uac()
    leg.relay("a>1", "INFO", (), b"")
    out = leg.request_failed("a>1", 408)
    assert one(out, Relayed) == Relayed("a>1", 408)
    assert one(out, Ended)


def test_relaying_into_a_leg_that_is_not_up_is_answered_at_once() -> None:
    leg, _ = up_uac()
    leg.hang_up()
    assert leg.relay("a>1", "INFO", (), b"") == [Relayed("a>1", 480)]


# -- session timers ----------------------------------------------------------------------------

THEIRS = [("Session-Expires", "600;refresher=uas"), ("Require", "timer")]
OURS = [("Session-Expires", "600;refresher=uac")]


def test_a_peer_without_session_timers_is_refreshed_by_re_invite() -> None:
    leg, _ = up_uac()
    out = leg.timer("refresh")
    sent = request_of(out, "INVITE")
    assert sent.request.sdp == leg.media.last_sent
    ok = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    assert not of(ok, Answered)
    assert not of(ok, Updated)
    assert StartTimer("refresh", 900.0) in ok


def test_a_refresh_whose_answer_is_new_is_told() -> None:
    leg, _ = up_uac()
    sent = request_of(leg.timer("refresh"), "INVITE")
    ok = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4008)))
    assert one(ok, Updated) == Updated(sdp(4008))


def test_a_refresh_that_fails_is_tried_again_in_silence() -> None:
    leg, _ = up_uac()
    out = leg.timer("refresh")
    assert one(out, StartTimer).name == "refresh"
    sent = request_of(out, "INVITE")
    assert leg.receive_response(sent.key, reply(sent.request, 488)) == []
    assert request_of(leg.timer("refresh"), "INVITE")


def test_a_refresh_never_takes_the_place_of_an_offer_that_waits() -> None:
    leg, _ = up_uac()
    sent = offered(leg)
    leg.receive_response(sent.key, reply(sent.request, 491))
    assert not of(leg.timer("refresh"), SendRequest)
    assert request_of(leg.timer("glare"), "INVITE").request.sdp == sent.request.sdp


def test_a_refresh_that_had_to_wait_says_what_holds_by_then() -> None:
    leg, peer = up_uac()
    sent = request_of(leg.timer("refresh"), "INVITE")
    leg.receive_response(sent.key, reply(sent.request, 491))
    peer.send("INVITE", HOLD)
    ok = response(leg.answer(sdp(5000)))
    peer.acknowledge(ok)
    assert request_of(leg.timer("glare"), "INVITE").request.sdp == ok.sdp


def test_update_refreshes_where_the_peer_knows_it() -> None:
    leg, _ = up_uac(allow="INVITE, ACK, BYE, UPDATE", headers=OURS)
    sent = request_of(leg.timer("refresh"), "UPDATE")
    assert sent.request.body == b""
    assert sent.request.get("Session-Expires") == "600;refresher=uac"
    assert not of(leg.timer("refresh"), SendRequest)
    ok = leg.receive_response(sent.key, reply(sent.request, 200, headers=OURS))
    assert StartTimer("refresh", 300.0) in ok


def test_a_peer_that_refuses_update_after_all_gets_a_re_invite() -> None:
    leg, _ = up_uac(allow="INVITE, UPDATE")
    sent = request_of(leg.timer("refresh"), "UPDATE")
    out = leg.receive_response(sent.key, reply(sent.request, 501))
    assert request_of(out, "INVITE")


@pytest.mark.parametrize("how", ["481", "none"])
def test_a_refresh_finds_out_that_the_peer_is_gone(how: str) -> None:
    leg, _ = up_uac(allow="INVITE, UPDATE")
    sent = request_of(leg.timer("refresh"), "UPDATE")
    if how == "none":
        out = leg.request_failed(sent.key, 408)
    else:
        out = leg.receive_response(sent.key, reply(sent.request, 481))
    assert request_of(out, "BYE")
    assert one(out, Ended)


def test_a_session_whose_refreshes_are_all_refused_ends_when_it_is_due() -> None:
    leg, _ = up_uac(allow="INVITE, UPDATE", headers=OURS)
    out = leg.timer("refresh")
    assert StartTimer("expire", 300.0) in out
    sent = request_of(out, "UPDATE")
    assert leg.receive_response(sent.key, reply(sent.request, 500)) == []
    out = leg.timer("expire")
    assert request_of(out, "BYE")
    assert one(out, Ended).status == 408


def test_a_peer_that_does_not_refresh_is_hung_up() -> None:
    leg, _ = up_uac(headers=THEIRS)
    out = leg.timer("expire")
    assert request_of(out, "BYE")
    assert one(out, Ended).status == 408


def test_an_expired_session_waits_for_the_ack_before_its_bye() -> None:
    leg, peer = up_uac(headers=THEIRS)
    ok = response(peer.send("INVITE", sdp(4000)))
    out = leg.timer("expire")
    assert one(out, Ended)
    assert not of(out, SendRequest)
    assert request_of(peer.acknowledge(ok), "BYE")


# -- the end -----------------------------------------------------------------------------------


def test_hanging_up_says_bye_with_its_reason_and_stops_the_timers() -> None:
    leg, _ = up_uac()
    out = leg.hang_up((("Reason", "x"),))
    bye = request_of(out, "BYE")
    assert bye.request.get("Reason") == "x"
    assert {t.name for t in of(out, StopTimer)} >= {"glare", "refresh", "expire", "held"}
    assert leg.receive_response(bye.key, reply(bye.request, 200))[-1] == Gone()


@pytest.mark.parametrize("status", [200, 401, 481, 500])
def test_whatever_answers_the_bye_the_leg_is_gone(status: int) -> None:
    leg, _ = up_uac()
    bye = request_of(leg.hang_up(), "BYE")
    assert leg.receive_response(bye.key, reply(bye.request, 100)) == []
    assert leg.receive_response(bye.key, reply(bye.request, status))[-1] == Gone()
    assert leg.receive_response(bye.key, reply(bye.request, status)) == []


def test_a_bye_that_finds_no_way_is_sent_again_for_a_while() -> None:
    leg, _ = up_uac()
    bye = request_of(leg.hang_up((("Reason", "x"),)), "BYE")
    waits = []
    for _ in range(BYE_AGAIN):
        (wait,) = leg.request_failed(bye.key, 503)
        assert isinstance(wait, StartTimer)
        waits.append(wait.seconds)
        again = request_of(leg.timer(wait.name), "BYE")
        assert again.request.get("Reason") == "x"
        assert again.request.cseq[0] == bye.request.cseq[0] + 1
        bye = again
    assert waits == [1, 2, 4, 8]
    assert leg.request_failed(bye.key, 503)[-1] == Gone()


def test_a_bye_of_the_peer_ends_the_waiting_for_a_way() -> None:
    leg, peer = up_uac()
    bye = request_of(leg.hang_up(), "BYE")
    leg.request_failed(bye.key, 503)
    out = peer.send("BYE")
    assert status_of(out) == 200 and out[-1] == Gone()
    assert leg.timer("bye") == []


def test_a_bye_is_answered_and_told() -> None:
    leg, peer = up_uac()
    out = peer.send("BYE", headers=[("Reason", "x" * 500)])
    assert status_of(out) == 200
    assert one(out, Ended) == Ended(True, 200, "x" * 200)
    assert out[-1] == Gone()
    assert status_of(peer.send("BYE", key="in-2")) == 481
    assert leg.hang_up() == []


def test_requests_that_wait_get_487_when_the_peer_hangs_up() -> None:
    leg, peer = up_uac()
    offered(leg)
    peer.send("INVITE", HOLD, key="held")
    peer.send("INFO", key="info")
    out = peer.send("BYE", key="bye")
    assert [(r.key, r.response.status) for r in of(out, SendResponse)] == [
        ("bye", 200),
        ("held", 487),
        ("info", 487),
    ]


def test_requests_that_wait_get_487_when_we_hang_up() -> None:
    leg, peer = up_uac()
    peer.send("INVITE", HOLD, key="offer")
    out = leg.hang_up()
    assert status_of(out) == 487
    assert leg.answer(sdp(5000)) == []
    assert leg.reject(488) == []


def test_requests_of_the_far_side_are_answered_when_the_leg_is_gone() -> None:
    leg, peer = up_uac()
    leg.relay("a>1", "INFO", (), b"")
    assert one(peer.send("BYE"), Relayed) == Relayed("a>1", 487)


def test_byes_that_cross_are_both_answered() -> None:
    leg, peer = up_uac()
    bye = request_of(leg.hang_up(), "BYE")
    out = peer.send("BYE")
    assert [type(o) for o in out] == [SendResponse]
    assert leg.receive_response(bye.key, reply(bye.request, 481))[-1] == Gone()


def test_a_request_that_crosses_our_bye_is_481() -> None:
    leg, peer = up_uac()
    leg.hang_up()
    assert status_of(peer.send("INVITE", HOLD)) == 481


@pytest.mark.parametrize("ask", [True, False])
def test_a_200_to_our_re_invite_that_crosses_the_end_is_acknowledged(ask: bool) -> None:
    leg, peer = up_uac()
    sent = request_of(leg.ask_offer() if ask else leg.offer(HOLD), "INVITE")
    out = peer.send("BYE")
    assert one(out, SendCancel).key == sent.key
    late = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000)))
    assert [type(o) for o in late] == [SendAck]
    assert (ack_of(late).sdp is not None) is ask
    assert leg.receive_response(sent.key, reply(sent.request, 200, sdp(4000))) == late


def test_nothing_is_told_of_our_requests_after_the_end() -> None:
    leg, _ = up_uac(allow="INVITE, UPDATE")
    sent = offered(leg)
    update = request_of(leg.timer("refresh"), "UPDATE")
    leg.hang_up()
    assert leg.receive_response(sent.key, reply(sent.request, 491)) == []
    assert leg.receive_response(update.key, reply(update.request, 200)) == []
    for name in ("2xx", "ack", "glare", "held", "refresh", "expire", "x"):
        assert leg.timer(name) == []


# -- the leg as a value ------------------------------------------------------------------------


def restored(leg: InviteUsage) -> tuple[InviteUsage, list[Output]]:
    plain = json.loads(json.dumps(leg.to_plain()))
    here = local(2)
    other = InviteUsage(here, LegMedia(here.address, here.random))
    return other, other.restore(plain)


@pytest.mark.parametrize("up", [up_uac, up_uas])
def test_a_restored_leg_goes_on_where_the_dialog_was(up: Any) -> None:
    leg, _ = up()
    other, timers = restored(leg)
    assert StartTimer("refresh", 900.0) in timers
    new = with_direction(parse(sdp(5000)), Direction.SENDONLY).encode()
    here, there = (offered(one_leg, new).request for one_leg in (leg, other))
    assert there == here
    here, there = (request_of(one_leg.hang_up(), "BYE").request for one_leg in (leg, other))
    assert there == here


def test_a_restored_leg_keeps_order_identity_and_what_it_heard() -> None:
    leg, peer = up_uac(headers=[("Record-Route", "<sip:p1;lr>")])
    peer.send("OPTIONS", cseq=500)
    other, _ = restored(leg)
    assert other.dialog == leg.dialog
    assert other.peer_agent == "phone/1"
    assert other.media.last_heard == sdp(4000)
    again = Peer(other, cseq=499)
    assert other.matches(again.request("INFO", cseq=1))
    assert status_of(again.send("OPTIONS")) == 500
    assert response(again.send("INVITE", sdp(4000))).sdp == leg.media.last_sent


def test_only_a_leg_that_is_up_is_a_value() -> None:
    leg, _ = up_uac()
    leg.hang_up()
    assert leg.to_plain() is None
