"""The ladder: what each message of a call means, and how it is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.testing.ladder import MAXIMUM_LEGS, Drawing, Kind, Ladder, Step
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour


def steps(office: Office, *phones: str) -> list[Step]:
    """Have the ladder read all that passes the office's server from now on."""
    ladder = Ladder(*phones)
    found: list[Step] = []

    def trace(direction: str, data: bytes, flow: object) -> None:
        peer = f"{flow.host}:{flow.port}"  # type: ignore[attr-defined]
        step = ladder.read(direction, data, peer, office.clock.seconds())
        if step is not None:
            found.append(step)

    office.stack.trace = trace
    return found


def told(found: list[Step]) -> list[tuple[str, str, str, str]]:
    """Phone, direction seen from sipxd, label and remark of each step, without 100 Trying."""
    return [
        (step.phone, "to" if step.sent else "from", step.label, step.remark)
        for step in found
        if step.label != "100 Trying"
    ]


def test_a_click_to_call_reads_as_what_it_means_for_the_phones() -> None:
    office = Office()
    office.add_phone("200", Behaviour(answer_after=1.0))
    callee = office.add_phone("201", Behaviour(answer_after=2.0))
    found = steps(office, "200", "201")
    office.click("200", "201")
    office.run(5)
    callee.calls[-1].hang_up()
    office.run(5)
    assert told(found) == [
        ("200", "to", "INVITE", "ring 200, no media yet"),
        ("200", "from", "180 Ringing", "rings"),
        ("200", "from", "200 OK", "here is my media"),
        ("200", "to", "ACK", "held: no media yet"),
        ("201", "to", "INVITE", "gets 200's media address"),
        ("201", "from", "180 Ringing", "rings"),
        ("201", "from", "200 OK", "here is my media"),
        ("201", "to", "ACK", ""),
        ("200", "to", "INVITE", "gets 201's media address"),
        ("200", "from", "200 OK", "here is my media"),
        ("200", "to", "ACK", ""),
        ("201", "from", "BYE", "hangs up"),
        ("201", "to", "200 OK", ""),
        ("200", "to", "BYE", ""),
        ("200", "from", "200 OK", ""),
    ]
    assert found[0].kind is Kind.REQUEST
    assert found[-1].kind is Kind.SUCCESS
    assert [step.at for step in found] == sorted(step.at for step in found)


def test_a_busy_destination_and_a_cancelled_phone_are_named() -> None:
    office = Office()
    office.add_phone("200", Behaviour(answer_after=1.0))
    office.add_phone("201", Behaviour(refuse=486))
    found = steps(office, "200", "201")
    office.click("200", "201")
    office.run(5)
    assert ("201", "from", "486 Busy Here", "busy") in told(found)
    assert next(s for s in found if s.label == "486 Busy Here").kind is Kind.FAILURE


def test_hold_is_seen_on_both_sides() -> None:
    office = Office()
    office.add_phone("200", Behaviour(answer_after=1.0))
    callee = office.add_phone("201", Behaviour(answer_after=1.0))
    found = steps(office, "200", "201")
    office.click("200", "201")
    office.run(5)
    del found[:]
    callee.calls[-1].hold()
    office.run(5)
    assert told(found)[0] == ("201", "from", "INVITE", "holds the other")
    assert ("200", "to", "INVITE", "is put on hold") in told(found)


def test_a_second_phone_of_a_user_is_told_apart() -> None:
    office = Office()
    office.add_phone("200", Behaviour(answer_after=None))
    office.add_phone("200", Behaviour(answer_after=None))
    office.add_phone("201")
    found = steps(office, "200", "201")
    office.click("200", "201")
    office.run(1)
    rings = [step.remark for step in found if step.label == "180 Ringing"]
    assert sorted(rings) == ["phone 2: rings", "rings"]


def test_a_call_from_a_phone_begins_with_who_is_called() -> None:
    office = Office()
    caller = office.add_phone("200")
    office.add_phone("201")
    found = steps(office, "200", "201")
    caller.call("201")
    office.run(5)
    assert told(found)[0] == ("200", "from", "INVITE", "calls 201")


INVITE = (
    "INVITE sip:200@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n"
    "From: <sip:201@example.org>;tag=a\r\nTo: <sip:200@example.org>\r\nCall-ID: {}\r\n"
    "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def test_a_repeated_message_is_marked() -> None:
    ladder = Ladder("200", "201")
    data = INVITE.format("x").encode()
    remarks = [ladder.read("sent", data, "p", at) for at in (0.0, 0.5)]
    assert [step.remark for step in remarks if step] == ["ring 200, no media yet", "once more"]


@pytest.mark.parametrize(
    "data",
    [
        INVITE.replace("sip:200@", "sip:305@").format("x"),
        INVITE.replace("INVITE", "REGISTER").format("x"),
        INVITE.replace("INVITE", "BYE").format("of a call that began unseen"),
        INVITE.replace("CSeq: 1 INVITE\r\n", "").format("x"),
        "\r\n\r\n",
        "nonsense",
    ],
)
def test_what_belongs_to_no_column_is_not_shown(data: str) -> None:
    assert Ladder("200", "201").read("sent", data.encode(), "p", 0.0) is None


@given(st.binary(max_size=300))
def test_no_octets_make_it_raise(data: bytes) -> None:
    ladder = Ladder("200", "201")
    start = INVITE.format("x").encode()
    for direction in ("sent", "received"):
        ladder.read(direction, data, "p", 0.0)
        ladder.read(direction, start[:-2] + data, "p", 0.0)


def test_legs_are_bounded() -> None:
    ladder = Ladder("200", "201")
    for number in range(MAXIMUM_LEGS + 50):
        assert ladder.read("sent", INVITE.format(number).encode(), "p", 0.0)
    assert len(ladder._legs) == MAXIMUM_LEGS


def test_control_characters_of_a_peer_do_not_reach_the_terminal() -> None:
    ladder = Ladder("200", "201")
    ladder.read("sent", INVITE.format("x").encode(), "p", 0.0)
    answer = INVITE.format("x").replace(
        "INVITE sip:200@198.51.100.1:5060 SIP/2.0", "SIP/2.0 486 \x1b[2J"
    )
    step = ladder.read("received", answer.encode(), "p", 0.0)
    assert step is not None
    assert step.label == "486 \\x1b[2J"


# -- drawing -------------------------------------------------------------------------------------


def test_each_direction_in_each_column() -> None:
    drawing = Drawing("200", "201")
    lines = [
        drawing.step(Step(1.5, phone, sent, Kind.REQUEST, "INVITE", "remark"), 1.0).plain
        for phone in ("200", "201")
        for sent in (True, False)
    ]
    assert lines == [
        "  0.500  |<----- INVITE -----|                   |  remark",
        "  0.500  |----- INVITE ----->|                   |  remark",
        "  0.500  |                   |----- INVITE ----->|  remark",
        "  0.500  |                   |<----- INVITE -----|  remark",
    ]


def test_the_heading_stands_above_the_lifelines() -> None:
    drawing = Drawing("200", "201")
    heading = drawing.heading().plain
    line = drawing.step(Step(0, "200", True, Kind.REQUEST, "ACK")).plain
    bars = [column for column, character in enumerate(line) if character == "|"]
    for name, column in zip(("phone of 200", "sipxd", "phone of 201"), bars, strict=True):
        assert abs(heading.index(name) + len(name) // 2 - column) <= 1


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 300])
def test_lines_keep_within_the_width(width: int) -> None:
    drawing = Drawing("200", "201", width, plain=False)
    label = "487 Request Terminated For A Long Reason"
    line = drawing.step(Step(0, "201", False, Kind.FAILURE, label, "remark " * 60))
    assert line.cell_len <= max(60, width)
    assert " 487 " in line.plain


def test_plain_is_ascii() -> None:
    drawing = Drawing("200", "201", plain=True)
    step = Step(0, "200", True, Kind.SUCCESS, "200 OK", "remark " * 20)
    assert (drawing.step(step).plain + drawing.heading().plain).isascii()
