"""Requests inside a bridged call: hold and resume, UPDATE, INFO, MESSAGE, session timers."""

from __future__ import annotations

import pytest
from roles import Pair, answered_by, joined, offered, picked_up
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    cancelled,
    expect,
    goto,
    hang_up,
    has,
    hung_up,
    invited,
    label,
    pause,
    receive,
    reply,
    request,
    sdp,
)


def _offers(phone: Phone, direction: str, expected: str, version: int) -> str:
    """A re-INVITE of the phone, answered by the other phone through the bridge."""
    return (
        request("INVITE", body=sdp(phone.media, direction, version=version))
        + expect(100, optional=True)
        + expect(200, has(f"a={expected}", "body"))
        + request("ACK")
    )


def _takes(phone: Phone, direction: str, answered: str, version: int) -> str:
    """The other phone's re-INVITE arrives through the bridge and is answered."""
    return (
        receive("INVITE", has(f"a={direction}", "body"))
        + reply(200, body=sdp(phone.media, answered, version=version))
        + receive("ACK")
    )


def test_callee_holds_and_resumes(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        joined(a, b),
        _takes(a, "sendonly", "recvonly", 3),
        _takes(a, "sendrecv", "sendrecv", 4),
        hung_up(),
    )
    b.start(
        answered_by(b, a),
        pause(400),
        _offers(b, "sendonly", "recvonly", 2),
        pause(100),
        _offers(b, "sendrecv", "sendrecv", 3),
        pause(100),
        hang_up(),
    )
    pair.call()
    pair.finish()


def test_caller_holds_and_resumes(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        joined(a, b),
        pause(100),
        _offers(a, "sendonly", "recvonly", 3),
        _offers(a, "sendrecv", "sendrecv", 4),
        hang_up(),
    )
    b.start(
        answered_by(b, a),
        _takes(b, "sendonly", "recvonly", 2),
        _takes(b, "sendrecv", "sendrecv", 3),
        hung_up(),
    )
    pair.call()
    pair.finish()


def test_refused_hold_leaves_the_call_as_it_was(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a), joined(a, b), receive("INVITE", has("a=sendonly", "body")), reply(488),
        receive("ACK"), hung_up(),
    )  # fmt: skip
    b.start(
        answered_by(b, a),
        pause(400),
        request("INVITE", body=sdp(b.media, "sendonly", version=2)),
        expect(100, optional=True),
        expect(488),
        request("ACK"),
        pause(300),
        hang_up(),
    )
    pair.call()
    pair.finish()


def test_users_hold_while_the_callee_rings_is_answered_here(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        pause(200),
        request("INVITE", body=sdp(a.media, "sendonly", version=2)),
        expect(100, optional=True),
        expect(200, has("m=audio [1-9]", "body"), has("a=(recvonly|inactive)", "body")),
        request("ACK"),
        pause(200),
        hang_up(),
    )
    b.start(offered(a), answer(180), cancelled())
    pair.call()
    pair.finish()


def test_update_with_an_offer_is_relayed_as_update(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        joined(a, b),
        receive("UPDATE", has("a=sendonly", "body")),
        reply(200, body=sdp(a.media, "recvonly", version=3)),
        hung_up(),
    )
    b.start(
        answered_by(b, a), pause(400),
        request("UPDATE", body=sdp(b.media, "sendonly", version=2)),
        expect(200, has("a=recvonly", "body")), pause(100), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


def test_update_becomes_a_reinvite_for_a_phone_without_update(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        invited(OFFERLESS), answer(200, body=sdp(a.media), allow="INVITE, ACK, BYE, CANCEL"),
        receive("ACK"),
        receive("INVITE"), reply(200, body=sdp(a.media, version=2)), receive("ACK"),
        _takes(a, "sendonly", "recvonly", 3),
        hung_up(),
    )  # fmt: skip
    b.start(
        answered_by(b, a), pause(400),
        request("UPDATE", body=sdp(b.media, "sendonly", version=2)),
        expect(200, has("a=recvonly", "body")), pause(100), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


@pytest.mark.parametrize("sender", ["caller", "callee"])
@pytest.mark.parametrize(
    ("method", "content_type", "bodies"),
    [
        ("INFO", "application/dtmf-relay", ("Signal=5", "Signal=6")),
        ("MESSAGE", "text/plain", ("Good morning", "Good night")),
    ],
    ids=["INFO", "MESSAGE"],
)
def test_info_and_message_are_relayed_with_their_body_and_their_answer(
    pair: Pair, method: str, content_type: str, bodies: tuple[str, str], sender: str
) -> None:
    a, b = pair.caller, pair.callee
    first, second = bodies
    sends = (
        request(method, body=first, content_type=content_type),
        expect(200),
        request(method, body=second, content_type=content_type),
        expect(415),
        hang_up(),
    )
    gets = (
        receive(method, has(first, "body"), has(content_type, "Content-Type")),
        reply(200),
        receive(method, has(second, "body")),
        reply(415),
        hung_up(),
    )
    if sender == "caller":
        a.start(picked_up(a), joined(a, b), pause(100), *sends)
        b.start(answered_by(b, a), *gets)
    else:
        a.start(picked_up(a), joined(a, b), *gets)
        b.start(answered_by(b, a), pause(400), *sends)
    pair.call()
    pair.finish()


def test_unknown_methods_and_packages_are_refused_and_do_no_harm(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(
        answered_by(b, a), pause(300),
        request("OPTIONS"), expect(200, has("INVITE", "Allow")),
        request("SUBSCRIBE", "Event: nonsense"), expect(489, optional=True, goto="next"),
        expect(405), label("next"),
        request("NONSENSE"), expect(501, optional=True, goto="end"), expect(405),
        label("end"), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_session_refresh_ends_at_each_leg(pair: Pair, method: str) -> None:
    """A refresh keeps the leg alive and is none of the other phone's business."""
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    refresh = ("Supported: timer", "Session-Expires: 90;refresher=uac")
    b.start(
        answered_by(b, a), pause(400),
        request(method, *refresh, body=sdp(b.media) if method == "INVITE" else None),
        expect(100, optional=True),
        expect(200, has("90", "Session-Expires"), has("uac", "Session-Expires")),
        request("ACK") if method == "INVITE" else "",
        pause(300), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


def test_sessions_are_refreshed_in_time_where_that_is_our_part(pair: Pair) -> None:
    """Half of the interval, which is 90 s at least (RFC 4028), is 45 s: this test takes that."""
    a, b = pair.caller, pair.callee
    timer = ("Supported: timer", "Require: timer", "Session-Expires: 90;refresher=uac")
    a.start(
        invited(OFFERLESS, has("timer", "Supported"), has("[0-9]+", "Session-Expires")),
        answer(200, *timer, body=sdp(a.media)), receive("ACK"),
        receive("INVITE", has(f"m=audio {b.media} ", "body")),
        reply(200, *timer, body=sdp(a.media, version=2)), receive("ACK"),
        # Whichever method it takes for the refresh.
        receive("UPDATE", has("90", "Session-Expires"), optional=True, goto="update"),
        receive("INVITE", has("90", "Session-Expires")),
        reply(200, *timer, body=sdp(a.media, version=3)), receive("ACK"), goto("refreshed"),
        label("update"), reply(200, *timer),
        label("refreshed"), hang_up(),
    )  # fmt: skip
    b.start(
        offered(a), answer(200, "Supported: timer", body=sdp(b.media)), receive("ACK"), hung_up()
    )
    pair.call()
    pair.caller.finish(60)
    pair.callee.finish()
