"""Keeps our registration with one gateway up: runs `sipxd.sip.registration` on the network."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from sipxd.directory.gateway import Gateway
from sipxd.net.locator import Locator, Unreachable
from sipxd.net.resolver import ResolveError
from sipxd.net.stack import ClientHandle, SipStack
from sipxd.net.timers import Timer, TimerQueue
from sipxd.sip.flow import Flow
from sipxd.sip.message import Response
from sipxd.sip.registration import Output, Registration, RegistrationState, SendRegister

_log = Logger()

LEAVE_WITHIN = 2.0
"""Seconds that a registrar has for answering when sipxd stops."""


class OwnRegistration:
    """One registration: found by DNS every time, at the next address where one fails."""

    def __init__(
        self,
        gateway: Gateway,
        machine: Registration,
        stack: SipStack,
        locator: Locator,
        timers: TimerQueue,
    ) -> None:
        self.machine = machine
        self._gateway = gateway
        self._stack = stack
        self._locator = locator
        self._timers = timers
        self._hops: deque[Flow] = deque()
        """The address that is being asked, and those that are left."""
        self._timer: Timer | None = None
        self._question: ClientHandle | None = None
        self._left: Deferred[None] | None = None

    def start(self) -> None:
        """Register now, and again before it expires."""
        Deferred.fromCoroutine(self._find()).addErrback(self._failed)

    def stop(self) -> Deferred[None]:
        """Take the registration back; fires when it is, or when nobody answers to that."""
        if self._timer is not None:
            self._timer.cancel()
        if self._question is not None:
            self._stack.abandon(self._question)
        left = self._left = Deferred()
        self._timer = self._timers.schedule(LEAVE_WITHIN, self._has_left)
        self._work(self.machine.leave())
        return left

    async def _find(self) -> None:
        try:
            self._hops = deque(await self._locator.find(self._gateway.uri))
        except (ResolveError, Unreachable) as error:
            self._work(self.machine.failed(503, str(error)))
            return
        self._ask()

    def _ask(self) -> None:
        """Register at the first of the addresses that are left."""
        try:
            contact = self._stack.contact_uri(self._gateway.username, self._hops[0])
        except OSError:
            self._work(self.machine.failed(503, "No way leads to it."))
            return
        self._work(self.machine.send(contact))

    def _work(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, SendRegister):
                self._question = self._stack.request(output.request, self._hops[0], self._answered)
            else:
                self._tell()
                self._timer = self._timers.schedule(output.seconds, self.start)
        if self.machine.state is RegistrationState.GONE:
            self._has_left()

    def _answered(self, event: Response | int) -> None:
        if not isinstance(event, int) and event.status < 200:
            return
        self._question = None
        status = event if isinstance(event, int) else event.status
        if status in (408, 503) and len(self._hops) > 1 and self._left is None:
            self._hops.popleft()
            self._ask()
        elif isinstance(event, int):
            sentence = "It does not answer." if event == 408 else "No way leads to it."
            self._work(self.machine.failed(event, sentence))
        else:
            self._work(self.machine.receive(event))

    def _tell(self) -> None:
        if self.machine.state is RegistrationState.REGISTERED:
            _log.debug("registered with gateway {name}", name=self._gateway.name)
        else:
            _log.warn(
                "gateway {name} did not register us: {why}",
                name=self._gateway.name,
                why=self.machine.sentence,
            )

    def _has_left(self) -> None:
        if self._left is not None and not self._left.called:
            if self._timer is not None:
                self._timer.cancel()
            if self._question is not None:
                self._stack.abandon(self._question)
            self._left.callback(None)

    def _failed(self, failure: Any) -> None:
        _log.failure("gateway {name}: the registration failed", failure, name=self._gateway.name)
