"""Click-to-call with SIPp on both sides: who rings when, who is offered what, how it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from daemon import Daemon, until
from roles import RING_TIMEOUT, Pair, answered_by, joined, offered, picked_up
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    cancelled,
    goto,
    hang_up,
    has,
    hung_up,
    invited,
    label,
    lacks,
    look,
    note,
    pause,
    receive,
    reply,
    sdp,
)


def test_users_phone_rings_first_then_the_other_and_both_are_joined(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        invited(OFFERLESS, has(f"sip:{b.user}@example.test", "From")),
        answer(180),
        answer(200, body=sdp(a.media)),
        receive("ACK", has("a=inactive", "body"), lacks("m=audio 0 ")),
        joined(a, b),
        hung_up(),
    )
    b.start(answered_by(b, a), pause(300), hang_up())
    call = pair.call()
    pair.client.wait_state(call, "bridged")
    pair.finish()
    record = pair.client.wait_state(call, "ended")
    assert record["user"] == a.user
    assert record["number"] == b.user
    assert record["cause"]["who"] == "callee"
    assert record["cause"]["leg"] == "callee"
    assert record["cause"]["code"] == 200
    assert record["started"] <= record["answered"] <= record["bridged"] <= record["ended"]
    assert not record["media_mismatch"]
    # The callee sees the caller's own identity, and nothing of the caller's phone but its media.
    assert f"sip:{a.user}@example.test" in b.messages()
    assert "o=phone" not in b.messages().split("SIP/2.0 180")[0]


def test_callee_does_not_ring_before_the_user_has_answered(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        invited(OFFERLESS), answer(180), pause(1000), answer(200, body=sdp(a.media)),
        receive("ACK"), joined(a, b), hung_up(),
    )  # fmt: skip
    b.start(answered_by(b, a), pause(200), hang_up())
    call = pair.call()
    until(lambda: "SIP/2.0 180" in a.messages(), "the user's phone to ring")
    pair.client.wait_state(call, "ringing-caller")
    assert "INVITE" not in b.messages().split("REGISTER")[-1]
    pair.finish()


def test_a_phone_may_ring_for_long(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    long = pause(RING_TIMEOUT * 1000 - 1000)
    a.start(
        invited(OFFERLESS), answer(180), long, answer(200, body=sdp(a.media)),
        receive("ACK"), joined(a, b), hang_up(),
    )  # fmt: skip
    b.start(
        offered(a), answer(180), long, answer(200, body=sdp(b.media)), receive("ACK"), hung_up()
    )
    pair.call()
    pair.finish()


@pytest.mark.parametrize("code", [488, 415, 606, 400])
def test_a_phone_that_refuses_offerless_invites_gets_an_offer(pair: Pair, code: int) -> None:
    a, b = pair.caller, pair.callee
    agent = f"User-Agent: Refuser-{code}"
    # The second INVITE may be a call of its own for SIPp, or the same one.
    a.start(
        invited(look("offer", "m=audio", "body")),
        goto("offered", test="offer"),
        answer(code, agent),
        receive("ACK"),
        note("refused"),
        goto("end"),
        label("offered"),
        answer(180, agent),
        answer(200, agent, body=sdp(a.media, "inactive")),
        receive("ACK"),
        joined(a, b),
        hung_up(),
        label("end"),
        pause(1),
        calls=2,
    )
    b.start(answered_by(b, a), pause(100), hang_up())
    pair.call()
    pair.finish()
    assert a.notes() == ["refused"]


def test_a_refusal_of_offerless_invites_is_remembered_per_model(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    model = "User-Agent: Refuser-Remembered/1.0"
    a.register(headers=(model,))
    learning = a.start(
        invited(look("offer", "m=audio", "body")), goto("offered", test="offer"),
        answer(488, model), receive("ACK"), goto("end"),
        label("offered"), answer(486, model), receive("ACK"),
        label("end"), pause(1), calls=2,
    )  # fmt: skip
    assert pair.client.call(b.user, wait=True).status == 502
    learning.finish()
    a.start(
        invited(has("m=audio", "body")), answer(200, model, body=sdp(a.media, "inactive")),
        receive("ACK"), joined(a, b), hung_up(),
    )  # fmt: skip
    b.start(answered_by(b, a), pause(200), hang_up())
    pair.call()
    pair.finish()


def test_busy_user_ends_the_call_and_nobody_else_rings(pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), answer(180), answer(486), receive("ACK"))
    result = pair.client.call(pair.callee.user, wait=True)
    pair.finish()
    assert result.status == 502
    assert result.json()["code"] == 486
    assert result.json()["leg"] == "caller"
    assert result.json()["sentence"]
    assert "INVITE" not in pair.callee.messages()


def test_busy_callee_ends_the_call_with_the_reason(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), hung_up(has("cause=486", "Reason")))
    b.start(offered(a), answer(180), answer(486), receive("ACK"))
    result = pair.client.call(b.user, wait=True)
    pair.finish()
    assert result.status == 502
    assert (result.json()["leg"], result.json()["code"]) == ("callee", 486)
    record = pair.client.wait_state(result.call, "ended")
    assert record["cause"]["who"] == "callee"
    assert record["cause"]["leg"] == "callee"
    assert record["cause"]["code"] == 486


def test_callee_that_answers_404_is_not_found(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), hung_up())
    b.start(offered(a), answer(404), receive("ACK"))
    result = pair.client.call(b.user, wait=True)
    pair.finish()
    assert result.status == 404, result.body
    assert (result.json()["leg"], result.json()["code"]) == ("callee", 404)


def test_user_who_never_answers_is_cancelled(pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), answer(180), cancelled())
    result = pair.client.call(pair.callee.user, wait=True)
    pair.finish()
    assert result.status == 408, result.body
    assert result.json()["leg"] == "caller"


def test_callee_who_never_answers_is_cancelled_and_the_user_released(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), hung_up())
    b.start(offered(a), answer(180), cancelled())
    result = pair.client.call(b.user, wait=True)
    pair.finish()
    assert result.status == 408, result.body
    assert result.json()["leg"] == "callee"
    assert pair.client.wait_state(result.call, "ended")["cause"]["code"] == 408


def test_wait_bridged_answers_when_both_are_joined(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(answered_by(b, a), pause(500), hang_up())
    result = pair.client.call(b.user, wait=True)
    assert result.status == 200
    assert pair.client.record(result.call)["state"] == "bridged"
    pair.finish()


def test_early_media_is_a_preview_and_no_answer(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b, media=b.media + 1), joined(a, b), hung_up())
    b.start(
        offered(a), answer(180), answer(183, body=sdp(b.media + 1)), pause(800),
        answer(200, body=sdp(b.media)), receive("ACK"), pause(300), hang_up(),
    )  # fmt: skip
    call = pair.call()
    until(lambda: a.messages().count(f"m=audio {b.media + 1} ") == 1, "the preview")
    pair.client.wait_state(call, "ringing-callee")
    pair.client.wait_state(call, "bridged")
    pair.finish()


def test_early_media_that_becomes_the_answer_needs_no_new_offer_to_the_callee(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        joined(a, b),
        receive("INVITE", optional=True, goto="again"),
        hung_up(),
        goto("end"),
        label("again"),
        reply(200, body=sdp(a.media, version=3)),
        receive("ACK"),
        hung_up(),
        label("end"),
        pause(1),
    )
    b.start(
        offered(a), answer(183, body=sdp(b.media)), pause(300),
        answer(200, body=sdp(b.media)), receive("ACK"), pause(300), hang_up(),
    )  # fmt: skip
    pair.call()
    pair.finish()


def test_preview_follows_the_caller_who_hangs_up(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), pause(100), hang_up())
    b.start(offered(a), answer(183, body=sdp(b.media)), cancelled())
    call = pair.call()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def test_new_media_of_the_caller_reaches_the_callee(pair: Pair) -> None:
    """The caller's answer to the join differs from its first offer: a second round is due."""
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        receive("INVITE", has(f"m=audio {b.media} ", "body")),
        reply(200, body=sdp(a.media + 1, version=2)),
        receive("ACK"),
        hung_up(),
    )
    b.start(
        answered_by(b, a),
        receive("INVITE", has(f"m=audio {a.media + 1} ", "body")),
        reply(200, body=sdp(b.media, version=2)),
        receive("ACK"),
        pause(200),
        hang_up(),
    )
    call = pair.call()
    pair.finish()
    assert not pair.client.wait_state(call, "ended")["media_mismatch"]


@pytest.mark.parametrize(
    ("code", "header"), [(491, "X-Nothing: here"), (500, "Retry-After: 1")], ids=["491", "500"]
)
def test_glare_on_the_join_is_tried_again(pair: Pair, code: int, header: str) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a),
        receive("INVITE", has(f"m=audio {b.media} ", "body")),
        reply(code, header),
        receive("ACK"),
        joined(a, b),
        pause(100),
        hang_up(),
    )
    b.start(answered_by(b, a), hung_up())
    call = pair.call()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["bridged"]


def test_join_that_the_caller_refuses_ends_both_legs(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a), receive("INVITE", has(f"m=audio {b.media} ", "body")), reply(488),
        receive("ACK"), hung_up(),
    )  # fmt: skip
    b.start(answered_by(b, a), hung_up())
    result = pair.client.call(b.user, wait=True)
    pair.finish()
    assert result.status == 502, result.body


def test_answer_without_any_media_is_a_failed_call(pair: Pair) -> None:
    """Some phones answer 200 with port 0 where they mean 488."""
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), hung_up())
    b.start(offered(a), answer(180), answer(200, body=sdp(0)), receive("ACK"), hung_up())
    result = pair.client.call(b.user, wait=True)
    pair.finish()
    assert result.status == 502, result.body


def test_session_interval_too_small_for_a_phone_is_raised(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        invited(OFFERLESS), answer(422, "Min-SE: 2222"), receive("ACK"),
        invited(OFFERLESS, has("2222", "Session-Expires"), has("2222", "Min-SE")),
        answer(200, body=sdp(a.media)), receive("ACK"), joined(a, b), hung_up(),
    )  # fmt: skip
    b.start(answered_by(b, a), pause(100), hang_up())
    pair.call()
    pair.finish()


def test_the_same_request_again_is_the_same_call(pair: Pair) -> None:
    a = pair.caller
    a.start(invited(OFFERLESS), answer(180), cancelled())
    first = pair.client.call(pair.callee.user)
    again = pair.client.call(pair.callee.user)
    assert first.call == again.call
    assert pair.client.ask("DELETE", f"/v1/calls/{first.call}").status // 100 == 2
    pair.finish()


def test_user_without_phone_and_unknown_number_are_404_with_a_sentence(
    daemon: Daemon, pair: Pair, new_user: Callable[[], str]
) -> None:
    lonely = new_user()
    for client, number in (
        (daemon.client(lonely), pair.callee.user),
        (pair.client, "7654321"),
    ):
        answer = client.call(number)
        assert answer.status == 404
        assert answer.body.strip()
        assert answer.headers["Content-Type"].startswith(("application/problem+json", "text/plain"))


def test_every_contact_of_the_user_rings_and_a_busy_one_does_not_end_it(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    user, callee = new_user(), make_phone(new_user()).register()
    phone = make_phone(user)
    # One REGISTER with two contacts, as a phone with two lines sends it: both ring over its flow.
    phone.register(*(f"sip:{line}@127.0.0.1:{phone.port}" for line in ("desk", "sofa")))
    phone.start(
        invited(OFFERLESS, look("sofa", "^INVITE sip:sofa@")), goto("sofa", test="sofa"),
        answer(180), answer(486), receive("ACK"), note("busy"), goto("end"),
        label("sofa"), answer(180), pause(500), answer(200, body=sdp(phone.media)),
        receive("ACK"), joined(phone, callee), hung_up(), note("called"),
        label("end"), pause(1),
        calls=2,
    )  # fmt: skip
    callee.start(answered_by(callee, phone), pause(200), hang_up())
    assert daemon.client(user).call(callee.user).status == 200
    phone.finish()
    callee.finish()
    assert phone.notes() == ["busy", "called"]


def test_administrator_may_call_for_a_user_and_others_only_for_themselves(
    daemon: Daemon, pair: Pair
) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(answered_by(b, a), pause(100), hang_up())
    wanted = {"user": a.user, "number": b.user}
    refused = daemon.client(b.user).ask("POST", "/v1/calls", wanted)
    assert refused.status == 403, refused.body
    answer_ = daemon.client("superadmin").ask("POST", "/v1/calls", wanted)
    assert answer_.status == 201, answer_.body
    pair.finish()
    assert pair.client.calls()[0]["id"] == answer_.call


def test_wrong_method_is_told_the_right_one(pair: Pair) -> None:
    answer = pair.client.ask("GET", f"/call/{pair.callee.user}")
    assert answer.status == 405
    assert "PUT" in answer.headers["Allow"]
