"""The flow: the path that a message came over, and the way back (RFC 5626 section 3)."""

from __future__ import annotations

import attrs

from sipxd.sip.uri import UriError, parse_uri


@attrs.frozen
class Flow:
    """A transport, our own listener on it, and the peer's address.

    ``transport`` is ``"UDP"``, ``"TCP"`` or ``"TLS"``; ``listener`` the key of our listener
    (``"udp:127.0.0.1:5060"``); ``host`` an IP address without brackets.
    """

    transport: str
    listener: str
    host: str
    port: int
    name: str = ""
    """TLS opened by us: the name that the peer's certificate has to carry, in small letters."""
    connection: str = ""
    """The id of a connection that the peer opened: this flow ends with it. Empty: UDP, or a
    connection of ours, opened where there is none."""


def reconnected(flow: Flow, uri: str) -> Flow | None:
    """The flow of a new connection to a peer whose own, that of ``flow``, has ended.

    There is one only over TCP and only where ``uri``, the peer's Contact or Route, names the very
    address that it came from: no telephone has a certificate, and none behind a NAT is reached.
    """
    try:
        parsed = parse_uri(uri)
    except UriError:
        return None
    if flow.transport != "TCP" or parsed.scheme != "sip" or parsed.host.strip("[]") != flow.host:
        return None
    return Flow("TCP", flow.listener, flow.host, parsed.port or 5060)
