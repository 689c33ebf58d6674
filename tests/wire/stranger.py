"""Somebody who sends octets to a SIP port and looks at what comes back."""

from __future__ import annotations

import itertools
import select
import socket
import time
from types import TracebackType

_ALIVE = (
    "OPTIONS sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bK{id}\r\n"
    "From: <sip:alive@example.com>;tag={id}\r\nTo: <sip:example.com>\r\n"
    "Call-ID: {id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
_serial = itertools.count(1)


class Stranger:
    """UDP sockets on ``ports`` of a loopback address; what is sent comes from the first one."""

    def __init__(self, server: tuple[str, int], host: str, *ports: int) -> None:
        self.server = server
        self.host = host
        self._sockets = []
        for port in ports:
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.bind((host, port))
            self._sockets.append(opened)
        self.port: int = self._sockets[0].getsockname()[1]

    def __enter__(self) -> Stranger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each in self._sockets:
            each.close()

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self._sockets[0].sendto(data, self.server)

    def alive(self, within: float = 1.0, *, busy: bool = False) -> list[bytes]:
        """Have an OPTIONS answered within so many seconds; returns what else came before.

        ``busy``: 503 is an answer too.
        """
        name = f"alive-{next(_serial)}"
        self.send(self._options(name, "UDP", self.port))
        others: list[bytes] = []
        end = time.monotonic() + within
        found = False
        while True:
            left = 0.0 if found else max(0.0, end - time.monotonic())
            ready, _, _ = select.select(self._sockets, [], [], left)
            if not ready:
                assert found, f"no answer to OPTIONS within {within} s"
                return others
            for each in ready:
                data = each.recv(65_535)
                if name.encode() in data:
                    assert data[8:11] == b"200" or (busy and data[8:11] == b"503"), data
                    found = True
                else:
                    others.append(data)

    def statuses(self, data: bytes) -> list[int]:
        """The statuses of the answers to one datagram, which must all be answers."""
        self.send(data)
        return _statuses(self.alive())

    def stream(self, data: bytes) -> None:
        """Send octets on a TCP connection of its own, and end it."""
        with socket.create_connection(self.server, timeout=5, source_address=(self.host, 0)) as new:
            try:
                new.sendall(data)
                new.shutdown(socket.SHUT_WR)
            except OSError:
                return  # the server has closed it, as it may

    def stream_statuses(self, data: bytes, within: float = 5.0) -> list[int]:
        """The statuses of the answers on a TCP connection of its own.

        An OPTIONS behind ``data`` shows that all of it was worked on; a connection that the server
        closes shows it too.  Of a message that never ends nothing more can be known after a while.
        """
        name = f"alive-{next(_serial)}"
        received = b""
        with socket.create_connection(self.server, timeout=within) as connection:
            connection.settimeout(0.7)
            connection.sendall(data + self._options(name, "TCP", self.port))
            try:
                while name.encode() not in received:
                    got = connection.recv(65_535)
                    if not got:
                        break
                    received += got
            except (TimeoutError, ConnectionResetError):
                pass
        answers = [b"SIP/2.0 " + each for each in received.split(b"SIP/2.0 ")[1:]]
        # "SIP/2.0 " is not in Via, where a slash follows.
        return _statuses([each for each in answers if name.encode() not in each])

    def _options(self, name: str, transport: str, port: int) -> bytes:
        return _ALIVE.format(transport=transport, host=self.host, port=port, id=name).encode()


def _statuses(answers: list[bytes]) -> list[int]:
    for answer in answers:
        assert answer.startswith(b"SIP/2.0 "), answer
    return [int(answer[8:11]) for answer in answers]
