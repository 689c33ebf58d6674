"""SIP over real connections: stacks with listeners, a time of their own, and raw peers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from sipxd.net.connections import Connections
from sipxd.net.sip_tls import SipTls
from sipxd.net.stack import ClientHandle, ServerHandle, SipStack
from sipxd.net.stream import StreamTransport
from sipxd.net.timers import TimerQueue
from sipxd.net.udp import UdpTransport
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request, Response, respond

reactor: Any = the_reactor
AT_HOME = "sip:b@example.com"


class Timed:
    """The reactor for sockets, a clock of our own for time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.seconds = self.clock.seconds
        self.callLater = self.clock.callLater
        self.adoptStreamPort = reactor.adoptStreamPort
        self.connectTCP = reactor.connectTCP
        self.adoptDatagramPort = reactor.adoptDatagramPort


class Node:
    """A stack over TCP or TLS that answers requests with ``answers``."""

    def __init__(self, host: str = "127.0.0.1", *, tls: SipTls | None = None, most: int = 100):
        self.time = Timed()
        self.timers = TimerQueue(self.time.clock)
        self.stack = SipStack(
            self.time.clock, self.timers, self, limit=10_000, random=random.Random(1)
        )
        self.counts: Counter[str] = self.stack.counts
        self.connections = Connections(self.time.clock, most, self.counts)
        self.transport = StreamTransport(self.time, host, 0, self.stack, self.connections, tls=tls)
        self.datagrams: UdpTransport | None = None
        self.host = host
        self.answers: tuple[int, ...] = (200,)
        self.strangers = False
        """Whether nobody is let in: requests are answered without a transaction."""
        self.requests: list[ServerHandle] = []
        self.flows: list[Flow] = []
        self.closed: list[Flow] = []
        self.stack.on_flow_closed(self.closed.append)
        self.listen()

    def listen(self) -> None:
        self.transport.listen()
        self.stack.add_transport(self.transport)

    def listen_for_datagrams(self) -> None:
        """Take datagrams too, at the same port."""
        self.datagrams = UdpTransport(self.time, self.host, self.transport.port, self.stack.receive)
        self.datagrams.listen()
        self.stack.add_transport(self.datagrams)

    async def close(self) -> None:
        """Close the listeners and every connection."""
        if self.datagrams is not None:
            await self.datagrams.close()
        await self.transport.close()
        await until(lambda: self.connections_after_sweep() == 0)

    def connections_after_sweep(self) -> int:
        self.time.clock.advance(10)
        return len(self.connections)

    def screen(self, request: Request, flow: Flow) -> Response | object:
        return respond(request, 401, to_tag="s") if self.strangers else None

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        self.requests.append(handle)
        self.flows.append(flow)
        for status in self.answers:
            self.respond(handle, status)

    def on_cancel(self, handle: ServerHandle, cancel: Request) -> None:
        self.respond(handle, 487)

    def on_ack(self, request: Request, flow: Flow) -> None:
        self.flows.append(flow)

    def respond(self, handle: ServerHandle, status: int) -> None:
        self.stack.respond(handle, respond(handle.request, status, to_tag="b"))

    def flow_to(self, peer: Node, name: str = "") -> Flow:
        return self.stack.flow_to(peer.transport.transport, peer.host, peer.transport.port, name)

    def request(
        self,
        flow: Flow,
        method: str = "OPTIONS",
        *,
        uri: str = AT_HOME,
        body: bytes = b"",
        switchable: bool = False,
    ) -> Exchange:
        """Send a request; the exchange hears what becomes of it."""
        exchange = Exchange(self)
        request = message(method, self.stack.contact_uri("a", flow), uri, body)
        exchange.handle = self.stack.request(request, flow, exchange.hear, switchable=switchable)
        return exchange


class Exchange:
    """What becomes of a request that was sent."""

    def __init__(self, node: Node) -> None:
        self.handle: ClientHandle
        self.heard: list[Response | int] = []
        self._node = node

    def hear(self, event: Response | int) -> None:
        self.heard.append(event)

    @property
    def statuses(self) -> list[int]:
        self._node.time.clock.advance(0)
        return [event if isinstance(event, int) else event.status for event in self.heard]

    async def result(self) -> int:
        """The final status."""
        await until(lambda: bool(self.statuses) and self.statuses[-1] >= 200)
        return self.statuses[-1]


_calls = iter(range(1_000_000))


def message(method: str, contact: str, uri: str = AT_HOME, body: bytes = b"") -> Request:
    """A request without Via."""
    headers = [
        ("Max-Forwards", "70"),
        ("From", "<sip:a@example.com>;tag=a"),
        ("To", "<sip:b@example.com>"),
        ("Call-ID", f"c{next(_calls)}"),
        ("CSeq", f"1 {method}"),
        ("Contact", f"<{contact}>"),
        *([("Content-Type", "application/sdp")] if body else []),
    ]
    return Request(method, uri, headers=headers, body=body)


def octets(
    method: str = "OPTIONS", port: int = 5060, *, number: int = 0, branch: str = ""
) -> bytes:
    """A request as a raw peer sends it."""
    number = number or next(_calls)
    request = message(method, f"sip:a@127.0.0.1:{port};transport=tcp")
    via = f"SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK{branch or f'raw{number}'}"
    return Request(method, request.uri, headers=[("Via", via), *request.headers]).encode()


class Raw(Protocol):
    """A peer without a SIP stack."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.ended = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.ended = True

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    async def receives(self, what: bytes) -> None:
        await until(lambda: what in self.received)


async def connect(node: Node, *, tls: bool = False) -> Raw:
    """A raw peer's connection to ``node``."""
    endpoint: Any = HostnameEndpoint(reactor, node.host, node.transport.port)
    if tls:
        options: Any = CertificateOptions(verify=False)
        options.clientConnectionForTLS = options._makeTLSConnection
        endpoint = wrapClientTLS(options, endpoint)
    raw: Raw = await connectProtocol(endpoint, Raw())
    return raw


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Let the reactor run until the condition holds."""
    end = reactor.seconds() + seconds
    while not condition():
        assert reactor.seconds() < end, "waited in vain"
        await deferLater(reactor, 0.001)


async def pause(seconds: float = 0.02) -> None:
    """Give what should not happen the time to happen."""
    await deferLater(reactor, seconds)
