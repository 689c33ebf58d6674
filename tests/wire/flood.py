"""Floods: requests without credentials, from as many addresses of this machine as one likes."""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator

METHODS = ("REGISTER", "INVITE", "OPTIONS")

_REQUEST = (
    "{method} sip:2000@example.test SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bKflood{n}\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:{n}@example.test>;tag=f{n}\r\n"
    "To: <sip:2000@example.test>\r\n"
    "Call-ID: flood-{n}@{host}\r\n"
    "CSeq: 1 {method}\r\n"
    "Contact: <sip:{n}@{host}:{port}>\r\n"
    "User-Agent: friendly-scanner\r\n"
    "Content-Length: 0\r\n\r\n"
)
_numbers = itertools.count()


def addresses(count: int) -> list[str]:
    """So many addresses of the loopback interface."""
    return [f"127.77.{n // 250}.{1 + n % 250}" for n in range(count)]


class Flood:
    """Requests at ``rate`` a second from each of the addresses in turn, until it is left."""

    def __init__(self, port: int, rate: float, sources: list[str], *, tcp: bool = False) -> None:
        self._address = ("127.0.0.1", port)
        self._rate = rate
        self._tcp = tcp
        self._sockets = [self._open(host) for host in sources]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._send, self._read)]
        self.sent = 0
        self.answers: dict[bytes, int] = {}
        """How many of each status came."""

    def _open(self, host: str) -> socket.socket:
        kind = socket.SOCK_STREAM if self._tcp else socket.SOCK_DGRAM
        opened = socket.socket(socket.AF_INET, kind)
        opened.bind((host, 0))
        opened.connect(self._address)
        opened.setblocking(False)
        return opened

    def __enter__(self) -> Flood:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _requests(self) -> Iterator[tuple[socket.socket, bytes]]:
        for each, method in zip(itertools.cycle(self._sockets), itertools.cycle(METHODS)):
            host, port = each.getsockname()
            transport = "TCP" if self._tcp else "UDP"
            text = _REQUEST.format(
                method=method, transport=transport, host=host, port=port, n=next(_numbers)
            )
            yield each, text.encode()

    def _send(self) -> None:
        begin = time.monotonic()
        for each, data in self._requests():
            if self._stopping.is_set():
                return
            ahead = begin + self.sent / self._rate - time.monotonic()
            if ahead > 0.005:
                time.sleep(ahead)
            try:
                each.send(data)
                self.sent += 1
            except OSError:
                time.sleep(0.001)  # it reads no faster, or has closed this connection

    def _read(self) -> None:
        poll = select.epoll()
        by_number = {each.fileno(): each for each in self._sockets}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        while not self._stopping.is_set():
            for number, _ in poll.poll(0.1):
                try:
                    data = by_number[number].recv(65_536)
                except OSError:
                    data = b""
                if not data:
                    poll.unregister(number)
                for part in data.split(b"SIP/2.0 ")[1:]:
                    if part[:3].isdigit():  # the Via of an answer does not continue so
                        self.answers[part[:3]] = self.answers.get(part[:3], 0) + 1
        poll.close()
