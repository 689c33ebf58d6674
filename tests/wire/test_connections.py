"""Connections that do harm: idle ones, dribbling ones, and those reset in the middle of INVITEs."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest
from daemon import Daemon, free_port, until

from sipxd.sip import digest

SOURCES = ("127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14")
EACH = 250
"""Connections from each of these: 1,000 in all."""
TRUSTED = "127.0.0.15"
RESETS = 1_000
USER = "6501"


@attrs.frozen
class Target:
    """A daemon that listens on TCP and TLS."""

    daemon: Daemon
    port: int
    tls_port: int

    def connect(self, port: int, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))

    def connections(self) -> float:
        return self.daemon.metrics()["sipxd_sip_connections"]

    def descriptors(self) -> int:
        assert self.daemon._process is not None
        return len(os.listdir(f"/proc/{self.daemon._process.pid}/fd"))


@pytest.fixture(scope="module")
def target(make_daemon: Callable[..., Daemon]) -> Target:
    port, tls_port = free_port(), free_port()
    daemon = make_daemon(
        sip__listen=[f"tcp:127.0.0.1:{port}", f"tls:127.0.0.1:{tls_port}"],
        sip__trusted_peers=[TRUSTED],
        limits__source_requests=1_000_000,
    )
    daemon.start()
    daemon.add_user(USER)
    return Target(daemon, port, tls_port)


def request(method: str, number: int, transport: str, *more: str, to: str = USER) -> bytes:
    """A request of the user, to himself or another."""
    lines = [
        f"{method} sip:{to}@example.test SIP/2.0",
        f"Via: SIP/2.0/{transport} 127.0.0.1:5060;rport;branch=z9hG4bK{os.getpid()}-{number}",
        "Max-Forwards: 70",
        f"From: <sip:{USER}@example.test>;tag=t{number}",
        f"To: <sip:{to}@example.test>",
        f"Call-ID: connections-{os.getpid()}-{number}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{USER}@127.0.0.1:5060;transport={transport.lower()}>;expires=300",
        *more,
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def response(connection: socket.socket) -> tuple[int, str]:
    """The status and text of the next response, which has no body."""
    text = b""
    while b"\r\n\r\n" not in text:
        data = connection.recv(65536)
        assert data, "the connection was closed"
        text += data
    return int(text[8:11]), text.decode()


def register(connection: socket.socket, password: str, number: int) -> None:
    """Register the user over an open connection over TLS."""
    uri = f"sip:{USER}@example.test"
    connection.sendall(request("REGISTER", number, "TLS"))
    status, text = response(connection)
    assert status == 401, text
    offered = [
        line.partition(": ")[2] for line in text.split("\r\n") if line.startswith("WWW-Auth")
    ]
    value = digest.authorize(
        digest.parse_challenges(offered)[0], "REGISTER", uri, USER, password, nc=1, cnonce="c"
    )
    connection.sendall(request("REGISTER", number + 1, "TLS", f"Authorization: {value}"))
    status, text = response(connection)
    assert status == 200, text


@pytest.fixture
def secure(target: Target) -> Iterator[Callable[[], socket.socket]]:
    """Connect over TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with ExitStack() as opened:
        yield lambda: opened.enter_context(
            context.wrap_socket(opened.enter_context(target.connect(target.tls_port)))
        )


def test_a_thousand_idle_and_dribbling_connections_keep_nobody_out(
    target: Target, secure: Callable[[], socket.socket]
) -> None:
    password = target.daemon.sip_password(USER)
    registered = secure()
    register(registered, password, 1)
    with ExitStack() as opened:
        idle: list[socket.socket] = []
        dribbling: list[socket.socket] = []
        for source in SOURCES:
            for number in range(EACH):
                port = target.port if number % 2 else target.tls_port
                connection = opened.enter_context(target.connect(port, source))
                (dribbling if number % 4 < 2 else idle).append(connection)
        until(lambda: target.connections() > len(SOURCES) * EACH, "all connections to be accepted")
        began = time.monotonic()
        message = b"\x16\x03\x01\x02" + request("OPTIONS", 0, "TCP")
        step = 0
        slowest = 0.0
        while target.connections() > 1:
            assert time.monotonic() - began < 35, f"{target.connections()} connections are left"
            for connection in dribbling:
                try:
                    connection.send(message[step + 4 : step + 5])
                except OSError:
                    continue
            step += 1
            if step % 4 == 1:
                start = time.monotonic()
                new = secure()
                register(new, password, 100 + 2 * step)
                slowest = max(slowest, time.monotonic() - start)
                new.close()
            time.sleep(1)
        assert slowest <= 1, f"a phone took {slowest:.2f} s to register"
        assert all(_is_closed(connection) for connection in [*idle, *dribbling])
    register(registered, password, 900)
    registered.close()
    until(lambda: target.connections() == 0, "every connection to be gone")


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except OSError:
        return True


@pytest.mark.parametrize("source", ["127.0.0.1", TRUSTED])
def test_resets_in_the_middle_of_invites_leave_nothing(target: Target, source: str) -> None:
    """Ten INVITEs on each connection, from a stranger and from a peer who is let in."""
    before = target.descriptors()
    number = 10_000 if source == TRUSTED else 100_000
    for _ in range(RESETS):
        connection = target.connect(target.port, source)
        invites = [request("INVITE", number + i, "TCP", to=f"77{i}") for i in range(10)]
        number += 10
        data = b"".join(invites)
        connection.sendall(data[: -100 * (number % 3)] if number % 3 else data)
        if number % 20:  # half of them wait for the first answer
            assert connection.recv(8) == b"SIP/2.0 "
        # RST instead of FIN: what was answered meanwhile is thrown away.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    until(lambda: target.connections() == 0, "every connection to be gone")
    until(lambda: target.descriptors() <= before, "every descriptor to be closed")
    connection = target.connect(target.port)
    connection.sendall(request("OPTIONS", 5_000_000 + number, "TCP"))
    assert response(connection)[0] == 200
    connection.close()
    assert "Traceback" not in target.daemon.log()


def test_a_daemon_that_stops_ends_every_connection(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    port = free_port()
    daemon = make_daemon(sip__listen=[f"tcp:127.0.0.1:{port}"])
    daemon.start()
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request("OPTIONS", 1, "TCP")[:50])
        until(lambda: daemon.metrics()["sipxd_sip_connections"] == 1, "the connection")
        daemon.stop()
        assert _is_closed(connection)
