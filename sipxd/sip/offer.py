"""Offer and answer on one leg: whose turn it is (RFC 3264, RFC 6337).

::

    state           event                         next
    STABLE          we offer                      OFFER_SENT
    STABLE          we ask (INVITE without SDP)   ASKED
    STABLE          the peer offers               OFFER_RECEIVED
    OFFER_SENT      answered or refused           STABLE
    ASKED           the peer's 2xx offers         OFFER_RECEIVED
    ASKED           refused                       STABLE
    OFFER_RECEIVED  we answer or reject           STABLE

At most one exchange is open.  While it is, one intent of our own waits (a newer one replaces it),
and one offer of the peer is held back.  When the exchange closes the peer's offer comes first: a
phone does not repeat a hold that was refused with 491, we repeat ours.
"""

from __future__ import annotations

import enum

import attrs


class Exchange(enum.Enum):
    """Whose turn it is."""

    STABLE = "stable"
    OFFER_SENT = "offer sent"
    ASKED = "asked for an offer"
    OFFER_RECEIVED = "offer received"


@attrs.frozen
class Intent:
    """What we want to do: offer ``sdp``, or, with None, ask the peer for an offer."""

    sdp: bytes | None
    refresh: bool = False
    """Only a session refresh: the offer repeats what the peer has."""
    attempts: int = 0
    update: bool = False
    """Rather by UPDATE than by re-INVITE, where the peer knows UPDATE (RFC 3311)."""


@attrs.define
class OfferAnswer:
    """The state of one leg's exchange."""

    state: Exchange = Exchange.STABLE
    current: Intent | None = None
    """Our own intent that is on its way."""
    queued: Intent | None = None
    backing_off: bool = False
    """After a collision: our intents wait for a timer, the peer's offers do not."""

    def propose(self, intent: Intent, *, blocked: bool = False) -> bool:
        """Whether ``intent`` goes out now; otherwise it waits in place of any that waited.

        ``blocked``: nothing may go out, although no exchange is open.  A mere refresh never takes
        the place of a real offer, which refreshes as well.
        """
        if self.state is Exchange.STABLE and not self.backing_off and not blocked:
            self.begin(intent)
            return True
        if not (intent.refresh and (self.queued or self.current)):
            self.queued = intent
        return False

    @property
    def idle(self) -> bool:
        """Whether nothing is open and nothing of ours waits."""
        return self.state is Exchange.STABLE and self.queued is None and not self.backing_off

    def begin(self, intent: Intent) -> None:
        """``intent`` goes out, whatever waits."""
        self.current = intent
        self.state = Exchange.ASKED if intent.sdp is None else Exchange.OFFER_SENT

    def next_intent(self) -> Intent | None:
        """The waiting intent, begun, where it may go out now."""
        if self.queued is None or self.state is not Exchange.STABLE or self.backing_off:
            return None
        intent, self.queued = self.queued, None
        self.begin(intent)
        return intent

    def withdraw(self) -> None:
        """Forget the waiting intent; one that is on its way goes on."""
        self.queued = None

    def received(self) -> None:
        """The peer's offer is ours to answer."""
        self.state = Exchange.OFFER_RECEIVED

    def closed(self) -> Intent | None:
        """The exchange is over; the intent that opened it where it was ours."""
        intent, self.current = self.current, None
        self.state = Exchange.STABLE
        return intent

    def collided(self) -> Intent | None:
        """Our intent met the peer's: close, and put it back to be tried again after a back-off.

        Gives the intent, or None where a newer one waits already.
        """
        intent = self.closed()
        self.backing_off = True
        if intent is not None and self.queued is None:
            self.queued = attrs.evolve(intent, attempts=intent.attempts + 1)
            return self.queued
        return None
