"""Keeps the ways to telephones behind NAT open: an OPTIONS before the NAT forgets them.

A datagram towards the phone does not suffice for every NAT, so the phone is made to answer.  The
answer itself does not matter: nothing is kept of a request and nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from sipxd import ids
from sipxd.net.stack import SipStack
from sipxd.net.timers import Clock, TimerQueue
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request
from sipxd.sip.registrar import Binding
from sipxd.sip.uri import UriError, parse_uri

_log = Logger()

DEFAULT_PORT = 5060


def behind_nat(binding: Binding) -> bool:
    """Whether a datagram reaches the phone only by the way that its REGISTER came."""
    if binding.flow.transport != "UDP" or binding.path:
        return False
    try:
        uri = parse_uri(binding.uri)
    except UriError:
        return False
    source = binding.flow.host.partition("%")[0], binding.flow.port
    return (uri.host.strip("[]"), uri.port or DEFAULT_PORT) != source


class NatKeepalive:
    """Sends to each such phone every ``interval`` seconds, all of them spread over that time.

    ``of`` gives the bindings of a user id that hold now; ``random`` n random bytes.
    """

    def __init__(
        self,
        clock: Clock,
        stack: SipStack,
        interval: int,
        domain: str,
        of: Callable[[int], Sequence[Binding]],
        random: Callable[[int], bytes],
    ) -> None:
        # A queue of its own: these timers stand for no call.
        self._timers = TimerQueue(clock)
        self._stack = stack
        self._interval = float(interval)
        self._domain = domain
        self._of = of
        self._random = random
        self._watched: set[tuple[int, Flow]] = set()

    def __len__(self) -> int:
        return len(self._watched)

    def stop(self) -> None:
        """Send no more."""
        self._timers.stop()
        self._watched.clear()

    def take_up(self, user_ids: Sequence[int]) -> None:
        """Begin with the bindings of these users, one after the other within the interval."""
        found = [
            (user_id, b.flow) for user_id in user_ids for b in self._of(user_id) if behind_nat(b)
        ]
        for place, watched in enumerate(found):
            if watched not in self._watched:
                self._watched.add(watched)
                self._timers.schedule(self._interval * place / len(found), self._due, *watched)

    def registered(self, user_id: int, bindings: Sequence[Binding]) -> None:
        """A user has these bindings from now on."""
        for binding in bindings:
            if (user_id, binding.flow) not in self._watched and behind_nat(binding):
                self._watched.add((user_id, binding.flow))
                self._timers.linger(self._interval, self._due, user_id, binding.flow)

    def _due(self, user_id: int, flow: Flow) -> None:
        binding = next((b for b in self._of(user_id) if b.flow == flow and behind_nat(b)), None)
        if binding is None:
            self._watched.discard((user_id, flow))
            return
        self._timers.linger(self._interval, self._due, user_id, flow)
        headers = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self._domain}>;tag={self._random(4).hex()}"),
            ("To", f"<{binding.uri}>"),
            ("Call-ID", ids.sip_call_id(self._random)),
            ("CSeq", "1 OPTIONS"),
        ]
        try:
            self._stack.send(Request("OPTIONS", binding.uri, headers=headers), flow)
        except OSError as error:
            _log.debug("a keep-alive was not sent: {error}", error=error)
