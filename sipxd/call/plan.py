"""What a number leads to: stages of branches, for `sipxd.call.search` to ring.

A branch is either something that can be rung (`Leaf`) or a number that is looked up when its turn
comes (`Onward`): whom a user forwards to may have changed his own settings, or registered a phone,
since the call began.  What it leads to is a plan again, and runs inside the time of its branch.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from sipxd.call.effects import Identity, Target
from sipxd.call.path import Path
from sipxd.directory.user import User


class Reason(enum.StrEnum):
    """Why a user sends a call on, in the words of Diversion (RFC 5806)."""

    UNCONDITIONAL = "unconditional"
    NO_ANSWER = "no-answer"
    BUSY = "user-busy"
    UNAVAILABLE = "unavailable"
    DO_NOT_DISTURB = "do-not-disturb"
    DEFLECTION = "deflection"
    """His phone said so itself, by a redirection."""
    UNKNOWN = "unknown"
    """He transfers a call that has been answered."""


@attrs.frozen
class Diverted:
    """The user or group ``by`` has sent the call on."""

    by: str
    reason: Reason


@attrs.frozen
class Passage:
    """What goes along with a call while it is sent on from one user to the next."""

    caller: User
    """Who is shown as calling."""
    payer: str = ""
    """The user for whose account the present branch is rung; empty: that of a caller from outside,
    or of a hunt group."""
    private: bool = False
    path: Path = ()
    """The numbers that the call has come through, the present one last."""
    diverted: tuple[Diverted, ...] = ()
    """Who has sent it on, the first one first."""
    at: float = 0.0
    """When the call came in, in seconds since the epoch."""


NOT_PARKED = "No call can be parked, there is no park server"
"""What a call for a park orbit is refused with."""


@attrs.frozen
class Leaf:
    """Something that can be rung, for ``seconds``; None: as long as the branch above it."""

    target: Target
    seconds: float | None = None
    own: bool = False
    """One of the called user's own phones, whose fate decides the situation that he is in."""


@attrs.frozen
class Onward:
    """A number, or a SIP URI, to which ``by`` sends the call on."""

    number: str
    seconds: float | None
    """None: as long as the branch above it."""
    by: str
    """The user under whose dial policy that is, or the extension of a hunt group."""
    reason: Reason = Reason.UNCONDITIONAL
    follow: bool = True
    """Whether the forwarding of the user that it leads to is followed."""
    voicemail: bool = False
    """It leads to the voicemail box of that user, and nowhere else."""


@attrs.frozen
class Nowhere:
    """Why a number leads nowhere: the response that its branch ends with."""

    status: int
    reason: str


Branch = Leaf | Onward
Stage = tuple[Branch, ...]


class Situation(enum.Enum):
    """What has become of the called user's own phones."""

    BUSY = "busy"
    NO_ANSWER = "no-answer"
    NOT_REGISTERED = "not-registered"


@attrs.frozen
class Plan:
    """The stages, one after the other; then ``last``."""

    stages: tuple[Stage, ...]
    passage: Passage | None = None
    """None: nothing in it has to be looked up."""
    whose: str = ""
    """The user or group that it is the plan of: he is not rung twice at the same time."""
    detours: Mapping[Situation, tuple[Stage, ...]] = attrs.field(factory=dict)
    """What takes the place of ``rest``, in that situation."""
    last: Stage = ()
    """Voicemail."""
    limit: float | None = None
    """Seconds for everything but ``last``; None: without end."""
    refusal: tuple[int, str] = (404, "Nobody to ring")
    """The response where there is nothing to ring."""
    parallel: int = 20
    """Branches that may ring at the same time, in the whole search."""
    early_media_extends: bool = False
    """Whether a branch that is alone and already plays something outlives its time."""

    @property
    def head(self) -> tuple[Stage, ...]:
        """The stages up to the last one with a phone of the user's own, or else the first one.

        Behind them it shows in which situation he is.
        """
        return self.stages[: self._length_of_head()]

    @property
    def rest(self) -> tuple[Stage, ...]:
        """The stages behind ``head``."""
        return self.stages[self._length_of_head() :]

    def _length_of_head(self) -> int:
        own = (n for n, stage in enumerate(self.stages, 1) if any(map(_is_own, stage)))
        return max(own, default=1)

    @property
    def seconds(self) -> float:
        """The longest time that it can take, where the time of its branches is known."""
        ways = [self.rest, *self.detours.values()]
        whole = _longest(self.head) + max(map(_longest, ways))
        if self.limit is not None:
            whole = min(whole, self.limit)
        return whole + _longest((self.last,))

    @property
    def is_cascade(self) -> bool:
        """Whether there is more than one branch, or may be."""
        branches = list(self.branches())
        onward = any(isinstance(branch, Onward) for branch in branches)
        return onward or len(branches) > 1 or bool(self.detours)

    def is_longer_than(self, seconds: float) -> bool:
        """Whether a branch before ``last`` may ring longer than that."""
        return any((branch.seconds or 0.0) > seconds for stage in self.stages for branch in stage)

    @property
    def is_empty(self) -> bool:
        """Whether there is nobody to ring, whatever happens."""
        return not any(self.branches()) and not any(self.detours.values())

    def branches(self) -> Iterator[Branch]:
        """Every branch of every stage, in order."""
        for stage in (*self.stages, self.last):
            yield from stage

    @property
    def targets(self) -> tuple[Target, ...]:
        """What can be rung of it without looking anything up."""
        return tuple(branch.target for branch in self.branches() if isinstance(branch, Leaf))

    def with_targets(self, change: Callable[[Target], Target]) -> Plan:
        """The same with each target changed."""

        def changed(stage: Stage) -> Stage:
            return tuple(
                attrs.evolve(branch, target=change(branch.target))
                if isinstance(branch, Leaf)
                else branch
                for branch in stage
            )

        stages = tuple(changed(stage) for stage in self.stages)
        return attrs.evolve(self, stages=stages, last=changed(self.last))


@attrs.frozen
class Destination:
    """Whom to ring, and who calls whom where a target does not say it differently."""

    plan: Plan
    identity: Identity

    @property
    def targets(self) -> tuple[Target, ...]:
        """What can be rung without looking anything up."""
        return self.plan.targets

    @property
    def seconds(self) -> float:
        """The longest time that ringing can take."""
        return self.plan.seconds

    def with_targets(self, change: Callable[[Target], Target]) -> Destination:
        """The same with each target changed."""
        return attrs.evolve(self, plan=self.plan.with_targets(change))


def ring_all(targets: Sequence[Target], identity: Identity, seconds: float) -> Destination:
    """All ``targets`` at the same time."""
    stage = tuple(Leaf(target, seconds) for target in targets)
    return Destination(Plan((stage,)), identity)


def _is_own(branch: Branch) -> bool:
    return isinstance(branch, Leaf) and branch.own


def _longest(stages: Sequence[Stage]) -> float:
    return sum(max((branch.seconds or 0.0 for branch in stage), default=0.0) for stage in stages)
