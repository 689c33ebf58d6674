"""``sipxd forward``: what it shows of a user's settings, and of a rehearsal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from sipxd.call.rehearsal import Finding, Rehearsal, Step
from sipxd.directory.forwarding import Action, Forwarding, Ring, RingType, Rule, When
from sipxd.directory.schedule import Period, Schedule
from sipxd.service.commands import plain

Sipxd = Callable[..., Result]


def shown(forwarding: Forwarding) -> list[dict[str, Any]]:
    schedule = Schedule(7, "Office", (Period(-1, 480, 1020),), user_id=1)
    known = {
        "user": "200",
        "forwarding": plain(forwarding),
        "default_timer": 30,
        "voicemail": True,
        "schedules": [plain(schedule)],
    }
    return [{"result": known}]


def test_a_call_sequence_is_shown_in_its_order(sipxd: Sipxd, stand_in: Any) -> None:
    rings = (
        Ring("201", 10, schedule=7),
        Ring("0171", 20, RingType.AT_THE_SAME_TIME, enabled=False),
        Ring(""),
    )
    stand_in.answers["forward.show"] = shown(Forwarding(rings=rings))
    lines = [line.split() for line in sipxd("forward", "show", "200").output.splitlines()]
    assert lines == [
        ["Call", "sequence", "Number", "Seconds", "When"],
        ["First", "the", "phones", "of", "200", "30"],
        ["If", "no", "response", "201", "10", "schedule", "Office"],
        ["At", "the", "same", "time", "0171", "20", "never:", "it", "is", "switched", "off"],
        ["If", "no", "response", "(none)", "30"],
        ["In", "the", "end", "voicemail"],
    ]
    assert stand_in.asked[-1]["arguments"] == {"name": "200"}


def test_rules_and_do_not_disturb_are_shown_before_it(sipxd: Sipxd, stand_in: Any) -> None:
    rules = (
        Rule(When.BUSY, "internal", number="202", seconds=9, only_on_holidays="DE-BY"),
        Rule(action=Action.REJECT, enabled=False),
    )
    settings = Forwarding(timer=12, rules=rules, do_not_disturb=True)
    stand_in.answers["forward.show"] = shown(settings)
    lines = sipxd("forward", "show", "200").output.splitlines()
    assert lines[0] == "Do not disturb."
    assert lines[2].split() == ["Rule", "Caller", "What", "When"]
    assert lines[3].split(maxsplit=2)[:2] == ["busy", "internal"]
    assert lines[3].rstrip().endswith("forward to 202 for 9 s  on holidays of DE-BY")
    assert lines[4].split() == [
        "always",
        "everyone",
        "reject",
        "never:",
        "it",
        "is",
        "switched",
        "off",
    ]
    assert lines[7].split()[-1] == "12"


def test_a_rehearsal_is_a_small_timeline(sipxd: Sipxd, stand_in: Any) -> None:
    steps = (
        Step(0, 20, "200", "200", kind="phone", note="Yealink [T46S]"),
        Step(20, 30, "201", "201", ("200",), 1, "phone"),
        Step(30, None, "200", "voicemail of 200", (), 2, "voicemail"),
    )
    finding = Finding("dead-step", "rings[2].number", "It has no number to ring.")
    told = Rehearsal(1_700_000_000.0, "0171", steps, "A voicemail box answers.", (finding,))
    stand_in.answers["forward.rehearse"] = [{"result": plain(told)}]
    at = "2023-11-14T22:13:20+00:00"
    lines = sipxd("forward", "rehearse", "200", "--from", "0171", "--at", at).output.splitlines()
    assert stand_in.asked[-1]["arguments"] == {
        "name": "200",
        "caller": "0171",
        "at": 1_700_000_000.0,
    }
    assert lines[0].startswith("A call for 200 from 0171, 2023-11-1")
    assert lines[3].split() == ["0", "to", "20", "phone", "of", "200", "200", "━" * 20, "Yealink", "[T46S]"]  # fmt: skip  # noqa: E501
    assert "200 → 201" in lines[4] and "━" * 10 in lines[4] and "━" * 11 not in lines[4]
    assert lines[4].index("━") == lines[3].index("━") + 20
    assert "voicemail of 200" in lines[5] and "▶" in lines[5]
    assert lines[7:] == ["A voicemail box answers.", "! rings[2].number: It has no number to ring."]


def test_a_time_that_is_none_is_one_sentence(sipxd: Sipxd, stand_in: Any) -> None:
    done = sipxd("forward", "rehearse", "200", "--at", "tomorrow")
    assert done.exit_code == 1 and done.stderr.startswith("sipxd: --at is a time as 2026-")
    assert stand_in.asked == []


@pytest.mark.parametrize("command", ["show", "rehearse"])
def test_without_a_daemon_it_is_one_sentence(
    sipxd: Sipxd, initialised: object, command: str
) -> None:
    done = sipxd("forward", command, "200")
    assert done.exit_code == 1 and "no sipxd is running" in done.stderr
