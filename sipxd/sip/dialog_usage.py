"""The life of a leg: its dialog, its end, and what requests in both directions share.

RFC 3261 sections 12 and 15, RFC 5057.  `sipxd.sip.peer_requests` adds what the peer asks of us,
`sipxd.sip.usage` what we ask of the peer; how a leg comes up is in `sipxd.sip.uac` and
`sipxd.sip.uas`.

::

    state     event                                  next
    EARLY     2xx received / our 2xx sent            UP
    EARLY     refused, cancelled, timed out          GONE
    UP        hang_up: BYE sent, or waiting for ACK  ENDING
    UP        481, 408, expiry                       ENDING
    UP        BYE received                           GONE
    ENDING    ACK for our 2xx, or none in 64*T1      ENDING, BYE sent
    ENDING    BYE received before ours was sent      GONE
    ENDING    no way for our BYE                     ENDING, BYE sent again later
    ENDING    final response to BYE, or none         GONE

After the end there are only ACKs for a 2xx that comes late.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from sipxd.sip.credentials import Attempts
from sipxd.sip.dialog import DialogState, remote_target
from sipxd.sip.leg import (
    Ended,
    Event,
    Gone,
    Local,
    Output,
    Relayed,
    SendAck,
    SendCancel,
    SendRequest,
    SendResponse,
    StartTimer,
    StopTimer,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import CannotHold
from sipxd.sip.message import Header, Request, Response, displayable, respond
from sipxd.sip.offer import Intent, OfferAnswer
from sipxd.sip.session_timer import SessionClock, SessionTimer

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, MESSAGE, REFER, NOTIFY"
SUPPORTED = "timer, replaces, norefersub"
"""Option tags of what is always known; 100rel depends on the request."""
SESSION_TIMERS = ("glare", "held", "refresh", "expire")
"""Timers of a leg that is up; "2xx" and "ack" go on until our 2xx is acknowledged."""
BYE_AGAIN = 4
"""How often a BYE that finds no way is tried again, after 1, 2, 4 ... seconds."""
_KEPT_ACKS = 2
"""The ACK of one INVITE may be lost while the next INVITE is on its way already."""


class LegState(enum.Enum):
    """How far a leg is."""

    EARLY = "early"
    UP = "up"
    ENDING = "ending"
    GONE = "gone"


class DialogUsage(abc.ABC):
    """State and end of a leg."""

    def __init__(self, local: Local, media: LegMedia) -> None:
        self.local = local
        self.media = media
        self.state = LegState.EARLY
        self.dialog: DialogState | None = None
        self.exchange = OfferAnswer()
        self.session = SessionClock(local.session_expires)
        self.peer_allows: frozenset[str] = frozenset()
        self._owns_call_id = False
        """Whether the Call-ID is ours, which decides who waits longer after a collision."""
        self._number = 0
        self._reinvite: str | None = None
        """Key of our re-INVITE that has no final response."""
        self._acks: dict[str, Request] = {}
        """The ACKs of the last INVITEs of ours, by key, for 2xx that are repeated."""
        self._owed_ack: tuple[str, int] | None = None
        """Key and CSeq of a 2xx with an offer: its ACK waits for the answer."""
        self._accepted: tuple[str, Response, int] | None = None
        """Our 2xx to an INVITE that waits for its ACK: key, response, CSeq."""
        self._waiting: dict[str, Request] = {}
        """The peer's requests that have no final response, by key."""
        self._farewell: tuple[Header, ...] = ()
        """The headers of our BYE: it may have to wait for an ACK, or for a connection."""
        self._byes = 0
        """How often no way was found for our BYE."""
        self._bye: str | None = None
        """Key of our BYE."""
        self._relays: set[str] = set()
        """Keys of the far side's requests that the peer has not answered."""
        self._attempts = Attempts(None)

    @property
    def peer_agent(self) -> str:
        """What the peer calls itself; empty where it has not said."""
        return self.media.peer_agent

    # -- the end -------------------------------------------------------------------------------

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg. A BYE waits for the ACK of a 2xx of ours (RFC 3261 section 15)."""
        if self.state is not LegState.UP or self.dialog is None:
            return []
        self.state = LegState.ENDING
        out = [*self._settle_owed_ack(), *self._refuse_waiting()]
        out += [StopTimer(name) for name in SESSION_TIMERS]
        self._farewell = headers
        return out if self._accepted is not None else [*out, self._send_bye()]

    def _send_bye(self) -> SendRequest:
        self._bye = self._key("bye")
        return self._send("BYE", self._bye, headers=self._farewell)

    def _bye_failed(self, status: int) -> list[Output]:
        """No answer came, or (503) no way led to the peer: a connection may be there again soon."""
        if status != 503 or self._byes == BYE_AGAIN:
            return self._gone()
        self._bye = None
        self._byes += 1
        return [StartTimer("bye", 2.0 ** (self._byes - 1))]

    def _bye_again(self) -> list[Output]:
        waits = self.state is LegState.ENDING and self._bye is None and self._byes > 0
        return [self._send_bye()] if waits else []

    def _end(self, status: int, sentence: str) -> list[Output]:
        """End the leg on our own account, with BYE."""
        if self.state is not LegState.UP:
            return []
        reason = (("Reason", f'SIP;cause={status};text="{sentence}"'),)
        return [*self.hang_up(reason), Ended(False, status, sentence)]

    def _lost(self, status: int) -> list[Output]:
        """481 and 408 to a request in the dialog end the leg (RFC 5057 section 5.1)."""
        if status in (481, 408):
            return self._end(status, "The phone no longer knows the call or does not respond.")
        return []

    def _gone(self, *events: Event) -> list[Output]:
        """Nothing is left to be done, after ``events``."""
        if self.state is LegState.GONE:
            return []
        self.state = LegState.GONE
        self._accepted = None
        out: list[Output] = [StopTimer(name) for name in ("2xx", "ack", "bye", *SESSION_TIMERS)]
        if self._reinvite is not None:
            # A 2xx is still acknowledged, and a peer that gives no answer is not waited for.
            out.append(SendCancel(self._reinvite))
        unanswered = [Relayed(key, 487) for key in sorted(self._relays)]
        self._relays.clear()
        return [*out, *events, *unanswered, Gone()]

    def _receive_bye(self, key: str, request: Request) -> list[Output]:
        out: list[Output] = [SendResponse(key, self._response(request, 200))]
        if self.state is LegState.ENDING:
            # Where ours is under way both have crossed, and ours ends the leg.
            return out if self._bye is not None else out + self._gone()
        out += self._settle_owed_ack()
        out += self._refuse_waiting()
        return out + self._gone(Ended(True, 200, (request.get("Reason") or "Hung up.")[:200]))

    def _refuse_waiting(self) -> list[Output]:
        """Requests of the peer that wait for an answer get 487 when the dialog ends (15.1.2)."""
        out: list[Output] = [
            SendResponse(key, self._response(request, 487))
            for key, request in self._waiting.items()
        ]
        self._waiting.clear()
        return out

    def _never_acknowledged(self) -> list[Output]:
        """No ACK for 64*T1: the session is ended with BYE (13.3.1.4)."""
        if self._accepted is None:
            return []
        self._accepted = None
        if self.state is LegState.ENDING:
            return [StopTimer("2xx"), self._send_bye()]
        return [StopTimer("2xx"), *self._end(408, "The answer was never acknowledged.")]

    # -- the ACKs that we send -----------------------------------------------------------------

    def _ack(self, key: str, number: int, body: bytes = b"") -> SendAck:
        """The ACK for the 2xx to our INVITE ``key``, kept for repetitions of that 2xx."""
        assert self.dialog is not None
        credentials = self._attempts.credentials(key)
        ack = self.dialog.ack(number, contact=self.local.contact, headers=credentials, body=body)
        self._acks[key] = ack
        while len(self._acks) > _KEPT_ACKS:
            del self._acks[next(iter(self._acks))]
        return SendAck(ack)

    def _settle_owed_ack(self) -> list[Output]:
        """Before a leg ends: no 2xx stays without its ACK, none of them without an answer."""
        if self._owed_ack is None:
            return []
        (key, number), self._owed_ack = self._owed_ack, None
        self.exchange.closed()
        try:
            body = self.media.held_answer()
        except CannotHold:
            body = self.media.refused_answer()
        return [self._ack(key, number, body)]

    # -- shared pieces -------------------------------------------------------------------------

    @property
    def _negotiable(self) -> bool:
        """Whether there is a session about which offers may be made."""
        return self.state is LegState.UP

    @abc.abstractmethod
    def _begin(self, intent: Intent) -> list[Output]:
        """Send the re-INVITE for ``intent``, whose turn it is."""

    def _learn(self, message: Request | Response) -> None:
        """Target refresh, and what the peer can do."""
        if isinstance(message, Response) or message.method in ("INVITE", "UPDATE"):
            target = remote_target(message)
            if target is not None and self.dialog is not None:
                self.dialog = attrs.evolve(self.dialog, remote_target=target)
        if message.get("Allow") is not None:
            self.peer_allows = message.tokens("Allow")
        self.media.peer_agent = agent_of(message) or self.media.peer_agent

    def _send(
        self, method: str, key: str, *, headers: Iterable[Header] = (), body: bytes = b""
    ) -> SendRequest:
        assert self.dialog is not None
        agent = ("User-Agent", self.local.user_agent)
        request, self.dialog = self.dialog.request(
            method, contact=self.local.contact, headers=(*headers, agent), body=body
        )
        return SendRequest(key, self._attempts.first(key, request))

    def _challenged(self, key: str, response: Response) -> list[Output]:
        """The request ``key`` once more, with what the challenge asks for; nothing where we cannot.

        The exchange stays open meanwhile.  Once the leg has ended only its BYE is worth it.
        """
        ended = self.state in (LegState.ENDING, LegState.GONE)
        if self.dialog is None or (ended and key != self._bye):
            return []
        number = self.dialog.local_seq + 1
        request = self._attempts.again(key, response, number)
        if request is None:
            return []
        self.dialog = attrs.evolve(self.dialog, local_seq=number)
        self._sent_again(key, number)
        return [SendRequest(key, request)]

    @abc.abstractmethod
    def _sent_again(self, key: str, number: int) -> None:
        """The request ``key`` has got another CSeq."""

    def _key(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self._number}"

    def _response(
        self, request: Request, status: int, *, headers: Iterable[Header] = (), body: bytes = b""
    ) -> Response:
        tag = self.dialog.local_tag if self.dialog else None
        return respond(request, status, to_tag=tag, headers=headers, body=body)

    # -- the leg as a value --------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any] | None:
        """What is needed to go on with the dialog later, as plain data; None unless the leg is up.

        An exchange that is open is not part of it.
        """
        if self.dialog is None or self.state is not LegState.UP:
            return None
        return {
            "dialog": self.dialog.to_plain(),
            "media": self.media.to_plain(),
            "timer": msgspec.to_builtins(self.session.timer),
            "allows": sorted(self.peer_allows),
            "owner": self._owns_call_id,
            "number": self._number,
        }

    def restore(self, plain: dict[str, Any]) -> list[Output]:
        """Take up the dialog that to_plain gave; the leg is up afterwards.

        Raises KeyError, TypeError and msgspec.ValidationError where it is something else.
        """
        self.dialog = DialogState.from_plain(plain["dialog"])
        self.media.restore(plain["media"])
        self.session.timer = msgspec.convert(plain["timer"], SessionTimer | None)
        self.peer_allows = frozenset(plain["allows"])
        self._owns_call_id = plain["owner"]
        self._number = plain["number"]
        self.state = LegState.UP
        return self.session.start()


def agent_of(message: Request | Response) -> str:
    """What the sender of ``message`` calls itself, empty where it does not say."""
    name = "User-Agent" if isinstance(message, Request) else "Server"
    return displayable((message.get(name) or message.get("User-Agent") or "")[:128])
