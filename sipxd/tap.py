"""The daemon as a Twisted service: for ``twistd sipxd`` and, by the same path, for ``sipxd run``.

Starts the application, tells systemd once every port listens, and turns what keeps it from
starting into one sentence on standard error and exit status 1.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger, globalLogBeginner
from twisted.python.components import Componentized
from twisted.python.usage import Options as UsageOptions

from sipxd import config, log
from sipxd.app import App
from sipxd.config import Config
from sipxd.errors import ConfigError
from sipxd.sdnotify import Notifier

_log = Logger()

SWITCH_INTERVAL = 0.0005
"""Seconds after which the thread of the database gives way: whenever the reactor sends or receives,
it waits for so long where that thread is busy, and under load most of its time is spent that way.
"""


class Options(UsageOptions):
    """What may follow ``twistd sipxd``."""

    synopsis = "[--config FILE]"
    longdesc = "Click-to-call and call forwarding for SIP telephones."
    optParameters = (
        ("config", "c", None, "Configuration file [default: $SIPXD_CONFIG, else /etc/sipxd/...]"),
    )


class Daemon(Service):
    """The application, started and stopped with the reactor."""

    def __init__(self, config: Config, reactor: Any) -> None:
        self._config = config
        self._reactor = reactor
        self._app: App | None = None
        self._started: Deferred[None] | None = None
        self._notifier = Notifier.from_environment()
        self._stop_watching: Callable[[], None] = lambda: None
        self.exit_status = 0
        """What the process should end with: 1 after a failed start."""

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application, and have it log the way that sipxd logs."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, log.observer(sys.stdout))
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Begin to start; the rest happens while the reactor runs."""
        super().startService()  # type: ignore[no-untyped-call]
        self._started = Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        try:
            self._app = App.build(self._config, self._reactor)
            await self._app.start()
        except ConfigError as error:
            self._give_up(error.detail)
        except Exception:
            _log.failure("sipxd cannot start")
            self._give_up("cannot start because of an internal error; its log says more")
        else:
            _tune_garbage_collection()
            sys.setswitchinterval(SWITCH_INTERVAL)
            self._notifier.ready(f"taking calls for {self._config.domain}")
            self._stop_watching = self._notifier.watch(self._app.probe, self._reactor)

    def _give_up(self, sentence: str) -> None:
        self.exit_status = 1
        complain(sentence)
        self._reactor.callWhenRunning(self._reactor.stop)

    def stopService(self) -> Deferred[None]:
        """Stop the application; fires when calls are written down and the ports are closed."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._notifier.stopping()
        self._stop_watching()
        if self._started is not None:
            await self._started
        if self._app is not None:
            await self._app.stop()


def _tune_garbage_collection() -> None:
    """Keep collections from holding calls up: a full one looks at everything, which takes 60 to
    100 ms at leisure and half a second under overload.

    What was made until now lives as long as the process and need not be looked at again; what calls
    make is freed by its reference counts, so that full collections may be rare.  A collection of
    what is young looks at 10,000 objects at most, which takes up to 10 ms: where many calls begin
    and wait, all of them are there to stay, and timers are late by as much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 4, 1_250)


def complain(sentence: str) -> None:
    """Say on standard error why the daemon does not run, also when its own is already a log."""
    print(f"sipxd: {sentence}", file=sys.__stderr__, flush=True)


def run(config: Config) -> int:
    """Run the daemon until it is stopped by a signal; returns the exit status."""
    from twisted.internet import reactor

    globalLogBeginner.beginLoggingTo([log.observer(sys.stdout)])
    daemon = Daemon(config, reactor)
    reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    daemon.startService()
    reactor.run()
    return daemon.exit_status


def makeService(options: Options) -> Daemon:
    """The service for twistd. A wrong configuration ends the process with one sentence."""
    from twisted.internet import reactor

    path = Path(options["config"]) if options["config"] else config.default_path()
    try:
        daemon = Daemon(config.load(path), reactor)
    except ConfigError as error:
        raise SystemExit(f"sipxd: {error.detail}") from None
    atexit.register(_leave, daemon)
    return daemon


def _leave(daemon: Daemon) -> None:
    """End as the service wants: twistd itself offers no way to choose the exit status."""
    if daemon.exit_status:
        sys.stdout.flush()
        os._exit(daemon.exit_status)
