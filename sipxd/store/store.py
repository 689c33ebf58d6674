"""The database behind the reactor: a few reading threads and one writer that keeps the order.

The writer is the one place where the order of commits is decided (design section 5): it takes
changes and steps of calls in the order of their arrival.  Waiting steps of calls go into one
transaction, so that a busy daemon pays one disk synchronisation for many of them; a step counts as
stored, and its Deferred fires, only after the commit.  The queue is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

import attrs
import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd import metrics
from sipxd.call.record import CallUnit
from sipxd.errors import Overloaded, StoreBusy, StoreFailed
from sipxd.store import calls
from sipxd.store.engine import check, create_engine
from sipxd.store.threads import start_pool

T = TypeVar("T")

READERS = 4
MAX_READS = 1000
"""Reads that may wait; the next is refused."""

GROUP = 256
"""Most steps of calls in one transaction, so that a backlog still shows progress."""

PACE = 0.05
"""Seconds from the beginning of one group to the next while steps keep coming.

A step that finds the writer idle is stored at once; under load up to 50 ms are waited for company,
which divides the cost of a commit by the number of steps that it carries.
"""

_log = Logger()


@attrs.define
class _Write:
    """One entry of the queue: a step of a call, or a function."""

    name: str
    unit: CallUnit | None
    function: Callable[[sa.Connection], Any] | None
    done: Deferred[Any]


class Store:
    """See the module. Made by ``open``; lives until ``close``."""

    def __init__(self, url: str, reactor: Any, queue_limit: int) -> None:
        self._reactor: Any = reactor
        self._time = cast(IReactorTime, reactor)
        self._limit = queue_limit
        self._write_engine = create_engine(url)
        self._read_engine = create_engine(url, read_only=True, size=READERS)
        self._writer = start_pool(1, "sipxd-store-writer")
        self._readers = start_pool(READERS, "sipxd-store-reader")
        self._queue: deque[_Write] = deque()
        self._functions = 0  # how many of the queue are functions: nobody lets those wait
        self._writing = False
        self._next_group = 0.0
        self._timer: IDelayedCall | None = None
        self._reads = 0
        self._closed = False  # takes nothing new
        self._ended = False
        self._idle: list[Deferred[None]] = []

    @classmethod
    def open(cls, url: str, reactor: IReactorFromThreads, queue_limit: int) -> Store:
        """Open a database that ``sipxd init`` has made; blocks for a moment.

        ``queue_limit`` bounds the changes that wait.  Raises ConfigError with the way out where the
        database is missing, unreachable, or of another release.
        """
        check(url)
        return cls(url, reactor, queue_limit)

    async def read(self, name: str, function: Callable[[sa.Connection], T]) -> T:
        """What ``function`` reads in a thread, in one transaction that cannot write.

        ``name`` stands in the log and in errors.  Raises Overloaded, StoreFailed, and what
        ``function`` raises.
        """
        if self._closed or self._reads >= MAX_READS:
            raise StoreBusy("the database is busy; try again", retry_after=1)
        self._reads += 1
        try:
            return await deferToThreadPool(self._reactor, self._readers, self._read, name, function)
        finally:
            self._reads -= 1
            self._tell_idle()

    async def write(self, name: str, function: Callable[[sa.Connection], T]) -> T:
        """What ``function`` gives, after its transaction is committed, in the order of calls.

        Raises Overloaded, StoreFailed, and what ``function`` raises (nothing is stored then).
        """
        done: Deferred[T] = Deferred()
        self._enqueue(_Write(name, None, function, done))
        return await done

    def submit(self, unit: CallUnit) -> Deferred[None]:
        """Store a step of a call; the Deferred fires after its commit, in the order of calls.

        It fails with StoreFailed when the database refuses this step.  Raises Overloaded at once
        when the queue is full.
        """
        done: Deferred[None] = Deferred()
        self._enqueue(_Write("call", unit, None, done))
        return done

    async def close(self) -> None:
        """Take nothing new, finish what waits, and close the database."""
        self._closed = True
        if self._queue:
            self._pump()
        if self._writing or self._queue or self._reads:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        if self._ended:
            return
        self._ended = True
        self._writer.stop()
        self._readers.stop()
        self._write_engine.dispose()
        self._read_engine.dispose()

    # -- in the reactor ---------------------------------------------------------------------------

    def _enqueue(self, entry: _Write) -> None:
        if self._closed:
            raise Overloaded("sipxd is shutting down", retry_after=5)
        if len(self._queue) >= self._limit:
            metrics.sip_refused_full_store_queue.inc()
            raise StoreBusy("too many changes wait for the database; try again", retry_after=2)
        self._queue.append(entry)
        if entry.function is not None:
            self._functions += 1
        metrics.store_queue_length.set(len(self._queue))
        self._pump()

    def _pump(self) -> None:
        """Give the writer its next piece of work, now or when its time has come."""
        if self._writing or not self._queue:
            return
        now = self._time.seconds()
        if self._functions or self._closed or len(self._queue) >= GROUP or now >= self._next_group:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._writing = True
            self._next_group = now + PACE
            self._writer.callInThread(self._work, self._take())
        elif self._timer is None:
            self._timer = self._time.callLater(self._next_group - now, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._pump()

    def _take(self) -> list[_Write]:
        """The head of the queue: one function, or the steps of calls before the next function."""
        queue = self._queue
        taken = [queue.popleft()]
        if taken[0].function is not None:
            self._functions -= 1
        else:
            while queue and queue[0].unit is not None and len(taken) < GROUP:
                taken.append(queue.popleft())
        metrics.store_queue_length.set(len(queue))
        return taken

    def _written(self, entries: list[_Write], results: list[Any]) -> None:
        self._writing = False
        self._pump()
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, Failure):
                metrics.store_failures.inc()
                entry.done.errback(result)
            else:
                if entry.unit is not None:
                    metrics.store_units.inc()
                entry.done.callback(result)
        self._tell_idle()

    def _tell_idle(self) -> None:
        if not (self._writing or self._queue or self._reads):
            waiting, self._idle = self._idle, []
            for idle in waiting:
                idle.callback(None)

    # -- in the threads ---------------------------------------------------------------------------

    def _read(self, name: str, function: Callable[[sa.Connection], T]) -> T:
        try:
            with self._read_engine.begin() as connection:
                return function(connection)
        except sa.exc.DBAPIError as error:
            raise _store_failed(name, error) from error

    def _work(self, entries: list[_Write]) -> None:
        """Run in the writer's thread; always reports back, whatever happens."""
        try:
            results = self._results(entries)
        except BaseException:
            results = [Failure()] * len(entries)
        self._reactor.callFromThread(self._written, entries, results)

    def _results(self, entries: list[_Write]) -> list[Any]:
        function = entries[0].function
        if function is not None:
            return [self._run(entries[0].name, function)]
        units = [cast(CallUnit, entry.unit) for entry in entries]
        together = self._run("call", lambda connection: calls.save_units(connection, units))
        if not isinstance(together, Failure):
            return [None] * len(units)
        if len(units) == 1 or together.check(StoreFailed):
            return [together] * len(units)  # the disk or the server: each alone would fail too
        return [self._save_alone(unit) for unit in units]

    def _save_alone(self, unit: CallUnit) -> Any:
        return self._run("call", lambda connection: calls.save_units(connection, [unit]))

    def _run(self, name: str, function: Callable[[sa.Connection], Any]) -> Any:
        """The function's result after the commit, or a Failure after the rollback."""
        try:
            with self._write_engine.begin() as connection:
                return function(connection)
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
            failed = _store_failed(name, error)
            self._reactor.callFromThread(_log.error, "{detail}", detail=failed.detail)
            return Failure(failed)
        except Exception:
            return Failure()


def _store_failed(name: str, error: sa.exc.DBAPIError) -> StoreFailed:
    reason = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    return StoreFailed(f"the database failed at {name!r}, nothing was stored: {reason}")
