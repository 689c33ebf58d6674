"""An outgoing leg: INVITE, its responses, CANCEL (RFC 3261 sections 9.1 and 13.2, RFC 3262).

Whatever crosses on the wire, no 2xx stays without ACK: one that arrives after `cancel`, and one of
another branch of a fork, gets an ACK (with an answer where the INVITE had no SDP) and a BYE.
"""

from __future__ import annotations

import attrs

from sipxd.sip.credentials import Attempts, Authorizer
from sipxd.sip.dialog import DialogError, makeshift_dialog
from sipxd.sip.dialog_usage import SUPPORTED, agent_of
from sipxd.sip.flow import Flow
from sipxd.sip.forks import Forks
from sipxd.sip.headers import quote
from sipxd.sip.leg import (
    Answered,
    Gone,
    Local,
    Offered,
    Output,
    Refused,
    SendAck,
    SendCancel,
    SendRequest,
    StopTimer,
    Up,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import CannotHold
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.offer import Exchange
from sipxd.sip.redirection import contacts_of
from sipxd.sip.sdp import Direction, SdpError
from sipxd.sip.usage import ALLOW, CHALLENGES, LegState

MAXIMUM_STRAYS = 20
"""How many branches of a fork are hung up; any more get their ACK only."""


@attrs.frozen
class Invitation:
    """What an INVITE is made of. ``from_`` and ``to`` are header values without tags."""

    uri: str
    from_: str
    to: str
    flow: Flow
    call_id: str
    headers: tuple[Header, ...] = ()
    routes: tuple[str, ...] = ()
    max_forwards: int = 70


class UacLeg(Forks):
    """A leg that we call."""

    def __init__(
        self,
        local: Local,
        invitation: Invitation,
        authorizer: Authorizer | None = None,
    ) -> None:
        """``authorizer`` answers challenges to whatever the leg sends."""
        super().__init__(local, LegMedia(local.address, local.random), invitation.flow)
        self.invitation = invitation
        self._attempts = Attempts(authorizer)
        self._owns_call_id = True
        self._tag = local.token()
        self._cseq = 0
        self._invite_key = ""
        self._body: bytes = b""
        self._provisional = False
        self._cancelled: tuple[Header, ...] | None = None
        self._won: str | None = None
        """The To-tag of the 2xx that the leg is up by."""
        self._strays: dict[str, Request] = {}
        """The ACK for each 2xx that is not wanted, by the key of its BYE."""

    def start(self, sdp: bytes | None) -> list[Output]:
        """Send the INVITE, with ``sdp`` as the offer or without one."""
        if self.state is not LegState.EARLY or self._invite is not None:
            return []
        try:
            self._body = b"" if sdp is None else self.media.present(sdp)
        except SdpError as error:
            return self._refused(488, f"The offer cannot be passed on: {error}")
        return self._send_invite()

    def start_held(self, direction: Direction = Direction.INACTIVE) -> list[Output]:
        """Send the INVITE with an offer without media, for phones that want one."""
        if self.state is not LegState.EARLY or self._invite is not None:
            return []
        self._body = self.media.held_offer(direction)
        return self._send_invite()

    def _send_invite(self) -> list[Output]:
        self._cseq += 1
        self._provisional = False
        self._begin_anew()
        self.exchange.state = Exchange.OFFER_SENT if self._body else Exchange.ASKED
        invitation = self.invitation
        headers: list[Header] = [("Route", route) for route in invitation.routes]
        headers += (
            ("Max-Forwards", str(invitation.max_forwards)),
            ("From", f"{invitation.from_};tag={self._tag}"),
            ("To", invitation.to),
            ("Call-ID", invitation.call_id),
            ("CSeq", f"{self._cseq} INVITE"),
            ("Contact", self.local.contact),
            ("Allow", ALLOW),
            ("Supported", f"{SUPPORTED}, 100rel" if self._body else SUPPORTED),
            *self.session.headers(),
            ("User-Agent", self.local.user_agent),
            *invitation.headers,
        )
        if self._body:
            headers.append(("Content-Type", "application/sdp"))
        self._invite_key = self._key("invite")
        request = Request("INVITE", invitation.uri, headers=headers, body=self._body)
        self._invite = self._attempts.first(self._invite_key, request)
        return [SendRequest(self._invite_key, self._invite)]

    def cancel(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """Give the INVITE up. CANCEL waits for a provisional response (section 9.1)."""
        if self.state is not LegState.EARLY or self._cancelled is not None:
            return []
        self._cancelled = headers
        if self._invite is None:
            return self._refused(487, "Request Terminated")
        # When no final response follows, the transaction fails after 64*T1.
        return [SendCancel(self._invite_key, headers)] if self._provisional else []

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg in whatever state: CANCEL while it rings, BYE once it is up."""
        return self.cancel(headers) if self.state is LegState.EARLY else super().hang_up(headers)

    def receive_response(self, key: str, response: Response) -> list[Output]:
        """A response to a request of ours."""
        if key in self._strays:
            return self._stray_answered(key, response)
        if key != self._invite_key:
            return super().receive_response(key, response)
        if response.status < 200:
            return self._provisional_response(response)
        if response.status < 300:
            return self._success(response)
        if self.state is not LegState.EARLY:
            return []
        if response.status in CHALLENGES:
            return self._invite_challenged(response)
        if response.status == 422 and self._cancelled is None and self.session.raised(response):
            return self._send_invite()
        return self._refused(
            response.status, response.reason, agent_of(response), contacts_of(response)
        )

    def _invite_challenged(self, response: Response) -> list[Output]:
        """Send the INVITE once more, with the credentials that are asked for."""
        again = None
        if self._cancelled is None:
            again = self._attempts.again(self._invite_key, response, self._cseq + 1)
        if again is None:
            reason = self._attempts.explain(response)
            return self._refused(response.status, reason, agent_of(response))
        self._cseq += 1
        self._provisional = False
        self._begin_anew()
        self._invite = again
        return [SendRequest(self._invite_key, again)]

    def request_failed(self, key: str, status: int) -> list[Output]:
        """A request of ours got no response (408) or could not be sent (503)."""
        if key in self._strays:
            return []
        if key != self._invite_key:
            return super().request_failed(key, status)
        if self.state is not LegState.EARLY:
            return []
        reason = "No response" if status == 408 else "The network refused the message"
        return self._refused(status, reason)

    def _refused(
        self,
        status: int,
        reason: str,
        agent: str = "",
        contacts: tuple[tuple[float, str], ...] = (),
    ) -> list[Output]:
        self.state = LegState.GONE
        stop = [StopTimer("glare")] if self._offering is not None else []
        refused = Refused(status, reason[:200], agent or self.peer_agent, contacts)
        return [*stop, refused, Gone()]

    def _provisional_response(self, response: Response) -> list[Output]:
        if self.state is not LegState.EARLY:
            return []
        first = not self._provisional
        self._provisional = True
        if self._cancelled is not None:
            return [SendCancel(self._invite_key, self._cancelled)] if first else []
        return [] if response.status == 100 else self._ringing(response)

    def _success(self, response: Response) -> list[Output]:
        assert self._invite is not None
        if self.state is not LegState.EARLY:
            if self._won is None or (response.to_tag or "") != self._won:
                return self._dismiss(response)
            ack = self._acks.get(self._invite_key)
            return [] if ack is None else [SendAck(ack)]  # none: it waits for the answer
        try:
            dialog = self._dialog_of(response)
        except DialogError as error:
            return [*self._dismiss(response), *self._refused(502, f"The 200 is unusable: {error}")]
        self._won = tag = response.to_tag or ""
        early = self._early.get(tag)
        out = self._answered_in(early)
        self.dialog = dialog
        self.state = LegState.UP
        self._learn(response)
        settled = early is not None and early.settled
        if settled:
            answer = self.media.last_heard
        else:
            self.exchange.closed()
            if not self._body:
                return out + self._offered(response)
            answer = response.sdp or self._early_answers.get(tag)
        self._rung.clear()
        out.append(self._ack(self._invite_key, self._cseq))
        if self._cancelled is not None:
            return out + self._given_up()
        if answer is None or not (settled or self.media.heard(answer)):
            return out + self._unusable()
        return [*out, *self.session.agreed(response), self._told_up(), Answered(answer)]

    def _offered(self, response: Response) -> list[Output]:
        """The 2xx to an INVITE without SDP: its ACK waits for our answer."""
        if response.sdp is None or not self.media.heard_offer(response.sdp):
            out: list[Output] = [self._ack(self._invite_key, self._cseq)]
            return out + (self._unusable() if self._cancelled is None else self._given_up())
        self._owed_ack = (self._invite_key, self._cseq)
        self.exchange.received()
        if self._cancelled is not None:
            return self._given_up()
        return [*self.session.agreed(response), self._told_up(), Offered(response.sdp)]

    def _told_up(self) -> Up:
        return Up(self.peer_agent, self.peer_allows)

    def _given_up(self) -> list[Output]:
        """The 2xx crossed our CANCEL: hang up."""
        assert self._cancelled is not None
        refused = Refused(487, "Request Terminated", self.peer_agent)
        return [*super().hang_up(self._cancelled), refused]

    def _unusable(self) -> list[Output]:
        sentence = "The phone answered without a usable session description."
        reason = (("Reason", f"SIP;cause=488;text={quote(sentence)}"),)
        return [*super().hang_up(reason), Refused(488, sentence, self.peer_agent)]

    def _dismiss(self, response: Response) -> list[Output]:
        """A 2xx that is not wanted (another fork's, late, unusable): ACK and BYE (13.2.2.4)."""
        assert self._invite is not None
        key = f"stray-{response.to_tag}"
        if key in self._strays:
            return [SendAck(self._strays[key])]
        try:
            dialog = self._dialog_of(response)
        except DialogError:
            dialog = makeshift_dialog(self._invite, response, self.invitation.flow)
        body = self._held_for(response) if not self._body else b""
        credentials = self._attempts.credentials(self._invite_key)
        ack = dialog.ack(self._cseq, contact=self.local.contact, headers=credentials, body=body)
        if len(self._strays) >= MAXIMUM_STRAYS:
            return [SendAck(ack)]
        self._strays[key] = ack
        bye, _ = dialog.request("BYE", contact=self.local.contact)
        return [SendAck(ack), SendRequest(key, self._attempts.first(key, bye))]

    def _stray_answered(self, key: str, response: Response) -> list[Output]:
        """A response to the BYE of a 2xx that is not wanted."""
        if response.status not in CHALLENGES:
            return []
        again = self._attempts.again(key, response, response.cseq[0] + 1)
        return [] if again is None else [SendRequest(key, again)]

    def _held_for(self, response: Response) -> bytes:
        """An answer without media to the offer of a 2xx that is not wanted; empty without offer."""
        media = LegMedia(self.local.address, self.local.random)
        media.peer_agent = agent_of(response) or self.peer_agent
        if response.sdp is None or not media.heard_offer(response.sdp):
            return b""
        try:
            return media.held_answer()
        except CannotHold:
            return media.refused_answer()
