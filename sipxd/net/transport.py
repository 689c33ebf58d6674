"""What a transport is to the SIP stack, and the table of those that are open."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Literal, Protocol

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

    def suits(self, host: str) -> bool:
        """Whether the kernel sends to ``host`` from the address that this listener has."""
        ...

    def flow_to(self, host: str, port: int, name: str = "") -> Flow:
        """The flow to a peer that we address; ``name`` is what a TLS certificate must carry."""
        ...

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message over ``flow``, which is one of this listener. Raises OSError."""
        ...

    def is_open(self, flow: Flow) -> bool:
        """Whether the connection that ``flow`` names is there still."""
        ...

    def keep(self, flow: Flow) -> None:
        """The peer has proven who it is: its connection may be idle for long."""
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

    def available(self) -> frozenset[tuple[str, Literal[4, 6]]]:
        """The open transports, each with the family of its addresses."""
        return frozenset(
            (each.transport, 6 if "[" in each.listener else 4) for each in self._open.values()
        )

    def flow_to(self, transport: str, host: str, port: int, name: str = "") -> Flow:
        """The flow to a peer over a listener of ``transport`` and the family of ``host``.

        Of several listeners the one is taken that tells the peer the address that the kernel
        sends from.  Raises OSError where there is none.
        """
        six = ":" in host
        fitting = [
            candidate
            for candidate in self._open.values()
            if candidate.transport == transport and ("[" in candidate.listener) == six
        ]
        if not fitting:
            family = "IPv6" if six else "IPv4"
            raise OSError(
                errno.EAFNOSUPPORT, f"no listener in [sip] listen for {transport} over {family}"
            )
        chosen = fitting[0]
        if len(fitting) > 1:
            chosen = next((c for c in fitting if c.suits(host)), chosen)
        return chosen.flow_to(host, port, name)

    def is_open(self, flow: Flow) -> bool:
        """Whether something can be sent over ``flow`` without a connection that has ended."""
        transport = self._open.get(flow.listener)
        return transport is not None and transport.is_open(flow)

    def keep(self, flow: Flow) -> None:
        """The peer of ``flow`` has proven who it is."""
        transport = self._open.get(flow.listener)
        if transport is not None:
            transport.keep(flow)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send ``data`` over ``flow``. Raises OSError."""
        self.find(flow).send(data, flow)
        if self.trace is not None:
            self.trace("sent", data, flow)
