"""Slowing and refusing guesses."""

from __future__ import annotations

import pytest

from sipxd.errors import TooManyGuesses
from sipxd.service import guessing
from sipxd.service.guessing import GuessGuard

HERE, THERE = "192.0.2.1", "192.0.2.2"


def fail(guard: GuessGuard, times: int, account: str = "200", source: str = HERE) -> list[float]:
    return [guard.failed(account, source, now=0.0) for _ in range(times)]


def test_five_are_free_then_each_waits_longer() -> None:
    assert fail(GuessGuard(), 10) == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]


def test_the_tenth_closes_the_door_for_a_minute() -> None:
    guard = GuessGuard()
    fail(guard, 9)
    guard.check("200", HERE, now=0)
    fail(guard, 1)
    with pytest.raises(TooManyGuesses) as caught:
        guard.check("200", HERE, now=0.5)
    assert caught.value.retry_after == 60
    with pytest.raises(TooManyGuesses):
        guard.check("200", HERE, now=59.9)
    guard.check("200", HERE, now=60)


def test_after_the_pause_five_more_close_it_again() -> None:
    guard = GuessGuard()
    fail(guard, 10)
    for _ in range(5):
        guard.check("200", HERE, now=60)
        assert guard.failed("200", HERE, now=60) > 0
    with pytest.raises(TooManyGuesses):
        guard.check("200", HERE, now=61)


def test_other_addresses_and_accounts_stay_open() -> None:
    guard = GuessGuard()
    fail(guard, 10)
    guard.check("200", THERE, now=0)
    guard.check("201", HERE, now=0)


def test_success_forgets_the_failures_of_the_pair_alone() -> None:
    guard = GuessGuard()
    fail(guard, 5)
    fail(guard, 5, source=THERE)
    guard.succeeded("200", HERE)
    assert fail(guard, 1) == [0]
    assert fail(guard, 1, source=THERE) == [1]


def test_quiet_for_ten_minutes_is_forgotten() -> None:
    guard = GuessGuard()
    fail(guard, 9)
    assert guard.failed("200", HERE, now=guessing.FORGET + 1) == 0


def test_trying_many_accounts_closes_the_address() -> None:
    guard = GuessGuard()
    for number in range(30):
        guard.check(str(number), HERE, now=0)
        guard.failed(str(number), HERE, now=0)
    with pytest.raises(TooManyGuesses):
        guard.check("another", HERE, now=1)
    guard.check("another", THERE, now=1)
    guard.check("another", HERE, now=60)


def test_one_forgotten_client_does_not_close_its_office() -> None:
    guard = GuessGuard()
    now = 0.0
    for _ in range(1000):
        try:
            guard.check("200", HERE, now)
            guard.failed("200", HERE, now)
        except TooManyGuesses:
            pass
        now += 1
        guard.check("201", HERE, now)


def test_at_most_ten_guesses_a_minute_are_looked_at() -> None:
    guard = GuessGuard()
    looked: list[int] = []
    for second in range(600):
        for _ in range(20):
            try:
                guard.check("200", HERE, now=second)
            except TooManyGuesses:
                continue
            guard.failed("200", HERE, now=second)
            looked.append(second)
    for start in range(600):
        assert len([each for each in looked if start <= each < start + 60]) <= 10


def test_at_most_thirty_of_an_address_are_looked_at_in_a_minute() -> None:
    """Also by somebody who has used up the free failures of many accounts, and is patient."""
    guard = GuessGuard()
    looked: list[int] = []
    for second in range(3600):
        for account in range(40):
            try:
                guard.check(str(account), HERE, now=second)
            except TooManyGuesses:
                continue
            guard.failed(str(account), HERE, now=second)
            looked.append(second)
    for start in range(3600):
        assert len([each for each in looked if start <= each < start + 60]) <= 30
    guard.check("200", THERE, now=3600)


def test_an_ipv6_customer_is_one_address() -> None:
    guard = GuessGuard()
    for number in range(10):
        guard.failed("200", f"2001:db8::{number:x}", now=0)
    with pytest.raises(TooManyGuesses):
        guard.check("200", "2001:db8::ffff", now=0)
    guard.check("200", "2001:db8:0:1::1", now=0)


def test_an_ipv4_address_is_the_same_in_ipv6_clothes() -> None:
    guard = GuessGuard()
    fail(guard, 10)
    with pytest.raises(TooManyGuesses):
        guard.check("200", f"::ffff:{HERE}", now=0)


def test_the_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "MAX_ENTRIES", 10)
    guard = GuessGuard()
    for number in range(100):
        guard.failed("200", f"192.0.2.{number}", now=number)
    assert len(guard._pairs._counts) == 10
    assert len(guard._addresses._counts) == 10
    assert len(guard._minutes) == 10


def test_a_source_that_is_no_address_counts_as_itself() -> None:
    guard = GuessGuard()
    fail(guard, 10, source="unix")
    with pytest.raises(TooManyGuesses):
        guard.check("200", "unix", now=0)
