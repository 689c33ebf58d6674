"""An INVITE too large for a datagram goes over TCP, and as a datagram to who refuses that."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from daemon import Daemon, free_port
from roles import TRUSTED

GATEWAY = "127.0.0.41"
WITHIN = 5
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.5\r\ns=-\r\nc=IN IP4 127.0.0.5\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\n"
)


@pytest.fixture(scope="module")
def port() -> int:
    """Where the gateway is."""
    return free_port()


@pytest.fixture(scope="module")
def routed(make_daemon: Callable[..., Daemon], port: int) -> Daemon:
    daemon = make_daemon(
        transports=("udp", "tcp"),
        sip__trusted_peers=[TRUSTED],
        gateway=[{"name": "g", "uri": f"sip:{GATEWAY}:{port}", "health_check": 0}],
        route=[{"pattern": "0X.", "gateways": ["g"]}],
    )
    daemon.start()
    daemon.add_user("6950")
    return daemon


@pytest.fixture
def sockets() -> Iterator[Callable[..., socket.socket]]:
    with ExitStack() as opened:

        def make(host: str, port: int = 0, kind: int = socket.SOCK_DGRAM) -> socket.socket:
            made = opened.enter_context(socket.socket(socket.AF_INET, kind))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            made.settimeout(WITHIN)
            return made

        yield make


def call(phone: socket.socket, daemon: Daemon, number: str, padding: int) -> None:
    """A trusted peer calls with a session description of so many octets more."""
    here = f"{TRUSTED}:{phone.getsockname()[1]}"
    body = SDP + f"a=padding:{'x' * padding}\r\n" * bool(padding)
    head = (
        f"INVITE sip:{number}@{daemon.domain} SIP/2.0\r\nVia: SIP/2.0/UDP {here};"
        f"branch=z9hG4bK{number}\r\nFrom: <sip:6950@{daemon.domain}>;tag=t\r\n"
        f"To: <sip:{number}@{daemon.domain}>\r\nCall-ID: large-{number}\r\nCSeq: 1 INVITE\r\n"
        f"Max-Forwards: 70\r\nContact: <sip:6950@{here}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    phone.sendto((head + body).encode(), ("127.0.0.1", daemon.sip_port))


def is_refused(phone: socket.socket, number: str) -> bool:
    while True:
        text = phone.recv(65_535).decode()
        status = int(text[8:11])
        if f"large-{number}" in text and status >= 200:
            return status == 486


def busy(request: str) -> bytes:
    kept = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
    lines = [line for line in request.split("\r\n") if line.startswith(kept)]
    lines = [f"{line};tag=g" if line.startswith("To:") else line for line in lines]
    return "\r\n".join(["SIP/2.0 486 Busy Here", *lines, "Content-Length: 0", "", ""]).encode()


def test_a_large_invite_goes_over_tcp_and_a_small_one_does_not(
    routed: Daemon, port: int, sockets: Callable[..., socket.socket]
) -> None:
    phone, datagrams = sockets(TRUSTED), sockets(GATEWAY, port)
    listening = sockets(GATEWAY, port, socket.SOCK_STREAM)
    listening.listen()
    call(phone, routed, "0301", 0)
    data, sender = datagrams.recvfrom(65_535)
    assert data.startswith(b"INVITE ") and len(data) <= 1_300
    datagrams.sendto(busy(data.decode()), sender)
    assert is_refused(phone, "0301")
    assert datagrams.recv(65_535).startswith(b"ACK ")
    call(phone, routed, "0302", 1_300)
    connection, _ = listening.accept()
    with connection:
        connection.settimeout(WITHIN)
        text = ""
        while "a=padding:" + "x" * 1_300 not in text:
            text += connection.recv(65_535).decode()
        assert text.startswith("INVITE ") and "\r\nVia: SIP/2.0/TCP " in text
        connection.sendall(busy(text))
        assert is_refused(phone, "0302")
        assert connection.recv(65_535).startswith(b"ACK ")
    datagrams.setblocking(False)
    with pytest.raises(BlockingIOError):
        datagrams.recv(65_535)


def test_who_refuses_tcp_gets_a_large_datagram(
    routed: Daemon, port: int, sockets: Callable[..., socket.socket]
) -> None:
    phone, datagrams = sockets(TRUSTED), sockets(GATEWAY, port)
    call(phone, routed, "0303", 1_300)
    data, sender = datagrams.recvfrom(65_535)
    assert data.startswith(b"INVITE ") and len(data) > 1_300
    assert b"\r\nVia: SIP/2.0/UDP " in data
    datagrams.sendto(busy(data.decode()), sender)
    assert is_refused(phone, "0303")
