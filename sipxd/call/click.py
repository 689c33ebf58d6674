"""Click-to-call, the near side: a phone of the user rings first, and waits without media.

What follows when it has answered is a flow of its own: `sipxd.call.click_offer`,
`sipxd.call.click_offerless`, `sipxd.call.click_refer`.

::

    phase     event                               next
    NEAR      a phone of the user answers         FAR: it is held, the flow goes on
    NEAR      it refuses an INVITE without SDP    the same phone again, with a held offer
    NEAR      nobody answers                      ENDED
    any       the user hangs up, DELETE           ENDED
"""

from __future__ import annotations

import abc
from collections.abc import Callable

from sipxd.call.call import Phase, unwound
from sipxd.call.effects import AnswerHeld, Effect, Record, Remember, Ring, Target
from sipxd.call.phones import Refusal
from sipxd.call.plan import Destination, Plan
from sipxd.call.record import CallState, Cause, ClickFlow, Side
from sipxd.call.search import LIMIT, RING, BranchState, Exhausted, RingBranch, Search, Won
from sipxd.call.search import Outcome as SearchOutcome
from sipxd.call.transferable import TransferableCall
from sipxd.sip.leg import Answered, Event, Offered, Refused, Up, Updated
from sipxd.sip.leg_media import readable
from sipxd.sip.media import is_hold, revived
from sipxd.sip.sdp import Direction

WANTS_SDP = frozenset({400, 415, 488, 606})
"""What phones answer that do not take an INVITE without SDP."""

NEAR = "near-"
"""What the names of the legs of the user's own phones begin with."""

Memory = Callable[[str, Refusal], bool]
"""Whether phones that call themselves so are known to refuse that."""


class ClickToCall(TransferableCall, abc.ABC):
    """``devices`` are the user's own phones, ``refuses`` what is known of such phones."""

    flow: ClickFlow
    """How the call is set up, as its record tells it."""
    _hold = Direction.INACTIVE
    """What an offer without media says, for a phone that wants one."""

    def __init__(
        self,
        devices: Destination,
        destination: Destination,
        *,
        refuses: Memory = lambda user_agent, refusal: False,
    ) -> None:
        super().__init__("near-1", destination)
        self.phase = Phase.NEAR
        self._devices = devices
        self._near_search = Search(devices.plan, NEAR)
        self._refuses = refuses
        self._offered_held: set[str] = set()
        """The user's phones whose INVITE had an offer."""
        self._up: dict[str, Up] = {}
        """What the user's phones said of themselves when they answered."""
        self._said = b""
        """How the user's phone has described itself last."""
        self._own = b""
        """The same as an offer to somebody else."""

    def start(self) -> list[Effect]:
        """Ring the user's own phones."""
        if self.phase is Phase.ENDED:
            return []
        return self._near_searched(self._near_search.start())

    @abc.abstractmethod
    def _near_up(self) -> list[Effect]:
        """The user's phone is there, and held: go on to the destination."""

    # -- the user's own phones -----------------------------------------------------------------

    def _near_searched(self, outcomes: list[SearchOutcome]) -> list[Effect]:
        out: list[Effect] = []
        for outcome in outcomes:
            match outcome:
                case RingBranch(leg, target):
                    wants_offer = self._refuses(target.user_agent, Refusal.OFFERLESS)
                    out.append(self._ring_near(leg, held=wants_offer))
                case Won():
                    pass  # seen by whoever told of the answer
                case Exhausted(status, text):
                    sentence = _near_sentence(status, text)
                    out += self._end(Cause("caller", Side.NEAR, status, sentence))
                case _:
                    out.append(outcome)
        return out

    def _ring_near(self, leg: str, *, held: bool) -> Ring:
        if held:
            self._offered_held.add(leg)
        target = self._near_target(leg)
        return Ring(leg, target, self._devices.identity, held=self._hold if held else None)

    def _near_target(self, leg: str) -> Target:
        target = self._near_search.target(leg)
        assert target is not None
        return target

    def _near_event(self, leg: str, event: Event) -> list[Effect]:
        """An event of one of the user's phones that has not won."""
        match event:
            case Up():
                self._up[leg] = event
                return []
            case Refused(status, text, agent, contacts):
                if self._wants_offer(leg, status):
                    target = self._near_target(leg)
                    again = self._ring_near(leg, held=True)
                    return [*remember(target.user_agent or agent, Refusal.OFFERLESS), again]
                refused = self._near_search.refused(leg, status, text, contacts)
                return self._near_searched(refused)
            case Offered(sdp) | Answered(sdp):
                out = self._near_searched(self._near_search.answered(leg))
                if self._near_search.winner != leg or self.phase is not Phase.NEAR:
                    return out
                fresh = isinstance(event, Offered)
                self.near, self._said = leg, sdp
                self._user = self._near_target(leg).user
                self._own = _for_offering(sdp, fresh=fresh)
                self.phase = Phase.FAR
                if fresh:
                    out.append(AnswerHeld(leg))
                following = self._near_up()
                changes = {"state": CallState.CALLEE, "flow": self.flow}
                return [*out, Record("call.answered", changes, now=("answered",)), *following]
            case _:
                return []

    def _wants_offer(self, leg: str, status: int) -> bool:
        """Whether the phone refused because its INVITE had no offer, and is still wanted."""
        rings = self._near_search.state(leg) is BranchState.RINGING
        return status in WANTS_SDP and leg not in self._offered_held and rings

    # -- events --------------------------------------------------------------------------------

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if (
            self.phase is not Phase.ENDED
            and self._near_search.owns(leg)
            and (leg != self.near or self.phase is Phase.NEAR)
        ):
            return self._near_event(leg, event)
        return super().leg_event(leg, event)

    def _early_event(self, leg: str, event: Event) -> list[Effect]:
        """The user's phone, while the destination rings."""
        match event:
            case Offered(sdp):
                self._said = sdp
                return [AnswerHeld(leg)]
            case Updated(sdp):
                self._said = sdp
                return []
            case _:
                return []

    def found(self, branch: str, plan: Plan) -> list[Effect]:
        """The number of a branch of a search leads to ``plan``."""
        if self.phase is not Phase.ENDED and self._near_search.owns(branch):
            return self._near_searched(self._near_search.found(branch, plan))
        return super().found(branch, plan)

    def not_found(self, branch: str, status: int, text: str) -> list[Effect]:
        """The number of a branch leads nowhere, or may not be called."""
        if self.phase is not Phase.ENDED and self._near_search.owns(branch):
            return self._near_searched(self._near_search.not_found(branch, status, text))
        return super().not_found(branch, status, text)

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if name == LIMIT + NEAR and self.phase is not Phase.ENDED:
            return self._near_searched(self._near_search.out_of_time())
        leg = name.removeprefix(RING)
        if self.phase is not Phase.ENDED and self._near_search.owns(leg):
            return self._near_searched(self._near_search.expired(leg))
        return super().timer(name)

    def _end(self, cause: Cause) -> list[Effect]:
        out = super()._end(cause)
        return [*unwound(self._near_search), *out] if out else out

    def _everybody(self) -> list[str]:
        return [*self._near_search.legs, *super()._everybody()]


def remember(user_agent: str, refusal: Refusal) -> list[Effect]:
    """Note what such a phone refused; one without a name would not be known again."""
    return [Remember(user_agent, refusal)] if user_agent else []


def _for_offering(sdp: bytes, *, fresh: bool) -> bytes:
    """The description of the user's phone as an offer to the destination.

    One that answered our held offer says inactive only because we did; it is revived.
    """
    described = readable(sdp)
    if described is None or (fresh and not is_hold(described)):
        return sdp
    return revived(described).encode()


def _near_sentence(status: int, text: str) -> str:
    if status == 408:
        return "The user's own phone was not answered in time."
    return f"The user's own phone did not take the call: {status} {text}".strip()
