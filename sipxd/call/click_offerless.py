"""Click-to-call, flow ``offerless``: the destination makes the offer (RFC 3725, flow III).

::

    phase     event                               next
    FAR       answered                            JOINING: the user's phone is offered that; its
                                                  answer goes into the destination's ACK
    FAR       an INVITE without SDP is refused    the same branch again, with the user's offer
    JOINING   the user's phone refuses            ENDED: a held answer in the ACK, then BYE to both

An offer in a 183 could not be answered, so that there is no preview (RFC 3261 section 13.2.1).
Everything else is as in `sipxd.call.click_offer`.
"""

from __future__ import annotations

import attrs

from sipxd.call.click import WANTS_SDP, Memory, remember
from sipxd.call.click_offer import OfferClick
from sipxd.call.effects import Effect, Ring, Target
from sipxd.call.phones import Refusal
from sipxd.call.plan import Destination
from sipxd.call.record import ClickFlow
from sipxd.call.search import BranchState
from sipxd.call.search import Outcome as SearchOutcome
from sipxd.sip.leg import Event, Refused


class OfferlessClick(OfferClick):
    """The destination is invited without SDP."""

    def __init__(
        self,
        devices: Destination,
        destination: Destination,
        *,
        refuses: Memory = lambda user_agent, refusal: False,
        ringback: Target | None = None,
        busy_tone: Target | None = None,
    ) -> None:
        super().__init__(
            devices, destination, refuses=refuses, ringback=ringback, busy_tone=busy_tone
        )
        self.flow = ClickFlow.OFFERLESS
        self._offered_own: set[str] = set()
        """The branches whose INVITE has the offer of the user's phone."""

    def _near_up(self) -> list[Effect]:
        return self._ring_far(None)

    def _searched(self, outcomes: list[SearchOutcome]) -> list[Effect]:
        return [
            self._with_offer(effect)
            if isinstance(effect, Ring)
            and self._refuses(effect.target.user_agent, Refusal.OFFERLESS)
            else effect
            for effect in super()._searched(outcomes)
        ]

    def _with_offer(self, ring: Ring) -> Ring:
        self._offered_own.add(ring.leg)
        return attrs.evolve(ring, sdp=self._own)

    def _candidate_event(self, leg: str, event: Event) -> list[Effect]:
        match event:
            case Refused(status, _, agent, _) if self._wants_own(leg, status):
                target = self._search.target(leg)
                assert target is not None
                again = self._with_offer(Ring(leg, target, self._destination.identity))
                return [*remember(target.user_agent or agent, Refusal.OFFERLESS), again]
            case _:
                return super()._candidate_event(leg, event)

    def _wants_own(self, leg: str, status: int) -> bool:
        rings = self._search.state(leg) is BranchState.RINGING
        return status in WANTS_SDP and leg not in self._offered_own and rings
