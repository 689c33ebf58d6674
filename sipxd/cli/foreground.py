"""Runs a coroutine on the reactor until it returns, or until Ctrl-C, SIGTERM or SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()

INTERRUPTED = 130
"""Exit status of a command that a signal ended before its work was done."""


def run(main: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
    """The exit status that ``main(reactor)`` returns. Raises what it raises.

    A signal cancels it: the CancelledError comes out of what it is waiting for, and its ``finally``
    may wait for more.  Further signals are ignored, so what stands there must end by itself.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    results: list[int | Failure] = []
    working: list[Deferred[int]] = []
    interrupted: list[bool] = []

    def begin() -> None:
        working.append(Deferred.fromCoroutine(main(reactor)))
        working[0].addBoth(results.append).addBoth(lambda _: reactor.stop())

    def cancel() -> None:
        if not results and not interrupted:
            interrupted.append(True)
            working[0].cancel()

    def interrupt(*_: object) -> None:
        reactor.callFromThread(cancel)

    reactor.callWhenRunning(begin)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They stay: what the caller clears away afterwards shall not be interrupted either.
        signal.signal(number, interrupt)
    reactor.run(installSignalHandlers=False)
    (result,) = results
    if not isinstance(result, Failure):
        return result
    if interrupted:
        # What was interrupted may put it in its own words, or fail on the way out.
        if not result.check(CancelledError):
            _log.failure("a command failed when it was interrupted", result)
        return INTERRUPTED
    result.raiseException()
    raise AssertionError
