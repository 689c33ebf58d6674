"""SIP over TCP and TLS, IPv4 and IPv6 (RFC 3261 section 18): listeners, and connections on demand.

A connection that a peer opened has a flow of its own, which ends with it.  One of ours is known by
address, port and the name that its certificate carries, and never used for another name.
"""

from __future__ import annotations

import errno
import secrets
import socket
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import ClientFactory, Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from sipxd.net.address import OwnAddress, bind, cannot_listen, format_address
from sipxd.net.connection import Connection
from sipxd.net.connections import Connections
from sipxd.net.sip_tls import SipTls
from sipxd.sip.flow import Flow
from sipxd.sip.stream import Broken

_log = Logger()

CONNECTING = 5.0
"""Seconds for a connection of ours to be accepted."""
_BACKLOG = 1024


class User(Protocol):
    """Whom messages and the ends of connections are told: the SIP stack."""

    def receive(self, data: bytes, flow: Flow) -> None:
        """One message has come in over ``flow``."""
        ...

    def misframed(self, broken: Broken, flow: Flow) -> None:
        """What came over ``flow`` cannot be divided into messages."""
        ...

    def flow_closed(self, flow: Flow) -> None:
        """The connection of ``flow`` has ended, or could not be opened."""
        ...


class StreamTransport:
    """A listener on ``host`` (an IP address without brackets) and ``port`` (0: a free one).

    With ``tls`` it speaks TLS.  ``advertise`` ("host" or "host:port") is what peers are told
    instead of the listener's own address.  Nothing is open before ``listen``.
    """

    reliable = True

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        user: User,
        connections: Connections,
        *,
        tls: SipTls | None = None,
        advertise: str = "",
    ) -> None:
        self.transport = "TCP" if tls is None else "TLS"
        self._reactor = reactor
        self._user = user
        self._limits = connections
        self._tls = tls
        self._own = OwnAddress(reactor, host, port, advertise)
        self._open: dict[Flow, Connection] = {}
        self._listening: Any = None
        self.sent_by = self._own.sent_by
        self.suits = self._own.suits
        self.listener = self._key()

    @property
    def port(self) -> int:
        """The port of the listener; what was asked for until ``listen`` has run."""
        return self._own.port

    def listen(self) -> None:
        """Accept connections. Raises ConfigError with the way out."""
        own = self._own
        opened = bind(own.host, own.port, socket.SOCK_STREAM, self.listener)
        try:
            opened.listen(_BACKLOG)
            own.port = opened.getsockname()[1]
            factory: Any = _Accepting(self)
            if self._tls is not None:
                factory = _TlsFactory(self._tls.server, False, factory)
                factory.noisy = False
            self._listening = self._reactor.adoptStreamPort(opened.fileno(), opened.family, factory)
        except OSError as error:
            raise cannot_listen(self.listener, error) from None
        finally:
            opened.close()  # the reactor has its own copy
        self.listener = self._key()

    def close(self) -> Deferred[Any]:
        """Accept no more, and end every connection; the result comes when it is closed."""
        for connection in list(self._open.values()):
            connection.close()
        listening, self._listening = self._listening, None
        return maybeDeferred(listening.stopListening if listening is not None else _nothing)

    def flow_to(self, host: str, port: int, name: str = "") -> Flow:
        """The flow to a peer that we address, which over TLS is known by ``name``."""
        name = "" if self._tls is None else (name or host).rstrip(".").lower()
        return Flow(self.transport, self.listener, host, port, name)

    def is_open(self, flow: Flow) -> bool:
        """Whether the connection is there; those of ours are opened where there is none."""
        return not flow.connection or flow in self._open

    def keep(self, flow: Flow) -> None:
        """The peer has proven who it is."""
        connection = self._open.get(flow)
        if connection is not None and not connection.kept:
            self._limits.keep(connection)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message, over a new connection where one is needed. Raises OSError."""
        connection = self._open.get(flow)
        if connection is None:
            connection = self._connect(flow)
        connection.send(data)

    # -- from connections ----------------------------------------------------------------------

    def seconds(self) -> float:
        """The time now."""
        seconds: float = self._reactor.seconds()
        return seconds

    def received(self, data: bytes, flow: Flow) -> None:
        """A message has come."""
        self._user.receive(data, flow)

    def misframed(self, broken: Broken, flow: Flow) -> None:
        """A peer breaks the rules of framing."""
        self._user.misframed(broken, flow)

    def ended(self, connection: Connection, reason: str) -> None:
        """A connection has ended; what is still to be cut is watched until it is."""
        flow = connection.flow
        if self._open.get(flow) is connection:
            del self._open[flow]
        if reason and not connection.accepted:
            _log.warn(
                "SIP: no connection to {transport} {address} {name}: {reason}",
                transport=flow.transport,
                address=format_address(flow.host, flow.port),
                name=f"as {flow.name}" if flow.name else "",
                reason=reason,
            )
        self._user.flow_closed(flow)

    def gone(self, connection: Connection) -> None:
        """The descriptor of a connection is closed."""
        self._limits.remove(connection)

    # -- opening -------------------------------------------------------------------------------

    def accept(self, host: str, port: int) -> Connection | None:
        """A peer connects; None refuses it."""
        if self._listening is None or not self._limits.has_room(host):
            return None
        flow = Flow(self.transport, self.listener, host, port, connection=secrets.token_hex(8))
        return self._add(flow)

    def _connect(self, flow: Flow) -> Connection:
        if flow.connection:
            raise OSError(errno.ENOTCONN, "the connection has ended")
        if self._listening is None:
            raise OSError(errno.ENOTCONN, f"the listener {self.listener} is not open")
        if not self._limits.has_room():
            raise OSError(errno.EMFILE, "there are too many connections")
        expected = None if self._tls is None else self._tls.client(flow.name)
        connection = self._add(flow)
        factory: Any = _Connecting(connection)
        if expected is not None:
            factory = TLSMemoryBIOFactory(expected, True, factory)
            factory.noisy = False
        own = None if self._own.is_wildcard else (self._own.host, 0)
        connection.connector = self._reactor.connectTCP(
            flow.host, flow.port, factory, timeout=CONNECTING, bindAddress=own
        )
        return connection

    def _add(self, flow: Flow) -> Connection:
        connection = self._open[flow] = Connection(flow, self, secure=self._tls is not None)
        self._limits.add(connection)
        return connection

    def _key(self) -> str:
        return f"{self.transport.lower()}:{format_address(self._own.host, self._own.port)}"


class _Accepting(Factory):
    """Gives Twisted a connection for each peer, or none where there is no room."""

    noisy = False

    def __init__(self, owner: StreamTransport) -> None:
        self._owner = owner

    def buildProtocol(self, addr: Any) -> Connection | None:
        return self._owner.accept(addr.host, addr.port)


class _TlsFactory(TLSMemoryBIOFactory):
    """TLS around connections, where there is one."""

    def buildProtocol(self, addr: Any) -> Any:
        connection = self.wrappedFactory.buildProtocol(addr)
        return None if connection is None else self.protocol(self, connection)


class _Connecting(ClientFactory):
    """Gives Twisted the one connection that it is for."""

    noisy = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: Any) -> Connection:
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._connection.failed(reason)


def _nothing() -> None:
    return None
