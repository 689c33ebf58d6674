"""What the search promises whatever happens, in whatever order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent))

from searchkit import PASSAGE, number, own, phone

from sipxd.call.effects import ELSEWHERE, Release, Seek, StartTimer, StopTimer
from sipxd.call.plan import Branch, Plan, Situation, Stage
from sipxd.call.search import (
    LIMIT,
    RING,
    BranchState,
    Exhausted,
    Outcome,
    RingBranch,
    Search,
    Won,
)

ENDS = {BranchState.WON, BranchState.CANCELLED, BranchState.REFUSED}

SECONDS = st.sampled_from([5.0, 20.0, None])
NUMBERS = st.builds(number, st.just("+49"), SECONDS)
BRANCHES: st.SearchStrategy[Branch] = st.one_of(
    NUMBERS,
    NUMBERS,
    st.builds(own, st.just("desk"), SECONDS),
    st.builds(phone, st.just("trunk"), SECONDS),
)
STAGES = st.lists(BRANCHES, max_size=4).map(tuple)
SEQUENCES = st.lists(STAGES, max_size=3).map(tuple)
PLANS = st.builds(
    Plan,
    st.lists(STAGES, min_size=1, max_size=3).map(tuple),
    st.just(PASSAGE),
    whose=st.sampled_from(["", "200", "300", "400"]),
    detours=st.dictionaries(st.sampled_from(Situation), SEQUENCES, max_size=2),
    last=st.lists(BRANCHES, max_size=1).map(tuple),
    limit=st.sampled_from([None, 60.0]),
    parallel=st.integers(2, 6),
    early_media_extends=st.booleans(),
)
PICKS = st.integers(0, 30)
STATUSES = st.sampled_from([302, 401, 404, 408, 480, 486, 503, 600, 603])
REFUSALS = st.tuples(st.sampled_from(["refused", "not found"]), PICKS, STATUSES)
FINDINGS = st.tuples(st.just("found"), PICKS, PLANS)
EXPIRIES = st.tuples(st.sampled_from(["expired", "stale"]), PICKS)
REDIRECTIONS = st.tuples(st.sampled_from(["redirected", "plays"]), PICKS)
ENDINGS = st.tuples(st.sampled_from(["answered", "answered", "out of time", "stop"]), PICKS)
# What goes on is more frequent than what ends it, so that searches grow.
GROWTH = st.one_of(FINDINGS, FINDINGS, FINDINGS, REFUSALS, EXPIRIES, REDIRECTIONS)
STEPS = st.one_of(GROWTH, GROWTH, GROWTH, GROWTH, REFUSALS, ENDINGS)


class Storm:
    """A search in a storm of events, and what has to be true of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.search = Search(plan, "far-")
        self.rung: list[str] = []
        self.sought: list[str] = []
        self.ringing: set[str] = set()
        self.timers: set[str] = set()
        self.whose = {"": plan.whose}
        self.ended: dict[str, BranchState] = {}
        self.ends: list[str] = []
        self.note(self.search.start())

    def step(self, kind: str, pick: int, what: Any = None) -> None:
        """One event, if there is something that it may happen to."""
        search = self.search
        match kind:
            case "answered" if self.rung:
                self.answer(chosen(self.rung, pick))
            case "refused" if self.rung:
                self.note(search.refused(self.end_leg(pick), what, "no"))
            case "redirected" if self.rung:
                contacts = [(1.0, "sip:a@x"), (0.5, "sip:b@x")]
                self.note(search.refused(self.end_leg(pick), 302, "there", contacts))
            case "plays" if self.rung:
                search.progress(chosen(self.rung, pick), plays=True)
            case "found" if self.sought:
                name = chosen(self.sought, pick)
                self.whose.setdefault(name, what.whose)
                self.note(search.found(name, what))
            case "not found" if self.sought:
                self.note(search.not_found(chosen(self.sought, pick), what, "nowhere"))
            case "expired" if self.timers:
                self.expire(chosen(sorted(self.timers), pick))
            case "stale" if silent := [n for n in self.names() if RING + n not in self.timers]:
                assert search.expired(chosen(silent, pick)) == []
            case "out of time" if LIMIT + "far-" not in self.timers:
                self.note(search.out_of_time())
            case "stop":
                self.stop()
            case _:
                return
        self.check()

    def end_leg(self, pick: int) -> str:
        name = chosen(self.rung, pick)
        self.ringing.discard(name)
        return name

    def answer(self, name: str) -> None:
        before, over = self.search.state(name), bool(self.ends)
        out = self.search.answered(name)
        if before is BranchState.WON:
            assert out == []
        elif before is not BranchState.RINGING:
            why = ELSEWHERE if self.search.winner is not None else ()
            assert out == [Release(name, why)], "a late answer is dropped"
        else:
            assert not over
            assert self.search.winner == name
        self.note(out, late=over)

    def expire(self, timer: str) -> None:
        self.timers.remove(timer)
        if timer.startswith(LIMIT):
            self.note(self.search.out_of_time())
        else:
            self.note(self.search.expired(timer.removeprefix(RING)))

    def stop(self) -> None:
        if not self.ends:
            out = self.search.stop()
            self.note(out)
            self.ends.append("stop")
            assert all(isinstance(one, Release | StopTimer) for one in out)
        assert self.search.stop() == []

    def note(self, outcomes: list[Outcome], *, late: bool = False) -> None:
        if self.ends and not late:
            assert outcomes == [], "nothing follows upon the end but the dropping of late answers"
        for outcome in outcomes:
            match outcome:
                case RingBranch(name, _):
                    assert name not in self.rung, "a leg is rung once"
                    self.rung.append(name)
                    self.ringing.add(name)
                    assert len(self.ringing) <= self.plan.parallel
                case Seek(name, _, _):
                    assert name not in self.sought
                    self.sought.append(name)
                case StartTimer(name, _):
                    assert name not in self.timers
                    self.timers.add(name)
                case StopTimer(name):
                    self.timers.remove(name)
                case Release(name):
                    assert name in self.rung
                    self.ringing.discard(name)
                case Won(name):
                    self.ringing.remove(name)
                    self.ends.append("won")
                case Exhausted(status, _):
                    assert status not in (302, 401)
                    self.ends.append("exhausted")
                case _:
                    raise AssertionError(outcome)

    def names(self) -> list[str]:
        return [*self.rung, *self.sought]

    def check(self) -> None:
        search = self.search
        assert len(self.ends) <= 1
        states = {name: search.state(name) for name in self.names()}
        for name, state in self.ended.items():
            assert states[name] is state, "an end is final"
        self.ended = {name: state for name, state in states.items() if state in ENDS}
        won = [name for name, state in states.items() if state is BranchState.WON]
        assert won == ([] if search.winner is None else [search.winner])
        ringing = {name for name, state in states.items() if state is BranchState.RINGING}
        assert ringing == self.ringing
        assert set(search.legs) == set(self.rung)
        under_way = [name for name, state in states.items() if state is BranchState.SEARCHING]
        if not self.ends:
            under_way.append("")
        whose = [user for name in under_way if (user := self.whose.get(name))]
        assert len(whose) == len(set(whose)), "nobody is rung twice at the same time"
        if self.ends:
            assert self.timers == self.ringing == set()
            assert set(states.values()) <= ENDS
        else:
            assert any(state not in ENDS for state in states.values()), "something goes on"


def chosen(names: list[str], pick: int) -> str:
    """One of them; more often a late one."""
    return names[-1 - pick % len(names)]


@settings(max_examples=600, deadline=None, derandomize=True)
@given(PLANS, st.lists(STEPS, min_size=5, max_size=30))
def test_whatever_happens_a_search_keeps_its_promises(plan: Plan, steps: list[Any]) -> None:
    storm = Storm(plan)
    storm.check()
    for step in steps:
        storm.step(*step)
    storm.stop()
    storm.check()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PLANS, st.lists(GROWTH, max_size=20))
def test_a_search_ends_by_itself_once_all_timers_have_run_out(plan: Plan, steps: list[Any]) -> None:
    stages = with_time(plan.stages)
    storm = Storm(attrs.evolve(plan, stages=stages, last=(), detours={}, early_media_extends=False))
    for step in steps:
        storm.step(*step)
    while storm.timers and not storm.ends:
        storm.step("expired", 0)
    assert storm.ends == ["exhausted"]


def with_time(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages, every branch with a time."""
    return tuple(tuple(attrs.evolve(branch, seconds=5.0) for branch in stage) for stage in stages)
