"""Requests too large for a datagram go over TCP, and over UDP where the peer refuses that."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from streamkit import AT_HOME, Node, message, pause, until
from twisted.internet.defer import Deferred

from sipxd.sip.flow import Flow

LARGE = b"x" * 1_300
Make = Callable[[], Node]


@pytest.fixture
def make() -> Iterator[Make]:
    """Nodes that speak UDP and TCP at the same port."""
    made: list[Node] = []

    def node() -> Node:
        made.append(Node())
        made[-1].listen_for_datagrams()
        return made[-1]

    yield node
    for one in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))


def to(a: Node, b: Node) -> Flow:
    return a.stack.flow_to("UDP", b.host, b.transport.port)


@pytest.mark.parametrize(
    ("body", "switchable", "transport"),
    [(LARGE, True, "TCP"), (LARGE, False, "UDP"), (b"", True, "UDP")],
)
@pytest_twisted.ensureDeferred
async def test_size_and_leave_decide_the_transport(
    make: Make, body: bytes, switchable: bool, transport: str
) -> None:
    a, b = make(), make()
    exchange = a.request(to(a, b), "INVITE", body=body, switchable=switchable)
    assert await exchange.result() == 200
    assert b.flows[0].transport == transport
    assert b.requests[0].request.via.transport == transport
    a.stack.send(message("ACK", "sip:a@h", body=body), to(a, b), switchable=switchable)
    await until(lambda: len(b.flows) == 2)
    assert b.flows[1].transport == transport


@pytest_twisted.ensureDeferred
async def test_a_peer_that_refuses_tcp_gets_a_datagram_and_is_remembered(make: Make) -> None:
    a, b = make(), make()
    await b.transport.close()
    for _ in range(2):
        exchange = a.request(to(a, b), "INVITE", body=LARGE, switchable=True)
        assert await exchange.result() == 200
    assert [flow.transport for flow in b.flows] == ["UDP", "UDP"]
    assert {handle.request.via.transport for handle in b.requests} == {"UDP"}
    assert len(a.connections) == 0
    assert a.counts["send_failed"] == 0
    a.time.clock.advance(599)
    assert await a.request(to(a, b), body=LARGE, switchable=True).result() == 200
    b.listen()
    port = b.transport.port
    assert port == to(a, b).port
    a.time.clock.advance(2)
    assert await a.request(to(a, b), body=LARGE, switchable=True).result() == 200
    assert b.flows[-1].transport == "TCP", "after a while it is asked again"


@pytest_twisted.ensureDeferred
async def test_an_ack_that_was_refused_goes_by_datagram_when_it_is_due_again(make: Make) -> None:
    a, b = make(), make()
    await b.transport.close()
    ack = message("ACK", "sip:a@h", body=LARGE)
    a.stack.send(ack, to(a, b), switchable=True)
    await until(lambda: len(a.connections) == 0)
    assert b.flows == []
    a.stack.send(ack, to(a, b), switchable=True)
    await until(lambda: len(b.flows) == 1)


@pytest_twisted.ensureDeferred
async def test_what_was_cancelled_meanwhile_is_cancelled_over_udp(make: Make) -> None:
    a, b = make(), make()
    b.answers = (180,)
    await b.transport.close()
    exchange = a.request(to(a, b), "INVITE", body=LARGE, switchable=True)
    a.stack.cancel(exchange.handle)
    assert await exchange.result() == 487
    assert exchange.statuses == [180, 487]


@pytest_twisted.ensureDeferred
async def test_what_was_abandoned_meanwhile_is_not_sent(make: Make) -> None:
    a, b = make(), make()
    await b.transport.close()
    exchange = a.request(to(a, b), "INVITE", body=LARGE, switchable=True)
    a.stack.abandon(exchange.handle)
    await until(lambda: len(a.connections) == 0)
    await pause()
    assert b.requests == []
    assert a.stack.client_count == 0
    assert exchange.statuses == []


@pytest_twisted.ensureDeferred
async def test_a_connection_that_has_served_and_ends_is_no_refusal(make: Make) -> None:
    a, b = make(), make()
    b.answers = (180,)
    exchange = a.request(to(a, b), "INVITE", body=LARGE, switchable=True)
    await until(lambda: exchange.statuses == [180])
    b.transport._open[b.flows[0]].abort("the test wants it")
    assert await exchange.result() == 503
    b.answers = (200,)
    assert await a.request(to(a, b), body=LARGE, switchable=True).result() == 200
    assert [flow.transport for flow in b.flows] == ["TCP", "TCP"]


@pytest_twisted.ensureDeferred
async def test_nor_is_one_whose_last_message_was_an_ack(make: Make) -> None:
    a, b = make(), make()
    assert await a.request(to(a, b), "INVITE", body=LARGE, switchable=True).result() == 200
    a.stack.send(message("ACK", "sip:a@h", body=LARGE), to(a, b), switchable=True)
    await until(lambda: len(b.flows) == 2)
    b.transport._open[b.flows[0]].abort("the test wants it")
    await until(lambda: len(a.connections) == 0)
    assert await a.request(to(a, b), body=LARGE, switchable=True).result() == 200
    assert b.flows[-1].transport == "TCP"


@pytest_twisted.ensureDeferred
async def test_nothing_is_remembered_of_a_connection_that_there_was_no_room_for(make: Make) -> None:
    a, b = make(), make()
    a.connections._limit = 0
    assert await a.request(to(a, b), "INVITE", body=LARGE, switchable=True).result() == 200
    with pytest.raises(OSError, match="too many"):
        a.stack.send(message("ACK", "sip:a@h", body=LARGE), to(a, b), switchable=True)
    assert b.flows[0].transport == "UDP"
    assert not a.stack._clients._switched


@pytest_twisted.ensureDeferred
async def test_without_a_tcp_listener_everything_goes_by_datagram(make: Make) -> None:
    a, b = make(), make()
    a.stack.remove_transport(a.transport)
    assert await a.request(to(a, b), body=LARGE, switchable=True, uri=AT_HOME).result() == 200
    assert b.flows[0].transport == "UDP"
