"""Click-to-call, flow ``offer`` (RFC 3725, flow I with the first party held).

::

    phase     event                               next
    NEAR      a phone of the user answers         FAR: it is held, the destination rings
    NEAR      it refuses an INVITE without SDP    the same phone again, with a held offer
    NEAR      nobody answers                      ENDED
    FAR       183 with SDP                        the caller is shown a preview
    FAR       180, a ringback is configured       the caller hears the PBX's tone meanwhile
    FAR       answered                            JOINING: the caller is offered the answer
    FAR       nobody answers                      ENDED, after the PBX's busy tone where configured
    JOINING   agreed                              BRIDGED
    any       either side hangs up, DELETE        ENDED
"""

from __future__ import annotations

from collections.abc import Container

from sipxd.call.bridge import Bridge
from sipxd.call.call import Destination, Phase, refusal_sentence
from sipxd.call.effects import (
    ELSEWHERE,
    AnswerHeld,
    Effect,
    Offer,
    Record,
    Release,
    Remember,
    Ring,
    StartTimer,
    StopTimer,
    Target,
)
from sipxd.call.record import CallState, Cause, Side
from sipxd.call.search import DropBranch, Exhausted, RingBranch, Search, Won
from sipxd.call.search import Outcome as SearchOutcome
from sipxd.call.transferable import TransferableCall
from sipxd.sip.leg import (
    Answered,
    Ended,
    Event,
    Offered,
    OfferFailed,
    Progress,
    Refused,
    Updated,
)
from sipxd.sip.leg_media import readable
from sipxd.sip.media import is_hold, revived

WANTS_SDP = frozenset({400, 415, 488, 606})
"""What phones answer that do not take an INVITE without SDP."""
BUSY_TONE_SECONDS = 10.0
"""How long the caller hears a busy tone before he is hung up."""
TONE = "tone"


class ClickToCall(TransferableCall):
    """``devices`` are the user's own phones, ``shy`` those of them known to want SDP."""

    def __init__(
        self,
        devices: Destination,
        destination: Destination,
        *,
        shy: Container[str] = (),
        ringback: Target | None = None,
        busy_tone: Target | None = None,
    ) -> None:
        user = next((device.user for device in devices.targets), "")
        super().__init__("near-1", destination, user)
        self.phase = Phase.NEAR
        self._devices = devices
        self._near_targets = {f"near-{n}": t for n, t in enumerate(devices.targets, 1)}
        self._near_search = Search([(leg, devices.seconds) for leg in self._near_targets])
        self._shy = shy
        self._branch_of: dict[str, str] = {}
        """The legs of a second attempt with a held offer, and their branches."""
        self._ringback = ringback
        self._busy_tone = busy_tone
        self._tone_wanted = False
        self._failure: Cause | None = None
        self._said = b""
        self._shown: bytes | None = None
        self._previewed: str | None = None

    def start(self) -> list[Effect]:
        """Ring the user's own phones."""
        if self.phase is Phase.ENDED:
            return []
        return self._near_searched(self._near_search.start())

    # -- the user's own phones -----------------------------------------------------------------

    def _near_searched(self, outcomes: list[SearchOutcome]) -> list[Effect]:
        out: list[Effect] = []
        for outcome in outcomes:
            match outcome:
                case RingBranch(branch, seconds):
                    target = self._near_targets[branch]
                    held = target.user_agent in self._shy and bool(target.user_agent)
                    out.append(Ring(branch, target, self._devices.identity, held=held))
                    out.append(StartTimer(f"ring:{branch}", seconds))
                    if held:
                        self._branch_of[branch] = branch
                case DropBranch(branch, elsewhere):
                    out.append(StopTimer(f"ring:{branch}"))
                    headers = ELSEWHERE if elsewhere else ()
                    out += [Release(leg, headers) for leg in self._legs_of(branch)]
                case Won(branch):
                    out.append(StopTimer(f"ring:{branch}"))
                case Exhausted(status, text):
                    out += self._end(
                        Cause("caller", Side.NEAR, status, _near_sentence(status, text))
                    )
        return out

    def _legs_of(self, branch: str) -> list[str]:
        again = f"{branch}-again"
        return [branch, again] if again in self._branch_of else [branch]

    def _is_near(self, leg: str) -> bool:
        return leg in self._near_targets or leg in self._branch_of

    def _near_event(self, leg: str, event: Event) -> list[Effect]:
        """An event of one of the user's phones that has not won."""
        branch = self._branch_of.get(leg, leg)
        match event:
            case Refused(status, text, agent):
                if status in WANTS_SDP and leg not in self._branch_of:
                    return self._again_with_offer(branch, agent)
                refused = self._near_search.refused(branch, status, text)
                return [StopTimer(f"ring:{branch}"), *self._near_searched(refused)]
            case Offered(sdp) | Answered(sdp):
                out = self._near_searched(self._near_search.answered(branch))
                if self._near_search.winner != branch or self.phase is not Phase.NEAR:
                    return out
                self.near, self._said = leg, sdp
                self.phase = Phase.FAR
                if isinstance(event, Offered):
                    out.append(AnswerHeld(leg))
                out.append(Record("call.answered", {"state": CallState.CALLEE}, now=("answered",)))
                return out + self._ring_far(_for_offering(sdp, fresh=isinstance(event, Offered)))
            case _:
                return []

    def _again_with_offer(self, branch: str, agent: str) -> list[Effect]:
        """The phone refused an INVITE without SDP: try it with one, and remember its kind."""
        again = f"{branch}-again"
        self._branch_of[again] = branch
        target = self._near_targets[branch]
        out: list[Effect] = []
        if agent or target.user_agent:
            # Next time only what the phone called itself when it registered is known.
            out.append(Remember(target.user_agent or agent))
        return [*out, Ring(again, target, self._devices.identity, held=True)]

    # -- events --------------------------------------------------------------------------------

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if self.phase is not Phase.ENDED:
            if leg.startswith(TONE):
                return self._tone_event(event)
            if self._is_near(leg) and (leg != self.near or self.phase is Phase.NEAR):
                return self._near_event(leg, event)
        return super().leg_event(leg, event)

    def _early_event(self, leg: str, event: Event) -> list[Effect]:
        """The caller's phone, while the destination rings."""
        match event:
            case Offered(sdp):
                self._said = sdp
                return [AnswerHeld(leg)]
            case Answered(sdp, offered):
                self._said, self._shown = sdp, offered
                return []
            case Updated(sdp):
                self._said = sdp
                return []
            case _:
                return []

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if self.phase is Phase.ENDED:
            return []
        kind, _, leg = name.partition(":")
        if name == "busy":
            return self._end(self._failure) if self._failure is not None else []
        if kind == "ring" and leg in self._near_targets:
            return self._near_searched(self._near_search.expired(leg))
        return super().timer(name)

    def _leg_ended(self, leg: str, *, by_peer: bool, status: int, sentence: str) -> list[Effect]:
        if self._failure is not None:
            return self._end(self._failure)
        return super()._leg_ended(leg, by_peer=by_peer, status=status, sentence=sentence)

    # -- the destination -----------------------------------------------------------------------

    def _far_progress(self, leg: str, progress: Progress) -> list[Effect]:
        if progress.sdp is not None:
            if self._previewed not in (None, leg):
                return []
            self._previewed = leg
            return [*self._silence(), Offer(self.near, progress.sdp)]
        if self._ringback is None or self._tone_wanted or self._previewed is not None:
            return []
        return self._play(self._ringback)

    def _far_up(self, leg: str, sdp: bytes, *, offered: bool) -> list[Effect]:
        bridge = self._bridge = Bridge(self.near, leg)
        bridge.said[self.near] = self._said
        if self._shown is not None:
            bridge.shown[self.near] = self._shown
        if self._offer_out is not None:
            bridge.shown[leg] = self._offer_out
        self.phase = Phase.JOINING
        return [*self._silence(), *self._bridged(bridge.join(leg, sdp))]

    def _nobody(self, status: int, text: str) -> list[Effect]:
        cause = Cause("callee", Side.FAR, status, refusal_sentence(status, text))
        if self._busy_tone is None or self.phase is not Phase.FAR:
            return [*self._silence(), *self._end(cause)]
        self._failure = cause
        out = self._silence()
        return [*out, *self._play(self._busy_tone), StartTimer("busy", BUSY_TONE_SECONDS)]

    # -- tones of the PBX ----------------------------------------------------------------------

    def _play(self, tone: Target) -> list[Effect]:
        """Join the caller to a URI of the PBX that plays a tone."""
        self._tone_wanted = True
        leg = TONE if self._failure is None else f"{TONE}-busy"
        return [Ring(leg, tone, self._destination.identity, self._offer_out)]

    def _silence(self) -> list[Effect]:
        return [Release(TONE)] if self._tone_wanted else []

    def _tone_event(self, event: Event) -> list[Effect]:
        match event:
            case Answered(sdp) if self.phase is Phase.FAR and self._previewed is None:
                return [Offer(self.near, sdp)]
            case Answered():
                return [Release(TONE)]
            case Refused() | Ended() if self._failure is not None:
                return self._end(self._failure)
            case OfferFailed() | _:
                return []

    def _everybody(self) -> list[str]:
        legs = [leg for branch in self._near_targets for leg in self._legs_of(branch)]
        tones = [TONE, f"{TONE}-busy"] if self._tone_wanted else []
        return [*legs, *self._targets, *tones]


def _for_offering(sdp: bytes, *, fresh: bool) -> bytes:
    """The caller's description as an offer to the destination.

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
