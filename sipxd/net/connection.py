"""One connection of SIP over TCP or TLS, whoever opened it, and the times that it is given.

RFC 3261 section 18, RFC 5626 section 3.5.1.  It is only as patient as its peer has deserved: a
stranger who says nothing, or never ends what he says, loses it after seconds.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Any, Protocol

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from sipxd.sip.flow import Flow
from sipxd.sip.stream import PING, PONG, Broken, StreamFramer

OPENING = 10.0
"""Seconds for the TLS handshake."""
MESSAGE = 20.0
"""Seconds from the first octet of a message to its last."""
STRANGER = 20.0
"""Seconds without a message for a peer that opened the connection and has not proven who it is."""
KEPT = 7_500.0
"""Seconds without a message for one that has: longer than any registration."""
OURS = 3_600.0
"""Seconds without a message on a connection that we opened."""
UNREAD = 20.0
"""Seconds for which a peer may leave unread what was sent."""
CLOSING = 5.0
"""Seconds for a connection to end in order."""
MOST_UNSENT = 262_144
"""Octets that wait for a connection to open, or for its peer to read."""
_PROBES = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD * 1000)),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
"""A peer that vanished without a word is found out within two minutes, and NATs stay open."""


class Owner(Protocol):
    """What a connection tells: the transport that it belongs to."""

    def seconds(self) -> float:
        """The time now."""
        ...

    def received(self, data: bytes, flow: Flow) -> None:
        """A message has come."""
        ...

    def misframed(self, broken: Broken, flow: Flow) -> None:
        """The stream is broken; what is sent now still goes out."""
        ...

    def ended(self, connection: Connection, reason: str) -> None:
        """Nothing can be sent any more. ``reason`` is empty where nothing went wrong."""
        ...

    def gone(self, connection: Connection) -> None:
        """The descriptor is closed."""
        ...


@implementer(IHandshakeListener, IPushProducer)
class Connection(StreamProtocol):
    """A connection with the peer of ``flow``; ``secure``: over TLS, open after the handshake."""

    transport: Any

    def __init__(self, flow: Flow, owner: Owner, *, secure: bool) -> None:
        self.flow = flow
        self.kept = False
        """Whether the peer has proven who it is."""
        self.connector: Any = None
        """Twisted's connector, where we opened the connection."""
        self._owner = owner
        self._secure = secure
        self._framer = StreamFramer()
        self._unsent: list[bytes] = []
        self._unsent_size = 0
        self._opened = False
        self._ended = False
        self._paused_at = 0.0
        self._paused = False
        self._since = owner.seconds()
        """When it began; once it is open: when the last message passed."""
        self._message_since: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the peer opened it."""
        return bool(self.flow.connection)

    def send(self, data: bytes) -> None:
        """Send one message, or keep it until the connection is open. Raises OSError."""
        if self._ended:
            raise OSError(errno.ENOTCONN, "the connection has ended")
        if not self._opened or self._paused:
            self._unsent_size += len(data)
            if self._unsent_size > MOST_UNSENT:
                raise OSError(errno.ENOBUFS, "too much waits for the peer")
        if not self._opened:
            self._unsent.append(data)
            return
        self._since = self._owner.seconds()
        self._write(data)

    def overdue(self, now: float) -> str:
        """Why the connection has to be aborted now; empty where it has not."""
        passed = now - self._since
        if self._ended:
            return "it did not close" if passed >= CLOSING else ""
        if not self._opened:
            return "the handshake takes too long" if passed >= OPENING else ""
        if self._message_since is not None and now - self._message_since >= MESSAGE:
            return "a message does not end"
        if self._paused and now - self._paused_at >= UNREAD:
            return "the peer does not read"
        limit = KEPT if self.kept else STRANGER if self.accepted else OURS
        return "idle" if passed >= limit else ""

    def close(self) -> None:
        """End in order: what was sent is delivered first."""
        if not self._opened:
            self.abort("")
        elif self._tell_end(""):
            self._since = self._owner.seconds()
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self, reason: str) -> None:
        """End at once."""
        self._tell_end(reason)
        if self.transport is not None:
            self.transport.abortConnection()
        elif self.connector is not None:
            self.connector.disconnect()

    def failed(self, failure: Failure) -> None:
        """It could not be opened."""
        self._lost(_sentence(failure))

    # -- from Twisted --------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """The peer is there; over TLS it has to show its certificate first."""
        if self._ended:
            self.transport.abortConnection()
            return
        raw = self.transport.transport if self._secure else self.transport
        with contextlib.suppress(OSError):  # it may be over already
            for level, option, value in _PROBES:
                raw.getHandle().setsockopt(level, option, value)
        self._since = self._owner.seconds()
        if not self._secure:
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """The connection is open, and the peer is the one that it has to be."""
        if self._ended:
            return
        self._opened = True
        self._since = self._owner.seconds()
        self.transport.registerProducer(self, True)
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        for data in unsent:
            self._write(data)

    def dataReceived(self, data: bytes) -> None:
        """Octets have come."""
        pongs = 0
        for item in self._framer.feed(data):
            if self._ended:
                return
            if item is PING:
                pongs += 1
            elif isinstance(item, Broken):
                self._owner.misframed(item, self.flow)
                self.close()
                return
            else:
                self._since = self._owner.seconds()
                self._message_since = None
                self._owner.received(item, self.flow)
        if self._ended:
            return
        if pongs and not self._paused:
            self._write(PONG * pongs)
        if not self._framer.waiting:
            self._message_since = None
        elif self._message_since is None:
            self._message_since = self._owner.seconds()

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        """It is over."""
        self._lost("" if self._opened else _sentence(reason))

    def pauseProducing(self) -> None:
        """The peer does not read as fast as we write."""
        self._paused = True
        self._paused_at = self._owner.seconds()

    def resumeProducing(self) -> None:
        """It has read everything."""
        self._paused = False
        self._unsent_size = 0

    def stopProducing(self) -> None:
        """The connection is ending; `connectionLost` comes."""

    def _write(self, data: bytes) -> None:
        self.transport.write(data)

    def _lost(self, reason: str) -> None:
        self._tell_end(reason)
        self.connector = None
        self._owner.gone(self)

    def _tell_end(self, reason: str) -> bool:
        if self._ended:
            return False
        self._ended = True
        self._unsent.clear()
        self._owner.ended(self, reason)
        return True


def _sentence(failure: Failure) -> str:
    """What went wrong, in words."""
    if isinstance(failure.value, SSL.Error) and failure.value.args and failure.value.args[0]:
        return str(failure.value.args[0][-1][-1])  # the last of OpenSSL's (library, function, text)
    if isinstance(failure.value, VerificationError):
        return "its certificate does not carry that name"
    return failure.getErrorMessage()
