"""Calls that come back to us: they end after a few rounds, and nothing is left of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import attrs
import pytest

from sipxd.sip.flow import Flow
from sipxd.sip.message import Message, Request, parse_message
from sipxd.testing.office import DOMAIN, SERVER, Office
from sipxd.testing.phone import Behaviour, Phone

PBX = "203.0.113.5"
SETTINGS = f"""
    [sip]
    outbound_proxy = "sip:{PBX}"
    trusted_peers = ["{PBX}/32"]
"""


class Mirror:
    """A proxy without state (RFC 3261 section 16.11) that sends every request back to us.

    ``number`` says how often it has been here, and gives whom it calls instead.
    """

    def __init__(self, office: Office, number: Callable[[str, int], str]) -> None:
        self.invites: list[Request] = []
        self._number = number
        self._calls: dict[str, str] = {}
        self._transport = office.network.node(PBX, 5060, self._receive)

    def _receive(self, data: bytes, flow: Flow) -> None:
        message = parse_message(data)
        if isinstance(message, Request):
            message = self._turned(message)
        else:
            message = attrs.evolve(message, headers=message.headers[1:])  # the Via is ours
        self._transport.send(message.encode(), Flow("UDP", self._transport.listener, *SERVER))

    def _turned(self, request: Request) -> Request:
        branch = request.via.branch
        if request.method == "INVITE" and branch not in self._calls:
            self._calls[branch] = self._number(request.uri, len(self.invites))
            self.invites.append(request)
        via = f"SIP/2.0/UDP {PBX}:5060;branch=z9hG4bK{hashlib.md5(branch.encode()).hexdigest()}"
        headers = [("Via", via)]
        for name, value in request.headers:
            if name == "Max-Forwards":
                headers.append((name, str(int(value) - 1)))
            elif name == "X-sipxd-Path":
                headers.append((name.lower(), value))  # names of headers have no case
            elif name != "Route":
                headers.append((name, value))
        return attrs.evolve(request, uri=self._calls.get(branch, request.uri), headers=headers)


def forwards(message: Message) -> int:
    return int(message.require("Max-Forwards"))


def office_with(number: Callable[[str, int], str]) -> tuple[Office, Phone, Mirror]:
    office = Office(settings=SETTINGS)
    mirror = Mirror(office, number)
    return office, office.add_phone("200"), mirror


def same(uri: str, lap: int) -> str:
    return uri


def ever_new(uri: str, lap: int) -> str:
    return f"sip:{5000 + lap}@{DOMAIN}"


@pytest.mark.parametrize(("number", "laps"), [(same, 1), (ever_new, 10)])
def test_a_call_that_the_proxy_sends_back_ends_with_482(
    number: Callable[[str, int], str], laps: int
) -> None:
    office, ann, mirror = office_with(number)
    call = ann.call("4711")
    office.run(20)
    assert call.status == 482
    assert len(mirror.invites) == laps
    assert len(office.requests("INVITE", PBX)) == laps <= 12
    office.run(70)
    assert office.left_over() == {}


def test_max_forwards_falls_by_one_at_us_and_the_path_grows() -> None:
    office, ann, mirror = office_with(ever_new)
    ann.call("4711")
    office.run(20)
    # 70 from the phone; one is taken by us, one by the proxy, in every round.
    assert [forwards(invite) for invite in mirror.invites] == list(range(69, 49, -2))
    assert [invite.get("X-sipxd-Path") for invite in mirror.invites[:3]] == [
        "4711@example.org",
        "4711@example.org, 5000@example.org",
        "4711@example.org, 5000@example.org, 5001@example.org",
    ]


def test_without_the_path_max_forwards_ends_the_call() -> None:
    office, ann, mirror = office_with(same)
    turned = mirror._turned

    def without_path(request: Request) -> Request:
        kept = [line for line in turned(request).headers if line[0] != "x-sipxd-path"]
        return attrs.evolve(turned(request), headers=kept)

    mirror._turned = without_path  # type: ignore[method-assign]
    call = ann.call("4711")
    office.run(20)
    assert call.status == 483
    assert len(mirror.invites) == 35
    office.run(100)
    assert office.left_over() == {}


def test_a_click_to_call_that_comes_back_ends() -> None:
    office, ann, mirror = office_with(same)
    call = office.click("200", "4711")
    office.run(5)
    assert len(mirror.invites) == 1
    cause = office.record(call).cause
    assert cause is not None and cause.code == 482
    office.run(70)
    assert office.left_over() == {}
    assert all(call.ended for call in ann.calls)


def test_a_call_forwarded_to_somebody_else_of_us_rings_there() -> None:
    office, ann, mirror = office_with(lambda uri, lap: f"sip:201@{DOMAIN}")
    bob = office.add_phone("201", Behaviour(answer_after=1))
    call = ann.call("4711")
    office.run(5)
    assert call.up and len(mirror.invites) == 1
    (rung,) = office.requests("INVITE", "198.51.100.2")
    assert b"sipxd-Path" not in rung  # whom else it went through is none of the phone's business
    bob.live_calls[0].hang_up()
    office.run(70)
    assert office.left_over() == {}


def test_an_unreadable_path_costs_a_loop_one_more_round() -> None:
    office, ann, mirror = office_with(same)
    call = ann.call("4711", (("X-sipxd-Path", 'what, "is this'),))
    office.run(20)
    assert call.status == 482 and len(mirror.invites) == 1


def test_whom_a_phone_transfers_a_caller_to_may_call_that_phone_again() -> None:
    office, ann, mirror = office_with(lambda uri, lap: f"sip:201@{DOMAIN}")
    bob = office.add_phone("201", Behaviour(answer_after=0.5))
    call = ann.call("201")
    office.run(2)
    bob.calls[-1].transfer("4711")
    office.run(5)
    assert mirror.invites[0].get("X-sipxd-Path") == "4711@example.org"
    assert call.up and len(bob.calls) == 2
