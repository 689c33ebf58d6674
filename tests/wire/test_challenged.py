"""A PBX that asks for the password of the user, for every request (RFC 3261 section 22)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import Client, Daemon, free_port, until
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    lacks,
    pause,
    receive,
    reply,
    request,
    sdp,
)

NUMBER = "5551"
_FIELD = re.compile(r'(\w+)="?([^",\s]*)')


class House:
    """A daemon with one user and his phone, and the PBX that is its outbound proxy."""

    def __init__(self, daemon: Daemon, directory: Path, port: int) -> None:
        self.daemon = daemon
        self.user = "4001"
        self.phone = Phone(directory, daemon, self.user).register()
        self.pbx = Phone(directory, daemon, "pbx")
        self.pbx.port = port
        self.client: Client = daemon.client(self.user)

    def asks(self, nonce: str, *, realm: str = "example.test", stale: bool = False) -> str:
        """The challenge header of the PBX."""
        more = ", stale=true" if stale else ""
        return f'Proxy-Authenticate: Digest realm="{realm}", nonce="{nonce}", qop="auth"{more}'

    def wrong(self) -> list[str]:
        """The requests to the PBX whose credentials are not the user's for this very request."""
        password = self.daemon.sip_password(self.user)
        found = re.findall(
            r'^([A-Z]+) \S+ SIP/2\.0\r?\n(?:.+\n)*?Proxy-Authorization: (.+)',
            self.pbx.messages(), re.MULTILINE,
        )  # fmt: skip
        checked = [(method, dict(_FIELD.findall(value))) for method, value in found]
        assert {method for method, _ in checked} == {"INVITE", "ACK", "INFO", "BYE"}
        return [
            method for method, fields in checked
            if method != "ACK" and fields["response"] != self._response(method, fields, password)
        ]  # fmt: skip

    def _response(self, method: str, fields: dict[str, str], password: str) -> str:
        secret = _md5(f"{self.user}:{fields['realm']}:{password}")
        parts = (secret, *(fields[name] for name in ("nonce", "nc", "cnonce", "qop")))
        return _md5(":".join((*parts, _md5(f"{method}:{fields['uri']}"))))

    def finish(self) -> None:
        """Both went through their scenarios."""
        try:
            self.phone.finish()
            self.pbx.finish()
        except AssertionError as error:
            seen = self.phone.messages() + self.pbx.messages()
            raise AssertionError(f"{error}\n--- both\n{seen}") from None


@pytest.fixture(scope="module")
def proxied(make_daemon: Callable[..., Daemon]) -> tuple[Daemon, int]:
    port = free_port()
    daemon = make_daemon(sip__outbound_proxy=f"sip:127.0.0.1:{port}")
    daemon.start()
    daemon.add_user("4001")
    return daemon, port


@pytest.fixture
def house(proxied: tuple[Daemon, int], tmp_path: Path) -> Iterator[House]:
    daemon, port = proxied
    house = House(daemon, tmp_path, port)
    yield house
    house.phone.stop()
    house.pbx.stop()
    client = daemon.client(house.user)
    client.hang_up_all()
    until(lambda: not client.live_calls(), "no call to be left")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _with(nonce: str, count: int) -> tuple[str, ...]:
    """Checks on a request: credentials made with this nonce, for the time that it says."""
    header = "Proxy-Authorization"
    return has(f'nonce="{nonce}"', header), has(f"nc=0000000{count}", header)


def _picked_up(phone: Phone, pbx: Phone) -> str:
    """The user's phone is called, answers, and is offered the media of the other side."""
    return (
        invited(OFFERLESS)
        + answer(200, body=sdp(phone.media))
        + receive("ACK")
        + receive("INVITE", has(f"m=audio {pbx.media} ", "body"))
        + reply(200, body=sdp(phone.media, version=2))
        + receive("ACK")
    )


def test_every_request_answers_its_challenge(house: House) -> None:
    a, pbx = house.phone, house.pbx
    a.start(
        _picked_up(a, pbx), pause(200),
        request("INVITE", body=sdp(a.media, "sendonly", version=3)), expect(100, optional=True),
        expect(200, has("a=recvonly", "body")), request("ACK"), pause(100),
        request("INFO", body="Signal=5", content_type="application/dtmf-relay"), expect(200),
        hang_up(),
    )  # fmt: skip
    pbx.start(
        invited(lacks("Proxy-Authorization")), answer(407, house.asks("n1")), receive("ACK"),
        invited(*_with("n1", 1)),
        answer(180), answer(200, body=sdp(pbx.media)),
        receive("ACK", has('nonce="n1"', "Proxy-Authorization")),
        # A re-INVITE comes with what is known; here that has got too old meanwhile.
        receive("INVITE", *_with("n1", 2)),
        reply(407, house.asks("n2", stale=True)), receive("ACK"),
        receive("INVITE", *_with("n2", 1), has("a=sendonly", "body")),
        reply(200, body=sdp(pbx.media, "recvonly", version=2)),
        receive("ACK", has('nonce="n2"', "Proxy-Authorization")),
        receive("INFO", *_with("n2", 2), has("Signal=5", "body")),
        reply(407, house.asks("n3")),
        receive("INFO", *_with("n3", 1), has("Signal=5", "body")),
        reply(200),
        receive("BYE"), reply(407, house.asks("n4")),
        receive("BYE", *_with("n4", 1)), reply(200),
    )  # fmt: skip
    house.client.call(NUMBER)
    house.finish()
    assert house.wrong() == []


def test_a_password_that_is_refused_is_not_offered_for_ever(house: House) -> None:
    a, pbx = house.phone, house.pbx
    a.start(invited(OFFERLESS), answer(200, body=sdp(a.media)), receive("ACK"), hung_up())
    pbx.start(
        invited(), answer(407, house.asks("m1", stale=True)), receive("ACK"),
        invited(has('nonce="m1"', "Proxy-Authorization")), answer(407, house.asks("m2")),
        receive("ACK"),
    )  # fmt: skip
    call = house.client.call(NUMBER).call
    house.finish()
    cause = house.client.wait_state(call, "ended")["cause"]
    assert cause["code"] == 403
    assert "refused our password" in cause["sentence"]


def test_the_password_is_for_nobody_elses_realm(house: House) -> None:
    a, pbx = house.phone, house.pbx
    a.start(invited(OFFERLESS), answer(200, body=sdp(a.media)), receive("ACK"), hung_up())
    pbx.start(invited(), answer(407, house.asks("x1", realm="elsewhere")), receive("ACK"))
    call = house.client.call(NUMBER).call
    house.finish()
    sentence = house.client.wait_state(call, "ended")["cause"]["sentence"]
    assert 'the password of realm "elsewhere", which is not ours to give' in sentence
