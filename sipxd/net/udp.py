"""SIP over UDP, IPv4 and IPv6 (RFC 3261 section 18).

The socket is not connected, so the kernel reports no ICMP error of one peer to it, and none can
stop the listener; an unreachable peer shows itself by the time-out of its transaction.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import DatagramProtocol

from sipxd.errors import ConfigError
from sipxd.net.transport import Receiver
from sipxd.sip.flow import Flow
from sipxd.sip.message import MAXIMUM_SIZE

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets that the kernel is asked to hold while the reactor is busy."""
_MOST_FLOWS = 16_384
"""Peers whose flow is kept, so that their messages share one object."""
_MOST_ROUTES = 4_096
"""Peers for which our own address is remembered."""
_ROUTE_LIFETIME = 60.0
"""Seconds for which it is."""
_WILDCARDS = ("0.0.0.0", "::")


def format_address(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Datagrams(DatagramProtocol):
    """Hands datagrams on. Twisted logs what a receiver raises, and goes on."""

    noisy = False

    def __init__(self, owner: UdpTransport) -> None:
        self._owner = owner

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self._owner._received(datagram, addr)


class UdpTransport:
    """A UDP socket on ``host`` (an IP address without brackets) and ``port`` (0: a free one).

    ``receiver`` is called with each datagram and its flow.  ``advertise`` ("host" or "host:port")
    is what peers are told instead of the socket's own address.  Nothing is open before ``listen``.
    """

    transport = "UDP"
    reliable = False

    def __init__(
        self, reactor: Any, host: str, port: int, receiver: Receiver, *, advertise: str = ""
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._receiver = receiver
        self._advertise = advertise
        self._port = port
        self._listening: Any = None
        self._socket: socket.socket | None = None
        self._flows: dict[tuple[str, int], Flow] = {}
        self._routes: dict[str, str] = {}
        self._routes_until = 0.0
        self.listener = f"udp:{format_address(host, port)}"

    @property
    def port(self) -> int:
        """The port of the socket; what was asked for until ``listen`` has run."""
        return self._port

    def listen(self) -> None:
        """Open the socket and read from it. Raises ConfigError with the way out."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if family == socket.AF_INET6:
                # Otherwise [::] would take the port from a listener on 0.0.0.0 beside it.
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind((self._host, self._port))
            self._port = opened.getsockname()[1]
            self._listening = self._reactor.adoptDatagramPort(
                opened.fileno(), family, _Datagrams(self), maxPacketSize=MAXIMUM_SIZE
            )
        except OSError as error:
            opened.close()
            advice = {
                errno.EADDRINUSE: "another program listens there; stop it or choose another port",
                errno.EADDRNOTAVAIL: "this machine has no such address; correct it",
                errno.EACCES: "ports below 1024 need a privilege; choose another port",
            }.get(error.errno or 0, "correct it")
            raise ConfigError(
                f"cannot listen on {self.listener} ({error.strerror}): {advice} in [sip] listen",
                field="sip.listen",
            ) from None
        self._socket = opened
        self.listener = f"udp:{format_address(self._host, self._port)}"

    def close(self) -> Deferred[Any]:
        """Close the socket; the result comes when it is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        listening, self._listening = self._listening, None
        return maybeDeferred(listening.stopListening if listening is not None else _nothing)

    def sent_by(self, host: str) -> str:
        """``host:port`` for Via and Contact towards the address ``host``. Raises OSError.

        A socket on every address tells each peer the one that the kernel would send from.
        """
        if self._advertise:
            bare = self._advertise
            if bare.count(":") > 1 and not bare.startswith("["):
                return f"[{bare}]:{self._port}"
            return bare if ":" in bare.rpartition("]")[2] else f"{bare}:{self._port}"
        if self._host not in _WILDCARDS:
            return format_address(self._host, self._port)
        now = self._reactor.seconds()
        if now >= self._routes_until or len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
            self._routes_until = now + _ROUTE_LIFETIME
        ours = self._routes.get(host)
        if ours is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((host, 9))  # chooses a route and sends nothing
                address = probe.getsockname()[0].partition("%")[0]
            ours = self._routes[host] = format_address(address, self._port)
        return ours

    def flow_to(self, host: str, port: int, name: str = "") -> Flow:
        """The flow to a peer that we address."""
        return Flow("UDP", self.listener, host, port)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram. Raises OSError."""
        if self._socket is None:
            raise OSError(errno.ENOTCONN, f"the listener {self.listener} is not open")
        try:
            self._socket.sendto(data, (flow.host, flow.port))
        except (BlockingIOError, InterruptedError):
            # The kernel's queue is full: a datagram lost like any other, sent again by its timer.
            return
        except OverflowError as error:
            raise OSError(errno.EINVAL, str(error)) from None

    def _received(self, data: bytes, address: tuple[str, int]) -> None:
        flow = self._flows.get(address)
        if flow is None:
            if len(self._flows) >= _MOST_FLOWS:
                self._flows.clear()
            flow = self._flows[address] = Flow("UDP", self.listener, address[0], address[1])
        self._receiver(data, flow)


def _nothing() -> None:
    return None
