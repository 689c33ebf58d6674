"""A party that is about to leave a bridged call, and whoever comes in its place.

`Transfer`: a phone has referred its other party (RFC 3515, RFC 5589); the target is searched here,
or found in another call.  `Replacement`: an INVITE with Replaces (RFC 3891) waits for its answer.
What both do to the bridge is in `sipxd.call.transferable`.
"""

from __future__ import annotations

import attrs

from sipxd.call.call import Destination
from sipxd.call.effects import (
    ELSEWHERE,
    Effect,
    NotifyReferral,
    Release,
    Ring,
    StartTimer,
    StopTimer,
    Target,
)
from sipxd.call.record import Cause
from sipxd.call.search import DropBranch, Exhausted, RingBranch, Search, Won
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


class Transfer(Change):
    """The referral ``key`` of the leaving party; legs of its search are called ``name.N``."""

    def __init__(self, name: str, leaving: str, staying: str, key: str) -> None:
        super().__init__(leaving, staying)
        self.name = name
        self.key = key
        self.offer: bytes = b""
        self.users: dict[str, str] = {}
        """The user whose phone each leg is; empty: somebody outside."""
        self._destination: Destination | None = None
        self._targets: dict[str, Target] = {}
        self._search = Search([])
        self._told = 100

    def dial(self, destination: Destination, offer: bytes) -> list[Outcome]:
        """Ring the target with ``offer``."""
        self._destination, self.offer = destination, offer
        self._targets = {
            f"{self.name}.{n}": target for n, target in enumerate(destination.targets, 1)
        }
        self.users = {leg: target.user for leg, target in self._targets.items()}
        self._search = Search([(leg, destination.seconds) for leg in self._targets])
        return self._searched(self._search.start())

    @property
    def dialled(self) -> bool:
        """Whether the target has been rung."""
        return self._destination is not None

    def owns(self, leg: str) -> bool:
        """Whether ``leg`` is a branch of this transfer."""
        return leg in self._targets

    def event(self, leg: str, event: Event) -> list[Outcome]:
        """What a branch tells."""
        match event:
            case Progress(status) if status > self._told:
                self._told = status
                return [self.told(status, "")]
            case Refused(status, text, _):
                refused = self._search.refused(leg, status, text)
                return [StopTimer(f"ring:{leg}"), *self._searched(refused)]
            case Answered(sdp) | Offered(sdp):
                won = self._searched(self._search.answered(leg))
                return [*won, Reached(leg, sdp)] if self._search.winner == leg else won
            case _:
                return []

    def expired(self, leg: str) -> list[Outcome]:
        """The ring time of a branch is over."""
        return self._searched(self._search.expired(leg))

    def stop(self) -> list[Effect]:
        """Give the search up, with every leg of it."""
        self._search.stop()
        out: list[Effect] = []
        for leg in self._targets:
            out += [StopTimer(f"ring:{leg}"), Release(leg)]
        return out

    def told(self, status: int, reason: str, *, final: bool = False) -> NotifyReferral:
        """The word to the leaving party."""
        return NotifyReferral(self.leaving, self.key, status, reason, final)

    def _searched(self, outcomes: list[SearchOutcome]) -> list[Outcome]:
        assert self._destination is not None
        out: list[Outcome] = []
        for outcome in outcomes:
            match outcome:
                case RingBranch(leg, seconds):
                    identity = self._destination.identity
                    out.append(Ring(leg, self._targets[leg], identity, self.offer))
                    out.append(StartTimer(f"ring:{leg}", seconds))
                case DropBranch(leg, elsewhere):
                    out += [StopTimer(f"ring:{leg}"), Release(leg, ELSEWHERE if elsewhere else ())]
                case Won(leg):
                    out.append(StopTimer(f"ring:{leg}"))
                case Exhausted(status, text):
                    out.append(NotReached(status, text))
        return out
