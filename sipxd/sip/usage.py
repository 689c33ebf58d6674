"""An established leg: the INVITE usage of a dialog, with every request that we send within it.

RFC 3261 sections 12 to 15, RFC 3311, 4028, 5057, 6337.  Every method may be called in every state
and returns what is to be done, possibly nothing: effects first, then events.
"""

from __future__ import annotations

from collections.abc import Iterable

from sipxd.sip.dialog_usage import ALLOW, SUPPORTED, LegState
from sipxd.sip.headers import HeaderError, parse_number
from sipxd.sip.leg import (
    Answered,
    Local,
    Offered,
    OfferFailed,
    Output,
    Relayed,
    SendAck,
    StartTimer,
    Updated,
    effects_first,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.message import Header, Response
from sipxd.sip.offer import Exchange, Intent
from sipxd.sip.peer_requests import PeerRequests
from sipxd.sip.sdp import SdpError

__all__ = ["ALLOW", "MAXIMUM_COLLISIONS", "InviteUsage", "LegState"]

MAXIMUM_COLLISIONS = 8
"""How often an offer of ours is repeated after 491 or 500 with Retry-After."""
CHALLENGES = (401, 407)
_RELAYED_BACK = ("Content-Type", "Warning", "Retry-After", "Accept")


class InviteUsage(PeerRequests):
    """The part of a leg that UAC and UAS share."""

    def __init__(self, local: Local, media: LegMedia) -> None:
        super().__init__(local, media)
        self._update: str | None = None
        """Key of our refreshing UPDATE that has no final response."""
        self._untimed = ""
        """Key of an UPDATE that went out before the answer, and settles no session timer."""

    # -- what the call wants -------------------------------------------------------------------

    def offer(self, sdp: bytes, *, update: bool = False) -> list[Output]:
        """Offer ``sdp`` to the peer as soon as it is our turn.

        By re-INVITE; with ``update`` by UPDATE, where the peer allows that.
        """
        return self._propose(Intent(sdp, update=update))

    def ask_offer(self) -> list[Output]:
        """Ask the peer for an offer (a re-INVITE without SDP) as soon as it is our turn."""
        return self._propose(Intent(None))

    def withdraw(self) -> None:
        """Forget an offer that has not gone out yet."""
        self.exchange.withdraw()

    def relay(self, key: str, method: str, headers: Iterable[Header], body: bytes) -> list[Output]:
        """Send an INFO or MESSAGE of the far side; `Relayed` comes back under ``key``."""
        if self.state is not LegState.UP or self.dialog is None:
            return [Relayed(key, 480)]
        self._relays.add(key)
        return [self._send(method, key, headers=headers, body=body)]

    # -- what the network brings ---------------------------------------------------------------

    def receive_response(self, key: str, response: Response) -> list[Output]:
        """A response to a request of ours within the dialog."""
        if key in self._acks and 200 <= response.status < 300:
            return [SendAck(self._acks[key])]
        if response.status < 200:
            return []
        if response.status in CHALLENGES:
            again = self._challenged(key, response)
            if again:
                return again
        if key == self._reinvite:
            self._reinvite = None
            return effects_first(self._reinvite_answered(key, response))
        if key == self._bye:
            return self._gone()
        if key in self._relays:
            self._relays.discard(key)
            kept = tuple(h for h in response.headers if h[0] in _RELAYED_BACK)
            relayed = Relayed(key, _presentable(response.status), kept, response.body)
            return effects_first([relayed, *self._lost(response.status)])
        if key == self._update:
            self._update = None
            return self._refreshed(response)
        return self._referral_answered(key, response)

    def request_failed(self, key: str, status: int) -> list[Output]:
        """A request of ours got no response (408) or could not be sent (503)."""
        lost = "The phone does not respond."
        if key == self._bye:
            return self._bye_failed(status)
        if key == self._reinvite:
            self._reinvite = None
            self.media.refused()
            self.exchange.closed()
            return self._end(status, lost)
        if key in self._relays:
            self._relays.discard(key)
            return effects_first([Relayed(key, status), *self._end(status, lost)])
        if key == self._update:
            self._update = None
            return self._end(status, lost)
        return self._referral_failed(key, status)

    def timer(self, name: str) -> list[Output]:
        """A timer of the leg ran out."""
        match name:
            case "2xx":
                return self._repeat_2xx()
            case "ack":
                return self._never_acknowledged()
            case "bye":
                return self._bye_again()
            case "held":
                return self._held_too_long()
            case "glare":
                self.exchange.backing_off = False
                return self._go_on()
            case "refresh":
                return self._refresh()
            case "expire":
                return self._end(408, "The session was not refreshed in time.")
            case _:
                return []

    # -- our re-INVITE, or UPDATE with an offer ------------------------------------------------

    def _propose(self, intent: Intent) -> list[Output]:
        if not self._negotiable:
            return []
        if not self.exchange.propose(intent, blocked=self._accepted is not None):
            return []
        return self._begin(intent)

    def _begin(self, intent: Intent) -> list[Output]:
        if intent.sdp is None:
            body = b""
        elif intent.refresh:
            body = self.media.last_sent or intent.sdp  # as it is now: the intent may have waited
        else:
            try:
                body = self.media.present(intent.sdp)
            except SdpError:
                self.exchange.closed()
                return effects_first([OfferFailed(488, intent.sdp), *self._go_on()])
        self._reinvite = self._key("reinvite")
        headers: tuple[Header, ...] = (("Allow", ALLOW), ("Supported", SUPPORTED))
        if self.state is LegState.UP:
            headers += self.session.headers()
        else:
            self._untimed = self._reinvite
        method = "UPDATE" if intent.update and "UPDATE" in self.peer_allows else "INVITE"
        return [self._send(method, self._reinvite, headers=headers, body=body)]

    def _reinvite_answered(self, key: str, response: Response) -> list[Output]:
        status = response.status
        if status < 300:
            return self._reinvite_accepted(key, response)
        if not self._negotiable:
            return []
        if status in (481, 408):
            self.media.refused()
            self.exchange.closed()
            return self._lost(status)
        if status == 491 or (status == 500 and response.get("Retry-After") is not None):
            return self._collided(response)
        intent = self.exchange.closed()
        without = response.cseq[1] == "UPDATE" and status in (405, 501)
        if without:
            self.peer_allows -= {"UPDATE"}
        if intent is not None and (without or (status == 422 and self.session.raised(response))):
            self.exchange.begin(intent)
            return self._begin(intent)
        return [*self._failed(intent, status), *self._go_on()]

    def _failed(self, intent: Intent | None, status: int) -> list[Output]:
        """Our offer came to nothing. A refresh is tried again by its timer, silently."""
        self.media.refused()
        if intent is not None and intent.refresh:
            return []
        return [OfferFailed(_presentable(status), None if intent is None else intent.sdp)]

    def _reinvite_accepted(self, key: str, response: Response) -> list[Output]:
        self._learn(response)
        up = self._negotiable
        timed = self.state is LegState.UP and key != self._untimed
        out = self.session.agreed(response) if timed else []
        number = response.cseq[0]
        sdp = response.sdp
        asked = self.exchange.state is Exchange.ASKED
        if asked and sdp is not None and self.media.heard_offer(sdp):
            self._owed_ack = (key, number)
            self.exchange.closed()
            self.exchange.received()
            return [*out, Offered(sdp)] if up else self._settle_owed_ack()
        if response.cseq[1] == "INVITE":
            out.append(self._ack(key, number))
        if not up:
            return out
        before = self.media.last_heard
        intent = self.exchange.closed()
        if asked or sdp is None or not self.media.heard(sdp):
            out += self._failed(intent, 488)
        elif intent is None or not intent.refresh:
            out.append(Answered(sdp, None if intent is None else intent.sdp))
        elif sdp != before:
            out.append(Updated(sdp))
        return [*out, *self._go_on()]

    def _collided(self, response: Response) -> list[Output]:
        """491, or 500 with Retry-After: keep the call, wait, try again (14.1, 14.2)."""
        self.media.refused()
        intent = self.exchange.collided()
        if intent is not None and intent.attempts > MAXIMUM_COLLISIONS:
            self.exchange.withdraw()
            self.exchange.backing_off = False
            return [*self._failed(intent, 491), *self._go_on()]
        if response.status == 500:
            seconds = float(min(_retry_after(response), 10)) + self.local.seconds(0.0, 0.5)
        elif self._owns_call_id:
            seconds = self.local.seconds(2.1, 4.0)
        else:
            seconds = self.local.seconds(0.0, 2.0)
        return [StartTimer("glare", seconds), *self._go_on()]

    # -- session refresh (RFC 4028 section 7.4) ------------------------------------------------

    def _refresh(self) -> list[Output]:
        """Refresh, by UPDATE where the peer knows it; the timer runs on in case it fails."""
        if self.state is not LegState.UP:
            return []
        again = self.session.refreshing()
        if self._update is not None:
            return again
        if "UPDATE" in self.peer_allows:
            self._update = self._key("update")
            headers = (("Supported", SUPPORTED), *self.session.headers())
            return [*again, self._send("UPDATE", self._update, headers=headers)]
        body = self.media.last_sent
        if body is None:
            return again
        return [*again, *self._propose(Intent(body, refresh=True))]

    def _refreshed(self, response: Response) -> list[Output]:
        """The final response to our UPDATE."""
        if self.state is not LegState.UP:
            return []
        if response.status < 300:
            self._learn(response)
            return self.session.agreed(response)
        if response.status in (405, 501):
            self.peer_allows -= {"UPDATE"}
            return self._refresh()
        if response.status == 422 and self.session.raised(response):
            return self._refresh()
        return self._lost(response.status)


def _presentable(status: int) -> int:
    """What the far side is told: a challenge is between the peer and us."""
    return 403 if status in CHALLENGES else status


def _retry_after(response: Response) -> int:
    head = (response.get("Retry-After") or "0").partition(";")[0].partition("(")[0]
    try:
        return parse_number(head, 3600)
    except HeaderError:
        return 5
