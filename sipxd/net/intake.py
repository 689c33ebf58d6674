"""What comes in, in the order that it deserves: what is urgent first, and nothing too late.

As long as the daemon keeps up, a message is worked on as it is read.  Where work goes on without a
pause for longer than a moment, messages wait in bounded queues instead, while the sockets are read
on: what belongs to calls first, then new requests of those who have proven who they are, then those
of strangers.  A new request that has waited too long is refused (503), so that its sender hears in
time and can go elsewhere (RFC 5390, RFC 6357); work begun is never given up for new work.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable, Collection
from typing import Protocol

from twisted.logger import Logger

from sipxd.net.guard import Guard, Verdict
from sipxd.net.timers import Clock
from sipxd.sip.flow import Flow

_log = Logger()

BURST = 0.01
"""Seconds of work without a pause after which messages begin to wait."""
PAUSE = 0.0003
"""Seconds between two messages that show that the reactor has been waiting, or doing other work."""
SLICE = 0.005
"""Seconds of work after which the reactor may read again, and do what else there is."""
PATIENCE = 0.1
"""Seconds that a new request may wait before it is refused."""
LATE = 0.05
"""Seconds that the first one has waited when others of its rank are refused as they come."""
MOST = (16_384, 1_024, 256)
"""Messages that may wait, of each `Rank`."""
EMERGENCIES = 10
"""Emergency calls that an address may begin at once, and then in a second, without proof."""
AFTERMATH = 1.0
"""Seconds after a refusal for which the daemon still counts as overloaded."""


class Rank(enum.IntEnum):
    """How soon a message is worked on."""

    URGENT = 0
    """It belongs to a call, answers us, or calls for help."""
    KNOWN = 1
    """A new request of a peer that has proven who it is."""
    STRANGER = 2


class Worker(Protocol):
    """The SIP stack, as it is seen from here. Neither method raises."""

    def work(self, data: bytes, flow: Flow) -> None:
        """Work on a message."""
        ...

    def refuse(self, data: bytes, flow: Flow) -> None:
        """Refuse what would begin something new; all else is worked on."""
        ...


class Intake:
    """Messages on their way to ``worker``.

    ``guard`` limits strangers.  ``is_live`` tells whether the user part of a Request-URI is that of
    a leg of a call, ``emergency`` are the numbers that call for help, ``mark`` is what the branches
    of our own requests begin with, ``stateless`` what the To tags of answers begin with whose ACKs
    mean nothing to us.
    """

    def __init__(
        self,
        clock: Clock,
        worker: Worker,
        counts: Counter[str],
        *,
        guard: Guard | None,
        is_live: Callable[[str], bool],
        emergency: Collection[str],
        mark: str,
        stateless: str,
    ) -> None:
        self._clock = clock
        self._worker = worker
        self._counts = counts
        self._guard = guard
        self._is_live = is_live
        self._emergency = frozenset(emergency)
        self._helpers = Guard(EMERGENCIES, 1.0, lambda host: False)
        self._mark = mark.encode()
        self._stateless = f";tag={stateless}".encode()
        self._queues: tuple[deque[tuple[bytes, Flow, float]], ...] = (deque(), deque(), deque())
        self._draining = False
        self._began = 0.0
        self._ended = 0.0
        self._refused_at = -AFTERMATH

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        return sum(map(len, self._queues))

    @property
    def overloaded(self) -> bool:
        """Whether new work is being refused, or what is urgent has to wait."""
        now = self._clock.seconds()
        urgent = self._queues[Rank.URGENT]
        return now < self._refused_at + AFTERMATH or bool(urgent and now - urgent[0][2] > PATIENCE)

    def receive(self, data: bytes, flow: Flow) -> None:
        """A message has come in over ``flow``."""
        now = self._clock.seconds()
        guard = self._guard
        rank = Rank.KNOWN
        if guard is not None and not guard.is_known(flow, now):
            rank = self._rank(data, flow, now, Rank.STRANGER)
            if rank is Rank.STRANGER:
                verdict = guard.judge(flow.host, now)
                if verdict is not Verdict.HEARD:
                    self._ignore(verdict, guard, flow)
                    return
        if data.startswith(b"ACK ") and self._stateless in data:
            return
        if not self._draining:
            if now - self._ended > PAUSE:
                self._began = now
            if now - self._began < BURST:
                self._worker.work(data, flow)
                self._ended = self._clock.seconds()
                return
        if rank is Rank.KNOWN:
            rank = self._rank(data, flow, now, rank)
        self._wait(rank, data, flow, now)

    def _ignore(self, verdict: Verdict, guard: Guard, flow: Flow) -> None:
        self._counts["source_ignored"] += 1
        if verdict is Verdict.BANNED:
            self._counts["source_banned"] += 1
            _log.warn(
                "{host} is ignored for {seconds} s: more than {requests} SIP messages a second "
                "without a valid password",
                host=flow.host, seconds=guard.ban_seconds, requests=guard.requests,
            )  # fmt: skip

    def _rank(self, data: bytes, flow: Flow, now: float, ordinary: Rank) -> Rank:
        """Urgent or ``ordinary``, told without parsing, for it must cost next to nothing."""
        if data.startswith(b"SIP/2.0 "):
            return Rank.URGENT if self._mark in data else ordinary
        start = data.find(b":", 0, 48) + 1
        end = data.find(b"@", start, start + 80)
        if end < 0:
            end = data.find(b" ", start, start + 80)  # a tel URI
        if not start or end < 0:
            return ordinary
        user = data[start:end].partition(b";")[0].decode("latin-1")
        if user in self._emergency and data.startswith(b"INVITE "):
            heard = self._helpers.judge(flow.host, now) is Verdict.HEARD
            return Rank.URGENT if heard else ordinary
        return Rank.URGENT if self._is_live(user) else ordinary

    def _wait(self, rank: Rank, data: bytes, flow: Flow, now: float) -> None:
        queue = self._queues[rank]
        if rank is not Rank.URGENT and queue and now - queue[0][2] > LATE:
            self._refuse(data, flow, now)
        elif len(queue) < MOST[rank]:
            queue.append((data, flow, now))
        elif rank is Rank.KNOWN:
            self._refuse(data, flow, now)
        else:
            self._counts["overload_dropped"] += 1
        if not self._draining:
            self._draining = True
            self._clock.callLater(0.0, self._drain)

    def _refuse(self, data: bytes, flow: Flow, now: float) -> None:
        self._refused_at = now
        self._worker.refuse(data, flow)

    def _drain(self) -> None:
        """Work for a while on what waits, then let the reactor read."""
        urgent, known, strangers = self._queues
        now = self._clock.seconds()
        end = now + SLICE
        while now < end:
            if urgent:
                data, flow, _ = urgent.popleft()
                self._worker.work(data, flow)
            elif known or strangers:
                data, flow, came = (known or strangers).popleft()
                if now - came > PATIENCE:
                    self._refuse(data, flow, now)
                else:
                    self._worker.work(data, flow)
            else:
                self._draining = False
                self._began = self._ended = now
                return
            now = self._clock.seconds()
        self._clock.callLater(0.0, self._drain)
