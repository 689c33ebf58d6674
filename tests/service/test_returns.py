"""The one-time user parts at which referred phones are awaited."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.service import returns
from sipxd.service.returns import LIFE, Returns
from sipxd.sip.flow import Flow

PHONE = Flow("UDP", "udp:192.0.2.1:5060", "198.51.100.1", 5060)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def call() -> Any:
    return object()


def test_a_token_is_good_on_the_host_of_the_phone_alone() -> None:
    awaited, runner = Returns(Clock()), call()
    awaited.expect("t1", runner, PHONE)
    assert awaited.awaits("t1", PHONE) is runner
    other_port = Flow("TCP", "tcp:192.0.2.1:5060", "198.51.100.1", 40_000, connection="7")
    assert awaited.awaits("t1", other_port) is runner
    elsewhere = Flow("UDP", "udp:192.0.2.1:5060", "198.51.100.2", 5060)
    assert awaited.awaits("t1", elsewhere) is None
    assert awaited.awaits("t2", PHONE) is None


def test_a_token_ends_with_its_time_or_its_call() -> None:
    clock = Clock()
    awaited, runner = Returns(clock), call()
    awaited.expect("t1", runner, PHONE)
    clock.seconds = LIFE
    assert awaited.awaits("t1", PHONE) is None
    awaited.expect("t2", call(), PHONE)
    assert len(awaited) == 1  # what is too old goes when the next one comes
    awaited.expect("t3", runner, PHONE)
    awaited.forget(runner)
    assert awaited.awaits("t3", PHONE) is None and len(awaited) == 1


def test_beyond_the_bound_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returns, "MAXIMUM", 3)
    awaited = Returns(Clock())
    for number in range(5):
        awaited.expect(f"t{number}", call(), PHONE)
    assert len(awaited) == 3
    assert awaited.awaits("t1", PHONE) is None and awaited.awaits("t4", PHONE) is not None
