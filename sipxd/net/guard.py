"""Who may send how much: a limit for each source that has not shown who it is.

Pure: the time is an argument.  A source is an IPv4 address, or the /64 that one IPv6 customer has.
One that goes beyond its rate is ignored for a while.  Its sender addresses may be forged (UDP), so
that nothing decided here harms a peer that has proven who it is:

- trusted peers and flows that have proven themselves lately are not counted at all;
- an address that such a flow comes from is never ignored as a whole, for it may be an office behind
  one address: what is beyond the rate is dropped, and the rest is heard.

The tables are bounded; what has been quiet longest is forgotten first.
"""

from __future__ import annotations

import enum
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from sipxd.sip.flow import Flow

BURST = 2.0
"""Seconds of its rate that a source may send at once."""
PROVEN_FOR = 7200.0
"""Seconds for which a flow counts as proven; telephones register more often."""
MAX_SOURCES = 20_000
MAX_PROVEN = 100_000

K = TypeVar("K")


class Verdict(enum.Enum):
    """What becomes of a message of a stranger."""

    HEARD = "heard"
    IGNORED = "ignored"
    BANNED = "banned"
    """Ignored, and so is all that follows for a while: said once."""


class _Source:
    __slots__ = ("ignored_until", "last", "tokens")

    def __init__(self, tokens: float, now: float) -> None:
        self.tokens = tokens
        self.last = now
        self.ignored_until = 0.0


class Guard:
    """``requests`` is the rate in messages a second, ``ban_seconds`` how long a source is ignored.

    ``is_trusted`` tells whether an address is that of a trusted peer.  Times are those of any clock
    that begins at zero or above.
    """

    def __init__(
        self, requests: int, ban_seconds: float, is_trusted: Callable[[str], bool]
    ) -> None:
        self.requests = requests
        self.ban_seconds = ban_seconds
        self._is_trusted = is_trusted
        self._sources: OrderedDict[str | bytes, _Source] = OrderedDict()
        # Until when a flow or the address of one counts as proven, the oldest proof first.
        self._flows: OrderedDict[tuple[str, int | str], float] = OrderedDict()
        self._offices: OrderedDict[str | bytes, float] = OrderedDict()

    def is_known(self, flow: Flow, now: float) -> bool:
        """Whether the peer of ``flow`` is trusted or has proven itself lately."""
        until = self._flows.get((flow.host, flow.connection or flow.port))
        return (until is not None and now < until) or self._is_trusted(flow.host)

    def prove(self, flow: Flow, now: float) -> None:
        """The peer of ``flow`` has shown by a password, or by a dialog of ours, who it is."""
        until = now + PROVEN_FOR
        _put(self._flows, (flow.host, flow.connection or flow.port), until)
        _put(self._offices, source_of(flow.host), until)

    def judge(self, host: str, now: float) -> Verdict:
        """A message has come from ``host`` over a flow that is not known."""
        key = source_of(host)
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Source(self.requests * BURST, now)
            if len(self._sources) > MAX_SOURCES:
                self._sources.popitem(last=False)
        else:
            self._sources.move_to_end(key)
            if now < source.ignored_until:
                return Verdict.IGNORED
            gained = (now - source.last) * self.requests
            source.tokens = min(source.tokens + gained, self.requests * BURST)
            source.last = now
        if source.tokens >= 1.0:
            source.tokens -= 1.0
            return Verdict.HEARD
        if now < self._offices.get(key, 0.0):
            return Verdict.IGNORED
        source.ignored_until = now + self.ban_seconds
        return Verdict.BANNED

    def banned(self, now: float) -> int:
        """Sources that are ignored at present."""
        return sum(now < source.ignored_until for source in self._sources.values())

    @property
    def sources(self) -> int:
        """Sources that are counted."""
        return len(self._sources)

    @property
    def proven(self) -> int:
        """Flows that are remembered to have proven themselves."""
        return len(self._flows)


def _put(table: OrderedDict[K, float], key: K, until: float) -> None:
    table[key] = until
    table.move_to_end(key)
    if len(table) > MAX_PROVEN:
        table.popitem(last=False)


def source_of(host: str) -> str | bytes:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in host:
        return host
    try:
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except OSError:
        return host
    if packed.startswith(bytes(10) + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8]
