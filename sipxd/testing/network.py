"""An in-memory network: several SIP nodes on one fake clock, with losses as its seed decides.

Every datagram is carried by the clock, so nothing arrives while it is being sent, and a run with
the same seed is the same run.
"""

from __future__ import annotations

import errno
from typing import Protocol

import attrs

from sipxd.net.address import format_address
from sipxd.net.timers import Clock
from sipxd.net.transport import Receiver
from sipxd.sip.flow import Flow


class Random(Protocol):
    """The part of random.Random that is used."""

    def random(self) -> float:
        """A number from 0 up to 1."""
        ...


@attrs.frozen
class Packet:
    """A datagram on the wire. ``time`` in seconds; ``fate`` is "sent", "lost" or "unreachable"."""

    time: float
    source: str
    destination: str
    data: bytes
    fate: str

    @property
    def first_line(self) -> str:
        """The request line or status line."""
        return self.data.partition(b"\r\n")[0].decode("utf-8", "replace")


class Network:
    """Carries datagrams between nodes on ``clock``.

    ``loss``, ``reordering`` and ``duplication`` are probabilities; ``latency`` is the shortest and
    the longest time on the way, in seconds.  A reordered datagram is held back by four times the
    longest.  ``log`` holds every datagram that was sent.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        loss: float = 0.0,
        reordering: float = 0.0,
        duplication: float = 0.0,
        latency: tuple[float, float] = (0.001, 0.001),
    ) -> None:
        self.loss = loss
        self.reordering = reordering
        self.duplication = duplication
        self.latency = latency
        self.log: list[Packet] = []
        self._clock = clock
        self._random = random
        self._nodes: dict[tuple[str, int], NetworkTransport] = {}

    def node(self, host: str, port: int, receiver: Receiver) -> NetworkTransport:
        """A transport of a new node at ``host`` (without brackets) and ``port``."""
        if (host, port) in self._nodes:
            raise OSError(errno.EADDRINUSE, f"{format_address(host, port)} is taken")
        transport = self._nodes[host, port] = NetworkTransport(self, host, port, receiver)
        return transport

    def carry(self, data: bytes, source: NetworkTransport, host: str, port: int) -> None:
        """Take a datagram from ``source`` for ``host`` and ``port``."""
        lost = self._random.random() < self.loss
        reachable = (host, port) in self._nodes
        fate = "lost" if lost else "sent" if reachable else "unreachable"
        destination = format_address(host, port)
        self.log.append(Packet(self._clock.seconds(), source.address, destination, data, fate))
        if lost or not reachable:
            return
        copies = 2 if self._random.random() < self.duplication else 1
        for _ in range(copies):
            shortest, longest = self.latency
            delay = shortest + (longest - shortest) * self._random.random()
            if self._random.random() < self.reordering:
                delay += 4 * longest
            self._clock.callLater(delay, self._arrive, data, source, host, port)

    def _arrive(self, data: bytes, source: NetworkTransport, host: str, port: int) -> None:
        transport = self._nodes.get((host, port))
        if transport is not None:
            flow = Flow("UDP", transport.listener, source.host, source.port)
            transport.receiver(data, flow)

    def remove(self, transport: NetworkTransport) -> None:
        """Take a node off the network: what is on its way to it is lost."""
        self._nodes.pop((transport.host, transport.port), None)


class NetworkTransport:
    """A node's side of a `Network`; a `sipxd.net.transport.Transport`.

    While ``broken`` is true, ``send`` raises OSError.
    """

    transport = "UDP"
    reliable = False

    def __init__(self, network: Network, host: str, port: int, receiver: Receiver) -> None:
        self.host = host
        self.port = port
        self.address = format_address(host, port)
        self.listener = f"udp:{self.address}"
        self.receiver = receiver
        self.broken = False
        self._network = network

    def flow_to(self, host: str, port: int, name: str = "") -> Flow:
        """The flow of messages to a peer."""
        return Flow("UDP", self.listener, host, port)

    def is_open(self, flow: Flow) -> bool:
        """There are no connections that could have ended."""
        return True

    def keep(self, flow: Flow) -> None:
        """There are no connections to keep."""

    def suits(self, host: str) -> bool:
        """A node has one address."""
        return True

    def sent_by(self, host: str) -> str:
        """``host:port`` for Via and Contact."""
        return self.address

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram. Raises OSError while ``broken``."""
        if self.broken:
            raise OSError(errno.ENETUNREACH, "the network is unreachable")
        self._network.carry(data, self, flow.host, flow.port)

    def close(self) -> None:
        """Leave the network."""
        self._network.remove(self)
