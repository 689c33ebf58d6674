"""Click-to-call, flow ``offer``: the destination is offered what the user's phone offered.

RFC 3725, flow I with the first party held.

::

    phase     event                               next
    FAR       183 with SDP                        the user is shown a preview
    FAR       180, a ringback is configured       the user hears the PBX's tone meanwhile
    FAR       answered                            JOINING: the user's phone is offered the answer
    FAR       nobody answers                      ENDED, after the PBX's busy tone where configured
    JOINING   agreed                              BRIDGED
    any       either side hangs up, DELETE        ENDED
"""

from __future__ import annotations

from sipxd.call.bridge import Bridge
from sipxd.call.call import Phase, refusal_sentence
from sipxd.call.click import ClickToCall, Memory
from sipxd.call.effects import Effect, Offer, Release, Ring, StartTimer, Target
from sipxd.call.plan import Destination
from sipxd.call.record import Cause, ClickFlow, Side
from sipxd.sip.leg import Answered, Ended, Event, Progress, Refused

BUSY_TONE_SECONDS = 10.0
"""How long the user hears a busy tone before he is hung up."""
TONE = "tone"


class OfferClick(ClickToCall):
    """``ringback`` and ``busy_tone`` are what the PBX plays to the user, where configured."""

    def __init__(
        self,
        devices: Destination,
        destination: Destination,
        *,
        refuses: Memory = lambda user_agent, refusal: False,
        ringback: Target | None = None,
        busy_tone: Target | None = None,
    ) -> None:
        super().__init__(devices, destination, refuses=refuses)
        self.flow = ClickFlow.OFFER
        self._ringback = ringback
        self._busy_tone = busy_tone
        self._tone_wanted = False
        self._failure: Cause | None = None
        self._shown: bytes | None = None
        self._previewed: str | None = None

    def _near_up(self) -> list[Effect]:
        return self._ring_far(self._own)

    # -- events --------------------------------------------------------------------------------

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if self.phase is not Phase.ENDED and leg.startswith(TONE):
            return self._tone_event(event)
        return super().leg_event(leg, event)

    def _early_event(self, leg: str, event: Event) -> list[Effect]:
        match event:
            case Answered(sdp, offered):
                self._said, self._shown = sdp, offered
                return []
            case _:
                return super()._early_event(leg, event)

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if name == "busy" and self._failure is not None:
            return self._end(self._failure)
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
        if not offered:
            bridge.shown[leg] = self._own
        self.phase = Phase.JOINING
        return [*self._silence(), *self._bridged(bridge.join(leg, sdp, owed=offered))]

    def _nobody(self, status: int, text: str) -> list[Effect]:
        cause = Cause("callee", Side.FAR, status, refusal_sentence(status, text))
        if self._busy_tone is None or self.phase is not Phase.FAR:
            return [*self._silence(), *self._end(cause)]
        self._failure = cause
        out = self._silence()
        return [*out, *self._play(self._busy_tone), StartTimer("busy", BUSY_TONE_SECONDS)]

    # -- tones of the PBX ----------------------------------------------------------------------

    def _play(self, tone: Target) -> list[Effect]:
        """Join the user to a URI of the PBX that plays a tone."""
        self._tone_wanted = True
        leg = TONE if self._failure is None else f"{TONE}-busy"
        return [Ring(leg, tone, self._destination.identity, self._own)]

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
            case _:
                return []

    def _everybody(self) -> list[str]:
        tones = [TONE, f"{TONE}-busy"] if self._tone_wanted else []
        return [*super()._everybody(), *tones]
