"""The search: the only thing that ever rings anybody.

Parallel branches, each with its own timer; the first answer wins.

::

    branch state   event                  next
    WAITING        the search is started  RINGING
    RINGING        answered               WON (first), the others CANCELLED
    RINGING        refused                REFUSED
    RINGING        its timer              CANCELLED, counts as 408
    RINGING        the search is stopped  CANCELLED
    CANCELLED      answered               CANCELLED: the late answer is dropped again
    any other      any other              no change

A refusal, 6xx included, ends its branch only.  When the last branch has ended without an answer
the search has failed with the best of the responses.  Every branch ends as exactly one of WON,
CANCELLED and REFUSED; at most one is WON.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs


class BranchState(enum.Enum):
    """How a branch stands."""

    WAITING = "not rung yet"
    RINGING = "ringing"
    WON = "won"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@attrs.frozen
class RingBranch:
    """Call the branch, for ``seconds`` at the most."""

    branch: str
    seconds: float


@attrs.frozen
class DropBranch:
    """Cancel the branch, or hang up what it answered. ``elsewhere``: another one answered."""

    branch: str
    elsewhere: bool


@attrs.frozen
class Won:
    """The branch answered first."""

    branch: str


@attrs.frozen
class Exhausted:
    """Nobody answered; the best response is ``status``."""

    status: int
    reason: str


Outcome = RingBranch | DropBranch | Won | Exhausted


@attrs.define
class _Branch:
    seconds: float
    state: BranchState = BranchState.WAITING


def _rank(status: int) -> int:
    """The order in which responses are preferred (contract section 9.5): lower is better."""
    if status in (408, 480, 487):
        return 2
    if (400 <= status < 500 and status != 404) or status in (600, 603):
        return 0
    if status == 404:
        return 1
    return 3 if status < 600 else 4


def presentable(status: int) -> int:
    """``status`` as a caller may see it: challenges and redirections of a branch stay inside."""
    if status in (401, 407):
        return 403
    return 480 if 300 <= status < 400 else status


class Search:
    """One search over named branches with their ring times in seconds."""

    def __init__(self, branches: Sequence[tuple[str, float]]) -> None:
        self._branches = {name: _Branch(seconds) for name, seconds in branches}
        self._best: tuple[int, int, str] | None = None
        self._over = False
        self.winner: str | None = None

    def state(self, branch: str) -> BranchState:
        """How ``branch`` stands."""
        return self._branches[branch].state

    def start(self) -> list[Outcome]:
        """Ring every branch."""
        if not self._branches:
            return self._check()
        for branch in self._branches.values():
            branch.state = BranchState.RINGING
        return [RingBranch(name, branch.seconds) for name, branch in self._branches.items()]

    def answered(self, name: str) -> list[Outcome]:
        """``name`` answered. Also after its end: that answer is dropped."""
        branch = self._branches[name]
        if branch.state is BranchState.WON:
            return []
        if branch.state is not BranchState.RINGING or self._over:
            return [DropBranch(name, elsewhere=self.winner is not None)]
        branch.state = BranchState.WON
        self.winner = name
        self._over = True
        return [Won(name), *self._drop_ringing(elsewhere=True)]

    def refused(self, name: str, status: int, reason: str) -> list[Outcome]:
        """``name`` ended with a final response."""
        branch = self._branches[name]
        if branch.state is not BranchState.RINGING:
            return []
        branch.state = BranchState.REFUSED
        self._note(presentable(status), reason)
        return self._check()

    def expired(self, name: str) -> list[Outcome]:
        """The timer of ``name`` ran out."""
        branch = self._branches[name]
        if branch.state is not BranchState.RINGING:
            return []
        branch.state = BranchState.CANCELLED
        self._note(408, "No answer")
        return [DropBranch(name, elsewhere=False), *self._check()]

    def stop(self) -> list[Outcome]:
        """Give up: cancel whatever rings; nothing is reported afterwards."""
        self._over = True
        return self._drop_ringing(elsewhere=False)

    def _drop_ringing(self, *, elsewhere: bool) -> list[Outcome]:
        dropped: list[Outcome] = []
        for name, branch in self._branches.items():
            if branch.state is BranchState.RINGING:
                branch.state = BranchState.CANCELLED
                dropped.append(DropBranch(name, elsewhere))
        return dropped

    def _note(self, status: int, reason: str) -> None:
        rank = _rank(status)
        if self._best is None or rank < self._best[0]:
            self._best = (rank, status, reason)

    def _check(self) -> list[Outcome]:
        if self._over or any(b.state is BranchState.RINGING for b in self._branches.values()):
            return []
        self._over = True
        if self._best is None:
            return [Exhausted(404, "Nobody to ring")]
        return [Exhausted(self._best[1], self._best[2])]
