"""Phones that send octets which are no UTF-8, as those do that think in Latin-1."""

from __future__ import annotations

import pytest

from sipxd.call.record import CallState
from sipxd.service.recovery import recover
from sipxd.testing.office import Office

REPLACED = "\N{REPLACEMENT CHARACTER}"


def put_in(office: Office, method: bytes, line: bytes) -> None:
    """Let every request of ``method`` come in with one more header line."""
    receive = office.transport.receiver

    def tampered(data: bytes, flow: object) -> None:
        if data.startswith(method + b" "):
            data = data.replace(b"\r\nCSeq:", b"\r\n" + line + b"\r\nCSeq:", 1)
        receive(data, flow)  # type: ignore[arg-type]

    office.transport.receiver = tampered


def test_a_phone_with_such_a_name_registers() -> None:
    office = Office()
    put_in(office, b"REGISTER", b"User-Agent: caf\xe9\x1b[2J")
    office.add_phone("200")
    (binding,) = office.registrations.all()
    assert binding.user_agent == f"caf{REPLACED}{REPLACED}[2J"
    office.now(office.registrations.load())
    assert office.registrations.all() == [binding]


@pytest.mark.parametrize("text", [b"\xff", b"\x1b[2J", b"\\\0"])
def test_the_end_of_a_call_is_stored_whatever_its_reason_says(text: bytes) -> None:
    office = Office()
    ann, bob = office.add_phone("200"), office.add_phone("201")
    put_in(office, b"BYE", b'Reason: SIP;text="' + text + b'"')
    ann.call("201")
    office.run(5)
    bob.calls[-1].hang_up()
    office.run(70)
    assert office.left_over() == {}
    (record,) = office.now(office.calls.history(user="200", before=None, limit=2))
    assert record.state is CallState.ENDED and record.cause is not None
    assert record.cause.sentence.isprintable() and REPLACED in record.cause.sentence


def test_a_call_of_such_a_phone_is_known_after_a_restart() -> None:
    office = Office()
    ann, bob = office.add_phone("200"), office.add_phone("201")
    put_in(office, b"INVITE", b"Record-Route: <sip:192.0.2.77;lr;who=\xe9>")
    ann.call("201")
    office.run(5)
    office.table.calls.clear()
    office.table._legs.clear()
    for timer in list(office.timers._heap):
        timer[2].cancel()
    store = office.store
    assert office.now(recover(store, office.table, office.stack, office.timers)) == 1  # type: ignore[arg-type]
    office.run(2)
    assert not bob.live_calls
    assert any(b"who=\xe9>" in bye for bye in office.requests("BYE"))
