"""Click-to-call, flow ``refer``: the user's phone is asked to call the destination itself.

RFC 3515, RFC 5589.  Its first call to us is only what carries the REFER; we always end it, because
phones do not.

::

    phase     event                               next
    FAR       REFER is refused                    flow ``offer`` on the call that is there
    FAR       the phone's own call comes to us    the call goes on as `ReferredCall`
    FAR       the sipfrag tells of a success      ENDED: the phone has its call elsewhere
    FAR       the sipfrag tells of a refusal      ENDED with that
    FAR       nothing for too long                ENDED
    any       the user hangs up, DELETE           ENDED

Where phones are registered with us, they are referred to a one-time user part of ours.  Beside a
PBX they are referred to the number, and the call is out of our hands afterwards.
"""

from __future__ import annotations

from sipxd.call.call import Phase, refusal_sentence
from sipxd.call.click import Memory, remember
from sipxd.call.click_offer import OfferClick
from sipxd.call.effects import (
    AnswerHeld,
    Effect,
    Record,
    Refer,
    ReferHome,
    Release,
    Respond,
    StartTimer,
    StopTimer,
    Target,
)
from sipxd.call.phone import PhoneCall
from sipxd.call.phones import Refusal
from sipxd.call.plan import Destination
from sipxd.call.record import CallState, Cause, ClickFlow, Side
from sipxd.sip.leg import Ended, Event, Offered, ReferOutcome, Relay, Relayed, Up
from sipxd.sip.sdp import Direction

RETURN = "return"
"""The leg on which the user's phone calls us."""
RETURN_SECONDS = 15.0
"""How long the phone may take to call us after its REFER."""
ORPHAN_SECONDS = 4.0
"""The same once it has hung up on the call that carried the REFER, as some do before they dial."""
TOLD_SECONDS = 60.0
"""How much longer than the destination rings the phone may take to tell what came of it."""
FAREWELL_SECONDS = 4.0
"""How long the first call is kept for a last NOTIFY once the second one is bridged."""
_TIMER = "refer"
_UNKNOWN_METHOD = frozenset({405, 501})
_LOST = frozenset({408, 481})
"""A REFER answered so ends the dialog (RFC 5057): the end of the leg says the rest."""


class ReferClick(OfferClick):
    """``refer_to`` is the number as a URI; ``token`` the one-time user part, empty: beside a PBX.

    ``only_known``: phones are referred only where they say that they take REFER.
    """

    _hold = Direction.SENDONLY  # some phones die of a REFER after an inactive offer

    def __init__(
        self,
        devices: Destination,
        destination: Destination,
        *,
        refer_to: str,
        token: str = "",
        only_known: bool = False,
        refuses: Memory = lambda user_agent, refusal: False,
        ringback: Target | None = None,
        busy_tone: Target | None = None,
    ) -> None:
        super().__init__(
            devices, destination, refuses=refuses, ringback=ringback, busy_tone=busy_tone
        )
        self.flow = ClickFlow.AUTO if only_known else ClickFlow.REFER
        self._refer_to = refer_to
        self._token = token
        self._only_known = only_known
        self._referring = False
        self._accepted = False
        """Whether the phone has taken the REFER."""
        self._hung_up: Cause | None = None
        """Why the first call ended while the second one was still to come."""

    def _near_up(self) -> list[Effect]:
        phone = self._up.get(self.near, Up())
        if not self._takes_refer(phone):
            self.flow = ClickFlow.OFFER
            return super()._near_up()
        self.flow = ClickFlow.REFER
        self._referring = True
        headers = (("Referred-By", self._devices.identity.to),)
        if self._token:
            refer = ReferHome(self.near, self._token, headers)
            return [refer, StartTimer(_TIMER, RETURN_SECONDS)]
        seconds = self._destination.seconds + TOLD_SECONDS
        return [Refer(self.near, self._refer_to, headers), StartTimer(_TIMER, seconds)]

    def _takes_refer(self, phone: Up) -> bool:
        known_as = (phone.user_agent, self._near_target(self.near).user_agent)
        if any(self._refuses(agent, Refusal.REFER) for agent in known_as):
            return False
        return "REFER" in phone.allows or not (self._only_known or phone.allows)

    # -- what comes of the REFER ---------------------------------------------------------------

    def came_back(self, leg: str, offer: bytes | None) -> ReferredCall | None:
        """The phone calls us as it was asked to: the call that goes on; None where it is too late.

        ``leg`` is its INVITE, which made the ``offer``.
        """
        if self.phase is not Phase.FAR or not self._referring:
            return None
        self.phase = Phase.ENDED  # of this machine; its successor has the legs now
        first = self.near if self._hung_up is None else None
        return ReferredCall(leg, offer, self._destination, self._user, first=first)

    def _early_event(self, leg: str, event: Event) -> list[Effect]:
        match event:
            case ReferOutcome(status, text, final) if self._referring and leg == self.near:
                if not final:
                    self._accepted = True
                    return []
                return self._outcome(status, text)
            case _:
                return super()._early_event(leg, event)

    def _outcome(self, status: int, text: str) -> list[Effect]:
        if not self._accepted:
            return [] if status in _LOST else self._offer_instead(status)
        if status < 300:
            sentence = "The user's phone has called the number by itself."
            bridged = Record("call.bridged", {"state": CallState.BRIDGED}, now=("bridged",))
            return [bridged, *self._end(Cause("sipxd", None, 200, sentence))]
        if self._token:
            sentence = f"The user's phone could not make the call: {status} {text}".strip()
            return self._end(Cause("caller", Side.NEAR, status, sentence))
        return self._end(Cause("callee", Side.FAR, status, refusal_sentence(status, text)))

    def _offer_instead(self, status: int) -> list[Effect]:
        """The phone does not take REFER: its call is there, and will do."""
        self._referring = False
        self.flow = ClickFlow.OFFER
        out: list[Effect] = [StopTimer(_TIMER), Record("call.flow", {"flow": self.flow})]
        if status in _UNKNOWN_METHOD:
            known_as = self._near_target(self.near).user_agent or self._up[self.near].user_agent
            out += remember(known_as, Refusal.REFER)
        return out + super()._near_up()

    def _leg_ended(self, leg: str, *, by_peer: bool, status: int, sentence: str) -> list[Effect]:
        if not (self._referring and self._accepted and self._token and by_peer):
            return super()._leg_ended(leg, by_peer=by_peer, status=status, sentence=sentence)
        self._hung_up = Cause(Side.NEAR.value, Side.NEAR, status, sentence)
        return [StartTimer(_TIMER, ORPHAN_SECONDS)]

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if name != _TIMER or not self._referring or self.phase is Phase.ENDED:
            return super().timer(name)
        if self._hung_up is not None:
            return self._end(self._hung_up)
        sentence = (
            "The user's phone did not make the call that it was asked for."
            if self._token
            else "The user's phone does not tell what became of the call."
        )
        return self._end(Cause("caller", Side.NEAR, 408, sentence))

    def _end(self, cause: Cause) -> list[Effect]:
        out = super()._end(cause)
        return [StopTimer(_TIMER), *out] if out and self._referring else out


class ReferredCall(PhoneCall):
    """What a click-to-call becomes when the user's phone calls us: a call from that phone.

    ``first`` is the leg that carried the REFER, None where the phone has ended it already.
    """

    def __init__(
        self,
        near: str,
        offer: bytes | None,
        destination: Destination,
        user: str,
        *,
        first: str | None,
    ) -> None:
        super().__init__(near, offer, destination, user)
        self._answered = ()  # the user was there before
        self._first = first

    def start(self) -> list[Effect]:
        """Ring the destination."""
        return [StopTimer(_TIMER), Record("call.returned"), *super().start()]

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if self.phase is not Phase.ENDED and leg.startswith("near-"):
            return self._first_event(leg, event)
        return super().leg_event(leg, event)

    def _first_event(self, leg: str, event: Event) -> list[Effect]:
        """The phone's first call; also what a phone that rang beside it still has to tell."""
        match event:
            case Offered() if leg == self._first:
                return [AnswerHeld(leg)]
            case ReferOutcome(_, _, final=True) if leg == self._first:
                return self._farewell()
            case Ended() if leg == self._first:
                self._first = None
                return [StopTimer(_TIMER)]
            case Relay(key, _):
                return [Respond(leg, key, Relayed(key, 480))]
            case Offered():
                return [Release(leg)]
            case _:
                return []

    def _farewell(self) -> list[Effect]:
        """End the first call."""
        first, self._first = self._first, None
        return [] if first is None else [StopTimer(_TIMER), Release(first)]

    def _far_up(self, leg: str, sdp: bytes, *, offered: bool) -> list[Effect]:
        out = super()._far_up(leg, sdp, offered=offered)
        if self._first is not None:
            out.append(StartTimer(_TIMER, FAREWELL_SECONDS))
        return out

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if name == _TIMER:
            return [] if self.phase is Phase.ENDED else self._farewell()
        return super().timer(name)

    def _end(self, cause: Cause) -> list[Effect]:
        out = super()._end(cause)
        return out if self._first is None or not out else [StopTimer(_TIMER), *out]

    def _everybody(self) -> list[str]:
        return [*super()._everybody(), *([] if self._first is None else [self._first])]
