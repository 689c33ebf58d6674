"""The search of a user's plan, and its rehearsal, do what the model of the contract does."""

from __future__ import annotations

import heapq
import itertools
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent))

import forwarding_model as model
from forwardkit import MONDAY, OFFICE
from searchkit import PASSAGE, phone

from sipxd.call.effects import Release, Seek, StartTimer, StopTimer, Target
from sipxd.call.forward import Situated, user_plan
from sipxd.call.plan import Leaf, Onward, Passage, Plan
from sipxd.call.rehearsal import DryRun
from sipxd.call.search import LIMIT, RING, BranchState, Exhausted, Outcome, RingBranch, Search, Won
from sipxd.directory.forwarding import Forwarding, Ring, RingType
from sipxd.directory.schedule import Schedule

LIMITED = 60.0
NEVER = Schedule(9, "Never", ())

SECONDS = st.integers(1, 40).map(float)
STATUSES = st.sampled_from([302, 401, 403, 404, 407, 408, 480, 486, 487, 500, 503, 600, 603, 606])
REFUSING = st.builds(model.Refuses, STATUSES, SECONDS)
ENDS: st.SearchStrategy[model.Behaviour] = st.one_of(
    REFUSING, REFUSING, st.just(model.Silent()), st.builds(model.Answers, SECONDS)
)
KINDS = st.sampled_from(["If no response", "At the same time"])
USUALLY = st.sampled_from([True, True, True, False])


def plans(behaviours: st.SearchStrategy[model.Behaviour]) -> st.SearchStrategy[model.Plan]:
    unusual = USUALLY.map(lambda usual: not usual)
    rings = st.builds(model.Ring, KINDS, SECONDS, behaviours, USUALLY, unusual, USUALLY)
    return st.builds(
        model.Plan,
        st.lists(ENDS, max_size=3).map(tuple),
        SECONDS,
        st.lists(rings, max_size=4).map(tuple),
        st.sampled_from([None, 3.0]),
    )


PLANS = plans(st.recursive(ENDS, plans, max_leaves=8))


def untied(plan: model.Plan) -> model.Plan:
    """The same with answers and refusals at times that no sum of others hits."""
    fractions = (2.0 ** -(n % 40 + 1) for n in itertools.count())

    def moved(does: model.Behaviour) -> model.Behaviour:
        match does:
            case model.Answers(after):
                return model.Answers(after + next(fractions))
            case model.Refuses(status, after):
                return model.Refuses(status, after + next(fractions))
            case model.Plan():
                return changed(does, moved)
            case _:
                return does

    return changed(plan, moved)


def silenced(plan: model.Plan) -> model.Plan:
    """The same where nobody answers, and a voicemail box at once."""

    def silent(does: model.Behaviour) -> model.Behaviour:
        return changed(does, silent) if isinstance(does, model.Plan) else model.Silent()

    return changed(plan, silent)


def changed(plan: model.Plan, change: Callable[[model.Behaviour], model.Behaviour]) -> model.Plan:
    rings = [
        model.Ring(r.kind, r.seconds, change(r.behaviour), r.enabled, r.empty, r.active)
        for r in plan.rings
    ]
    return model.Plan([change(does) for does in plan.phones], plan.timer, rings, plan.voicemail)


class House:
    """The users of a plan of the model as sipxd knows them: what their numbers lead to."""

    def __init__(self, plan: model.Plan) -> None:
        self.does: dict[str, model.Behaviour] = {}
        box = None if plan.voicemail is None else phone("voicemail", None)
        if plan.voicemail is not None:
            self.does["voicemail"] = model.Answers(plan.voicemail)
        self.plan = self.of(plan, "", box)

    def of(self, plan: model.Plan, within: str, box: Leaf | None = None) -> Plan:
        """The plan of a user; ``within`` is where it stands."""
        rings = []
        for n, ring in enumerate(plan.rings):
            name = f"{within}ring {n}"
            self.does[name] = ring.behaviour
            number = "" if ring.empty else name
            schedule = OFFICE.id if ring.active else NEVER.id
            kind = RingType(ring.kind)
            rings.append(Ring(number, int(ring.seconds), kind, ring.enabled, schedule))
        own = []
        for n, does in enumerate(plan.phones):
            name = f"{within}phone {n}"
            self.does[name] = does
            own.append((0.7, Target("sip:x@y", user="x", label=name)))
        user = Situated(
            f"user {within}",
            Forwarding(rings=tuple(rings)),
            tuple(own),
            plan.timer,
            MONDAY,
            box,
            {OFFICE.id: OFFICE, NEVER.id: NEVER}.get,
        )
        return user_plan(user, PASSAGE)

    def seek(self, onward: Onward, passage: Passage) -> Plan:
        does = self.does[onward.number]
        if isinstance(does, model.Plan):
            return self.of(does, f"{onward.number}/")
        return Plan(((phone(onward.number, None),),), passage)


class Run:
    """A search on a clock of its own, with phones that do what the model says."""

    def __init__(self, house: House) -> None:
        plan = house.plan
        limited = Plan(plan.stages, plan.passage, plan.whose, last=plan.last, limit=LIMITED)
        self.house = house
        self.search = Search(limited, "")
        self.now = 0.0
        self.begun: dict[str, float] = {}
        self.rung: list[model.Rung] = []
        self.timers: dict[str, float] = {}
        self.queue: list[tuple[float, int, str, str]] = []
        self.order = itertools.count()
        self.outcome: model.Outcome | None = None
        self.carry_out(self.search.start())
        while self.outcome is None:
            self.now, _, kind, name = heapq.heappop(self.queue)
            self.carry_out(self.happens(kind, name))

    def after(self, seconds: float, kind: str, name: str) -> None:
        heapq.heappush(self.queue, (self.now + seconds, next(self.order), kind, name))

    def happens(self, kind: str, name: str) -> list[Outcome]:
        if kind == "timer":
            if self.timers.get(name) != self.now:
                return []
            del self.timers[name]
            if name.startswith(LIMIT):
                return self.search.out_of_time()
            return self.search.expired(name.removeprefix(RING))
        if self.search.state(name) is not BranchState.RINGING:
            return []
        if kind == "answers":
            return self.search.answered(name)
        self.ends(name)
        return self.search.refused(name, int(kind), "No")

    def carry_out(self, outcomes: list[Outcome]) -> None:
        left = deque(outcomes)
        while left:
            match left.popleft():
                case RingBranch(name, target):
                    self.begun[name] = self.now
                    match self.house.does[target.label]:
                        case model.Answers(after):
                            self.after(after, "answers", name)
                        case model.Refuses(status, after):
                            self.after(after, str(status), name)
                        case _:
                            pass
                case Seek(name, onward, passage):
                    left.extend(self.search.found(name, self.house.seek(onward, passage)))
                case StartTimer(name, seconds):
                    self.timers[name] = self.now + seconds
                    self.after(seconds, "timer", name)
                case StopTimer(name):
                    del self.timers[name]
                case Release(name):
                    self.ends(name)
                case Won(name):
                    self.ends(name)
                    target = self.search.target(name)
                    assert target is not None
                    self.outcome = model.Outcome(self.now, 200, target.label, self.rung)
                case Exhausted(status, _):
                    self.outcome = model.Outcome(self.now, status, None, self.rung)
        self.rung.sort()

    def ends(self, name: str) -> None:
        target = self.search.target(name)
        assert target is not None
        self.rung.append(model.Rung(self.begun.pop(name), self.now, target.label))


@settings(max_examples=600, deadline=None, derandomize=True)
@given(PLANS.map(untied))
def test_a_search_rings_whom_the_model_rings_for_as_long_and_ends_alike(plan: model.Plan) -> None:
    assert Run(House(plan)).outcome == model.search(plan, LIMITED)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PLANS.map(silenced))
def test_a_rehearsal_tells_what_the_model_does_when_nobody_answers(plan: model.Plan) -> None:
    house = House(plan)
    run = DryRun(house.plan, house.seek)
    told = sorted((step.begins, step.number) for step in run.steps)
    expected = model.search(plan, float("inf"))
    assert told == sorted((rung.begin, rung.who) for rung in expected.rung)
    ends = {step.number: step.ends for step in run.steps if step.number != "voicemail"}
    assert ends == {rung.who: rung.end for rung in expected.rung if rung.who != "voicemail"}
    status = None if run.refusal is None else run.refusal[0]
    assert status == (None if plan.voicemail is not None else expected.status)
