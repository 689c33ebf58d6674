"""What a transport is to the SIP stack, and the table of those that are open."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol

from sipxd.sip.flow import Flow

Receiver = Callable[[bytes, Flow], None]
"""Takes one received message and the flow that it came over."""
Trace = Callable[[str, bytes, Flow], None]
"""Called with "sent" or "received", the octets, and the flow."""


class Transport(Protocol):
    """An open listener that messages come in and go out through."""

    @property
    def listener(self) -> str:
        """Its key in a Flow, as ``udp:127.0.0.1:5060``."""
        ...

    @property
    def transport(self) -> str:
        """Its name in Via: ``UDP``."""
        ...

    @property
    def reliable(self) -> bool:
        """Whether it delivers without retransmissions of ours."""
        ...

    def sent_by(self, host: str) -> str:
        """``host:port`` to put into Via and Contact of messages to the address ``host``."""
        ...

    def flow_to(self, host: str, port: int, name: str = "") -> Flow:
        """The flow to a peer that we address; ``name`` is what a TLS certificate must carry."""
        ...

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message over ``flow``, which is one of this listener. Raises OSError."""
        ...


class Transports:
    """The open transports by their listener. ``trace`` sees every message that passes."""

    def __init__(self) -> None:
        self._open: dict[str, Transport] = {}
        self.trace: Trace | None = None

    def add(self, transport: Transport) -> None:
        """Use ``transport`` from now on."""
        self._open[transport.listener] = transport

    def remove(self, transport: Transport) -> None:
        """Use ``transport`` no more; sending over its flows fails."""
        self._open.pop(transport.listener, None)

    def find(self, flow: Flow) -> Transport:
        """The transport of ``flow``. Raises OSError where it is not open."""
        transport = self._open.get(flow.listener)
        if transport is None:
            raise OSError(errno.ENOTCONN, f"the listener {flow.listener} is not open")
        return transport

    def send(self, data: bytes, flow: Flow) -> None:
        """Send ``data`` over ``flow``. Raises OSError."""
        self.find(flow).send(data, flow)
        if self.trace is not None:
            self.trace("sent", data, flow)
