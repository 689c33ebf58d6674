"""Offers that cross, and session timers (RFC 3261 section 14, RFC 3311, RFC 4028)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from roles import Pair, answered_by, joined, offered, picked_up
from sipp import Phone
from steps import (
    answer,
    answered,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    keep,
    pause,
    receive,
    reply,
    request,
    sdp,
)

TIMED = "Supported: timer"
KEPT = (keep("via", ".*", "Via"), keep("cseq", ".*", "CSeq"))
"""What `answer` needs for a request that is answered after others."""


def test_updates_that_cross_are_both_refused_and_ours_is_repeated(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a), joined(a, b),
        receive("UPDATE", has("a=sendonly", "body"), *KEPT),
        request("UPDATE", body=sdp(a.media + 1, version=3)), expect(491),
        answer(491, repeat=False),
        receive("UPDATE", has("a=sendonly", "body")), reply(200, body=sdp(a.media, "recvonly")),
        hung_up(),
    )  # fmt: skip
    b.start(
        answered_by(b, a), pause(400),
        request("UPDATE", body=sdp(b.media, "sendonly", version=2)),
        expect(200, has("a=recvonly", "body")), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


def test_reinvites_that_cross_do_not_lose_what_either_phone_wants(pair: Pair) -> None:
    """The phone's own is held back, so that it is not refused; the other one is asked to wait."""
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a), joined(a, b),
        receive("INVITE", has("a=sendonly", "body"), *KEPT),
        request("INVITE", body=sdp(a.media + 1, version=3)), expect(100), answer(491),
        receive("ACK"),
        expect(200), request("ACK"),
        receive("INVITE", has("a=sendonly", "body")),
        reply(200, body=sdp(a.media + 1, "recvonly", version=4)), receive("ACK"),
        hung_up(),
    )  # fmt: skip
    b.start(
        answered_by(b, a), pause(400),
        request("INVITE", body=sdp(b.media, "sendonly", version=2)),
        expect(100, optional=True), expect(491), request("ACK"),
        receive("INVITE", has(f"m=audio {a.media + 1} ", "body")),
        reply(200, body=sdp(b.media, version=3)), receive("ACK"), pause(500),
        request("INVITE", body=sdp(b.media, "sendonly", version=4)),
        expect(100, optional=True), expect(200, has("a=recvonly", "body")), request("ACK"),
        pause(200), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


@pytest.mark.parametrize("refusal", [("491",), ("500", "Retry-After: 1")])
def test_a_reinvite_that_a_phone_cannot_take_now_is_repeated(
    pair: Pair, refusal: tuple[str, ...]
) -> None:
    a, b = pair.caller, pair.callee
    code, *headers = refusal
    a.start(
        picked_up(a), joined(a, b),
        receive("INVITE", has("a=sendonly", "body")), reply(int(code), *headers), receive("ACK"),
        receive("INVITE", has("a=sendonly", "body")), reply(200, body=sdp(a.media, "recvonly")),
        receive("ACK"), hung_up(),
    )  # fmt: skip
    b.start(
        answered_by(b, a), pause(400),
        request("INVITE", body=sdp(b.media, "sendonly", version=2)),
        expect(100, optional=True), expect(200, has("a=recvonly", "body")), request("ACK"),
        pause(200), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


def test_a_phone_that_wants_a_longer_session_interval_gets_it(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        invited(has("1800", "Session-Expires")), answer(422, "Min-SE: 2000"), receive("ACK"),
        invited(has("2000", "Session-Expires"), has("2000", "Min-SE")),
        answer(180), answer(200, body=sdp(b.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(b.user, expect(180), answered(), hang_up())
    pair.finish()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_session_interval_that_is_too_short_is_refused_in_the_call_as_well(
    pair: Pair, method: str
) -> None:
    a, b = pair.caller, pair.callee
    b.start(answered_by(b, a), hung_up())
    a.dial(
        b.user, expect(180), answered(),
        request(method, TIMED, "Session-Expires: 60", body=sdp(a.media)),
        expect(100, optional=True), expect(422, has("90", "Min-SE")),
        request("ACK") if method == "INVITE" else "",
        pause(200), hang_up(),
    )  # fmt: skip
    pair.finish()


def test_who_has_to_show_that_the_phones_are_alive_and_what_becomes_of_one_that_does_not(
    new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    """Sessions of 90 s: refreshed after 45 s; lost 32 s later, or after 60 s of silence."""
    pairs = [[make_phone(new_user()).register() for _ in range(2)] for _ in range(3)]
    begun = time.monotonic()

    # The caller leaves the refreshing to us.
    a, b = pairs[0]
    b.start(answered_by(b, a), hung_up())
    refreshed = a.dial(
        b.user, expect(180),
        answered(has("90;refresher=uas", "Session-Expires")),
        receive("UPDATE", has("90;refresher=uac", "Session-Expires")),
        reply(200, TIMED, "Require: timer", "Session-Expires: 90;refresher=uac"), hang_up(),
        headers=(TIMED, "Session-Expires: 90;refresher=uas"),
    )  # fmt: skip

    # The callee takes the refreshing on, and does not do it.
    a, b = pairs[1]
    timer = ("Require: timer", "Session-Expires: 90;refresher=uas")
    silent = b.start(
        offered(a), answer(180), answer(200, *timer, body=sdp(b.media)), receive("ACK"),
        hung_up(has("cause=408", "Reason")),
    )  # fmt: skip
    a.dial(b.user, expect(180), answered(), hung_up())

    # The callee vanishes, as one that has lost its power.
    a, b = pairs[2]
    timer = ("Require: timer", "Session-Expires: 90;refresher=uac")
    b.start(
        offered(a), answer(180), answer(200, *timer, body=sdp(b.media)), receive("ACK"), hung_up()
    )
    lost = a.dial(b.user, expect(180), answered(), hung_up(has("408", "Reason")))
    time.sleep(2)
    b.stop()

    refreshed.finish(60)
    assert 40 < time.monotonic() - begun < 55
    silent.finish(30)
    assert 55 < time.monotonic() - begun < 70
    lost.finish(40)
    assert 70 < time.monotonic() - begun < 95
    for phone in (*pairs[0], *pairs[1], a):
        phone.finish()
