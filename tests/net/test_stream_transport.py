"""SIP over TCP on real sockets: whole messages, the way back, what happens when connections end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from streamkit import Node, connect, octets, pause, until
from twisted.internet.defer import Deferred

from sipxd.errors import ConfigError
from sipxd.net.connection import MOST_UNSENT
from sipxd.net.stream import StreamTransport
from sipxd.sip.flow import Flow

ADDRESSES = ["127.0.0.1", "::1"]
Make = Callable[..., Node]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Node] = []

    def node(host: str = "127.0.0.1", most: int = 100) -> Node:
        made.append(Node(host, most=most))
        return made[-1]

    yield node
    for one in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))


@pytest.mark.parametrize("host", ADDRESSES)
@pytest_twisted.ensureDeferred
async def test_requests_and_answers_share_one_connection(make: Make, host: str) -> None:
    a, b = make(host), make(host)
    first, second = (a.request(a.flow_to(b), body=b"x" * 60_000) for _ in range(2))
    assert [await first.result(), await second.result()] == [200, 200]
    assert len(a.connections) == len(b.connections) == 1
    (flow, again) = b.flows
    assert flow is again
    assert flow.transport == "TCP"
    assert flow.listener == b.transport.listener
    assert len(flow.connection) == 16, "each accepted connection is a flow of its own"
    via = b.requests[0].request.require("Via")
    assert via.startswith(f"SIP/2.0/TCP {a.transport.sent_by(host)};")
    assert b.requests[0].request.body == b"x" * 60_000


@pytest_twisted.ensureDeferred
async def test_requests_go_back_over_the_connection_that_the_peer_opened(make: Make) -> None:
    a, b = make(), make()
    await a.request(a.flow_to(b)).result()
    back = b.request(b.flows[0])
    assert await back.result() == 200
    assert a.flows == [a.flow_to(b)], "its own flow, so that answers need no new connection"
    assert len(a.connections) == len(b.connections) == 1
    contact = a.requests[0].request.get("Contact")
    assert contact == f"<sip:a@127.0.0.1:{b.transport.port};transport=tcp>"


@pytest_twisted.ensureDeferred
async def test_a_refused_connection_fails_the_request_at_once(make: Make) -> None:
    a, b = make(), make()
    flow = a.flow_to(b)
    await b.transport.close()
    exchange = a.request(flow, "INVITE")
    assert exchange.statuses == [], "never before the request has been sent"
    assert await exchange.result() == 503
    assert a.stack.client_count == 0
    assert a.time.clock.seconds() == 0, "no timer was needed for that"


@pytest_twisted.ensureDeferred
async def test_what_waits_for_answers_fails_when_the_connection_ends(make: Make) -> None:
    a, b = make(), make()
    b.answers = (180,)
    ringing = a.request(a.flow_to(b), "INVITE")
    await until(lambda: ringing.statuses == [100, 180] or ringing.statuses == [180])
    b.answers = ()
    trying = a.request(a.flow_to(b))
    await until(lambda: len(b.requests) == 2)
    b.transport._open[b.flows[0]].abort("the test wants it")
    assert [await ringing.result(), await trying.result()] == [503, 503]
    assert b.closed == [b.flows[0]]
    assert a.closed == [], "only the end of accepted connections is told"
    assert not b.stack.is_open(b.flows[0])
    assert a.stack.is_open(a.flow_to(b)), "a connection of ours is opened again"
    b.answers = (200,)
    assert await a.request(a.flow_to(b)).result() == 200


@pytest_twisted.ensureDeferred
async def test_a_response_finds_its_way_when_the_connection_has_ended(make: Make) -> None:
    a, b = make(), make()
    b.answers = ()
    raw = await connect(b)
    raw.send(octets("INVITE", a.transport.port, number=77))
    await until(lambda: len(b.requests) == 1)
    raw.transport.abortConnection()
    await until(lambda: b.closed)
    strays = a.counts["response_stray"]
    b.respond(b.requests[0], 200)
    await until(lambda: a.counts["response_stray"] == strays + 1)


@pytest_twisted.ensureDeferred
async def test_a_request_to_a_peer_whose_connection_has_ended_goes_to_his_contact(
    make: Make,
) -> None:
    a, b = make(), make()
    await a.request(a.flow_to(b)).result()
    gone = b.flows[0]
    await a.transport.close()
    await until(lambda: b.closed == [gone])
    a.listen()  # another port, as a telephone that was switched off and on
    uri = f"sip:a@127.0.0.1:{a.transport.port};transport=tcp"

    assert await b.request(gone, uri=uri).result() == 200
    for elsewhere in ("sip:a@127.0.0.2:5060", "sip:a@example.com", "sips:a@127.0.0.1", "tel:1"):
        assert b.request(gone, uri=elsewhere).statuses == [503], elsewhere


@pytest_twisted.ensureDeferred
async def test_keep_alives_are_answered_and_are_no_messages(make: Make) -> None:
    node = make()
    raw = await connect(node)
    raw.send(b"\r\n\r\n")
    await raw.receives(b"\r\n")
    raw.send(b"\r\n\r\n\r\n\r\n" + octets())
    await raw.receives(b"SIP/2.0 200")
    await until(lambda: raw.received.replace(b"\r\n\r\n", b"").count(b"SIP/2.0 200") == 1)
    assert len(node.requests) == 1


@pytest_twisted.ensureDeferred
async def test_messages_that_come_in_pieces_or_together_are_the_same(make: Make) -> None:
    node = make()
    raw = await connect(node)
    stream = b"".join(octets() for _ in range(20))
    for start in range(0, len(stream), 97):
        raw.send(stream[start : start + 97])
    await until(lambda: len(node.requests) == 20)
    await until(lambda: raw.received.count(b"SIP/2.0 200 OK") == 20)


@pytest_twisted.ensureDeferred
async def test_a_stream_that_cannot_be_divided_gets_400_and_the_end(make: Make) -> None:
    node = make()
    raw = await connect(node)
    good, bad = octets(), octets().replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 4")
    raw.send(good + bad + octets())
    await until(lambda: raw.ended)
    answers = raw.received.split(b"SIP/2.0 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"400"]
    assert b"Content-Length is not one number" in answers[1]
    assert len(node.requests) == 1, "nothing behind it is read"
    assert node.counts["misframed"] == 1
    await until(lambda: len(node.connections) == 0)


@pytest_twisted.ensureDeferred
async def test_rubbish_ends_the_connection_without_an_answer(make: Make) -> None:
    node = make()
    for rubbish in (b"\n\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 70_000):
        raw = await connect(node)
        raw.send(rubbish)
        await until(lambda raw=raw: raw.ended)
        assert raw.received == b""
    await until(lambda: len(node.connections) == 0)


@pytest_twisted.ensureDeferred
async def test_a_peer_that_does_not_read_is_cut_off(make: Make) -> None:
    b = make()
    b.answers = ()
    raw = await connect(b)
    raw.transport.pauseProducing()
    raw.send(octets())
    await until(lambda: len(b.requests) == 1)
    flow = b.flows[0]
    sent = 0
    with pytest.raises(OSError, match="too much waits"):
        while sent < 50_000_000:
            b.transport.send(b"x" * 60_000, flow)
            sent += 60_000
            await pause(0)
    assert b.transport._open[flow]._unsent_size <= MOST_UNSENT + 60_000
    b.time.clock.advance(25)
    await until(lambda: not b.stack.is_open(flow))
    await until(lambda: len(b.connections) == 0)


@pytest_twisted.ensureDeferred
async def test_what_waits_for_a_connection_to_open_is_bounded(make: Make) -> None:
    a = make()
    flow = a.stack.flow_to("TCP", "127.0.0.1", a.transport.port)
    with pytest.raises(OSError, match="too much waits"):
        for _ in range(10):
            a.transport.send(b"x" * 60_000, flow)


@pytest_twisted.ensureDeferred
async def test_connections_that_are_reset_in_the_middle_of_invites_leave_nothing(
    make: Make,
) -> None:
    node = make(most=1000)
    node.answers = (180,)
    for _ in range(50):
        raw = await connect(node)
        raw.send(b"".join(octets("INVITE") for _ in range(10)) + octets()[:100])
        await raw.receives(b"SIP/2.0 180")
        raw.transport.abortConnection()
    await until(lambda: len(node.connections) == 0)
    assert len(node.closed) == 50
    for handle in node.requests:
        node.respond(handle, 487)
    node.time.clock.advance(40)
    await until(lambda: len(node.connections) == 0)
    assert node.stack.server_count == 0
    assert node.counts["handler_failed"] == node.counts["receive_failed"] == 0


def test_a_taken_port_is_one_clear_sentence(make: Make) -> None:
    node = make()
    port = node.transport.port
    other = StreamTransport(node.time, "127.0.0.1", port, node.stack, node.connections)
    with pytest.raises(ConfigError, match=f"tcp:127.0.0.1:{port}.*choose another port"):
        other.listen()


def test_only_a_listener_of_the_right_kind_gives_a_flow(make: Make) -> None:
    node = make()
    flow = node.stack.flow_to("TCP", "127.0.0.1", 5060, "example.com")
    assert flow == Flow("TCP", node.transport.listener, "127.0.0.1", 5060)
    for transport, host in (("TCP", "::1"), ("TLS", "127.0.0.1"), ("UDP", "127.0.0.1")):
        with pytest.raises(OSError, match=f"{transport} over IPv"):
            node.stack.flow_to(transport, host, 5060)
