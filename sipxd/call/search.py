"""The search: the only thing that ever rings anybody.

It works a plan (`sipxd.call.plan`) off: the branches of a stage at the same time, each with its own
timer, the next stage once all of them have failed; the first answer wins.  A branch that is a
number is looked up when its turn comes, and what it leads to is searched inside its time.

::

    branch state   event                    next
    (none)         its stage begins         RINGING, a number SEEKING
    SEEKING        found                    SEARCHING: a plan runs inside it
    SEEKING        leads nowhere            REFUSED
    RINGING        answered                 WON (the first), everybody else CANCELLED
    RINGING        redirected               SEARCHING: its contacts, in the time that is left
    RINGING        refused                  REFUSED
    SEARCHING      nobody inside answers    REFUSED, with the best response inside
    any of these   its timer                CANCELLED, counts as 408
    any of these   the search is stopped    CANCELLED
    CANCELLED      answered                 CANCELLED: the late answer is dropped again
    any other      any other                no change

A refusal, 6xx included, ends its branch only (contract section 9.3).  When the last stage has ended
the search has failed with the best of the responses (9.5).  Every branch ends as exactly one of
WON, CANCELLED and REFUSED; at most one is WON.

Nobody is rung twice at the same time: a user whose plan is under way refuses a second branch with
482, which also cuts every circle within the house.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from sipxd.call.branches import BranchState, Level, Node, redirection
from sipxd.call.effects import (
    ELSEWHERE,
    Effect,
    Release,
    Seek,
    StartTimer,
    StopTimer,
    Target,
)
from sipxd.call.plan import Branch, Leaf, Plan, Stage

__all__ = [
    "LIMIT",
    "MAXIMUM_BRANCHES",
    "MAXIMUM_DEPTH",
    "RING",
    "BranchState",
    "Exhausted",
    "Outcome",
    "RingBranch",
    "Search",
    "Won",
]

MAXIMUM_BRANCHES = 200
"""Branches that one search may ring or look up, for users who forward to each other."""
MAXIMUM_DEPTH = 10
"""Plans inside each other."""
LIMIT = "limit:"
"""What the name of the timer begins with that ends the whole search."""
RING = "ring:"
"""What the names of the branches' timers begin with."""


@attrs.frozen
class RingBranch:
    """Call ``target`` as the leg ``branch``."""

    branch: str
    target: Target


@attrs.frozen
class Won:
    """The branch answered first."""

    branch: str


@attrs.frozen
class Exhausted:
    """Nobody answered; the best response is ``status``."""

    status: int
    reason: str


Outcome = RingBranch | Won | Exhausted | Effect


class Search:
    """A search for somebody who answers, by ``plan``. Its legs are called ``prefix`` and numbers.

    Every method gives effects, and `RingBranch`, `Won`, `Exhausted`, in the order in which they are
    to be carried out.
    """

    def __init__(self, plan: Plan, prefix: str) -> None:
        self._prefix = prefix
        self._plan = plan
        self._root = Level(plan, None, 0)
        self._nodes: dict[str, Node] = {}
        """Every branch whose turn has come."""
        self._ringing: dict[str, Node] = {}
        """Those that ring now."""
        self._whose: set[str] = set()
        """The users and groups whose plans are under way."""
        self._over = False
        self._limited = False
        self.winner: str | None = None

    # -- looking at it -------------------------------------------------------------------------

    def owns(self, name: str) -> bool:
        """Whether ``name`` is a branch of this search whose turn has come."""
        return name in self._nodes

    def state(self, name: str) -> BranchState:
        """How a branch stands whose turn has come."""
        return self._nodes[name].state

    def target(self, name: str) -> Target | None:
        """What a branch rings; None where it is a number."""
        node = self._nodes.get(name)
        return node.branch.target if node is not None and isinstance(node.branch, Leaf) else None

    @property
    def legs(self) -> list[str]:
        """The branches that are or were rung."""
        return [name for name, node in self._nodes.items() if isinstance(node.branch, Leaf)]

    @property
    def ringing(self) -> tuple[str, ...]:
        """Whom it rings now, by their labels."""
        branches = (node.branch for node in self._ringing.values())
        labels = (branch.target.label for branch in branches if isinstance(branch, Leaf))
        return tuple(dict.fromkeys(labels))

    # -- events --------------------------------------------------------------------------------

    def start(self) -> list[Outcome]:
        """Ring the first stage."""
        out: list[Outcome] = []
        plan, limit = self._plan, self._plan.limit
        if limit is not None and (
            plan.is_cascade or plan.is_longer_than(limit) or plan.early_media_extends
        ):
            self._limited = True
            out.append(StartTimer(LIMIT + self._prefix, limit))
        return out + self._enter(self._root)

    def found(self, name: str, plan: Plan) -> list[Outcome]:
        """The number of the branch leads to ``plan``."""
        node = self._nodes.get(name)
        if node is None or node.state is not BranchState.SEEKING:
            return []
        if plan.whose and plan.whose in self._whose:
            return self._refuse(node, 482, "Loop Detected: that user is being rung already")
        return self._go_inside(node, plan)

    def not_found(self, name: str, status: int, reason: str) -> list[Outcome]:
        """The number of the branch leads nowhere, or may not be called."""
        node = self._nodes.get(name)
        if node is None or node.state is not BranchState.SEEKING:
            return []
        return self._refuse(node, status, reason)

    def progress(self, name: str, *, plays: bool) -> None:
        """The branch has a phone that rings; ``plays``: there is something to be heard, too."""
        node = self._nodes[name]
        node.rang = True
        node.early_media = node.early_media or plays

    def answered(self, name: str) -> list[Outcome]:
        """``name`` answered. Also after its end: that answer is dropped."""
        node = self._nodes[name]
        if node.state is BranchState.WON:
            return []
        if node.state is not BranchState.RINGING:
            return [self._release(name)]
        self._turn(node, BranchState.WON)
        self.winner = name
        return [*self._quiet(node), Won(name), *self.stop()]

    def refused(
        self, name: str, status: int, reason: str, contacts: Sequence[tuple[float, str]] = ()
    ) -> list[Outcome]:
        """``name`` ended with a final response.

        ``contacts``: those of a redirection, each with its q value.
        """
        node = self._nodes[name]
        if node.state is not BranchState.RINGING:
            return []
        if contacts and 300 <= status < 400:
            plan = redirection(node, contacts)
            if plan is not None:
                return self._go_inside(node, plan)
        return self._refuse(node, status, reason)

    def expired(self, name: str) -> list[Outcome]:
        """The timer of ``name`` ran out."""
        node = self._nodes.get(name)
        if node is None or not node.timed:
            return []
        node.timed = False
        # Nothing but the time for all together ends it then.
        bounded = self._limited or self._plan.limit is None
        if node.plays_alone and bounded and self._plan.early_media_extends:
            return []
        node.level.failed(node, 408, "No answer", reached=True)
        return [*self._drop(node), *self._after(node.level)]

    def out_of_time(self) -> list[Outcome]:
        """All the time of the search is over: nothing but voicemail is left."""
        root = self._root
        if self._over or root.closing:
            return []
        self._limited = False
        root.close()
        out: list[Outcome] = []
        for node in root.running:
            root.note(408, "No answer")
            out += self._drop(node)
        return out + self._next(root)

    def stop(self) -> list[Outcome]:
        """Give up: cancel whatever rings; nothing is reported afterwards."""
        if self._over:
            return []
        self._over = True
        out = [outcome for node in self._root.running for outcome in self._drop(node)]
        self._root.forget()
        return out + self._unlimited()

    # -- the stages of a plan ------------------------------------------------------------------

    def _enter(self, level: Level) -> list[Outcome]:
        if level.plan.whose:
            self._whose.add(level.plan.whose)
        return self._next(level)

    def _next(self, level: Level) -> list[Outcome]:
        """Go on with the next stage that rings anybody; where there is none, the plan is over."""
        out: list[Outcome] = []
        while not level.running:
            stage = level.next_stage()
            if stage is None:
                return out + self._exhausted(level)
            if level.closing and level.node is None:
                out += self._unlimited()
            out += self._begin(level, stage)
        return out

    def _begin(self, level: Level, stage: Stage) -> list[Outcome]:
        level.nodes = []
        out: list[Outcome] = []
        for branch in stage:
            crowded = len(self._ringing) >= self._plan.parallel
            # Voicemail is left for whoever has tried them all.
            spent = len(self._nodes) >= MAXIMUM_BRANCHES and not level.closing
            if crowded or spent:
                level.note(503, "Too many branches")
            else:
                out += self._launch(level, branch)
        return out

    def _launch(self, level: Level, branch: Branch) -> list[Outcome]:
        level.count += 1
        above = self._prefix if level.node is None else f"{level.node.name}."
        node = Node(f"{above}{level.count}", branch, level)
        level.nodes.append(node)
        self._nodes[node.name] = node
        out: list[Outcome] = []
        if isinstance(branch, Leaf):
            self._turn(node, BranchState.RINGING)
            out.append(RingBranch(node.name, branch.target))
        else:
            passage = level.plan.passage
            assert passage is not None
            out.append(Seek(node.name, branch, passage))
        if branch.seconds is not None:
            node.timed = True
            out.append(StartTimer(RING + node.name, branch.seconds))
        return out

    def _go_inside(self, node: Node, plan: Plan) -> list[Outcome]:
        if node.level.depth >= MAXIMUM_DEPTH:
            return self._refuse(node, 482, "Loop Detected: too many users forward to each other")
        self._turn(node, BranchState.SEARCHING)
        node.inside = Level(plan, node, node.level.depth + 1)
        return self._enter(node.inside)

    # -- how branches end ----------------------------------------------------------------------

    def _turn(self, node: Node, state: BranchState) -> None:
        node.state = state
        if state is BranchState.RINGING:
            self._ringing[node.name] = node
        else:
            self._ringing.pop(node.name, None)

    def _refuse(self, node: Node, status: int, reason: str) -> list[Outcome]:
        redirected = node.state is BranchState.SEARCHING
        node.level.failed(node, status, reason, reached=redirected or node.rang)
        self._turn(node, BranchState.REFUSED)
        return [*self._quiet(node), *self._after(node.level)]

    def _after(self, level: Level) -> list[Outcome]:
        return [] if level.running else self._next(level)

    def _exhausted(self, level: Level) -> list[Outcome]:
        """Nobody in the plan of ``level`` has answered."""
        self._whose.discard(level.plan.whose)
        level.forget()
        if level.node is not None:
            return self._refuse(level.node, *level.refusal)
        self._over = True
        return [Exhausted(*level.refusal)]

    def _drop(self, node: Node) -> list[Outcome]:
        """Cancel the branch with everything inside it."""
        out = self._quiet(node)
        if node.state is BranchState.RINGING:
            out.append(self._release(node.name))
        self._turn(node, BranchState.CANCELLED)
        if node.inside is not None:
            self._whose.discard(node.inside.plan.whose)
            for below in node.inside.running:
                out += self._drop(below)
            node.inside.forget()
        return out

    def _release(self, name: str) -> Release:
        return Release(name, ELSEWHERE if self.winner is not None else ())

    def _quiet(self, node: Node) -> list[Outcome]:
        """The timer of the branch is not needed any more."""
        timed, node.timed = node.timed, False
        return [StopTimer(RING + node.name)] if timed else []

    def _unlimited(self) -> list[Outcome]:
        """The time of the whole search does not count any more."""
        limited, self._limited = self._limited, False
        return [StopTimer(LIMIT + self._prefix)] if limited else []
