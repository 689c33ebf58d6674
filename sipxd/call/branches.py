"""The tree that a search works off: branches, the plans that they stand in, what responses say.

It holds how things stand; `sipxd.call.search` moves them on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

import attrs

from sipxd.call.plan import Branch, Leaf, Onward, Plan, Reason, Situation, Stage
from sipxd.sip.message import reason_phrase


class BranchState(enum.Enum):
    """How a branch stands."""

    SEEKING = "being looked up"
    RINGING = "ringing"
    SEARCHING = "a plan runs inside it"
    WON = "won"
    CANCELLED = "cancelled"
    REFUSED = "refused"


_RUNNING = frozenset({BranchState.SEEKING, BranchState.RINGING, BranchState.SEARCHING})
_BUSY = frozenset({486, 600, 603})
_NOT_REACHED = frozenset({404, 408, 410, 430, 480, 503})


@attrs.define(eq=False)
class Node:
    """A branch whose turn has come, at its place in the tree."""

    name: str
    branch: Branch
    level: Level
    state: BranchState = BranchState.SEEKING
    inside: Level | None = None
    """The plan that runs inside it."""
    timed: bool = False
    """Its timer runs."""
    rang: bool = False
    early_media: bool = False

    @property
    def plays_alone(self) -> bool:
        """Whether it, or what it leads to, is all that rings in its stage, and plays something."""
        if len(self.level.running) != 1:
            return False
        if self.inside is not None:
            return any(below.plays_alone for below in self.inside.running)
        return self.early_media and self.state is BranchState.RINGING


@attrs.define(eq=False)
class Level:
    """A plan that is being worked off. ``node`` is the branch that it runs in."""

    plan: Plan
    node: Node | None
    depth: int
    nodes: list[Node] = attrs.field(factory=list)
    """The branches of the present stage."""
    count: int = 0
    """Branches whose turn has come."""
    closing: bool = False
    """The last stage's turn, voicemail's, has come: nothing follows."""
    _stages: Iterator[Stage] = attrs.field(init=False)
    _decided: bool = False
    """What follows upon the user's own phones is settled."""
    _fates: set[Situation] = attrs.field(factory=set)
    """What has become of them."""
    _best: tuple[int, int, str] | None = None

    @_stages.default
    def _head(self) -> Iterator[Stage]:
        return iter(self.plan.head)

    @property
    def running(self) -> list[Node]:
        """The branches of the present stage that have not ended."""
        return [node for node in self.nodes if node.state in _RUNNING]

    @property
    def refusal(self) -> tuple[int, str]:
        """The best of the responses."""
        return self.plan.refusal if self._best is None else self._best[1:]

    def next_stage(self) -> Stage | None:
        """The stage whose turn it is now; None where the plan is over."""
        stage = next(self._stages, None)
        if stage is None and not self._decided:
            self._decided = True
            self._stages = iter(self.plan.detours.get(self._situation, self.plan.rest))
            stage = next(self._stages, None)
        if stage is None and not self.closing:
            self.closing = True
            stage = self.plan.last
        return stage

    def close(self) -> None:
        """Leave nothing but the last stage."""
        self._stages, self._decided = iter(()), True

    def failed(self, node: Node, status: int, reason: str, *, reached: bool) -> None:
        """A branch ends so. ``reached``: the phone has rung, or has redirected the call."""
        if isinstance(node.branch, Leaf) and node.branch.own:
            self._fates.add(_fate(status, reached=reached))
        self.note(status, reason)

    def note(self, status: int, reason: str) -> None:
        """Keep the response where it is better than those before."""
        shown = presentable(status)
        rank = _rank(shown)
        # Of a challenge our own leg says more than its phrase: whose password was wanted.
        if shown != status and (status < 400 or reason == reason_phrase(status)):
            reason = reason_phrase(shown)
        if self._best is None or rank < self._best[0]:
            self._best = rank, shown, reason

    def forget(self) -> None:
        """It is over. Without this the garbage collector would have to find it."""
        self.nodes = []
        if self.node is not None:
            self.node.inside = None

    @property
    def _situation(self) -> Situation:
        for situation in (Situation.BUSY, Situation.NO_ANSWER):
            if situation in self._fates:
                return situation
        return Situation.NOT_REGISTERED


def _rank(status: int) -> int:
    """The order in which responses are preferred (contract section 9.5): lower is better.

    Among 4xx one that says something beats one that only says that nobody was there.
    """
    if status in (408, 480, 487):
        return 1
    if status == 404:
        return 2
    if 400 <= status < 500 or status == 603:
        return 0
    return 3 if status < 600 else 4


def presentable(status: int) -> int:
    """``status`` as a caller may see it: challenges and redirections of a branch stay inside."""
    if status in (401, 407):
        return 403
    return 480 if 300 <= status < 400 else status


def _fate(status: int, *, reached: bool) -> Situation:
    """What the end of one of the user's own phones says of him."""
    if status in _BUSY:
        return Situation.BUSY
    if status in _NOT_REACHED and not reached:
        return Situation.NOT_REGISTERED
    return Situation.NO_ANSWER


def redirection(node: Node, contacts: Sequence[tuple[float, str]]) -> Plan | None:
    """A plan of the contacts of a 3xx; None where nobody answers for calling them."""
    assert isinstance(node.branch, Leaf)
    passage = node.level.plan.passage
    by = node.branch.target.user or (passage.payer if passage is not None else "")
    if not by or passage is None:
        return None
    stages: dict[float, list[Branch]] = {}
    for q, uri in contacts:
        stages.setdefault(q, []).append(Onward(uri, None, by, Reason.DEFLECTION))
    ordered = tuple(tuple(stages[q]) for q in sorted(stages, reverse=True))
    return Plan(ordered, passage, refusal=(480, "Temporarily Unavailable"))
