"""The client machines: single transitions, and invariants under any order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.client_transaction import ClientInvite, ClientNonInvite, ClientState
from sipxd.sip.message import Request, Response, respond
from sipxd.sip.transaction import (
    Deliver,
    Effect,
    Effects,
    Failed,
    Send,
    SendCancel,
    StartTimer,
    StopTimer,
    Terminated,
)


def request(method: str) -> Request:
    return Request(
        method,
        "sip:b@h",
        headers=[
            ("Via", "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa"),
            ("From", "<sip:a@h>;tag=a"),
            ("To", "<sip:b@h>"),
            ("Call-ID", "c1"),
            ("CSeq", f"1 {method}"),
        ],
    )


INVITE = request("INVITE")
OPTIONS = request("OPTIONS")


def answer(status: int, tag: str = "b") -> Response:
    return respond(INVITE, status, to_tag=tag)


def invite(reliable: bool = False) -> ClientInvite:
    machine = ClientInvite(INVITE, b"invite", reliable)
    machine.start()
    return machine


def timers(effects: Effects) -> list[tuple[str, float]]:
    return [(e.name, e.seconds) for e in effects if isinstance(e, StartTimer)]


def sent(effects: Effects) -> list[bytes]:
    return [e.data for e in effects if isinstance(e, Send)]


def delivered(effects: Effects) -> list[int]:
    return [e.response.status for e in effects if isinstance(e, Deliver)]


def test_an_invite_starts_with_timers_a_and_b() -> None:
    effects = ClientInvite(INVITE, b"invite", False).start()
    assert sent(effects) == [b"invite"]
    assert timers(effects) == [("A", 0.5), ("B", 32.0)]
    assert timers(ClientInvite(INVITE, b"invite", True).start()) == [("B", 32.0)]


def test_timer_a_doubles_without_limit() -> None:
    machine = invite()
    waits = [timers(machine.timer("A")) for _ in range(6)]
    assert waits == [[("A", s)] for s in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)]


def test_a_provisional_response_ends_retransmission_and_the_time_limit() -> None:
    machine = invite()
    effects = machine.receive(answer(180))
    assert effects == [StopTimer("A"), StopTimer("B"), Deliver(answer(180))]
    assert machine.timer("A") == ()
    assert delivered(machine.receive(answer(183))) == [183]


@pytest.mark.parametrize("first", [None, 180])
def test_every_2xx_is_delivered_until_timer_m(first: int | None) -> None:
    machine = invite()
    if first:
        machine.receive(answer(first))
    effects = machine.receive(answer(200))
    assert timers(effects) == [("M", 32.0)]
    assert delivered(effects) == [200]
    assert delivered(machine.receive(answer(200))) == [200]
    assert delivered(machine.receive(answer(200, "other"))) == [200]
    assert machine.receive(answer(486)) == ()
    assert machine.receive(answer(180)) == ()
    assert machine.timer("M") == (Terminated(),)
    assert machine.receive(answer(200)) == ()


def test_a_refusal_is_acknowledged_each_time_and_delivered_once() -> None:
    machine = invite()
    effects = machine.receive(answer(486))
    assert timers(effects) == [("D", 32.0)]
    assert delivered(effects) == [486]
    (ack,) = sent(effects)
    assert ack.startswith(b"ACK sip:b@h SIP/2.0\r\n")
    assert machine.receive(answer(486)) == (Send(ack),)
    assert machine.receive(answer(200)) == ()
    assert machine.sending_failed() == ()
    assert machine.timer("D") == (Terminated(),)
    assert machine.state is ClientState.TERMINATED


def test_a_refusal_over_a_reliable_transport_ends_at_once() -> None:
    effects = invite(reliable=True).receive(answer(486))
    assert timers(effects) == []
    assert effects[-1] == Terminated()


def test_without_any_response_the_invite_fails_and_a_late_2xx_is_still_delivered() -> None:
    machine = invite()
    effects = machine.timer("B")
    assert Failed(408) in effects
    assert timers(effects) == [("M", 32.0)]
    assert delivered(machine.receive(answer(200))) == [200]
    assert machine.receive(answer(487)) == ()
    assert machine.timer("M") == (Terminated(),)


def test_no_cancel_goes_out_before_a_provisional_response() -> None:
    machine = invite()
    assert machine.cancel() == ()
    effects = machine.receive(answer(100))
    assert effects[-3:] == [SendCancel(), StartTimer("B", 32.0), Deliver(answer(100))]
    assert SendCancel() not in machine.receive(answer(180))
    assert machine.cancel() == ()


def test_a_cancelled_invite_that_is_never_answered_ends_in_time() -> None:
    machine = invite()
    machine.receive(answer(180))
    assert machine.cancel() == (SendCancel(), StartTimer("B", 32.0))
    assert Failed(408) in machine.timer("B")


@pytest.mark.parametrize("status", [200, 486])
def test_nothing_is_cancelled_after_the_final_response(status: int) -> None:
    machine = invite()
    assert machine.cancel() == ()
    assert SendCancel() not in machine.receive(answer(status))
    assert machine.cancel() == ()


def test_a_failure_to_send_is_503() -> None:
    effects = invite().sending_failed()
    assert Failed(503) in effects
    assert effects[-1] == Terminated()


def test_what_is_sent_no_more_is_let_go() -> None:
    machine = invite()
    machine.receive(answer(180))
    assert machine._data == b""
    machine.receive(answer(200))
    assert machine.request is None


def other(reliable: bool = False) -> ClientNonInvite:
    machine = ClientNonInvite(b"options", reliable)
    machine.start()
    return machine


def test_another_request_starts_with_timers_e_and_f() -> None:
    effects = ClientNonInvite(b"options", False).start()
    assert sent(effects) == [b"options"]
    assert timers(effects) == [("E", 0.5), ("F", 32.0)]
    assert timers(ClientNonInvite(b"options", True).start()) == [("F", 32.0)]


def test_timer_e_doubles_up_to_t2() -> None:
    machine = other()
    waits = [timers(machine.timer("E")) for _ in range(5)]
    assert waits == [[("E", s)] for s in (1.0, 2.0, 4.0, 4.0, 4.0)]


def test_after_a_provisional_response_timer_e_goes_on_at_t2() -> None:
    machine = other()
    assert delivered(machine.receive(answer(100))) == [100]
    effects = machine.timer("E")
    assert (sent(effects), timers(effects)) == ([b"options"], [("E", 4.0)])


def test_a_final_response_is_delivered_once_until_timer_k() -> None:
    machine = other()
    effects = machine.receive(answer(200))
    assert (timers(effects), delivered(effects)) == ([("K", 5.0)], [200])
    assert machine.receive(answer(200)) == ()
    assert machine.timer("E") == ()
    assert machine.timer("K") == (Terminated(),)
    assert other(reliable=True).receive(answer(200))[-1] == Terminated()


def test_a_request_without_response_fails_with_timer_f() -> None:
    assert other().timer("F")[-2:] == (Failed(408), Terminated())
    machine = other()
    machine.receive(answer(100))
    assert machine.timer("F")[-2:] == (Failed(408), Terminated())
    assert other().sending_failed()[-2:] == (Failed(503), Terminated())


EVENTS = st.lists(
    st.one_of(
        st.sampled_from([100, 180, 200, 299, 300, 486, 699]).map(
            lambda status: ("receive", status)
        ),
        st.sampled_from("ABDEFKM").map(lambda name: ("timer", name)),
        st.sampled_from([("cancel", ""), ("sending_failed", "")]),
    ),
    max_size=25,
)


def run(machine: ClientInvite | ClientNonInvite, events: list[tuple[str, object]]) -> list[Effect]:
    effects = list(machine.start())
    for name, argument in events:
        if name == "receive":
            assert isinstance(argument, int)
            effects += machine.receive(answer(argument))
        elif name == "timer":
            effects += machine.timer(str(argument))
        elif name == "sending_failed":
            effects += machine.sending_failed()
        elif isinstance(machine, ClientInvite):
            effects += machine.cancel()
    return effects


def check_end(effects: list[Effect], state: ClientState) -> None:
    """Ended means ended: one Terminated, and nothing behind it."""
    ends = [i for i, effect in enumerate(effects) if isinstance(effect, Terminated)]
    assert ends in ([], [len(effects) - 1])
    assert bool(ends) == (state is ClientState.TERMINATED)
    assert sum(isinstance(effect, Failed) for effect in effects) <= 1


@given(EVENTS, st.booleans())
def test_an_invite_under_any_order_of_events(
    events: list[tuple[str, object]], reliable: bool
) -> None:
    machine = ClientInvite(INVITE, b"invite", reliable)
    effects = run(machine, events)
    check_end(effects, machine.state)
    finals = [status for status in delivered(effects) if status >= 200]
    refusals = [status for status in finals if status >= 300]
    assert len(refusals) <= 1
    assert not refusals or finals == refusals, "a refusal and a 2xx exclude each other"
    assert not (refusals and any(isinstance(e, Failed) for e in effects))
    acks = [data for data in sent(effects) if data.startswith(b"ACK")]
    assert bool(acks) == bool(refusals)
    cancels = [i for i, effect in enumerate(effects) if isinstance(effect, SendCancel)]
    assert len(cancels) <= 1
    if cancels:
        received = [value for kind, value in events if kind == "receive"]
        assert received[0] in (100, 180), "the peer had shown itself"
    assert not reliable or not {"A", "D"} & {name for name, _ in timers(effects)}


@given(EVENTS, st.booleans())
def test_another_request_under_any_order_of_events(
    events: list[tuple[str, object]], reliable: bool
) -> None:
    machine = ClientNonInvite(b"options", reliable)
    effects = run(machine, events)
    check_end(effects, machine.state)
    results = sum(isinstance(e, Failed) for e in effects)
    results += sum(status >= 200 for status in delivered(effects))
    assert results <= 1
    assert (results == 1) == (machine.state in (ClientState.COMPLETED, ClientState.TERMINATED))
    assert not reliable or not {"E", "K"} & {name for name, _ in timers(effects)}


@given(EVENTS, st.booleans())
def test_every_client_machine_ends_when_its_timers_run(
    events: list[tuple[str, object]], reliable: bool
) -> None:
    machines: list[ClientInvite | ClientNonInvite] = [
        ClientInvite(INVITE, b"invite", reliable),
        ClientNonInvite(b"options", reliable),
    ]
    for machine in machines:
        run(machine, events)
        if isinstance(machine, ClientInvite) and machine.state is ClientState.PROCEEDING:
            machine.cancel()  # a call may ring for ever until its user has enough
        for name in "BFMDK":
            machine.timer(name)
        assert machine.state is ClientState.TERMINATED
