"""The flow: the path that a message came over, and the way back (RFC 5626 section 3)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Flow:
    """A transport, our own listener on it, and the peer's address.

    ``transport`` is ``"UDP"``; ``listener`` the key of our listener (``"udp:127.0.0.1:5060"``);
    ``host`` an IP address without brackets.
    """

    transport: str
    listener: str
    host: str
    port: int
