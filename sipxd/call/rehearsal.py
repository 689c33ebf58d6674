"""A call that nobody answers, gone through without ringing anybody: who would ring when.

The search that rings in earnest (`sipxd.call.search`) is fed from a clock of its own: every phone
rings for its whole time, and a voicemail box answers at once.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import attrs

from sipxd.call.effects import Release, Seek, StartTimer, StopTimer, Target
from sipxd.call.plan import Leaf, Nowhere, Onward, Passage, Plan
from sipxd.call.search import LIMIT, RING, Exhausted, Outcome, RingBranch, Search

StepKind = Literal["phone", "number", "voicemail"]
FindingKind = Literal["circle", "dead-step", "no-voicemail", "forbidden", "no-route", "no-phone"]


@attrs.frozen
class Step:
    """One thing that rings, at most from ``begins`` to ``ends``: seconds from the call's start."""

    begins: float
    ends: float | None
    """None: for as long as the caller waits."""
    whom: str
    """The user or group on whose behalf it rings."""
    number: str
    via: tuple[str, ...] = ()
    """Those who sent the call on, the one who was called first."""
    stage: int = 0
    """Steps of one stage begin at the same time."""
    kind: StepKind = "number"
    note: str = ""
    """What is special about it, else the make of the phone."""


@attrs.frozen
class Finding:
    """Something that will not do what the user may expect."""

    kind: FindingKind
    where: str
    """The setting, as in ``rings[2].number``; empty: no single one."""
    sentence: str


@attrs.frozen
class Rehearsal:
    """What would become of a call from ``caller`` at ``at`` (seconds since the epoch)."""

    at: float
    caller: str
    """Empty: an unknown one."""
    steps: tuple[Step, ...]
    answer: str
    """A sentence: what the caller gets when nobody answers."""
    findings: tuple[Finding, ...] = ()


@attrs.define(eq=False)
class Lookup:
    """A number that was looked up when its turn came, and what that gave."""

    onward: Onward
    found: Plan | Nowhere
    around: tuple[str, ...]
    """The users and groups in whose plans it stands, the outermost first."""
    rang: bool = False
    """Whether anything has rung on account of it."""


class DryRun:
    """The run of ``plan``; ``seek`` tells where a number leads."""

    def __init__(self, plan: Plan, seek: Callable[[Onward, Passage], Plan | Nowhere]) -> None:
        self.steps: list[Step] = []
        self.lookups: list[Lookup] = []
        self.refusal: tuple[int, str] | None = None
        """What the caller is told in the end; None: a voicemail box answers."""
        self.seconds = 0.0
        """How long it has taken."""
        self._seek = seek
        self._search = Search(plan, "")
        self._plans = {"": plan}
        """What is worked off inside of which branch."""
        self._looked_up: dict[str, Lookup] = {}
        self._ringing: dict[str, int] = {}
        """What rings, as the index of its step."""
        self._timers: dict[str, tuple[float, int]] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._count = itertools.count()
        self._limited = False
        """Whether the time for all together is over."""
        self._over = False
        self._run()

    def _run(self) -> None:
        self._carry_out(self._search.start())
        while self._queue and not self._over:
            due = heapq.heappop(self._queue)
            at, number, name = due
            if self._timers.get(name) != (at, number):
                continue
            del self._timers[name]
            self.seconds = at
            if name.startswith(LIMIT):
                self._limited = True
                self._carry_out(self._search.out_of_time())
            else:
                branch = name.removeprefix(RING)
                self._carry_out(self._search.expired(branch))
        begins = sorted({step.begins for step in self.steps})
        for index, step in enumerate(self.steps):
            self._note(index, stage=begins.index(step.begins))

    def _carry_out(self, outcomes: list[Outcome]) -> None:
        left = deque(outcomes)
        while left and not self._over:
            match left.popleft():
                case RingBranch(branch, target):
                    self._ring(branch, target)
                case Seek(branch, onward, passage):
                    left.extend(self._look_up(branch, onward, passage))
                case StartTimer(name, seconds):
                    self._timers[name] = self.seconds + seconds, next(self._count)
                    heapq.heappush(self._queue, (*self._timers[name], name))
                case StopTimer(name):
                    due, _ = self._timers.pop(name)
                    self._cut_short(name.removeprefix(RING), due - self.seconds)
                case Release(branch):
                    self._note(self._ringing.pop(branch), ends=self.seconds)
                case Exhausted(status, reason):
                    self.refusal = status, reason
                    self._over = True

    def _ring(self, branch: str, target: Target) -> None:
        for name in _above(branch):
            if name in self._looked_up:
                self._looked_up[name].rang = True
        plan = self._plans[_above(branch)[-1]]
        via = () if plan.passage is None else tuple(one.by for one in plan.passage.diverted)
        whom = plan.whose
        if not whom and via:
            *sent, whom = via
            via = tuple(sent)
        voicemail = any(isinstance(last, Leaf) and last.target == target for last in plan.last)
        kind: StepKind = "voicemail" if voicemail else "phone" if target.user else "number"
        self._ringing[branch] = len(self.steps)
        step = Step(self.seconds, None, whom, target.label, via, 0, kind, target.user_agent)
        self.steps.append(step)
        self._over = voicemail

    def _cut_short(self, branch: str, seconds: float) -> None:
        index = self._ringing.get(branch)
        if self._limited and index is not None and seconds > 0:
            self._note(index, note="Cut short: the time for all together is over.")

    def _note(self, index: int, **changes: Any) -> None:
        self.steps[index] = attrs.evolve(self.steps[index], **changes)

    def _look_up(self, branch: str, onward: Onward, passage: Passage) -> list[Outcome]:
        found = self._seek(onward, passage)
        whose = (self._plans[name].whose for name in _above(branch))
        lookup = Lookup(onward, found, tuple(filter(None, whose)))
        self.lookups.append(lookup)
        self._looked_up[branch] = lookup
        if isinstance(found, Plan):
            self._plans[branch] = found
            return self._search.found(branch, found)
        return self._search.not_found(branch, found.status, found.reason)


def _above(branch: str) -> list[str]:
    """The branches that ``branch`` runs inside of, the outermost first; "" is the whole search."""
    parts = branch.split(".")
    return ["", *(".".join(parts[:count]) for count in range(1, len(parts)))]
