"""An outgoing leg: INVITE, its responses, CANCEL (RFC 3261 sections 9.1 and 13.2, RFC 3262).

Whatever crosses on the wire, no 2xx stays without ACK: one that arrives after `cancel`, and one of
another branch of a fork, gets an ACK (with an answer where the INVITE had no SDP) and a BYE.
"""

from __future__ import annotations

import attrs

from sipxd.sip.credentials import Attempts, Authorizer
from sipxd.sip.dialog import DialogError, DialogState, makeshift_dialog, uac_dialog
from sipxd.sip.dialog_usage import SUPPORTED, agent_of
from sipxd.sip.early import MAXIMUM_EARLY_DIALOGS, EarlyDialog, EarlyUsage
from sipxd.sip.flow import Flow
from sipxd.sip.headers import quote
from sipxd.sip.leg import (
    Answered,
    Gone,
    Local,
    Offered,
    OfferFailed,
    Output,
    Progress,
    Refused,
    SendAck,
    SendCancel,
    SendRequest,
    SendResponse,
    StopTimer,
    Up,
    Updated,
)
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.media import CannotHold
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.offer import Exchange, Intent, OfferAnswer
from sipxd.sip.reliable import number_of
from sipxd.sip.sdp import Direction, SdpError
from sipxd.sip.usage import ALLOW, CHALLENGES, LegState

MAXIMUM_STRAYS = 20
"""How many branches of a fork are hung up; any more get their ACK only."""
_WITH_AN_ANSWER = frozenset({"INFO", "MESSAGE", "REFER", "NOTIFY"})
"""What is refused before the call is answered, because nobody could hear it."""


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


@attrs.define
class _Early(EarlyDialog):
    received: int = 0
    """RSeq of the last reliable response; 0: none yet."""


class UacLeg(EarlyUsage):
    """A leg that we call."""

    def __init__(
        self,
        local: Local,
        invitation: Invitation,
        authorizer: Authorizer | None = None,
    ) -> None:
        """``authorizer`` answers challenges to whatever the leg sends."""
        super().__init__(local, LegMedia(local.address, local.random))
        self.invitation = invitation
        self._attempts = Attempts(authorizer)
        self._owns_call_id = True
        self._tag = local.token()
        self._cseq = 0
        self._invite: Request | None = None
        self._invite_key = ""
        self._body: bytes = b""
        self._provisional = False
        self._cancelled: tuple[Header, ...] | None = None
        self._early: dict[str, _Early] = {}
        """The early dialogs in which there was more than a response, by To-tag."""
        self._rung: dict[str, Response] = {}
        """The last provisional response by To-tag: it makes an early dialog when there is need."""
        self._early_answers: dict[str, bytes] = {}
        """Answers that may still change, by To-tag."""
        self._won: str | None = None
        """The To-tag of the 2xx that the leg is up by."""
        self._strays: dict[str, Request] = {}
        """The ACK for each 2xx that is not wanted, by the key of its BYE."""

    @property
    def offerless(self) -> bool:
        """Whether the INVITE carries no SDP."""
        return not self._body

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

    def _begin_anew(self) -> None:
        """The INVITE is another one: what responses to the last one have made is over."""
        self._provisional = False
        self._early.clear()
        self._rung.clear()
        self._early_answers.clear()

    def cancel(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """Give the INVITE up. CANCEL waits for a provisional response (section 9.1)."""
        if self.state is not LegState.EARLY or self._cancelled is not None:
            return []
        self._cancelled = headers
        if self._invite is None:
            return self._refused(487, "Request Terminated")
        # When no final response follows, the transaction fails after 64*T1.
        return [SendCancel(self._invite_key, headers)] if self._provisional else []

    def _propose(self, intent: Intent) -> list[Output]:
        if self.state is not LegState.EARLY:
            return super()._propose(intent)
        settled = [early for early in self._early.values() if early.settled]
        return self._offer_in(settled[-1], intent) if settled and intent.sdp else []

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg in whatever state: CANCEL while it rings, BYE once it is up."""
        return self.cancel(headers) if self.state is LegState.EARLY else super().hang_up(headers)

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
        if response.status in CHALLENGES:
            return self._invite_challenged(response)
        if response.status == 422 and self._cancelled is None and self.session.raised(response):
            return self._send_invite()
        return self._refused(response.status, response.reason, agent_of(response))

    def _invite_challenged(self, response: Response) -> list[Output]:
        """Send the INVITE once more, with the credentials that are asked for."""
        again = None
        if self._cancelled is None:
            again = self._attempts.again(self._invite_key, response, self._cseq + 1)
        if again is None:
            reason = self._attempts.explain(response)
            return self._refused(response.status, reason, agent_of(response))
        self._cseq += 1
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

    def _refused(self, status: int, reason: str, agent: str = "") -> list[Output]:
        self.state = LegState.GONE
        stop = [StopTimer("glare")] if self._offering is not None else []
        return [*stop, Refused(status, reason[:200], agent or self.peer_agent), Gone()]

    def _provisional_response(self, response: Response) -> list[Output]:
        if self.state is not LegState.EARLY:
            return []
        first = not self._provisional
        self._provisional = True
        if self._cancelled is not None:
            return [SendCancel(self._invite_key, self._cancelled)] if first else []
        if response.status == 100:
            return []
        tag = response.to_tag or ""
        if tag in self._rung or len(self._rung) < MAXIMUM_EARLY_DIALOGS:
            self._rung[tag] = response
        number = number_of(response)
        if number is not None and tag and not self.offerless:
            early = self._early_dialog(tag)
            if early is not None:
                return self._acknowledge(early, number, response)
        sdp = response.sdp
        if sdp is not None and (self.offerless or not self.media.heard(sdp)):
            sdp = None  # an offer in an unreliable response cannot be answered (RFC 3261 13.2.1)
        if sdp is not None and tag in self._rung:
            self._early_answers[tag] = sdp
        return [Progress(response.status, sdp, tag if sdp is not None else "")]

    def _early_dialog(self, tag: str) -> _Early | None:
        """The early dialog that the last provisional response with ``tag`` has made."""
        early = self._early.get(tag)
        response = self._rung.get(tag)
        if early is not None or response is None or self._invite is None:
            return early
        try:
            dialog = uac_dialog(self._invite, response, self.invitation.flow)
        except DialogError:
            return None
        exchange = OfferAnswer(self.exchange.state)
        early = self._early[tag] = _Early(dialog, self.media.fork(), exchange)
        return early

    def _acknowledge(self, early: _Early, number: int, response: Response) -> list[Output]:
        """Take a reliable response in its order, and send PRACK for it (RFC 3262 section 4)."""
        if early.received and number != early.received + 1:
            return []  # repeated, or one before it is missing and will be repeated
        early.received = number
        tag = early.dialog.remote_tag
        with self._within(early):
            self._learn(response)
            rack = ("RAck", f"{number} {response.cseq[0]} INVITE")
            prack = self._send("PRACK", self._key("prack"), headers=(rack,))
        sdp = None if early.settled else response.sdp
        if sdp is not None and early.media.heard(sdp):
            early.settled = True  # this is the answer, whatever may come with the 2xx
            early.exchange.closed()
        else:
            sdp = None
        return [prack, Progress(response.status, sdp, tag if sdp is not None else "")]

    def _told_early(self, early: EarlyDialog, outputs: list[Output]) -> list[Output]:
        """A new description before the answer is one more preview."""
        if self.state is not LegState.EARLY:
            return outputs
        told: list[Output] = []
        for output in outputs:
            match output:
                case Updated(sdp) | Answered(sdp):
                    told.append(Progress(183, sdp, early.dialog.remote_tag))
                case OfferFailed():
                    pass
                case _:
                    told.append(output)
        return told

    def matches(self, message: Request) -> bool:
        """As for every leg; before the answer any of the early dialogs will do."""
        if self.state is not LegState.EARLY:
            return super().matches(message)
        return (
            message.call_id == self.invitation.call_id
            and message.to_tag == self._tag
            and (message.from_tag or "") in self._rung
        )

    def receive_request(self, key: str, request: Request) -> list[Output]:
        """A request within the dialog, or within one of the early ones."""
        if self.state is not LegState.EARLY:
            return super().receive_request(key, request)
        early = self._early_dialog(request.from_tag or "")
        if early is None or request.method == "BYE":
            return [SendResponse(key, self._response(request, 481))]
        if request.method in _WITH_AN_ANSWER:
            return [SendResponse(key, self._response(request, 480))]
        with self._within(early):
            out = super().receive_request(key, request)
        return self._told_early(early, out)

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
        answer = self._early_answers.get(tag)
        self._rung.clear()
        self._early_answers.clear()
        if settled:
            answer = self.media.last_heard
        else:
            self.exchange.closed()
            if self.offerless:
                return out + self._offered(response)
            answer = response.sdp or answer
        out.append(self._ack(self._invite_key, self._cseq))
        if self._cancelled is not None:
            return out + self._given_up()
        if answer is None or not (settled or self.media.heard(answer)):
            return out + self._unusable()
        return [*out, *self.session.agreed(response), self._told_up(), Answered(answer)]

    def _dialog_of(self, response: Response) -> DialogState:
        """The dialog that a 2xx makes or confirms (13.2.2.4). Raises DialogError."""
        assert self._invite is not None
        dialog = uac_dialog(self._invite, response, self.invitation.flow)
        early = self._early.get(response.to_tag or "")
        if early is None:
            return dialog
        before = early.dialog
        return attrs.evolve(dialog, local_seq=before.local_seq, remote_seq=before.remote_seq)

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
        body = self._held_for(response) if self.offerless else b""
        credentials = self._attempts.credentials(self._invite_key)
        ack = dialog.ack(self._cseq, contact=self.local.contact, headers=credentials, body=body)
        if len(self._strays) >= MAXIMUM_STRAYS:
            return [SendAck(ack)]
        self._strays[key] = ack
        bye, _ = dialog.request("BYE", contact=self.local.contact)
        return [SendAck(ack), SendRequest(key, bye)]

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
