"""A call: a near side, a search for the destination, and a bridge.

What click-to-call (`sipxd.call.click`) and a call from a phone (`sipxd.call.phone`) share: the far
search, the bridged call with everything that phones do in it, and the end.  Sans-IO: every method
takes an event of a leg and returns effects; an event may come in any state.
"""

from __future__ import annotations

import abc
import enum

from sipxd.call.bridge import Bridge, Joined, JoinFailed
from sipxd.call.bridge import Outcome as BridgeOutcome
from sipxd.call.effects import (
    Effect,
    Forward,
    Record,
    Release,
    Respond,
    Ring,
    StopTimer,
    reason,
)
from sipxd.call.plan import NOT_PARKED, Destination, Plan
from sipxd.call.record import CallState, Cause, Side
from sipxd.call.search import LIMIT, RING, Exhausted, RingBranch, Search, Won
from sipxd.call.search import Outcome as SearchOutcome
from sipxd.sip.leg import (
    Answered,
    Ended,
    Event,
    Offered,
    OfferFailed,
    Progress,
    Refused,
    Relay,
    Relayed,
    Updated,
)


class Phase(enum.Enum):
    """How far the call is."""

    NEAR = "the caller's own phones ring"
    FAR = "the destination rings"
    JOINING = "both sides are there, media is being joined"
    BRIDGED = "bridged"
    ENDED = "ended"


HUNG_UP = reason(200, "Hung up")
GIVEN_UP = reason(487, "Hung up")
"""Before an answer: 200 in a CANCEL is taken for an answer elsewhere, and no call is missed."""
FAR = "far-"
"""What the names of the legs of the destination begin with."""


class Call(abc.ABC):
    """One call. Legs are named; ``near`` is the caller's."""

    def __init__(self, near: str, destination: Destination) -> None:
        self.phase = Phase.FAR
        self.near = near
        self.far: str | None = None
        self._destination = destination
        self._search = Search(destination.plan, FAR)
        self._offer_out: bytes | None = None
        self._bridge: Bridge | None = None
        self._relayed: dict[str, tuple[str, str]] = {}
        self._mismatch = False

    # -- the far search ------------------------------------------------------------------------

    def _ring_far(self, offer: bytes | None) -> list[Effect]:
        if self.phase is Phase.ENDED:
            return []  # given up while the beginning of the call was being stored
        self._offer_out = offer
        return self._searched(self._search.start())

    def found(self, branch: str, plan: Plan) -> list[Effect]:
        """The number of a branch of the search leads to ``plan``."""
        return self._searched(self._search.found(branch, plan))

    def not_found(self, branch: str, status: int, text: str) -> list[Effect]:
        """The number of a branch leads nowhere, or may not be called."""
        return self._searched(self._search.not_found(branch, status, text))

    def _searched(self, outcomes: list[SearchOutcome]) -> list[Effect]:
        out: list[Effect] = []
        rung = False
        for outcome in outcomes:
            match outcome:
                case RingBranch(leg, target):
                    rung = True
                    out.append(Ring(leg, target, self._destination.identity, self._offer_out))
                case Won(leg):
                    self.far = leg
                case Exhausted(status, text):
                    out += self._nobody(status, text)
                case _:
                    out.append(outcome)
        if rung and self._destination.plan.is_cascade:
            ringing = self._search.ringing
            out.append(Record("call.ringing", {"ringing": ringing}, data={"to": ringing}))
        return out

    def _answered_by(self) -> dict[str, object]:
        """What the record is told of who has answered."""
        target = None if self.far is None else self._search.target(self.far)
        return {"ringing": (), "reached": "" if target is None else target.label}

    def _nobody(self, status: int, text: str) -> list[Effect]:
        """Nobody at the destination answered."""
        return self._end(Cause("callee", Side.FAR, status, refusal_sentence(status, text)))

    def _far_progress(self, leg: str, progress: Progress) -> list[Effect]:
        return []

    @abc.abstractmethod
    def _far_up(self, leg: str, sdp: bytes, *, offered: bool) -> list[Effect]:
        """The winner is there with its description. ``offered``: it waits for an answer."""

    # -- events --------------------------------------------------------------------------------

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if self.phase is Phase.ENDED:
            return self._after_the_end(leg, event)
        if leg != self.far and self._search.owns(leg):
            return self._candidate_event(leg, event)
        match event:
            case Relay(key, _):
                return self._relay(leg, key, event)
            case Relayed(key, _, _, _):
                origin = self._relayed.pop(key, None)
                return [] if origin is None else [Respond(*origin, event)]
            case Ended(by_peer, status, sentence):
                return self._leg_ended(leg, by_peer=by_peer, status=status, sentence=sentence)
            case _:
                if self._bridge is not None:
                    return self._bridge_event(leg, event)
                return self._early_event(leg, event)

    def _candidate_event(self, leg: str, event: Event) -> list[Effect]:
        match event:
            case Progress(_, said):
                self._search.progress(leg, plays=said is not None)
                return self._far_progress(leg, event)
            case Refused(status, text, _, contacts):
                return self._searched(self._search.refused(leg, status, text, contacts))
            case Answered(sdp) | Offered(sdp):
                out = self._searched(self._search.answered(leg))
                if self.far == leg:
                    out += self._far_up(leg, sdp, offered=isinstance(event, Offered))
                return out
            case _:
                return []

    def _early_event(self, leg: str, event: Event) -> list[Effect]:
        """An event of the near leg (or a tone) before there is a bridge."""
        return []

    def _leg_ended(self, leg: str, *, by_peer: bool, status: int, sentence: str) -> list[Effect]:
        side = Side.NEAR if leg == self.near else Side.FAR
        return self._end(Cause(side.value if by_peer else "sipxd", side, status, sentence))

    def _after_the_end(self, leg: str, event: Event) -> list[Effect]:
        """Late answers are hung up, open questions are answered, nothing else matters."""
        match event:
            case Answered() | Offered():
                return [Release(leg)]
            case Relay(key, _):
                return [Respond(leg, key, Relayed(key, 481))]
            case _:
                return []

    def _relay(self, leg: str, key: str, event: Relay) -> list[Effect]:
        """INFO and MESSAGE cross the bridge; before there is one nobody could hear them."""
        if self._bridge is None or len(self._relayed) >= 32:
            return [Respond(leg, key, Relayed(key, 480))]
        other = self._bridge.other(leg)
        crossing = f"{leg}>{key}"
        self._relayed[crossing] = (leg, key)
        return [Forward(other, leg, crossing, event.request)]

    # -- the bridge ----------------------------------------------------------------------------

    def _bridge_event(self, leg: str, event: Event) -> list[Effect]:
        bridge = self._bridge
        assert bridge is not None
        match event:
            case Offered(sdp, update):
                return self._bridged(bridge.offered(leg, sdp, update=update))
            case Answered(sdp, offered):
                return self._bridged(bridge.answered(leg, sdp, offered))
            case Updated(sdp):
                return self._bridged(bridge.updated(leg, sdp))
            case OfferFailed(status, offered):
                return self._bridged(bridge.failed(leg, status, offered))
            case _:
                return []

    def _bridged(self, outcomes: list[BridgeOutcome]) -> list[Effect]:
        out: list[Effect] = []
        for outcome in outcomes:
            match outcome:
                case Joined(mismatch):
                    out += self._joined(mismatch=mismatch)
                case JoinFailed(status):
                    sentence = unjoined_sentence(status)
                    return out + self._end(Cause("sipxd", Side.NEAR, status, sentence))
                case _:
                    out.append(outcome)
        return out

    def _joined(self, *, mismatch: bool) -> list[Effect]:
        if self.phase is Phase.BRIDGED:
            if mismatch and not self._mismatch:
                self._mismatch = True
                return [Record("call.media_mismatch", {"media_mismatch": True})]
            return []
        self.phase = Phase.BRIDGED
        self._mismatch = mismatch
        changes = {"state": CallState.BRIDGED, "media_mismatch": mismatch, **self._answered_by()}
        return [Record("call.bridged", changes, now=("bridged",))]

    # -- the end -------------------------------------------------------------------------------

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if self.phase is Phase.ENDED:
            return []
        if name == LIMIT + FAR:
            return self._searched(self._search.out_of_time())
        return self._searched(self._search.expired(name.removeprefix(RING)))

    def hang_up(self, who: str, sentence: str) -> list[Effect]:
        """End the call from outside, in whatever state."""
        return self._end(Cause(who, None, 200, sentence))

    def _end(self, cause: Cause) -> list[Effect]:
        """Release every leg and say why."""
        if self.phase is Phase.ENDED:
            return []
        hung_up = HUNG_UP if self.phase is Phase.BRIDGED else GIVEN_UP
        self.phase = Phase.ENDED
        headers = hung_up if cause.code == 200 else reason(cause.code, cause.sentence)
        out = unwound(self._search)
        out += [Release(leg, headers) for leg in self._everybody()]
        out += [Respond(*origin, Relayed(key, 480)) for key, origin in self._relayed.items()]
        self._relayed.clear()
        changes = {"state": CallState.ENDED, "cause": cause, "ringing": ()}
        out.append(Record("call.ended", changes, now=("ended",)))
        return out

    def _everybody(self) -> list[str]:
        """Every leg there may be; releasing one that has gone does nothing."""
        return [self.near, *self._search.legs]


def unwound(search: Search) -> list[Effect]:
    """Give ``search`` up; its legs are released by whoever ends the call."""
    return [outcome for outcome in search.stop() if isinstance(outcome, StopTimer)]


NO_COMMON_MEDIA = frozenset({415, 488, 606})
"""A session description is refused so for what is in it (RFC 3261 sections 21.4.13, 21.4.26)."""
_SENTENCES = {
    404: "The number does not exist.",
    408: "Nobody answered in time.",
    480: "Nobody can be reached there now.",
    486: "The line is busy.",
    487: "The call was given up.",
    488: "The phones have no media in common.",
    503: "The phone could not be reached.",
    600: "Busy everywhere.",
    603: "The call was declined.",
}


def unjoined_sentence(status: int) -> str:
    """Why two phones that have both answered could not be joined, in words."""
    if status in NO_COMMON_MEDIA:
        return "The two phones have no media in common."
    return f"The two phones could not be joined: {status} to the other one's media."


def refusal_sentence(status: int, text: str) -> str:
    """Why nobody answered, in words."""
    if text == NOT_PARKED:
        return f"{text}."
    known = _SENTENCES.get(status)
    return (
        known if known is not None else f"The other side refused the call: {status} {text}".strip()
    )
