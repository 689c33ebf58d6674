"""A party that is about to leave a bridged call, and whoever comes in its place.

`Transfer`: a phone has referred its other party (RFC 3515, RFC 5589); the target is searched here,
or found in another call.  `Replacement`: an INVITE with Replaces (RFC 3891) waits for its answer.
What both do to the bridge is in `sipxd.call.transferable`.
"""

from __future__ import annotations

import attrs

from sipxd.call.call import unwound
from sipxd.call.effects import Effect, NotifyReferral, Release, Ring, TransferTold
from sipxd.call.plan import Destination, Plan
from sipxd.call.record import Cause
from sipxd.call.search import LIMIT, RING, Exhausted, RingBranch, Search, Won
from sipxd.call.search import Outcome as SearchOutcome
from sipxd.sip.leg import Answered, Event, Offered, Progress, Refused


@attrs.frozen
class Reached:
    """The target is there, as ``leg``, with its description."""

    leg: str
    sdp: bytes


@attrs.frozen
class NotReached:
    """Nobody comes: the best response is ``status``."""

    status: int
    reason: str


Outcome = Effect | Reached | NotReached


@attrs.define
class Change:
    """``leaving`` makes room, ``staying`` is the other party of the call."""

    leaving: str
    staying: str
    to: str = ""
    """Who comes in its place, as the journal tells it."""
    left: Cause | None = None
    """Why the leaving party has hung up already: there is no way back."""


@attrs.define
class Replacement(Change):
    """The leg ``leg``, an INVITE with Replaces and an offer, waits for the answer to it."""

    leg: str = attrs.field(kw_only=True)
    offer: bytes = attrs.field(kw_only=True)
    given_up: bool = False


BY_API = ""
"""The key of a transfer that no referral asked for."""


class Transfer(Change):
    """The referral ``key`` of the leaving party; legs of its search are called ``name.N``."""

    def __init__(self, name: str, leaving: str, staying: str, key: str) -> None:
        super().__init__(leaving, staying)
        self.name = name
        self.key = key
        self.offer: bytes = b""
        self._destination: Destination | None = None
        self._search: Search | None = None
        self._told = 100

    def dial(self, destination: Destination, offer: bytes) -> list[Outcome]:
        """Ring the target with ``offer``."""
        self._destination, self.offer = destination, offer
        self._search = Search(destination.plan, f"{self.name}.")
        return self._searched(self._search.start())

    @property
    def dialled(self) -> bool:
        """Whether the target has been rung."""
        return self._destination is not None

    def owns(self, leg: str) -> bool:
        """Whether ``leg`` is a branch of this transfer."""
        return self._search is not None and self._search.owns(leg)

    def user_of(self, leg: str) -> str:
        """The user whose phone a branch is; empty: somebody outside."""
        target = None if self._search is None else self._search.target(leg)
        return "" if target is None else target.user

    def found(self, branch: str, plan: Plan) -> list[Outcome]:
        """The number of a branch leads to ``plan``."""
        return [] if self._search is None else self._searched(self._search.found(branch, plan))

    def not_found(self, branch: str, status: int, reason: str) -> list[Outcome]:
        """The number of a branch leads nowhere, or may not be called."""
        if self._search is None:
            return []
        return self._searched(self._search.not_found(branch, status, reason))

    def event(self, leg: str, event: Event) -> list[Outcome]:
        """What a branch tells."""
        search = self._search
        assert search is not None
        match event:
            case Progress(status, sdp):
                search.progress(leg, plays=sdp is not None)
                if status <= self._told:
                    return []
                self._told = status
                return [self.told(status, "")]
            case Refused(status, text, _, contacts):
                return self._searched(search.refused(leg, status, text, contacts))
            case Answered(sdp) | Offered(sdp):
                won = self._searched(search.answered(leg))
                return [*won, Reached(leg, sdp)] if search.winner == leg else won
            case _:
                return []

    def expired(self, timer: str) -> list[Outcome] | None:
        """A timer ran out; None: it is none of this search."""
        search = self._search
        if search is None:
            return None
        if timer == f"{LIMIT}{self.name}.":
            return self._searched(search.out_of_time())
        branch = timer.removeprefix(RING)
        return self._searched(search.expired(branch)) if search.owns(branch) else None

    def stop(self) -> list[Effect]:
        """Give the search up, with every leg of it."""
        if self._search is None:
            return []
        return [*unwound(self._search), *map(Release, self._search.legs)]

    def told(self, status: int, reason: str, *, final: bool = False) -> Effect:
        """The word to whoever asked for it."""
        if self.key == BY_API:
            return TransferTold(status, reason, final)
        return NotifyReferral(self.leaving, self.key, status, reason, final)

    def _searched(self, outcomes: list[SearchOutcome]) -> list[Outcome]:
        assert self._destination is not None
        out: list[Outcome] = []
        for outcome in outcomes:
            match outcome:
                case RingBranch(leg, target):
                    out.append(Ring(leg, target, self._destination.identity, self.offer))
                case Won():
                    pass  # seen by whoever told of the answer
                case Exhausted(status, text):
                    out.append(NotReached(status, text))
                case _:
                    out.append(outcome)
        return out
