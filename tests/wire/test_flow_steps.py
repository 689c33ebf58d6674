"""The flows of a click-to-call step by step: what SIPp is sent in each, and what it may answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from daemon import Daemon, until
from roles import Pair, answered_by, joined, picked_up
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    answered,
    call_unasked,
    cancelled,
    expect,
    goto,
    hang_up,
    has,
    hung_up,
    invited,
    label,
    look,
    pause,
    receive,
    reply,
    request,
    sdp,
)

WITH_REFER = "INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY"


def begin(pair: Pair, flow: str) -> str:
    """Start the call by that flow; returns its id."""
    begun = pair.client.call(pair.callee.user, flow=flow)
    assert begun.status == 200, begun.body
    return begun.call


# -- offerless -------------------------------------------------------------------------------------


def test_offerless_answers_the_destination_in_the_acknowledgement(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hang_up())
    b.start(
        invited(OFFERLESS), answer(180), answer(200, body=sdp(b.media)),
        receive("ACK", has(f"m=audio {a.media} ", "body")), hung_up(),
    )  # fmt: skip
    call = begin(pair, "offerless")
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def test_offerless_ends_both_when_the_users_phone_refuses(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(
        picked_up(a), receive("INVITE"), reply(488), receive("ACK"),
        hung_up(has("cause=488", "Reason")),
    )  # fmt: skip
    b.start(
        invited(OFFERLESS), answer(200, body=sdp(b.media)),
        receive("ACK", has("a=inactive", "body"), has("m=audio [1-9]", "body")),
        hung_up(has("cause=488", "Reason")),
    )  # fmt: skip
    call = begin(pair, "offerless")
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["code"] == 488


def test_offerless_tries_again_with_an_offer_where_the_destination_wants_one(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(
        invited(look("offer", "m=audio", "body")), goto("take", test="offer"),
        answer(488), receive("ACK"), goto("end"),
        label("take"), answer(200, body=sdp(b.media)), receive("ACK"), pause(200), hang_up(),
        label("end"), pause(1),
        calls=2,
    )  # fmt: skip
    call = begin(pair, "offerless")
    pair.finish()
    assert pair.client.wait_state(call, "ended")["bridged"]


# -- refer -----------------------------------------------------------------------------------------


def referred(phone: Phone, *headers: str) -> str:
    """The user's phone answers, is held, and is asked to call somewhere."""
    return (
        invited(OFFERLESS)
        + answer(200, *headers, body=sdp(phone.media), allow=WITH_REFER)
        + receive("ACK", has("a=inactive", "body"))
        + receive("REFER", has("@example.test", "Referred-By"))
    )


def told(status: str) -> str:
    """The phone tells by NOTIFY how its call goes; always ``active``, as linphone does."""
    headers = ("Event: refer", "Subscription-State: active;expires=60")
    return request(
        "NOTIFY", *headers, body=f"SIP/2.0 {status}", content_type="message/sipfrag"
    ) + expect(200)


def token_of(phone: Phone) -> str:
    """The user part that the phone was referred to."""
    found: list[str] = []

    def there() -> bool:
        found[:] = re.findall(r"Refer-To: <sip:([0-9a-f]{32})@127\.0\.0\.1:", phone.messages())
        return bool(found)

    until(there, "the REFER")
    return found[0]


def calls_back(phone: Phone, token: str, *steps: str) -> None:
    """The phone calls whom it was referred to, as nobody whom we know."""
    phone.start(
        call_unasked("anonymous", "10.0.0.9", token, sdp(phone.media)),
        *steps,
        request_uri=f"{token}@{phone.daemon.domain}",
    )


def test_refer_brings_the_phone_back_without_its_account(
    pair: Pair, make_phone: Callable[[str], Phone]
) -> None:
    a, b = pair.caller, pair.callee
    a.start(referred(a), reply(202), told("100 Trying"), hung_up())
    call = begin(pair, "refer")
    token = token_of(a)
    line, late = make_phone(a.user), make_phone(a.user)
    b.start(answered_by(b, line), pause(300), hang_up())
    calls_back(line, token, expect(180), answered(has(f"m=audio {b.media} ", "body")), hung_up())
    line.finish()
    pair.finish()
    record = pair.client.wait_state(call, "ended")
    assert (record["kind"], record["flow"]) == ("click-to-call", "refer")
    assert record["answered"] < record["bridged"] and record["cause"]["who"] == "callee"
    # The callee is called by the user, whatever the phone said of itself.
    assert f"From: <sip:{a.user}@example.test>" in b.messages()
    assert "anonymous" not in b.messages()
    # The next one who comes with the same address is a stranger.
    calls_back(late, token, expect(401))
    late.finish()


def test_a_user_who_hangs_up_after_refer_has_the_destination_cancelled(
    pair: Pair, make_phone: Callable[[str], Phone]
) -> None:
    a, b = pair.caller, pair.callee
    a.start(referred(a), reply(202), hung_up())
    call = begin(pair, "refer")
    token = token_of(a)
    line = make_phone(a.user)
    b.start(invited(), answer(180), cancelled())
    calls_back(line, token, expect(180), pause(200), line.cancels(token))
    line.finish()
    pair.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def test_a_refused_refer_goes_on_as_offer_and_is_remembered_until_it_is_cleared(
    daemon: Daemon, pair: Pair
) -> None:
    a, b = pair.caller, pair.callee
    agent = f"old-phone/{a.user}"
    server = f"Server: {agent}"
    a.register(headers=(f"User-Agent: {agent}",))
    not_asked = (
        invited(OFFERLESS)
        + answer(200, server, body=sdp(a.media), allow=WITH_REFER)
        + receive("ACK", has("a=inactive", "body"))
    )
    for begins in (referred(a, server) + reply(405), not_asked, referred(a, server) + reply(405)):
        a.start(begins, joined(a, b), hang_up())
        b.start(answered_by(b, a), hung_up())
        call = begin(pair, "refer")
        pair.finish()
        assert pair.client.wait_state(call, "ended")["flow"] == "offer"
        known = json.loads(daemon.command("phones", "list", "--json"))
        assert [e["refuses"] for e in known if e["user_agent"] == agent] == ["refer"]
        if begins is not_asked:
            assert daemon.command("phones", "clear", agent) == "forgotten: 1\n"


def test_auto_refers_only_phones_that_say_that_they_take_it(pair: Pair) -> None:
    a, b = pair.caller, pair.callee
    a.start(picked_up(a), joined(a, b), hang_up())
    b.start(answered_by(b, a), hung_up())
    call = begin(pair, "auto")
    pair.finish()
    assert pair.client.wait_state(call, "ended")["flow"] == "offer"


def test_a_phone_that_cannot_call_tells_why(pair: Pair) -> None:
    a = pair.caller
    a.start(referred(a), reply(202), told("100 Trying"), told("503 Service Unavailable"), hung_up())
    call = begin(pair, "refer")
    a.finish()
    cause = pair.client.wait_state(call, "ended")["cause"]
    assert (cause["who"], cause["leg"], cause["code"]) == ("caller", "caller", 503)


def test_delete_after_refer_ends_the_phones_call_and_a_late_one_is_refused(
    pair: Pair, make_phone: Callable[[str], Phone]
) -> None:
    a = pair.caller
    a.start(referred(a), reply(202), hung_up())
    call = begin(pair, "refer")
    token = token_of(a)
    assert pair.client.ask("DELETE", f"/v1/calls/{call}").status == 204
    a.finish()
    line = make_phone(a.user)
    calls_back(line, token, expect(401))
    line.finish()
    assert pair.client.wait_state(call, "ended")["cause"]["who"] == "api"


# -- what is asked of the phone --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "header", "value"),
    [
        ("Yealink SIP-T46S", "Call-Info", "<sip:example.test>;answer-after=0"),
        ("snomD785", "Alert-Info", "<http://example.test>;info=alert-autoanswer"),
        ("nobody knows", "Call-Info", "<sip:example.test>;answer-after=0"),
    ],
)
def test_the_users_phone_is_asked_to_answer_by_itself_and_the_other_is_not(
    pair: Pair, agent: str, header: str, value: str
) -> None:
    a, b = pair.caller, pair.callee
    for phone in (a, b):
        phone.register(headers=(f"User-Agent: {agent}",))
    a.start(picked_up(a), joined(a, b), hang_up())
    b.start(answered_by(b, a), hung_up())
    begin(pair, "offer")
    pair.finish()
    assert f"{header}: {value}" in a.messages()
    assert "Call-Info:" not in b.messages() and "Alert-Info:" not in b.messages()
