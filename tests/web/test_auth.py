"""Who may in: Basic credentials, and what is answered without them."""

from __future__ import annotations

import base64

import pytest
import pytest_twisted
from twisted.internet import defer
from twisted.internet.threads import deferToThread

from sipxd.errors import Forbidden, Unauthorized
from sipxd.web.auth import read_authorization, read_basic, shield

ensure = pytest_twisted.ensureDeferred


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/call/201"),
        ("PUT", "/sipxconfig/rest/my/call/201"),
        ("GET", "/v1/calls"),
        ("POST", "/v1/calls"),
        ("GET", "/v1/calls/1"),
        ("DELETE", "/v1/calls/1"),
    ],
)
@ensure
async def test_without_credentials_there_is_a_challenge_and_nothing_else(door, method, path):
    answer = await door.request(method, path, user=None)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="example.org", charset="UTF-8"'
    assert answer.json["type"] == "urn:sipxd:problem:unauthorized"
    assert not door.accounts.sources


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !",
        "Basic MjAw",
        "Basic " + "A" * 4000,
        "Bearer MjAwOjIwMDIwMA==",
        'Digest username="200"',
        "Basic " + base64.b64encode(b"200:wrong").decode(),
        "Basic " + base64.b64encode(b"nobody:200").decode(),
        "Basic " + base64.b64encode(b"200:\xff\x00").decode(),
    ],
)
@ensure
async def test_bad_credentials_are_challenged(door, header):
    answer = await door.request("PUT", "/call/201", user=None, Authorization=header)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert not door.calls.records


@ensure
async def test_a_guesser_is_told_how_long_to_wait(door):
    answer = await door.request("PUT", "/call/201", user="guesser")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert answer.headers["WWW-Authenticate"] is None


@ensure
async def test_names_may_be_utf_8_or_latin_1(door):
    for coding in ("utf-8", "latin-1"):
        encoded = base64.b64encode("zoë:zoëzoë".encode(coding)).decode()
        answer = await door.request("PUT", "/call/1", user=None, Authorization=f"basic {encoded}")
        assert answer.status == 200


def test_a_colon_may_stand_in_the_password() -> None:
    assert read_basic(base64.b64encode(b"200:a:b")) == ("200", "a:b")


def test_two_authorization_headers_are_refused() -> None:
    header = b"Basic " + base64.b64encode(b"200:1")
    with pytest.raises(Unauthorized):
        read_authorization([header, header])


@ensure
async def test_a_client_that_goes_away_does_not_interrupt_the_service(door):
    door.calls.gate = defer.Deferred()

    def knock_and_go() -> None:
        with door.connect() as connection:
            encoded = base64.b64encode(b"200:200200")
            connection.sendall(
                b"PUT /call/201 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic "
                + encoded
                + b"\r\n\r\n"
            )

    await deferToThread(knock_and_go)
    await door.until(lambda: not door.site.connections)
    gate, door.calls.gate = door.calls.gate, None
    gate.callback(None)
    assert door.calls.completed == 1


@ensure
async def test_a_client_that_goes_away_ends_its_waiting_for_the_outcome(door):
    def knock_and_go() -> None:
        with door.connect() as connection:
            encoded = base64.b64encode(b"200:200200")
            connection.sendall(
                b"PUT /call/0000?wait=bridged HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Basic " + encoded + b"\r\n\r\n"
            )

    await deferToThread(knock_and_go)
    await door.until(lambda: door.calls.cancelled)
    assert door.calls.completed == 1
    assert [record.ended for record in door.calls.records.values()] == [None]


def test_shielded_work_goes_on_and_its_late_refusal_is_dropped() -> None:
    gate: defer.Deferred[None] = defer.Deferred()
    finished = []

    async def work() -> None:
        await gate
        finished.append(True)
        raise Forbidden("Too late to matter.")

    waiting = shield(work())
    failures: list[object] = []
    waiting.addErrback(failures.append)
    waiting.cancel()
    assert len(failures) == 1
    gate.callback(None)
    assert finished == [True]
