"""An outgoing leg: INVITE, its provisional and final responses, CANCEL (RFC 3261 sections 9.1, 13.2).

Whatever crosses on the wire, no 2xx stays without ACK: one that arrives after `cancel`, and one of
another branch of a fork, gets an ACK (with an answer where the INVITE had no SDP) and a BYE.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipxd.sip import session_timer
from sipxd.sip.dialog import DialogError, uac_dialog
from sipxd.sip.flow import Flow
from sipxd.sip.leg import (
    Abandon,
    Answered,
    Gone,
    Local,
    Offered,
    Output,
    Progress,
    Refused,
    SendAck,
    SendCancel,
    SendRequest,
    StartTimer,
    StopTimer,
    Up,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import CannotHold
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.offer import Exchange
from sipxd.sip.transaction import T1
from sipxd.sip.usage import ALLOW, InviteUsage, LegState


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


class UacLeg(InviteUsage):
    """A leg that we call."""

    def __init__(
        self,
        local: Local,
        invitation: Invitation,
        authorize: Callable[[Response], tuple[Header, ...] | None] = lambda response: None,
    ) -> None:
        """``authorize`` gives the headers that answer a challenge (401, 407), or None."""
        super().__init__(local, LegMedia(local.address, local.random))
        self.invitation = invitation
        self._authorize = authorize
        self._challenged = False
        self._tag = local.token()
        self._cseq = 0
        self._interval = max(local.session_expires, session_timer.MINIMUM)
        self._minimum = session_timer.MINIMUM
        self._invite: Request | None = None
        self._invite_key = ""
        self._body: bytes = b""
        self._provisional = False
        self._cancelled: tuple[Header, ...] | None = None
        self._early_answer: bytes | None = None
        self._strays: set[str] = set()

    @property
    def offerless(self) -> bool:
        """Whether the INVITE carries no SDP."""
        return not self._body

    def start(self, sdp: bytes | None) -> list[Output]:
        """Send the INVITE, with ``sdp`` as the offer or without one."""
        self._body = b"" if sdp is None else self.media.present(sdp)
        return self._send_invite()

    def start_held(self) -> list[Output]:
        """Send the INVITE with an offer without media, for phones that want one."""
        self._body = self.media.held_offer()
        return self._send_invite()

    def _send_invite(self) -> list[Output]:
        self._cseq += 1
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
            ("Supported", "timer"),
            *session_timer.request_headers(self._interval, self._minimum),
            ("User-Agent", self.local.user_agent),
            *invitation.headers,
        )
        if self._body:
            headers.append(("Content-Type", "application/sdp"))
        self._invite = Request("INVITE", invitation.uri, headers=headers, body=self._body)
        self._invite_key = self._key("invite")
        return [SendRequest(self._invite_key, self._invite)]

    def cancel(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """Give the INVITE up. CANCEL waits for a provisional response (section 9.1)."""
        if self.state is not LegState.EARLY or self._cancelled is not None:
            return []
        self._cancelled = headers
        return self._send_cancel() if self._provisional else []

    def _send_cancel(self) -> list[Output]:
        assert self._cancelled is not None
        return [SendCancel(self._invite_key, self._cancelled), StartTimer("cancelled", 64 * T1)]

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg in whatever state: CANCEL while it rings, BYE once it is up."""
        return self.cancel(headers) if self.state is LegState.EARLY else super().hang_up(headers)

    def timer(self, name: str) -> list[Output]:
        """A timer of the leg ran out."""
        if name != "cancelled":
            return super().timer(name)
        if self.state is not LegState.EARLY:
            return []
        return [Abandon(self._invite_key), *self._refused(487, "Request Terminated")]

    def receive_response(self, key: str, response: Response) -> list[Output]:
        """A response to a request of ours."""
        if key in self._strays:
            return []
        if key != self._invite_key:
            return super().receive_response(key, response)
        if response.status < 200:
            return self._provisional_response(response)
        if response.status < 300:
            return self._success(response)
        if self.state is not LegState.EARLY:
            return []
        if response.status == 422 and self._cancelled is None:
            minimum = session_timer.minimum_of(response)
            if self._interval < minimum <= 7200:
                self._interval = self._minimum = minimum
                return self._send_invite()
        if response.status in (401, 407) and self._cancelled is None and not self._challenged:
            credentials = self._authorize(response)
            if credentials is not None:
                self._challenged = True
                headers = (*self.invitation.headers, *credentials)
                self.invitation = attrs.evolve(self.invitation, headers=headers)
                return self._send_invite()
        agent = response.get("Server") or response.get("User-Agent") or ""
        return self._refused(response.status, response.reason, agent)

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

    def _refused(self, status: int, reason: str, agent: str = "") -> list[Output]:
        self.state = LegState.GONE
        return [
            StopTimer("cancelled"),
            Refused(status, reason[:200], (agent or self.peer_agent)[:128]),
            Gone(),
        ]

    def _provisional_response(self, response: Response) -> list[Output]:
        if self.state is not LegState.EARLY:
            return []
        first = not self._provisional
        self._provisional = True
        if self._cancelled is not None:
            return self._send_cancel() if first else []
        if response.status == 100:
            return []
        sdp = response.sdp
        if sdp is not None and (self.offerless or not self.media.heard(sdp)):
            sdp = None  # an offer in an unreliable response cannot be answered (RFC 3261 13.2.1)
        if sdp is not None:
            self._early_answer = sdp
        return [Progress(response.status, sdp)]

    def _success(self, response: Response) -> list[Output]:
        assert self._invite is not None
        if self.state is not LegState.EARLY:
            if self.dialog is not None and response.to_tag == self.dialog.remote_tag:
                if self._acks is not None and self._acks[0] == self._invite_key:
                    return [SendAck(self._acks[1])]
                return []
            return self._dismiss(response)
        try:
            self.dialog = uac_dialog(self._invite, response, self.invitation.flow)
        except DialogError as error:
            return [*self._refused(502, f"The 200 is unusable: {error}")]
        self.state = LegState.UP
        self._learn(response)
        out: list[Output] = [StopTimer("cancelled")]
        unusable = False
        answer: bytes | None = None
        if self.offerless:
            sdp = response.sdp
            self._owed_ack = (self._invite_key, self._cseq)
            self.exchange.closed()
            self.exchange.received()
            if sdp is None or not self.media.heard_offer(sdp):
                unusable = True
        else:
            ack = self.dialog.ack(self._cseq, contact=self.local.contact)
            self._acks = (self._invite_key, ack)
            out.append(SendAck(ack))
            self.exchange.closed()
            answer = response.sdp or self._early_answer
            unusable = answer is None or not self.media.heard(answer)
        if self._cancelled is not None:
            out.append(Refused(487, "Request Terminated", self.peer_agent))
            return out + super().hang_up(self._cancelled)
        if unusable:
            sentence = "The phone answered without a usable session description."
            reason = (("Reason", f'SIP;cause=488;text="{sentence}"'),)
            out.append(Refused(488, sentence, self.peer_agent))
            return out + super().hang_up(reason)
        out += self._session_agreed(response)
        out.append(Up())
        out.append(Offered(response.sdp or b"") if answer is None else Answered(answer))
        return out

    def _dismiss(self, response: Response) -> list[Output]:
        """A 2xx of another fork, or one that came too late: ACK and BYE (13.2.2.4)."""
        assert self._invite is not None
        try:
            dialog = uac_dialog(self._invite, response, self.invitation.flow)
        except DialogError:
            return []
        body = b""
        if self.offerless:
            stray = LegMedia(self.local.address, self.local.random)
            stray.peer_agent = response.get("Server") or ""
            if response.sdp is not None and stray.heard_offer(response.sdp):
                try:
                    body = stray.held_answer()
                except CannotHold:
                    body = stray.refused_answer()
        out: list[Output] = [SendAck(dialog.ack(self._cseq, contact=self.local.contact, body=body))]
        key = f"stray-{dialog.remote_tag}"
        if key not in self._strays and len(self._strays) < 20:
            self._strays.add(key)
            dialog = attrs.evolve(dialog, local_seq=self._cseq)
            bye, _ = dialog.request("BYE", contact=self.local.contact)
            out.append(SendRequest(key, bye))
        return out

    def _owns_call_id(self) -> bool:
        return True
