"""Plans and searches for the tests: targets by their labels, and what became of them in short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sipxd.call.effects import Release, Seek, StartTimer, StopTimer, Target
from sipxd.call.plan import Branch, Leaf, Onward, Passage, Plan
from sipxd.call.search import RING, Exhausted, Outcome, RingBranch, Search, Won
from sipxd.directory.user import User

CALLER = User(1, "100")
PASSAGE = Passage(CALLER, "100")


def phone(label: str, seconds: float | None = 20, *, own: bool = False, user: str = "") -> Leaf:
    return Leaf(Target(f"sip:{label}@x.example", user=user, label=label), seconds, own)


def own(label: str, seconds: float | None = 20) -> Leaf:
    """One of the called user's phones."""
    return phone(label, seconds, own=True, user="200")


def number(text: str, seconds: float | None = 30) -> Onward:
    return Onward(text, seconds, "200")


def plan(*stages: Sequence[Branch], **rest: Any) -> Plan:
    return Plan(tuple(map(tuple, stages)), PASSAGE, **rest)


def started(*stages: Sequence[Branch], **rest: Any) -> Search:
    """A search by that plan whose first stage has begun; legs are called 1, 2 ..."""
    search = Search(plan(*stages, **rest), "")
    search.start()
    return search


def steps(outcomes: Sequence[Outcome]) -> list[str]:
    """The outcomes in short: ``ring 1 desk``, ``seek 2 +49``, ``drop 1``, ``404`` ..."""
    return [text for text in map(_step, outcomes) if text]


def _step(outcome: Outcome) -> str:
    match outcome:
        case RingBranch(branch, target):
            return f"ring {branch} {target.label}"
        case Seek(branch, onward, _):
            return f"seek {branch} {onward.number}"
        case Release(branch, headers):
            return f"drop {branch}, answered elsewhere" if headers else f"drop {branch}"
        case Won(branch):
            return f"won {branch}"
        case Exhausted(status, _):
            return str(status)
        case StartTimer() | StopTimer():
            return ""
        case _:
            raise AssertionError(outcome)


def timers(outcomes: Sequence[Outcome]) -> list[str]:
    """The timers that are started and stopped: ``+1 20``, ``-1``, ``+limit: 180``."""
    found = []
    for outcome in outcomes:
        match outcome:
            case StartTimer(name, seconds):
                found.append(f"+{name.removeprefix(RING)} {seconds:g}")
            case StopTimer(name):
                found.append(f"-{name.removeprefix(RING)}")
            case _:
                pass
    return found
