"""Every timer of RFC 3261 section 17 and RFC 6026, on the wire and at its exact times."""

from __future__ import annotations

import pytest
from world import World

DOUBLING_TO_T2 = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
"""Timers E and G: the interval doubles from 0.5 s up to 4 s."""


def test_timer_a_repeats_an_invite_in_doubling_intervals(world: World) -> None:
    world.network.loss = 1.0
    world.a.request("INVITE", world.b)
    world.run(100)
    assert world.times("INVITE", world.a) == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_timer_b_gives_an_unanswered_invite_up_after_32_seconds(world: World) -> None:
    world.network.loss = 1.0
    world.a.request("INVITE", world.b)
    world.run(31.999)
    assert world.a.events == []
    world.run(0.002)
    assert world.a.events == [408]


def test_timer_b_does_not_end_a_call_that_rings(world: World) -> None:
    world.b.always(180)
    world.a.request("INVITE", world.b)
    world.run(500)
    assert world.a.events == [180]
    assert world.a.stack.client_count == 1
    assert world.times("INVITE", world.a) == [0.0]


def test_timer_d_acknowledges_a_repeated_refusal_for_32_seconds(world: World) -> None:
    world.b.always(486)
    world.a.request("INVITE", world.b)
    world.settle()
    assert world.a.events == [486]
    world.run(31.9)
    assert world.a.stack.client_count == 1
    world.run(0.2)
    assert world.a.stack.client_count == 0


def test_timer_e_repeats_another_request_in_intervals_up_to_four_seconds(world: World) -> None:
    world.network.loss = 1.0
    world.a.request("OPTIONS", world.b)
    world.run(100)
    assert world.times("OPTIONS", world.a) == DOUBLING_TO_T2


def test_timer_e_goes_on_every_four_seconds_after_a_provisional_response(world: World) -> None:
    world.b.always(100)
    world.a.request("OPTIONS", world.b)
    world.run(20)
    assert world.a.events[0] == 100
    assert world.times("OPTIONS", world.a) == [0.0, 0.5, 4.5, 8.5, 12.5, 16.5]


def test_timer_f_gives_an_unanswered_request_up_after_32_seconds(world: World) -> None:
    world.network.loss = 1.0
    world.a.request("OPTIONS", world.b)
    world.run(31.999)
    assert world.a.events == []
    world.run(0.002)
    assert world.a.events == [408]
    assert world.a.at_rest()


def test_timer_g_repeats_a_refusal_until_it_is_acknowledged(world: World) -> None:
    world.b.always(486)
    world.a.request("INVITE", world.b)
    world.settle()
    assert world.times("SIP/2.0 486", world.b) == [0.0]
    world.run(40)
    assert world.times("SIP/2.0 486", world.b) == [0.0], "the ACK has come"


def test_timer_h_ends_a_refusal_that_is_never_acknowledged(world: World) -> None:
    world.b.always(486)
    handle = world.a.request("INVITE", world.b)
    world.a.stack.abandon(handle)
    world.run(31.999)
    assert world.times("SIP/2.0 486", world.b) == DOUBLING_TO_T2
    assert world.b.stack.server_count == 1
    world.run(0.002)
    assert world.b.stack.server_count == 0


def test_timer_i_takes_repeated_acks_for_five_seconds(world: World) -> None:
    world.b.always(486)
    world.a.request("INVITE", world.b)
    world.settle()
    ack = next(p.data for p in world.network.log if p.first_line.startswith("ACK"))
    world.run(4.9)
    assert world.b.stack.server_count == 1
    world.a.transport.send(ack, world.a.transport.flow_to("10.0.0.2", 5060))
    world.settle()
    assert world.b.acks == []
    world.run(0.2)
    assert world.b.at_rest()


def test_timer_j_answers_a_repeated_request_for_32_seconds(world: World) -> None:
    world.b.always(200)
    world.a.request("OPTIONS", world.b)
    world.settle()
    data = world.network.log[0].data
    world.run(31.9)
    world.a.transport.send(data, world.a.transport.flow_to("10.0.0.2", 5060))
    world.settle()
    assert len(world.times("SIP/2.0 200", world.b)) == 2
    assert len(world.b.requests) == 1
    world.run(0.2)
    assert world.b.at_rest()


def test_timer_k_takes_repeated_responses_for_five_seconds(world: World) -> None:
    world.b.always(200)
    world.a.request("OPTIONS", world.b)
    world.run(4.9)
    assert world.a.stack.client_count == 1
    world.run(0.2)
    assert world.a.at_rest()


def test_timer_l_takes_repeated_invites_for_32_seconds_after_a_2xx(world: World) -> None:
    world.b.always(200)
    world.a.request("INVITE", world.b)
    world.settle()
    data = world.network.log[0].data
    world.run(31.9)
    world.a.transport.send(data, world.a.transport.flow_to("10.0.0.2", 5060))
    world.settle()
    assert len(world.times("SIP/2.0 200", world.b)) == 1, "its user repeats it, not we"
    assert len(world.b.requests) == 1
    world.run(0.2)
    assert world.b.at_rest()


def test_timer_m_delivers_repeated_2xx_for_32_seconds(world: World) -> None:
    world.b.always(200)
    world.a.request("INVITE", world.b)
    world.settle()
    handle = world.b.requests[0]
    assert handle._response is not None
    for _ in range(3):
        world.run(10)
        world.b.stack.respond(handle, handle._response)
        world.settle()
    assert world.a.events == [200, 200, 200, 200]
    assert len({p.data for p in world.network.log if p.first_line == "SIP/2.0 200 OK"}) == 1
    world.run(2.1)
    assert world.a.at_rest()
    assert world.b.at_rest()


@pytest.mark.parametrize("status", [200, 486])
def test_nothing_is_left_open_after_a_call(world: World, status: int) -> None:
    world.b.always(180, status)
    world.a.request("INVITE", world.b)
    world.run(40)
    assert world.a.events == [180, status]
    assert world.a.at_rest()
    assert world.b.at_rest()
