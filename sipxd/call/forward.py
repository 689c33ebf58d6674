"""From what a user wants done with his calls to the plan of one call (contract sections 9.2, 9.10).

Pure: settings, telephones and the moment in, a `Plan` out.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator, Sequence

import attrs

from sipxd.call.effects import Target
from sipxd.call.numbers import clean_number
from sipxd.call.plan import (
    Branch,
    Leaf,
    Onward,
    Passage,
    Plan,
    Reason,
    Situation,
    Stage,
)
from sipxd.call.policy import OUTSIDE
from sipxd.directory.call_group import CallGroup
from sipxd.directory.forwarding import (
    ANONYMOUS,
    EVERYONE,
    INTERNAL,
    Action,
    Forwarding,
    Ring,
    RingType,
    Rule,
    When,
)
from sipxd.directory.schedule import Schedule
from sipxd.errors import BadInput

SAME_Q = 1e-5
"""Contacts whose q values differ by no more are tried together."""
MAXIMUM_RINGS = 200
"""Rings in a plan: a search has no more branches, and plans are made while calls wait."""
RINGS_SPAN = 0.2
"""The rings of a sequence have q values from 1 down to 0.8."""

_SITUATIONS = {
    When.BUSY: (Situation.BUSY, Reason.BUSY),
    When.NO_ANSWER: (Situation.NO_ANSWER, Reason.NO_ANSWER),
    When.NOT_REGISTERED: (Situation.NOT_REGISTERED, Reason.UNAVAILABLE),
}


@attrs.frozen
class Moment:
    """A point in time on the wall of a user's time zone."""

    seconds: float
    """Since the epoch."""
    date: datetime.date
    minute: int
    """Since midnight."""

    @classmethod
    def of(cls, seconds: float, zone: datetime.tzinfo | None) -> Moment:
        """``seconds`` since the epoch, in ``zone``; None: in that of the machine."""
        local = datetime.datetime.fromtimestamp(seconds, zone)
        return cls(seconds, local.date(), local.hour * 60 + local.minute)

    @property
    def day(self) -> int:
        """The day of the week, 1 Sunday to 7 Saturday."""
        return self.date.isoweekday() % 7 + 1


@attrs.frozen
class Situated:
    """A user at the moment when he is called."""

    name: str
    forwarding: Forwarding
    own: tuple[tuple[float, Target], ...]
    """His phones, each with the q value that it registered with."""
    timer: float
    """Seconds that they ring."""
    moment: Moment
    voicemail: Leaf | None = None
    schedule: Callable[[int], Schedule | None] = lambda schedule_id: None
    is_holiday: Callable[[str, datetime.date], bool] = lambda place, day: False

    def holds(self, schedule_id: int | None) -> bool:
        """Whether the schedule holds now; one that is gone always does."""
        schedule = None if schedule_id is None else self.schedule(schedule_id)
        return schedule is None or schedule.holds(self.moment.day, self.moment.minute)

    def rule(self, when: When, passage: Passage) -> Rule | None:
        """The first rule for the situation ``when`` that holds now for the caller."""
        for rule in self.forwarding.rules:
            if rule.when is when and self._applies(rule) and is_about(rule.caller, passage):
                return rule
        return None

    def _applies(self, rule: Rule) -> bool:
        if not rule.enabled or (rule.until is not None and rule.until <= self.moment.seconds):
            return False
        only, never, day = rule.only_on_holidays, rule.not_on_holidays, self.moment.date
        if only and not self.is_holiday(only, day):
            return False
        if never and self.is_holiday(never, day):
            return False
        return self.holds(rule.schedule)


def is_about(caller: str, passage: Passage) -> bool:
    """Whether the caller that a rule names is the one who calls.

    Who hides his number is not known by it.
    """
    unknown = passage.private or passage.caller.name == ANONYMOUS
    if caller == EVERYONE:
        return True
    if caller == INTERNAL:
        return passage.caller.id != OUTSIDE
    if caller == ANONYMOUS:
        return unknown
    if unknown:
        return False
    wanted = _number(caller)
    user = passage.caller
    return any(_number(name) == wanted for name in (user.name, *user.aliases))


def _number(text: str) -> str:
    """A number to compare with: +49 and 0049 are the same."""
    try:
        number = str(clean_number(text))
    except BadInput:
        return text
    return f"+{number[2:]}" if number.startswith("00") else number


# -- a user ----------------------------------------------------------------------------------------


def user_plan(user: Situated, passage: Passage, *, follow: bool = True) -> Plan:
    """Whom a call for ``user`` rings.

    Without ``follow`` he sends it nowhere but to voicemail: his phones ring, unless he rejects the
    caller or does not want to be disturbed.
    """
    plan = Plan((), passage, user.name, last=() if user.voicemail is None else (user.voicemail,))
    always = user.rule(When.ALWAYS, passage)
    if always is not None and (follow or always.action is Action.REJECT):
        return _decided(plan, always, Reason.UNCONDITIONAL)
    if user.forwarding.is_undisturbed(user.moment.seconds):
        busy = user.rule(When.BUSY, passage) if follow else None
        if busy is not None:
            return _decided(plan, busy, Reason.DO_NOT_DISTURB)
        return attrs.evolve(plan, refusal=(486, "Do Not Disturb"))
    if not follow:
        phones = tuple(Leaf(target, user.timer, own=True) for _, target in user.own)
        return attrs.evolve(plan, stages=(phones,) if phones else ())
    detours = {}
    for when, (situation, reason) in _SITUATIONS.items():
        rule = user.rule(when, passage)
        if rule is not None:
            detours[situation] = _decided(plan, rule, reason).stages
    return attrs.evolve(plan, stages=_stages(user), detours=detours)


def _decided(plan: Plan, rule: Rule, reason: Reason) -> Plan:
    """``plan`` as a rule wants it."""
    match rule.action:
        case Action.FORWARD:
            onward = Onward(rule.number, float(rule.seconds), plan.whose, reason)
            return attrs.evolve(plan, stages=((onward,),))
        case Action.VOICEMAIL:
            return attrs.evolve(plan, refusal=(480, "No voicemail"))
        case Action.REJECT:
            anonymous = (433, "Anonymity Disallowed")
            refusal = anonymous if rule.caller == ANONYMOUS else (603, "Decline")
            return attrs.evolve(plan, last=(), refusal=refusal)


def _stages(user: Situated) -> tuple[Stage, ...]:
    """The stages of contract 9.2: candidates by their q values, the highest first.

    The first one is that of his phones, even where he has none.  What phones say of q among
    themselves counts, not how high they say it: the best ones are 1.
    """
    best = max((q for q, _ in user.own), default=0.0)
    candidates: list[tuple[float, Branch]] = [
        (q / best if best else 1.0, Leaf(target, user.timer, own=True)) for q, target in user.own
    ]
    rings = with_q(user.forwarding.rings, extra=1)
    holding = ((q, ring) for q, ring in rings if user.holds(ring.schedule))
    for q, ring in itertools.islice(holding, MAXIMUM_RINGS):
        delayed = ring.type is RingType.IF_NO_RESPONSE
        reason = Reason.NO_ANSWER if delayed else Reason.UNCONDITIONAL
        onward = Onward(ring.number, float(ring.seconds), user.name, reason)
        candidates.append((q, onward))
    stages = grouped(candidates)
    # Whoever has no phone is in a situation, too, before the first delayed ring is tried.
    return stages if any(q == 1.0 for q, _ in candidates) else ((), *stages)


def with_q(rings: Sequence[Ring], *, extra: int) -> Iterator[tuple[float, Ring]]:
    """The rings that are enabled and have a number, each with its q value (contract 9.2).

    ``extra``: by how much the divisor of the step exceeds the number of all rings.
    """
    step = RINGS_SPAN / (len(rings) + extra)
    q = 1.0
    for ring in rings:
        if ring.enabled and ring.number:
            if ring.type is RingType.IF_NO_RESPONSE:
                q -= step
            yield q, ring


def grouped(candidates: Sequence[tuple[float, Branch]]) -> tuple[Stage, ...]:
    """Candidates with the same q value at the same time, the highest first."""
    ordered = sorted(candidates, key=lambda candidate: -candidate[0])
    stages: list[list[Branch]] = []
    level = 2.0
    for q, branch in ordered:
        if level - q > SAME_Q:
            level = q
            stages.append([])
        stages[-1].append(branch)
    return tuple(tuple(stage) for stage in stages)


def total_seconds(forwarding: Forwarding, timer: float) -> float:
    """How long a user's phones and rings take in the end (contract 9.9)."""
    stages = itertools.groupby(with_q(forwarding.rings, extra=1), key=lambda found: found[0])
    longest = [max(ring.seconds for _, ring in stage) for _, stage in stages]
    leading = next(with_q(forwarding.rings, extra=1), None)
    if leading is not None and leading[0] == 1.0:
        return max(timer, longest[0]) + sum(longest[1:])
    return timer + sum(longest)


# -- a hunt group ----------------------------------------------------------------------------------


def group_plan(group: CallGroup, passage: Passage, total: Callable[[str], float | None]) -> Plan:
    """Whom a call for ``group`` rings.

    ``total`` tells how long a member takes whose own forwarding is followed, None: no such user.
    """
    as_rings = [Ring(member.user, member.seconds, member.type) for member in group.members]
    candidates: list[tuple[float, Branch]] = []
    for q, ring in with_q(as_rings, extra=2):
        seconds = (total(ring.number) if group.follow else None) or ring.seconds
        candidates.append((q, _to_member(group, ring.number, seconds)))
    plan = Plan(grouped(candidates), passage, group.extension)
    if group.voicemail_fallback and group.members:
        last = group.members[-1]
        box = attrs.evolve(_to_member(group, last.user, last.seconds), voicemail=True)
        return attrs.evolve(plan, last=(box,))
    if group.fallback:
        seconds = float(group.fallback_seconds)
        onward = Onward(group.fallback, seconds, group.extension, Reason.NO_ANSWER)
        return attrs.evolve(plan, stages=(*plan.stages, (onward,)))
    return plan


def _to_member(group: CallGroup, user: str, seconds: float) -> Onward:
    return Onward(user, float(seconds), group.extension, follow=group.follow)
