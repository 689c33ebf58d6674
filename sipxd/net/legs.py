"""Drives one leg: carries out its effects on stack and timers, and feeds it what comes back.

What the leg tells is handed on, in order.  Everything enters through ``post``, so that whoever owns
several legs can put their events into one queue.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from sipxd.net.stack import ClientHandle, ServerHandle, SipStack
from sipxd.net.timers import Timer, TimerQueue
from sipxd.sip import leg as sip
from sipxd.sip.credentials import without_credentials
from sipxd.sip.flow import Flow
from sipxd.sip.headers import parse_name_addr
from sipxd.sip.message import Request, Response
from sipxd.sip.uac import UacLeg
from sipxd.sip.uas import UasLeg
from sipxd.sip.usage import InviteUsage

_log = Logger()

INVITE = "invite"
"""The key of the server transaction that an incoming leg began with."""
_KEPT_HANDLES = 8


def _at_once(event: Callable[[], None]) -> None:
    event()


def _unheard(event: sip.Event) -> None:
    return None


class LegDriver:
    """A leg on the network. ``on_event`` hears what it tells, `sipxd.sip.leg.Gone` last."""

    __slots__ = (
        "_clients",
        "_known",
        "_on_event",
        "_path",
        "_post",
        "_serial",
        "_servers",
        "_stack",
        "_timer_queue",
        "_timers",
        "heard",
        "machine",
        "pinned",
    )

    def __init__(
        self,
        machine: InviteUsage,
        stack: SipStack,
        timers: TimerQueue,
        post: Callable[[Callable[[], None]], None],
        on_event: Callable[[sip.Event], None],
        known: Callable[[str], Flow | None] = lambda uri: None,
        *,
        pinned: bool = True,
    ) -> None:
        """``known`` gives the flow to a URI as far as it is known.

        ``pinned``: what has no route set takes the flow of the first message, whatever the peer's
        Contact says, as behind address translation it must.
        """
        self.machine = machine
        self._stack = stack
        self._timer_queue = timers
        self._post = post
        self._on_event = on_event
        self._known = known
        self.pinned = pinned
        self._path: tuple[str, Flow] | None = None
        """The next hop of the dialog, and the flow there."""
        self.heard = False
        """Whether any response has come."""
        self._clients: dict[str, ClientHandle] = {}
        self._servers: dict[str, ServerHandle] = {}
        self._timers: dict[str, Timer] = {}
        self._serial = 0

    @property
    def flow(self) -> Flow:
        """Where the leg's messages go."""
        if self.machine.dialog is not None:
            return self.machine.dialog.flow
        assert isinstance(self.machine, UacLeg)
        return self.machine.invitation.flow

    def _flow_of(self, request: Request) -> Flow:
        """The flow of a request within the dialog (RFC 3261 section 12.2.1.1, RFC 3263).

        Until DNS has told where a name of the route set is, it takes the way of the first request.
        """
        flow = self.flow
        route = request.get("Route")
        if self.machine.dialog is None or (route is None and self.pinned):
            return flow
        uri = request.uri if route is None else parse_name_addr(route).uri
        if self._path is None or self._path[0] != uri:
            found = self._known(uri)
            if found is None:
                return flow
            same = (found.transport, found.host, found.port) == (
                flow.transport, flow.host, flow.port
            )  # fmt: skip
            self._path = uri, flow if same else found
        return self._path[1]

    def move(
        self,
        post: Callable[[Callable[[], None]], None],
        on_event: Callable[[sip.Event], None],
    ) -> None:
        """Let another owner have the leg: what was posted before and waits follows it there."""
        self._post, self._on_event = post, on_event

    def enter(self, event: Callable[[], None]) -> None:
        """Post ``event``; should the leg have moved before its turn comes, it is posted again."""
        home = self._post

        def arrive() -> None:
            if self._post == home:
                event()
            else:
                self.enter(event)

        home(arrive)

    def incoming(self, handle: ServerHandle) -> None:
        """The INVITE that the leg began with is answered through ``handle``."""
        self._servers[INVITE] = handle

    def receive_request(self, handle: ServerHandle, request: Request) -> None:
        """A request of the peer within the dialog."""
        self._serial += 1
        key = f"in-{self._serial}"
        if len(self._servers) >= _KEPT_HANDLES:
            # Answered INVITEs stay for the repetition of their 2xx; only the last can need it.
            answered = [k for k, h in self._servers.items() if h.answered]
            for old in answered[:-1]:
                del self._servers[old]
        self._servers[key] = handle
        self.work(self.machine.receive_request(key, request))

    def receive_cancel(self, handle: ServerHandle) -> None:
        """The peer's CANCEL for the INVITE of ``handle``: the leg's first one, or a re-INVITE."""
        key = next((key for key, known in self._servers.items() if known is handle), None)
        if key is not None and key != INVITE:
            self.work(self.machine.request_cancelled(key))
        elif key == INVITE and isinstance(self.machine, UasLeg):
            self.work(self.machine.cancelled())

    def receive_ack(self, request: Request) -> None:
        """The peer's ACK for a 2xx."""
        self.work(self.machine.receive_ack(request))

    def work(self, outputs: list[sip.Output]) -> None:
        """Carry out what the leg wants, in order."""
        for output in outputs:
            kind = type(output)
            if kind is sip.SendRequest:
                self._send(output.key, output.request)  # type: ignore[union-attr]
            elif kind is sip.SendResponse:
                self._respond(output.key, output.response)  # type: ignore[union-attr]
            elif isinstance(output, sip.SendAck):
                self._send_ack(output.request)
            elif isinstance(output, sip.StartTimer):
                self._start_timer(output.name, output.seconds)
            elif isinstance(output, sip.StopTimer):
                timer = self._timers.pop(output.name, None)
                if timer is not None:
                    timer.cancel()
            elif isinstance(output, sip.SendCancel):
                if output.key in self._clients:
                    self._stack.cancel(self._clients[output.key], output.headers)
            else:
                if isinstance(output, sip.Gone):
                    self._stop()
                    tell, self._on_event = self._on_event, _unheard
                    tell(output)
                else:
                    self._on_event(output)  # type: ignore[arg-type]

    def _send(self, key: str, request: Request) -> None:
        def on_event(event: Response | int) -> None:
            self.enter(lambda: self._responded(key, event))

        flow = self._flow_of(request)
        self._clients[key] = self._stack.request(
            self._fit_for(request, flow), flow, on_event, switchable=not self.pinned
        )

    def _fit_for(self, request: Request, flow: Flow) -> Request:
        """``request`` with credentials only for whom the account is with.

        In a dialog the peer chooses where requests go, and a telephone could collect them.
        """
        return request if flow.host == self.flow.host else without_credentials(request)

    def _responded(self, key: str, event: Response | int) -> None:
        if isinstance(event, int):
            self._clients.pop(key, None)
            self.work(self.machine.request_failed(key, event))
            return
        self.heard = True
        if event.status >= 200 and (event.status >= 300 or event.cseq[1] != "INVITE"):
            self._clients.pop(key, None)
        self.work(self.machine.receive_response(key, event))

    def _send_ack(self, request: Request) -> None:
        try:
            flow = self._flow_of(request)
            self._stack.send(self._fit_for(request, flow), flow, switchable=not self.pinned)
        except OSError as error:
            # The peer repeats its 2xx, and gets the ACK then.
            _log.debug("an ACK was not sent: {error}", error=error)

    def _respond(self, key: str, response: Response) -> None:
        handle = self._servers.get(key)
        if handle is None:
            return
        if response.status >= 200 and response.cseq[1] != "INVITE":
            del self._servers[key]
        self._stack.respond(handle, response)

    def _start_timer(self, name: str, seconds: float) -> None:
        running = self._timers.pop(name, None)
        if running is not None:
            running.cancel()
        self._timers[name] = self._timer_queue.schedule(seconds, self._timer_fired, name)

    def _timer_fired(self, name: str) -> None:
        self._timers.pop(name, None)
        self.enter(lambda: self.work(self.machine.timer(name)))

    def _stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._servers.clear()
        # The INVITE's transaction lingers and may bring another fork's 2xx.  Until then it must not
        # hold the call, nor form a cycle that only a garbage collection would find.
        self._clients.clear()
        self._post = _at_once
