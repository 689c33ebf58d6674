"""A call whose parties can change while it is bridged: transfer, attended transfer, Replaces.

RFC 3515, RFC 3891, RFC 5589.  A REFER ends here: the phone that referred is told by NOTIFY, the new
party takes its side of the call, and the bridge joins it with the party that stays.

::

    event                                     what follows
    a party refers to a number                202; the number is rung under the policy of its user
      the number answers                      NOTIFY 200, the party is hung up, the others joined
      it does not, or may not be called       NOTIFY with the refusal; the call goes on as it was
      the party hangs up meanwhile            the search goes on; where it fails the call ends
    a party refers to a leg of another call   the leg is taken over from there, which ends that call
    an INVITE replaces a party                the one who stays is offered its media; then BYE
    the party that stays hangs up             everything ends

One change is under way at a time.  A party of the call may transfer where it is a phone of one of
our users, who then answers for the new call; an outside party may not do so at our cost.
"""

from __future__ import annotations

from sipxd.call.bridge import Bridge
from sipxd.call.call import Call, Phase, refusal_sentence
from sipxd.call.effects import (
    Accept,
    AcceptReferral,
    AnswerHeld,
    AskReferral,
    Effect,
    Offer,
    Record,
    Refuse,
    RefuseReferral,
    Reject,
    Release,
    Respond,
    StartTimer,
    StopTimer,
    reason,
)
from sipxd.call.plan import Destination, Plan
from sipxd.call.record import Cause, Side
from sipxd.call.transfer import (
    BY_API,
    Change,
    NotReached,
    Outcome,
    Reached,
    Replacement,
    Transfer,
)
from sipxd.sip.leg import (
    Answered,
    Ended,
    Event,
    Offered,
    OfferFailed,
    Referred,
    Relay,
    Relayed,
    Updated,
)
from sipxd.sip.leg_media import readable
from sipxd.sip.media import revived

PREFIX = "transfer-"
"""What the names of legs begin with that come into the call later."""
MAXIMUM_CHANGES = 100
"""Parties that may come into one call: phones that forward to each other end somewhere."""
REPLACE_SECONDS = 10.0
"""How long the party that stays may take to answer what a replacing INVITE offers."""
TRANSFERRED = reason(200, "Call transferred")
_REPLACE_TIMER = "replace"


class TransferableCall(Call):
    """``user`` is whose phone the near leg is; empty: nobody's of ours."""

    def __init__(self, near: str, destination: Destination, user: str = "") -> None:
        super().__init__(near, destination)
        self._user = user
        self._users: dict[str, str] = {}
        """Whose phones the legs are that came into the call later."""
        self._change: Change | None = None
        self._changes = 0

    # -- who is who ----------------------------------------------------------------------------

    def user_of(self, leg: str) -> str:
        """The user whose phone ``leg`` is; empty: somebody outside."""
        if leg in self._users:
            return self._users[leg]
        target = self._search.target(leg)
        if target is not None:
            return target.user
        return self._user if leg == self.near else ""

    def partner_of(self, leg: str) -> str | None:
        """The party that ``leg`` talks to; None unless the call is bridged and may be changed."""
        if self.phase is not Phase.BRIDGED or self._bridge is None or self._change is not None:
            return None
        return self._bridge.other(leg) if leg in (self.near, self.far) else None

    def new_leg(self) -> str:
        """A name for a leg that comes into the call now."""
        self._changes += 1
        return f"{PREFIX}{self._changes}"

    # -- a party refers ------------------------------------------------------------------------

    def _referred(self, leg: str, event: Referred) -> list[Effect]:
        staying = self.partner_of(leg)
        if staying is None:
            return [RefuseReferral(leg, event.key, 491)]
        user = self.user_of(leg)
        if self._changes >= MAXIMUM_CHANGES:
            return [RefuseReferral(leg, event.key, 482)]
        if not user:
            refused = "Forbidden: only a user of this house can transfer a call"
            return [RefuseReferral(leg, event.key, 403, refused)]
        self._change = Transfer(self.new_leg(), leg, staying, event.key)
        ask = AskReferral(leg, event.key, user, staying, event.refer_to, event.replaces)
        return [AcceptReferral(leg, event.key), ask]

    def let_near_leave(self) -> str | None:
        """The near party is about to leave: gives who stays, None where that cannot be now.

        `transfer` or `refuse_transfer` follows, with the key ``BY_API``.
        """
        staying = self.partner_of(self.near)
        if staying is not None and self._changes < MAXIMUM_CHANGES:
            self._change = Transfer(self.new_leg(), self.near, staying, BY_API)
            return staying
        return None

    def _transfer_of(self, key: str) -> Transfer | None:
        change = self._change
        return change if isinstance(change, Transfer) and change.key == key else None

    def transfer(self, key: str, destination: Destination, number: str) -> list[Effect]:
        """The referral ``key`` leads to ``destination``, known as ``number``."""
        transfer = self._transfer_of(key)
        if transfer is None or transfer.dialled or self._bridge is None:
            return []
        said = self._bridge.said.get(transfer.staying)
        if said is None:
            return self._not_changed(488, "")
        transfer.to = number
        return self._transferred(transfer.dial(destination, _lively(said)))

    def refuse_transfer(self, key: str, status: int, sentence: str) -> list[Effect]:
        """The referral ``key`` leads nowhere, or may not be followed."""
        return [] if self._transfer_of(key) is None else self._not_changed(status, sentence)

    def take_over(
        self, key: str, leg: str, said: bytes | None, *, user: str, number: str
    ) -> list[Effect]:
        """The referral ``key`` led to a party of another call; it is ours now, as ``leg``."""
        transfer = self._transfer_of(key)
        if transfer is None or transfer.dialled:
            return [Release(leg)]
        self._users[leg] = user
        transfer.to = number
        out = self._change_party(leg)
        assert self._bridge is not None
        if said is not None:
            self._bridge.said[leg] = said
        return [*out, *self._bridged(self._bridge.join(leg))]

    def part_with(self, leg: str, sentence: str) -> list[Effect]:
        """Another call takes ``leg`` over: this one ends without hanging up on it."""
        out = self._settle(leg)
        for effect in self._end(Cause("sipxd", None, 200, sentence)):
            if not isinstance(effect, Release):
                out.append(effect)
            elif effect.leg != leg:
                out.append(Release(effect.leg, TRANSFERRED))
        return out

    def said_by(self, leg: str) -> bytes | None:
        """The description that ``leg`` has given of itself last."""
        return None if self._bridge is None else self._bridge.said.get(leg)

    def found(self, branch: str, plan: Plan) -> list[Effect]:
        """The number of a branch of a search leads to ``plan``."""
        change = self._change
        if isinstance(change, Transfer) and change.owns(branch):
            return self._transferred(change.found(branch, plan))
        return super().found(branch, plan)

    def not_found(self, branch: str, status: int, text: str) -> list[Effect]:
        """The number of a branch leads nowhere, or may not be called."""
        change = self._change
        if isinstance(change, Transfer) and change.owns(branch):
            return self._transferred(change.not_found(branch, status, text))
        return super().not_found(branch, status, text)

    # -- an INVITE replaces a party ------------------------------------------------------------

    def replace(self, leaving: str, leg: str, offer: bytes | None, user: str) -> list[Effect]:
        """The INVITE that came in as ``leg`` shall take the place of ``leaving``."""
        staying = self.partner_of(leaving)
        bridge = self._bridge
        if staying is None or bridge is None or bridge.busy:
            return [Refuse(leg, 491, "Request Pending")]
        if self._changes > MAXIMUM_CHANGES:
            return [Refuse(leg, 482, "Loop Detected")]
        said = bridge.said.get(staying)
        self._users[leg] = user
        self._change = Replacement(leaving, staying, user, leg=leg, offer=offer or b"")
        if offer is not None:
            return [Offer(staying, offer), StartTimer(_REPLACE_TIMER, REPLACE_SECONDS)]
        if said is None:
            return self._not_changed(488, "")
        # Its own description comes with the ACK, and is then offered to the one who stays.
        lively = _lively(said)
        out: list[Effect] = [Accept(leg, lively, leg), *self._change_party(leg)]
        assert self._bridge is not None
        self._bridge.shown[leg] = lively
        return out

    def _replacing_event(self, change: Replacement, leg: str, event: Event) -> list[Effect] | None:
        """An event that concerns the replacement; None: it does not."""
        match event:
            case Answered(sdp, offered) if leg == change.staying and offered == change.offer:
                return self._replaced(change, sdp)
            case OfferFailed(status, offered) if leg == change.staying and offered == change.offer:
                return self._not_changed(status, "")
            case Ended() if leg == change.leg:
                change.given_up = True
                return []
            case _:
                return [] if leg == change.leg else None

    def _replaced(self, change: Replacement, answer: bytes) -> list[Effect]:
        old = self._bridge
        assert old is not None
        old.said[change.staying], old.shown[change.staying] = answer, change.offer
        if change.given_up:
            return self._not_changed(487, "")
        out: list[Effect] = [Accept(change.leg, answer, change.leg)]
        out += self._change_party(change.leg)
        new = self._bridge
        assert new is not None
        new.said[change.leg], new.shown[change.leg] = change.offer, answer
        return out

    # -- how a change ends ---------------------------------------------------------------------

    def _transferred(self, outcomes: list[Outcome]) -> list[Effect]:
        out: list[Effect] = []
        for outcome in outcomes:
            match outcome:
                case Reached(leg, sdp):
                    out += self._reached(leg, sdp)
                case NotReached(status, text):
                    out += self._not_changed(status, text)
                case _:
                    out.append(outcome)
        return out

    def _reached(self, leg: str, sdp: bytes) -> list[Effect]:
        transfer = self._change
        assert isinstance(transfer, Transfer)
        self._users[leg] = transfer.user_of(leg)
        out = self._change_party(leg)
        assert self._bridge is not None
        self._bridge.shown[leg] = transfer.offer
        return out + self._bridged(self._bridge.join(leg, sdp))

    def _change_party(self, leg: str) -> list[Effect]:
        """``leg`` takes the side of the leaving party, who is told so and hung up."""
        change, old = self._change, self._bridge
        assert change is not None and old is not None
        self._change = None
        side = self._side_of(change.leaving)
        data = {"party": side.value, "by": self.user_of(change.leaving), "to": change.to}
        out = self._settle(change.staying)
        if isinstance(change, Transfer):
            out.append(change.told(200, "OK", final=True))
        out += [StopTimer(_REPLACE_TIMER), Release(change.leaving, TRANSFERRED)]
        if side is Side.NEAR:
            self.near = leg
        else:
            self.far = leg
        assert self.far is not None
        self._bridge = Bridge(self.near, self.far)
        for known, before in ((self._bridge.said, old.said), (self._bridge.shown, old.shown)):
            if change.staying in before:
                known[change.staying] = before[change.staying]
        return [*out, Record("call.transferred", data=data)]

    def _settle(self, leg: str) -> list[Effect]:
        """What ``leg`` still waits for from its partner is answered: the partner leaves."""
        out: list[Effect] = []
        if self._bridge is not None and self._bridge.owes(leg):
            out.append(Reject(leg, 491))
        out += [Respond(*origin, Relayed(key, 480)) for key, origin in self._relayed.items()]
        self._relayed.clear()
        return out

    def _not_changed(self, status: int, text: str) -> list[Effect]:
        """Nobody takes the place of the leaving party: the call goes on as it was, if it can."""
        change, bridge = self._change, self._bridge
        assert change is not None and bridge is not None
        self._change = None
        out: list[Effect] = [StopTimer(_REPLACE_TIMER)]
        if isinstance(change, Transfer):
            out += change.stop()
            out.append(change.told(status, text, final=True))
        elif isinstance(change, Replacement):
            out.append(Refuse(change.leg, status if status >= 400 else 488, text))
        if change.left is not None:
            return out + self._end(change.left)
        said = bridge.said.get(change.leaving)
        if isinstance(change, Replacement) and change.given_up and said is not None:
            out += self._bridged(bridge.join(change.leaving, said))
        return out

    # -- events --------------------------------------------------------------------------------

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if self.phase is Phase.ENDED:
            return super().leg_event(leg, event)
        change = self._change
        if isinstance(change, Replacement):
            out = self._replacing_event(change, leg, event)
            if out is not None:
                return out
        if leg.startswith(PREFIX) and leg not in (self.near, self.far):
            if isinstance(change, Transfer) and change.owns(leg):
                return self._transferred(change.event(leg, event))
            return self._after_the_end(leg, event)
        if self._changes and self.phase is Phase.BRIDGED and leg not in (self.near, self.far):
            return self._after_the_end(leg, event)
        if isinstance(event, Referred):
            return self._referred(leg, event)
        return super().leg_event(leg, event)

    def _bridge_event(self, leg: str, event: Event) -> list[Effect]:
        change, bridge = self._change, self._bridge
        if change is None or change.left is None or bridge is None:
            return super()._bridge_event(leg, event)
        match event:
            case Offered(sdp):
                bridge.said[leg] = sdp
                return [AnswerHeld(leg)]
            case Answered(sdp, _) | Updated(sdp):
                bridge.said[leg] = sdp
                return []
            case _:
                return []

    def _relay(self, leg: str, key: str, event: Relay) -> list[Effect]:
        if self._change is not None and self._change.left is not None:
            return [Respond(leg, key, Relayed(key, 480))]
        return super()._relay(leg, key, event)

    def _leg_ended(self, leg: str, *, by_peer: bool, status: int, sentence: str) -> list[Effect]:
        change = self._change
        if change is None or leg != change.leaving:
            return super()._leg_ended(leg, by_peer=by_peer, status=status, sentence=sentence)
        side = self._side_of(leg)
        change.left = Cause(side.value if by_peer else "sipxd", side, status, sentence)
        out: list[Effect] = []
        bridge = self._bridge
        if bridge is not None and bridge.owes(change.staying):
            out.append(AnswerHeld(change.staying))
        return out

    def _side_of(self, leg: str) -> Side:
        return Side.NEAR if leg == self.near else Side.FAR

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        change = self._change
        if self.phase is Phase.ENDED or change is None:
            return super().timer(name)
        if name == _REPLACE_TIMER and isinstance(change, Replacement):
            change.given_up = True
            return self._not_changed(408, "")
        if isinstance(change, Transfer):
            out = change.expired(name)
            if out is not None:
                return self._transferred(out)
        return super().timer(name)

    def _end(self, cause: Cause) -> list[Effect]:
        change, self._change = self._change, None
        out: list[Effect] = []
        if self.phase is not Phase.ENDED and change is not None:
            out.append(StopTimer(_REPLACE_TIMER))
            if isinstance(change, Transfer):
                out += change.stop()
                out.append(change.told(487, refusal_sentence(487, ""), final=True))
            elif isinstance(change, Replacement):
                out.append(Refuse(change.leg, 480, "Temporarily Unavailable"))
        return out + super()._end(cause)

    def _everybody(self) -> list[str]:
        later = [leg for leg in (self.near, self.far) if leg is not None and leg.startswith(PREFIX)]
        return [*super()._everybody(), *later]


def _lively(sdp: bytes) -> bytes:
    """What a phone said while it was held, fit to be offered to somebody else."""
    described = readable(sdp)
    return sdp if described is None else revived(described).encode()
