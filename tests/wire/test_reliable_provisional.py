"""Reliable provisional responses and early dialogs (RFC 3262, 3311), with SIPp on both sides."""

from __future__ import annotations

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
    lacks,
    pause,
    prack,
    receive,
    reply,
    request,
    rung,
    sdp,
)

REQUIRED = ("Require: 100rel",)
SUPPORTED = ("Supported: 100rel",)
NUMBER = 7000
WITHOUT = lacks("m=audio", "body")


def _reliably(phone: Phone, media: int, number: int = NUMBER) -> str:
    """A reliable 183 with an answer, and its PRACK."""
    ringing = answer(183, "Require: 100rel", f"RSeq: {number}", body=sdp(media))
    acknowledged = receive("PRACK", has(f"{number} [0-9]+ INVITE", "RAck")) + reply(200)
    return ringing + acknowledged


def test_callee_answers_in_a_reliable_183_and_its_200_says_nothing_more(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        offered(a), _reliably(b, b.media), pause(200),
        answer(200), receive("ACK", WITHOUT), hung_up(),
    )  # fmt: skip
    a.dial(
        b.user, expect(183, has(f"m=audio {b.media} ", "body")),
        answered(has(f"m=audio {b.media} ", "body")), hang_up(),
    )  # fmt: skip
    pair.finish()


def test_click_to_call_takes_the_answer_of_a_reliable_183(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(
        offered(a), _reliably(b, b.media), pause(500), answer(200), receive("ACK", WITHOUT),
        pause(300), hang_up(),
    )  # fmt: skip
    call = pair.call()
    pair.client.wait_state(call, "bridged")
    pair.finish()


def test_a_reliable_response_that_comes_twice_is_acknowledged_once(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    again = answer(183, "Require: 100rel", f"RSeq: {NUMBER}", body=sdp(b.media))
    b.start(
        offered(a), _reliably(b, b.media), again, pause(300),
        answer(180, "Require: 100rel", f"RSeq: {NUMBER + 1}"),
        receive("PRACK", has(f"{NUMBER + 1} ", "RAck")), reply(200),
        answer(200), receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(b.user, expect(183), expect(180), answered(), hang_up())
    pair.finish()


def test_an_invite_without_an_offer_does_not_offer_reliability(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        receive("INVITE", has("100rel", "Supported")), reply(486), receive("ACK"),
    )  # fmt: skip
    a.start(
        picked_up(a).replace("</action>", f"{lacks('100rel', 'Supported')}</action>", 1), hung_up()
    )
    pair.call()
    pair.finish()


def test_caller_that_requires_it_is_rung_reliably(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(offered(a), answer(180), pause(500), answer(200, body=sdp(b.media)), receive("ACK"),
            hung_up())  # fmt: skip
    a.dial(
        b.user, rung(180), prack(), expect(200),
        answered(has(f"m=audio {b.media} ", "body"), cseq=2), hang_up(), headers=REQUIRED,
    )  # fmt: skip
    pair.finish()


def test_ringing_is_repeated_until_it_is_acknowledged(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(offered(a), answer(180), pause(2300), answer(200, body=sdp(b.media)), receive("ACK"),
            hung_up())  # fmt: skip
    a.dial(
        b.user, rung(180), pause(1800),
        request("PRACK", "RAck: 1 2 INVITE"), expect(481), prack(), expect(200),
        answered(cseq=2), hang_up(), headers=REQUIRED,
    )  # fmt: skip
    pair.finish()
    # SIPp itself takes no notice of a message that it has had.
    assert a.messages().count("SIP/2.0 180") == 3


def test_early_media_is_the_answer_for_a_caller_that_supports_it(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        offered(a), answer(183, body=sdp(b.media)), pause(400),
        answer(200, body=sdp(b.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(
        b.user, rung(183, has(f"m=audio {b.media} ", "body")), prack(), expect(200),
        answered(WITHOUT, cseq=2), hang_up(), headers=SUPPORTED,
    )  # fmt: skip
    pair.finish()


def test_another_answer_than_the_reliable_one_is_offered_to_the_caller(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        offered(a), answer(183, body=sdp(b.media + 1)), pause(400),
        answer(200, body=sdp(b.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(
        b.user, rung(183, has(f"m=audio {b.media + 1} ", "body")), prack(), expect(200),
        answered(WITHOUT, cseq=2),
        receive("INVITE", has(f"m=audio {b.media} ", "body")), reply(200, body=sdp(a.media)),
        receive("ACK"), hang_up(), headers=SUPPORTED,
    )  # fmt: skip
    pair.finish()


def test_reliable_on_both_sides_with_new_media_before_the_answer(pair: Pair) -> None:
    """The callee moves its media by UPDATE while it rings; the caller gets an UPDATE for it."""
    a, b = pair.caller, pair.callee
    b.start(
        offered(a), _reliably(b, b.media), pause(300),
        request("UPDATE", body=sdp(b.media + 1, version=2)),
        expect(200, has(f"m=audio {a.media} ", "body")), pause(500),
        answer(200), receive("ACK", WITHOUT), hung_up(),
    )  # fmt: skip
    a.dial(
        b.user, rung(183, has(f"m=audio {b.media} ", "body")), prack(), expect(200),
        expect(183, WITHOUT),
        receive("UPDATE", has(f"m=audio {b.media + 1} ", "body")), reply(200, body=sdp(a.media)),
        answered(WITHOUT, cseq=2), pause(300), hang_up(), headers=SUPPORTED,
    )  # fmt: skip
    pair.finish()


@pytest.mark.parametrize("way", ["UPDATE", "PRACK"])
def test_the_caller_moves_its_media_before_the_answer(pair: Pair, way: str) -> None:
    a, b = pair.caller, pair.callee
    moved = sdp(a.media + 1, version=2)
    b.start(
        offered(a), _reliably(b, b.media),
        receive("UPDATE", has(f"m=audio {a.media + 1} ", "body")),
        reply(200, body=sdp(b.media, version=2)), pause(300),
        answer(200), receive("ACK"),
        # It is offered once more: that the UPDATE arrived is not relied upon.
        receive("INVITE", has(f"m=audio {a.media + 1} ", "body")),
        reply(200, body=sdp(b.media, version=3)), receive("ACK"), hung_up(),
    )  # fmt: skip
    taken = expect(200, has(f"m=audio {b.media} ", "body"))
    if way == "UPDATE":
        steps = (prack(), expect(200), request("UPDATE", body=moved), taken)
    else:
        steps = (prack(moved), taken)
    a.dial(
        b.user, rung(183, has(f"m=audio {b.media} ", "body")), *steps,
        expect(183, optional=True), answered(WITHOUT, cseq=2), pause(500), hang_up(),
        headers=SUPPORTED,
    )  # fmt: skip
    pair.finish()


def test_each_phone_that_sends_early_media_is_an_early_dialog_of_its_own(
    new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    a, name = make_phone(new_user()).register(), new_user()
    first, second = (make_phone(name).register() for _ in range(2))
    first.start(
        offered(a), answer(183, body=sdp(first.media)), receive("CANCEL"), reply(200),
        answer(487), receive("ACK"),
    )  # fmt: skip
    second.start(
        offered(a), pause(600), answer(183, body=sdp(second.media)), pause(600),
        answer(200, body=sdp(second.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    a.dial(
        name, rung(183, has(f"m=audio {first.media} ", "body")), prack(), expect(200),
        rung(183, has(f"m=audio {second.media} ", "body")), prack(), expect(200),
        answered(WITHOUT, cseq=2), hang_up(), headers=SUPPORTED,
    )  # fmt: skip
    for phone in (a, first, second):
        phone.finish()
    tags = {line for line in a.messages().splitlines() if line.startswith("RAck")}
    assert len(tags) == 2


def test_caller_without_an_offer_that_requires_reliability_is_still_connected(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    b.start(answered_by(b, a).replace(f"m=audio {a.media} ", ""), hung_up())
    a.dial(
        b.user, answered(has(f"m=audio {b.media} ", "body"), ack=sdp(a.media)), pause(200),
        hang_up(), offer=False, headers=REQUIRED,
    )  # fmt: skip
    pair.finish()
