"""Whether a gateway is well, and at which addresses it is.

Its host is looked up again and again; where ``health_check`` says so, each address in turn is asked
by OPTIONS (RFC 3261 section 11) until one answers.  Any answer but 503 is one: a gateway that
refuses OPTIONS is there all the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from sipxd import ids
from sipxd.directory.gateway import Gateway
from sipxd.net.locator import Locator, Unreachable
from sipxd.net.resolver import ResolveError
from sipxd.net.stack import ClientHandle, SipStack
from sipxd.net.timers import Timer, TimerQueue
from sipxd.service.live import USER_AGENT
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.registration import Random

_log = Logger()

ANSWER_WITHIN = 8.0
"""Seconds in which a gateway that is well answers OPTIONS."""
LOOK_UP_EVERY = 300.0
"""Seconds after which a gateway is looked up again that is not asked."""


class GatewayHealth:
    """Looks after one gateway. ``octets`` gives n random bytes."""

    def __init__(
        self,
        gateway: Gateway,
        stack: SipStack,
        locator: Locator,
        timers: TimerQueue,
        *,
        random: Random,
        octets: Callable[[int], bytes],
    ) -> None:
        self.flows: tuple[Flow, ...] = ()
        """The ways to it, as last found."""
        self.illness = ""
        """What is wrong with it, in a sentence; empty where nothing is known to be."""
        self.asked = False
        """Whether it has answered OPTIONS, or should have."""
        self._gateway = gateway
        self._stack = stack
        self._locator = locator
        self._timers = timers
        self._random = random
        self._octets = octets
        self._timer: Timer | None = None
        self._question: ClientHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """Look now, and again and again."""
        Deferred.fromCoroutine(self._look()).addErrback(self._failed)

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        self._let_go()

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._question is not None:
            self._stack.abandon(self._question)
            self._question = None

    async def _look(self) -> None:
        try:
            flows = await self._locator.find(self._gateway.uri)
        except (ResolveError, Unreachable) as error:
            self._judge(str(error))
            return
        if self._stopped:
            return
        self.flows = flows
        if self._gateway.health_check:
            self._ask(deque(flows))
        else:
            self._judge("")

    def _ask(self, hops: deque[Flow]) -> None:
        flow = hops.popleft()

        def answered(event: Response | int) -> None:
            if isinstance(event, int):
                self._answered(
                    hops, "It does not answer." if event == 408 else "No way leads to it."
                )
            elif event.status >= 200:
                self._answered(hops, "It answers 503." if event.status == 503 else "")

        def silent() -> None:
            self._answered(hops, "It does not answer.")

        self._timer = self._timers.schedule(ANSWER_WITHIN, silent)
        self._question = self._stack.request(self._options(), flow, answered)

    def _answered(self, hops: deque[Flow], illness: str) -> None:
        self._let_go()
        self.asked = True
        if illness and hops:
            self._ask(hops)
        else:
            self._judge(illness)

    def _judge(self, illness: str) -> None:
        """What became of this look; plans the next one."""
        if self._stopped:
            return
        name = self._gateway.name
        if illness and not self.illness:
            _log.warn("gateway {name} is not well: {why}", name=name, why=illness)
        elif self.illness and not illness:
            _log.info("gateway {name} is well again", name=name)
        self.illness = illness
        pause = (self._gateway.health_check or LOOK_UP_EVERY) * self._random.uniform(0.9, 1.1)
        self._timer = self._timers.schedule(pause, self.start)

    def _options(self) -> Request:
        gateway = self._gateway
        own = f"sip:{gateway.username or 'sipxd'}@{gateway.domain_or_host}"
        headers: list[Header] = [
            ("Max-Forwards", "70"),
            ("From", f"<{own}>;tag={ids.tag(self._octets)}"),
            ("To", f"<{gateway.uri}>"),
            ("Call-ID", ids.sip_call_id(self._octets)),
            ("CSeq", "1 OPTIONS"),
            ("Accept", "application/sdp"),
            ("User-Agent", USER_AGENT),
        ]
        return Request("OPTIONS", gateway.uri, headers=headers)

    def _failed(self, failure: Any) -> None:
        _log.failure("gateway {name} is not looked after", failure, name=self._gateway.name)
