"""Where a request to a SIP or SIPS URI goes: the procedures of RFC 3263, without asking anybody.

`locate` is a generator.  It yields the questions that DNS has to answer, all of one round at once,
takes the answers, and returns the hops to try in their order::

    questions        answers                      decided by the URI (section 4.1)
    NAPTR      ->    services of the domain       no transport, no port, no IP address
    SRV        ->    servers and their ports      no port, no IP address (section 4.2)
    AAAA, A    ->    addresses                    no IP address
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import attrs

from sipxd.sip.uri import Uri

MAXIMUM_HOPS = 8
"""Most hops that are returned."""
MAXIMUM_RECORDS = 32
"""Most records of one answer that are looked at."""
MAXIMUM_TARGETS = 8
"""Most servers whose addresses are asked for."""
PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
"""The port of each transport where none is said."""

_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
_PREFIXES = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}
_TRANSPORTS = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}

Family = Literal[4, 6]
Available = Collection[tuple[str, Family]]
"""The transports that we have, each with the family of its addresses."""


class LocateError(Exception):
    """No way leads to a URI; the text is a sentence."""


class Random(Protocol):
    """The part of random.Random that weights are drawn with."""

    def randint(self, a: int, b: int, /) -> int:
        """A number from ``a`` to ``b``, both included."""
        ...


@attrs.frozen
class Hop:
    """One address to send to. ``host`` is an IP address without brackets.

    ``name`` is what a TLS certificate has to carry: the domain that was asked for, never a name
    that DNS gave (RFC 5922 section 7.3).
    """

    transport: str
    host: str
    port: int
    name: str


@attrs.frozen
class Question:
    """What DNS is asked: a type of record, and a name in small letters without its last dot."""

    kind: Literal["NAPTR", "SRV", "A", "AAAA"]
    name: str


@attrs.frozen
class Naptr:
    """A NAPTR record (RFC 3403)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@attrs.frozen
class Srv:
    """An SRV record (RFC 2782). ``target`` is empty where the service is denied (".")."""

    priority: int
    weight: int
    port: int
    target: str


@attrs.frozen
class Address:
    """The address of an A or AAAA record."""

    host: str


Record = Naptr | Srv | Address
_Kind = TypeVar("_Kind", Naptr, Srv, Address)
Answers = Mapping[Question, Sequence[Record] | None]
"""Records by question: none where the name has none, ``None`` where nobody answered."""
Steps = Generator[tuple[Question, ...], Answers, tuple[Hop, ...]]


@attrs.frozen
class _Server:
    """A server by its name or address, before its addresses are known."""

    transport: str
    host: str
    port: int


def locate(uri: Uri, available: Available, random: Random) -> Steps:
    """The hops to ``uri``, at least one and at most `MAXIMUM_HOPS`. Raises LocateError.

    Only transports in ``available`` are thought of; weights are drawn with ``random``.
    """
    if uri.scheme not in ("sip", "sips"):
        raise LocateError(f"DNS knows no way to a {uri.scheme} URI.")
    target = (uri.parameter("maddr") or uri.host).strip("[]").rstrip(".").lower()
    search = _Search(uri, target, available, random)
    literal = _family(target)
    if literal is not None:
        transport = search.transport(literal)
        return (Hop(transport, target, uri.port or PORTS[transport], search.name),)
    if uri.port is not None:
        servers = [_Server(search.transport(), target, uri.port)]
    else:
        servers = yield from search.servers()
    return (yield from search.addresses(servers))


class _Search:
    """One run of `locate`: what the URI says, and whether somebody kept silent."""

    def __init__(self, uri: Uri, target: str, available: Available, random: Random) -> None:
        self.name = uri.host.strip("[]").rstrip(".").lower()
        self._target = target
        self._available = available
        self._random = random
        self._secure = uri.scheme == "sips"
        self._said = uri.parameter("transport")
        self._silent = False

    def transport(self, family: Family | None = None) -> str:
        """The transport where DNS is not asked for one (section 4.1). Raises LocateError."""
        permitted = self._permitted("UDP", "TCP")
        for transport in permitted:
            if family is None or (transport, family) in self._available:
                return transport
        raise LocateError(
            f"No listener can send {' or '.join(permitted)} over IPv{family} to {self._target}."
        )

    def servers(self) -> Generator[tuple[Question, ...], Answers, list[_Server]]:
        """The servers of the domain, found by NAPTR and SRV (sections 4.1 and 4.2)."""
        permitted = self._permitted("UDP", "TCP", "TLS")
        services: list[tuple[str, str]] = []
        if self._said is None:
            question = Question("NAPTR", self._target)
            answers = yield (question,)
            services = _services(self._records(answers, question, Naptr), permitted)
        if not services:
            # "_sips" is the name of TLS, which a sip URI uses only where nothing else is there.
            plain = [transport for transport in permitted if transport != "TLS"] or permitted
            services = [
                (transport, f"{_PREFIXES[transport]}.{self._target}") for transport in plain
            ]
        answers = yield tuple(dict.fromkeys(Question("SRV", name) for _, name in services))
        servers: list[_Server] = []
        denied = False
        for transport, name in services:
            records = self._records(answers, Question("SRV", name), Srv)
            denied = denied or any(not record.target for record in records)
            usable = [record for record in records if record.target and record.port]
            servers.extend(
                _Server(transport, record.target, record.port)
                for record in by_weight(usable, self._random)
            )
        if servers:
            return servers
        if denied:
            raise LocateError(f"The DNS of {self._target} says that it has no such SIP service.")
        transport = services[0][0]
        return [_Server(transport, self._target, PORTS[transport])]

    def addresses(self, servers: Sequence[_Server]) -> Steps:
        """The addresses of ``servers`` in their order, IPv6 before IPv4."""
        asked: dict[str, list[Question]] = {}
        for server in servers:
            if len(asked) < MAXIMUM_TARGETS and _family(server.host) is None:
                questions = asked.setdefault(server.host, [])
                if (server.transport, 6) in self._available:
                    questions.append(Question("AAAA", server.host))
                if (server.transport, 4) in self._available:
                    questions.append(Question("A", server.host))
        every = tuple(dict.fromkeys(each for questions in asked.values() for each in questions))
        answers: Answers = (yield every) if every else {}
        hops: dict[Hop, None] = {}
        for server in servers:
            hosts = [
                record.host
                for question in dict.fromkeys(asked.get(server.host, ()))
                for record in self._records(answers, question, Address)
            ]
            if _family(server.host) is not None:
                hosts = [server.host]
            for host in hosts:
                family = _family(host)
                if family is not None and (server.transport, family) in self._available:
                    hops[Hop(server.transport, host, server.port, self.name)] = None
        if hops:
            return tuple(hops)[:MAXIMUM_HOPS]
        if self._silent:
            raise LocateError(f"DNS did not answer in time about {self._target}.")
        raise LocateError(f"DNS knows no address of {self._target} that a listener can send to.")

    def _permitted(self, *unsaid: str) -> list[str]:
        """The transports that we have of those that the URI permits; ``unsaid`` where it says none.

        Raises LocateError where there is none.
        """
        said = None if self._said is None else self._said.lower()
        if self._secure:
            # A sips URI names what TLS runs over, and there is none over UDP (RFC 3261 26.2.2).
            wanted = ["TLS"] if said in (None, "tcp", "tls") else []
        elif said is None:
            wanted = list(unsaid)
        else:
            wanted = [_TRANSPORTS[said]] if said in _TRANSPORTS else []
        usable = [t for t in wanted if (t, 4) in self._available or (t, 6) in self._available]
        if not usable:
            which = " or ".join(wanted) or f"{'SIPS' if self._secure else 'SIP'} over {said!r}"
            raise LocateError(f"No listener can send {which} to {self._target}.")
        return usable

    def _records(self, answers: Answers, question: Question, kind: type[_Kind]) -> list[_Kind]:
        found = answers.get(question)
        if found is None:
            self._silent = True
            return []
        return [record for record in found[:MAXIMUM_RECORDS] if isinstance(record, kind)]


def _services(records: Iterable[Naptr], permitted: Collection[str]) -> list[tuple[str, str]]:
    """Transports and their SRV names, the preferred one first.

    Of the records that fit, those with the lowest order alone count (RFC 3403 section 4.1).
    """
    usable = [
        record
        for record in records
        if record.flags.lower() == "s"
        and record.replacement
        and _SERVICES.get(record.service.upper()) in permitted
    ]
    lowest = min((record.order for record in usable), default=0)
    usable = [record for record in usable if record.order == lowest]
    return [
        (_SERVICES[record.service.upper()], record.replacement)
        for record in sorted(usable, key=lambda record: record.preference)
    ]


def by_weight(records: Iterable[Srv], random: Random) -> list[Srv]:
    """SRV records by priority, and among equals drawn by their weight (RFC 2782)."""
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    ordered: list[Srv] = []
    while left:
        equals = [record for record in left if record.priority == left[0].priority]
        drawn = random.randint(0, sum(record.weight for record in equals))
        for record in equals:
            drawn -= record.weight
            if drawn <= 0:
                break
        left.remove(record)
        ordered.append(record)
    return ordered


def _family(host: str) -> Family | None:
    """Whether ``host`` is an IPv4 or IPv6 address; None for a name."""
    try:
        return 6 if ipaddress.ip_address(host).version == 6 else 4
    except ValueError:
        return None
