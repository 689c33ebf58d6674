"""``sipxd call`` and ``sipxd calls``: what they ask the daemon, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from sipxd.cli.calls import SHOWN, _forget

Sipxd = Callable[..., Result]


def record(state: str, call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {
        "id": call_id, "kind": "click-to-call", "user": "200", "number": "201", "state": state,
        "started": 1_700_000_000.0, "answered": None, "bridged": None, "ended": None, "cause": None,
        "media_mismatch": False, "ringing": [], "reached": "", **more,
    }  # fmt: skip


def ended(sentence: str) -> dict[str, Any]:
    cause = {"who": "callee", "leg": "callee", "code": 486, "sentence": sentence}
    return record("ended", ended=1_700_000_075.0, cause=cause)


def test_a_call_is_followed_until_it_is_bridged(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["call"] = [{"result": record("ringing-caller")}]
    states = ("ringing-caller", "ringing-callee", "ringing-callee", "bridged", "ended")
    stand_in.answers["calls.watch"] = [{"event": record(state)} for state in states]
    done = sipxd("call", "200", "201")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "call c1: 200 to 201",
        "the caller's phone rings",
        "the caller is there; the destination rings",
        "connected",
    ]
    assert stand_in.asked == [
        {"command": "call", "arguments": {"user": "200", "number": "201"}},
        {"command": "calls.watch", "arguments": {"call": "c1"}},
    ]


def test_a_call_that_fails_says_why_and_ends_with_status_1(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["call"] = [{"result": record("ringing-caller")}]
    stand_in.answers["calls.watch"] = [{"event": ended("201 is busy")}]
    done = sipxd("call", "200", "201")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == "ended: 201 is busy"


def test_a_call_that_is_refused_is_one_sentence(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["call"] = [{"error": {"kind": "not-found", "detail": "200 has no phone"}}]
    done = sipxd("call", "200", "201")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "sipxd: 200 has no phone\n")


def test_calls_are_listed_with_talking_time_and_cause(sipxd: Sipxd, stand_in: Any) -> None:
    finished = ended("the callee hung up") | {"bridged": 1_700_000_010.0}
    stand_in.answers["calls"] = [{"result": [record("ringing-callee", "c2"), finished]}]
    lines = sipxd("calls").output.splitlines()
    assert lines[0].split() == ["Started", "Call", "User", "Number", "Talk", "State"]
    assert "c2" in lines[1]
    assert "the destination rings" in lines[1]
    assert "1:05" in lines[2]
    assert lines[2].rstrip().endswith("ended: the callee hung up")


def test_watching_into_a_pipe_gives_a_line_for_each_change(sipxd: Sipxd, stand_in: Any) -> None:
    stand_in.answers["calls"] = [{"result": []}]
    events = [{"event": record("bridged")}, {"event": ended("over")}, {"result": None}]
    stand_in.answers["calls.watch"] = events
    first, second = sipxd("calls", "--watch").output.splitlines()
    assert first.endswith(" c1 200 to 201: connected")
    assert second.endswith(" c1 200 to 201: ended: over")


def test_a_cascade_is_shown_with_whom_it_rings_and_who_answered(
    sipxd: Sipxd, stand_in: Any
) -> None:
    states = [
        record("ringing-callee", ringing=["201"]),
        record("ringing-callee", ringing=["202", "0171"]),
        record("bridged", reached="0171"),
        record("bridged", reached="201"),
    ]
    stand_in.answers["calls"] = [{"result": []}]
    stand_in.answers["calls.watch"] = [*({"event": state} for state in states), {"result": None}]
    lines = sipxd("calls", "--watch").output.splitlines()
    assert [line.partition(" to 201: ")[2] for line in lines] == [
        "the caller is there; 201 rings",
        "the caller is there; 202, 0171 ring",
        "connected with 0171",
        "connected",
    ]


@pytest.mark.parametrize("arguments", [("call", "200", "201"), ("calls",), ("calls", "--watch")])
def test_without_a_daemon_it_is_one_sentence(
    sipxd: Sipxd, initialised: object, arguments: tuple[str, ...]
) -> None:
    done = sipxd(*arguments)
    assert done.exit_code == 1
    (sentence,) = done.stderr.splitlines()
    assert "no sipxd is running" in sentence
    assert "systemctl start sipxd" in sentence


def test_a_watcher_remembers_every_call_under_way_and_few_others() -> None:
    known = {f"e{n}": record("ended", f"e{n}") for n in range(SHOWN)}
    known |= {f"l{n}": record("bridged", f"l{n}") for n in range(5)}
    _forget(known)
    assert list(known) == [*(f"e{n}" for n in range(5, SHOWN)), *(f"l{n}" for n in range(5))]
