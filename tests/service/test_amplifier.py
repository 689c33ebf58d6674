"""A click-to-call is no amplifier: what one request makes us send (RFC 3725 section 13)."""

from __future__ import annotations

import pytest

from sipxd.sip.message import Request, parse_message
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour, Phone

NUMBER = "198.51.100.1"
FLOWS = ["offer", "offerless", "refer", "auto"]


def requests(office: Office, host: str, since: float = 0.0) -> list[Request]:
    """The different requests to ``host``, repetitions left out."""
    found: dict[tuple[str, str], Request] = {}
    for packet in office.network.log:
        if packet.destination == f"{host}:5060" and packet.time > since:
            message = parse_message(packet.data)
            if isinstance(message, Request):
                found.setdefault((message.method, message.via.branch), message)
    return list(found.values())


def methods(office: Office, host: str, since: float = 0.0) -> list[str]:
    return [request.method for request in requests(office, host, since)]


def world(flow: str, *phones: Behaviour) -> tuple[Office, list[Phone], dict[Phone, str]]:
    """An office in which 201 is the number, and 200 has ``phones``; and their addresses."""
    office = Office(settings=f'[call]\nflow = "{flow}"\n')
    office.add_phone("201")
    own = [office.add_phone("200", behaviour) for behaviour in phones]
    return office, own, {phone: f"198.51.100.{n}" for n, phone in enumerate(own, 2)}


@pytest.mark.parametrize("flow", FLOWS)
def test_until_the_caller_answers_each_of_his_phones_gets_one_invite_and_the_number_none(
    flow: str,
) -> None:
    silent = Behaviour(answer_after=None)
    office, own, hosts = world(flow, silent, silent, silent)
    gone = own[2]
    for transport in list(gone.stack._transports._open.values()):
        office.network.remove(transport)  # type: ignore[arg-type]
    for _ in range(3):  # asking again is no new call
        office.click("200", "201")
    office.run(25)
    for phone in own:
        assert methods(office, hosts[phone]) == ["INVITE"]
    assert methods(office, NUMBER) == []
    office.run(100)
    for phone in own:
        assert methods(office, hosts[phone]).count("INVITE") == 1
    assert methods(office, NUMBER) == []


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("status", [403, 480, 486, 600, 603])
def test_who_has_declined_hears_nothing_more(flow: str, status: int) -> None:
    no = Behaviour(refuse=status)
    office, own, hosts = world(flow, no, no)
    office.click("200", "201")
    office.run(120)
    for phone in own:
        assert methods(office, hosts[phone]) == ["INVITE", "ACK"]
    assert methods(office, NUMBER) == []
    assert office.left_over() == {}


@pytest.mark.parametrize("flow", FLOWS)
def test_the_phone_that_declined_hears_nothing_of_what_the_others_do(flow: str) -> None:
    office, own, hosts = world(flow, Behaviour(refuse=603), Behaviour(answer_after=2))
    office.click("200", "201")
    office.run(20)
    assert own[1].live_calls
    assert methods(office, hosts[own[0]]) == ["INVITE", "ACK"]
