"""One queue for every timer of the SIP side, with a single pending call of the reactor.

Timers that may be cancelled stand in a heap; the many that only wait out a fixed time (RFC 3261
timers D, I, J, K; RFC 6026 L, M) stand in one plain queue per delay, which costs next to nothing.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.logger import Logger

_log = Logger()

_TOLERANCE = 1e-6
"""Seconds by which a timer may be early, because sums of floats are not exact."""
_LINGER_TOLERANCE = 0.05
"""Seconds by which a linger may be early: many that end close together share one wake-up."""
_COMPACT_AT = 512
"""Cancelled timers in the heap before it is rebuilt without them."""


class DelayedCall(Protocol):
    """The part of Twisted's IDelayedCall that is used here."""

    def cancel(self) -> Any:
        """Do not call."""
        ...


class Clock(Protocol):
    """The part of Twisted's IReactorTime that is used here; twisted.internet.task.Clock has it."""

    def seconds(self) -> float:
        """The time now, in seconds."""
        ...

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> Any:
        """Call after ``delay`` seconds."""
        ...


class Timer:
    """A timer that runs; ``cancel`` stops it, also when it has fired already."""

    __slots__ = ("_arguments", "_callback", "_queue")

    def __init__(
        self, queue: TimerQueue, callback: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        self._queue = queue
        self._callback: Callable[..., object] | None = callback
        self._arguments = arguments

    @property
    def active(self) -> bool:
        """Whether it has neither fired nor been cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Do not fire. What the timer held is let go at once."""
        if self._callback is not None:
            self._callback = None
            self._arguments = ()
            self._queue._timer_cancelled()

    def _fire(self) -> None:
        callback, arguments = self._callback, self._arguments
        self._callback, self._arguments = None, ()
        if callback is not None:
            callback(*arguments)


class TimerQueue:
    """Timers on ``clock`` (Twisted's reactor or a fake one).

    A callback that raises is logged and harms no other timer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._cancelled = 0
        self._sequence = 0
        self._lingers: dict[float, deque[tuple[float, Callable[..., object], tuple[Any, ...]]]] = {}
        self._call: Any = None
        self._call_at = 0.0
        self._running = False

    def __len__(self) -> int:
        """Timers and lingers that are still to fire."""
        return len(self._heap) - self._cancelled + sum(map(len, self._lingers.values()))

    def seconds(self) -> float:
        """The time of the clock."""
        return self._clock.seconds()

    def schedule(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        """Call ``callback(*arguments)`` after ``seconds``, unless the timer is cancelled."""
        when = self._clock.seconds() + seconds
        timer = Timer(self, callback, arguments)
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, timer))
        if self._call is None or when < self._call_at:
            self._wake_at(when)
        return timer

    def linger(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call ``callback(*arguments)`` after ``seconds`` (at most 50 ms earlier), in any case.

        ``seconds`` should be one of a few fixed delays: each has a queue of its own.
        """
        queue = self._lingers.get(seconds)
        if queue is None:
            queue = self._lingers[seconds] = deque()
        when = self._clock.seconds() + seconds
        queue.append((when, callback, arguments))
        if self._call is None or when < self._call_at:
            self._wake_at(when)

    def stop(self) -> None:
        """Forget every timer without calling it."""
        self._heap.clear()
        for queue in self._lingers.values():
            queue.clear()
        self._cancelled = 0
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wake_at(self, when: float) -> None:
        if self._running:
            return  # the next wake-up is set when everything due has run
        if self._call is not None:
            self._call.cancel()
        self._call_at = when
        self._call = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._run)

    def _run(self) -> None:
        self._call = None
        self._running = True
        try:
            self._run_timers(self._clock.seconds() + _TOLERANCE)
            self._run_lingers(self._clock.seconds() + _LINGER_TOLERANCE)
        finally:
            self._running = False
            following = self._next()
            if following is not None:
                self._wake_at(following)

    def _run_timers(self, now: float) -> None:
        heap = self._heap
        while heap and (heap[0][0] <= now or not heap[0][2].active):
            timer = heapq.heappop(heap)[2]
            if not timer.active:
                self._cancelled -= 1
                continue
            try:
                timer._fire()
            except Exception:
                _log.failure("A timer's callback failed")

    def _run_lingers(self, now: float) -> None:
        for queue in list(self._lingers.values()):
            while queue and queue[0][0] <= now:
                _, callback, arguments = queue.popleft()
                try:
                    callback(*arguments)
                except Exception:
                    _log.failure("A linger's callback failed")

    def _next(self) -> float | None:
        times = [queue[0][0] for queue in self._lingers.values() if queue]
        if self._heap:
            times.append(self._heap[0][0])
        return min(times, default=None)

    def _timer_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled >= _COMPACT_AT and 2 * self._cancelled > len(self._heap):
            # In place, because _run_timers may be walking it.
            self._heap[:] = [entry for entry in self._heap if entry[2].active]
            heapq.heapify(self._heap)
            self._cancelled = 0
