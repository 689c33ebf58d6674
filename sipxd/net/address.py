"""Our own address: the one that is bound, and the one that a peer is told."""

from __future__ import annotations

import errno
import socket
from typing import Protocol

from sipxd.errors import ConfigError

_MOST_ROUTES = 4_096
"""Peers for which our own address is remembered."""
_ROUTE_LIFETIME = 60.0
"""Seconds for which it is."""
_WILDCARDS = ("0.0.0.0", "::")


class Seconds(Protocol):
    """A clock."""

    def seconds(self) -> float:
        """The time now, in seconds."""
        ...


def format_address(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind(host: str, port: int, kind: socket.SocketKind, listener: str) -> socket.socket:
    """A socket of ``kind`` on ``host`` and ``port``. Raises ConfigError with the way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, kind)
    try:
        opened.setblocking(False)
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Otherwise [::] would take the port from a listener on 0.0.0.0 beside it.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise cannot_listen(listener, error) from None
    return opened


def cannot_listen(listener: str, error: OSError) -> ConfigError:
    """What is wrong with a listener, and the way out."""
    advice = {
        errno.EADDRINUSE: "another program listens there; stop it or choose another port",
        errno.EADDRNOTAVAIL: "this machine has no such address; correct it",
        errno.EACCES: "ports below 1024 need a privilege; choose another port",
    }.get(error.errno or 0, "correct it")
    return ConfigError(
        f"cannot listen on {listener} ({error.strerror}): {advice} in [sip] listen",
        field="sip.listen",
    )


class OwnAddress:
    """The address of a listener. ``advertise`` ("host" or "host:port") is told instead of it."""

    def __init__(self, clock: Seconds, host: str, port: int, advertise: str = "") -> None:
        self.host = host
        self.port = port
        self._clock = clock
        self._advertise = advertise
        self._routes: dict[str, str] = {}
        self._routes_until = 0.0

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of the machine."""
        return self.host in _WILDCARDS

    def sent_by(self, host: str) -> str:
        """``host:port`` for Via and Contact towards the address ``host``. Raises OSError.

        A socket on every address tells each peer the one that the kernel would send from.
        """
        if self._advertise:
            bare = self._advertise
            if bare.count(":") > 1 and not bare.startswith("["):
                return f"[{bare}]:{self.port}"
            return bare if ":" in bare.rpartition("]")[2] else f"{bare}:{self.port}"
        if not self.is_wildcard:
            return format_address(self.host, self.port)
        return format_address(self._source(host), self.port)

    def suits(self, host: str) -> bool:
        """Whether the kernel sends to ``host`` from this address."""
        try:
            return self.is_wildcard or self._source(host) == self.host
        except OSError:
            return False

    def _source(self, host: str) -> str:
        """The address that the kernel sends from to ``host``. Raises OSError."""
        now = self._clock.seconds()
        if now >= self._routes_until or len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
            self._routes_until = now + _ROUTE_LIFETIME
        ours = self._routes.get(host)
        if ours is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((host, 9))  # chooses a route and sends nothing
                ours = probe.getsockname()[0].partition("%")[0]
            self._routes[host] = ours
        return ours
