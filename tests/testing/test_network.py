"""The in-memory network: it carries, loses, doubles and reorders as its seed decides."""

from __future__ import annotations

import itertools
import random

import pytest
from twisted.internet.task import Clock

from sipxd.sip.flow import Flow
from sipxd.testing.network import Network, NetworkTransport


class Pair:
    """Two nodes, and what the second has received."""

    def __init__(self, seed: int = 1, **disorder: float) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, random.Random(seed), latency=(0.010, 0.020), **disorder)
        self.received: list[tuple[bytes, Flow]] = []
        self.a: NetworkTransport = self.network.node("10.0.0.1", 5060, self.ignore)
        self.b = self.network.node("::1", 5062, lambda *what: self.received.append(what))

    def ignore(self, data: bytes, flow: Flow) -> None:
        raise AssertionError("nobody sends to a")

    def send(self, count: int) -> list[int]:
        for number in range(count):
            self.a.send(b"%d" % number, self.a.flow_to("::1", 5062))
            self.clock.advance(0.005)
        self.clock.advance(1.0)
        return [int(data) for data, _ in self.received]


def test_a_datagram_arrives_after_its_latency_with_the_flow_back() -> None:
    pair = Pair()
    pair.a.send(b"x", pair.a.flow_to("::1", 5062))
    pair.clock.advance(0.009)
    assert pair.received == []
    pair.clock.advance(0.011)
    assert pair.received == [(b"x", Flow("UDP", "udp:[::1]:5062", "10.0.0.1", 5060))]
    assert pair.b.flow_to("10.0.0.1", 5060) == pair.received[0][1]


def test_losses_duplicates_and_reordering_come_about_as_often_as_asked() -> None:
    assert len(Pair(loss=0.1).send(1000)) in range(870, 930)
    assert len(Pair(duplication=0.02).send(1000)) in range(1010, 1035)
    numbers = Pair(reordering=0.05).send(1000)
    assert sorted(numbers) == list(range(1000))
    assert sum(a > b + 5 for a, b in itertools.pairwise(numbers)) in range(20, 70)


def test_the_same_seed_is_the_same_run() -> None:
    disorder = {"loss": 0.2, "reordering": 0.2, "duplication": 0.2}
    assert Pair(7, **disorder).send(200) == Pair(7, **disorder).send(200)
    assert Pair(7, **disorder).send(200) != Pair(8, **disorder).send(200)


def test_the_log_holds_what_was_sent_and_its_fate() -> None:
    pair = Pair()
    pair.a.send(b"OPTIONS sip:a SIP/2.0\r\n\r\n", pair.a.flow_to("::1", 5062))
    pair.a.send(b"x", pair.a.flow_to("10.0.0.9", 5060))
    pair.network.loss = 1.0
    pair.clock.advance(0.5)
    pair.a.send(b"y", pair.a.flow_to("::1", 5062))
    assert [(p.time, p.source, p.destination, p.fate) for p in pair.network.log] == [
        (0.0, "10.0.0.1:5060", "[::1]:5062", "sent"),
        (0.0, "10.0.0.1:5060", "10.0.0.9:5060", "unreachable"),
        (0.5, "10.0.0.1:5060", "[::1]:5062", "lost"),
    ]
    assert pair.network.log[0].first_line == "OPTIONS sip:a SIP/2.0"


def test_a_node_that_left_gets_nothing_and_its_address_is_free() -> None:
    pair = Pair()
    pair.a.send(b"x", pair.a.flow_to("::1", 5062))
    pair.b.close()
    pair.clock.advance(1.0)
    assert pair.received == []
    pair.network.node("::1", 5062, pair.ignore)
    with pytest.raises(OSError, match="taken"):
        pair.network.node("::1", 5062, pair.ignore)


def test_a_broken_transport_raises() -> None:
    pair = Pair()
    pair.a.broken = True
    with pytest.raises(OSError, match="unreachable"):
        pair.a.send(b"x", pair.a.flow_to("::1", 5062))
