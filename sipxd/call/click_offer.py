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
from sipxd.call.search import BranchState
from sipxd.sip.leg import Answered, Ended, Event, Progress, Refused

BUSY_TONE_SECONDS = 10.0
"""How long the user hears a busy tone before he is hung up."""
TONE = "tone"
"""What the names of the legs begin with that the PBX plays a tone on."""


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
        self._tones = 0
        """How many were asked for."""
        self._tone: str | None = None
        """The leg of the one that is to be heard now."""
        self._failure: Cause | None = None
        self._shown: bytes | None = None
        self._previewed: str | None = None

    def _near_up(self) -> list[Effect]:
        return self._ring_far(self._own)

    # -- events --------------------------------------------------------------------------------

    def leg_event(self, leg: str, event: Event) -> list[Effect]:
        """Anything that a leg tells."""
        if self.phase is not Phase.ENDED and leg.startswith(TONE):
            return self._tone_event(leg, event)
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
        shown = self._previewed
        if shown is not None and self._search.state(shown) is not BranchState.RINGING:
            self._previewed = None  # its time is over, and it plays no more
        if progress.sdp is not None:
            if self._previewed not in (None, leg):
                return []
            self._previewed = leg
            return [*self._silence(), Offer(self.near, progress.sdp)]
        if self._ringback is None or self._tone is not None or self._previewed is not None:
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
        self._failure, self._previewed = cause, None
        out = self._silence()
        return [*out, *self._play(self._busy_tone), StartTimer("busy", BUSY_TONE_SECONDS)]

    # -- tones of the PBX ----------------------------------------------------------------------

    def _play(self, tone: Target) -> list[Effect]:
        """Join the user to a URI of the PBX that plays a tone."""
        self._tones += 1
        self._tone = f"{TONE}-{self._tones}"
        return [Ring(self._tone, tone, self._destination.identity, self._own)]

    def _silence(self) -> list[Effect]:
        tone, self._tone = self._tone, None
        return [] if tone is None else [Release(tone)]

    def _tone_event(self, leg: str, event: Event) -> list[Effect]:
        match event:
            case Answered(sdp) if leg == self._tone and self.phase is Phase.FAR:
                return [Offer(self.near, sdp)]
            case Answered():
                return [Release(leg)]
            case Refused() | Ended() if leg == self._tone and self._failure is not None:
                return self._end(self._failure)
            case _:
                return []

    def _everybody(self) -> list[str]:
        tones = (f"{TONE}-{n}" for n in range(1, self._tones + 1))
        return [*super()._everybody(), *tones]
