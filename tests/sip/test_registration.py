"""Our registration with a provider, from the first REGISTER to the one that takes it back."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.credentials import Authorizer
from sipxd.sip.message import Request, Response
from sipxd.sip.registration import (
    LONGEST_PAUSE,
    Registration,
    RegistrationState,
    SendRegister,
    Wait,
)

CONTACT = "sip:4930@198.51.100.1:5060"
CHALLENGE = ("WWW-Authenticate", 'Digest realm="example.net", nonce="n1", qop="auth"')


def make(**options: Any) -> Registration:
    settings: dict[str, Any] = {
        "expires": 3600,
        "call_id": "c1",
        "tag": "t1",
        "user_agent": "sipxd",
        "routes": (),
        "authorizer": Authorizer("4930", "geheim", "example.net", lambda: "cn"),
        "random": random.Random(1),
    }
    return Registration("sip:example.net", "sip:4930@example.net", **(settings | options))


def sent(outputs: list[Any]) -> Request:
    (output,) = outputs
    assert isinstance(output, SendRegister)
    return output.request


def waits(outputs: list[Any]) -> float:
    (output,) = outputs
    assert isinstance(output, Wait)
    return output.seconds


def reply(status: int, *headers: tuple[str, str]) -> Response:
    return Response(status, "Reply", headers=headers)


def registered(machine: Registration) -> float:
    machine.send(CONTACT)
    return waits(machine.receive(reply(200)))


def test_a_register_says_who_and_where() -> None:
    request = sent(make(routes=("<sip:p;lr>",)).send(CONTACT))
    assert (request.method, request.uri) == ("REGISTER", "sip:example.net")
    assert request.headers[:1] == [("Route", "<sip:p;lr>")]
    assert request.get("From") == "<sip:4930@example.net>;tag=t1"
    assert request.get("To") == "<sip:4930@example.net>"
    assert (request.get("Contact"), request.get("Expires")) == (f"<{CONTACT}>", "3600")


def test_a_challenge_for_our_realm_is_answered_and_the_next_request_is_ahead_of_it() -> None:
    machine = make()
    first = sent(machine.send(CONTACT))
    assert first.get("Authorization") is None
    again = sent(machine.receive(reply(401, CHALLENGE)))
    assert again.cseq == (2, "REGISTER")
    assert 'username="4930"' in (again.get("Authorization") or "")
    assert machine.receive(reply(200)) and machine.is_registered
    refresh = sent(machine.send(CONTACT))
    assert "nc=00000002" in (refresh.get("Authorization") or "")
    assert (refresh.call_id, refresh.cseq) == (first.call_id, (3, "REGISTER"))


def test_a_foreign_realm_gets_no_answer() -> None:
    machine = make()
    machine.send(CONTACT)
    strange = ("WWW-Authenticate", 'Digest realm="elsewhere", nonce="n1", qop="auth"')
    assert waits(machine.receive(reply(401, strange))) >= 150
    assert machine.state is RegistrationState.FAILED
    assert "elsewhere" in machine.sentence and "geheim" not in machine.sentence


def test_a_wrong_password_is_not_repeated() -> None:
    machine = make()
    machine.send(CONTACT)
    machine.receive(reply(401, CHALLENGE))
    assert waits(machine.receive(reply(401, CHALLENGE))) >= 150
    assert machine.sentence.startswith("The peer refused our password")


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ([], 3600),
        ([("Expires", "120")], 120),
        ([("Contact", f"<{CONTACT}>;expires=60"), ("Expires", "120")], 60),
        ([("Contact", f"<sip:x@y>;expires=60, <{CONTACT}>;expires=90")], 90),
        ([("Contact", "<sip:x@y>;expires=60")], 3600),
        ([("Expires", "0")], 10),
        ([("Expires", "99999999")], 86_400),
        ([("Expires", "soon")], 3600),
        ([("Contact", "<<"), ("Expires", "120")], 120),
    ],
)
def test_it_is_refreshed_before_it_expires(headers: list[tuple[str, str]], granted: int) -> None:
    machine = make()
    machine.send(CONTACT)
    assert 0.75 * granted <= waits(machine.receive(reply(200, *headers))) <= 0.9 * granted
    assert machine.granted == granted


def test_a_longer_time_is_asked_for_where_the_registrar_wants_it() -> None:
    machine = make(expires=60)
    machine.send(CONTACT)
    assert sent(machine.receive(reply(423, ("Min-Expires", "600")))).get("Expires") == "600"
    assert waits(machine.receive(reply(423, ("Min-Expires", "900")))) >= 15
    assert sent(machine.send(CONTACT)).get("Expires") == "600"


@pytest.mark.parametrize("value", ["", "x", "30", "99999999999"])
def test_a_senseless_minimum_is_a_failure(value: str) -> None:
    machine = make(expires=60)
    machine.send(CONTACT)
    waits(machine.receive(reply(423, ("Min-Expires", value))))
    assert machine.state is RegistrationState.FAILED


def test_the_pause_grows_and_is_not_the_same_for_everybody() -> None:
    machine = make()
    pauses = []
    for _ in range(12):
        machine.send(CONTACT)
        pauses.append(waits(machine.failed(408, "No response.")))
    assert 15 <= pauses[0] <= 30
    assert 30 <= pauses[1] <= 60
    assert LONGEST_PAUSE / 2 <= pauses[-1] <= LONGEST_PAUSE
    assert machine.sentence == "No response."
    assert registered(machine) and machine.sentence == ""
    machine.send(CONTACT)
    assert waits(machine.failed(503, "x")) <= 30


def test_retry_after_is_kept() -> None:
    machine = make()
    machine.send(CONTACT)
    assert waits(machine.receive(reply(503, ("Retry-After", "120 (busy);duration=3")))) == 120
    machine.send(CONTACT)
    assert waits(machine.receive(reply(503, ("Retry-After", "9999999")))) == LONGEST_PAUSE


def test_a_failed_refresh_means_that_no_calls_come() -> None:
    machine = make()
    registered(machine)
    machine.send(CONTACT)
    assert machine.is_registered
    machine.failed(408, "No response.")
    assert not machine.is_registered


def test_it_is_taken_back_also_against_a_challenge() -> None:
    machine = make()
    registered(machine)
    assert sent(machine.leave()).get("Expires") == "0"
    assert sent(machine.receive(reply(401, CHALLENGE))).get("Authorization")
    assert machine.receive(reply(200)) == []
    assert machine.state is RegistrationState.GONE
    assert machine.send(CONTACT) == machine.receive(reply(200)) == machine.leave() == []


def test_what_was_never_registered_is_not_taken_back() -> None:
    machine = make()
    machine.send(CONTACT)
    machine.failed(408, "x")
    assert machine.leave() == []
    assert machine.receive(reply(200)) == machine.failed(408, "x") == []


def test_what_is_under_way_is_taken_back_too() -> None:
    machine = make()
    machine.send(CONTACT)
    assert sent(machine.leave()).get("Expires") == "0"
    assert machine.leave() == []


EVENTS = st.one_of(
    st.just("send"),
    st.just("leave"),
    st.just("failed"),
    st.sampled_from([200, 401, 403, 407, 423, 500, 503]),
)


@given(st.lists(EVENTS, max_size=40))
def test_in_any_order_it_asks_or_waits_never_both(events: list[str | int]) -> None:
    machine = make()
    for event in events:
        if event == "send":
            outputs = machine.send(CONTACT)
        elif event == "leave":
            outputs = machine.leave()
        elif event == "failed":
            outputs = machine.failed(408, "x")
        else:
            outputs = machine.receive(reply(int(event), CHALLENGE, ("Min-Expires", "7200")))
        assert len(outputs) <= 1
        assert all(5 < output.seconds <= 86_400 for output in outputs if isinstance(output, Wait))
