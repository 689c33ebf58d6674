"""The connections of all listeners together: their number is bounded, and the overdue ones end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sipxd.net.connection import Connection
from sipxd.net.guard import source_of
from sipxd.net.timers import Clock

STRANGERS = 256
"""Most connections of one source (`source_of`) whose peer has not proven who it is."""
_FAIR_CHANCE = 5.0
"""Seconds for which a stranger's connection is not given up for a newer one."""
_SWEEP = 5.0
"""Seconds between two looks for what is overdue."""


class Connections:
    """At most ``limit`` connections; ``exempt`` addresses may have any part of them.

    Where there is no room, the stranger who has waited longest goes; where none has had his fair
    chance yet, the new connection is refused.
    """

    def __init__(
        self,
        clock: Clock,
        limit: int,
        counts: Counter[str],
        exempt: Callable[[str], bool] = lambda host: False,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._counts = counts
        self._exempt = exempt
        self._all: dict[Connection, None] = {}
        self._strangers: dict[Connection, float] = {}
        """The longest waiting first, each with the time of its beginning."""
        self._by_source: dict[str | bytes, dict[Connection, None]] = {}
        self._sweeping = False

    def __len__(self) -> int:
        return len(self._all)

    @property
    def strangers(self) -> int:
        """Connections whose peer has not proven who it is."""
        return len(self._strangers)

    def has_room(self, host: str = "") -> bool:
        """Whether one more may be opened, by ``host`` or (empty) by us; makes room for it."""
        same = self._by_source.get(source_of(host), {})
        if len(same) >= STRANGERS and not self._exempt(host) and not self._give_up(same):
            self._counts["connection_refused"] += 1
            return False
        if len(self._all) >= self._limit and not self._give_up(self._strangers):
            self._counts["connection_refused"] += 1
            return False
        return True

    def add(self, connection: Connection) -> None:
        """Watch over ``connection``."""
        self._all[connection] = None
        if connection.accepted:
            self._strangers[connection] = self._clock.seconds()
            self._by_source.setdefault(source_of(connection.flow.host), {})[connection] = None
        if not self._sweeping:
            self._sweeping = True
            self._clock.callLater(_SWEEP, self._sweep)

    def keep(self, connection: Connection) -> None:
        """The peer has proven who it is."""
        connection.kept = True
        self._known(connection)

    def remove(self, connection: Connection) -> None:
        """It is over: nothing of it is held any more."""
        self._all.pop(connection, None)
        self._known(connection)

    def _known(self, connection: Connection) -> None:
        if self._strangers.pop(connection, None) is not None:
            source = source_of(connection.flow.host)
            same = self._by_source[source]
            del same[connection]
            if not same:
                del self._by_source[source]

    def _give_up(self, candidates: dict[Connection, float] | dict[Connection, None]) -> bool:
        oldest = next(iter(candidates), None)
        if oldest is None or self._clock.seconds() - self._strangers[oldest] < _FAIR_CHANCE:
            return False
        self._counts["connection_given_up"] += 1
        oldest.abort("there is no room")
        self.remove(oldest)
        return True

    def _sweep(self) -> None:
        now = self._clock.seconds()
        for connection in list(self._all):
            reason = connection.overdue(now)
            if reason:
                self._counts["connection_overdue"] += 1
                connection.abort(reason)
        self._sweeping = bool(self._all)
        if self._sweeping:
            self._clock.callLater(_SWEEP, self._sweep)
