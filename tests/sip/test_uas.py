"""Incoming legs: ringing, answering, refusing, and the caller who gives up."""

from __future__ import annotations

import pytest
from legkit import FLOW, Peer, invite, local, of, one, request_of, sdp, status_of, uas, up_uas

from sipxd.sip.dialog import DialogError
from sipxd.sip.leg import (
    Ended,
    Gone,
    OfferFailed,
    Output,
    Progress,
    Relay,
    Relayed,
    SendRequest,
    SendResponse,
    StartTimer,
    StopTimer,
    Up,
    Updated,
)
from sipxd.sip.message import Response
from sipxd.sip.sdp import MAX_MEDIA, parse
from sipxd.sip.uas import MAXIMUM_EARLY_DIALOGS, UasLeg
from sipxd.sip.usage import LegState


def response(outputs: list[Output]) -> Response:
    return one(outputs, SendResponse).response


def test_ringing_is_passed_on_with_our_contact() -> None:
    ringing = response(uas(sdp()).ring(Progress(180), "b1"))
    assert (ringing.status, ringing.body) == (180, b"")
    assert ringing.to_tag
    assert ringing.get("Contact") == "<sip:leg1@192.0.2.1:5060>"


def test_each_branch_has_its_own_to_tag_and_keeps_it() -> None:
    leg = uas(sdp(4000))
    one_tag = response(leg.ring(Progress(183, sdp(5000)), "b1")).to_tag
    two_tag = response(leg.ring(Progress(183, sdp(5002)), "b2")).to_tag
    assert one_tag != two_tag
    assert response(leg.ring(Progress(180), "b1")).to_tag == one_tag
    assert response(leg.accept(sdp(5002), "b2")).to_tag == two_tag
    assert leg.dialog is not None
    assert leg.dialog.local_tag == two_tag


def test_the_number_of_to_tags_is_bounded() -> None:
    leg = uas(sdp())
    tags = {response(leg.ring(Progress(180), f"b{n}")).to_tag for n in range(50)}
    assert len(tags) == MAXIMUM_EARLY_DIALOGS


def test_a_preview_is_no_answer_and_the_answer_follows_in_the_200() -> None:
    leg = uas(sdp(4000))
    early = response(leg.ring(Progress(183, sdp(5000)), "b1"))
    assert early.sdp is not None
    out = leg.accept(sdp(5000), "b1")
    assert response(out).sdp == early.sdp
    assert leg.state is LegState.UP


def test_the_200_is_repeated_until_it_is_acknowledged() -> None:
    leg = uas(sdp(4000))
    out = leg.accept(sdp(5000), "b1")
    ok = one(out, SendResponse)
    assert StartTimer("2xx", 0.5) in out
    assert StartTimer("ack", 32.0) in out
    intervals = []
    for _ in range(5):
        out = leg.timer("2xx")
        assert one(out, SendResponse) is not None
        assert one(out, SendResponse).response is ok.response
        intervals.append(one(out, StartTimer).seconds)
    assert intervals == [1.0, 2.0, 4.0, 4.0, 4.0]
    out = Peer(leg).acknowledge(ok.response)
    assert out == [StopTimer("2xx"), StopTimer("ack"), Up()]
    assert leg.timer("2xx") == []
    assert leg.timer("ack") == []


def test_a_200_that_is_never_acknowledged_ends_in_bye() -> None:
    leg = uas(sdp(4000))
    leg.accept(sdp(5000), "b1")
    out = leg.timer("ack")
    assert request_of(out, "BYE")
    assert one(out, Ended).status == 408
    assert leg.timer("2xx") == []


def test_an_ack_says_that_the_caller_is_there_once() -> None:
    leg = uas(sdp(4000))
    ok = response(leg.accept(sdp(5000), "b1"))
    peer = Peer(leg)
    assert of(peer.acknowledge(ok), Up)
    assert peer.acknowledge(ok) == []


def test_an_ack_that_belongs_to_nothing_says_nothing() -> None:
    leg = uas(sdp(4000))
    peer = Peer(leg)
    assert leg.receive_ack(peer.request("ACK", cseq=1)) == []
    ok = response(leg.accept(sdp(5000), "b1"))
    assert leg.receive_ack(peer.request("ACK", cseq=9)) == []
    assert of(peer.acknowledge(ok), Up)


def test_an_ack_after_a_refusal_says_nothing() -> None:
    leg = uas(sdp(4000))
    leg.refuse(486)
    assert leg.receive_ack(Peer(leg).request("ACK", cseq=1)) == []


def test_an_invite_without_sdp_is_answered_with_an_offer() -> None:
    leg = uas()
    ok = response(leg.accept(sdp(5000), "b1"))
    assert ok.sdp is not None
    out = Peer(leg).acknowledge(ok, sdp(4000))
    assert [type(o) for o in out] == [StopTimer, StopTimer, Up, Updated]
    assert one(out, Updated) == Updated(sdp(4000))


@pytest.mark.parametrize("body", [b"", sdp(0), b"nonsense"])
def test_an_ack_without_the_answer_that_was_due_is_told(body: bytes) -> None:
    leg = uas()
    ok = response(leg.accept(sdp(5000), "b1"))
    assert one(Peer(leg).acknowledge(ok, body), OfferFailed) == OfferFailed(488)


def test_an_offer_that_cannot_be_read_is_noticed() -> None:
    assert not uas(b"nonsense").readable
    assert uas().readable


def test_an_invite_that_makes_no_dialog_is_an_error() -> None:
    request = invite(headers=[("Record-Route", "nonsense")])
    with pytest.raises(DialogError):
        UasLeg(local(), "invite", request, FLOW)


def test_an_answer_that_cannot_be_shown_refuses_the_call() -> None:
    leg = uas(sdp(4000))
    many = b"v=0\r\n" + b"m=video 4000 RTP/AVP 31\r\n" * MAX_MEDIA
    assert response(leg.ring(Progress(183, many), "b1")).body == b""
    out = leg.accept(many, "b1")
    assert status_of(out) == 488
    assert one(out, Ended).status == 488
    assert out[-1] == Gone()


def test_cancel_is_answered_487_and_told() -> None:
    leg = uas(sdp())
    leg.ring(Progress(180), "b1")
    out = leg.cancelled()
    assert status_of(out) == 487
    assert one(out, Ended).by_peer
    assert out[-1] == Gone()
    assert leg.cancelled() == []


def test_cancel_after_the_answer_is_nothing() -> None:
    leg, _ = up_uas()
    assert leg.cancelled() == []


def test_a_bye_may_come_before_the_answer() -> None:
    leg = uas(sdp())
    leg.ring(Progress(180), "b1")
    out = Peer(leg).send("BYE")
    assert [(r.key, r.response.status) for r in of(out, SendResponse)] == [
        ("in-1", 200),
        ("invite", 487),
    ]
    assert out[-1] == Gone()


def test_a_refusal_ends_the_leg() -> None:
    leg = uas(sdp())
    out = leg.refuse(486, "Busy", [("Reason", "x")])
    assert (response(out).status, response(out).reason) == (486, "Busy")
    assert response(out).get("Reason") == "x"
    assert out[-1] == Gone()
    assert leg.refuse(486) == []
    assert leg.accept(sdp(), "b1") == []
    assert leg.ring(Progress(180), "b1") == []


def test_hanging_up_before_the_answer_is_a_refusal() -> None:
    assert status_of(uas(sdp()).hang_up()) == 480


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    leg = uas(sdp())
    ok = response(leg.accept(sdp(5000), "b1"))
    assert not of(leg.hang_up((("Reason", "x"),)), SendRequest)
    assert leg.hang_up() == []
    assert one(leg.timer("2xx"), SendResponse)
    out = Peer(leg).acknowledge(ok)
    assert request_of(out, "BYE").request.get("Reason") == "x"
    assert not of(out, Up)


def test_hanging_up_before_an_ack_that_never_comes() -> None:
    leg = uas(sdp())
    leg.accept(sdp(5000), "b1")
    leg.hang_up((("Reason", "x"),))
    bye = request_of(leg.timer("ack"), "BYE")
    assert bye.request.get("Reason") == "x"
    assert leg.request_failed(bye.key, 408)[-1] == Gone()


def test_the_caller_hanging_up_while_our_bye_waits_for_his_ack() -> None:
    leg = uas(sdp())
    leg.accept(sdp(5000), "b1")
    leg.hang_up()
    out = Peer(leg).send("BYE")
    assert status_of(out) == 200
    assert out[-1] == Gone()


def test_requests_match_any_early_dialog_before_the_answer_and_one_after_it() -> None:
    leg = uas(sdp())
    peer = Peer(leg)
    leg.ring(Progress(180), "b1")
    first = peer.request("BYE")
    leg.ring(Progress(180), "b2")
    assert leg.matches(first)
    leg.accept(sdp(5000), "b2")
    assert not leg.matches(first)
    assert leg.matches(peer.request("BYE"))


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [("INVITE", sdp(), 500), ("UPDATE", sdp(), 500), ("UPDATE", b"", 200), ("OPTIONS", b"", 200)],
)
def test_requests_in_an_early_dialog_do_not_end_it(method: str, body: bytes, status: int) -> None:
    leg = uas(sdp())
    leg.ring(Progress(180), "b1")
    out = Peer(leg).send(method, body)
    assert status_of(out) == status
    assert not of(out, StartTimer)
    assert response(out).get("Retry-After") is not None or status == 200
    assert status_of(leg.accept(sdp(5000), "b1")) == 200


def test_the_sequence_of_early_requests_counts_in_the_dialog() -> None:
    leg = uas(sdp())
    leg.ring(Progress(180), "b1")
    peer = Peer(leg)
    peer.send("OPTIONS", cseq=50)
    peer.acknowledge(response(leg.accept(sdp(5000), "b1")))
    assert status_of(peer.send("OPTIONS", cseq=50)) == 500


def test_an_early_info_is_relayed_and_gets_487_where_the_call_ends_first() -> None:
    leg = uas(sdp())
    leg.ring(Progress(180), "b1")
    info = one(Peer(leg).send("INFO", key="in-7"), Relay)
    out = leg.refuse(486)
    assert [(r.key, r.response.status) for r in of(out, SendResponse)] == [
        ("invite", 486),
        ("in-7", 487),
    ]
    assert leg.respond(info.request, "in-7", Relayed("in-7", 200)) == []


def test_the_answer_settles_the_session_timer() -> None:
    leg = uas(sdp(), headers=[("Supported", "timer"), ("Session-Expires", "600;refresher=uac")])
    out = leg.accept(sdp(5000), "b1")
    assert response(out).get("Session-Expires") == "600;refresher=uac"
    assert response(out).get("Require") == "timer"
    assert StartTimer("expire", 568.0) in out


def test_the_answer_is_ours_to_begin_with() -> None:
    leg = uas(sdp(4000))
    body = response(leg.accept(sdp(5000), "b1")).sdp
    assert body is not None
    assert parse(body).origin != parse(sdp(5000)).origin
