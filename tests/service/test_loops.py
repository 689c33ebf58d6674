"""Calls that come back to us: they end after a few rounds, and nothing is left of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import attrs
import pytest

from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Message, Request, parse_message
from sipxd.testing.office import DOMAIN, SERVER, Office
from sipxd.testing.phone import Behaviour, Phone

PBX = "203.0.113.5"
SETTINGS = f"""
    [sip]
    outbound_proxy = "sip:{PBX}"
    trusted_peers = ["{PBX}/32"]
"""


Number = Callable[[str, int], tuple[str, ...]]


class Mirror:
    """A server without state (RFC 3261 section 16.11) that sends every request back to us.

    A second copy has a Call-ID of its own, or the two would be merged (section 8.2.2.2).

    ``number`` is told whom an INVITE calls and how many there were before; it gives whom to call
    instead, all of them at once.  ``keeps_path``: whether headers that it does not know pass.
    """

    def __init__(self, office: Office, number: Number) -> None:
        self.invites: list[Request] = []
        self.keeps_path = True
        self._number = number
        self._calls: dict[str, tuple[str, ...]] = {}
        self._transport = office.network.node(PBX, 5060, self._receive)

    def _receive(self, data: bytes, flow: Flow) -> None:
        message = parse_message(data)
        if isinstance(message, Request):
            for turned in self._turned(message):
                self._send(turned)
        else:
            # Its own Via and Call-ID are taken off again.
            kept = [
                (name, value.removeprefix("2~") if name == "Call-ID" else value)
                for name, value in message.headers[1:]
            ]
            self._send(attrs.evolve(message, headers=kept))

    def _send(self, message: Message) -> None:
        self._transport.send(message.encode(), Flow("UDP", self._transport.listener, *SERVER))

    def _turned(self, request: Request) -> list[Request]:
        branch = request.via.branch
        if request.method == "INVITE" and branch not in self._calls:
            self._calls[branch] = self._number(request.uri, len(self.invites))
            self.invites.append(request)
        headers: list[Header] = []
        for name, value in request.headers:
            if name == "Max-Forwards":
                headers.append((name, str(int(value) - 1)))
            elif name == "X-sipxd-Path":
                if self.keeps_path:
                    headers.append((name.lower(), value))  # names of headers have no case
            elif name not in ("Route", "Call-ID"):
                headers.append((name, value))
        called = self._calls.get(branch, (request.uri,))
        return [
            attrs.evolve(
                request,
                uri=uri,
                headers=[
                    ("Via", _via(f"{branch}{n}")),
                    ("Call-ID", f"{'2~' * n}{request.call_id}"),
                    *headers,
                ],
            )
            for n, uri in enumerate(called)
        ]


def _via(of: str) -> str:
    return f"SIP/2.0/UDP {PBX}:5060;branch=z9hG4bK{hashlib.md5(of.encode()).hexdigest()}"


def forwards(message: Message) -> int:
    return int(message.require("Max-Forwards"))


def office_with(number: Number) -> tuple[Office, Phone, Mirror]:
    office = Office(settings=SETTINGS)
    mirror = Mirror(office, number)
    return office, office.add_phone("200"), mirror


def same(uri: str, lap: int) -> tuple[str, ...]:
    return (uri,)


def ever_new(uri: str, lap: int) -> tuple[str, ...]:
    return (f"sip:{5000 + lap}@{DOMAIN}",)


def both(uri: str, lap: int) -> tuple[str, ...]:
    return (f"sip:4711@{DOMAIN}", f"sip:4712@{DOMAIN}")


def bob(uri: str, lap: int) -> tuple[str, ...]:
    return (f"sip:201@{DOMAIN}",)


@pytest.mark.parametrize(("number", "laps"), [(same, 1), (ever_new, 10)])
def test_a_call_that_the_proxy_sends_back_ends_with_482(number: Number, laps: int) -> None:
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
    mirror.keeps_path = False
    call = ann.call("4711")
    office.run(20)
    assert call.status == 483
    assert len(mirror.invites) == 35
    office.run(100)
    assert office.left_over() == {}


def test_two_numbers_that_each_ring_both_are_no_bomb() -> None:
    """RFC 5393 section 3: without a check, every round has twice the INVITEs of the one before."""
    office, ann, mirror = office_with(both)
    call = ann.call("4711")
    office.run(20)
    assert call.status == 482
    assert len(mirror.invites) == 2
    assert len(office.requests("INVITE")) <= 30
    office.run(70)
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
    office, ann, mirror = office_with(bob)
    phone = office.add_phone("201", Behaviour(answer_after=1))
    call = ann.call("4711")
    office.run(5)
    assert call.up and len(mirror.invites) == 1
    (rung,) = office.requests("INVITE", "198.51.100.2")
    assert b"sipxd-Path" not in rung  # whom else it went through is none of the phone's business
    phone.live_calls[0].hang_up()
    office.run(70)
    assert office.left_over() == {}


def test_an_unreadable_path_costs_a_loop_one_more_round() -> None:
    office, ann, mirror = office_with(same)
    call = ann.call("4711", (("X-sipxd-Path", 'what, "is this'),))
    office.run(20)
    assert call.status == 482 and len(mirror.invites) == 1


def test_whom_a_phone_transfers_a_caller_to_may_call_that_phone_again() -> None:
    office, ann, mirror = office_with(bob)
    phone = office.add_phone("201", Behaviour(answer_after=0.5))
    call = ann.call("201")
    office.run(2)
    phone.calls[-1].transfer("4711")
    office.run(5)
    assert mirror.invites[0].get("X-sipxd-Path") == "4711@example.org"
    assert call.up and len(phone.calls) == 2
