"""How soon a call ends on both sides where one side is gone, fails, or never says ACK."""

from __future__ import annotations

import itertools

import pytest

from sipxd.sip.flow import Flow
from sipxd.testing.network import Packet
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour, Phone

NEAR, FAR = "198.51.100.1:5060", "198.51.100.2:5060"
FLOWS = ["offer", "offerless", "refer", "auto"]
SOON = 1.0
"""Within so many seconds the other side is told."""


def to(office: Office, address: str, start: str) -> list[Packet]:
    """The packets to ``address`` whose first line begins with ``start``."""
    return [
        packet
        for packet in office.network.log
        if packet.destination == address and packet.first_line.startswith(start)
    ]


def never_acknowledges(office: Office, phone: Phone) -> None:
    """Every ACK of a 2xx that the phone sends is lost."""
    transport = next(iter(phone.stack._transports._open.values()))
    send = transport.send

    def lossy(data: bytes, flow: Flow) -> None:
        # The Request-URI of this ACK is our Contact; that of a refused INVITE has our domain.
        if not data.startswith(b"ACK ") or b"@example.org" in data.partition(b"\r\n")[0]:
            send(data, flow)

    transport.send = lossy  # type: ignore[method-assign]


def test_a_200_that_is_never_acknowledged_is_repeated_and_then_both_sides_are_hung_up() -> None:
    office = Office()
    ann, bob = office.add_phone("200"), office.add_phone("201", Behaviour(answer_after=1))
    never_acknowledges(office, ann)
    ann.call("201")
    office.run(31)
    assert bob.live_calls and not to(office, NEAR, "BYE") and not to(office, FAR, "BYE")
    office.run(39)
    # RFC 3261 section 13.3.1.4: T1, doubled up to T2, for 64*T1.
    times = [p.time for p in to(office, NEAR, "SIP/2.0 200") if b" INVITE\r\n" in p.data]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4], abs=0.01)
    for address in (NEAR, FAR):
        (bye,) = to(office, address, "BYE")
        assert bye.time - times[0] == pytest.approx(32, abs=0.5)
    office.run(70)
    assert not ann.live_calls and not bob.live_calls
    assert office.left_over() == {}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("answers", [None, 0.0])
def test_when_the_caller_of_a_click_to_call_is_gone_the_number_is_told(
    flow: str, answers: float | None
) -> None:
    office = Office(settings=f'[call]\nflow = "{flow}"\n')
    ann = office.add_phone("200", Behaviour(answer_after=0.5))
    bob = office.add_phone("201", Behaviour(answer_after=answers))
    office.click("200", "201")
    office.run(4)
    assert ann.live_calls and bob.live_calls
    gone = office.clock.seconds()
    for call in ann.live_calls:
        call.hang_up()
    office.run(SOON)
    (told,) = to(office, FAR, "CANCEL" if answers is None else "BYE")
    assert gone < told.time <= gone + SOON
    assert not bob.live_calls
    office.run(70)
    assert office.left_over() == {}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("status", [404, 486, 503, 603])
def test_when_the_number_fails_the_caller_of_a_click_to_call_is_hung_up(
    flow: str, status: int
) -> None:
    office = Office(settings=f'[call]\nflow = "{flow}"\n')
    ann = office.add_phone("200", Behaviour(answer_after=0.5))
    office.add_phone("201", Behaviour(refuse=status))
    call = office.click("200", "201")
    office.run(6)
    failed = [p for p in office.network.log if p.first_line.startswith(f"SIP/2.0 {status}")]
    assert failed[0].source == FAR
    byes = to(office, NEAR, "BYE")
    # In the flow refer the first call ends by BYE, the phone's own one by what the number said.
    refused = [p for p in to(office, NEAR, "SIP/2.0") if f" {status} " in p.first_line]
    last = max(p.time for p in (*byes, *refused))
    assert byes and last <= failed[0].time + SOON
    assert not ann.live_calls
    cause = office.record(call).cause
    assert cause is not None and cause.code == status
    office.run(70)
    assert office.left_over() == {}


def test_when_the_caller_on_a_phone_is_gone_the_number_is_cancelled() -> None:
    office = Office()
    ann, bob = office.add_phone("200"), office.add_phone("201", Behaviour(answer_after=None))
    call = ann.call("201")
    office.run(2)
    gone = office.clock.seconds()
    call.hang_up()
    office.run(SOON)
    (cancel,) = to(office, FAR, "CANCEL")
    assert cancel.time <= gone + SOON and not bob.live_calls
