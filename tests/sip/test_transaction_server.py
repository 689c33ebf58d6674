"""The server machines: single transitions, and invariants under any order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.server_transaction import ServerInvite, ServerNonInvite, ServerState
from sipxd.sip.transaction import (
    DeliverAck,
    Effect,
    Effects,
    Send,
    StartTimer,
    StopTimer,
    Terminated,
)


def timers(effects: Effects) -> list[tuple[str, float]]:
    return [(e.name, e.seconds) for e in effects if isinstance(e, StartTimer)]


def sent(effects: Effects) -> list[bytes]:
    return [e.data for e in effects if isinstance(e, Send)]


def test_an_invite_that_comes_again_gets_the_last_provisional_response() -> None:
    machine = ServerInvite(False)
    assert machine.silent
    assert machine.retransmission() == ()
    assert machine.respond(100, b"100") == (Send(b"100"),)
    assert not machine.silent
    assert machine.respond(180, b"180") == (Send(b"180"),)
    assert machine.retransmission() == (Send(b"180"),)


def test_a_refusal_is_repeated_by_timer_g_until_the_ack() -> None:
    machine = ServerInvite(False)
    effects = machine.respond(486, b"486")
    assert (sent(effects), timers(effects)) == ([b"486"], [("G", 0.5), ("H", 32.0)])
    waits = [timers(machine.timer("G")) for _ in range(5)]
    assert waits == [[("G", s)] for s in (1.0, 2.0, 4.0, 4.0, 4.0)]
    assert machine.retransmission() == (Send(b"486"),)
    assert machine.respond(200, b"200") == ()
    assert machine.ack() == (StopTimer("G"), StopTimer("H"), StartTimer("I", 5.0))
    assert (
        machine.timer("G") == machine.timer("H") == machine.retransmission() == machine.ack() == ()
    )
    assert machine.timer("I") == (Terminated(),)


def test_a_refusal_that_is_never_acknowledged_ends_with_timer_h() -> None:
    machine = ServerInvite(False)
    machine.respond(486, b"486")
    assert machine.timer("H")[-1] == Terminated()
    assert machine.retransmission() == ()


def test_over_a_reliable_transport_only_timer_h_runs() -> None:
    machine = ServerInvite(True)
    assert timers(machine.respond(486, b"486")) == [("H", 32.0)]
    assert machine.ack()[-1] == Terminated()


def test_after_a_2xx_the_user_repeats_it_and_gets_the_ack_until_timer_l() -> None:
    machine = ServerInvite(False)
    effects = machine.respond(200, b"200")
    assert (sent(effects), timers(effects)) == ([b"200"], [("L", 32.0)])
    assert machine.respond(200, b"200") == (Send(b"200"),)
    assert machine.respond(486, b"486") == ()
    assert machine.retransmission() == ()
    assert machine.ack() == (DeliverAck(),)
    assert machine.timer("L") == (Terminated(),)
    assert machine.respond(200, b"200") == ()


def test_another_request_is_answered_again_until_timer_j() -> None:
    machine = ServerNonInvite(False)
    assert machine.retransmission() == ()
    assert machine.respond(100, b"100") == (Send(b"100"),)
    assert machine.retransmission() == (Send(b"100"),)
    effects = machine.respond(200, b"200")
    assert (sent(effects), timers(effects)) == ([b"200"], [("J", 32.0)])
    assert machine.retransmission() == (Send(b"200"),)
    assert machine.respond(500, b"500") == ()
    assert machine.timer("J") == (Terminated(),)
    assert machine.retransmission() == ()
    assert ServerNonInvite(True).respond(200, b"200") == (Send(b"200"), Terminated())


EVENTS = st.lists(
    st.one_of(
        st.sampled_from([100, 180, 200, 299, 300, 699]).map(lambda status: ("respond", status)),
        st.sampled_from("GHIJL").map(lambda name: ("timer", name)),
        st.sampled_from([("retransmission", ""), ("ack", "")]),
    ),
    max_size=25,
)


def run(
    machine: ServerInvite | ServerNonInvite, events: list[tuple[str, object]]
) -> list[tuple[str, Effect]]:
    """The effects, each with the event that it came of."""
    effects: list[tuple[str, Effect]] = []
    for name, argument in events:
        made: Effects = ()
        if name == "respond":
            assert isinstance(argument, int)
            made = machine.respond(argument, b"%d" % argument)
        elif name == "timer":
            made = machine.timer(str(argument))
        elif name == "retransmission":
            made = machine.retransmission()
        elif isinstance(machine, ServerInvite):
            made = machine.ack()
        effects += [(name, effect) for effect in made]
    return effects


@given(EVENTS, st.booleans(), st.booleans())
def test_a_server_machine_under_any_order_of_events(
    events: list[tuple[str, object]], reliable: bool, is_invite: bool
) -> None:
    machine = ServerInvite(reliable) if is_invite else ServerNonInvite(reliable)
    effects = run(machine, events)
    ends = [i for i, (_, effect) in enumerate(effects) if isinstance(effect, Terminated)]
    assert ends in ([], [len(effects) - 1]), "one end, and nothing behind it"
    assert bool(ends) == (machine.state is ServerState.TERMINATED)
    wanted = [b"%d" % s for name, s in events if name == "respond" and isinstance(s, int)]
    answers = sent([effect for _, effect in effects])
    finals = {data for data in answers if data >= b"200"}
    assert finals <= set(wanted)
    if is_invite and any(data < b"300" for data in finals):
        assert all(data < b"300" for data in finals), "a 2xx is never followed by a refusal"
    else:
        assert len(finals) <= 1, "there is one final response"
    first_final = next((i for i, data in enumerate(answers) if data >= b"200"), len(answers))
    assert all(data >= b"200" for data in answers[first_final:])
    assert not any(
        name == "retransmission" and isinstance(effect, StartTimer) for name, effect in effects
    )


@given(EVENTS, st.booleans(), st.sampled_from([200, 486]))
def test_every_answered_server_machine_ends_when_its_timers_run(
    events: list[tuple[str, object]], reliable: bool, status: int
) -> None:
    machines: list[ServerInvite | ServerNonInvite] = [
        ServerInvite(reliable),
        ServerNonInvite(reliable),
    ]
    for machine in machines:
        run(machine, events)
        machine.respond(status, b"last")
        for name in "HILJ":
            machine.timer(name)
        assert machine.state is ServerState.TERMINATED
        assert machine._data == b""


@pytest.mark.parametrize("name", ["A", "B", "E", "X", ""])
def test_a_timer_that_is_not_its_own_does_nothing(name: str) -> None:
    assert ServerInvite(False).timer(name) == ServerNonInvite(False).timer(name) == ()
