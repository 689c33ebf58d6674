"""Telling systemd how the daemon is: as much of the protocol of sd_notify(3) as sipxd uses.

Without ``NOTIFY_SOCKET`` (outside systemd) every message goes nowhere.  Sending never blocks and
never fails: a service manager that does not listen must not stop a call.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()


class Notifier:
    """Sends states to the service manager; made once at start."""

    def __init__(self, address: str | None, watchdog_interval: float | None) -> None:
        self._address = address
        self.watchdog_interval = watchdog_interval
        """Seconds within which systemd wants a sign of life; None: it does not."""

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, pid: int | None = None
    ) -> Notifier:
        """What systemd has told this process; a watchdog meant for another process is not ours."""
        own_pid = str(os.getpid() if pid is None else pid)
        interval = None
        microseconds = environment.get("WATCHDOG_USEC", "")
        if environment.get("WATCHDOG_PID", own_pid) == own_pid and microseconds.isdecimal():
            interval = int(microseconds) / 1_000_000 or None
        return cls(environment.get("NOTIFY_SOCKET") or None, interval)

    def ready(self, status: str) -> None:
        """All ports listen; ``status`` is the line that ``systemctl status`` shows."""
        self._send(f"READY=1\nSTATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        """The daemon ends now."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The sign of life that the watchdog waits for."""
        self._send("WATCHDOG=1")

    def watch(self, probe: Callable[[], Awaitable[Any]], reactor: Any) -> Callable[[], None]:
        """Give signs of life while ``probe`` succeeds; the function given back ends that.

        ``probe`` runs at half the interval and shall show that the database thread answers; that
        it runs at all shows that the reactor does.  A probe that hangs or fails gives no sign.
        """
        if self.watchdog_interval is None or self._address is None:
            return lambda: None

        async def check() -> None:
            try:
                await probe()
            except Exception as error:
                _log.warn("the watchdog's probe failed: {error}", error=error)
            else:
                self.alive()

        loop = LoopingCall(lambda: Deferred.fromCoroutine(check()))
        loop.clock = reactor
        loop.start(self.watchdog_interval / 2)

        def stop() -> None:
            if loop.running:
                loop.stop()

        return stop

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        # A leading @ stands for the abstract name space.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), address)
        except OSError as error:
            _log.warn("systemd did not take a message: {error}", error=error)
