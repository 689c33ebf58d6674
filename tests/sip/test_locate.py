"""Where requests go by RFC 3263, with the answers of DNS as plain data."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence

import pytest

from sipxd.sip.locate import (
    MAXIMUM_HOPS,
    Address,
    Family,
    Hop,
    LocateError,
    Naptr,
    Question,
    Record,
    Srv,
    by_weight,
    locate,
)
from sipxd.sip.uri import parse_uri

EVERYTHING: set[tuple[str, Family]] = {
    *(("UDP", 4), ("TCP", 4), ("TLS", 4)),
    *(("UDP", 6), ("TCP", 6), ("TLS", 6)),
}
IPV4: set[tuple[str, Family]] = {("UDP", 4), ("TCP", 4), ("TLS", 4)}
Zone = dict[str, Sequence[Record] | None]
"""Records by "TYPE name"; None: nobody answers; what is missing does not exist."""

DOMAIN: Zone = {
    "NAPTR example.com": [
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(50, 60, "S", "sip+d2t", "_sip._tcp.example.com"),
        Naptr(50, 70, "s", "SIP+D2U", "_sip._udp.example.com"),
    ],
    "SRV _sips._tcp.example.com": [Srv(0, 1, 5061, "one.example.com")],
    "SRV _sip._tcp.example.com": [Srv(0, 1, 5060, "one.example.com")],
    "SRV _sip._udp.example.com": [
        Srv(1, 1, 5070, "two.example.com"),
        Srv(0, 1, 5060, "one.example.com"),
    ],
    "A one.example.com": [Address("192.0.2.1")],
    "AAAA one.example.com": [Address("2001:db8::1")],
    "A two.example.com": [Address("192.0.2.2")],
    "A example.com": [Address("192.0.2.9")],
}


def ask(
    uri: str, zone: Zone, available: Collection[tuple[str, Family]] = frozenset(IPV4)
) -> tuple[list[str], tuple[Hop, ...]]:
    """What was asked, and the hops."""
    steps = locate(parse_uri(uri), available, random.Random(1))
    asked: list[str] = []
    try:
        questions = next(steps)
        while True:
            asked.extend(f"{question.kind} {question.name}" for question in questions)
            assert len(set(questions)) == len(questions)
            answers = {each: zone.get(f"{each.kind} {each.name}", ()) for each in questions}
            questions = steps.send(answers)
    except StopIteration as finished:
        hops: tuple[Hop, ...] = finished.value
        return asked, hops


def hops(
    uri: str, zone: Zone = DOMAIN, available: Collection[tuple[str, Family]] = frozenset(IPV4)
) -> list[str]:
    """The hops in short."""
    return [f"{hop.transport} {hop.host} {hop.port}" for hop in ask(uri, zone, available)[1]]


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:192.0.2.7", Hop("UDP", "192.0.2.7", 5060, "192.0.2.7")),
        ("sip:a@192.0.2.7:5080", Hop("UDP", "192.0.2.7", 5080, "192.0.2.7")),
        ("sip:192.0.2.7;transport=TCP", Hop("TCP", "192.0.2.7", 5060, "192.0.2.7")),
        ("sip:192.0.2.7;transport=tls", Hop("TLS", "192.0.2.7", 5061, "192.0.2.7")),
        ("sips:192.0.2.7", Hop("TLS", "192.0.2.7", 5061, "192.0.2.7")),
        ("sips:192.0.2.7:5081;transport=tcp", Hop("TLS", "192.0.2.7", 5081, "192.0.2.7")),
        ("sip:[2001:db8::7]:5070", Hop("UDP", "2001:db8::7", 5070, "2001:db8::7")),
        ("sip:example.com;maddr=192.0.2.8", Hop("UDP", "192.0.2.8", 5060, "example.com")),
        ("sips:Example.com;maddr=192.0.2.8", Hop("TLS", "192.0.2.8", 5061, "example.com")),
    ],
)
def test_an_address_is_asked_of_nobody(uri: str, hop: Hop) -> None:
    assert ask(uri, {}, EVERYTHING) == ([], (hop,))


def test_a_port_leaves_only_the_address_to_be_asked_for() -> None:
    asked, found = ask("sip:example.com:5080", DOMAIN)
    assert asked == ["A example.com"]
    assert found == (Hop("UDP", "192.0.2.9", 5080, "example.com"),)
    assert hops("sips:example.com:5081") == ["TLS 192.0.2.9 5081"]


def test_a_transport_leaves_srv_and_addresses() -> None:
    asked, found = ask("sip:example.com;transport=udp", DOMAIN)
    assert asked == ["SRV _sip._udp.example.com", "A one.example.com", "A two.example.com"]
    assert [hop.host for hop in found] == ["192.0.2.1", "192.0.2.2"]
    assert hops("sip:example.com;transport=tls") == ["TLS 192.0.2.1 5061"]
    assert hops("sips:example.com;transport=tcp") == ["TLS 192.0.2.1 5061"]


def test_naptr_says_which_transports_come_first() -> None:
    asked, found = ask("sip:example.com", DOMAIN)
    assert asked == [
        "NAPTR example.com",
        "SRV _sips._tcp.example.com",
        "SRV _sip._tcp.example.com",
        "SRV _sip._udp.example.com",
        "A one.example.com",
        "A two.example.com",
    ]
    assert [(hop.transport, hop.host, hop.port) for hop in found] == [
        ("TLS", "192.0.2.1", 5061),
        ("TCP", "192.0.2.1", 5060),
        ("UDP", "192.0.2.1", 5060),
        ("UDP", "192.0.2.2", 5070),
    ]


def test_transports_that_are_not_open_are_not_thought_of() -> None:
    assert hops("sip:example.com", available={("UDP", 4)}) == [
        "UDP 192.0.2.1 5060",
        "UDP 192.0.2.2 5070",
    ]


def test_sips_takes_tls_and_nothing_else() -> None:
    assert hops("sips:example.com") == ["TLS 192.0.2.1 5061"]
    with pytest.raises(LocateError, match="TLS"):
        hops("sips:example.com", available={("UDP", 4), ("TCP", 4)})
    with pytest.raises(LocateError, match="udp"):
        hops("sips:example.com;transport=udp")


def test_only_the_lowest_order_counts() -> None:
    zone = DOMAIN | {
        "NAPTR example.com": [
            Naptr(20, 1, "s", "SIP+D2U", "_sip._udp.example.com"),
            Naptr(10, 1, "s", "SIP+D2T", "_sip._tcp.example.com"),
            Naptr(1, 1, "s", "SIP+D2S", "_sip._sctp.example.com"),
            Naptr(1, 1, "u", "E2U+sip", ""),
        ]
    }
    assert hops("sip:example.com", zone) == ["TCP 192.0.2.1 5060"]


def test_the_certificate_has_to_name_what_was_asked_for() -> None:
    zone = {
        "NAPTR example.com": [Naptr(1, 1, "s", "SIPS+D2T", "_sips._tcp.provider.net")],
        "SRV _sips._tcp.provider.net": [Srv(0, 0, 5061, "edge.provider.net")],
        "A edge.provider.net": [Address("198.51.100.1")],
    }
    assert ask("sip:Example.COM.", zone)[1] == (Hop("TLS", "198.51.100.1", 5061, "example.com"),)


def test_without_naptr_the_services_are_looked_for() -> None:
    zone: Zone = {name: DOMAIN[name] for name in DOMAIN if not name.startswith("NAPTR")}
    asked, _ = ask("sip:example.com", zone)
    assert asked[:3] == [
        "NAPTR example.com",
        "SRV _sip._udp.example.com",
        "SRV _sip._tcp.example.com",
    ]
    assert hops("sip:example.com", zone) == [
        "UDP 192.0.2.1 5060",
        "UDP 192.0.2.2 5070",
        "TCP 192.0.2.1 5060",
    ]
    assert hops("sip:example.com", zone, {("TLS", 4)}) == ["TLS 192.0.2.1 5061"]


def test_without_srv_the_name_itself_is_the_server() -> None:
    zone: Zone = {"A example.com": [Address("192.0.2.9"), Address("192.0.2.10")]}
    assert hops("sip:example.com", zone) == ["UDP 192.0.2.9 5060", "UDP 192.0.2.10 5060"]
    assert hops("sips:example.com", zone) == ["TLS 192.0.2.9 5061", "TLS 192.0.2.10 5061"]
    assert hops("sip:example.com;transport=tcp", zone)[0] == "TCP 192.0.2.9 5060"
    assert hops("sip:example.com", zone, {("TCP", 4)})[0] == "TCP 192.0.2.9 5060"


def test_a_denied_service_is_not_looked_for_elsewhere() -> None:
    zone = DOMAIN | {"SRV _sip._udp.example.com": [Srv(0, 0, 0, "")]}
    with pytest.raises(LocateError, match="no such SIP service"):
        hops("sip:example.com;transport=udp", zone)


def test_addresses_of_ipv6_come_first_and_only_where_they_are_of_use() -> None:
    uri = "sip:one.example.com:5060"
    assert ask(uri, DOMAIN)[0] == ["A one.example.com"]
    asked, found = ask(uri, DOMAIN, EVERYTHING)
    assert asked == ["AAAA one.example.com", "A one.example.com"]
    assert [hop.host for hop in found] == ["2001:db8::1", "192.0.2.1"]
    assert hops(uri, available={("UDP", 6)}) == ["UDP 2001:db8::1 5060"]
    mixed: set[tuple[str, Family]] = {("UDP", 4), ("TCP", 6)}
    assert hops("sip:one.example.com:1;transport=tcp", available=mixed) == ["TCP 2001:db8::1 1"]


def test_an_address_of_a_family_that_is_not_open_is_no_way() -> None:
    with pytest.raises(LocateError, match="IPv6"):
        hops("sip:[2001:db8::7]")
    # The other transport will do where the URI names none.
    mixed: set[tuple[str, Family]] = {("UDP", 4), ("TCP", 6)}
    assert hops("sip:[2001:db8::7]", available=mixed) == ["TCP 2001:db8::7 5060"]


def test_silence_is_told_from_absence() -> None:
    with pytest.raises(LocateError, match="did not answer in time"):
        hops("sip:example.com:5060", {"A example.com": None})
    with pytest.raises(LocateError, match="no address"):
        hops("sip:example.com:5060", {})


def test_silence_about_naptr_and_srv_is_no_reason_to_give_up() -> None:
    zone: Zone = {
        "NAPTR example.com": None,
        "SRV _sip._udp.example.com": None,
        "A example.com": [Address("192.0.2.9")],
    }
    assert hops("sip:example.com", zone) == ["UDP 192.0.2.9 5060"]


def test_one_dead_server_does_not_hide_the_others() -> None:
    zone = DOMAIN | {"A one.example.com": None}
    assert hops("sip:example.com;transport=udp", zone) == ["UDP 192.0.2.2 5070"]


@pytest.mark.parametrize(
    "uri", ["tel:+491", "sip:example.com;transport=sctp", "sip:example.com;transport=carrier"]
)
def test_what_leads_nowhere_is_said(uri: str) -> None:
    with pytest.raises(LocateError) as caught:
        hops(uri)
    assert str(caught.value).endswith(".")


def test_everything_is_bounded() -> None:
    zone: Zone = {
        "SRV _sip._udp.example.com": [Srv(0, 0, 5060, f"h{n}.example.com") for n in range(500)]
    } | {f"A h{n}.example.com": [Address(f"10.0.{n}.{m}") for m in range(100)] for n in range(250)}
    asked, found = ask("sip:example.com;transport=udp", zone)
    assert len(asked) < 20
    assert len(found) == MAXIMUM_HOPS


def test_priorities_come_before_weights() -> None:
    records = [Srv(2, 100, 1, "c"), Srv(1, 0, 1, "a"), Srv(1, 0, 1, "b"), Srv(3, 0, 1, "d")]
    for seed in range(20):
        order = [record.target for record in by_weight(records, random.Random(seed))]
        assert set(order[:2]) == {"a", "b"}
        assert order[2:] == ["c", "d"]


def test_weights_share_the_load() -> None:
    records = [Srv(1, 75, 1, "a"), Srv(1, 25, 1, "b"), Srv(1, 0, 1, "c")]
    chance = random.Random(2782)
    first = Counter(by_weight(records, chance)[0].target for _ in range(4000))
    assert 2800 < first["a"] < 3200
    assert 800 < first["b"] < 1200
    assert first["c"] < 100


def test_questions_name_what_dns_knows() -> None:
    steps = locate(parse_uri("sip:Example.COM."), IPV4, random.Random(1))
    assert next(steps) == (Question("NAPTR", "example.com"),)
