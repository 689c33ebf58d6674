"""URIs become flows of the transports that are open."""

from __future__ import annotations

import random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sipxd.net.locator import Locator, Unreachable
from sipxd.net.resolver import ResolveError
from sipxd.net.stack import SipStack
from sipxd.net.timers import TimerQueue
from sipxd.sip.flow import Flow
from sipxd.sip.locate import Hop
from sipxd.testing.names import Table
from sipxd.testing.network import Network

OURS = "udp:192.0.2.1:5060"
TO_FIRST = Flow("UDP", OURS, "203.0.113.1", 5060)


class Handler:
    """Nobody calls."""


class Answers(Table):
    """A table whose names are not known before they were asked for."""

    def __init__(self) -> None:
        super().__init__({"pbx.example.net": [("203.0.113.1", 5060), ("203.0.113.2", 5080)]})
        self.asked: list[str] = []

    def known(self, uri: str) -> tuple[Hop, ...] | None:
        return super().known(uri) if "pbx" not in uri or uri in self.asked else None

    async def locate(self, uri: str) -> tuple[Hop, ...]:
        self.asked.append(uri)
        return await super().locate(uri)


@pytest.fixture
def stack() -> SipStack:
    clock = Clock()
    handler: object = Handler()
    stack = SipStack(clock, TimerQueue(clock), handler, limit=100, random=random.Random(1))  # type: ignore[arg-type]
    stack.add_transport(Network(clock, random.Random(1)).node("192.0.2.1", 5060, stack.receive))
    return stack


def result(locator: Locator, uri: str) -> list[object]:
    got: list[object] = []
    Deferred.fromCoroutine(locator.find(uri)).addBoth(got.append)
    return got


def test_a_name_is_every_address_that_it_has_in_their_order(stack: SipStack) -> None:
    locator = Locator(Answers(), stack)
    assert result(locator, "sip:pbx.example.net") == [
        (TO_FIRST, Flow("UDP", OURS, "203.0.113.2", 5080))
    ]


def test_an_address_needs_no_waiting(stack: SipStack) -> None:
    locator = Locator(Answers(), stack)
    assert locator.known("sip:200@203.0.113.1") == TO_FIRST


def test_a_name_that_is_not_known_yet_is_known_the_next_time(stack: SipStack) -> None:
    names = Answers()
    locator = Locator(names, stack)
    assert locator.known("sip:pbx.example.net") is None
    assert names.asked == ["sip:pbx.example.net"]
    assert locator.known("sip:pbx.example.net") == TO_FIRST


def test_what_no_listener_reaches_is_said(stack: SipStack) -> None:
    (failure,) = result(Locator(Answers(), stack), "sip:[2001:db8::1]")
    assert failure.check(Unreachable)  # type: ignore[attr-defined]
    assert "No listener" in str(failure.value)  # type: ignore[attr-defined]


def test_a_name_that_nobody_knows_is_said(stack: SipStack) -> None:
    (failure,) = result(Locator(Answers(), stack), "sip:nowhere.example")
    assert failure.check(ResolveError)  # type: ignore[attr-defined]
