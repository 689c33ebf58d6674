"""The resolver against an authoritative server on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from sipxd.net import resolver as module
from sipxd.net.resolver import Hop, ResolveError, Resolver
from sipxd.sip.locate import Available
from sipxd.testing.nameserver import NameServer, Zone

UDP4: Available = {("UDP", 4)}
ALL: Available = {("UDP", 4), ("TCP", 4), ("TLS", 4), ("UDP", 6), ("TCP", 6), ("TLS", 6)}

ZONE = """
example.com                 NAPTR 10 20 s SIP+D2U _sip._udp.example.com
example.com                 NAPTR 10 10 s SIP+D2T _sip._tcp.example.com
_sip._udp.example.com       SRV 2 1 5062 second.example.com
_sip._udp.example.com       SRV 1 1 5061 first.example.com
_sip._tcp.example.com       SRV 0 0 5063 first.example.com
first.example.com           A 127.0.0.1
first.example.com           AAAA ::1
second.example.com          A 127.0.0.2
short.example.com 1         A 127.0.0.3
alias.example.com           CNAME other.example.com
other.example.com           CNAME first.example.com
loop.example.com            CNAME loop.example.com
silent.example.com          SILENCE
_sip._udp.half.example.com  SRV 1 1 5060 silent.example.com
_sip._udp.half.example.com  SRV 2 1 5060 second.example.com
"""


class Bench:
    """Resolvers over one zone."""

    def __init__(self) -> None:
        self.zone = Zone(ZONE)
        self.server = NameServer(reactor, self.zone)
        self.resolvers: list[Resolver] = []

    def resolver(self, *before: str, available: Available = UDP4) -> Resolver:
        servers = (*before, f"127.0.0.1:{self.server.port}")
        made = Resolver(reactor, servers, lambda: available, random.Random(1))
        self.resolvers.append(made)
        return made

    async def close(self) -> None:
        for each in self.resolvers:
            each.close()
        await self.server.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.close()))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long."""
    monkeypatch.setattr(module, "ROUND", 0.3)
    monkeypatch.setattr(module, "DEADLINE", 0.6)
    monkeypatch.setattr(module, "TIMEOUTS", (0.1, 0.2))


@pytest.fixture
def dead_server() -> Iterator[str]:
    """A server that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{deaf.getsockname()[1]}"


def short(hops: tuple[Hop, ...]) -> list[str]:
    return [f"{hop.transport} {hop.host} {hop.port}" for hop in hops]


@pytest_twisted.ensureDeferred
async def test_a_domain_leads_to_its_servers_in_their_order(bench: Bench) -> None:
    resolver = bench.resolver()
    found = await resolver.locate("sip:201@Example.com")
    assert short(found) == ["UDP 127.0.0.1 5061", "UDP 127.0.0.2 5062"]
    assert {hop.name for hop in found} == {"example.com"}


@pytest_twisted.ensureDeferred
async def test_both_families_and_all_transports_are_found(bench: Bench) -> None:
    found = await bench.resolver(available=ALL).locate("sip:example.com")
    assert short(found) == [
        "TCP ::1 5063",
        "TCP 127.0.0.1 5063",
        "UDP ::1 5061",
        "UDP 127.0.0.1 5061",
        "UDP 127.0.0.2 5062",
    ]


@pytest_twisted.ensureDeferred
async def test_what_is_known_is_not_asked_again(bench: Bench) -> None:
    resolver = bench.resolver()
    assert resolver.known("sip:example.com") is None
    found = await resolver.locate("sip:example.com")
    asked = len(bench.zone.asked)
    assert resolver.known("sip:example.com") == found
    assert await resolver.locate("sip:example.com") == found
    assert len(bench.zone.asked) == asked


def test_an_address_is_known_at_once(bench: Bench) -> None:
    resolver = bench.resolver()
    assert resolver.known("sip:192.0.2.1:5080") == (Hop("UDP", "192.0.2.1", 5080, "192.0.2.1"),)
    assert resolver.known("sip:192.0.2.1;transport=tls") is None
    assert resolver.known("tel:+491") is None
    assert resolver.known("nonsense") is None


@pytest_twisted.ensureDeferred
async def test_who_asks_the_same_at_once_shares_the_answer(bench: Bench) -> None:
    resolver = bench.resolver()
    asking = [Deferred.fromCoroutine(resolver.locate("sip:example.com")) for _ in range(20)]
    found = await gatherResults(asking)
    assert len({tuple(each) for each in found}) == 1
    assert len(bench.zone.asked) == len(set(bench.zone.asked)) == 4


@pytest_twisted.ensureDeferred
async def test_records_are_kept_for_their_time_to_live(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = bench.resolver()
    uri = "sip:short.example.com:5060"
    assert short(await resolver.locate(uri)) == ["UDP 127.0.0.3 5060"]
    bench.zone.change("short.example.com A 127.0.0.4")
    assert short(await resolver.locate(uri)) == ["UDP 127.0.0.3 5060"]
    later = reactor.seconds() + 1.5  # type: ignore[attr-defined]
    monkeypatch.setattr(reactor, "seconds", lambda: later)
    assert resolver.known(uri) is None
    assert short(await resolver.locate(uri)) == ["UDP 127.0.0.4 5060"]


@pytest_twisted.ensureDeferred
async def test_that_there_is_nothing_is_remembered_too(bench: Bench) -> None:
    resolver = bench.resolver()
    for _ in range(2):
        with pytest.raises(ResolveError, match=r"no address of nobody\.example\.com"):
            await resolver.locate("sip:nobody.example.com:5060")
    assert bench.zone.asked == ["A nobody.example.com"]


@pytest_twisted.ensureDeferred
async def test_aliases_are_followed_and_loops_are_not(bench: Bench) -> None:
    resolver = bench.resolver()
    assert short(await resolver.locate("sip:alias.example.com:5060")) == ["UDP 127.0.0.1 5060"]
    with pytest.raises(ResolveError, match="no address"):
        await resolver.locate("sip:loop.example.com:5060")
    assert bench.zone.asked.count("A loop.example.com") <= module.MAXIMUM_ALIASES + 1


@pytest_twisted.ensureDeferred
async def test_a_dead_server_is_passed_over(bench: Bench, dead_server: str) -> None:
    resolver = bench.resolver(dead_server)
    started = reactor.seconds()  # type: ignore[attr-defined]
    found = await resolver.locate("sip:first.example.com:5060")
    assert short(found) == ["UDP 127.0.0.1 5060"]
    assert reactor.seconds() - started < 2  # type: ignore[attr-defined]


@pytest_twisted.ensureDeferred
async def test_nobody_waits_longer_than_the_deadline(
    bench: Bench, dead_server: str, hurried: None
) -> None:
    resolver = Resolver(reactor, (dead_server,), lambda: UDP4, random.Random(1))
    started = reactor.seconds()  # type: ignore[attr-defined]
    with pytest.raises(ResolveError, match=r"did not answer in time about example\.com"):
        await resolver.locate("sip:example.com")
    assert reactor.seconds() - started < 1  # type: ignore[attr-defined]
    # The silence is remembered for a while: the next one hears of it at once.
    with pytest.raises(ResolveError, match="did not answer"):
        await resolver.locate("sip:example.com")


@pytest_twisted.ensureDeferred
async def test_a_server_whose_address_nobody_tells_is_passed_over(
    bench: Bench, hurried: None
) -> None:
    found = await bench.resolver().locate("sip:half.example.com;transport=udp")
    assert short(found) == ["UDP 127.0.0.2 5060"]


@pytest_twisted.ensureDeferred
async def test_a_long_answer_is_fetched_over_tcp(bench: Bench) -> None:
    records = [f"many.example.com A 127.1.0.{n}" for n in range(60)]
    bench.zone.change("\n".join(records))
    found = await bench.resolver().locate("sip:many.example.com:5060")
    assert len(found) == 8


@pytest_twisted.ensureDeferred
async def test_the_cache_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAXIMUM_CACHED", 5)
    resolver = bench.resolver()
    bench.zone.change("\n".join(f"n{n}.example.com A 127.0.0.1" for n in range(20)))
    for n in range(20):
        await resolver.locate(f"sip:n{n}.example.com:5060")
    assert resolver.known("sip:n19.example.com:5060")
    assert resolver.known("sip:n14.example.com:5060") is None


@pytest_twisted.ensureDeferred
async def test_too_many_questions_at_once_are_not_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAXIMUM_PENDING", 0)
    with pytest.raises(ResolveError, match="did not answer"):
        await bench.resolver().locate("sip:example.com:5060")
    assert not bench.zone.asked


@pytest.mark.parametrize("uri", ["nonsense", "tel:+491", "sip:", "sip:example.com;transport=tls"])
@pytest_twisted.ensureDeferred
async def test_what_leads_nowhere_is_said_in_a_sentence(bench: Bench, uri: str) -> None:
    with pytest.raises(ResolveError) as caught:
        await bench.resolver().locate(uri)
    assert str(caught.value).endswith(".")


@pytest.fixture
def system(bench: Bench, tmp_path: Path) -> Callable[[str, str], Resolver]:
    """A resolver with the system files of these contents."""

    def make(resolv: str, hosts: str) -> Resolver:
        (tmp_path / "resolv.conf").write_text(resolv)
        (tmp_path / "hosts").write_text(hosts)
        return Resolver(reactor, (), lambda: ALL, random.Random(1), etc=tmp_path)

    return make


@pytest_twisted.ensureDeferred
async def test_the_hosts_file_comes_before_dns(
    system: Callable[[str, str], Resolver], hurried: None
) -> None:
    resolver = system("nameserver 127.0.0.1\n", "192.0.2.5 pbx.lan pbx\n2001:db8::5 pbx.lan\n")
    found = await resolver.locate("sip:PBX.lan")
    assert short(found)[:2] == ["UDP 2001:db8::5 5060", "UDP 192.0.2.5 5060"]


@pytest_twisted.ensureDeferred
async def test_the_servers_of_resolv_conf_are_asked_and_read_again(
    bench: Bench,
    system: Callable[[str, str], Resolver],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hurried: None,
) -> None:
    monkeypatch.setattr(module, "_PORT", bench.server.port)
    resolver = system("# nobody\nnameserver 127.0.0.9\noptions ndots:1\n", "")
    with pytest.raises(ResolveError):
        await resolver.locate("sip:second.example.com:5060")
    (tmp_path / "resolv.conf").unlink()  # then the one of this machine
    found = await resolver.locate("sip:first.example.com:5060;transport=udp")
    assert short(found) == ["UDP ::1 5060", "UDP 127.0.0.1 5060"]
    resolver.close()


@pytest.mark.parametrize(
    ("entry", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_servers_are_written_in_these_ways(entry: str, server: tuple[str, int]) -> None:
    assert module._server(entry) == server
