"""Who is rung when, and how the call ends: section 9 of the contract, told a second time.

Times are seconds since the call's beginning.  Where two things would happen at exactly the same
time, a timer comes first, then what stands earlier in the plan; tests should avoid such ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Answers(NamedTuple):
    """Answers after some seconds, if it is still rung then."""

    after: float


class Refuses(NamedTuple):
    """Refuses after some seconds, if it is still rung then."""

    status: int
    after: float


class Silent(NamedTuple):
    """Never ends its ringing; whether there is early media makes no difference."""


Behaviour: TypeAlias = "Answers | Refuses | Silent | Plan"


@dataclass(frozen=True)
class Ring:
    """One line of a call sequence; a plan as behaviour is a user who forwards himself."""

    kind: Literal["If no response", "At the same time"]
    seconds: float
    behaviour: Behaviour
    enabled: bool = True
    empty: bool = False
    active: bool = True


@dataclass(frozen=True)
class Plan:
    """What is to happen with a user's calls; voicemail answers after that many seconds."""

    phones: Sequence[Behaviour] = ()
    timer: float = 20.0
    rings: Sequence[Ring] = ()
    voicemail: float | None = None


class Rung(NamedTuple):
    """A target and when it rings: "phone 0", "ring 2", nested "ring 2/phone 0", "voicemail"."""

    begin: float
    end: float
    who: str


class Outcome(NamedTuple):
    """When and how a search ended, and everything that was rung; 200 if somebody answered."""

    at: float
    status: int
    answered_by: str | None
    rung: list[Rung]


class Branch(NamedTuple):
    """A candidate contact (9.2)."""

    q: float
    who: str
    seconds: float
    behaviour: Behaviour


def q_values(rings: Sequence[Ring]) -> list[float | None]:
    """The q of each ring (9.2); None for the disabled and the empty, which consume no step."""
    q, step = 1.0, (1.0 - 0.8) / (len(rings) + 1)  # 9.2: n counts the disabled ones too
    values: list[float | None] = []
    for ring in rings:
        counts = ring.enabled and not ring.empty
        if counts and ring.kind == "If no response":
            q -= step
        values.append(q if counts else None)
    return values


def stages(plan: Plan) -> list[list[Branch]]:
    """The candidates except voicemail, highest q first, those of equal q together (9.3)."""
    found = [Branch(1.0, f"phone {i}", plan.timer, b) for i, b in enumerate(plan.phones)]
    for i, (ring, q) in enumerate(zip(plan.rings, q_values(plan.rings), strict=True)):
        if q is not None and ring.active:  # 9.2: dropped for its schedule only after q is known
            found.append(Branch(q, f"ring {i}", ring.seconds, ring.behaviour))
    result: list[list[Branch]] = []
    for branch in sorted(found, key=lambda branch: -branch.q):
        if result and (result[-1][0].q - branch.q) ** 2 <= 1e-10:  # 9.3
            result[-1].append(branch)
        else:
            result.append([branch])
    return result


def rank(status: int) -> int:
    """The lower, the better to show to the caller (9.5, with the design's differences)."""
    if status in (408, 480, 487):
        return 1
    if status == 404:
        return 2
    if 400 <= status < 500 or status == 603:
        return 0
    return 3 if status < 600 else 4


def search(plan: Plan, limit: float = 180.0) -> Outcome:
    """What becomes of a call to the user whose plan this is."""
    end = run(plan, 0.0, limit)
    if end.answered_by is None and plan.voicemail is not None:  # 9.2: q 0.1; 9.4: no limit for it
        at = end.at + plan.voicemail
        return Outcome(at, 200, "voicemail", [*end.rung, Rung(end.at, at, "voicemail")])
    return end


def run(plan: Plan, begin: float, deadline: float, within: str = "") -> Outcome:
    """The stages one after the other, without voicemail; what rings at the deadline stops then."""
    now = begin
    rung: list[Rung] = []
    failures: list[Outcome] = []
    for stage in stages(plan):
        if now >= deadline:
            break
        ends = [attempt(branch, now, deadline, within) for branch in stage]  # 9.3: all at once
        tried = [one for end in ends for one in end.rung]
        if answers := [end for end in ends if end.answered_by]:  # 9.3: 2xx cancels all others
            first = min(answers, key=lambda end: end.at)
            rung += [Rung(b, min(e, first.at), who) for b, e, who in tried if b <= first.at]
            return first._replace(rung=sorted(rung))
        rung += tried
        failures += ends  # 9.3: a 6xx is but one of them
        now = max(end.at for end in ends)  # 9.3: the slowest branch ends the stage
    # 9.5: the best rank, among equals the earliest; 9.3: no candidate at all is 404, at once
    best = min(failures, key=lambda end: (rank(end.status), end.at), default=None)
    return Outcome(now, best.status if best else 404, None, sorted(rung))


def attempt(branch: Branch, begin: float, deadline: float, within: str) -> Outcome:
    """One branch as if it were alone: it ends by itself, or by its own timer (9.3)."""
    who, does = within + branch.who, branch.behaviour
    over = min(begin + branch.seconds, deadline)
    if isinstance(does, Plan):  # 9.3: nested, inside the leg's EXP, never with voicemail
        end = run(does, begin, over, who + "/")
        return end if end.answered_by or end.at < over else end._replace(status=408)
    if isinstance(does, Silent) or begin + does.after >= over:  # 9.3: failed with timeout
        return Outcome(over, 408, None, [Rung(begin, over, who)])
    at = begin + does.after
    if isinstance(does, Answers):
        return Outcome(at, 200, who, [Rung(begin, at, who)])
    # The design: neither a challenge nor a redirection is ever shown to the caller
    status = 403 if does.status in (401, 407) else 480 if does.status < 400 else does.status
    return Outcome(at, status, None, [Rung(begin, at, who)])
