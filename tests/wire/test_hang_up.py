"""Hanging up at every step of a click-to-call, by either side and by DELETE; late answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from daemon import Daemon, until
from roles import Pair, answered_by, joined, offered, picked_up
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    cancel_received,
    cancelled,
    hang_up,
    has,
    hung_up,
    invited,
    keep,
    label,
    note,
    pause,
    receive,
    reply,
    sdp,
)

# By one of the two sides


def test_user_hangs_up_before_the_callee_has_reacted(pair: Pair) -> None:
    """The CANCEL waits for the first sign of life of the phone (RFC 3261 section 9.1)."""
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), pause(150), hang_up())
    b.start(offered(a), pause(500), answer(180), cancelled())
    call = pair.call()
    pair.finish()
    cause = pair.client.wait_state(call, "ended")["cause"]
    assert (cause["who"], cause["leg"]) == ("caller", "caller")


def test_user_hangs_up_at_once(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), hang_up())
    b.start(offered(a), answer(180), cancelled())
    call = pair.call()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def test_user_hangs_up_while_the_callee_rings(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), pause(500), hang_up())
    b.start(offered(a), answer(180), cancelled())
    result = pair.client.call(b.user, wait=True)
    pair.finish()
    assert result.status in (408, 502), result.body
    assert result.json()["leg"] == "caller"


def test_callee_hangs_up_right_after_its_answer(pair: Pair) -> None:
    """The BYE meets the re-INVITE that joins the caller."""
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        receive("BYE", optional=True, goto="end"),
        receive("INVITE", has(f"m=audio {b.media} ", "body")),
        reply(200, body=sdp(a.media, version=2)),
        receive("BYE", optional=True, goto="end"),
        receive("ACK"),
        receive("BYE"),
        label("end"),
        reply(200),
    )
    b.start(answered_by(b, a), hang_up())
    call = pair.call()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "callee"


def test_user_hangs_up_instead_of_answering_the_join(pair: Pair) -> None:
    """A phone with an open re-INVITE sends BYE first, then 487 (RFC 3261 section 15.1.2)."""
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        receive("INVITE", keep("via", ".*", "Via"), keep("cseq", ".*", "CSeq")),
        hang_up(), answer(487), receive("ACK"),
    )  # fmt: skip
    b.start(answered_by(b, a), hung_up())
    pair.call()
    pair.finish()


def test_user_hangs_up_when_bridged(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), pause(200), hang_up())
    b.start(answered_by(b, a), hung_up())
    call = pair.call()
    pair.finish()
    cause = pair.client.wait_state(call, "ended")["cause"]
    assert (cause["who"], cause["leg"], cause["code"]) == ("caller", "caller", 200)


def test_byes_that_cross_are_both_answered(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), pause(200), hang_up())
    b.start(
        answered_by(b, a),
        receive("BYE", keep("via", ".*", "Via"), keep("cseq", ".*", "CSeq")),
        hang_up(),
        answer(200),
    )
    call = pair.call()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "caller"


# By DELETE


def _delete(pair: Pair, call: str) -> None:
    answer = pair.client.ask("DELETE", f"/v1/calls/{call}")
    assert answer.status in (200, 202, 204), (answer.status, answer.body)


def _deleted(pair: Pair, call: str) -> None:
    record = pair.client.wait_state(call, "ended")
    assert record["cause"]["who"] == "api"


def test_delete_before_the_users_phone_has_reacted(pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), pause(400), answer(180), cancelled())
    call = pair.call()
    until(lambda: "INVITE" in pair.caller.messages().split("REGISTER")[-1], "the INVITE")
    _delete(pair, call)
    pair.finish()
    _deleted(pair, call)


def test_delete_while_the_user_rings(pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), answer(180), cancelled())
    call = pair.call()
    until(lambda: "SIP/2.0 180" in pair.caller.messages(), "ringing")
    _delete(pair, call)
    pair.finish()
    _deleted(pair, call)
    assert "INVITE" not in pair.callee.messages()


def test_delete_while_the_callee_rings(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), hung_up())
    b.start(offered(a), answer(180), cancelled())
    call = pair.call()
    until(lambda: "SIP/2.0 180" in b.messages(), "ringing")
    _delete(pair, call)
    pair.finish()
    _deleted(pair, call)


def test_delete_of_a_bridged_call_and_once_more(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(answered_by(b, a), hung_up())
    call = pair.call()
    pair.client.wait_state(call, "bridged")
    _delete(pair, call)
    pair.finish()
    _deleted(pair, call)
    before = pair.client.record(call)
    _delete(pair, call)
    assert pair.client.record(call) == before


def test_delete_of_an_unknown_call_and_of_someone_elses(daemon: Daemon, pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), answer(180), cancelled())
    call = pair.call()
    stranger = daemon.client(pair.callee.user)
    assert stranger.ask("DELETE", f"/v1/calls/{call}").status in (403, 404)
    assert stranger.ask("DELETE", "/v1/calls/unknown").status == 404
    pair.client.wait_state(call, "ringing-caller")
    assert daemon.client("superadmin").ask("DELETE", f"/v1/calls/{call}").status // 100 == 2
    pair.finish()


# Answers that come too late, or twice


def test_user_who_answers_after_our_cancel_is_released(pair: Pair) -> None:
    pair.caller.start(
        invited(OFFERLESS), answer(180), cancel_received(), pause(100),
        answer(200, body=sdp(pair.caller.media)), receive("ACK", has("m=audio", "body")), hung_up(),
    )  # fmt: skip
    call = pair.call()
    until(lambda: "SIP/2.0 180" in pair.caller.messages(), "ringing")
    _delete(pair, call)
    pair.finish()
    assert "INVITE" not in pair.callee.messages()


def test_callee_who_answers_after_our_cancel_is_released(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), pause(300), hang_up())
    b.start(
        offered(a), answer(180), cancel_received(), pause(100),
        answer(200, body=sdp(b.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    call = pair.call()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def _first_wins(phone: Phone, joined_with: int) -> tuple[str, ...]:
    """Answer at once; go through the whole call if we are kept, else be released."""
    return (
        answer(200, body=sdp(phone.media)),
        receive("ACK", has("m=audio", "body") if joined_with else ""),
        receive("BYE", optional=True, goto="released"),
        receive("INVITE", has(f"m=audio {joined_with} ", "body")) if joined_with else "",
        reply(200, body=sdp(phone.media, version=2)) + receive("ACK") if joined_with else "",
        note("kept"),
        receive("BYE"),
        label("released"),
        reply(200),
    )


@pytest.mark.parametrize("attempt", range(3))
def test_two_phones_of_the_user_answer_at_the_same_moment(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone], attempt: int
) -> None:
    user, callee = new_user(), make_phone(new_user()).register()
    phones = [make_phone(user).register() for _ in range(2)]
    runs = [p.start(invited(OFFERLESS), *_first_wins(p, callee.media)) for p in phones]
    callee.start(
        invited(), answer(180), pause(1500), answer(200, body=sdp(callee.media)),
        receive("ACK"), pause(200), hang_up(),
    )  # fmt: skip
    assert daemon.client(user).call(callee.user).status == 200
    until(lambda: any(run.process.poll() is not None for run in runs), "the loser's BYE", 1.3)
    for phone in (*phones, callee):
        phone.finish()
    assert [note for phone in phones for note in phone.notes()] == ["kept"]


@pytest.mark.parametrize("attempt", range(3))
def test_two_phones_of_the_callee_answer_at_the_same_moment(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone], attempt: int
) -> None:
    caller, name = make_phone(new_user()).register(), new_user()
    phones = [make_phone(name).register() for _ in range(2)]
    caller.start(
        picked_up(caller), receive("INVITE"), reply(200, body=sdp(caller.media, version=2)),
        receive("ACK"), pause(1500), hang_up(),
    )  # fmt: skip
    runs = [
        p.start(
            offered(caller), answer(200, body=sdp(p.media)), receive("ACK"),
            receive("BYE", within=1000, otherwise="kept", goto="end"),
            label("kept"), note("kept"), receive("BYE"), label("end"), reply(200),
        )
        for p in phones
    ]  # fmt: skip
    assert daemon.client(caller.user).call(name).status == 200
    until(lambda: any(run.process.poll() is not None for run in runs), "the loser's BYE", 1.3)
    for phone in (caller, *phones):
        phone.finish()
    assert [note for phone in phones for note in phone.notes()] == ["kept"]
