"""What a connection and a request may cost, and what is refused before it is routed."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
import socket
import ssl

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry, Counter
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher

from sipxd.web.channel import BODY_SECONDS, HEADER_SECONDS, IDLE_SECONDS
from sipxd.web.site import build_metrics_site

ensure = pytest_twisted.ensureDeferred
AUTH = b"Authorization: Basic MjAwOjIwMDIwMA==\r\n"
PUT = b"PUT /call/201 HTTP/1.1\r\nHost: x\r\n" + AUTH


@pytest.fixture
def errors():
    """Log events of level error and above; a client must not be able to cause one."""
    events = []

    def observe(event):
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def read_all(connection: ssl.SSLSocket) -> bytes:
    received = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            received += piece
    return received


def statuses(received: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", received)]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"PUT /call/" + b"1" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"PUT /call/" + b"1" * 40_000, 414),
        (PUT + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (PUT + b"X: " + b"a" * 40_000, 431),
        (PUT + b"X: a\r\n" * 5_000 + b"\r\n", 431),
        (PUT + b"".join(b"%d:\r\n" % n for n in range(600)) + b"\r\n", 431),
        (PUT + b"Content-Length: 1048577\r\n\r\n", 413),
        (PUT + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", 413),
        (PUT + b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", 413),
        (
            PUT + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%b\r\n" % (b"a" * 65536) * 17,
            413,
        ),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\na", 400),
        (PUT + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (PUT + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (PUT + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (PUT + b"Content-Length: 1\r\ncontent-length: 0\r\n\r\na", 400),
        (PUT + b"Content-Length: 1, 1\r\n\r\na", 400),
        (PUT + b"Content-Length: 0x1\r\n\r\na", 400),
        (PUT + b"Content-Length: 10485760\r\n\r\n" + b"a" * 10_485_760, 413),
        (PUT + b"Content-Length: +1\r\n\r\na", 400),
        (PUT + b"Content-Length: 1_0\r\n\r\na", 400),
        (PUT + b"Content-Length: -1\r\n\r\na", 400),
        (PUT + b"Expect: a miracle\r\n\r\n", 417),
        (PUT + b"No colon\r\n\r\n", 400),
        (PUT + b"X\x01: y\r\n\r\n", 400),
        (PUT + b"X : y\r\n\r\n", 400),
        (PUT + b"X: y\nZ: z\r\n\r\n", 400),
        (PUT + b"Host: y\r\n\r\n", 400),
        (b"PUT /call/201 HTTP/1.1\r\n" + AUTH + b"\r\n", 400),
        (b"PUT /call/201\r\n\r\n", 400),
        (b"PUT /call/201 HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"P(T /call/201 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\r\n\r\n", 400),
    ],
)
@ensure
async def test_a_request_beyond_a_limit_is_refused_and_the_connection_closed(
    door, errors, request_bytes, status
):
    received = await door.raw(request_bytes)
    assert statuses(received) == [status]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"Connection: close" in head
    assert b"Server:" not in head
    assert json.loads(body)["status"] == status
    assert not door.calls.records
    assert not errors


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"PUT /call/%FF HTTP/1.1", 400),
        (b"PUT /%C0%AF HTTP/1.1", 400),
        (b"GET /nothing%00 HTTP/1.1", 400),
        (b"PUT call/201 HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"BREW /call/201 HTTP/1.1", 501),
        (b"GET /nothing HTTP/1.1", 404),
        (b"GET /../../etc/passwd HTTP/1.1", 404),
        (b"GET / HTTP/1.1", 404),
        (b"GET https://elsewhere HTTP/1.1", 404),
        (b"GET /sipxconfig/rest/nothing HTTP/1.1", 404),
        (b"PUT https://elsewhere/call/201 HTTP/1.1", 200),
        (b"PUT /call/201/ HTTP/1.0", 200),
    ],
)
@pytest.mark.parametrize("host", [b"x", b"a..b", b"\xff", b"x" * 300 + b":99999999"])
@ensure
async def test_no_path_method_or_host_reaches_the_router_unfit(door, errors, line, status, host):
    received = await door.raw(
        line + b"\r\nHost: " + host + b"\r\n" + AUTH + b"Connection: close\r\n\r\n"
    )
    assert statuses(received) == [status]
    assert b"Traceback" not in received
    assert b"<html" not in received.lower()
    assert not errors


@ensure
async def test_a_body_that_is_ignored_may_be_there_in_any_form(door):
    received = await door.raw(
        PUT
        + b"Content-Length: 70000\r\n\r\n"
        + b"a" * 70_000
        + PUT
        + b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n\r\n"
        + PUT
        + b"Expect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n "
    )
    assert statuses(received) == [200, 200, 100, 200]


@ensure
async def test_pipelined_requests_are_answered_in_order(door):
    door.calls.gate = defer.Deferred()
    received = door.raw(
        PUT
        + b"\r\n"
        + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 8
        + b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    await door.until(lambda: door.accounts.sources)
    door.calls.gate.callback(None)
    assert statuses(await received) == [200, 200, *[404] * 8, 200]


@ensure
async def test_a_header_that_dribbles_is_cut_off_at_its_deadline(door):
    def dribble():
        connection = door.connect()
        connection.sendall(b"PUT /call/201 HTTP/1.1\r\n")
        return connection

    connection = await deferToThread(dribble)
    await door.until(lambda: any(channel._began for channel in door.site.waiting))
    for _ in range(3):
        door.clock.advance(HEADER_SECONDS / 3 - 0.1)
        await deferToThread(connection.sendall, b"X: y\r\n")
        await task.deferLater(reactor, 0.02)
    assert door.site.connections == 1
    door.clock.advance(0.4)
    received = await deferToThread(connection.recv, 4096)
    assert statuses(received) == [408]
    connection.close()


@ensure
async def test_a_body_that_dribbles_is_cut_off_at_its_deadline(door):
    received = door.raw(PUT + b"Content-Length: 5\r\n\r\na")
    await door.until(lambda: any(channel.length == 5 for channel in door.site.waiting))
    door.clock.advance(BODY_SECONDS + 0.1)
    assert statuses(await received) == [408]
    assert not door.calls.records


@ensure
async def test_an_idle_connection_is_closed(door):
    received = door.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await door.until(lambda: door.site.connections and door.site.waiting)
    await task.deferLater(reactor, 0.1)
    door.clock.advance(IDLE_SECONDS + 0.1)
    assert statuses(await received) == [200]


@ensure
async def test_half_a_handshake_is_closed(door):
    def half():
        plain = socket.create_connection(("127.0.0.1", door.port), timeout=10)
        plain.sendall(b"\x16\x03\x01")
        return plain

    plain = await deferToThread(half)
    await door.until(lambda: door.site.connections)
    door.clock.advance(IDLE_SECONDS + 0.1)
    await door.until(lambda: not door.site.connections)
    plain.close()


@ensure
async def test_a_peer_that_leaves_a_closed_connection_open_is_reset(door):
    def stay():
        connection = door.connect()
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection

    connection = await deferToThread(stay)
    await door.until(lambda: any(channel._abortingCall for channel in door.site.waiting))
    door.clock.advance(6)
    await door.until(lambda: not door.site.connections)
    connection.close()


@ensure
async def test_a_connection_too_many_replaces_the_one_that_waits_longest(door):
    door.site.connection_limit = 2
    first = await deferToThread(door.connect)
    await door.until(lambda: door.site.connections == 1)
    second = await deferToThread(door.connect)
    await door.until(lambda: door.site.connections == 2)
    assert (await door.request("GET", "/healthz")).status == 200
    await door.until(lambda: door.site.connections <= 1)
    with pytest.raises(OSError):
        await deferToThread(lambda: first.recv(1) or first.recv(1) or first.sendall(b"x") or 1 / 0)
    first.close()
    second.close()


@ensure
async def test_when_all_connections_work_another_one_is_reset(door, errors):
    door.site.connection_limit = 1
    door.calls.gate = defer.Deferred()
    busy = door.request("PUT", "/call/201")
    await door.until(lambda: door.accounts.sources)
    with pytest.raises(OSError):
        await door.request("GET", "/healthz")
    door.calls.gate.callback(None)
    assert (await busy).status == 200
    await door.until(lambda: not door.site.connections)
    assert (await door.request("GET", "/healthz")).status == 200
    assert not errors


KNOWN = {200, 201, 204, 400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 417, 429, 431, 501}


@ensure
async def test_300_mutilated_requests_get_a_known_status_and_log_no_error(door, errors):
    chance = random.Random(5)
    seeds = [
        PUT + b"Connection: close\r\n\r\n",
        b"POST /v1/calls?limit=5 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + AUTH
        + b'Content-Length: 16\r\nConnection: close\r\n\r\n{"number":"2 1"}',
        b"GET /v1/calls/000000000000000000000000?user=%32 HTTP/1.1\r\nHost: x\r\n"
        + AUTH
        + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]
    pieces = [
        b"\x00",
        b"\r\n",
        b"\n",
        b"\xff",
        b"%",
        b"%ff",
        b" ",
        b"/",
        b"?",
        b"\t",
        b":",
        b"9" * 99,
    ]

    def mutilate(data: bytes) -> bytes:
        for _ in range(chance.randint(1, 4)):
            at, to = sorted(chance.choices(range(len(data)), k=2))
            data = chance.choice(
                [
                    data[:at] + chance.choice(pieces) + data[at:],
                    data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
                    data[:at] + data[min(to, at + 8) :],
                    data[:to] + data[at:to] + data[to:],
                ]
            )
        return data

    def send_all() -> list[bytes]:
        answers = []
        for number in range(300):
            with door.connect() as connection:
                connection.sendall(mutilate(seeds[number % len(seeds)]))
                connection.settimeout(0.02)  # many leave the server waiting for the rest
                answers.append(read_all(connection))
        return answers

    answers = await deferToThread(send_all)
    seen = {status for received in answers for status in statuses(received)}
    assert seen <= KNOWN
    assert {200, 400, 404} <= seen
    assert not any(b"Traceback" in received for received in answers)
    assert not errors


@ensure
async def test_a_defect_is_logged_with_an_id_and_the_client_sees_the_id_only(door, errors):
    answer = await door.request("PUT", "/call/500")
    assert answer.status == 500
    assert "secret" not in answer.body.decode()
    [event] = errors
    assert event["number"] == answer.json["id"]
    assert "a secret in a defect" in event["log_failure"].getErrorMessage()
    again = await door.request("PUT", "/sipxconfig/rest/call/500")
    assert (again.json["error"], again.json["type"]) == (again.json["detail"], "about:blank")


@ensure
async def test_health_and_readiness_need_no_credentials(door):
    for path, body in (("/healthz", b"ok\n"), ("/readyz", b"ready\n")):
        answer = await door.request("GET", path, user=None)
        assert (answer.status, answer.body) == (200, body)
    door.ready = False
    assert (await door.request("GET", "/readyz", user=None)).status == 503
    assert (await door.request("GET", "/healthz", user=None)).status == 200


@ensure
async def test_metrics_have_a_listener_of_their_own(door):
    registry = CollectorRegistry()
    Counter("knocks", "Knocks at the door", registry=registry).inc()
    site = build_metrics_site(reactor=task.Clock(), registry=registry)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")

    def fetch(path):
        connection = http.client.HTTPConnection("127.0.0.1", port.getHost().port, timeout=10)
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.headers["Server"], response.read()

    status, server, body = await deferToThread(fetch, "/metrics")
    assert (status, server) == (200, None)
    assert b"knocks_total 1.0" in body
    status, server, body = await deferToThread(fetch, "/other")
    assert (status, json.loads(body)["status"]) == (404, 404)
    assert (await door.request("GET", "/metrics")).status == 404
    await port.stopListening()
    await door.until(lambda: not site.connections)
