"""What the peer asks within the dialog of a leg, and what we owe it for that.

RFC 3261 sections 12.2.2, 13.3.1.4 and 14.2, RFC 3311 section 5.2, RFC 4028, RFC 6337.  An offer of
the peer is for the far side, unless it says nothing new; one that must wait is held back rather
than refused, because a phone does not always repeat what was answered 491.
"""

from __future__ import annotations

import attrs

from sipxd.sip import session_timer
from sipxd.sip.dialog_usage import ALLOW, SUPPORTED, LegState
from sipxd.sip.headers import quote
from sipxd.sip.leg import (
    Ended,
    Event,
    Local,
    Offered,
    OfferFailed,
    Output,
    Relay,
    Relayed,
    SendResponse,
    StartTimer,
    StopTimer,
    Updated,
    effects_first,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import CannotHold
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.offer import Exchange, Intent
from sipxd.sip.referral_usage import ReferralUsage
from sipxd.sip.sdp import SdpError
from sipxd.sip.transaction import T1, T2

MAXIMUM_RELAYS = 16
"""Requests of a peer that may wait for the far side at once."""
HELD_BACK = 2.0
"""Seconds that a re-INVITE is held back while ours is open; twice that where the Call-ID is ours.

A peer that holds ours back as well would wait for ever otherwise.
"""


class PeerRequests(ReferralUsage):
    """The part of a leg that answers the peer."""

    def __init__(self, local: Local, media: LegMedia) -> None:
        super().__init__(local, media)
        self._peer_offer: str | None = None
        """Key of the peer's re-INVITE or UPDATE whose offer waits for our answer."""
        self._held_back: str | None = None
        """Key of the peer's re-INVITE that waits until the open exchange is over."""
        self._ack_interval = T1
        self._offered_in_2xx = False

    def matches(self, message: Request) -> bool:
        """Whether a request from the peer belongs to this leg's dialog."""
        return self.dialog is not None and self.dialog.matches(message)

    def receive_request(self, key: str, request: Request) -> list[Output]:
        """A request of the peer within the dialog, other than ACK and CANCEL."""
        if self.dialog is None or self.state in (LegState.ENDING, LegState.GONE):
            if request.method == "BYE" and self.state is LegState.ENDING:
                return self._receive_bye(key, request)
            return [SendResponse(key, self._response(request, 481))]
        number = request.cseq[0]
        if number <= self.dialog.remote_seq:
            return [SendResponse(key, self._response(request, 500))]
        self.dialog = attrs.evolve(self.dialog, remote_seq=number)
        self._learn(request)
        match request.method:
            case "BYE":
                return self._receive_bye(key, request)
            case "INVITE":
                return self._receive_reinvite(key, request)
            case "UPDATE":
                return self._receive_update(key, request)
            case "INFO" | "MESSAGE":
                if len(self._waiting) >= MAXIMUM_RELAYS:
                    return self._later(key, request)
                self._waiting[key] = request
                return [Relay(key, request)]
            case "PRACK":
                return self._receive_prack(key, request)
            case "OPTIONS":
                allow = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", SUPPORTED))
                return [SendResponse(key, self._response(request, 200, headers=allow))]
            case "REFER":
                return self._receive_refer(key, request)
            case "NOTIFY":
                return self._receive_notify(key, request)
            case "SUBSCRIBE":
                return self._receive_subscribe(key, request)
            case _:
                allow_only = (("Allow", ALLOW),)
                return [SendResponse(key, self._response(request, 405, headers=allow_only))]

    def receive_ack(self, request: Request) -> list[Output]:
        """The ACK for a 2xx of ours."""
        if self._accepted is None or request.cseq[0] != self._accepted[2]:
            return []
        self._accepted = None
        out: list[Output] = [StopTimer("2xx"), StopTimer("ack")]
        if self.state is LegState.ENDING:
            return [*out, self._send_bye()]
        return effects_first([*out, *self._acknowledged(request.sdp), *self._go_on()])

    def _acknowledged(self, sdp: bytes | None) -> list[Event]:
        """What an ACK says of the session."""
        if not self._offered_in_2xx:
            return []
        self._offered_in_2xx = False
        self.exchange.closed()
        if sdp is None or not self.media.heard(sdp):
            self.media.refused()
            return [OfferFailed(488)]
        return [Updated(sdp)]

    def request_cancelled(self, key: str) -> list[Output]:
        """The peer's CANCEL for its re-INVITE ``key``: 487 (section 9.2); the dialog goes on."""
        if key not in (self._peer_offer, self._held_back):
            return []
        out: list[Output] = [self._refuse(key, 487)]
        if key == self._held_back:
            self._held_back = None
            return out
        self._drop_peer_offer()
        return out + self._go_on()

    # -- answering for the call ----------------------------------------------------------------

    def answer(self, sdp: bytes) -> list[Output]:
        """Answer the peer's open offer with ``sdp``."""
        if self.exchange.state is not Exchange.OFFER_RECEIVED or self.state is not LegState.UP:
            return []
        try:
            return self._answer_with(self.media.present(sdp))
        except SdpError:
            return self.reject(488)

    def answer_held(self) -> list[Output]:
        """Answer the peer's open offer ourselves: no media for now."""
        if self.exchange.state is not Exchange.OFFER_RECEIVED or self.state is not LegState.UP:
            return []
        try:
            return self._answer_with(self.media.held_answer())
        except CannotHold as error:
            if self._peer_offer is not None:
                return self.reject(488)
            reason = (("Reason", f"SIP;cause=488;text={quote(str(error))}"),)
            return [*self.hang_up(reason), Ended(False, 488, str(error))]

    def reject(self, status: int) -> list[Output]:
        """Refuse the peer's open offer; an offer in a 2xx is answered without media instead."""
        if self.exchange.state is not Exchange.OFFER_RECEIVED or self.state is not LegState.UP:
            return []
        if self._peer_offer is None:
            return self.answer_held()
        refusal = self._refuse(self._peer_offer, status if status >= 400 else 488)
        self._drop_peer_offer()
        return [refusal, *self._go_on()]

    def respond(self, request: Request, key: str, relayed: Relayed) -> list[Output]:
        """Answer a relayed request of the peer; without effect once it has been answered."""
        if self._waiting.pop(key, None) is None:
            return []
        response = self._response(
            request, relayed.status, headers=relayed.headers, body=relayed.body
        )
        return [SendResponse(key, response)]

    def _answer_with(self, body: bytes) -> list[Output]:
        self.exchange.closed()
        out: list[Output] = []
        if self._owed_ack is not None:
            owed, self._owed_ack = self._owed_ack, None
            out.append(self._ack(*owed, body))
        elif self._peer_offer is not None:
            key, self._peer_offer = self._peer_offer, None
            request = self._waiting[key]
            accept = self._accept_update if request.method == "UPDATE" else self._accept
            out += accept(key, request, body)
        return out + self._go_on()

    def _drop_peer_offer(self) -> None:
        self._peer_offer = None
        self.exchange.closed()
        self.media.dropped()

    # -- re-INVITE and UPDATE ------------------------------------------------------------------

    def _receive_reinvite(self, key: str, request: Request) -> list[Output]:
        open_offer = self._waiting.get(self._peer_offer or "")
        if (
            self.state is LegState.EARLY
            or self._held_back is not None
            or (open_offer is not None and open_offer.method == "INVITE")
        ):
            return self._later(key, request)
        if session_timer.too_small(request):
            return self._too_small(key, request)
        self._waiting[key] = request
        if self.exchange.state is Exchange.STABLE and self._accepted is None:
            return self._take_reinvite(key, request)
        # A 100 went out when the request came in: the phone waits, and does not give up as it may
        # after 491.
        self._held_back = key
        if self._reinvite is None:
            return []
        return [StartTimer("held", HELD_BACK * (2 if self._owns_call_id else 1))]

    def _held_too_long(self) -> list[Output]:
        """Perhaps the peer holds our re-INVITE back as well: 491, and whoever is first goes on."""
        if self._held_back is None or self._reinvite is None:
            return []
        key, self._held_back = self._held_back, None
        return [self._refuse(key, 491)]

    def _take_reinvite(self, key: str, request: Request) -> list[Output]:
        sdp = request.sdp
        if sdp is None:
            offer = self.media.fresh_offer()
            if offer is None:
                return [self._refuse(key, 488), *self._go_on()]
            self.exchange.begin(Intent(offer))
            self._offered_in_2xx = True
            return self._accept(key, request, offer)
        again = self.media.answer_again(sdp)
        if again is not None:
            return self._accept(key, request, again)
        if not self.media.heard_offer(sdp):
            return [self._refuse(key, 488), *self._go_on()]
        self.exchange.received()
        self._peer_offer = key
        return [Offered(sdp)]

    def _receive_update(self, key: str, request: Request) -> list[Output]:
        if session_timer.too_small(request):
            return self._too_small(key, request)
        open_offer = self._waiting.get(self._peer_offer or "")
        if open_offer is not None and open_offer.method == "UPDATE":
            return self._later(key, request)
        sdp = request.sdp
        self._waiting[key] = request
        if sdp is None:
            return self._accept_update(key, request, b"")
        if self.exchange.state in (Exchange.OFFER_SENT, Exchange.ASKED):
            return [self._refuse(key, 491)]
        if self.exchange.state is Exchange.OFFER_RECEIVED or not self._negotiable:
            return self._later(key, request)
        again = self.media.answer_again(sdp)
        if again is not None:
            return self._accept_update(key, request, again)
        if self.state is LegState.EARLY:
            return self._answer_alone(key, request, sdp)
        if not self.media.heard_offer(sdp):
            return [self._refuse(key, 488)]
        self.exchange.received()
        self._peer_offer = key
        return [Offered(sdp, update=True)]

    def _accept_update(self, key: str, request: Request, body: bytes) -> list[Output]:
        self._waiting.pop(key, None)
        contact = ("Contact", self.local.contact)
        timers: list[Output] = []
        headers: tuple[Header, ...] = ()
        if self.state is not LegState.EARLY:
            timers, headers = self.session.answered(request)
        headers = (contact, *headers, *_described(body))
        response = self._response(request, 200, headers=headers, body=body)
        return [SendResponse(key, response), *timers]

    def _answer_alone(self, key: str, request: Request, sdp: bytes) -> list[Output]:
        """Answer an offer that comes before the far side is there with what we said before."""
        body = self.media.answer_alone(sdp)
        if body is None:
            return [self._refuse(key, 488)]
        return [*self._accept_update(key, request, body), Updated(sdp)]

    def _receive_prack(self, key: str, request: Request) -> list[Output]:
        """Nothing of ours waits for one (RFC 3262 section 3)."""
        return [SendResponse(key, self._response(request, 481))]

    def _accept(self, key: str, request: Request, body: bytes) -> list[Output]:
        """Answer an INVITE with 200, and repeat that until it is acknowledged (13.3.1.4)."""
        self._waiting.pop(key, None)
        timers, headers = self.session.answered(request)
        response = self._response(
            request,
            200,
            headers=(
                ("Contact", self.local.contact),
                ("Allow", ALLOW),
                ("Supported", SUPPORTED),
                *headers,
                *_described(body),
            ),
            body=body,
        )
        self._accepted = (key, response, request.cseq[0])
        self._ack_interval = T1
        return [
            SendResponse(key, response),
            StartTimer("2xx", T1),
            StartTimer("ack", 64 * T1),
            *timers,
        ]

    def _repeat_2xx(self) -> list[Output]:
        if self._accepted is None:
            return []
        key, response, _ = self._accepted
        self._ack_interval = min(2 * self._ack_interval, T2)
        return [SendResponse(key, response), StartTimer("2xx", self._ack_interval)]

    def _go_on(self) -> list[Output]:
        """After an exchange: the peer's offer that waits, else our own."""
        if not self._negotiable or self._accepted is not None:
            return []
        if self.exchange.state is Exchange.STABLE and self._held_back is not None:
            key, self._held_back = self._held_back, None
            return [StopTimer("held"), *self._take_reinvite(key, self._waiting[key])]
        intent = self.exchange.next_intent()
        return [] if intent is None else self._begin(intent)

    # -- refusals ------------------------------------------------------------------------------

    def _refuse(self, key: str, status: int) -> SendResponse:
        return SendResponse(key, self._response(self._waiting.pop(key), status))

    def _refuse_waiting(self) -> list[Output]:
        self._peer_offer = self._held_back = None
        return super()._refuse_waiting()

    def _later(self, key: str, request: Request) -> list[Output]:
        """500: try again after up to ten seconds (14.2; RFC 3311 section 5.2)."""
        self._waiting.pop(key, None)
        retry = (("Retry-After", str(1 + self.local.random(1)[0] % 10)),)
        return [SendResponse(key, self._response(request, 500, headers=retry))]

    def _too_small(self, key: str, request: Request) -> list[Output]:
        minimum: tuple[Header, ...] = (("Min-SE", str(session_timer.MINIMUM)),)
        response: Response = self._response(request, 422, headers=minimum)
        return [SendResponse(key, response)]


def _described(body: bytes) -> tuple[Header, ...]:
    return (("Content-Type", "application/sdp"),) if body else ()
