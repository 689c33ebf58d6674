"""The client transactions that run: their table, their timers, and where responses go."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.logger import Logger

from sipxd.net.timers import Timer, TimerQueue
from sipxd.net.transport import Transports
from sipxd.sip.client_transaction import ClientInvite, ClientNonInvite, ClientState
from sipxd.sip.flow import Flow, reconnected
from sipxd.sip.headers import HeaderError, parse_name_addr
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.transaction import (
    BRANCH_PREFIX,
    Deliver,
    Effects,
    Failed,
    Send,
    SendCancel,
    StartTimer,
    StopTimer,
    Terminated,
    cancel_for,
    client_key,
)
from sipxd.sip.validate import validate_response

_log = Logger()

LARGEST_DATAGRAM = 1_300
"""Octets beyond which a request goes over TCP where it may (RFC 3261 section 18.1.1)."""
_REFUSAL_LIFETIME = 600.0
"""Seconds for which a peer that refused TCP is not asked again."""
_MOST_REFUSALS = 4_096

OnEvent = Callable[[Response | int], None]
"""Takes each response, or 408 (none came in time) or 503 (sending failed, or the table is full)."""


class Random(Protocol):
    """The part of random.Random that is used; production gives a SystemRandom."""

    def getrandbits(self, k: int, /) -> int:
        """``k`` random bits."""
        ...


def _ignore(event: Response | int) -> None:
    return None


class ClientHandle:
    """One client transaction, as its user sees it: something to cancel or abandon."""

    __slots__ = (
        "_cancel_headers",
        "_deadline",
        "_key",
        "_machine",
        "_on_event",
        "_reliable",
        "_retransmission",
        "_smaller",
        "flow",
    )

    def __init__(
        self,
        key: str,
        machine: ClientInvite | ClientNonInvite,
        flow: Flow,
        reliable: bool,
        on_event: OnEvent,
    ) -> None:
        self.flow = flow
        self._key = key
        self._machine = machine
        self._reliable = reliable
        self._smaller: tuple[Request, Flow] | None = None
        """What is sent over UDP where the peer refuses TCP, which only its size called for."""
        self._on_event = on_event
        self._retransmission: Timer | None = None
        self._deadline: Timer | None = None
        self._cancel_headers: tuple[Header, ...] = ()


def _machine(sent: Request, data: bytes, reliable: bool) -> ClientInvite | ClientNonInvite:
    if sent.method == "INVITE":
        return ClientInvite(sent, data, reliable)
    return ClientNonInvite(data, reliable)


class ClientTransactions:
    """The table of client transactions. ``limit`` is the most that new requests may fill."""

    def __init__(
        self,
        timers: TimerQueue,
        transports: Transports,
        random: Random,
        counts: Counter[str],
        full: Callable[[bool], bool],
    ) -> None:
        self._timers = timers
        self._transports = transports
        self._random = random
        self._counts = counts
        self._full = full
        self.mark = f"{BRANCH_PREFIX}{random.getrandbits(32):08x}"
        """What every branch of ours begins with, and no response that is not for us holds."""
        self._table: dict[str, ClientHandle] = {}
        self._by_flow: dict[Flow, dict[str, ClientHandle]] = {}
        """Those whose flow can end, by it."""
        self._switched: set[Flow] = set()
        """Flows over TCP that nothing but size called for, and over which nothing came yet."""
        self._served: set[Flow] = set()
        """Such flows over which something has come; both are forgotten when they end."""
        self._refusals: dict[tuple[str, int], float] = {}
        """Peers that refused such a flow, and until when that is remembered."""
        self._on_timer = self._timer_fired  # bound once: many timers share it

    def __len__(self) -> int:
        return len(self._table)

    def via(self, flow: Flow) -> tuple[str, str]:
        """A new branch, and the Via value with it for a request over ``flow``. Raises OSError."""
        transport = self._transports.find(flow)
        branch = f"{self.mark}{self._random.getrandbits(72):018x}"
        sent_by = transport.sent_by(flow.host)
        return branch, f"SIP/2.0/{transport.transport} {sent_by};rport;branch={branch}"

    def request(
        self, request: Request, flow: Flow, on_event: OnEvent, *, switchable: bool = False
    ) -> ClientHandle:
        """Send ``request`` with our Via on top and tell ``on_event`` what becomes of it.

        ``switchable``: over TCP where it is too large for a datagram of ``flow``; where the peer
        refuses that, over ``flow`` again.  ``on_event`` is never called before this returns.
        """
        try:
            if flow.connection:
                flow = self._reopened(request, flow)
            key, sent = self._with_via(request, flow)
            reliable = self._transports.find(flow).reliable
        except OSError:
            self._counts["send_failed"] += 1
            return self._stillborn(flow, on_event)
        if self._full(request.to_tag is not None):
            self._counts["client_table_full"] += 1
            return self._stillborn(flow, on_event)
        data = sent.encode()
        if switchable and len(data) > LARGEST_DATAGRAM and not reliable:
            stream = self._over_tcp(flow)
            if stream is not None:
                key, sent = self._with_via(request, stream)
                handle = self._make(sent, sent.encode(), key, stream, True, on_event)
                handle._smaller = request, flow
                self._run(handle, handle._machine.start())
                return handle
        return self._start(sent, data, key, flow, reliable, on_event)

    def send(self, request: Request, flow: Flow, *, switchable: bool = False) -> None:
        """Send ``request`` with our Via on top outside of a transaction. Raises OSError."""
        if flow.connection:
            flow = self._reopened(request, flow)
        data = self._with_via(request, flow)[1].encode()
        if switchable and len(data) > LARGEST_DATAGRAM and flow.transport == "UDP":
            stream = self._over_tcp(flow)
            if stream is not None:
                flow = stream
                data = self._with_via(request, flow)[1].encode()
        try:
            self._transports.send(data, flow)
        except OSError:
            self._switched.discard(flow)  # no connection came of it whose end would be told
            raise

    def flow_closed(self, flow: Flow) -> None:
        """What waits for an answer over ``flow`` will not get one."""
        self._served.discard(flow)
        if flow in self._switched:
            self._switched.discard(flow)
            if len(self._refusals) >= _MOST_REFUSALS:
                self._refusals.clear()
            self._refusals[flow.host, flow.port] = self._timers.seconds() + _REFUSAL_LIFETIME
        for handle in self._by_flow.pop(flow, {}).values():
            self._failed(handle)

    def cancel(self, handle: ClientHandle, headers: Iterable[Header] = ()) -> None:
        """Cancel an INVITE, at once or as soon as its peer has answered provisionally."""
        if isinstance(handle._machine, ClientInvite):
            handle._cancel_headers = tuple(headers)
            self._run(handle, handle._machine.cancel())

    def abandon(self, handle: ClientHandle) -> None:
        """Forget a transaction: nothing is sent for it and its user is told nothing any more."""
        handle._on_event = _ignore
        self._stop_timers(handle)
        self._forget(handle)

    def receive(self, response: Response) -> None:
        """A response has come in; one that belongs to no transaction is dropped and counted."""
        wrong = validate_response(response)
        if wrong is not None:
            self._counts["response_invalid"] += 1
            return
        try:
            handle = self._table.get(client_key(response.via.branch, response.cseq[1]))
            if handle is None:
                self._counts["response_stray"] += 1
                return
            if len(response.values("Via")) != 1:
                # Somebody else's Via below ours: it was not meant for us (RFC 3261 8.1.3.3).
                self._counts["response_invalid"] += 1
                return
        except HeaderError:
            self._counts["response_invalid"] += 1
            return
        if handle._smaller is not None:
            handle._smaller = None
            self._switched.discard(handle.flow)
            self._served.add(handle.flow)
        self._run(handle, handle._machine.receive(response))

    def _with_via(self, request: Request, flow: Flow) -> tuple[str, Request]:
        """The key of a new transaction, and ``request`` with its Via. Raises OSError."""
        branch, via = self.via(flow)
        headers = [("Via", via), *request.headers]
        sent = Request(request.method, request.uri, headers=headers, body=request.body)
        return client_key(branch, request.method), sent

    def _reopened(self, request: Request, flow: Flow) -> Flow:
        """``flow`` where its connection is there, else a new one to its peer. Raises OSError."""
        if self._transports.is_open(flow):
            return flow
        route = request.get("Route")
        try:
            uri = request.uri if route is None else parse_name_addr(route).uri
        except HeaderError:
            uri = ""
        new = reconnected(flow, uri)
        if new is None:
            raise OSError(errno.ENOTCONN, "the peer's connection has ended")
        return new

    def _over_tcp(self, flow: Flow) -> Flow | None:
        """The flow over TCP to the peer of ``flow``, unless he is known to refuse it."""
        refused = self._refusals.get((flow.host, flow.port))
        if refused is not None and self._timers.seconds() < refused:
            return None
        try:
            stream = self._transports.flow_to("TCP", flow.host, flow.port)
        except OSError:
            return None
        if stream not in self._served:
            self._switched.add(stream)
        return stream

    def _start(
        self, sent: Request, data: bytes, key: str, flow: Flow, reliable: bool, on_event: OnEvent
    ) -> ClientHandle:
        handle = self._make(sent, data, key, flow, reliable, on_event)
        self._run(handle, handle._machine.start())
        return handle

    def _make(
        self, sent: Request, data: bytes, key: str, flow: Flow, reliable: bool, on_event: OnEvent
    ) -> ClientHandle:
        machine = _machine(sent, data, reliable)
        handle = self._table[key] = ClientHandle(key, machine, flow, reliable, on_event)
        if reliable:
            self._by_flow.setdefault(flow, {})[key] = handle
        return handle

    def _forget(self, handle: ClientHandle) -> None:
        if self._table.get(handle._key) is handle:
            del self._table[handle._key]
        if handle._reliable:
            same = self._by_flow.get(handle.flow, {})
            same.pop(handle._key, None)
            if not same:
                self._by_flow.pop(handle.flow, None)

    def _failed(self, handle: ClientHandle) -> None:
        """Nothing can be sent over the flow of ``handle``."""
        smaller, handle._smaller = handle._smaller, None
        fresh = handle._machine.state in (ClientState.CALLING, ClientState.TRYING)
        if smaller is None or not fresh:
            self._run(handle, handle._machine.sending_failed())
            return
        request, flow = smaller
        self._switched.discard(handle.flow)
        self._stop_timers(handle)
        self._forget(handle)
        try:
            key, sent = self._with_via(request, flow)
        except OSError:
            self._timers.schedule(0.0, self._tell, handle, 503)
            return
        cancelled = isinstance(handle._machine, ClientInvite) and handle._machine.cancelled
        # In place, because its user holds the handle.
        handle._key, handle.flow, handle._reliable = key, flow, False
        handle._machine = _machine(sent, sent.encode(), False)
        self._table[key] = handle
        self._run(handle, handle._machine.start())
        if cancelled:
            self.cancel(handle, handle._cancel_headers)

    def _stillborn(self, flow: Flow, on_event: OnEvent) -> ClientHandle:
        handle = ClientHandle("", ClientNonInvite(b"", True), flow, False, on_event)
        self._timers.schedule(0.0, self._tell, handle, 503)
        return handle

    def _run(self, handle: ClientHandle, effects: Effects) -> None:
        failed = False
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                try:
                    self._transports.send(effect.data, handle.flow)  # type: ignore[union-attr]
                except OSError:
                    self._counts["send_failed"] += 1
                    failed = True
            elif isinstance(effect, Deliver):
                self._tell(handle, effect.response)
            elif isinstance(effect, StartTimer):
                self._start_timer(handle, effect.name, effect.seconds)
            elif isinstance(effect, StopTimer):
                self._stop_timer(handle, effect.name)
            elif isinstance(effect, Terminated):
                self._stop_timers(handle)
                self._forget(handle)
            elif isinstance(effect, Failed):
                # Later, because the user may still be in the middle of starting this transaction.
                self._timers.schedule(0.0, self._tell, handle, effect.status)
            elif isinstance(effect, SendCancel):
                self._send_cancel(handle)
        if failed:
            self._failed(handle)

    def _tell(self, handle: ClientHandle, event: Response | int) -> None:
        try:
            handle._on_event(event)
        except Exception:
            self._counts["handler_failed"] += 1
            _log.failure("The user of a client transaction failed")

    def _send_cancel(self, handle: ClientHandle) -> None:
        assert isinstance(handle._machine, ClientInvite)
        invite = handle._machine.request
        if invite is None:
            return
        cancel = cancel_for(invite, handle._cancel_headers)
        key = client_key(invite.via.branch, "CANCEL")
        reliable = self._transports.find(handle.flow).reliable
        self._start(cancel, cancel.encode(), key, handle.flow, reliable, _ignore)

    def _start_timer(self, handle: ClientHandle, name: str, seconds: float) -> None:
        if name in "DKM":
            self._timers.linger(seconds, self._on_timer, handle, name)
            return
        timer = self._timers.schedule(seconds, self._on_timer, handle, name)
        if name in "AE":
            handle._retransmission = timer
        else:
            handle._deadline = timer

    def _stop_timer(self, handle: ClientHandle, name: str) -> None:
        if name in "AE":
            if handle._retransmission is not None:
                handle._retransmission.cancel()
                handle._retransmission = None
        elif handle._deadline is not None:
            handle._deadline.cancel()
            handle._deadline = None

    def _stop_timers(self, handle: ClientHandle) -> None:
        self._stop_timer(handle, "A")
        self._stop_timer(handle, "B")

    def _timer_fired(self, handle: Any, name: str) -> None:
        if handle._key in self._table:
            if name in "AE":
                self._counts["retransmitted_requests"] += 1
            self._run(handle, handle._machine.timer(name))
