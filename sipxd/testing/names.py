"""Names without DNS: a table of them, for tests without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sipxd.net.resolver import ResolveError
from sipxd.sip.locate import PORTS, Hop
from sipxd.sip.uri import parse_uri


class Table:
    """The addresses of host names, each ``(host, port)``, reached over UDP."""

    def __init__(self, addresses: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        self.addresses = addresses

    async def locate(self, uri: str) -> tuple[Hop, ...]:
        """The hops to ``uri`` in the order of the table. Raises ResolveError."""
        hops = self.known(uri)
        if hops is None:
            raise ResolveError(f"Nobody knows the host of {uri}.")
        return hops

    def known(self, uri: str) -> tuple[Hop, ...] | None:
        """The hops to ``uri``; an IP address stands for itself."""
        parsed = parse_uri(uri)
        host = parsed.host.strip("[]")
        if host.replace(".", "").isdigit() or ":" in host:
            return (Hop("UDP", host, parsed.port or PORTS["UDP"], ""),)
        known = self.addresses.get(host)
        return None if known is None else tuple(Hop("UDP", *address, host) for address in known)
