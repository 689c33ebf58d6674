"""DNS for SIP: what `sipxd.sip.locate` asks, asked by Twisted's client, and remembered.

Answers are kept for their time to live within bounds; who asks the same at the same time shares one
lookup.  Nobody waits longer than `DEADLINE`; what comes later is of use to the next one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.names import client, dns
from twisted.names.error import DNSNameError
from twisted.names.hosts import searchFileForAll
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from sipxd.sip.locate import (
    Address,
    Available,
    Hop,
    LocateError,
    Naptr,
    Question,
    Random,
    Record,
    Srv,
    locate,
)
from sipxd.sip.uri import UriError, parse_uri

__all__ = ["Hop", "ResolveError", "Resolver"]

_log = Logger()

ROUND = 4.0
"""Seconds that one round of questions may take."""
DEADLINE = 8.0
"""Seconds that all of them may take."""
TIMEOUTS = (1, 2, 4)
"""Seconds after which a server is asked again."""
SHORTEST, LONGEST = 1.0, 3600.0
"""Bounds of the time that an answer is kept."""
NEGATIVE_SHORTEST, NEGATIVE_LONGEST = 5.0, 30.0
"""The same for the answer that there is nothing, and (the shortest) for no answer at all."""
MAXIMUM_CACHED = 4096
"""Most answers that are kept."""
MAXIMUM_PENDING = 256
"""Most lookups that may be under way."""
MAXIMUM_ALIASES = 4
"""Longest chain of CNAME records that is followed."""
MAXIMUM_SERVERS = 3
"""Most servers of /etc/resolv.conf that are asked, as everywhere else (resolv.conf(5))."""

_PORT = 53
_TYPES = {"NAPTR": dns.NAPTR, "SRV": dns.SRV, "A": dns.A, "AAAA": dns.AAAA}

_Answer = tuple[Record, ...] | None
_Sections = tuple[list[Any], list[Any], list[Any]]


class ResolveError(Exception):
    """A URI leads nowhere; the text is a sentence."""


class Resolver:
    """Finds the hops to SIP URIs.

    ``servers`` are asked, "ADDRESS" or "ADDRESS:PORT"; where there are none, those of
    /etc/resolv.conf, after /etc/hosts.  ``available`` tells which transports are open at the time.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Iterable[str],
        available: Callable[[], Available],
        random: Random,
        *,
        etc: Path = Path("/etc"),
    ) -> None:
        self._reactor = reactor
        self._available = available
        self._random = random
        self._etc = etc
        self._system = False
        self._configured_at: float | None = None
        self._client: client.Resolver | None = None
        self._cache: dict[Question, tuple[float, _Answer]] = {}
        self._pending: dict[Question, list[Deferred[_Answer]]] = {}
        addresses = [_server(entry) for entry in servers]
        if addresses:
            self._connect(addresses)
        else:
            self._system = True

    async def locate(self, uri: str) -> tuple[Hop, ...]:
        """The hops to ``uri`` in their order, at least one. Raises ResolveError."""
        try:
            steps = locate(parse_uri(uri), self._available(), self._random)
            questions = next(steps)
            end = self._reactor.seconds() + DEADLINE
            while True:
                seconds = min(ROUND, end - self._reactor.seconds())
                questions = steps.send(await self._ask_all(questions, seconds))
        except StopIteration as finished:
            hops: tuple[Hop, ...] = finished.value
            return hops
        except (LocateError, UriError) as error:
            raise ResolveError(_sentence(error)) from None

    def known(self, uri: str) -> tuple[Hop, ...] | None:
        """The hops to ``uri`` where nobody has to be asked, else None."""
        try:
            steps = locate(parse_uri(uri), self._available(), self._random)
            questions = next(steps)
            while True:
                answers = {}
                for question in questions:
                    kept = self._kept(question)
                    if kept is None:
                        return None
                    answers[question] = kept[0]
                questions = steps.send(answers)
        except StopIteration as finished:
            hops: tuple[Hop, ...] = finished.value
            return hops
        except (LocateError, UriError):
            return None

    def close(self) -> None:
        """Let go of the connections to DNS servers."""
        if self._client is not None:
            for connection in list(self._client.connections):
                connection.transport.loseConnection()

    # -- asking --------------------------------------------------------------------------------

    async def _ask_all(
        self, questions: Iterable[Question], seconds: float
    ) -> Mapping[Question, _Answer]:
        """The answers to ``questions``; what is not there after ``seconds`` is None."""
        answers: dict[Question, _Answer] = {}
        waiting: list[Deferred[None]] = []
        for question in questions:
            kept = self._kept(question)
            if kept is not None:
                answers[question] = kept[0]
                continue

            def answered(answer: _Answer, question: Question = question) -> None:
                answers[question] = answer

            asked = self._ask(question)
            asked.addTimeout(max(0.0, seconds), self._reactor, lambda result, timeout: None)
            waiting.append(asked.addCallback(answered))
        if waiting:
            await DeferredList(waiting, consumeErrors=True)
        return {question: answers.get(question) for question in questions}

    def _ask(self, question: Question) -> Deferred[_Answer]:
        """The answer to ``question``, from a lookup under way or a new one. It does not fail."""
        mine: Deferred[_Answer] = Deferred()
        others = self._pending.get(question)
        if others is not None:
            others.append(mine)
            return mine
        if len(self._pending) >= MAXIMUM_PENDING:
            _log.warn("DNS was not asked: {count} lookups are under way", count=MAXIMUM_PENDING)
            mine.callback(None)
            return mine
        self._pending[question] = [mine]

        def looked_up(result: tuple[_Answer, float] | Failure) -> None:
            if isinstance(result, Failure):
                _log.info(
                    "DNS gave no answer about {name} {kind}: {why}",
                    name=question.name,
                    kind=question.kind,
                    why=result.value.__class__.__name__,
                )
                answer, lifetime = None, NEGATIVE_SHORTEST
            else:
                answer, lifetime = result
            self._keep(question, answer, lifetime)
            for each in self._pending.pop(question):
                each.callback(answer)

        Deferred.fromCoroutine(self._look_up(question)).addBoth(looked_up)
        return mine

    async def _look_up(self, question: Question) -> tuple[_Answer, float]:
        """The records, and for how many seconds they are good."""
        if self._system:
            self._read_configuration()
            hosts = self._hosts(question)
            if hosts is not None:
                return hosts, NEGATIVE_LONGEST
        if self._client is None:
            return None, NEGATIVE_SHORTEST
        name = question.name
        kind = _TYPES[question.kind]
        lifetime = LONGEST
        for _ in range(MAXIMUM_ALIASES + 1):
            lookup: Deferred[_Sections] = self._client.query(
                dns.Query(name.encode("ascii"), kind, dns.IN), TIMEOUTS
            )
            try:
                answers, authority, _ = await lookup
            except DNSNameError as error:
                return (), _negative_lifetime(error.args[0].authority)
            found = [record for record in answers if record.type == kind]
            aliases = [record for record in answers if record.type == dns.CNAME]
            lifetime = min([lifetime, *(record.ttl for record in (*found, *aliases))])
            if found:
                return tuple(map(_record, found)), max(SHORTEST, lifetime)
            if not aliases:
                return (), _negative_lifetime(authority)
            name = _text(aliases[-1].payload.name)
        return (), NEGATIVE_SHORTEST

    # -- the cache -----------------------------------------------------------------------------

    def _kept(self, question: Question) -> tuple[_Answer] | None:
        """The answer that is remembered, in a tuple of its own because it may be None."""
        entry = self._cache.get(question)
        if entry is None:
            return None
        if entry[0] <= self._reactor.seconds():
            del self._cache[question]
            return None
        return (entry[1],)

    def _keep(self, question: Question, answer: _Answer, lifetime: float) -> None:
        self._cache.pop(question, None)
        while len(self._cache) >= MAXIMUM_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[question] = self._reactor.seconds() + lifetime, answer

    # -- the system's own configuration --------------------------------------------------------

    def _read_configuration(self) -> None:
        """Take the servers of resolv.conf, where it has changed."""
        path = self._etc / "resolv.conf"
        try:
            changed = os.stat(path).st_mtime
            if changed == self._configured_at:
                return
            words = [line.split() for line in path.read_text(errors="replace").splitlines()]
        except OSError:
            words, changed = [], 0.0
        self._configured_at = changed
        named = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
        self._connect([(host, _PORT) for host in named[:MAXIMUM_SERVERS] or ("127.0.0.1",)])

    def _connect(self, addresses: list[tuple[str, int]]) -> None:
        self.close()
        self._client = client.Resolver(servers=addresses, timeout=TIMEOUTS, reactor=self._reactor)

    def _hosts(self, question: Question) -> tuple[Record, ...] | None:
        """What the hosts file says; None where it does not have the name.

        A host that stands there is meant to be at that address: it has no NAPTR and SRV records.
        """
        host = question.name
        while host.startswith("_"):
            host = host.partition(".")[2]
        found = searchFileForAll(FilePath(str(self._etc / "hosts")), host.encode("ascii"))
        if not found:
            return None
        if question.kind not in ("A", "AAAA"):
            return ()
        return tuple(Address(each) for each in found if (":" in each) == (question.kind == "AAAA"))


def _server(entry: str) -> tuple[str, int]:
    """Host and port of a server as it is configured: ``ADDRESS``, ``[ADDRESS]:PORT`` ..."""
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return host, int(port.lstrip(":") or _PORT)
    if entry.count(":") > 1:
        return entry, _PORT
    host, _, port = entry.partition(":")
    return host, int(port or _PORT)


def _record(header: Any) -> Record:
    """Our record for one of Twisted's."""
    payload = header.payload
    if header.type == dns.NAPTR:
        return Naptr(
            payload.order,
            payload.preference,
            payload.flags.string.decode("ascii", "replace"),
            payload.service.string.decode("ascii", "replace"),
            _text(payload.replacement),
        )
    if header.type == dns.SRV:
        return Srv(payload.priority, payload.weight, payload.port, _text(payload.target))
    family = socket.AF_INET6 if header.type == dns.AAAA else socket.AF_INET
    return Address(socket.inet_ntop(family, payload.address))


def _text(name: dns.Name) -> str:
    return name.name.decode("ascii", "replace").rstrip(".").lower()


def _negative_lifetime(authority: Iterable[Any]) -> float:
    """How long to believe that there is nothing (RFC 2308 section 5)."""
    seconds = [
        float(min(record.ttl, record.payload.minimum))
        for record in authority
        if record.type == dns.SOA
    ]
    return max(NEGATIVE_SHORTEST, min([NEGATIVE_LONGEST, *seconds]))


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text[:1].upper()}{text[1:]}."
