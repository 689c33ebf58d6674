"""The listeners of ``[sip] listen``: opened, joined to the stack, closed."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from sipxd.config import Config
from sipxd.config_values import ListenAddress
from sipxd.net.connections import Connections
from sipxd.net.sip_tls import SipTls
from sipxd.net.stack import SipStack
from sipxd.net.stream import StreamTransport
from sipxd.net.udp import UdpTransport

_log = Logger()

Listener = UdpTransport | StreamTransport


class Listeners:
    """Every listener of the configuration. ``exempt`` addresses may open any number of connections.

    ``tls`` is asked once, where a listener speaks TLS.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        stack: SipStack,
        *,
        exempt: Callable[[str], bool],
        tls: Callable[[], SipTls],
    ) -> None:
        self.open: list[Listener] = []
        self.connections = Connections(reactor, config.limits.sip_connections, stack.counts, exempt)
        self._reactor = reactor
        self._sip = config.sip
        self._stack = stack
        self._make_tls = tls
        self._tls: SipTls | None = None

    def listen(self) -> None:
        """Open them all. Raises ConfigError with the way out."""
        for address in self._sip.addresses:
            listener = self._make(address)
            listener.listen()
            self.open.append(listener)
            self._stack.add_transport(listener)
            _log.info("SIP on {listener}", listener=listener.listener)

    def close(self) -> Deferred[Any]:
        """Close them; the result comes when all are."""
        return DeferredList([listener.close() for listener in self.open], consumeErrors=True)

    def _make(self, address: ListenAddress) -> Listener:
        told = advertised(self._sip.advertise, address)
        if address.transport == "udp":
            return UdpTransport(
                self._reactor, address.host, address.port, self._stack.receive, advertise=told
            )
        if address.transport == "tls" and self._tls is None:
            self._tls = self._make_tls()
        return StreamTransport(
            self._reactor,
            address.host,
            address.port,
            self._stack,
            self.connections,
            tls=self._tls if address.transport == "tls" else None,
            advertise=told,
        )


def advertised(advertise: str, address: ListenAddress) -> str:
    """What of ``[sip] advertise`` holds for a listener.

    A port means that of UDP and TCP, and an IP address those listeners that have its family.
    """
    host, port = advertise, ""
    if advertise.startswith("["):
        bare, _, port = advertise[1:].partition("]")
        host = f"[{bare}]"
    elif advertise.count(":") == 1:
        host, colon, port = advertise.partition(":")
        port = colon + port
    try:
        six = ipaddress.ip_address(host.strip("[]")).version == 6
    except ValueError:
        six = ":" in address.host
    if six != (":" in address.host):
        return ""
    return host if address.transport == "tls" else host + port
