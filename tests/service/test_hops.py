"""Calls to a name: the addresses behind it are tried in turn, and the dialog keeps to its route."""

from __future__ import annotations

import pytest

from sipxd.call.record import CallState
from sipxd.sip.flow import Flow
from sipxd.testing.office import DOMAIN, SERVER, Office
from sipxd.testing.phone import Behaviour, Phone

FIRST, SECOND, OTHER = "203.0.113.1", "203.0.113.2", "203.0.113.3"
TRUNK = """
[[gateway]]
name = "trunk"
uri = "sip:trunk.example.net"
health_check = 0

[[gateway]]
name = "spare"
uri = "sip:spare.example.net"
health_check = 0

[[route]]
pattern = "9."
gateways = ["trunk", "spare"]
"""


def peer(office: Office, host: str, behaviour: Behaviour | None = None) -> Phone:
    """Somebody at ``host`` who takes every call."""
    phone = Phone(
        "trunk",
        "",
        domain=DOMAIN,
        server=Flow("UDP", f"udp:{host}:5060", *SERVER),
        clock=office.clock,
        random=office.random,
        behaviour=behaviour,
        media_port=30_000,
    )
    phone.attach(office.network.node(host, 5060, phone.stack.receive))
    return phone


@pytest.fixture
def office() -> Office:
    office = Office(settings=TRUNK)
    office.names["trunk.example.net"] = [(FIRST, 5060), (SECOND, 5060)]
    office.names["spare.example.net"] = [(OTHER, 5060)]
    office.add_phone("200")
    return office


def ended_well(office: Office, call: str) -> bool:
    """Bridged, and nothing is left once it is hung up."""
    bridged = office.record(call).state is CallState.BRIDGED
    office.table.calls[call].runner.hang_up("api", "The test is over.")
    office.run(70)
    return bridged and nothing_left(office)


def nothing_left(office: Office) -> bool:
    """No leg, transaction or timer but those that look the two gateways up again."""
    counts = office.left_over()
    return counts.pop("timers", 0) <= 2 and not any(counts.values())


def test_an_address_that_keeps_silent_is_left_for_the_next_one(office: Office) -> None:
    answering = peer(office, SECOND)
    call = office.click("200", "9123")
    office.run(10)
    assert len(office.requests("INVITE", FIRST)) > 1
    assert answering.calls and answering.calls[0].up
    assert ended_well(office, call)


def test_an_address_that_refuses_with_503_is_left_at_once(office: Office) -> None:
    peer(office, FIRST, Behaviour(refuse=503))
    answering = peer(office, SECOND)
    call = office.click("200", "9123")
    office.run(3)
    assert len(office.requests("INVITE", FIRST)) == 1
    assert answering.calls[0].up
    assert ended_well(office, call)


def test_the_last_address_is_waited_for_however_the_one_before_was_left() -> None:
    office = Office(settings='[sip]\noutbound_proxy = "sip:pbx.example.net"\n')
    office.names["pbx.example.net"] = [(FIRST, 5060), (SECOND, 5060)]
    office.add_phone("200")
    peer(office, FIRST, Behaviour(refuse=503))
    call = office.click("200", "9123")
    office.run(7)
    slow = peer(office, SECOND)
    office.run(5)
    assert slow.calls[0].up
    assert ended_well(office, call)


def test_a_gateway_that_fails_is_left_for_the_next_gateway_of_the_route(office: Office) -> None:
    peer(office, FIRST, Behaviour(refuse=500))
    untried = peer(office, SECOND)
    spare = peer(office, OTHER)
    call = office.click("200", "9123")
    office.run(3)
    assert not untried.calls
    assert spare.calls[0].up
    assert ended_well(office, call)


def test_what_the_called_side_says_is_final(office: Office) -> None:
    peer(office, FIRST, Behaviour(refuse=486))
    others = [peer(office, SECOND), peer(office, OTHER)]
    call = office.click("200", "9123")
    office.run(3)
    assert not any(other.calls for other in others)
    cause = office.record(call).cause
    assert cause is not None and cause.code == 486


def test_an_address_that_answers_too_late_is_hung_up(office: Office) -> None:
    late = peer(office, FIRST)
    office.network.latency = (2.5, 2.5)  # to there and back is longer than anybody waits
    peer(office, SECOND)
    call = office.click("200", "9123")
    office.run(60)
    office.network.latency = (0.001, 0.001)
    office.table.calls[call].runner.hang_up("api", "The test is over.")
    office.run(100)
    assert all(other.ended for other in late.calls)
    assert nothing_left(office)


def test_a_name_that_nobody_knows_ends_the_call_with_a_sentence(office: Office) -> None:
    office.names.clear()
    call = office.click("200", "9123")
    office.run(3)
    cause = office.record(call).cause
    assert cause is not None and cause.code == 503
    office.run(70)
    assert nothing_left(office)


def test_a_call_that_ends_while_dns_is_asked_leaves_nothing(office: Office) -> None:
    call = office.click("200", "9123")
    office.run(0.5)
    office.table.calls[call].runner.hang_up("api", "Never mind.")
    office.run(70)
    assert nothing_left(office)
