"""An authoritative DNS server for tests, in this process or as a program of its own.

A zone is text, one record a line, the way zone files are written::

    example.com       NAPTR 10 10 s SIP+D2U _sip._udp.example.com
    _sip._udp.example.com 30 SRV 0 1 5060 one.example.com
    one.example.com   A 127.0.0.1
    lost.example.com  SILENCE

A number before the type is the time to live; SILENCE: questions about the name get no answer.
``python -m sipxd.testing.nameserver PORT FILE`` serves the zone in FILE on loopback.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.names import common, dns, error, server

_TRIES = 10
"""How often a free port is looked for."""
_DEFAULT_TTL = 60


class Zone(common.ResolverBase):
    """The records of a zone. ``asked`` lists every question as "TYPE name"."""

    def __init__(self, text: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.asked: list[str] = []
        self.change(text)

    def change(self, text: str) -> None:
        """Have these records from now on."""
        self._records: dict[str, list[Any]] = defaultdict(list)
        self._silent: set[str] = set()
        for line in text.splitlines():
            name, *words = line.split() or [""]
            if not words:
                continue
            ttl = int(words.pop(0)) if words[0].isdigit() else _DEFAULT_TTL
            kind, *values = words
            if kind == "SILENCE":
                self._silent.add(name.lower())
            else:
                self._records[name.lower()].append(_record(kind, values, ttl))

    def _lookup(self, name: bytes, cls: int, type: int, timeout: Any) -> Deferred[Any]:
        text = name.decode().lower()
        self.asked.append(f"{dns.QUERY_TYPES.get(type, type)} {text}")
        if text in self._silent:
            return Deferred()
        records = self._records.get(text)
        if records is None:
            return fail(error.DomainError(name))
        answers = [
            dns.RRHeader(name, each.TYPE, dns.IN, each.ttl, each, auth=True)
            for each in records
            if each.TYPE in (type, dns.CNAME)
        ]
        return succeed((answers, [], []))


def _record(kind: str, values: list[str], ttl: int) -> Any:
    match kind, values:
        case "A", [address]:
            return dns.Record_A(address, ttl)
        case "AAAA", [address]:
            return dns.Record_AAAA(address, ttl)
        case "CNAME", [name]:
            return dns.Record_CNAME(name.encode(), ttl)
        case "SRV", [priority, weight, port, target]:
            return dns.Record_SRV(
                int(priority), int(weight), int(port), target.rstrip(".").encode(), ttl
            )
        case "NAPTR", [order, preference, flags, service, replacement]:
            return dns.Record_NAPTR(
                int(order),
                int(preference),
                flags.encode(),
                service.encode(),
                b"",
                replacement.encode(),
                ttl,
            )
        case _:
            raise ValueError(f"not a record: {kind} {values}")


class NameServer:
    """Serves a zone on a loopback port, over UDP and TCP; 0: a free one."""

    def __init__(self, reactor: Any, zone: Zone, port: int = 0) -> None:
        self._factory = server.DNSServerFactory(clients=[zone])
        self._factory.noisy = False
        for left in reversed(range(_TRIES)):
            try:
                self._ports = self._listen(reactor, port)
                break
            except CannotListenError:
                if port or not left:
                    raise
        self.port: int = self._ports[0].getHost().port

    def _listen(self, reactor: Any, port: int) -> list[Any]:
        """Listen; a port that is free for one protocol may be taken for the other."""
        protocol = dns.DNSDatagramProtocol(self._factory, reactor)
        protocol.noisy = False
        udp = reactor.listenUDP(port, protocol, "127.0.0.1")
        try:
            tcp = reactor.listenTCP(udp.getHost().port, self._factory, interface="127.0.0.1")
        except CannotListenError:
            udp.stopListening()
            raise
        return [udp, tcp]

    async def close(self) -> None:
        """Serve no more."""
        for port in self._ports:
            await port.stopListening()


def main(reactor: Any, port: str, path: str) -> Deferred[None]:
    """Serve the zone in the file until the process is ended."""
    NameServer(reactor, Zone(Path(path).read_text()), int(port))
    return Deferred()


if __name__ == "__main__":
    task.react(main, sys.argv[1:])
