"""The admin socket: how the ``sipxd`` command talks to the running daemon.

A Unix socket in the state directory, mode 0600: whoever may open it may do everything.  A request
is one JSON object on a line, ``{"command": "user.add", "arguments": {...}}``; the answer is
``{"result": ...}`` or ``{"error": {"kind": ..., "detail": ...}}``.  A streaming command sends
``{"event": ...}`` lines first.  One command at a time runs on a connection; lines and the backlog
of a slow reader are bounded.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import attrs
import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IPushProducer, IReactorUNIX
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.unix import Server
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sipxd.errors import BadInput, ConfigError, SipxdError

_log = Logger()

MAX_LINE = 65_536
"""Bytes of one request."""
MAX_CONNECTIONS = 32
MAX_BACKLOG = 2_000
"""Events that wait for a reader who does not read; one more ends his connection."""
MAX_PATH = 107
"""Bytes that the kernel takes as the name of a Unix socket."""

Emit = Callable[[Any], None]
Handler = Callable[[dict[str, Any], Emit], Awaitable[Any]]
"""Carries out a command: its arguments, and where its events go; gives its result."""

STREAMS = frozenset({"calls.watch"})
"""Commands that end with their reader. The others are carried through even when he has left: what
a command has begun to change is never left half changed."""


@attrs.frozen
class _Request:
    command: str
    arguments: dict[str, Any] = attrs.field(factory=dict)


@implementer(IPushProducer)
class _Outbox:
    """Events on their way to one reader; holds them back while his socket is full."""

    def __init__(self, protocol: AdminProtocol) -> None:
        self._protocol = protocol
        self._waiting: list[bytes] = []
        self._paused = False

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, or keep it until the reader has read what came before."""
        line = msgspec.json.encode(message)
        if not self._paused:
            self._protocol.send_line(line)
        elif len(self._waiting) < MAX_BACKLOG:
            self._waiting.append(line)
        else:
            _log.warn("admin socket: a reader who does not read was disconnected")
            self._waiting.clear()
            self._protocol.abort()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while self._waiting and not self._paused:
            self._protocol.send_line(self._waiting.pop(0))

    def stopProducing(self) -> None:
        self._paused = True
        self._waiting.clear()


class AdminProtocol(Protocol):
    """One connection to the admin socket."""

    def __init__(self, handlers: dict[str, Handler], done: Callable[[AdminProtocol], None]) -> None:
        self._handlers = handlers
        self._done = done
        self._outbox = _Outbox(self)
        self._received = bytearray()
        self._busy = False
        self._reading = False
        self._stream: Deferred[None] | None = None

    @property
    def _socket(self) -> Server:
        return cast(Server, self.transport)

    def send_line(self, line: bytes) -> None:
        """Write one line; for the outbox, which knows whether the reader keeps up."""
        self._socket.write(line + b"\n")

    def connectionMade(self) -> None:
        """Start to watch whether the reader keeps up."""
        self._socket.registerProducer(self._outbox, True)

    def dataReceived(self, data: bytes) -> None:
        """Carry out the requests in the order of their lines, one at a time."""
        self._received += data
        if self._busy and len(self._received) > MAX_LINE:
            # Otherwise reading goes on meanwhile: it is how the end of the reader shows.
            self._socket.pauseProducing()
        self._next()

    def _next(self) -> None:
        if self._reading:  # a command that ended at once: the loop below goes on with the next
            return
        self._reading = True
        try:
            self._read_lines()
        finally:
            self._reading = False

    def _read_lines(self) -> None:
        while not self._busy:
            line, newline, rest = self._received.partition(b"\n")
            if len(line) > MAX_LINE:
                self._refuse(f"a request is at most {MAX_LINE} bytes long")
                self._socket.unregisterProducer()
                self._socket.loseConnection()
                return
            if not newline:
                return
            self._received = rest
            if line.strip():
                self._begin(bytes(line))

    def _begin(self, line: bytes) -> None:
        try:
            request = msgspec.json.decode(line, type=_Request)
        except msgspec.MsgspecError as error:
            self._refuse(f"not a request: {error}")
            return
        self._busy = True
        running = Deferred.fromCoroutine(self._answer(request))
        if self._busy and request.command in STREAMS:
            self._stream = running

    def _refuse(self, detail: str) -> None:
        self._outbox.send({"error": _described(BadInput(detail))})

    async def _answer(self, request: _Request) -> None:
        try:
            result = await self._carry_out(request)
            self._outbox.send({"result": result})
        except SipxdError as error:
            self._outbox.send({"error": _described(error)})
        except CancelledError:
            return
        except Exception:
            _log.failure("admin socket: a command failed")
            detail = "internal error; the daemon's log says more"
            self._outbox.send({"error": {"kind": "internal", "detail": detail}})
        self._busy = False
        self._stream = None
        self._socket.resumeProducing()
        self._next()

    async def _carry_out(self, request: _Request) -> Any:
        handler = self._handlers.get(request.command)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise BadInput(f"unknown command {request.command!r}; known: {known}")
        return await handler(request.arguments, lambda event: self._outbox.send({"event": event}))

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._socket.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the stream that nobody reads any more."""
        self._received.clear()
        self._outbox.stopProducing()
        if self._stream is not None:
            self._stream.cancel()
        self._done(self)


class _AdminFactory(Factory):
    noisy = False

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self.handlers = handlers
        self.connections: set[AdminProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> AdminProtocol | None:
        if len(self.connections) >= MAX_CONNECTIONS:
            _log.warn("admin socket: more than {most} connections", most=MAX_CONNECTIONS)
            return None
        protocol = AdminProtocol(self.handlers, self.connections.discard)
        protocol.factory = self
        self.connections.add(protocol)
        return protocol


class AdminSocket:
    """Listens on ``path`` and carries out ``handlers``."""

    def __init__(self, path: Path, reactor: IReactorUNIX, handlers: dict[str, Handler]) -> None:
        self._path = path
        self._reactor = reactor
        self._factory = _AdminFactory(handlers)
        self._port: IListeningPort | None = None

    def start(self) -> None:
        """Listen. A socket left over by a crash is replaced, but only if nobody answers on it.

        Raises ConfigError when another daemon answers there or the socket cannot be made.
        """
        if len(bytes(self._path)) > MAX_PATH:
            raise ConfigError(
                f"state_dir: {self._path} is longer than the {MAX_PATH} bytes that the name of a "
                "Unix socket may have; choose a shorter directory",
                field="state_dir",
            )
        if self._path.is_socket():
            if _answers(self._path):
                raise ConfigError(
                    f"another sipxd is running with state_dir {self._path.parent}; stop it, or "
                    "give this one a state_dir of its own",
                    field="state_dir",
                )
            self._path.unlink(missing_ok=True)
        try:
            # Twisted sets the mode before it listens: nobody connects in between.
            self._port = self._reactor.listenUNIX(str(self._path), self._factory, mode=0o600)
        except CannotListenError as error:
            raise ConfigError(
                f"cannot make {self._path}: {error.socketError}; see who owns state_dir",
                field="state_dir",
            ) from error

    async def stop(self) -> None:
        """Stop listening, end the connections and remove the socket."""
        if self._port is not None:
            port, self._port = self._port, None
            stopped = port.stopListening()
            for connection in list(self._factory.connections):
                connection.abort()
            if stopped is not None:
                await stopped


def _answers(path: Path) -> bool:
    """Whether a process accepts connections on the Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A listener with a full backlog would block; it exists all the same.
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def _described(error: SipxdError) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": error.kind, "detail": error.detail}
    if error.field is not None:
        described["field"] = error.field
    return described
