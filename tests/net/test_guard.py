"""Limits per source: strangers only, bounded, and no harm by forged addresses."""

from __future__ import annotations

import pytest

from sipxd.net import guard as module
from sipxd.net.guard import Guard, Verdict
from sipxd.sip.flow import Flow

HERE, THERE = "192.0.2.1", "192.0.2.2"
HEARD, IGNORED, BANNED = Verdict.HEARD, Verdict.IGNORED, Verdict.BANNED


def make(trusted: str = "") -> Guard:
    return Guard(50, 300, lambda host: host == trusted)


def flow(host: str = HERE, port: int = 5060, connection: str = "") -> Flow:
    kind = "TCP" if connection else "UDP"
    return Flow(kind, "udp:192.0.2.100:5060", host, port, connection=connection)


def flood(guard: Guard, count: int, host: str = HERE, now: float = 0.0) -> list[Verdict]:
    return [guard.judge(host, now) for _ in range(count)]


def test_two_seconds_of_the_rate_are_heard_at_once_then_the_source_is_banned() -> None:
    guard = make()
    assert flood(guard, 103) == [HEARD] * 100 + [BANNED, IGNORED, IGNORED]
    assert guard.judge(HERE, 299.9) is IGNORED
    assert guard.judge(HERE, 300) is HEARD
    assert guard.judge(THERE, 0) is HEARD


def test_who_keeps_to_the_rate_is_always_heard() -> None:
    guard = make()
    assert {guard.judge(HERE, n / 50) for n in range(10_000)} == {HEARD}


def test_who_is_a_little_beyond_it_is_banned_in_the_end() -> None:
    guard = make()
    assert BANNED in [guard.judge(HERE, n / 55) for n in range(10_000)]


def test_a_banned_source_is_counted_until_the_ban_ends() -> None:
    guard = make()
    flood(guard, 101)
    assert (guard.sources, guard.banned(10), guard.banned(300)) == (1, 1, 0)


def test_trusted_peers_are_known() -> None:
    guard = make(trusted=HERE)
    assert guard.is_known(flow(), 0)
    assert not guard.is_known(flow(THERE), 0)


@pytest.mark.parametrize("connection", ["", "c1"])
def test_a_flow_that_has_proven_itself_is_known_and_no_other(connection: str) -> None:
    guard = make()
    guard.prove(flow(connection=connection), 0)
    assert guard.is_known(flow(connection=connection), module.PROVEN_FOR - 1)
    assert not guard.is_known(flow(connection=connection), module.PROVEN_FOR)
    assert not guard.is_known(flow(port=5061), 1)
    assert not guard.is_known(flow(connection="c2"), 1)


def test_forged_packets_do_not_ban_the_address_of_a_proven_peer() -> None:
    """Its other telephones can still register: a part of what comes is heard, for ever."""
    guard = make()
    guard.prove(flow(), 0)
    verdicts = [guard.judge(HERE, n / 1000) for n in range(10_000)]
    assert BANNED not in verdicts
    assert verdicts[-1000:].count(HEARD) == 50
    assert guard.banned(10) == 0


def test_an_ipv6_customer_is_one_source() -> None:
    guard = make()
    for n in range(100):
        assert guard.judge(f"2001:db8::{n:x}", 0) is HEARD
    assert guard.judge("2001:db8::ffff", 0) is BANNED
    assert guard.judge("2001:db8:0:1::1", 0) is HEARD
    assert flood(guard, 101)[-1] is BANNED
    assert guard.judge(f"::ffff:{HERE}", 0) is IGNORED


def test_the_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SOURCES", 10)
    monkeypatch.setattr(module, "MAX_PROVEN", 10)
    guard = make()
    for n in range(100):
        guard.judge(f"192.0.2.{n}", n)
        guard.prove(flow(f"192.0.2.{n}"), n)
    assert (guard.sources, guard.proven, len(guard._offices)) == (10, 10, 10)
    assert guard.is_known(flow("192.0.2.99"), 100)
    assert not guard.is_known(flow("192.0.2.0"), 100)
