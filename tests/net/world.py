"""Two SIP stacks on one fake clock and one in-memory network."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.task import Clock

from sipxd.net.replies import stateless_tag
from sipxd.net.stack import ClientHandle, ServerHandle, SipStack
from sipxd.net.timers import TimerQueue
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request, Response, respond
from sipxd.testing.network import Network


class Node:
    """A stack with a handler that notes what comes and answers what `answer` says."""

    def __init__(self, network: Network, clock: Clock, host: str, port: int, limit: int) -> None:
        self.timers = TimerQueue(clock)
        self.stack = SipStack(
            clock, self.timers, self, limit=limit, random=random.Random(f"{host}:{port}")
        )
        self.transport = network.node(host, port, self.stack.receive)
        self.stack.add_transport(self.transport)
        self.requests: list[ServerHandle] = []
        self.cancels: list[ServerHandle] = []
        self.acks: list[Request] = []
        self.events: list[int] = []
        self.responses: list[Response] = []
        self.answer: Callable[[ServerHandle], None] = lambda handle: None
        self.at_once = 0
        """The status that requests are answered with before there is a transaction."""

    def screen(self, request: Request, flow: Flow) -> Response | None:
        if not self.at_once:
            return None
        return respond(request, self.at_once, to_tag=stateless_tag(request))

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        self.requests.append(handle)
        self.answer(handle)

    def on_cancel(self, handle: ServerHandle, cancel: Request) -> None:
        self.cancels.append(handle)

    def on_ack(self, request: Request, flow: Flow) -> None:
        self.acks.append(request)

    def on_event(self, event: Response | int) -> None:
        if isinstance(event, Response):
            self.responses.append(event)
            event = event.status
        self.events.append(event)

    def request(self, method: str, peer: Node, *more: Header, cseq: int = 1) -> ClientHandle:
        """Send a request to ``peer`` in a transaction; `events` gets what becomes of it."""
        request = self.message(method, peer, *more, cseq=cseq)
        return self.stack.request(request, self.flow_to(peer), self.on_event)

    def message(self, method: str, peer: Node, *more: Header, cseq: int = 1) -> Request:
        named = {name for name, _ in more}
        headers = [
            ("Max-Forwards", "70"),
            ("From", "<sip:a@example.com>;tag=a"),
            ("To", "<sip:b@example.com>"),
            ("Call-ID", "c1"),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<sip:a@{self.transport.address}>"),
        ]
        headers = [header for header in headers if header[0] not in named]
        return Request(method, f"sip:b@{peer.transport.address}", headers=[*headers, *more])

    def flow_to(self, peer: Node) -> Flow:
        return self.transport.flow_to(peer.transport.host, peer.transport.port)

    def respond(self, handle: ServerHandle, status: int) -> Response:
        response = respond(handle.request, status, to_tag="b")
        self.stack.respond(handle, response)
        return response

    def always(self, *statuses: int) -> None:
        """From now on answer every request with these."""

        def answer(handle: ServerHandle) -> None:
            for status in statuses:
                self.respond(handle, status)

        self.answer = answer

    def at_rest(self) -> bool:
        """Whether nothing is left open."""
        return (
            self.stack.client_count == self.stack.server_count == 0
            and len(self.timers) == 0
            and not self.stack._servers._datagrams
            and not self.stack._servers._merges
        )


class World:
    """Two nodes without latency, so that the times of the wire log are those of sending."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.random = random.Random(7)
        self.network = Network(self.clock, self.random, latency=(0.0, 0.0))
        self.a = self.node("10.0.0.1")
        self.b = self.node("10.0.0.2")

    def node(self, host: str, port: int = 5060, limit: int = 1000) -> Node:
        return Node(self.network, self.clock, host, port, limit)

    def advance(self, seconds: float = 0.0, steps: int = 1) -> None:
        """Let time pass; with ``steps`` in equal parts, so that timers fire in their order."""
        for _ in range(steps):
            self.clock.advance(seconds / steps)

    def run(self, seconds: float) -> None:
        """Let time pass from event to event."""
        end = self.clock.seconds() + seconds
        while True:
            calls = self.clock.getDelayedCalls()
            following = min((call.getTime() for call in calls), default=end)
            if following >= end:
                break
            self.clock.advance(max(0.0, following - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def settle(self) -> None:
        """Let what is on the wire arrive."""
        for _ in range(6):
            self.clock.advance(0.0)

    def times(self, start: str, source: Node) -> list[float]:
        """When ``source`` sent messages that start so."""
        return [
            round(packet.time, 6)
            for packet in self.network.log
            if packet.source == source.transport.address and packet.first_line.startswith(start)
        ]

    def lines(self, source: Node) -> list[str]:
        """The first lines that ``source`` sent, without the URI and version."""
        return [
            packet.first_line.removesuffix(" SIP/2.0").partition(" sip:")[0]
            for packet in self.network.log
            if packet.source == source.transport.address
        ]
