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

from sipxd.net.address import OwnAddress, bind, cannot_listen, format_address
from sipxd.net.transport import Receiver
from sipxd.sip.flow import Flow
from sipxd.sip.message import MAXIMUM_SIZE

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets that the kernel is asked to hold while the reactor is busy."""
_MOST_FLOWS = 16_384
"""Peers whose flow is kept, so that their messages share one object."""


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
        self._receiver = receiver
        self._own = OwnAddress(reactor, host, port, advertise)
        self._listening: Any = None
        self._socket: socket.socket | None = None
        self._flows: dict[tuple[str, int], Flow] = {}
        self.sent_by = self._own.sent_by
        self.suits = self._own.suits
        self.listener = f"udp:{format_address(host, port)}"

    @property
    def port(self) -> int:
        """The port of the socket; what was asked for until ``listen`` has run."""
        return self._own.port

    def listen(self) -> None:
        """Open the socket and read from it. Raises ConfigError with the way out."""
        own = self._own
        opened = bind(own.host, own.port, socket.SOCK_DGRAM, self.listener)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            own.port = opened.getsockname()[1]
            self._listening = self._reactor.adoptDatagramPort(
                opened.fileno(), opened.family, _Datagrams(self), maxPacketSize=MAXIMUM_SIZE
            )
        except OSError as error:
            opened.close()
            raise cannot_listen(self.listener, error) from None
        self._socket = opened
        self.listener = f"udp:{format_address(own.host, own.port)}"

    def close(self) -> Deferred[Any]:
        """Close the socket; the result comes when it is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        listening, self._listening = self._listening, None
        return maybeDeferred(listening.stopListening if listening is not None else _nothing)

    def flow_to(self, host: str, port: int, name: str = "") -> Flow:
        """The flow to a peer that we address."""
        return Flow("UDP", self.listener, host, port)

    def is_open(self, flow: Flow) -> bool:
        """There are no connections that could have ended."""
        return True

    def keep(self, flow: Flow) -> None:
        """There are no connections to keep."""

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
