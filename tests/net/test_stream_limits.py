"""Connections are bounded: in number, by source, and in the patience that their peers have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from streamkit import Node, Raw, connect, octets, pause, until
from twisted.internet.defer import Deferred

from sipxd.net import connection, connections

Make = Callable[..., Node]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Node] = []

    def node(most: int = 100) -> Node:
        made.append(Node(most=most))
        return made[-1]

    yield node
    for one in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))


async def pass_time(node: Node, seconds: float) -> None:
    """Let time pass in the steps of the sweep."""
    while seconds > 0:
        node.time.clock.advance(min(5.0, seconds))
        seconds -= 5.0
        await pause(0.002)


async def dribble(node: Node, raw: Raw, data: bytes) -> None:
    """Send something, and let five seconds pass when it has arrived."""
    raw.send(data)
    await pause()
    node.time.clock.advance(5)


async def strangers(node: Node, count: int) -> list[Raw]:
    opened = [await connect(node) for _ in range(count)]
    await until(lambda: node.connections.strangers >= count)
    return opened


@pytest_twisted.ensureDeferred
async def test_a_stranger_who_says_nothing_is_gone_within_half_a_minute(make: Make) -> None:
    node = make()
    (raw,) = await strangers(node, 1)
    await pass_time(node, 15)
    assert not raw.ended
    await pass_time(node, 15)
    await until(lambda: raw.ended)
    assert len(node.connections) == 0
    assert node.counts["connection_overdue"] == 1


@pytest_twisted.ensureDeferred
async def test_keep_alives_keep_no_stranger(make: Make) -> None:
    node = make()
    (raw,) = await strangers(node, 1)
    for _ in range(6):
        await dribble(node, raw, b"\r\n\r\n")
    await until(lambda: raw.ended)


@pytest_twisted.ensureDeferred
async def test_requests_that_are_refused_do_not_make_a_peer_known(make: Make) -> None:
    node = make()
    node.strangers = True
    (raw,) = await strangers(node, 1)
    raw.send(octets("REGISTER"))
    await raw.receives(b"SIP/2.0 401")
    assert node.connections.strangers == 1
    await pass_time(node, 30)
    await until(lambda: raw.ended)


@pytest_twisted.ensureDeferred
async def test_a_peer_that_was_let_in_keeps_its_connection(make: Make) -> None:
    node = make()
    (raw,) = await strangers(node, 1)
    raw.send(octets("REGISTER"))
    await raw.receives(b"SIP/2.0 200")
    assert node.connections.strangers == 0
    node.time.clock.advance(7200)
    await pause()
    assert not raw.ended, "the longest registration is shorter than this"
    node.time.clock.advance(connection.KEPT - 7200 + 5)
    await until(lambda: raw.ended)


@pytest_twisted.ensureDeferred
async def test_a_message_that_dribbles_in_is_given_a_whole_deadline(make: Make) -> None:
    node = make()
    (raw,) = await strangers(node, 1)
    raw.send(octets())
    await raw.receives(b"SIP/2.0 200")  # known by now: it is the message that is overdue
    for octet in b"OPTION":
        await dribble(node, raw, bytes([octet]))
    await until(lambda: raw.ended)


@pytest_twisted.ensureDeferred
async def test_a_slow_message_that_ends_in_time_is_taken(make: Make) -> None:
    node = make()
    (raw,) = await strangers(node, 1)
    for _ in range(4):
        data = octets()
        for start in range(0, len(data), len(data) // 3 + 1):
            await dribble(node, raw, data[start : start + len(data) // 3 + 1])
    await until(lambda: len(node.requests) == 4)
    assert not raw.ended


@pytest_twisted.ensureDeferred
async def test_where_all_places_are_taken_the_longest_waiting_stranger_goes(make: Make) -> None:
    node = make(most=5)
    raws = await strangers(node, 5)
    raws[0].send(octets("REGISTER"))
    await raws[0].receives(b"SIP/2.0 200")
    node.time.clock.advance(6)
    new = await connect(node)
    new.send(octets())
    await new.receives(b"SIP/2.0 200")
    await until(lambda: raws[1].ended)
    assert [raw.ended for raw in raws] == [False, True, False, False, False]
    assert len(node.connections) == 5


@pytest_twisted.ensureDeferred
async def test_strangers_get_a_fair_chance_before_they_make_room(make: Make) -> None:
    node = make(most=3)
    raws = await strangers(node, 3)
    new = await connect(node)
    await until(lambda: new.ended)
    assert not any(raw.ended for raw in raws)
    assert node.counts["connection_refused"] == 1


@pytest_twisted.ensureDeferred
async def test_those_who_are_known_make_no_room(make: Make) -> None:
    node = make(most=2)
    raws = await strangers(node, 2)
    for raw in raws:
        raw.send(octets("REGISTER"))
        await raw.receives(b"SIP/2.0 200")
    node.time.clock.advance(60)
    new = await connect(node)
    await until(lambda: new.ended)
    assert not any(raw.ended for raw in raws)
    flow = node.stack.flow_to("TCP", "127.0.0.1", node.transport.port)
    assert node.request(flow).statuses == [503], "nor is there room for one of ours"


@pytest_twisted.ensureDeferred
async def test_one_source_has_so_many_strangers_and_no_more(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STRANGERS", 4)
    node = make()
    raws = await strangers(node, 4)
    refused = await connect(node)
    await until(lambda: refused.ended)
    for raw in raws[:2]:
        raw.send(octets("REGISTER"))
        await raw.receives(b"SIP/2.0 200")
    assert node.connections.strangers == 2
    more = [await connect(node) for _ in range(2)]
    await until(lambda: node.connections.strangers == 4)
    assert not any(raw.ended for raw in [*raws, *more])


def test_all_addresses_of_an_ipv6_network_are_one_source(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STRANGERS", 2)
    node = make()
    hosts = ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::3")
    accepted = [node.transport.accept(host, 5060) for host in hosts]
    assert [each is not None for each in accepted] == [True, True, False, True]
    for each in filter(None, accepted):
        node.transport.ended(each, "")
        node.transport.gone(each)


@pytest_twisted.ensureDeferred
async def test_an_exempt_source_may_have_any_number(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STRANGERS", 2)
    node = make()
    node.connections._exempt = lambda host: host == "127.0.0.1"
    raws = await strangers(node, 6)
    await pause()
    assert not any(raw.ended for raw in raws)


@pytest_twisted.ensureDeferred
async def test_a_connection_of_ours_is_closed_when_nobody_has_needed_it_for_long(
    make: Make,
) -> None:
    a, b = make(), make()
    assert await a.request(a.flow_to(b)).result() == 200
    a.time.clock.advance(connection.OURS - 10)
    await pause()
    assert len(a.connections) == 1
    a.time.clock.advance(15)
    await until(lambda: len(a.connections) == 0)
    assert await a.request(a.flow_to(b)).result() == 200


@pytest_twisted.ensureDeferred
async def test_nothing_sweeps_where_there_is_no_connection(make: Make) -> None:
    node = make()
    (raw,) = await strangers(node, 1)
    raw.transport.loseConnection()
    await until(lambda: len(node.connections) == 0)
    node.time.clock.advance(5)
    assert node.time.clock.getDelayedCalls() == []
