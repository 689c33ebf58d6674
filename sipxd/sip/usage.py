"""An established leg: the INVITE usage of a dialog and every request within it.

RFC 3261 sections 12 to 15, RFC 3311, 4028, 5057, 6337.  How a leg comes up is in `sipxd.sip.uac` and
`sipxd.sip.uas`, which extend the class here.

::

    state     event                                  next
    EARLY     2xx received / our 2xx sent            UP
    EARLY     refused, cancelled, timed out          GONE
    UP        hang_up: BYE sent                      ENDING
    UP        BYE received, 481, 408, expiry         GONE or ENDING
    ENDING    final response to BYE, or none         GONE

Every method may be called in every state and returns what is to be done, possibly nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from sipxd.sip import session_timer
from sipxd.sip.dialog import DialogState, remote_target
from sipxd.sip.headers import HeaderError, parse_number
from sipxd.sip.leg import (
    Abandon,
    Answered,
    Ended,
    Gone,
    Local,
    Offered,
    OfferFailed,
    Output,
    Relay,
    Relayed,
    SendAck,
    SendRequest,
    SendResponse,
    StartTimer,
    StopTimer,
    Updated,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import CannotHold
from sipxd.sip.message import Header, Request, Response, respond
from sipxd.sip.offer import Exchange, Intent, OfferAnswer
from sipxd.sip.transaction import T1, T2

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE"
MAXIMUM_COLLISIONS = 8
"""How often an offer of ours is repeated after 491 or 500 with Retry-After."""
MAXIMUM_RELAYS = 16
"""Requests of a peer that may wait for the far side at once."""


class LegState(enum.Enum):
    """How far a leg is."""

    EARLY = "early"
    UP = "up"
    ENDING = "ending"
    GONE = "gone"


class InviteUsage:
    """The part of a leg that UAC and UAS share."""

    def __init__(self, local: Local, media: LegMedia) -> None:
        self.local = local
        self.media = media
        self.state = LegState.EARLY
        self.dialog: DialogState | None = None
        self.exchange = OfferAnswer()
        self.peer_allows: frozenset[str] = frozenset()
        self.peer_agent = ""
        self._number = 0
        self._reinvite: str | None = None
        self._acks: tuple[str, Request] | None = None
        """Key of the last INVITE of ours that got a 2xx, and its ACK."""
        self._owed_ack: tuple[str, int] | None = None
        """Key and CSeq of a 2xx with an offer: its ACK waits for the answer."""
        self._peer_offer: tuple[str, Request] | None = None
        """The peer's re-INVITE or UPDATE that waits for our answer."""
        self._held_back: tuple[str, Request] | None = None
        """The peer's re-INVITE that waits until the open exchange is over."""
        self._accepted: tuple[str, Response, int] | None = None
        """Our 2xx to an INVITE that waits for its ACK: key, response, CSeq."""
        self._ack_interval = T1
        self._offered_in_2xx = False
        self._bye_after_ack: tuple[Header, ...] | None = None
        self._relays: set[str] = set()
        self._timer: session_timer.SessionTimer | None = None

    # -- what the call wants -------------------------------------------------------------------

    def offer(self, sdp: bytes) -> list[Output]:
        """Offer ``sdp`` to the peer as soon as it is our turn."""
        return self._propose(Intent(sdp))

    def ask_offer(self) -> list[Output]:
        """Ask the peer for an offer (a re-INVITE without SDP) as soon as it is our turn."""
        return self._propose(Intent(None))

    def withdraw(self) -> None:
        """Forget an offer that has not gone out yet."""
        self.exchange.withdraw()

    def answer(self, sdp: bytes) -> list[Output]:
        """Answer the peer's open offer with ``sdp``."""
        if self.exchange.state is not Exchange.OFFER_RECEIVED or self.dialog is None:
            return []
        return self._answer_with(self.media.present(sdp))

    def answer_held(self) -> list[Output]:
        """Answer the peer's open offer ourselves: no media for now."""
        if self.exchange.state is not Exchange.OFFER_RECEIVED or self.dialog is None:
            return []
        try:
            body = self.media.held_answer()
        except CannotHold as error:
            status = (("Reason", f'SIP;cause=488;text="{error}"'),)
            return [
                *self._answer_with(self.media.refused_answer()),
                Ended(False, 488, str(error)),
                *self.hang_up(status),
            ]
        return self._answer_with(body)

    def reject(self, status: int) -> list[Output]:
        """Refuse the peer's open offer; an offer in a 2xx is answered without media instead."""
        if self.exchange.state is not Exchange.OFFER_RECEIVED:
            return []
        if self._owed_ack is not None:
            return self.answer_held()
        self.exchange.closed()
        self.media.dropped()
        out: list[Output] = []
        if self._peer_offer is not None:
            (key, request), self._peer_offer = self._peer_offer, None
            out.append(SendResponse(key, self._response(request, status)))
        return out + self._go_on()

    def relay(self, key: str, method: str, headers: Iterable[Header], body: bytes) -> list[Output]:
        """Send an INFO or MESSAGE of the far side; `Relayed` comes back under ``key``."""
        if self.state is not LegState.UP or self.dialog is None:
            return [Relayed(key, 480)]
        self._relays.add(key)
        return [self._send(method, key, headers=headers, body=body)]

    def respond(self, request: Request, key: str, relayed: Relayed) -> list[Output]:
        """Answer a relayed request of the peer."""
        return [
            SendResponse(
                key,
                respond(
                    request,
                    relayed.status,
                    to_tag=self._local_tag(),
                    headers=relayed.headers,
                    body=relayed.body,
                ),
            )
        ]

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg. A BYE waits for the ACK of a 2xx of ours (RFC 3261 section 15)."""
        if self.state is not LegState.UP or self.dialog is None:
            return []
        if self._accepted is not None:
            self._bye_after_ack = headers
            return []
        out = self._settle_owed_ack()
        out += self._refuse_waiting()
        self.state = LegState.ENDING
        out += self._stop_timers()
        out.append(self._send("BYE", self._key("bye"), headers=headers))
        return out

    # -- what the network brings ---------------------------------------------------------------

    def matches(self, message: Request) -> bool:
        """Whether a request from the peer belongs to this leg's dialog."""
        return self.dialog is not None and self.dialog.matches(message)

    def receive_request(self, key: str, request: Request) -> list[Output]:
        """A request of the peer within the dialog, other than ACK and CANCEL."""
        if self.dialog is None or self.state is not LegState.UP:
            if request.method == "BYE" and self.state is LegState.ENDING:
                return [SendResponse(key, self._response(request, 200))]
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
                return [Relay(key, request)]
            case "OPTIONS":
                allow = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", "timer"))
                return [SendResponse(key, self._response(request, 200, headers=allow))]
            case "SUBSCRIBE" | "NOTIFY":
                return [SendResponse(key, self._response(request, 489))]
            case _:
                allow_only = (("Allow", ALLOW),)
                return [SendResponse(key, self._response(request, 405, headers=allow_only))]

    def receive_ack(self, request: Request) -> list[Output]:
        """The ACK for a 2xx of ours."""
        if self._accepted is None or request.cseq[0] != self._accepted[2]:
            return []
        self._accepted = None
        out: list[Output] = [StopTimer("2xx"), StopTimer("ack")]
        out += self._acknowledged(request.sdp)
        if self._bye_after_ack is not None:
            headers, self._bye_after_ack = self._bye_after_ack, None
            return out + self.hang_up(headers)
        return out + self._go_on()

    def _acknowledged(self, sdp: bytes | None) -> list[Output]:
        """What an ACK says of the session."""
        if not self._offered_in_2xx:
            return []
        self._offered_in_2xx = False
        self.exchange.closed()
        if sdp is None or not self.media.heard(sdp):
            return [OfferFailed(488)]
        return [Updated(sdp)]

    def receive_response(self, key: str, response: Response) -> list[Output]:
        """A response to a request of ours within the dialog."""
        if key == self._reinvite:
            return self._reinvite_answered(key, response)
        if self._acks is not None and self._acks[0] == key and 200 <= response.status < 300:
            return [SendAck(self._acks[1])]
        if response.status < 200:
            return []
        if key.startswith("bye"):
            return self._gone()
        if key in self._relays:
            self._relays.discard(key)
            kept = tuple(
                h
                for h in response.headers
                if h[0] in ("Content-Type", "Warning", "Retry-After", "Accept")
            )
            out: list[Output] = [Relayed(key, response.status, kept, response.body)]
            return out + self._lost(response.status)
        if key.startswith("update"):
            return self._refreshed(response)
        return []

    def request_failed(self, key: str, status: int) -> list[Output]:
        """A request of ours got no response (408) or could not be sent (503)."""
        if key.startswith("bye"):
            return self._gone()
        if key == self._reinvite:
            self._reinvite = None
            offered = _offered(self.exchange.closed())
            return [OfferFailed(status, offered), *self._lost(408)]
        if key in self._relays:
            self._relays.discard(key)
            return [Relayed(key, status), *self._lost(408)]
        if key.startswith("update"):
            return self._lost(408)
        return []

    def timer(self, name: str) -> list[Output]:
        """A timer of the leg ran out."""
        match name:
            case "2xx":
                if self._accepted is None:
                    return []
                self._ack_interval = min(2 * self._ack_interval, T2)
                return [
                    SendResponse(self._accepted[0], self._accepted[1]),
                    StartTimer("2xx", self._ack_interval),
                ]
            case "ack":
                return self._never_acknowledged()
            case "glare":
                self.exchange.backing_off = False
                return self._go_on()
            case "refresh":
                return self._refresh()
            case "expire":
                return self._end(408, "The session was not refreshed in time.")
            case _:
                return []

    # -- requests of the peer ------------------------------------------------------------------

    def _receive_bye(self, key: str, request: Request) -> list[Output]:
        out: list[Output] = [SendResponse(key, self._response(request, 200))]
        out += self._settle_owed_ack()
        out += self._refuse_waiting()
        out += self._stop_timers()
        self._accepted = None
        self.state = LegState.ENDING
        out.append(Ended(True, 200, request.get("Reason") or "Hung up."))
        return out + self._gone()

    def _receive_reinvite(self, key: str, request: Request) -> list[Output]:
        if self._held_back is not None or (
            self._peer_offer is not None and self._peer_offer[1].method == "INVITE"
        ):
            retry = (("Retry-After", str(1 + self.local.random(1)[0] % 10)),)
            return [SendResponse(key, self._response(request, 500, headers=retry))]
        if session_timer.too_small(request):
            minimum = (("Min-SE", str(session_timer.MINIMUM)),)
            return [SendResponse(key, self._response(request, 422, headers=minimum))]
        if self.exchange.state is not Exchange.STABLE or self._accepted is not None:
            # A 100 went out when the request came in: the phone waits, and does not give up as it
            # may after 491.
            self._held_back = (key, request)
            return []
        return self._take_reinvite(key, request)

    def _take_reinvite(self, key: str, request: Request) -> list[Output]:
        sdp = request.sdp
        if sdp is None:
            body = self.media.last_sent
            if body is None:
                return [SendResponse(key, self._response(request, 488)), *self._go_on()]
            self.exchange.propose(Intent(body))
            self._offered_in_2xx = True
            return self._accept(key, request, body)
        if sdp == self.media.last_heard and self.media.last_sent is not None:
            return self._accept(key, request, self.media.last_sent)
        if not self.media.heard_offer(sdp):
            return [SendResponse(key, self._response(request, 488)), *self._go_on()]
        self.exchange.received()
        self._peer_offer = (key, request)
        return [Offered(sdp)]

    def _receive_update(self, key: str, request: Request) -> list[Output]:
        if session_timer.too_small(request):
            minimum = (("Min-SE", str(session_timer.MINIMUM)),)
            return [SendResponse(key, self._response(request, 422, headers=minimum))]
        sdp = request.sdp
        if sdp is None or (sdp == self.media.last_heard and self.media.last_sent is not None):
            body = b"" if sdp is None else self.media.last_sent or b""
            return self._accept_update(key, request, body)
        if self.exchange.state is not Exchange.STABLE:
            ours = self.exchange.state is not Exchange.OFFER_RECEIVED
            return [SendResponse(key, self._response(request, 491 if ours else 500))]
        if not self.media.heard_offer(sdp):
            return [SendResponse(key, self._response(request, 488))]
        self.exchange.received()
        self._peer_offer = (key, request)
        return [Offered(sdp)]

    def _accept_update(self, key: str, request: Request, body: bytes) -> list[Output]:
        timers, headers = self._session_answered(request)
        kind: tuple[Header, ...] = (("Content-Type", "application/sdp"),) if body else ()
        response = self._response(
            request, 200, headers=(("Contact", self.local.contact), *headers, *kind), body=body
        )
        return [SendResponse(key, response), *timers]

    def _answer_with(self, body: bytes) -> list[Output]:
        self.exchange.closed()
        out: list[Output] = []
        if self._owed_ack is not None:
            out += self._pay_ack(body)
        elif self._peer_offer is not None:
            (key, request), self._peer_offer = self._peer_offer, None
            if request.method == "UPDATE":
                out += self._accept_update(key, request, body)
            else:
                out += self._accept(key, request, body)
        return out + self._go_on()

    def _accept(self, key: str, request: Request, body: bytes) -> list[Output]:
        """Answer an INVITE with 200, and repeat that until it is acknowledged (13.3.1.4)."""
        timers, headers = self._session_answered(request)
        response = self._response(
            request,
            200,
            headers=(
                ("Contact", self.local.contact),
                ("Allow", ALLOW),
                ("Supported", "timer"),
                *headers,
                ("Content-Type", "application/sdp"),
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

    def _never_acknowledged(self) -> list[Output]:
        """No ACK for 64*T1: the session is ended with BYE (13.3.1.4)."""
        if self._accepted is None:
            return []
        self._accepted = None
        headers, self._bye_after_ack = self._bye_after_ack, None
        if headers is not None:
            return [StopTimer("2xx"), *self.hang_up(headers)]
        return [StopTimer("2xx"), *self._end(408, "The answer was never acknowledged.")]

    # -- requests of ours ----------------------------------------------------------------------

    def _propose(self, intent: Intent) -> list[Output]:
        if self.state is not LegState.UP:
            return []
        if self._accepted is not None or not self.exchange.propose(intent):
            self.exchange.queued = intent
            return []
        return self._begin(intent)

    def _begin(self, intent: Intent) -> list[Output]:
        if intent.sdp is None:
            body = b""
        elif intent.refresh:
            body = intent.sdp
        else:
            body = self.media.present(intent.sdp)
        key = self._reinvite = self._key("reinvite")
        return [self._send("INVITE", key, headers=self._invite_headers(), body=body)]

    def _invite_headers(self) -> tuple[Header, ...]:
        timer = self._timer
        minimum = session_timer.MINIMUM
        interval = timer.interval if timer else max(self.local.session_expires, minimum)
        ours = timer.ours if timer else None
        return (
            ("Allow", ALLOW),
            ("Supported", "timer"),
            *session_timer.request_headers(interval, minimum, ours=ours),
        )

    def _reinvite_answered(self, key: str, response: Response) -> list[Output]:
        status = response.status
        if status < 200:
            return []
        self._reinvite = None
        if status < 300:
            return self._reinvite_accepted(key, response)
        if status == 491 or (status == 500 and response.get("Retry-After") is not None):
            return self._collided(response)
        intent = self.exchange.closed()
        out: list[Output] = []
        if intent is None or not intent.refresh:
            out.append(OfferFailed(status, _offered(intent)))
        out += self._lost(status)
        return out + self._go_on()

    def _reinvite_accepted(self, key: str, response: Response) -> list[Output]:
        assert self.dialog is not None
        self._learn(response)
        out = self._session_agreed(response) if self.state is LegState.UP else []
        number = response.cseq[0]
        sdp = response.sdp
        asked = self.exchange.state is Exchange.ASKED
        if asked and sdp is not None:
            self._owed_ack = (key, number)
            self.exchange.closed()
            self.exchange.received()
            self.media.heard_offer(sdp)
            if self.state is not LegState.UP:
                return self._settle_owed_ack()
            return [*out, Offered(sdp)]
        ack = self.dialog.ack(number, contact=self.local.contact)
        self._acks = (key, ack)
        out.append(SendAck(ack))
        before = self.media.last_heard
        intent = self.exchange.closed()
        if asked or sdp is None or not self.media.heard(sdp):
            out.append(OfferFailed(488, _offered(intent)))
        elif intent is not None and intent.refresh:
            if sdp != before:
                out.append(Updated(sdp))
        else:
            out.append(Answered(sdp, _offered(intent)))
        return out + self._go_on()

    def _collided(self, response: Response) -> list[Output]:
        """491, or 500 with Retry-After: keep the call, wait, try again (14.1, 14.2)."""
        intent = self.exchange.collided()
        if intent is not None and intent.attempts > MAXIMUM_COLLISIONS:
            self.exchange.withdraw()
            self.exchange.backing_off = False
            return [OfferFailed(491, intent.sdp), *self._go_on()]
        if response.status == 500:
            seconds = float(min(_retry_after(response), 10)) + self.local.seconds(0.0, 0.5)
        elif self._owns_call_id():
            seconds = self.local.seconds(2.1, 4.0)
        else:
            seconds = self.local.seconds(0.0, 2.0)
        return [StartTimer("glare", seconds), *self._go_on()]

    def _owns_call_id(self) -> bool:
        return False

    def _refresh(self) -> list[Output]:
        if self.state is not LegState.UP or self.dialog is None:
            return []
        if "UPDATE" in self.peer_allows:
            timer = self._timer or session_timer.SessionTimer(self.local.session_expires, ours=True)
            headers = (
                ("Supported", "timer"),
                *session_timer.request_headers(
                    timer.interval, session_timer.MINIMUM, ours=timer.ours
                ),
            )
            return [self._send("UPDATE", self._key("update"), headers=headers)]
        body = self.media.last_sent
        if body is None or self.exchange.state is not Exchange.STABLE or self._accepted is not None:
            return [StartTimer("refresh", 5.0)]
        return self._propose(Intent(body, refresh=True))

    def _refreshed(self, response: Response) -> list[Output]:
        """The response to a refreshing UPDATE."""
        if response.status < 300:
            self._learn(response)
            return self._session_agreed(response)
        if response.status in (405, 501):
            self.peer_allows -= {"UPDATE"}
            return self._refresh()
        return self._lost(response.status) or [StartTimer("refresh", 5.0)]

    # -- shared pieces -------------------------------------------------------------------------

    def _go_on(self) -> list[Output]:
        """After an exchange: the peer's offer that waits, else our own."""
        if self.state is not LegState.UP or self._accepted is not None:
            return []
        if self.exchange.state is Exchange.STABLE and self._held_back is not None:
            (key, request), self._held_back = self._held_back, None
            return self._take_reinvite(key, request)
        intent = self.exchange.next_intent()
        return [] if intent is None else self._begin(intent)

    def _pay_ack(self, body: bytes) -> list[Output]:
        """Send the ACK that waited for an answer."""
        assert self.dialog is not None and self._owed_ack is not None
        (key, number), self._owed_ack = self._owed_ack, None
        ack = self.dialog.ack(number, contact=self.local.contact, body=body)
        self._acks = (key, ack)
        return [SendAck(ack)]

    def _settle_owed_ack(self) -> list[Output]:
        """Before a leg ends: no 2xx stays without its ACK, none of them without an answer."""
        if self._owed_ack is None:
            return []
        self.exchange.closed()
        try:
            return self._pay_ack(self.media.held_answer())
        except CannotHold:
            return self._pay_ack(self.media.refused_answer())

    def _refuse_waiting(self) -> list[Output]:
        """Requests of the peer that wait for an answer get 487 when the dialog ends (15.1.2)."""
        out: list[Output] = []
        for waiting in (self._peer_offer, self._held_back):
            if waiting is not None:
                out.append(SendResponse(waiting[0], self._response(waiting[1], 487)))
        self._peer_offer = self._held_back = None
        return out

    def _stop_timers(self) -> list[Output]:
        return [StopTimer(name) for name in ("2xx", "ack", "glare", "refresh", "expire")]

    def _end(self, status: int, sentence: str) -> list[Output]:
        """End the leg on our own account, with BYE."""
        if self.state is not LegState.UP:
            return []
        self._accepted = None
        reason = (("Reason", f'SIP;cause={status};text="{sentence}"'),)
        return [Ended(False, status, sentence), *self.hang_up(reason)]

    def _lost(self, status: int) -> list[Output]:
        """481 and 408 to a request in the dialog end the leg (RFC 5057 section 5.1)."""
        if status in (481, 408):
            return self._end(status, "The phone no longer knows the call or does not respond.")
        return []

    def _gone(self) -> list[Output]:
        if self.state is LegState.GONE:
            return []
        self.state = LegState.GONE
        out: list[Output] = []
        if self._reinvite is not None:
            out.append(Abandon(self._reinvite))
        return [*out, *self._stop_timers(), Gone()]

    def _learn(self, message: Request | Response) -> None:
        """Target refresh, and what the peer can do."""
        if message.method in ("INVITE", "UPDATE") if isinstance(message, Request) else True:
            target = remote_target(message)
            if (
                target is not None
                and self.dialog is not None
                and target != self.dialog.remote_target
            ):
                self.dialog = attrs.evolve(self.dialog, remote_target=target)
        if message.get("Allow") is not None:
            self.peer_allows = message.tokens("Allow")
        agent = message.get("User-Agent" if isinstance(message, Request) else "Server")
        agent = agent or message.get("User-Agent")
        if agent:
            self.peer_agent = self.media.peer_agent = agent[:128]

    def _session_agreed(self, response: Response) -> list[Output]:
        self._timer = session_timer.from_response(
            response, max(self.local.session_expires, session_timer.MINIMUM)
        )
        return self._session_timers()

    def _session_answered(self, request: Request) -> tuple[list[Output], tuple[Header, ...]]:
        self._timer, headers = session_timer.from_request(request, self.local.session_expires)
        return self._session_timers(), headers

    def _session_timers(self) -> list[Output]:
        if self._timer is None:
            return []
        if self._timer.ours:
            return [StopTimer("expire"), StartTimer("refresh", self._timer.refresh_after)]
        return [StopTimer("refresh"), StartTimer("expire", self._timer.expire_after)]

    def _send(
        self, method: str, key: str, *, headers: Iterable[Header] = (), body: bytes = b""
    ) -> SendRequest:
        assert self.dialog is not None
        agent = ("User-Agent", self.local.user_agent)
        request, self.dialog = self.dialog.request(
            method, contact=self.local.contact, headers=(*headers, agent), body=body
        )
        return SendRequest(key, request)

    def _key(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self._number}"

    def _local_tag(self) -> str | None:
        return self.dialog.local_tag if self.dialog else None

    def _response(
        self, request: Request, status: int, *, headers: Iterable[Header] = (), body: bytes = b""
    ) -> Response:
        return respond(request, status, to_tag=self._local_tag(), headers=headers, body=body)

    # -- the leg as a value --------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any] | None:
        """What is needed to go on with the dialog later, as plain data; None before it exists."""
        if self.dialog is None:
            return None
        return {
            "dialog": self.dialog.to_plain(),
            "media": self.media.to_plain(),
            "timer": msgspec.to_builtins(self._timer),
            "allows": sorted(self.peer_allows),
            "number": self._number,
        }

    def restore(self, plain: dict[str, Any]) -> None:
        """Take up the dialog that to_plain gave; the leg is up afterwards."""
        self.dialog = DialogState.from_plain(plain["dialog"])
        self.media.restore(plain["media"])
        self._timer = msgspec.convert(plain["timer"], session_timer.SessionTimer | None)
        self.peer_allows = frozenset(plain["allows"])
        self._number = plain["number"]
        self.state = LegState.UP


def _offered(intent: Intent | None) -> bytes | None:
    return None if intent is None else intent.sdp


def _retry_after(response: Response) -> int:
    head = (response.get("Retry-After") or "0").partition(";")[0].partition("(")[0]
    try:
        return parse_number(head, 3600)
    except HeaderError:
        return 5
