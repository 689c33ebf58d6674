"""A call from a phone: an incoming leg, a search for the destination, a bridge."""

from __future__ import annotations

import attrs

from sipxd.call.bridge import Bridge
from sipxd.call.call import Phase, refusal_sentence
from sipxd.call.effects import (
    Accept,
    Answer,
    Effect,
    Offer,
    Record,
    Refuse,
    ShowProgress,
    StartTimer,
    StopTimer,
)
from sipxd.call.plan import Destination
from sipxd.call.record import CallState, Cause, Side
from sipxd.call.transferable import TransferableCall
from sipxd.sip.leg import Answered, Event, OfferFailed, Progress, Updated

REPEAT_SECONDS = 60.0
"""Seconds after which the caller is told again that it rings, lest a proxy between gives the call
up (RFC 3261 section 13.3.1.1)."""
_STILL_RINGS = "still rings"


class PhoneCall(TransferableCall):
    """The near leg is an INVITE that came in; ``offer`` is its SDP, None where it has none.

    ``user`` is who calls, empty for somebody outside.
    """

    def __init__(
        self, near: str, offer: bytes | None, destination: Destination, user: str = ""
    ) -> None:
        super().__init__(near, destination, user)
        self._offer = self._said = offer
        self._answered: tuple[str, ...] = ("answered",)
        """What the record is told with the answer of the destination: the caller is there, too."""
        self._previewing: set[str] = set()
        """The legs of which the caller was shown media."""
        self._still_rings: list[Effect] = []
        """What the caller is told again while nobody answers."""

    def start(self) -> list[Effect]:
        """Ring the destination."""
        return self._ring_far(self._offer)

    def _far_progress(self, leg: str, progress: Progress) -> list[Effect]:
        if progress.sdp is not None:
            self._previewing.add(leg)
        again = attrs.evolve(progress, sdp=None)
        self._still_rings = [
            StartTimer(_STILL_RINGS, REPEAT_SECONDS),
            ShowProgress(self.near, again, leg),
        ]
        return [self._still_rings[0], ShowProgress(self.near, progress, leg)]

    def timer(self, name: str) -> list[Effect]:
        """A timer of the call ran out."""
        if name == _STILL_RINGS:
            return self._still_rings if self.phase is Phase.FAR else []
        return super().timer(name)

    def _early_event(self, leg: str, event: Event) -> list[Effect]:
        """The caller's media may change before anybody answers (RFC 3311)."""
        match event:
            case Updated(sdp):
                self._said = sdp
                return [Offer(far, sdp, update=True) for far in sorted(self._previewing)]
            case Answered(sdp):
                self._said = sdp
                return []
            case _:
                return []

    def _far_up(self, leg: str, sdp: bytes, *, offered: bool) -> list[Effect]:
        bridge = Bridge(self.near, leg)
        bridge.said[leg] = sdp
        bridge.shown[self.near] = sdp
        accept: list[Effect] = [StopTimer(_STILL_RINGS), Accept(self.near, sdp, leg)]
        if offered or self._offer is None or self._said is None:
            # The caller's answer comes with his ACK; the winner's own ACK waits for it.
            self.phase = Phase.JOINING
            self._bridge = bridge
            step = [Record("call.answered", now=self._answered)] if self._answered else []
            return [*accept, *step]
        bridge.said[self.near] = self._said
        bridge.shown[leg] = self._offer
        self._bridge = bridge
        self.phase = Phase.BRIDGED
        changes = {"state": CallState.BRIDGED, **self._answered_by()}
        bridged = Record("call.bridged", changes, now=(*self._answered, "bridged"))
        if self._said == self._offer:
            return [*accept, bridged]
        return [*accept, bridged, *self._bridged(bridge.updated(self.near, self._said))]

    def _bridge_event(self, leg: str, event: Event) -> list[Effect]:
        if self.phase is not Phase.JOINING:
            return super()._bridge_event(leg, event)
        bridge = self._bridge
        assert bridge is not None and self.far is not None
        match event:
            case Updated(sdp) if leg == self.near:
                bridge.said[self.near] = bridge.shown[self.far] = sdp
                return [Answer(self.far, sdp), *self._joined(mismatch=False)]
            case OfferFailed() | Answered() if leg == self.near:
                sentence = "The caller acknowledged the call without a session description."
                return self._end(Cause("sipxd", Side.NEAR, 488, sentence))
            case _:
                return super()._bridge_event(leg, event)

    def _end(self, cause: Cause) -> list[Effect]:
        out = super()._end(cause)
        return [StopTimer(_STILL_RINGS), *out] if out else out

    def _nobody(self, status: int, text: str) -> list[Effect]:
        sentence = refusal_sentence(status, text)
        refuse = Refuse(self.near, status, text)
        return [refuse, *self._end(Cause("callee", Side.FAR, status, sentence))]
