"""The flow: the path that a message came over, and the way back (RFC 5626 section 3)."""

from __future__ import annotations

import attrs


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
