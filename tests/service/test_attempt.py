"""In which order the ways to a branch are tried, and what ends the trying."""

from __future__ import annotations

from collections import deque

import pytest

from sipxd.call.effects import Identity, Ring, Target
from sipxd.service.attempt import SILENCE, Attempt
from sipxd.sip.flow import Flow
from sipxd.sip.leg import Refused

FLOWS = tuple(Flow("UDP", "udp:192.0.2.1:5060", f"198.51.100.{n}", 5060) for n in (1, 2))


def attempt(target: Target, *, hops: int = 0, rang: bool = False) -> Attempt:
    ring = Ring("far-1", target, Identity("<sip:a@x>", "<sip:b@x>"))
    return Attempt(ring, target, deque(FLOWS[:hops]), rang)


SECOND = Target("sip:1@second.example")
FIRST = Target("sip:1@first.example", fallback=SECOND)
ALONE = Target("sip:1@alone.example")


@pytest.mark.parametrize("status", [408, 430, 503])
def test_another_hop_is_tried_where_this_one_was_not_reached(status: int) -> None:
    assert attempt(ALONE, hops=1).goes_on(Refused(status, ""))


@pytest.mark.parametrize("status", [302, 401, 404, 486, 488, 500, 603])
def test_another_hop_of_the_same_target_would_say_the_same(status: int) -> None:
    assert not attempt(ALONE, hops=1).goes_on(Refused(status, ""))


@pytest.mark.parametrize("status", [401, 407, 408, 500, 502, 503, 599])
def test_the_next_gateway_is_tried_where_this_one_fails_on_its_own_account(status: int) -> None:
    assert attempt(FIRST).goes_on(Refused(status, ""))


@pytest.mark.parametrize("status", [403, 404, 480, 486, 487, 488, 600, 603, 607])
def test_what_the_called_side_says_holds_for_every_gateway(status: int) -> None:
    assert not attempt(FIRST).goes_on(Refused(status, ""))


def test_a_gateway_that_fails_is_not_tried_at_its_other_addresses() -> None:
    tried = attempt(FIRST, hops=2)
    assert tried.goes_on(Refused(500, ""))
    assert not tried.hops and tried.fall_back() and tried.target is SECOND


def test_nothing_else_is_tried_once_it_has_rung() -> None:
    assert not attempt(FIRST, hops=2, rang=True).goes_on(Refused(503, ""))


def test_the_last_way_is_the_last() -> None:
    tried = attempt(SECOND)
    assert not tried.more and not tried.fall_back()
    assert not tried.goes_on(Refused(503, ""))


def test_patience_is_the_targets_own_and_else_short_while_there_is_another_way() -> None:
    assert attempt(ALONE).patience == 0
    assert attempt(ALONE, hops=1).patience == SILENCE
    assert attempt(FIRST).patience == SILENCE
    assert attempt(Target("sip:1@x.example", patience=7.0)).patience == 7.0
    assert attempt(Target("sip:1@x.example", patience=7.0), hops=1).patience == 7.0
