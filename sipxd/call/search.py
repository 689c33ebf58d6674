"""The search: the only thing that ever rings anybody.

It works a plan (`sipxd.call.plan`) off: the branches of a stage at the same time, each with its own
timer, the next stage once all of them have failed; the first answer wins.  A branch that is a
number is looked up when its turn comes, and what it leads to is searched inside its time.

::

    branch state   event                    next
    WAITING        its stage begins         RINGING, a number SEEKING
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

import enum
from collections.abc import Sequence

import attrs

from sipxd.call.effects import (
    ELSEWHERE,
    Effect,
    Release,
    Seek,
    StartTimer,
    StopTimer,
    Target,
)
from sipxd.call.plan import Branch, Leaf, Onward, Plan, Reason, Situation, Stage

MAXIMUM_BRANCHES = 200
"""Branches that one search may ring or look up, for users who forward to each other."""
MAXIMUM_DEPTH = 10
"""Plans inside each other."""
LIMIT = "limit:"
"""What the name of the timer begins with that ends the whole search."""
RING = "ring:"
"""What the names of the branches' timers begin with."""


class BranchState(enum.Enum):
    """How a branch stands."""

    WAITING = "its turn has not come"
    SEEKING = "being looked up"
    RINGING = "ringing"
    SEARCHING = "a plan runs inside it"
    WON = "won"
    CANCELLED = "cancelled"
    REFUSED = "refused"


_RUNNING = frozenset({BranchState.SEEKING, BranchState.RINGING, BranchState.SEARCHING})


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

_BUSY = frozenset({486, 600, 603})
_NOT_REACHED = frozenset({404, 408, 410, 430, 480, 503})


@attrs.define(eq=False)
class _Node:
    """A branch, at its place in the tree."""

    name: str
    branch: Branch
    level: _Level
    state: BranchState = BranchState.WAITING
    inside: _Level | None = None
    timed: bool = False
    early_media: bool = False


@attrs.define(eq=False)
class _Level:
    """A plan that is being worked off. ``node`` is the branch that it runs in."""

    plan: Plan
    node: _Node | None
    depth: int
    stages: Sequence[Stage] = ()
    """Those that are left."""
    nodes: list[_Node] = attrs.field(factory=list)
    """The branches of the present stage."""
    count: int = 0
    best: tuple[int, int, str] | None = None
    at_first: bool = False
    """The present stage is the first one."""
    closing: bool = False
    """Voicemail's turn has come: nothing follows."""
    fates: list[Situation] = attrs.field(factory=list)
    """What became of the user's own phones."""

    @property
    def running(self) -> bool:
        return any(node.state in _RUNNING for node in self.nodes)


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


class Search:
    """A search for somebody who answers, by ``plan``. Its legs are called ``prefix`` and numbers.

    Every method gives effects, and `RingBranch`, `Won`, `Exhausted`, in the order in which they are
    to be carried out.
    """

    def __init__(self, plan: Plan, prefix: str) -> None:
        self._prefix = prefix
        self._plan = plan
        self._root = _Level(plan, None, 0)
        self._nodes: dict[str, _Node] = {}
        """Every branch whose turn has come."""
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
        labels = (
            node.branch.target.label
            for node in self._nodes.values()
            if node.state is BranchState.RINGING and isinstance(node.branch, Leaf)
        )
        return tuple(dict.fromkeys(labels))

    # -- events --------------------------------------------------------------------------------

    def start(self) -> list[Outcome]:
        """Ring the first stage."""
        out: list[Outcome] = []
        if self._plan.limit is not None and self._plan.is_cascade:
            self._limited = True
            out.append(StartTimer(LIMIT + self._prefix, self._plan.limit))
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

    def early_media(self, name: str) -> None:
        """The branch plays something before anybody has answered."""
        self._nodes[name].early_media = True

    def answered(self, name: str) -> list[Outcome]:
        """``name`` answered. Also after its end: that answer is dropped."""
        node = self._nodes[name]
        if node.state is BranchState.WON:
            return []
        if node.state is not BranchState.RINGING or self._over:
            return [Release(name, ELSEWHERE if self.winner is not None else ())]
        node.state = BranchState.WON
        self.winner = name
        out: list[Outcome] = [*self._quiet(node), Won(name)]
        return out + self._finish(elsewhere=True)

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
            plan = _redirection(node, contacts)
            if plan is not None:
                return self._go_inside(node, plan)
        return self._refuse(node, status, reason)

    def expired(self, name: str) -> list[Outcome]:
        """The timer of ``name`` ran out."""
        node = self._nodes.get(name)
        if node is None or node.state not in _RUNNING:
            return []
        alone = sum(n.state in _RUNNING for n in node.level.nodes) == 1
        if node.early_media and alone and self._plan.early_media_extends:
            return []
        node.timed = False
        return self._give_up(node)

    def out_of_time(self) -> list[Outcome]:
        """All the time of the search is over: nothing but voicemail is left."""
        root = self._root
        if self._over or root.closing:
            return []
        self._limited = False
        root.stages, root.at_first = (), False
        out: list[Outcome] = []
        for node in root.nodes:
            if node.state in _RUNNING:
                out += self._drop(node, elsewhere=False)
                _note(root, 408, "No answer")
        return out + self._next(root)

    def stop(self) -> list[Outcome]:
        """Give up: cancel whatever rings; nothing is reported afterwards."""
        return self._finish(elsewhere=False)

    # -- the stages of a plan ------------------------------------------------------------------

    def _enter(self, level: _Level) -> list[Outcome]:
        if level.plan.whose:
            self._whose.add(level.plan.whose)
        first, level.stages = level.plan.stages[:1], level.plan.stages[1:]
        level.at_first = True
        out = self._begin(level, first[0] if first else ())
        return out if level.running else out + self._next(level)

    def _next(self, level: _Level) -> list[Outcome]:
        """Go on with the next stage that rings anybody; where there is none, the plan is over."""
        out: list[Outcome] = []
        while not self._over:
            if level.at_first:
                level.at_first = False
                level.stages = level.plan.detours.get(_situation(level), level.stages)
            if level.stages:
                stage, level.stages = level.stages[0], level.stages[1:]
            elif not level.closing:
                stage, level.closing = level.plan.last, True
                if level.node is None:
                    out += self._unlimited()
            else:
                return out + self._exhausted(level)
            out += self._begin(level, stage)
            if level.running:
                break
        return out

    def _begin(self, level: _Level, stage: Stage) -> list[Outcome]:
        level.nodes = [self._node(branch, level) for branch in stage]
        return [outcome for node in level.nodes for outcome in self._launch(node)]

    def _node(self, branch: Branch, level: _Level) -> _Node:
        level.count += 1
        above = self._prefix if level.node is None else f"{level.node.name}."
        node = _Node(f"{above}{level.count}", branch, level)
        self._nodes[node.name] = node
        return node

    def _launch(self, node: _Node) -> list[Outcome]:
        branch = node.branch
        busy = sum(n.state is BranchState.RINGING for n in self._nodes.values())
        if busy >= self._plan.parallel or len(self._nodes) > MAXIMUM_BRANCHES:
            node.state = BranchState.REFUSED
            self._end(node, 503, "Too many branches")
            return []
        out: list[Outcome] = []
        if isinstance(branch, Leaf):
            node.state = BranchState.RINGING
            out.append(RingBranch(node.name, branch.target))
        else:
            passage = node.level.plan.passage
            assert passage is not None
            node.state = BranchState.SEEKING
            out.append(Seek(node.name, branch, passage))
        if branch.seconds is not None:
            node.timed = True
            out.append(StartTimer(RING + node.name, branch.seconds))
        return out

    def _go_inside(self, node: _Node, plan: Plan) -> list[Outcome]:
        if node.level.depth >= MAXIMUM_DEPTH:
            return self._refuse(node, 482, "Loop Detected: too many users forward to each other")
        node.state = BranchState.SEARCHING
        node.inside = _Level(plan, node, node.level.depth + 1)
        return self._enter(node.inside)

    # -- how branches end ----------------------------------------------------------------------

    def _refuse(self, node: _Node, status: int, reason: str) -> list[Outcome]:
        node.state = BranchState.REFUSED
        self._end(node, status, reason)
        return [*self._quiet(node), *self._after(node.level)]

    def _give_up(self, node: _Node) -> list[Outcome]:
        """The time of the branch is over."""
        out = self._drop(node, elsewhere=False)
        self._end(node, 408, "No answer", rang=True)
        return out + self._after(node.level)

    def _end(self, node: _Node, status: int, reason: str, *, rang: bool = False) -> None:
        if isinstance(node.branch, Leaf) and node.branch.own:
            node.level.fates.append(_fate(status, rang=rang))
        _note(node.level, presentable(status), reason)

    def _after(self, level: _Level) -> list[Outcome]:
        return [] if self._over or level.running else self._next(level)

    def _exhausted(self, level: _Level) -> list[Outcome]:
        """Nobody in the plan of ``level`` has answered."""
        self._whose.discard(level.plan.whose)
        status, reason = level.plan.refusal if level.best is None else level.best[1:]
        node = level.node
        _forget(level)
        if node is not None:
            return self._refuse(node, status, reason)
        self._over = True
        return [*self._unlimited(), Exhausted(status, reason)]

    def _quiet(self, node: _Node) -> list[Outcome]:
        """The timer of the branch is not needed any more."""
        timed, node.timed = node.timed, False
        return [StopTimer(RING + node.name)] if timed else []

    def _drop(self, node: _Node, *, elsewhere: bool) -> list[Outcome]:
        """Cancel the branch with everything inside it."""
        out = self._quiet(node)
        rings = node.state is BranchState.RINGING
        node.state = BranchState.CANCELLED
        if rings:
            out.append(Release(node.name, ELSEWHERE if elsewhere else ()))
        if node.inside is not None:
            self._whose.discard(node.inside.plan.whose)
            for below in _running(node.inside):
                out += self._drop(below, elsewhere=elsewhere)
            _forget(node.inside)
        return out

    def _finish(self, *, elsewhere: bool) -> list[Outcome]:
        """Nothing rings any more."""
        if self._over:
            return []
        self._over = True
        out: list[Outcome] = []
        for node in _running(self._root):
            out += self._drop(node, elsewhere=elsewhere)
        _forget(self._root)
        return out + self._unlimited()

    def _unlimited(self) -> list[Outcome]:
        """The time of the whole search does not count any more."""
        limited, self._limited = self._limited, False
        return [StopTimer(LIMIT + self._prefix)] if limited else []


def _running(level: _Level) -> list[_Node]:
    return [node for node in level.nodes if node.state in _RUNNING]


def _forget(level: _Level) -> None:
    """A plan that is over; without this the garbage collector would have to find it."""
    level.nodes = []
    if level.node is not None:
        level.node.inside = None


def _note(level: _Level, status: int, reason: str) -> None:
    rank = _rank(status)
    if level.best is None or rank < level.best[0]:
        level.best = (rank, status, reason)


def _fate(status: int, *, rang: bool) -> Situation:
    """What the end of one of the user's own phones says of him."""
    if status in _BUSY:
        return Situation.BUSY
    if status in _NOT_REACHED and not rang:
        return Situation.NOT_REGISTERED
    return Situation.NO_ANSWER


def _situation(level: _Level) -> Situation:
    """What has become of the user's own phones."""
    for situation in (Situation.BUSY, Situation.NO_ANSWER):
        if situation in level.fates:
            return situation
    return Situation.NOT_REGISTERED


def _redirection(node: _Node, contacts: Sequence[tuple[float, str]]) -> Plan | None:
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
