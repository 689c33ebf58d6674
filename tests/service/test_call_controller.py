"""The call controller: what it tells of the real calls that it makes."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from gatewaykit import FakeGateway, answers_calls

from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.errors import BadInput, Conflict, NotFound
from sipxd.service.call_controller import Asked, CallController
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour

GATEWAY = "203.0.113.1"
OUTWARD = f"""
    [[gateway]]
    name = "one"
    uri = "sip:{GATEWAY}"
    health_check = 0
    [[route]]
    pattern = "0."
    gateways = ["one"]
"""
ANSWERS = Behaviour(answer_after=1.0)
SILENT = Behaviour(answer_after=None)


@attrs.define
class Desk:
    """An office of 200, 201 and 202, and a controller."""

    office: Office
    controller: CallController

    def start(self, calling: str = "200", called: str = "201", **asked: Any) -> None:
        agent = self.office.users["200"]
        self.office.now(
            self.controller.start(agent, calling, called, Asked(**asked), source="192.0.2.9")
        )

    def lines(self, calling: str = "200", called: str = "201") -> list[str]:
        course = self.controller.course(self.office.users["200"], calling, called)
        assert course is not None
        return [f"{line.method} {line.text.removeprefix('SIP/2.0 ')}" for line in course.lines]


def desk(settings: str = "", **behaviours: Behaviour) -> Desk:
    office = Office(settings=settings)
    for name in ("200", "201", "202"):
        office.add_phone(name, behaviours.get(f"of_{name}", ANSWERS))
    return Desk(office, CallController(office.calls, office.transfers, office.time))


def test_a_call_is_told_as_it_goes() -> None:
    made = desk()
    made.start()
    assert made.lines() == ["INVITE 100 Trying"]
    made.office.run(1.5)
    assert made.lines()[1:] == ["INVITE 200 OK", "NOTIFY 100 Trying"]
    made.office.run(2)
    assert made.lines()[-1] == "NOTIFY 200 OK"
    before = made.lines()
    made.office.phones[1].calls[-1].hang_up()
    made.office.run(2)
    assert made.lines() == before


@pytest.mark.parametrize(
    ("behaviours", "last"),
    [
        ({"of_200": SILENT}, "INVITE 408 Request Timeout"),
        ({"of_200": Behaviour(refuse=486)}, "INVITE 486 Busy Here"),
        ({"of_201": Behaviour(refuse=486)}, "NOTIFY 486 Busy Here"),
        ({"of_201": SILENT}, "NOTIFY 408 Request Timeout"),
    ],
)
def test_the_party_that_does_not_come_is_known_by_its_line(
    behaviours: dict[str, Behaviour], last: str
) -> None:
    made = desk(**behaviours)
    made.start()
    made.office.run(80)
    assert made.lines()[-1] == last


def test_the_course_is_forgotten_after_the_time_that_was_asked_for() -> None:
    made = desk(of_200=Behaviour(refuse=486))
    made.start(remembered=10)
    made.office.run(2)
    assert made.lines()[-1] == "INVITE 486 Busy Here"
    made.office.run(10)
    assert made.controller.course(made.office.users["200"], "200", "201") is None
    made.start()
    assert made.lines() == ["INVITE 100 Trying"]


def test_another_telephone_than_the_agents_can_be_rung_first() -> None:
    made = desk()
    made.start(calling="202")
    made.office.run(5)
    assert [len(phone.calls) for phone in made.office.phones] == [0, 1, 1]
    assert made.lines("202")[-1] == "NOTIFY 200 OK"


def test_the_calling_party_rings_for_the_time_that_was_asked_for() -> None:
    made = desk(of_200=SILENT)
    made.start(seconds=3)
    made.office.run(2.9)
    assert made.lines() == ["INVITE 100 Trying"]
    made.office.run(0.2)
    assert made.lines()[-1] == "INVITE 408 Request Timeout"


def test_the_calling_partys_forwarding_is_followed_where_that_is_allowed() -> None:
    made = desk(of_200=SILENT)
    user = made.office.users["200"]
    made.office.forwardings._forwardings[user.id] = Forwarding(timer=2, rings=(Ring("202", 10),))
    made.start()
    made.office.run(40)
    assert made.lines()[-1] == "INVITE 408 Request Timeout"
    made.start(called="201", follow=True, remembered=500)
    made.office.run(8)
    assert made.lines()[-1] == "NOTIFY 200 OK"
    assert made.office.phones[2].calls[-1].up


def test_whoever_takes_the_calling_partys_call_outside_transfers_nobody_at_his_cost() -> None:
    made = desk(OUTWARD, of_200=SILENT)
    outside = answers_calls(made.office, GATEWAY)
    user = made.office.users["200"]
    made.office.forwardings._forwardings[user.id] = Forwarding(timer=2, rings=(Ring("0171", 10),))
    made.start(follow=True)
    made.office.run(8)
    assert made.lines()[-1] == "NOTIFY 200 OK"
    call = outside.calls[-1]
    call.transfer("202")
    made.office.run(5)
    assert call.referral == [403]
    assert made.office.phones[2].calls == []
    assert made.office.phones[1].calls[-1].up


def test_a_calling_party_that_redirects_is_looked_for_where_it_says() -> None:
    made = desk(OUTWARD)
    FakeGateway(made.office, GATEWAY).refuse(302, ("Contact", "<sip:202@example.org>"))
    made.start(calling="0171")
    made.office.run(5)
    assert made.lines("0171")[-1] == "NOTIFY 200 OK"
    assert [len(phone.calls) for phone in made.office.phones] == [0, 1, 1]


def test_what_the_client_says_beside_the_parties_goes_into_the_invites() -> None:
    made = desk()
    made.start(subject="About the offer", pin="4711")
    made.office.run(3)
    to_200, to_201 = (f"198.51.100.{n}" for n in (1, 2))
    (first, *_), (second, *_) = (made.office.requests("INVITE", host) for host in (to_200, to_201))
    assert b"\r\nSubject: About the offer\r\n" in first and b"X-ConfPin" not in first
    assert b"\r\nX-ConfPin: 4711\r\n" in second and b"Subject" not in second


def test_two_who_talk_already_are_called_once() -> None:
    made = desk()
    made.start()
    made.start()
    made.office.run(4)
    made.start()
    assert len(made.office.table.calls) == 1
    with pytest.raises(Conflict):
        made.start(invite=True)


def test_dialogs_are_told_where_they_are_asked_for() -> None:
    made = desk()
    made.start(invite=True)
    course = made.controller.course(made.office.users["200"], "200", "201")
    assert course is not None
    assert [dialog.state for dialog in course.dialogs] == ["EARLY"]
    made.office.run(1.5)
    assert [dialog.state for dialog in course.dialogs] == ["CONFIRMED", "EARLY"]
    made.office.run(3)
    assert [(d.local, d.remote, d.state) for d in course.dialogs] == [
        ("201", "200", "CONFIRMED"),
        ("200", "201", "CONFIRMED"),
    ]
    made.office.phones[1].calls[-1].hang_up()
    made.office.run(2)
    assert {dialog.state for dialog in course.dialogs} == {"TERMINATED"}


def test_a_transfer_connects_the_called_party_with_somebody_else() -> None:
    made = desk()
    made.start()
    made.office.run(4)
    made.controller.transfer(made.office.users["200"], "200", "201", "202")
    made.office.run(4)
    assert made.lines()[-3:] == ["REFER 202 Accepted", "NOTIFY 180 Ringing", "NOTIFY 200 OK"]
    assert [phone.calls[-1].up for phone in made.office.phones] == [False, True, True]


def test_a_transfer_that_fails_leaves_the_call_as_it_was() -> None:
    made = desk(of_202=Behaviour(refuse=486))
    made.start()
    made.office.run(4)
    made.controller.transfer(made.office.users["200"], "200", "201", "202")
    made.office.run(4)
    assert made.lines()[-1] == "NOTIFY 486 Busy Here"
    assert [phone.calls[-1].up for phone in made.office.phones[:2]] == [True, True]
    made.controller.transfer(made.office.users["200"], "200", "201", "0171")
    assert made.lines()[-1].startswith("NOTIFY 404")


def test_a_transfer_needs_a_call_that_is_connected() -> None:
    made = desk()
    agent = made.office.users["200"]
    with pytest.raises(NotFound):
        made.controller.transfer(agent, "200", "201", "202")
    made.start()
    with pytest.raises(Conflict):
        made.controller.transfer(agent, "200", "201", "202")
    made.office.run(4)
    with pytest.raises(BadInput):
        made.controller.transfer(agent, "200", "201", "\x00")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"seconds": -1.0}, "timeout"),
        ({"seconds": 86_401.0}, "timeout"),
        ({"remembered": -1.0}, "resultCacheTime"),
        ({"subject": "a\r\nX: y"}, "subject"),
        ({"pin": "12a"}, "confpin"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_rings(asked: dict[str, Any], field: str) -> None:
    made = desk()
    with pytest.raises(BadInput) as caught:
        made.start(**asked)
    assert caught.value.field == field
    assert not made.office.table.calls
