"""The server transactions that run: their table, their timers, and answers of the stack itself."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from twisted.logger import Logger

from sipxd.net.replies import STATELESS, mark_source, reply_flow, stateless_tag
from sipxd.net.timers import Timer, TimerQueue
from sipxd.net.transport import Transports
from sipxd.sip.flow import Flow
from sipxd.sip.headers import HeaderError, Via
from sipxd.sip.locate import PORTS
from sipxd.sip.message import Request, Response, respond
from sipxd.sip.server_transaction import ServerInvite, ServerNonInvite
from sipxd.sip.transaction import (
    LIFETIME,
    DeliverAck,
    Effects,
    Send,
    StartTimer,
    StopTimer,
    Terminated,
    merge_key,
    server_key,
)
from sipxd.sip.validate import Refusal, validate_request

_log = Logger()

RETRY_AFTER = range(3, 11)
"""Seconds after which a peer may try again when there is too much to do: not all at once."""


class Handler(Protocol):
    """The layer above: what it is told about requests that come in."""

    def screen(self, request: Request, flow: Flow) -> Response | object:
        """Look at a new, valid request before anything is kept of it.

        A Response answers it, the same way for each copy that comes (RFC 3261 section 8.2.7), and
        that is the end of it: strangers cost no memory.  Anything else lets it in, and stands on
        its handle as ``sender``.  A CANCEL is not shown here.
        """
        ...

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        """A request that was let in; it is answered through ``handle``, now or later."""
        ...

    def on_cancel(self, handle: ServerHandle, cancel: Request) -> None:
        """The INVITE of ``handle`` is cancelled (the CANCEL is answered); it is owed a 487."""
        ...

    def on_ack(self, request: Request, flow: Flow) -> None:
        """An ACK that belongs to no refused INVITE: the one for a 2xx."""
        ...


class ServerHandle:
    """A request that came in, for the layer above to answer."""

    __slots__ = ("_data", "_entry", "_response", "answered", "flow", "request", "sender")

    def __init__(self, request: Request, flow: Flow, entry: _Entry, sender: object) -> None:
        self.request = request
        self.flow = flow
        self.sender = sender
        """What the handler's ``screen`` said of it."""
        self.answered = False
        """Whether a final response has been sent."""
        self._entry = entry
        self._response: Response | None = None
        self._data = b""


class _Entry:
    """What the table keeps of a transaction. Many wait 32 s for their end, so it holds little."""

    __slots__ = (
        "deadline",
        "digest",
        "handle",
        "key",
        "machine",
        "merge",
        "reply",
        "retransmission",
        "source",
    )

    def __init__(
        self, key: str, digest: int, machine: ServerInvite | ServerNonInvite, source: Flow
    ) -> None:
        self.key = key
        self.digest = digest
        self.machine = machine
        self.source = source
        self.reply = source
        self.merge: str | None = None
        self.handle: ServerHandle | None = None
        self.retransmission: Timer | None = None
        self.deadline: Timer | None = None


class ServerTransactions:
    """The table of server transactions, with the cache of datagrams that opened them."""

    def __init__(
        self,
        timers: TimerQueue,
        transports: Transports,
        handler: Handler,
        counts: Counter[str],
        full: Callable[[bool], bool],
        let_in: Callable[[Flow], None],
    ) -> None:
        self._let_in = let_in
        self._timers = timers
        self._transports = transports
        self._handler = handler
        self._counts = counts
        self._full = full
        self._table: dict[str, _Entry] = {}
        self._datagrams: dict[int, _Entry] = {}
        self._merges: dict[str, _Entry] = {}
        self._on_timer = self._timer_fired  # bound once: many timers share it

    def __len__(self) -> int:
        return len(self._table)

    def absorb(self, digest: int, flow: Flow) -> bool:
        """Whether a datagram with this hash was a retransmission, which has then been served."""
        entry = self._datagrams.get(digest)
        if entry is None or entry.source != flow:
            return False
        self._counts["received_again"] += 1
        self._run(entry, entry.machine.retransmission())
        return True

    def receive(self, request: Request, digest: int, flow: Flow) -> None:
        """A request has come in that is no retransmission octet by octet."""
        try:
            via = request.via
        except HeaderError:
            self._counts["request_unanswerable"] += 1
            return
        reply = reply_flow(via, flow)
        mark_source(request, via, flow)
        refusal = validate_request(request)
        if refusal is not None:
            self._counts["request_invalid"] += 1
            self._refuse(request, reply, refusal)
        elif request.method == "ACK":
            self._acknowledged(request, flow)
        elif (entry := self._table.get(key := server_key(request))) is not None:
            self._counts["received_again"] += 1
            self._run(entry, entry.machine.retransmission())
        else:
            self._open(request, key, digest, flow, reply)

    def respond(self, handle: ServerHandle, response: Response) -> None:
        """Answer the request of ``handle``.

        The same response given again is sent again as the same octets, where the transaction
        allows it; after the end of the transaction nothing is sent.
        """
        entry = handle._entry
        if handle._response is not response:
            handle._response = response
            handle._data = response.encode()
        if response.status >= 200:
            handle.answered = True
            entry.handle = None
        if self._table.get(entry.key) is not entry:
            return  # it has ended: nobody waits for an answer any more
        if entry.reply.connection and not self._transports.is_open(entry.reply):
            self._reconnect(entry, handle.request.via)
        self._run(entry, entry.machine.respond(response.status, handle._data))

    def refuse(self, request: Request, flow: Flow, refusal: Refusal) -> None:
        """Answer a request that cannot be received as a whole."""
        try:
            via = request.via
        except HeaderError:
            return
        mark_source(request, via, flow)
        self._refuse(request, reply_flow(via, flow), refusal)

    def refuse_new(self, request: Request, flow: Flow) -> bool:
        """Answer 503 to a request, whether it is right or not, because there is too much to do.

        False where it may belong to something that has begun; then nothing was done.
        """
        if request.to_tag is not None or request.method in ("ACK", "CANCEL"):
            return False
        try:
            via = request.via
            if server_key(request) in self._table:
                return False
        except HeaderError:
            return False
        self._counts["overload_refused"] += 1
        mark_source(request, via, flow)
        self._refuse(request, reply_flow(via, flow), _too_much(request))
        return True

    def _reconnect(self, entry: _Entry, via: Via) -> None:
        """The connection has ended: open one to the port of sent-by (RFC 3261 18.2.2)."""
        flow = entry.reply
        port = via.port or PORTS[flow.transport]
        with contextlib.suppress(OSError):
            entry.reply = self._transports.find(flow).flow_to(flow.host, port, via.host)

    def _open(self, request: Request, key: str, digest: int, flow: Flow, reply: Flow) -> None:
        if self._full(request.to_tag is not None):
            self._counts["server_table_full"] += 1
            self._refuse(request, reply, _too_much(request))
            return
        method = request.method
        merge = None
        if method != "CANCEL" and request.to_tag is None:
            merge = merge_key(request)
            if merge in self._merges:
                self._counts["request_merged"] += 1
                self._refuse(request, reply, Refusal(482, "Loop Detected"))
                return
        sender = self._screened(request, flow)
        if isinstance(sender, Response):
            self._counts["answered_without_transaction"] += 1
            self._send(sender, reply)
            return
        self._let_in(flow)
        reliable = self._transports.find(flow).reliable
        machine: ServerInvite | ServerNonInvite
        machine = ServerInvite(reliable) if method == "INVITE" else ServerNonInvite(reliable)
        entry = _Entry(key, digest, machine, flow)
        entry.reply = reply
        self._table[key] = self._datagrams[digest] = entry
        if merge is not None:
            entry.merge = merge
            self._merges[merge] = entry
        handle = entry.handle = ServerHandle(request, flow, entry, sender)
        if method == "CANCEL":
            self._cancelled(handle, request)
            return
        try:
            self._handler.on_request(handle, request, flow)
        except Exception:
            self._counts["handler_failed"] += 1
            _log.failure("A request could not be handled")
            if not handle.answered:
                self._answer(handle, 500)
        if handle.answered:
            return
        if isinstance(machine, ServerNonInvite):
            self._timers.linger(LIFETIME, self._forgotten, entry)
        elif machine.silent:
            trying = respond(request, 100)
            self.respond(handle, trying)

    def _screened(self, request: Request, flow: Flow) -> Response | object:
        """What is answered to a new request at once, else what the handler says of its sender."""
        if request.method == "CANCEL":
            found = self._cancels(request, flow)
            return found or respond(request, 481, to_tag=stateless_tag(request))
        try:
            return self._handler.screen(request, flow)
        except Exception:
            self._counts["handler_failed"] += 1
            _log.failure("A request could not be looked at")
            return respond(request, 500, to_tag=stateless_tag(request))

    def _cancels(self, cancel: Request, flow: Flow) -> _Entry | None:
        """The INVITE that a CANCEL is for."""
        invite = self._table.get(server_key(cancel, "INVITE"))
        # From another address it is somebody else's, even where the branch is right.
        return invite if invite is not None and invite.source.host == flow.host else None

    def _cancelled(self, handle: ServerHandle, cancel: Request) -> None:
        invite = handle.sender
        assert isinstance(invite, _Entry)
        target = invite.handle
        sent = target._response if target is not None else None
        self._answer(handle, 200, (sent.to_tag if sent is not None else None))
        if target is not None and not target.answered:
            try:
                self._handler.on_cancel(target, cancel)
            except Exception:
                self._counts["handler_failed"] += 1
                _log.failure("A CANCEL could not be handled")

    def _acknowledged(self, ack: Request, flow: Flow) -> None:
        entry = self._table.get(server_key(ack, "INVITE"))
        if entry is None:
            self._deliver_ack(ack, flow)
        elif isinstance(entry.machine, ServerInvite):
            for effect in entry.machine.ack():
                if isinstance(effect, DeliverAck):
                    self._deliver_ack(ack, flow)
                else:
                    self._run(entry, (effect,))

    def _deliver_ack(self, ack: Request, flow: Flow) -> None:
        try:
            self._handler.on_ack(ack, flow)
        except Exception:
            self._counts["handler_failed"] += 1
            _log.failure("An ACK could not be handled")

    def _answer(self, handle: ServerHandle, status: int, to_tag: str | None = None) -> None:
        # An ACK with the mark of stateless answers would not be looked at.
        tag = to_tag or stateless_tag(handle.request).removeprefix(STATELESS)
        self.respond(handle, respond(handle.request, status, to_tag=tag))

    def _refuse(self, request: Request, reply: Flow, refusal: Refusal) -> None:
        """Answer without a transaction: once for each copy that comes (RFC 3261 section 8.2.7)."""
        if request.method == "ACK":
            return
        response = respond(
            request,
            refusal.status,
            reason=refusal.reason,
            headers=refusal.headers,
            to_tag=stateless_tag(request),
        )
        self._send(response, reply)

    def _send(self, response: Response, reply: Flow) -> None:
        try:
            self._transports.send(response.encode(), reply)
        except OSError:
            self._counts["send_failed"] += 1

    def _forgotten(self, entry: _Entry) -> None:
        """A request that the layer above has left unanswered for 64*T1: its sender has given up."""
        if entry.handle is not None and not entry.handle.answered:
            self._counts["request_unanswered"] += 1
            _log.warn("A {method} request was never answered", method=entry.handle.request.method)
            self._end(entry)

    def _run(self, entry: _Entry, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                try:
                    self._transports.send(effect.data, entry.reply)
                except OSError:
                    self._counts["send_failed"] += 1
            elif isinstance(effect, StartTimer):
                name = effect.name
                if name == "G":
                    entry.retransmission = self._timers.schedule(
                        effect.seconds, self._on_timer, entry, name
                    )
                elif name == "H":
                    entry.deadline = self._timers.schedule(
                        effect.seconds, self._on_timer, entry, name
                    )
                else:
                    self._timers.linger(effect.seconds, self._on_timer, entry, name)
            elif isinstance(effect, StopTimer):
                self._stop_timer(entry, effect.name)
            elif isinstance(effect, Terminated):
                self._end(entry)

    def _stop_timer(self, entry: _Entry, name: str) -> None:
        if name == "G":
            if entry.retransmission is not None:
                entry.retransmission.cancel()
                entry.retransmission = None
        elif entry.deadline is not None:
            entry.deadline.cancel()
            entry.deadline = None

    def _end(self, entry: _Entry) -> None:
        self._stop_timer(entry, "G")
        self._stop_timer(entry, "H")
        entry.handle = None
        if self._table.get(entry.key) is entry:
            del self._table[entry.key]
        if self._datagrams.get(entry.digest) is entry:
            del self._datagrams[entry.digest]
        if entry.merge is not None and self._merges.get(entry.merge) is entry:
            del self._merges[entry.merge]

    def _timer_fired(self, entry: Any, name: str) -> None:
        if entry.key in self._table:
            if name == "G":
                self._counts["retransmitted_responses"] += 1
            self._run(entry, entry.machine.timer(name))


def _too_much(request: Request) -> Refusal:
    seconds = RETRY_AFTER[hash(request.get("Call-ID")) % len(RETRY_AFTER)]
    return Refusal(503, "Service Unavailable", (("Retry-After", str(seconds)),))
