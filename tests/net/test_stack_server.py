"""The stack as a server: retransmissions, refusals, CANCEL, ACK, where responses go, bounds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import globalLogPublisher
from world import World

from sipxd.net.servers import RETRY_AFTER
from sipxd.net.stack import ServerHandle
from sipxd.sip.flow import Flow
from sipxd.sip.message import Response, parse_message


def datagram(
    method: str = "INVITE",
    *,
    via: str = "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKone",
    to_tag: str = "",
    more: str = "",
    number: int = 1,
) -> bytes:
    return (
        f"{method} sip:b@10.0.0.2 SIP/2.0\r\n"
        f"Via: {via}\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:a@example.com>;tag=a\r\n"
        f"To: <sip:b@example.com>{to_tag}\r\n"
        "Call-ID: c1\r\n"
        f"CSeq: {number} {method}\r\n"
        "Contact: <sip:a@10.0.0.1>\r\n"
        f"{more}\r\n"
    ).encode()


def send(world: World, data: bytes, *, host: str = "10.0.0.1", port: int = 5060) -> None:
    """Give ``data`` to node b as if it came from ``host``."""
    world.b.stack.receive(data, Flow("UDP", world.b.transport.listener, host, port))


def answers(world: World) -> list[Response]:
    """What node b has sent."""
    messages = [parse_message(p.data) for p in world.network.log if p.source == "10.0.0.2:5060"]
    return [message for message in messages if isinstance(message, Response)]


def statuses(world: World) -> list[int]:
    return [answer.status for answer in answers(world)]


def test_an_invite_gets_100_at_once_where_its_handler_has_said_nothing(world: World) -> None:
    send(world, datagram())
    assert statuses(world) == [100]
    assert answers(world)[0].to_tag is None


@pytest.mark.parametrize("status", [180, 486])
def test_an_invite_that_is_answered_at_once_gets_no_100(world: World, status: int) -> None:
    world.b.always(status)
    send(world, datagram())
    assert statuses(world) == [status]


def test_other_requests_get_no_100(world: World) -> None:
    send(world, datagram("OPTIONS"))
    assert statuses(world) == []


def test_a_retransmission_gets_the_last_response_and_is_not_parsed_again(world: World) -> None:
    send(world, datagram())
    send(world, datagram())
    world.b.respond(world.b.requests[0], 180)
    send(world, datagram())
    assert statuses(world) == [100, 100, 180, 180]
    assert len(world.b.requests) == 1
    assert world.b.stack.counts["received_again"] == 2
    assert answers(world)[2] == answers(world)[3]


def test_a_retransmission_in_other_words_is_known_by_its_key(world: World) -> None:
    send(world, datagram())
    send(world, datagram(more="Subject: again\r\n"))
    assert statuses(world) == [100, 100]
    assert len(world.b.requests) == 1


def test_the_same_octets_from_elsewhere_are_answered_to_the_first_sender_only(
    world: World,
) -> None:
    send(world, datagram())
    send(world, datagram(), host="10.0.0.66")
    assert {p.destination for p in world.network.log} == {"10.0.0.1:5060"}
    assert len(world.b.requests) == 1


@pytest.mark.parametrize(
    ("via", "marked", "destination"),
    [
        (
            "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKx",
            ";rport=5099;received=10.0.0.1",
            "10.0.0.1:5099",
        ),
        (
            "SIP/2.0/UDP 192.168.1.5:5070;branch=z9hG4bKx;rport",
            ";rport=5099;received=10.0.0.1",
            "10.0.0.1:5099",
        ),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx", "", "10.0.0.1:5070"),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx", "", "10.0.0.1:5060"),
        ("SIP/2.0/UDP phone:5070;branch=z9hG4bKx", ";received=10.0.0.1", "10.0.0.1:5070"),
        (
            "SIP/2.0/UDP 10.0.0.66;received=10.0.0.66;maddr=10.0.0.66;branch=z9hG4bKx",
            ";received=10.0.0.1",
            "10.0.0.1:5060",
        ),
        (
            "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKx, SIP/2.0/UDP p;branch=z9hG4bKy",
            ";rport=5099;received=10.0.0.1",
            "10.0.0.1:5099",
        ),
    ],
)
def test_responses_go_to_the_source_and_its_port_or_that_of_sent_by(
    world: World, via: str, marked: str, destination: str
) -> None:
    send(world, datagram(via=via), port=5099)
    (packet,) = world.network.log
    assert packet.destination == destination
    (answer,) = answers(world)
    top = answer.values("Via")[0]
    assert marked in top
    assert top.count("received") == marked.count("received")
    assert answer.via.branch == "z9hG4bKx"
    assert len(answer.values("Via")) == (2 if "," in via else 1)


def test_an_ipv6_sender_is_known_without_its_brackets(world: World) -> None:
    flow = Flow("UDP", world.b.transport.listener, "2001:db8::1", 5060)
    world.b.stack.receive(datagram(via="SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKx"), flow)
    assert "received" not in (answers(world)[0].get("Via") or "")
    assert world.network.log[0].destination == "[2001:db8::1]:5060"


def test_a_wrong_request_is_refused_once_and_leaves_nothing(world: World) -> None:
    send(world, datagram(more="Require: magic\r\n"))
    assert statuses(world) == [420]
    assert answers(world)[0].get("Unsupported") == "magic"
    assert answers(world)[0].to_tag
    world.run(40)
    assert statuses(world) == [420]
    assert world.b.requests == []
    assert world.b.at_rest()
    assert world.b.stack.counts["request_invalid"] == 1


@pytest.mark.parametrize("more", ["", "Call-ID: twice\r\n"])
def test_an_ack_is_never_answered(world: World, more: str) -> None:
    send(world, datagram("ACK", more=more))
    assert statuses(world) == []


def test_a_request_without_a_readable_via_cannot_be_answered(world: World) -> None:
    send(world, datagram(via="nonsense"))
    send(world, datagram(via=","))
    assert statuses(world) == []
    assert world.b.stack.counts["request_unanswerable"] == 2


def test_a_cancel_is_answered_and_shown_to_the_handler_once(world: World) -> None:
    send(world, datagram())
    world.b.respond(world.b.requests[0], 180)
    send(world, datagram("CANCEL"))
    send(world, datagram("CANCEL"))
    assert statuses(world) == [100, 180, 200, 200]
    assert answers(world)[2].to_tag == answers(world)[1].to_tag
    assert answers(world)[2].cseq == (1, "CANCEL")
    assert world.b.cancels == world.b.requests


@pytest.mark.parametrize(
    ("via", "host"),
    [
        ("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKother", "10.0.0.1"),
        ("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKone", "10.0.0.66"),
    ],
)
def test_a_cancel_of_nothing_or_from_a_stranger_gets_481(world: World, via: str, host: str) -> None:
    send(world, datagram())
    send(world, datagram("CANCEL", via=via), host=host)
    assert statuses(world) == [100, 481]
    assert world.b.cancels == []


def test_the_ack_of_a_refusal_is_absorbed_and_that_of_a_2xx_shown(world: World) -> None:
    world.b.always(486)
    send(world, datagram())
    send(world, datagram("ACK", to_tag=";tag=b"))
    assert world.b.acks == []
    world.b.always(200)
    send(world, datagram(via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKtwo", number=2))
    # Some telephones use the branch of the INVITE for the ACK of its 200, too.
    send(world, datagram("ACK", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKtwo", number=2))
    send(world, datagram("ACK", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKthree", number=2))
    assert len(world.b.acks) == 2


def test_a_peer_older_than_rfc_3261_is_served(world: World) -> None:
    old = "SIP/2.0/UDP 10.0.0.1:5060"
    world.b.always(486)
    send(world, datagram(via=old))
    send(world, datagram(via=old, more="Subject: again\r\n"))
    send(world, datagram("ACK", via=old, to_tag=";tag=b"))
    world.run(40)
    assert statuses(world) == [486, 486]
    assert world.b.acks == []


def test_a_request_that_came_over_two_paths_is_refused_the_second_time(world: World) -> None:
    send(world, datagram())
    send(world, datagram(via="SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKtwo"), host="10.0.0.7")
    assert statuses(world) == [100, 482]
    assert len(world.b.requests) == 1


def test_requests_within_a_dialog_are_never_merged(world: World) -> None:
    world.b.always(200)
    for branch in "xy":
        via = f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{branch}"
        send(world, datagram("BYE", via=via, to_tag=";tag=b"))
    assert statuses(world) == [200, 200]


def test_what_is_answered_at_once_leaves_nothing_and_is_never_repeated(world: World) -> None:
    world.b.at_once = 401
    for _ in range(3):
        send(world, datagram())
    assert world.b.at_rest()
    assert statuses(world) == [401, 401, 401]
    assert len({answer.to_tag for answer in answers(world)}) == 1
    send(world, datagram("ACK", to_tag=f";tag={answers(world)[0].to_tag}"))
    send(world, datagram("CANCEL"))
    assert statuses(world)[3:] == [481]
    world.run(40)
    assert len(statuses(world)) == 4
    assert world.b.requests == []
    assert world.b.stack.counts["answered_without_transaction"] == 4


def test_what_was_let_in_stays_in_when_it_comes_again(world: World) -> None:
    """Its credentials would not do a second time."""
    send(world, datagram())
    world.b.at_once = 401
    send(world, datagram())
    send(world, datagram(more="Subject: again\r\n"))
    send(world, datagram(via="SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKtwo"), host="10.0.0.7")
    send(world, datagram("CANCEL"))
    assert statuses(world) == [100, 100, 100, 482, 200]


def test_what_is_refused_for_overload_gets_503_and_nothing_that_has_begun_is(world: World) -> None:
    def refuse(data: bytes) -> None:
        world.b.stack.refuse(data, Flow("UDP", world.b.transport.listener, "10.0.0.1", 5060))

    send(world, datagram())
    refuse(datagram())
    refuse(datagram(more="Subject: again\r\n"))
    assert statuses(world) == [100, 100, 100]
    other = "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKtwo"
    for _ in range(2):
        refuse(datagram(via=other, number=2))
    assert statuses(world)[3:] == [503, 503]
    assert int(answers(world)[-1].get("Retry-After") or 0) in RETRY_AFTER
    send(world, datagram("ACK", via=other, to_tag=f";tag={answers(world)[-1].to_tag}", number=2))
    assert world.b.acks == []
    refuse(datagram("BYE", via=other, to_tag=";tag=b"))
    refuse(datagram("CANCEL"))
    assert [handle.request.method for handle in world.b.requests] == ["INVITE", "BYE"]
    assert len(world.b.cancels) == 1
    assert world.b.stack.counts["overload_refused"] == 2


def test_what_is_refused_for_overload_need_not_be_right(world: World) -> None:
    wrong = datagram().replace(b"Call-ID: c1\r\n", b"")
    world.b.stack.refuse(wrong, Flow("UDP", world.b.transport.listener, "10.0.0.1", 5060))
    assert statuses(world) == [503]
    assert world.b.stack.counts["receive_failed"] == 0


def test_a_full_table_is_503_with_retry_after_but_calls_can_end(world: World) -> None:
    node = world.node("10.0.0.9", limit=4)
    node.always(200)
    for number in range(1, 6):
        world.a.request("OPTIONS", node, cseq=number)
    for number in range(6, 8):
        world.a.request("BYE", node, ("To", "<sip:b@example.com>;tag=b"), cseq=number)
    world.settle()
    assert world.a.events == [200, 200, 200, 200, 503, 200, 503]
    assert int(world.a.responses[4].get("Retry-After") or 0) in RETRY_AFTER
    assert node.stack.counts["server_table_full"] == 2
    assert node.stack.server_count == 5


def test_a_handler_that_raises_is_500_and_does_not_stop_the_listener(world: World) -> None:
    def broken(handle: ServerHandle) -> None:
        raise RuntimeError("broken handler")

    events: list[object] = []
    globalLogPublisher.addObserver(events.append)
    try:
        world.b.answer = broken
        send(world, datagram())
        world.b.always(200)
        send(world, datagram("OPTIONS", number=2))
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert statuses(world) == [500, 200]
    assert answers(world)[0].to_tag
    assert world.b.stack.counts["handler_failed"] == 1
    assert len(events) == 1


def test_a_request_that_is_never_answered_does_not_stay_for_ever(world: World) -> None:
    send(world, datagram("INFO", to_tag=";tag=b"))
    world.run(33)
    assert world.b.at_rest()
    assert world.b.stack.counts["request_unanswered"] == 1
    world.b.respond(world.b.requests[0], 200)
    assert statuses(world) == []


def test_an_answer_that_comes_late_is_sent(world: World) -> None:
    send(world, datagram("INFO", to_tag=";tag=b"))
    world.run(20)
    world.b.respond(world.b.requests[0], 200)
    assert world.b.requests[0].answered
    world.run(33)
    assert statuses(world) == [200]
    assert world.b.at_rest()
    assert world.b.stack.counts["request_unanswered"] == 0


def test_a_transport_that_fails_keeps_the_transaction(world: World) -> None:
    world.b.always(200)
    world.b.transport.broken = True
    send(world, datagram("OPTIONS"))
    world.b.transport.broken = False
    send(world, datagram("OPTIONS"))
    assert statuses(world) == [200]
    assert len(world.b.requests) == 1
    assert world.b.stack.counts["send_failed"] == 1


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0", b"\r\n", b"\0\0\0\0"])
def test_keep_alives_are_no_error(world: World, data: bytes) -> None:
    send(world, data)
    assert world.b.stack.counts == {}
    assert statuses(world) == []


def test_what_is_no_message_is_dropped_and_counted(world: World) -> None:
    send(world, b"GET / HTTP/1.1\r\n\r\n")
    assert world.b.stack.counts["unparsable"] == 1


def test_the_trace_sees_both_ways(world: World) -> None:
    seen: list[tuple[str, bytes, str]] = []
    world.b.stack.trace = lambda way, data, flow: seen.append((way, data[:11], flow.host))
    send(world, datagram())
    assert seen == [("received", b"INVITE sip:", "10.0.0.1"), ("sent", b"SIP/2.0 100", "10.0.0.1")]


def test_the_contact_is_that_of_the_transport(world: World) -> None:
    assert world.b.stack.contact(world.b.flow_to(world.a)) == "10.0.0.2:5060"


def test_no_request_makes_us_send_much_more_than_it_brought(world: World) -> None:
    cases = (datagram(), datagram(more="Require: magic\r\n"), datagram("CANCEL"), datagram("BYE"))
    world.b.always(486)
    for number, data in enumerate(cases):
        data = data.replace(b"z9hG4bKone", b"z9hG4bK%d" % number)
        before = len(world.network.log)
        send(world, data)
        (packet,) = world.network.log[before:]
        assert len(packet.data) <= 1.2 * len(data) + 300


PIECES = st.lists(
    st.sampled_from(
        [
            *(b"INVITE sip:b@h SIP/2.0\r\n", b"ACK sip:b@h SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n"),
            *(b"Via: SIP/2.0/UDP h;branch=z9hG4bKx", b"Via: ,", b"Via: x", b";rport", b"\r\n"),
            *(b"From: <sip:a@h>;tag=1\r\n", b"To: <sip:b@h>\r\n", b"Call-ID: 1\r\n", b'"', b"<"),
            *(b"CSeq: 1 INVITE\r\n", b"CSeq: 1 ACK\r\n", b"Contact: <sip:a@h>\r\n", b"\xff", b"\n"),
            *(b"Content-Length: 9\r\n", b"Require: x\r\n", b"\r\n\r\n", b"body", b" ", b"\0"),
        ]
    ),
    max_size=30,
).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), PIECES))
def test_no_octets_make_the_stack_raise_or_log(world: World, data: bytes) -> None:
    events: list[object] = []
    globalLogPublisher.addObserver(events.append)
    try:
        send(world, data)
        send(world, data)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert events == []
    assert world.b.stack.counts["receive_failed"] == 0
