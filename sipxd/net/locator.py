"""Where a message to a URI goes: the hops that DNS knows (RFC 3263), as flows of our transports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted.internet.defer import Deferred

from sipxd.net.stack import SipStack
from sipxd.sip.flow import Flow
from sipxd.sip.locate import Hop


class Names(Protocol):
    """What is needed of `sipxd.net.resolver.Resolver`."""

    async def locate(self, uri: str) -> tuple[Hop, ...]:
        """The hops to ``uri`` in their order. Raises ResolveError."""
        ...

    def known(self, uri: str) -> tuple[Hop, ...] | None:
        """The hops to ``uri`` where nobody has to be asked."""
        ...


class Unreachable(Exception):
    """No way leads to a URI; the text is a sentence."""


class Locator:
    """Joins the resolver to the transports that are open."""

    def __init__(self, resolver: Names, stack: SipStack) -> None:
        self._resolver = resolver
        self._stack = stack

    async def find(self, uri: str) -> tuple[Flow, ...]:
        """The flows to try in their order, at least one. Raises Unreachable, ResolveError."""
        flows = self._flows(await self._resolver.locate(uri))
        if not flows:
            raise Unreachable(f"No listener of [sip] listen can reach {uri}.")
        return flows

    def known(self, uri: str) -> Flow | None:
        """The first of them where that needs no waiting: an IP address, or a name known already.

        A name that is not known is asked for, for the next time.
        """
        hops = self._resolver.known(uri)
        if hops is None:
            Deferred.fromCoroutine(self.find(uri)).addErrback(lambda failure: None)
            return None
        flows = self._flows(hops)
        return flows[0] if flows else None

    def _flows(self, hops: Iterable[Hop]) -> tuple[Flow, ...]:
        found: list[Flow] = []
        for hop in hops:
            try:
                flow = self._stack.flow_to(hop.transport, hop.host, hop.port, hop.name)
            except OSError:
                continue
            if flow not in found:
                found.append(flow)
        return tuple(found)
