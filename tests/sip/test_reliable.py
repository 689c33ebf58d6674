"""Reliable provisional responses and early dialogs, in both roles (RFC 3262, RFC 3311)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest
from legkit import (
    FLOW,
    PEER_CONTACT,
    Peer,
    ack_of,
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
    status_of,
    uac,
    uas,
)

from sipxd.sip.dialog_usage import SUPPORTED
from sipxd.sip.leg import (
    Answered,
    Ended,
    Gone,
    Output,
    Progress,
    Refused,
    Relay,
    SendRequest,
    SendResponse,
    StartTimer,
    StopTimer,
    Updated,
)
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.sdp import parse
from sipxd.sip.uac import UacLeg
from sipxd.sip.uas import UasLeg
from sipxd.sip.usage import LegState

UPDATES: Header = ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE")


def port(body: bytes | None) -> int:
    assert body is not None
    return parse(body).media[0].port


# -- we call -----------------------------------------------------------------------------------


def rung(leg: UacLeg, body: bytes | None = None) -> SendRequest:
    return request_of(leg.start(sdp(5000) if body is None else body), "INVITE")


def reliable(
    sent: SendRequest, number: int, body: bytes = b"", status: int = 183, **more: object
) -> Response:
    """The peer's reliable provisional response."""
    marks: tuple[Header, ...] = (("Require", "100rel"), ("RSeq", str(number)), UPDATES)
    return reply(sent.request, status, body, headers=marks, **more)  # type: ignore[arg-type]


def early_request(
    sent: SendRequest, method: str, body: bytes = b"", *, cseq: int = 1, tag: str = "peer"
) -> Request:
    """A request of the peer before it answers."""
    extra: list[Header] = [("Content-Type", "application/sdp")] if body else []
    return Request(
        method,
        "sip:leg1@192.0.2.1:5060",
        headers=[
            ("Via", f"SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKe{cseq}"),
            ("From", f"{sent.request.get('To')};tag={tag}"),
            ("To", sent.request.require("From")),
            ("Call-ID", sent.request.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{PEER_CONTACT}>"),
            *extra,
        ],
        body=body,
    )


def settled(leg: UacLeg) -> SendRequest:
    """The leg's INVITE has been answered in a reliable 183."""
    sent = rung(leg)
    out = leg.receive_response(sent.key, reliable(sent, 7, sdp(4000)))
    prack = request_of(out, "PRACK")
    leg.receive_response(prack.key, reply(prack.request, 200))
    return sent


def test_only_an_invite_with_an_offer_advertises_reliable_responses() -> None:
    assert "100rel" in (rung(uac()).request.get("Supported") or "")
    assert request_of(uac().start(None), "INVITE").request.get("Supported") == SUPPORTED


def test_a_reliable_response_gets_a_prack_in_its_early_dialog() -> None:
    leg = uac()
    sent = rung(leg)
    out = leg.receive_response(sent.key, reliable(sent, 7, status=180))
    prack = request_of(out, "PRACK").request
    assert prack.get("RAck") == "7 1 INVITE"
    assert (prack.cseq, prack.to_tag, prack.uri) == ((2, "PRACK"), "peer", PEER_CONTACT)
    assert out[-1] == Progress(180)


def test_reliable_responses_are_taken_once_and_in_their_order() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reliable(sent, 7))
    assert leg.receive_response(sent.key, reliable(sent, 7)) == []
    assert leg.receive_response(sent.key, reliable(sent, 9)) == []
    out = leg.receive_response(sent.key, reliable(sent, 8))
    assert request_of(out, "PRACK").request.cseq == (3, "PRACK")


@pytest.mark.parametrize("number", ["", "0", "x", "-1", "4294967296"])
def test_a_broken_number_makes_a_response_unreliable(number: str) -> None:
    leg = uac()
    sent = rung(leg)
    marks = [("Require", "100rel"), ("RSeq", number)]
    out = leg.receive_response(sent.key, reply(sent.request, 180, headers=marks))
    assert out == [Progress(180)]


def test_an_answer_in_a_reliable_response_is_the_answer() -> None:
    leg = uac()
    sent = rung(leg)
    out = leg.receive_response(sent.key, reliable(sent, 7, sdp(4000)))
    assert out[-1] == Progress(183, sdp(4000), "peer")
    out = leg.receive_response(sent.key, reply(sent.request, 200))
    assert one(out, Answered) == Answered(sdp(4000))
    assert ack_of(out).cseq == (1, "ACK")
    assert leg.receive_response(sent.key, reply(sent.request, 200)) == [out[0]]


def test_what_a_2xx_says_after_a_reliable_answer_is_not_looked_at() -> None:
    leg = uac()
    sent = settled(leg)
    out = leg.receive_response(sent.key, reply(sent.request, 200, sdp(4444)))
    assert one(out, Answered) == Answered(sdp(4000))


def test_requests_after_the_2xx_are_numbered_on_from_the_prack() -> None:
    leg = uac()
    sent = settled(leg)
    leg.receive_response(sent.key, reply(sent.request, 200))
    assert request_of(leg.hang_up(), "BYE").request.cseq == (3, "BYE")


def test_the_bye_for_another_fork_is_numbered_on_from_its_prack() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reliable(sent, 7, sdp(4000), tag="one"))
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4002), tag="two"))
    out = leg.receive_response(sent.key, reply(sent.request, 200, tag="one"))
    assert request_of(out, "BYE").request.cseq == (3, "BYE")


def test_each_fork_has_its_own_numbers_and_its_own_answer() -> None:
    leg = uac()
    sent = rung(leg)
    for tag, number, media in (("one", 7, 4000), ("two", 300, 4002)):
        out = leg.receive_response(sent.key, reliable(sent, number, sdp(media), tag=tag))
        assert request_of(out, "PRACK").request.cseq == (2, "PRACK")
        assert out[-1] == Progress(183, sdp(media), tag)
    out = leg.receive_response(sent.key, reply(sent.request, 200, tag="one"))
    assert one(out, Answered) == Answered(sdp(4000))


def test_early_media_of_a_fork_does_not_answer_for_another() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 183, sdp(4000), tag="one"))
    leg.receive_response(sent.key, reply(sent.request, 183, sdp(4002), tag="two"))
    out = leg.receive_response(sent.key, reply(sent.request, 200, tag="one"))
    assert one(out, Answered) == Answered(sdp(4000))


def test_a_challenged_prack_goes_out_again() -> None:
    leg = uac(authorizer=authorizer())
    sent = rung(leg)
    first = request_of(leg.receive_response(sent.key, reliable(sent, 7)), "PRACK")
    refusal = reply(first.request, 407, headers=[challenge(proxy=True)])
    again = request_of(leg.receive_response(first.key, refusal), "PRACK")
    assert again.request.cseq == (3, "PRACK")
    assert again.request.get("RAck") == "7 1 INVITE"
    assert is_right(again.request, "Proxy-Authorization")
    assert leg.receive_response(again.key, reply(again.request, 200)) == []


@pytest.mark.parametrize("status", [408, 481, 503])
def test_a_prack_that_fails_does_not_end_the_call(status: int) -> None:
    leg = uac()
    sent = rung(leg)
    prack = request_of(leg.receive_response(sent.key, reliable(sent, 7, sdp())), "PRACK")
    if status == 481:
        assert leg.receive_response(prack.key, reply(prack.request, 481)) == []
    else:
        assert leg.request_failed(prack.key, status) == []
    assert one(leg.receive_response(sent.key, reply(sent.request, 200)), Answered)


def test_the_peer_changes_its_media_before_it_answers() -> None:
    leg = uac()
    sent = settled(leg)
    out = leg.receive_request("in-1", early_request(sent, "UPDATE", sdp(4100, "sendonly")))
    response = one(out, SendResponse).response
    assert response.status == 200
    assert response.sdp is not None
    assert (port(response.sdp), str(parse(response.sdp).direction(0))) == (5000, "recvonly")
    assert out[-1] == Progress(183, sdp(4100, "sendonly"), "peer")
    out = leg.receive_response(sent.key, reply(sent.request, 200))
    assert one(out, Answered) == Answered(sdp(4100, "sendonly"))
    assert Peer(leg, cseq=1).send("UPDATE")[0].response.status == 200


def test_an_early_offer_in_a_codec_that_we_do_not_have_is_refused() -> None:
    leg = uac()
    sent = settled(leg)
    strange = sdp(4100, media="RTP/AVP 18")
    assert status_of(leg.receive_request("in-1", early_request(sent, "UPDATE", strange))) == 488
    out = leg.receive_response(sent.key, reply(sent.request, 200))
    assert one(out, Answered) == Answered(sdp(4000))


def test_an_early_offer_before_ours_is_answered_meets_491() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 180))
    update = early_request(sent, "UPDATE", sdp(4100))
    assert leg.matches(update)
    assert status_of(leg.receive_request("in-1", update)) == 491


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("UPDATE", 200),
        ("OPTIONS", 200),
        ("INVITE", 500),
        ("INFO", 480),
        ("MESSAGE", 480),
        ("REFER", 480),
        ("NOTIFY", 480),
        ("SUBSCRIBE", 489),
        ("PRACK", 481),
        ("BYE", 481),
        ("FOO", 405),
    ],
)
def test_other_requests_before_the_answer_are_answered_here(method: str, status: int) -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 180))
    out = leg.receive_request("in-1", early_request(sent, method))
    assert status_of(out) == status
    assert not of(out, Relay)
    assert leg.state is LegState.EARLY


def test_a_request_of_a_fork_that_never_rang_is_nobodys() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 180))
    stranger = early_request(sent, "UPDATE", tag="other")
    assert not leg.matches(stranger)
    assert status_of(leg.receive_request("in-1", stranger)) == 481


def test_we_may_change_our_media_before_the_answer() -> None:
    leg = uac()
    sent = settled(leg)
    update = request_of(leg.offer(sdp(5100)), "UPDATE")
    assert update.request.cseq == (3, "UPDATE")
    assert update.request.get("Session-Expires") is None
    assert port(update.request.sdp) == 5100
    out = leg.receive_response(update.key, reply(update.request, 200, sdp(4100)))
    assert out == [Progress(183, sdp(4100), "peer")]
    out = leg.receive_response(sent.key, reply(sent.request, 200))
    assert one(out, Answered) == Answered(sdp(4100))


def test_an_early_update_that_is_under_way_when_the_call_is_answered_goes_on() -> None:
    leg = uac()
    sent = settled(leg)
    update = request_of(leg.offer(sdp(5100)), "UPDATE")
    leg.receive_response(sent.key, reply(sent.request, 200))
    out = leg.receive_response(update.key, reply(update.request, 200, sdp(4100)))
    assert out == [Answered(sdp(4100), sdp(5100))]


def test_an_early_update_of_a_fork_that_lost_is_forgotten() -> None:
    leg = uac()
    sent = settled(leg)
    update = request_of(leg.offer(sdp(5100)), "UPDATE")
    leg.receive_response(sent.key, reply(sent.request, 200, sdp(4200), tag="other"))
    assert leg.receive_response(update.key, reply(update.request, 200, sdp(4100))) == []
    assert request_of(leg.offer(sdp(5200)), "INVITE")


def test_an_early_update_that_collides_is_tried_again() -> None:
    leg = uac()
    settled(leg)
    update = request_of(leg.offer(sdp(5100)), "UPDATE")
    out = leg.receive_response(update.key, reply(update.request, 491))
    timer = one(out, StartTimer)
    assert timer.name == "glare"
    assert 2.1 <= timer.seconds <= 4.0
    again = request_of(leg.timer("glare"), "UPDATE")
    out = leg.receive_response(again.key, reply(again.request, 200, sdp(4100)))
    assert out == [Progress(183, sdp(4100), "peer")]


@pytest.mark.parametrize("status", [405, 408, 481, 488, 501])
def test_an_early_update_that_is_refused_leaves_what_was(status: int) -> None:
    leg = uac()
    sent = settled(leg)
    update = request_of(leg.offer(sdp(5100)), "UPDATE")
    assert leg.receive_response(update.key, reply(update.request, status)) == []
    out = leg.receive_request("in-1", early_request(sent, "UPDATE", sdp(4100)))
    assert port(one(out, SendResponse).response.sdp) == 5000


def test_no_early_offer_without_a_reliable_answer() -> None:
    leg = uac()
    sent = rung(leg)
    leg.receive_response(sent.key, reply(sent.request, 183, sdp()))
    assert leg.offer(sdp(5100)) == []


def test_a_leg_that_is_refused_while_its_update_waits_leaves_no_timer() -> None:
    leg = uac()
    sent = settled(leg)
    update = request_of(leg.offer(sdp(5100)), "UPDATE")
    leg.receive_response(update.key, reply(update.request, 491))
    out = leg.receive_response(sent.key, reply(sent.request, 486))
    assert out[0] == StopTimer("glare")
    assert [type(o) for o in out[1:]] == [Refused, Gone]


# -- we are called -----------------------------------------------------------------------------

REQUIRES: Header = ("Require", "100rel")
SUPPORTS: Header = ("Supported", "timer, 100rel")


class Caller:
    """The calling side of a leg: it knows its early dialogs by their To-tags."""

    def __init__(self, *headers: Header, body: bytes | None = None) -> None:
        self.leg = uas(sdp(4000) if body is None else body, headers=[*headers, UPDATES])
        self.cseq: dict[str, int] = {}

    def request(
        self, to: Response, method: str, body: bytes = b"", headers: Iterable[Header] = ()
    ) -> Request:
        tag = to.to_tag or ""
        self.cseq[tag] = number = self.cseq.get(tag, 1) + 1
        extra: list[Header] = [("Content-Type", "application/sdp")] if body else []
        return Request(
            method,
            "sip:leg1@192.0.2.1:5060",
            headers=[
                ("Via", f"SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK{tag}{number}"),
                ("From", self.leg.request.require("From")),
                ("To", to.require("To")),
                ("Call-ID", self.leg.request.call_id),
                ("CSeq", f"{number} {method}"),
                ("Contact", f"<{PEER_CONTACT}>"),
                *extra,
                *headers,
            ],
            body=body,
        )

    def send(
        self, to: Response, method: str, body: bytes = b"", headers: Iterable[Header] = ()
    ) -> list[Output]:
        request = self.request(to, method, body, headers)
        assert self.leg.matches(request)
        return self.leg.receive_request(f"in-{to.to_tag}-{request.cseq[0]}", request)

    def prack(self, to: Response, body: bytes = b"", rack: str = "") -> list[Output]:
        value = rack or f"{to.get('RSeq')} 1 INVITE"
        return self.send(to, "PRACK", body, [("RAck", value)])

    def ring(self, progress: Progress, branch: str = "b1") -> Response:
        """The response that the caller gets."""
        return one(self.leg.ring(progress, branch), SendResponse).response


def test_a_caller_that_requires_it_gets_every_ringing_reliably() -> None:
    caller = Caller(REQUIRES)
    ringing = caller.ring(Progress(180))
    assert ringing.get("Require") == "100rel"
    assert status_of(caller.prack(ringing)) == 200
    after = caller.ring(Progress(183, sdp(5000)))
    assert int(after.get("RSeq") or "") == int(ringing.get("RSeq") or "") + 1
    assert port(after.sdp) == 5000


def test_a_caller_that_supports_it_gets_what_tells_of_media_reliably() -> None:
    caller = Caller(SUPPORTS)
    assert caller.ring(Progress(180)).get("RSeq") is None
    assert caller.ring(Progress(183, sdp(5000))).get("RSeq") is not None


def test_a_caller_that_does_not_know_it_gets_nothing_reliably() -> None:
    caller = Caller()
    assert caller.ring(Progress(183, sdp(5000))).get("RSeq") is None


def test_a_caller_without_an_offer_that_requires_it_hears_nothing_before_the_answer() -> None:
    caller = Caller(REQUIRES, body=b"")
    assert caller.leg.ring(Progress(180), "b1") == []
    assert one(caller.leg.accept(sdp(5000), "b1"), SendResponse).response.sdp is not None


def test_a_reliable_response_is_repeated_until_its_prack() -> None:
    caller = Caller(REQUIRES)
    out = caller.leg.ring(Progress(180), "b1")
    sent, timer = one(out, SendResponse), one(out, StartTimer)
    seconds = [timer.seconds]
    for _ in range(3):
        out = caller.leg.timer(timer.name)
        assert one(out, SendResponse).response is sent.response
        seconds.append(one(out, StartTimer).seconds)
    assert seconds == [0.5, 1.0, 2.0, 4.0]
    assert StopTimer(timer.name) in caller.prack(sent.response)
    assert caller.leg.timer(timer.name) == []


def test_a_caller_that_never_acknowledges_is_refused_after_64_t1() -> None:
    caller = Caller(REQUIRES)
    timer = one(caller.leg.ring(Progress(180), "b1"), StartTimer)
    passed = 0.0
    out: list[Output] = []
    while not of(out, Ended):
        passed += timer.seconds
        out = caller.leg.timer(timer.name)
        timer = (of(out, StartTimer) or [timer])[0]
    assert passed == 32.0
    assert status_of(out) == 504
    assert out[-1] == Gone()


@pytest.mark.parametrize(
    "rack", ["", "x", "1 1 INVITE", "7 1", "7 1 BYE", "99999999999999 1 INVITE"]
)
def test_a_prack_for_nothing_is_481(rack: str) -> None:
    caller = Caller(REQUIRES)
    ringing = caller.ring(Progress(180))
    assert status_of(caller.send(ringing, "PRACK", headers=[("RAck", rack)])) == 481
    assert status_of(caller.prack(ringing)) == 200
    assert status_of(caller.prack(ringing)) == 481


def test_what_comes_before_the_prack_waits_for_it() -> None:
    caller = Caller(REQUIRES)
    first = caller.ring(Progress(180))
    assert caller.leg.ring(Progress(183, sdp(5000)), "b1") == []
    assert caller.leg.ring(Progress(180), "b1") == []
    out = caller.prack(first)
    ok, second = (sent.response for sent in of(out, SendResponse))
    assert (ok.status, ok.cseq[1], second.status) == (200, "PRACK", 180)
    assert port(second.sdp) == 5000


def test_the_2xx_after_a_reliable_answer_has_none() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    out = caller.leg.accept(sdp(5000), "b1")
    response = one(out, SendResponse).response
    assert (response.status, response.body, response.get("Content-Type")) == (200, b"", None)
    ack = Peer(caller.leg).acknowledge(response)
    assert not of(ack, SendRequest)


def test_a_2xx_does_not_overtake_the_answer_that_waits_for_its_prack() -> None:
    caller = Caller(SUPPORTS)
    early = caller.ring(Progress(183, sdp(5000)))
    assert caller.leg.accept(sdp(5000), "b1") == []
    assert caller.leg.offer(sdp(5002)) == []
    prack, accepted = (sent.response for sent in of(caller.prack(early), SendResponse))
    assert (prack.cseq[1], accepted.cseq[1], accepted.status) == ("PRACK", "INVITE", 200)
    out = Peer(caller.leg).acknowledge(accepted)
    assert port(request_of(out, "INVITE").request.sdp) == 5002


def test_a_2xx_does_not_wait_for_the_prack_of_mere_ringing() -> None:
    caller = Caller(REQUIRES)
    ringing = caller.ring(Progress(180))
    out = caller.leg.accept(sdp(5000), "b1")
    assert one(out, SendResponse).response.sdp is not None
    assert StopTimer("reliable") in out
    assert status_of(caller.prack(ringing)) == 200


def test_hanging_up_while_the_2xx_waits_is_a_refusal() -> None:
    caller = Caller(SUPPORTS)
    caller.ring(Progress(183, sdp(5000)))
    caller.leg.accept(sdp(5000), "b1")
    assert status_of(caller.leg.hang_up()) == 480


def test_another_answer_than_the_caller_was_shown_is_offered_after_the_2xx() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    response = one(caller.leg.accept(sdp(5555), "b1"), SendResponse).response
    assert response.body == b""
    out = Peer(caller.leg).acknowledge(response)
    again = request_of(out, "INVITE")
    assert port(again.request.sdp) == 5555
    out = caller.leg.receive_response(again.key, reply(again.request, 200, sdp(4000)))
    assert one(out, Answered).offered == sdp(5555)


def test_the_same_media_said_in_other_words_is_not_offered_again() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    again = sdp(5000).replace(b"o=- 7 1", b"o=- 7 2")
    response = one(caller.leg.accept(again, "b1"), SendResponse).response
    assert not of(Peer(caller.leg).acknowledge(response), SendRequest)


def test_each_branch_has_its_own_tag_numbers_and_dialog() -> None:
    caller = Caller(SUPPORTS)
    one_, two = (
        caller.ring(Progress(183, sdp(5000 + n)), f"b{n}") for n in (1, 2)
    )  # fmt: skip
    assert one_.to_tag != two.to_tag
    # Both PRACKs have CSeq 2: each dialog counts for itself.
    assert status_of(caller.prack(one_)) == 200
    assert status_of(caller.prack(two)) == 200
    response = one(caller.leg.accept(sdp(5002), "b2"), SendResponse).response
    assert (response.to_tag, response.body) == (two.to_tag, b"")
    late = caller.request(one_, "UPDATE")
    assert not caller.leg.matches(late)


def test_the_forks_of_a_branch_are_dialogs_of_their_own() -> None:
    caller = Caller(SUPPORTS)
    caller.ring(Progress(180))
    a = caller.ring(Progress(183, sdp(5001), "a"))
    b = caller.ring(Progress(183, sdp(5002), "b"))
    assert a.to_tag != b.to_tag
    caller.prack(a)
    caller.prack(b)
    assert one(caller.leg.accept(sdp(5001), "b1"), SendResponse).response.to_tag == a.to_tag


def test_a_branch_that_was_not_answered_reliably_answers_in_its_2xx() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5001)), "b1"))
    response = one(caller.leg.accept(sdp(5002), "b2"), SendResponse).response
    assert port(response.sdp) == 5002


def test_branches_beyond_bounds_only_ring() -> None:
    caller = Caller()
    tags = {caller.ring(Progress(183, sdp(5000 + n)), f"b{n}").to_tag for n in range(30)}
    assert len(tags) == 20
    assert caller.ring(Progress(183, sdp(5999)), "b99").sdp is None
    assert port(one(caller.leg.accept(sdp(5999), "b99"), SendResponse).response.sdp) == 5999


def test_an_offer_in_a_prack_is_answered_in_its_200() -> None:
    caller = Caller(SUPPORTS)
    early = caller.ring(Progress(183, sdp(5000)))
    out = caller.prack(early, sdp(4444))
    ok = one(out, SendResponse).response
    assert (ok.status, port(ok.sdp)) == (200, 5000)
    assert out[-1] == Updated(sdp(4444))
    response = one(caller.leg.accept(sdp(5000), "b1"), SendResponse).response
    assert response.body == b""
    assert caller.leg.media.last_heard == sdp(4444)


def test_an_offer_in_the_prack_of_mere_ringing_meets_491() -> None:
    caller = Caller(REQUIRES)
    assert status_of(caller.prack(caller.ring(Progress(180)), sdp(4444))) == 491


def test_the_caller_changes_its_media_before_the_answer() -> None:
    caller = Caller(SUPPORTS)
    early = caller.ring(Progress(183, sdp(5000)))
    caller.prack(early)
    out = caller.send(early, "UPDATE", sdp(4444, "sendonly"))
    response = one(out, SendResponse).response
    assert response.sdp is not None
    assert str(parse(response.sdp).direction(0)) == "recvonly"
    assert out[-1] == Updated(sdp(4444, "sendonly"))


def test_an_update_of_the_caller_before_any_answer_is_put_off() -> None:
    caller = Caller()
    ringing = caller.ring(Progress(180))
    out = caller.send(ringing, "UPDATE", sdp(4444))
    assert status_of(out) == 500
    assert one(out, SendResponse).response.get("Retry-After")


def test_new_early_media_reaches_the_caller_by_update() -> None:
    caller = Caller(SUPPORTS)
    early = caller.ring(Progress(183, sdp(5000)))
    caller.prack(early)
    out = caller.leg.ring(Progress(183, sdp(5100)), "b1")
    assert one(out, SendResponse).response.body == b""
    update = request_of(out, "UPDATE")
    assert (port(update.request.sdp), update.request.to_tag) == (5100, "peer")
    answer = caller.leg.receive_response(update.key, reply(update.request, 200, sdp(4100)))
    assert answer == [Answered(sdp(4100), sdp(5100))]
    response = one(caller.leg.accept(sdp(5100), "b1"), SendResponse).response
    assert not of(Peer(caller.leg).acknowledge(response), SendRequest)


def test_new_early_media_waits_for_the_prack_too() -> None:
    caller = Caller(SUPPORTS)
    early = caller.ring(Progress(183, sdp(5000)))
    assert caller.leg.ring(Progress(183, sdp(5100)), "b1") == []
    out = caller.prack(early)
    assert port(request_of(out, "UPDATE").request.sdp) == 5100


def test_an_early_update_that_the_caller_refuses_is_made_good_after_the_answer() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    update = request_of(caller.leg.ring(Progress(183, sdp(5100)), "b1"), "UPDATE")
    assert caller.leg.receive_response(update.key, reply(update.request, 488)) == []
    response = one(caller.leg.accept(sdp(5100), "b1"), SendResponse).response
    out = Peer(caller.leg).acknowledge(response)
    assert port(request_of(out, "INVITE").request.sdp) == 5100


def test_the_answer_while_an_early_update_is_open_is_not_offered_twice() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    update = request_of(caller.leg.ring(Progress(183, sdp(5100)), "b1"), "UPDATE")
    response = one(caller.leg.accept(sdp(5100), "b1"), SendResponse).response
    Peer(caller.leg).acknowledge(response)
    out = caller.leg.receive_response(update.key, reply(update.request, 200, sdp(4000)))
    assert out == [Answered(sdp(4000), sdp(5100))]


def test_an_early_update_goes_on_where_the_caller_collides_with_it() -> None:
    caller = Caller(SUPPORTS)
    early = caller.ring(Progress(183, sdp(5000)))
    caller.prack(early)
    update = request_of(caller.leg.ring(Progress(183, sdp(5100)), "b1"), "UPDATE")
    assert status_of(caller.send(early, "UPDATE", sdp(4444))) == 491
    out = caller.leg.receive_response(update.key, reply(update.request, 491))
    assert one(out, StartTimer).seconds <= 2.0
    assert port(request_of(caller.leg.timer("glare"), "UPDATE").request.sdp) == 5100


def test_refusing_and_being_cancelled_stops_the_repetitions() -> None:
    for end in ("refuse", "cancel"):
        caller = Caller(REQUIRES)
        caller.ring(Progress(180))
        out = caller.leg.refuse(486) if end == "refuse" else caller.leg.cancelled()
        assert StopTimer("reliable") in out
        assert caller.leg.timer("reliable") == []


def test_a_leg_of_an_account_answers_the_challenge_to_its_early_update() -> None:
    request = invite(sdp(4000), headers=[SUPPORTS, UPDATES])
    caller = Caller()
    caller.leg = UasLeg(local(), "invite", request, FLOW, authorizer())
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    update = request_of(caller.leg.ring(Progress(183, sdp(5100)), "b1"), "UPDATE")
    refusal = reply(update.request, 401, headers=[challenge()])
    again = request_of(caller.leg.receive_response(update.key, refusal), "UPDATE")
    assert again.request.cseq == (2, "UPDATE")
    out = caller.leg.receive_response(again.key, reply(again.request, 200, sdp(4000)))
    assert one(out, Answered)


def test_a_leg_is_a_value_again_after_early_dialogs() -> None:
    caller = Caller(SUPPORTS)
    caller.prack(caller.ring(Progress(183, sdp(5000))))
    Peer(caller.leg).acknowledge(one(caller.leg.accept(sdp(5000), "b1"), SendResponse).response)
    plain = caller.leg.to_plain()
    assert plain is not None
    assert caller.leg.dialog is not None
    assert caller.leg.dialog.remote_seq == 2
    assert attrs.asdict(caller.leg.dialog)["local_seq"] == 0
