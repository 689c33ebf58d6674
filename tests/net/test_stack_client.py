"""The stack as a client: Via, responses, CANCEL, failures."""

from __future__ import annotations

import pytest
from twisted.logger import globalLogPublisher
from world import World

from sipxd.sip.message import Response, parse_message, respond


def first_request(world: World, method: str = "") -> object:
    return next(
        parse_message(p.data) for p in world.network.log if p.first_line.startswith(method or "")
    )


def test_a_request_gets_our_via_on_top_with_an_unguessable_branch(world: World) -> None:
    world.a.request("OPTIONS", world.b, ("Via", "SIP/2.0/UDP other;branch=z9hG4bKother"))
    world.a.request("OPTIONS", world.b)
    first, second = (parse_message(packet.data) for packet in world.network.log)
    assert first.headers[0][0] == "Via"
    assert len(first.get_all("Via")) == 2
    assert first.via.sent_by == "10.0.0.1:5060"
    assert first.via.branch.startswith("z9hG4bK")
    assert len(first.via.branch) >= 7 + 16
    assert first.via.branch != second.via.branch
    assert ("rport", None) in first.via.parameters


def test_each_response_reaches_the_user_of_its_transaction(world: World) -> None:
    world.b.always(100, 180, 200)
    world.a.request("INVITE", world.b)
    world.settle()
    assert world.a.events == [100, 180, 200]
    assert world.a.responses[2].to_tag == "b"


def test_the_ack_of_a_2xx_has_a_branch_of_its_own(world: World) -> None:
    world.b.always(200)
    world.a.request("INVITE", world.b)
    world.settle()
    world.a.stack.send(world.a.message("ACK", world.b), world.a.flow_to(world.b))
    world.settle()
    (ack,) = world.b.acks
    assert ack.via.branch != world.b.requests[0].request.via.branch


def test_the_octets_that_are_sent_again_are_the_same(world: World) -> None:
    world.network.loss = 1.0
    world.a.request("INVITE", world.b)
    world.run(40)
    assert len({packet.data for packet in world.network.log}) == 1


def test_a_cancel_waits_for_a_provisional_response(world: World) -> None:
    handle = world.a.request("INVITE", world.b)
    world.a.stack.cancel(handle, [("Reason", "SIP;cause=200")])
    world.run(0.4)
    assert world.lines(world.a)[0] == "INVITE"
    world.settle()
    assert "CANCEL" in world.lines(world.a), "the peer's 100 has come"
    cancel = next(parse_message(p.data) for p in world.network.log if b"CANCEL sip" in p.data)
    assert cancel.get("Reason") == "SIP;cause=200"
    assert cancel.via == parse_message(world.network.log[0].data).via
    assert world.b.cancels == world.b.requests


def test_a_cancelled_invite_ends_with_487_and_its_ack(world: World) -> None:
    world.b.always(180)
    handle = world.a.request("INVITE", world.b)
    world.settle()
    world.a.stack.cancel(handle)
    world.settle()
    world.b.respond(world.b.requests[0], 487)
    world.settle()
    assert world.a.events == [180, 487], "the 200 of the CANCEL is not shown"
    assert world.lines(world.a) == ["INVITE", "CANCEL", "ACK"]
    world.run(40)
    assert world.a.at_rest()
    assert world.b.at_rest()


def test_a_2xx_that_crosses_the_cancel_reaches_the_user(world: World) -> None:
    world.b.always(180)
    handle = world.a.request("INVITE", world.b)
    world.settle()
    world.b.respond(world.b.requests[0], 200)
    world.a.stack.cancel(handle)
    world.settle()
    assert world.a.events == [180, 200]
    assert world.b.cancels == [], "it was answered already"


def test_a_cancel_that_nobody_answers_ends_the_invite_with_408(world: World) -> None:
    world.b.always(180)
    handle = world.a.request("INVITE", world.b)
    world.settle()
    world.b.transport.close()
    world.a.stack.cancel(handle)
    world.run(31.9)
    assert world.a.events == [180]
    world.run(0.2)
    assert world.a.events == [180, 408]
    world.run(40)
    assert world.a.at_rest()


def test_a_telephone_that_answers_after_the_time_out_is_not_lost(world: World) -> None:
    world.network.loss = 1.0
    world.a.request("INVITE", world.b)
    world.run(33)
    world.network.loss = 0.0
    invite = parse_message(world.network.log[0].data)
    late = respond(invite, 200, to_tag="late")  # type: ignore[arg-type]
    world.b.transport.send(late.encode(), world.b.transport.flow_to("10.0.0.1", 5060))
    world.settle()
    assert world.a.events == [408, 200]


def test_another_request_cannot_be_cancelled(world: World) -> None:
    world.a.stack.cancel(world.a.request("OPTIONS", world.b))
    world.settle()
    assert "CANCEL" not in world.lines(world.a)


def test_an_abandoned_transaction_is_silent(world: World) -> None:
    handle = world.a.request("INVITE", world.b)
    world.a.stack.abandon(handle)
    world.run(40)
    assert world.a.events == []
    assert world.lines(world.a) == ["INVITE"]
    assert world.a.at_rest()
    world.a.stack.abandon(handle)


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_transport_that_fails_is_503_and_not_before_the_request_returned(
    world: World, method: str
) -> None:
    world.a.transport.broken = True
    world.a.request(method, world.b)
    assert world.a.events == []
    world.settle()
    assert world.a.events == [503]
    assert world.a.at_rest()
    assert world.a.stack.counts["send_failed"] == 1


def test_a_flow_whose_listener_is_closed_is_503(world: World) -> None:
    world.a.stack.remove_transport(world.a.transport)
    world.a.request("INVITE", world.b)
    world.settle()
    assert world.a.events == [503]


def test_a_full_table_refuses_new_requests_but_not_those_in_dialogs(world: World) -> None:
    node = world.node("10.0.0.9", limit=4)
    for number in range(1, 6):
        node.request("OPTIONS", world.b, cseq=number)
    node.request("BYE", world.b, ("To", "<sip:b@example.com>;tag=b"), cseq=9)
    node.request("BYE", world.b, ("To", "<sip:b@example.com>;tag=b"), cseq=10)
    assert node.stack.client_count == 5
    world.settle()
    assert node.events == [503, 503]
    assert node.stack.counts["client_table_full"] == 2


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ((b"z9hG4bK", b"z9hG4bKx"), "response_stray"),
        ((b"1 OPTIONS", b"1 INVITE"), "response_stray"),
        ((b"Via:", b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx\r\nVia:"), "response_stray"),
        ((b"From:", b"Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKx\r\nFrom:"), "response_invalid"),
        ((b"Call-ID:", b"X-ID:"), "response_invalid"),
        ((b"SIP/2.0 200", b"SIP/2.0 999"), "response_invalid"),
    ],
)
def test_a_response_that_is_not_for_us_is_dropped_and_counted(
    world: World, change: tuple[bytes, bytes], count: str
) -> None:
    world.a.request("OPTIONS", world.b)
    request = parse_message(world.network.log[0].data)
    answer = respond(request, 200, to_tag="b")  # type: ignore[arg-type]
    world.b.transport.send(
        answer.encode().replace(*change, 1), world.b.transport.flow_to("10.0.0.1", 5060)
    )
    world.advance()
    assert world.a.events == []
    assert world.a.stack.counts[count] == 1


def test_a_user_that_raises_is_logged_and_harms_nobody(world: World) -> None:
    events: list[object] = []

    def broken(event: Response | int) -> None:
        raise RuntimeError("broken user")

    world.b.always(200)
    globalLogPublisher.addObserver(events.append)
    try:
        message = world.a.message("INVITE", world.b)
        world.a.stack.request(message, world.a.flow_to(world.b), broken)
        world.a.request("OPTIONS", world.b, cseq=2)
        world.run(40)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert world.a.events == [200]
    assert world.a.stack.counts["handler_failed"] == 1
    assert world.a.at_rest()


def test_a_user_may_start_and_end_transactions_when_it_is_told(world: World) -> None:
    world.b.always(200)
    first = world.a.message("INVITE", world.b)

    def on_event(event: Response | int) -> None:
        world.a.events.append(0)
        world.a.stack.abandon(handle)
        world.a.request("BYE", world.b, cseq=2)

    handle = world.a.stack.request(first, world.a.flow_to(world.b), on_event)
    world.run(40)
    assert world.a.events == [0, 200]
    assert world.a.at_rest()
