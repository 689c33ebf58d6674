"""The SIP stack: messages in and out of transports, through their transactions.

RFC 3261 sections 17 and 18, RFC 3581, RFC 6026.  Above it stands one `Handler`; below it any
number of transports.  Nothing that comes from the wire makes it raise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Literal

from twisted.logger import Logger

from sipxd.net.clients import ClientHandle, ClientTransactions, OnEvent, Random
from sipxd.net.guard import Guard
from sipxd.net.intake import Intake
from sipxd.net.replies import STATELESS
from sipxd.net.servers import Handler, ServerHandle, ServerTransactions
from sipxd.net.timers import Clock, TimerQueue
from sipxd.net.transport import Trace, Transport, Transports
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, ParseError, Request, Response, parse_message
from sipxd.sip.stream import Broken
from sipxd.sip.validate import Refusal

__all__ = ["ClientHandle", "Handler", "OnEvent", "Random", "ServerHandle", "SipStack"]

_log = Logger()

_KEEP_ALIVE = 8
"""Octets up to which a datagram may be a keep-alive (CRLF, NUL, blanks) and is no message."""


class SipStack:
    """Transactions over transports.

    ``limit`` is the number of transactions at which new requests get 503; those within dialogs are
    taken up to a quarter more, so that live calls can end.  ``counts`` counts what was dropped,
    refused or sent again.  ``guard`` limits strangers; ``is_live`` and ``emergency`` say what is
    urgent (`Intake`).
    """

    def __init__(
        self,
        clock: Clock,
        timers: TimerQueue,
        handler: Handler,
        *,
        limit: int,
        random: Random,
        guard: Guard | None = None,
        is_live: Callable[[str], bool] = lambda user: False,
        emergency: Collection[str] = (),
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._limit = limit
        self._on_closed: list[Callable[[Flow], None]] = []
        self._transports = Transports()
        self._clients = ClientTransactions(
            timers, self._transports, random, self.counts, self._full
        )
        self._servers = ServerTransactions(
            timers, self._transports, handler, self.counts, self._full, self.prove
        )
        self.guard = guard
        self.intake = Intake(
            clock,
            self,
            self.counts,
            guard=guard,
            is_live=is_live,
            emergency=emergency,
            mark=self._clients.mark,
            stateless=STATELESS,
        )
        self._clock = clock

    @property
    def client_count(self) -> int:
        """Client transactions that have not ended."""
        return len(self._clients)

    @property
    def server_count(self) -> int:
        """Server transactions that have not ended."""
        return len(self._servers)

    @property
    def trace(self) -> Trace | None:
        """Called with "sent" or "received", the octets and the flow of every message."""
        return self._transports.trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._transports.trace = trace

    def add_transport(self, transport: Transport) -> None:
        """Send over ``transport``, whose receiver is our ``receive``, from now on."""
        self._transports.add(transport)

    def remove_transport(self, transport: Transport) -> None:
        """Send over ``transport`` no more."""
        self._transports.remove(transport)

    def flow_to(self, transport: str, host: str, port: int, name: str = "") -> Flow:
        """The flow to an address over an open listener of ``transport`` ("UDP", "TCP", "TLS").

        ``name`` is what the certificate must carry over TLS.  Raises OSError where there is none.
        """
        return self._transports.flow_to(transport, host, port, name)

    def available(self) -> frozenset[tuple[str, Literal[4, 6]]]:
        """The transports that messages can go out over, each with the family of its addresses."""
        return self._transports.available()

    def is_open(self, flow: Flow) -> bool:
        """Whether the connection that ``flow`` names, if any, is there still."""
        return self._transports.is_open(flow)

    def on_flow_closed(self, callback: Callable[[Flow], None]) -> None:
        """Call ``callback`` with the flow of each accepted connection that has ended."""
        self._on_closed.append(callback)

    def contact(self, flow: Flow) -> str:
        """``host:port`` to put into Contact towards the peer of ``flow``. Raises OSError."""
        return self._transports.find(flow).sent_by(flow.host)

    def contact_uri(self, user: str, flow: Flow) -> str:
        """The URI of a Contact towards the peer of ``flow``, with its transport. Raises OSError."""
        parameter = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        return f"sip:{user}@{self.contact(flow)}{parameter}"

    def flow_closed(self, flow: Flow) -> None:
        """The connection of ``flow`` has ended, or could not be opened."""
        self._clients.flow_closed(flow)
        if flow.connection:
            for callback in self._on_closed:
                callback(flow)

    def receive(self, data: bytes, flow: Flow) -> None:
        """One message has come in over ``flow``. Never raises."""
        self.intake.receive(data, flow)

    def work(self, data: bytes, flow: Flow) -> None:
        """Work on a message now. Never raises."""
        try:
            self._receive(data, flow)
        except Exception:
            self.counts["receive_failed"] += 1
            _log.failure("A message could not be worked on")

    def refuse(self, data: bytes, flow: Flow) -> None:
        """Answer 503 to a message that would begin something new. Never raises."""
        try:
            self._receive(data, flow, refusing=True)
        except Exception:
            self.counts["receive_failed"] += 1
            _log.failure("A message could not be refused")

    def misframed(self, broken: Broken, flow: Flow) -> None:
        """What came over ``flow`` cannot be divided into messages. Never raises."""
        self.counts["misframed"] += 1
        try:
            message = parse_message(broken.head)
        except ParseError:
            return
        if isinstance(message, Request):
            self._servers.refuse(message, flow, Refusal(broken.status, broken.reason))

    def request(
        self, request: Request, flow: Flow, on_event: OnEvent, *, switchable: bool = False
    ) -> ClientHandle:
        """Send ``request`` (without a Via of ours) in a client transaction.

        ``on_event`` gets its responses, or 408 or 503 where none comes; never before this returns.
        ``switchable``: the peer's address is known and not its flow, so that TCP is taken where a
        datagram would be too large.
        """
        return self._clients.request(request, flow, on_event, switchable=switchable)

    def cancel(self, handle: ClientHandle, headers: Iterable[Header] = ()) -> None:
        """Send CANCEL with ``headers`` added, once the peer has answered provisionally.

        The INVITE still ends with a response or 408; what the CANCEL itself gets is not shown.
        """
        self._clients.cancel(handle, headers)

    def abandon(self, handle: ClientHandle) -> None:
        """Forget a client transaction without a word to anybody."""
        self._clients.abandon(handle)

    def send(self, request: Request, flow: Flow, *, switchable: bool = False) -> None:
        """Send ``request`` with our Via on top outside of a transaction (the ACK of a 2xx).

        ``switchable`` as for ``request``.  Raises OSError.
        """
        self._clients.send(request, flow, switchable=switchable)

    def prove(self, flow: Flow) -> None:
        """The peer of ``flow`` has proven who it is: it is no stranger to the guard any more, and
        its connection may be idle for long."""
        if flow.connection:
            self._transports.keep(flow)
        if self.guard is not None:
            self.guard.prove(flow, self._clock.seconds())

    def respond(self, handle: ServerHandle, response: Response) -> None:
        """Answer a request. A 2xx to an INVITE is sent again by giving it again."""
        self._servers.respond(handle, response)

    def _receive(self, data: bytes, flow: Flow, refusing: bool = False) -> None:
        if len(data) <= _KEEP_ALIVE and not data.strip(b"\r\n\t\0 "):
            return
        if self._transports.trace is not None:
            self._transports.trace("received", data, flow)
        digest = hash(data)
        if self._servers.absorb(digest, flow):
            return
        try:
            message = parse_message(data)
        except ParseError:
            self.counts["unparsable"] += 1
            return
        if isinstance(message, Request):
            if not (refusing and self._servers.refuse_new(message, flow)):
                self._servers.receive(message, digest, flow)
        else:
            self._clients.receive(message)

    def _full(self, in_dialog: bool) -> bool:
        limit = self._limit + self._limit // 4 if in_dialog else self._limit
        return len(self._clients) + len(self._servers) >= limit
