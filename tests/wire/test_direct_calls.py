"""Calls between registered phones, with SIPp on both sides: the same search and bridge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon, until
from roles import TRUSTED, Pair, answered_by, offered
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    answered,
    call_unasked,
    cancel_received,
    cancelled,
    expect,
    goto,
    hang_up,
    has,
    hung_up,
    invited,
    label,
    note,
    pause,
    receive,
    reply,
    request,
    sdp,
)


def _connected(other: Phone) -> str:
    """The called phone rings and answers."""
    return expect(180) + answered(has(f"m=audio {other.media} ", "body"))


def test_caller_hangs_up(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(answered_by(b, a), hung_up())
    a.dial(b.user, _connected(b), pause(100), hang_up())
    pair.finish()
    record = pair.client.calls()[0]
    assert (record["kind"], record["state"]) == ("phone", "ended")
    assert (record["user"], record["number"]) == (a.user, b.user)
    assert (record["cause"]["who"], record["cause"]["code"]) == ("caller", 200)


def test_callee_hangs_up(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(answered_by(b, a), pause(200), hang_up())
    a.dial(b.user, _connected(b), hung_up())
    pair.finish()


def test_callee_sees_the_callers_identity_and_none_of_its_credentials(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        invited(has(f"sip:{a.user}@example.test", "From")), answer(180), answer(486), receive("ACK")
    )
    a.dial(b.user, expect(180), expect(486), a.refused(b.user))
    pair.finish()
    seen = b.messages().split("INVITE sip:")[1].split("-----")[0]
    assert "Authorization" not in seen
    assert "o=phone" not in seen


def test_early_media_reaches_the_caller(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        offered(a), answer(183, body=sdp(b.media + 1)), pause(300),
        answer(200, body=sdp(b.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(
        b.user, expect(183, has(f"m=audio {b.media + 1} ", "body")),
        answered(has(f"m=audio {b.media} ", "body")), hang_up(),
    )  # fmt: skip
    pair.finish()


def test_call_without_offer_gets_the_callees_offer(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        invited(OFFERLESS), answer(180), answer(200, body=sdp(b.media)),
        receive("ACK", has(f"m=audio {a.media} ", "body")), hung_up(),
    )  # fmt: skip
    a.dial(
        b.user, expect(180),
        answered(has(f"m=audio {b.media} ", "body"), ack=sdp(a.media)), pause(100), hang_up(),
        offer=False,
    )  # fmt: skip
    pair.finish()


def test_caller_cancels(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(offered(a), answer(180), cancelled())
    a.dial(b.user, expect(180), pause(200), a.cancels(b.user))
    pair.finish()


def test_callee_who_answers_after_the_cancel_is_released(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        offered(a), answer(180), cancel_received(), pause(100), answer(200, body=sdp(b.media)),
        receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(b.user, expect(180), a.cancels(b.user))
    pair.finish()


def test_busy(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(offered(a), answer(180), answer(486), receive("ACK"))
    a.dial(b.user, expect(180), expect(486), a.refused(b.user))
    pair.finish()


def test_nobody_answers(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(offered(a), answer(180), cancelled())
    a.dial(b.user, expect(180), expect(408, optional=True, goto="end"), expect(480), label("end"),
           a.refused(b.user))  # fmt: skip
    pair.finish()


def test_unknown_number_and_user_without_phone(pair: Pair, new_user: Callable[[], str]) -> None:
    a = pair.caller
    a.dial("7654321", expect(404), a.refused("7654321")).finish()
    lonely = new_user()
    a.dial(lonely, expect(404, optional=True, goto="end"), expect(480), label("end"),
           a.refused(lonely)).finish()  # fmt: skip


@pytest.mark.parametrize("wrong", ["password", "identity"])
def test_wrong_password_or_a_borrowed_identity_rings_nobody(pair: Pair, wrong: str) -> None:
    a, b = pair.caller, pair.callee
    refused = (
        expect(403, optional=True, goto="refused"), expect(401, optional=True, goto="refused"),
        expect(407), label("refused"), a.refused(b.user),
    )  # fmt: skip
    if wrong == "password":
        a.dial(b.user, *refused, password="guessed")
    else:
        a.dial(b.user, *refused, identity=b.user)
    a.finish()
    assert "INVITE" not in b.messages()


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_hold_and_resume(pair: Pair, side: str) -> None:
    a, b = pair.caller, pair.callee

    def holds(phone: Phone) -> str:
        steps = ""
        for version, ours, theirs in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
            steps += (
                request("INVITE", body=sdp(phone.media, ours, version=version))
                + expect(100, optional=True) + expect(200, has(f"a={theirs}", "body"))
                + request("ACK") + pause(50)
            )  # fmt: skip
        return pause(200) + steps + hang_up()

    def is_held(phone: Phone) -> str:
        steps = ""
        for version, theirs, ours in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
            steps += (
                receive("INVITE", has(f"a={theirs}", "body"))
                + reply(200, body=sdp(phone.media, ours, version=version)) + receive("ACK")
            )  # fmt: skip
        return steps + hung_up()

    b.start(answered_by(b, a), holds(b) if side == "callee" else is_held(b))
    a.dial(b.user, _connected(b), holds(a) if side == "caller" else is_held(a))
    pair.finish()


def test_one_of_two_phones_answers_and_the_other_stops_ringing(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    caller, name = make_phone(new_user()).register(), new_user()
    first, second = (make_phone(name).register() for _ in range(2))
    first.start(
        offered(caller), answer(180), pause(300), answer(200, body=sdp(first.media)),
        receive("ACK"), hung_up(),
    )  # fmt: skip
    second.start(
        offered(caller), answer(180), cancelled(has("cause=200", "Reason")),
    )  # fmt: skip
    caller.dial(name, expect(180), expect(180, optional=True), answered(), pause(300), hang_up())
    for phone in (caller, first, second):
        phone.finish()


def test_two_phones_answer_at_the_same_moment(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    caller, name = make_phone(new_user()).register(), new_user()
    phones = [make_phone(name).register() for _ in range(2)]
    for phone in phones:
        phone.start(
            offered(caller), answer(200, body=sdp(phone.media)), receive("ACK"),
            receive("BYE", within=1000, otherwise="kept"), goto("end"),
            label("kept"), note("kept"), receive("BYE"), label("end"), reply(200),
        )  # fmt: skip
    caller.dial(name, answered(), pause(1500), hang_up())
    for phone in (caller, *phones):
        phone.finish()
    assert [note for phone in phones for note in phone.notes()] == ["kept"]


def test_session_interval_below_90_seconds_is_refused_with_the_minimum(pair: Pair) -> None:
    a = pair.caller
    a.dial(
        pair.callee.user, expect(422, has("90", "Min-SE")), a.refused(pair.callee.user),
        headers=("Supported: timer", "Session-Expires: 60"),
    )  # fmt: skip
    a.finish()


def test_trusted_peer_is_not_asked_for_credentials(
    daemon: Daemon, pair: Pair, tmp_path: Path
) -> None:
    b, peer = pair.callee, Phone(tmp_path, daemon, pair.caller.user, TRUSTED)
    b.start(answered_by(b, peer), hung_up())
    number = f"{b.user}@{daemon.domain}"
    peer.start(
        call_unasked(peer.user, daemon.domain, b.user, sdp(peer.media)), _connected(b), hang_up(),
        request_uri=number,
    )  # fmt: skip
    try:
        peer.finish()
        b.finish()
    finally:
        peer.stop()
    assert pair.client.calls()[0]["user"] == peer.user


def test_delete_ends_a_direct_call(daemon: Daemon, pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(answered_by(b, a), hung_up())
    a.dial(b.user, _connected(b), hung_up())
    until(pair.client.calls, "the call's record")
    call = pair.client.calls()[0]["id"]
    pair.client.wait_state(call, "bridged")
    assert pair.client.ask("DELETE", f"/v1/calls/{call}").status // 100 == 2
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "api"
