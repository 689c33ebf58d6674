"""The timer queue: order, exactness, cancelling, lingers, one pending call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from sipxd.net.timers import Timer, TimerQueue


def test_timers_fire_in_the_order_of_their_times() -> None:
    clock, fired = Clock(), []
    queue = TimerQueue(clock)
    for seconds in (3.0, 1.0, 2.0, 1.0):
        queue.schedule(seconds, fired.append, seconds)
    clock.advance(0.999)
    assert fired == []
    clock.advance(0.001)
    assert fired == [1.0, 1.0]
    clock.advance(5)
    assert fired == [1.0, 1.0, 2.0, 3.0]
    assert len(queue) == 0


def test_a_cancelled_timer_does_not_fire_and_holds_nothing() -> None:
    clock, fired = Clock(), []
    queue = TimerQueue(clock)
    timer = queue.schedule(1.0, fired.append, 1)
    assert timer.active
    timer.cancel()
    timer.cancel()
    assert not timer.active
    assert timer._arguments == ()
    assert len(queue) == 0
    clock.advance(2)
    assert fired == []


def test_a_timer_that_has_fired_may_be_cancelled() -> None:
    clock = Clock()
    queue = TimerQueue(clock)
    timer = queue.schedule(1.0, lambda: None)
    clock.advance(1)
    timer.cancel()
    assert len(queue) == 0


def test_one_call_of_the_reactor_is_pending_however_many_timers_run() -> None:
    clock = Clock()
    queue = TimerQueue(clock)
    for index in range(500):
        queue.schedule(10 - index / 100, lambda: None)
        queue.linger(32.0, lambda: None)
        queue.linger(5.0, lambda: None)
    assert len(clock.getDelayedCalls()) == 1
    assert len(queue) == 1500
    clock.advance(6)
    assert len(clock.getDelayedCalls()) == 1


def test_cancelled_timers_do_not_pile_up() -> None:
    queue = TimerQueue(Clock())
    kept = queue.schedule(50.0, lambda: None)
    for _ in range(10_000):
        queue.schedule(32.0, lambda: None).cancel()
    assert len(queue) == 1
    assert len(queue._heap) < 2000
    assert kept.active


def test_a_callback_may_start_and_cancel_timers() -> None:
    clock, fired = Clock(), []
    queue = TimerQueue(clock)
    timers: list[Timer] = []

    def first() -> None:
        timers[0].cancel()
        queue.schedule(0.0, fired.append, "at once")
        queue.schedule(1.0, fired.append, "later")
        queue.linger(1.0, fired.append, "lingered")

    queue.schedule(1.0, first)
    timers.append(queue.schedule(1.0, fired.append, "cancelled"))
    clock.advance(1.0)
    assert fired == ["at once"]
    clock.advance(1.0)
    assert fired == ["at once", "later", "lingered"]


def test_lingers_fire_at_their_time_and_never_more_than_50_ms_early() -> None:
    clock, fired = Clock(), []
    queue = TimerQueue(clock)
    queue.linger(32.0, fired.append, "a")
    clock.advance(0.04)
    queue.linger(32.0, fired.append, "with a")
    clock.advance(0.04)
    queue.linger(32.0, fired.append, "later")
    clock.advance(31.91)
    assert fired == []
    clock.advance(0.01)
    assert fired == ["a", "with a"]
    clock.advance(0.08)
    assert fired == ["a", "with a", "later"]


def test_times_that_are_no_binary_fractions_neither_spin_nor_wait() -> None:
    clock, fired = Clock(), []
    queue = TimerQueue(clock)
    clock.advance(0.1)
    for index in range(1, 200):
        queue.schedule(index * 0.1, fired.append, index)
    for _ in range(200):
        clock.advance(0.1)
    assert fired == list(range(1, 200))


@pytest.mark.parametrize("start", ["schedule", "linger"])
def test_a_callback_that_raises_is_logged_and_harms_no_other(start: str) -> None:
    clock, fired = Clock(), []
    events: list[LogEvent] = []
    queue = TimerQueue(clock)
    begin = getattr(queue, start)
    begin(1.0, lambda: 1 // 0)
    begin(1.0, fired.append, "next")
    globalLogPublisher.addObserver(events.append)
    try:
        clock.advance(1.0)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert fired == ["next"]
    assert [e["log_failure"].type for e in events if "log_failure" in e] == [ZeroDivisionError]


def test_a_stopped_queue_calls_nothing() -> None:
    clock, fired = Clock(), []
    queue = TimerQueue(clock)
    queue.schedule(1.0, fired.append, 1)
    queue.linger(1.0, fired.append, 1)
    queue.stop()
    clock.advance(5)
    assert fired == []
    assert clock.getDelayedCalls() == []


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(["timer", "linger", "cancel", "advance"])),
        max_size=40,
    )
)
def test_every_timer_fires_once_at_its_time_unless_cancelled(steps: list[tuple[int, str]]) -> None:
    clock = Clock()
    queue = TimerQueue(clock)
    running: dict[int, tuple[float, Timer | None]] = {}
    fired: list[tuple[int, float]] = []

    def fire(number: int) -> None:
        fired.append((number, clock.seconds()))

    due: dict[int, float] = {}
    for number, (ticks, step) in enumerate(steps):
        if step == "timer":
            running[number] = (clock.seconds(), queue.schedule(float(ticks), fire, number))
            due[number] = clock.seconds() + ticks
        elif step == "linger":
            queue.linger(float(ticks), fire, number)
            due[number] = clock.seconds() + ticks
        elif step == "advance":
            for _ in range(ticks):
                clock.advance(1.0)
        else:
            timer = running.pop(ticks, (0.0, None))[1]
            if timer is not None:
                if timer.active:
                    del due[ticks]
                timer.cancel()
    for _ in range(41):
        clock.advance(1.0)
    assert sorted(number for number, _ in fired) == sorted(due)
    # A delay of nothing waits for the clock's next step.
    assert all(when - due[number] in (0.0, 1.0) for number, when in fired)
    assert len(queue) == 0
