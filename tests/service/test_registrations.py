"""The live table of registrations: which phones can be rung when connections come and go."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sipxd.directory.user import User
from sipxd.errors import StoreFailed
from sipxd.net.stack import SipStack
from sipxd.service.keepalive import NatKeepalive
from sipxd.service.registrations import Registrations
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request
from sipxd.sip.registrar import Registered, Rejected
from sipxd.testing.office import Office

T = TypeVar("T")
PHONE = "192.0.2.77"


class Stack:
    """What is open, and what was sent."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.open: set[Flow] = set()
        self.sent: list[tuple[float, Request, Flow]] = []

    def is_open(self, flow: Flow) -> bool:
        return flow in self.open

    def send(self, request: Request, flow: Flow) -> None:
        self.sent.append((self.clock.seconds(), request, flow))
        if flow.port == 666:
            raise OSError("no way")


class Table:
    """Registrations of one user, on a clock and a stack of their own."""

    def __init__(self, office: Office, limit: int = 3) -> None:
        self.clock = Clock()
        self.stack = Stack(self.clock)
        self.user: User = office.users["200"]
        store: Any = office.store
        self.registrations = Registrations(store, limit, self.clock.seconds)
        self.registrations.join_stack(cast(SipStack, self.stack))
        self.registrations.follow(office.accounts)
        self.number = 0

    def register(
        self, flow: Flow, contact: str, *headers: tuple[str, str]
    ) -> Registered | Rejected:
        self.number += 1
        request = Request(
            "REGISTER",
            "sip:example.org",
            headers=[
                ("Call-ID", f"c{self.number}"),
                ("CSeq", "1 REGISTER"),
                ("Contact", f"<{contact}>;expires=600"),
                *headers,
            ],
        )
        if flow.connection:
            self.stack.open.add(flow)
        return now(self.registrations.register(self.user, request, flow))

    def flows(self) -> list[Flow]:
        return [binding.flow for binding in self.registrations.of(self.user)]

    def keep_alive(self, interval: int = 25) -> NatKeepalive:
        keepalive = NatKeepalive(
            self.clock,
            cast(SipStack, self.stack),
            interval,
            "example.org",
            self.registrations.of_id,
            bytes,
        )
        self.registrations.keep_alive(keepalive)
        return keepalive


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    results: list[T] = []
    Deferred.fromCoroutine(coroutine).addCallback(results.append)
    return results[0]


@pytest.fixture
def table() -> Table:
    office = Office()
    office.add_user("200")
    return Table(office)


def accepted(connection: str, transport: str = "TCP", port: int = 40_000) -> Flow:
    return Flow(transport, f"{transport.lower()}:0.0.0.0:5060", PHONE, port, connection=connection)


def udp(port: int = 5060) -> Flow:
    return Flow("UDP", "udp:0.0.0.0:5060", PHONE, port)


def test_a_phone_is_rung_over_its_connection_while_that_is_there(table: Table) -> None:
    for transport in ("TCP", "TLS"):
        flow = accepted("1", transport)
        table.register(flow, f"sip:200@{PHONE}:5070")
        assert table.flows() == [flow]


def test_over_tcp_its_contact_may_be_connected_to_instead(table: Table) -> None:
    flow = accepted("1")
    table.register(flow, f"sip:200@{PHONE}:5070;transport=tcp")
    table.stack.open.clear()
    assert table.flows() == [Flow("TCP", flow.listener, PHONE, 5070)]


@pytest.mark.parametrize(
    ("transport", "contact"),
    [
        ("TLS", f"sip:200@{PHONE}:5071;transport=tls"),
        ("TCP", f"sips:200@{PHONE}:5071"),
        ("TCP", "sip:200@10.0.0.7:5070;transport=tcp"),
        ("TCP", "sip:200@phone.example.org;transport=tcp"),
    ],
)
def test_a_phone_that_nobody_can_connect_to_is_not_registered(
    table: Table, transport: str, contact: str
) -> None:
    table.register(accepted("1", transport), contact)
    assert len(table.flows()) == 1
    table.stack.open.clear()
    assert table.flows() == []
    again = accepted("2", transport)
    table.register(again, contact)
    assert table.flows() == [again]


def test_the_first_proxy_of_a_path_is_what_is_connected_to(table: Table) -> None:
    path = ("Path", f"<sip:{PHONE}:5080;lr>")
    flow = accepted("1")
    table.register(flow, "sip:200@10.0.0.7;transport=tcp", path)
    table.stack.open.clear()
    assert table.flows() == [Flow("TCP", flow.listener, PHONE, 5080)]


def test_after_a_restart_no_connection_is_left(table: Table) -> None:
    table.register(accepted("1"), f"sip:200@{PHONE}:5070")
    table.register(accepted("2", "TLS"), f"sip:201@{PHONE}:5071")
    table.register(udp(), f"sip:202@{PHONE}:5060")
    table.stack.open.clear()
    table.registrations._bindings.clear()
    now(table.registrations.load())
    assert [(flow.transport, flow.connection) for flow in table.flows()] == [
        ("TCP", ""),
        ("UDP", ""),
    ]


def test_phones_that_are_gone_take_no_place_from_those_that_come(table: Table) -> None:
    for number in range(3):
        table.register(accepted(str(number), "TLS"), f"sip:200@10.0.0.7:{5000 + number}")
    full = table.register(accepted("3", "TLS"), "sip:200@10.0.0.7:5003")
    assert isinstance(full, Rejected)
    assert full.status == 403
    table.stack.open.discard(accepted("1", "TLS"))
    assert isinstance(table.register(accepted("3", "TLS"), "sip:200@10.0.0.7:5003"), Registered)
    assert [flow.connection for flow in table.flows()] == ["0", "2", "3"]


def test_a_phone_behind_nat_gets_options_at_the_interval_while_it_is_registered(
    table: Table,
) -> None:
    keepalive = table.keep_alive()
    table.register(udp(40_000), "sip:200@10.0.0.7:5060")
    table.clock.pump([1.0] * 700)
    times = [time for time, _, _ in table.stack.sent]
    assert times[:3] == [25, 50, 75]
    assert len(times) == 23, "for 600 seconds, in which it did not register again"
    _, request, flow = table.stack.sent[0]
    assert flow == udp(40_000)
    assert (request.method, request.uri) == ("OPTIONS", "sip:200@10.0.0.7:5060")
    assert len(keepalive) == 0, "and nothing is left of it"
    assert table.clock.getDelayedCalls() == []


def test_registering_again_does_not_double_them(table: Table) -> None:
    table.keep_alive()
    for _ in range(5):
        table.register(udp(40_000), "sip:200@10.0.0.7:5060")
        table.clock.pump([1.0] * 10)
    assert [time for time, _, _ in table.stack.sent] == [25, 50]


@pytest.mark.parametrize(
    ("flow", "contact", "headers"),
    [
        (udp(), f"sip:200@{PHONE}", ()),
        (udp(5070), f"sip:200@{PHONE}:5070", ()),
        (accepted("1"), "sip:200@10.0.0.7", ()),
        (udp(40_000), "sip:200@10.0.0.7", (("Path", f"<sip:{PHONE};lr>"),)),
    ],
)
def test_nobody_else_is_kept_alive(
    table: Table, flow: Flow, contact: str, headers: tuple[tuple[str, str], ...]
) -> None:
    keepalive = table.keep_alive()
    table.register(flow, contact, *headers)
    table.clock.pump([1.0] * 60)
    assert table.stack.sent == []
    assert len(keepalive) == 0


def test_after_a_restart_they_are_spread_over_the_interval() -> None:
    office = Office()
    office.add_user("200")
    table = Table(office, limit=100)
    for number in range(50):
        table.register(udp(40_000 + number), f"sip:200@10.0.0.{number}")
    keepalive = table.keep_alive(25)
    table.clock.pump([0.5] * 50)
    times = [time for time, _, _ in table.stack.sent]
    assert len(times) == 50
    assert max(times.count(time) for time in times) <= 2
    table.clock.pump([0.5] * 50)
    assert len(table.stack.sent) == 100
    keepalive.stop()
    assert table.clock.getDelayedCalls() == []


def test_one_that_cannot_be_sent_harms_nothing(table: Table) -> None:
    table.keep_alive()
    table.register(udp(666), "sip:200@10.0.0.7")
    table.clock.pump([1.0] * 60)
    assert len(table.stack.sent) == 2


def test_every_registration_is_told_with_its_user_but_those_that_cannot_be_rung(
    table: Table,
) -> None:
    table.register(udp(1), "sip:200@10.0.0.1")
    table.register(accepted("1", "TLS"), "sip:200@10.0.0.2")
    table.clock.advance(601)
    assert table.registrations.of(table.user) == ()
    told = table.registrations.every()
    assert [(user_id, binding.uri) for user_id, binding in told] == [
        (table.user.id, "sip:200@10.0.0.1"),
        (table.user.id, "sip:200@10.0.0.2"),
    ]
    table.stack.open.clear()
    assert [binding.uri for _, binding in table.registrations.every()] == ["sip:200@10.0.0.1"]


def test_what_is_dropped_is_gone_from_the_database_and_is_sent_nothing_any_more(
    table: Table,
) -> None:
    keepalive = table.keep_alive()
    for port in (1, 2):
        table.register(udp(port), f"sip:200@10.0.0.{port}")
    now(table.registrations.drop(lambda user_id, binding: binding.uri == "sip:200@10.0.0.1"))
    assert [binding.uri for binding in table.registrations.of(table.user)] == ["sip:200@10.0.0.2"]
    now(table.registrations.load())
    assert [binding.uri for _, binding in table.registrations.every()] == ["sip:200@10.0.0.2"]
    table.clock.advance(26)
    assert len(keepalive) == 1
    now(table.registrations.drop(lambda user_id, binding: user_id == table.user.id))
    assert table.registrations.every() == []
    table.register(udp(1), "sip:200@10.0.0.1")
    assert len(table.registrations.every()) == 1


def test_what_the_database_does_not_drop_stays(table: Table) -> None:
    table.register(udp(), "sip:200@10.0.0.1")
    store: Any = table.registrations._store
    store.failing = StoreFailed("no")
    failed: list[Any] = []
    drop = table.registrations.drop(lambda user_id, binding: True)
    Deferred.fromCoroutine(drop).addErrback(lambda failure: failed.append(failure.value))
    assert failed == [store.failing]
    assert len(table.registrations.every()) == 1


def test_the_bindings_of_a_deleted_user_go_with_him() -> None:
    office = Office()
    office.add_user("200")
    table, other = Table(office), office.add_user("201")
    keepalive = table.keep_alive()
    table.register(udp(1), "sip:200@10.0.0.1")
    now(table.registrations.load())
    now(office.accounts.delete("200"))
    assert table.registrations.every() == []
    table.clock.advance(26)
    assert (len(keepalive), table.stack.sent) == (0, [])
    # A REGISTER that waited while he was deleted leaves nothing behind.
    table.register(udp(2), "sip:200@10.0.0.2")
    assert table.registrations.every() == []
    table.user = other
    table.register(udp(3), "sip:201@10.0.0.3")
    office.change_user("201", first_name="Ben")
    assert len(table.registrations.every()) == 1
