"""The order in which messages are worked on when there are too many."""

from __future__ import annotations

from collections import Counter

import pytest
from twisted.internet.task import Clock

from sipxd.net import intake as module
from sipxd.net.guard import Guard
from sipxd.net.intake import Intake
from sipxd.sip.flow import Flow

MARK = "z9hG4bKmark"
PHONE = Flow("UDP", "udp:192.0.2.100:5060", "192.0.2.1", 5060)
STRANGER = Flow("UDP", "udp:192.0.2.100:5060", "192.0.2.66", 5060)


class Desk:
    """An intake whose worker needs ``cost`` seconds for a message."""

    def __init__(self, cost: float = 0.0, guarded: bool = True) -> None:
        self.clock = Clock()
        self.cost = cost
        self.worked: list[bytes] = []
        self.refused: list[bytes] = []
        self.counts: Counter[str] = Counter()
        guard = Guard(50, 300, lambda host: False) if guarded else None
        self.intake = Intake(
            self.clock,
            self,
            self.counts,
            guard=guard,
            is_live={"leg"}.__contains__,
            emergency=("112",),
            mark=MARK,
            stateless="none.",
        )
        if guard is not None:
            guard.prove(PHONE, 0.0)

    def work(self, data: bytes, flow: Flow) -> None:
        self.clock.rightNow += self.cost
        self.worked.append(data)

    def refuse(self, data: bytes, flow: Flow) -> None:
        self.refused.append(data)

    def busy(self) -> None:
        """Have messages wait from now on."""
        while not self.intake.waiting:
            self.receive("OPTIONS sip:x@y SIP/2.0")
        self.worked.clear()

    def receive(self, text: str, flow: Flow = PHONE) -> None:
        self.intake.receive(text.encode(), flow)

    def turn(self) -> None:
        """One turn of the reactor."""
        self.clock.advance(0)

    def settle(self) -> None:
        while self.intake.waiting:
            self.turn()
        self.turn()


NEW = "INVITE sip:201@example.org SIP/2.0"


def test_at_leisure_a_message_is_worked_on_at_once() -> None:
    desk = Desk(cost=0.0001)
    for _ in range(1000):
        desk.receive(NEW)
        desk.clock.rightNow += 0.001
    assert len(desk.worked) == 1000
    assert not desk.clock.getDelayedCalls()


def test_after_a_while_without_a_pause_messages_wait_until_the_reactor_has_read() -> None:
    desk = Desk(cost=0.001)
    for _ in range(20):
        desk.receive(NEW)
    assert len(desk.worked) == 10
    assert desk.intake.waiting == 10
    meanwhile: list[int] = []
    desk.clock.callLater(0, lambda: meanwhile.append(len(desk.worked)))
    desk.settle()
    assert meanwhile == [15]
    assert len(desk.worked) == 20
    assert not desk.refused
    desk.clock.rightNow += 1
    desk.receive(NEW)
    assert len(desk.worked) == 21


@pytest.mark.parametrize(
    "urgent",
    [
        "BYE sip:leg@192.0.2.100 SIP/2.0",
        "ACK sip:leg@192.0.2.100:5060;transport=tcp SIP/2.0",
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch={MARK}77",
        "INVITE sip:112@example.org SIP/2.0",
        "INVITE sip:112;user=phone@example.org SIP/2.0",
        "INVITE tel:112 SIP/2.0",
    ],
)
def test_what_belongs_to_calls_or_calls_for_help_goes_first(urgent: str) -> None:
    desk = Desk(cost=0.001)
    desk.busy()
    desk.receive(NEW, STRANGER)
    desk.receive(NEW + " known")
    desk.receive(urgent, STRANGER)
    desk.settle()
    assert desk.worked[0] == urgent.encode()
    assert desk.worked[-2:] == [f"{NEW} known".encode(), NEW.encode()]


@pytest.mark.parametrize(
    "text",
    [
        "OPTIONS sip:112@example.org SIP/2.0",
        "BYE sip:other@192.0.2.100 SIP/2.0",
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKother",
        "INVITE nonsense SIP/2.0",
        "",
    ],
)
def test_what_only_looks_so_waits(text: str) -> None:
    desk = Desk(cost=0.001)
    desk.busy()
    desk.receive(text, STRANGER)
    desk.receive(NEW)
    desk.settle()
    assert desk.worked[-2:] == [NEW.encode(), text.encode()]


def test_a_new_request_that_has_waited_too_long_is_refused_and_urgent_ones_never() -> None:
    desk = Desk(cost=0.001)
    desk.busy()
    desk.receive(NEW)
    desk.receive("BYE sip:leg@x SIP/2.0")
    assert not desk.intake.overloaded
    desk.clock.rightNow += module.PATIENCE * 1.1
    assert desk.intake.overloaded  # for the BYE has had to wait
    desk.settle()
    assert desk.worked == [b"BYE sip:leg@x SIP/2.0"]
    assert desk.refused[-1] == NEW.encode()
    assert desk.intake.overloaded
    desk.clock.rightNow += module.AFTERMATH
    assert not desk.intake.overloaded


def test_while_the_first_one_waits_long_others_are_refused_as_they_come() -> None:
    desk = Desk(cost=0.001)
    desk.busy()
    desk.receive("OPTIONS sip:1@x SIP/2.0")
    desk.clock.rightNow += module.LATE * 1.1
    desk.receive("BYE sip:leg@x SIP/2.0")
    desk.receive(NEW)
    assert desk.refused == [NEW.encode()]
    desk.settle()
    assert desk.worked[0] == b"BYE sip:leg@x SIP/2.0"
    assert desk.worked[-1] == b"OPTIONS sip:1@x SIP/2.0"
    assert len(desk.refused) == 1


def test_the_queues_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", (2, 2, 2))
    desk = Desk(cost=0.001)
    desk.busy()
    for _ in range(4):
        desk.receive(NEW)
        desk.receive(NEW, STRANGER)
        desk.receive("BYE sip:leg@x SIP/2.0")
    assert desk.intake.waiting == 6
    assert len(desk.refused) == 3
    assert desk.counts["overload_dropped"] == 4


def test_the_ack_of_an_answer_without_transaction_is_not_looked_at() -> None:
    desk = Desk()
    desk.receive("ACK sip:201@x SIP/2.0\r\nTo: <sip:201@x>;tag=none.1234")
    desk.receive("ACK sip:201@x SIP/2.0\r\nTo: <sip:201@x>;tag=1234")
    assert len(desk.worked) == 1


def test_a_flood_of_a_stranger_is_ignored_but_for_what_is_urgent() -> None:
    desk = Desk()
    for _ in range(200):
        desk.receive(NEW, STRANGER)
    assert len(desk.worked) == 100
    assert (desk.counts["source_banned"], desk.counts["source_ignored"]) == (1, 100)
    desk.worked.clear()
    for _ in range(100):
        desk.receive(NEW)
        desk.receive("BYE sip:leg@x SIP/2.0", STRANGER)
    assert len(desk.worked) == 200
    desk.receive("INVITE sip:112@x SIP/2.0", STRANGER)
    assert len(desk.worked) == 201


def test_calling_for_help_is_no_way_around_the_limit() -> None:
    desk = Desk()
    for _ in range(1000):
        desk.receive("INVITE sip:112@x SIP/2.0", STRANGER)
    assert len(desk.worked) == 100 + module.EMERGENCIES * 2


def test_without_a_guard_everybody_is_heard() -> None:
    desk = Desk(guarded=False)
    for _ in range(200):
        desk.receive(NEW, STRANGER)
    assert len(desk.worked) == 200
