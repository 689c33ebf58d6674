"""The early dialogs of an INVITE of ours: one for each fork that rings (RFC 3261 section 13.2.2).

A fork that rings reliably gets its PRACK, and what it answers with then is the answer (RFC 3262).
"""

from __future__ import annotations

import attrs

from sipxd.sip.dialog import DialogError, DialogState, uac_dialog
from sipxd.sip.early import MAXIMUM_EARLY_DIALOGS, EarlyDialog, EarlyUsage
from sipxd.sip.flow import Flow
from sipxd.sip.leg import Answered, Local, OfferFailed, Output, Progress, SendResponse, Updated
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.message import Request, Response
from sipxd.sip.offer import Intent, OfferAnswer
from sipxd.sip.reliable import number_of
from sipxd.sip.usage import LegState

_TOO_EARLY = frozenset({"INFO", "MESSAGE", "REFER", "NOTIFY"})
"""What is refused before the call is answered, because nobody could hear it."""


@attrs.define
class Fork(EarlyDialog):
    """One of them. ``received``: RSeq of its last reliable response; 0: none yet."""

    received: int = 0


class Forks(EarlyUsage):
    """The part of an outgoing leg that lies between its INVITE and the final response."""

    def __init__(self, local: Local, media: LegMedia, flow: Flow) -> None:
        super().__init__(local, media)
        self._flow = flow
        self._invite: Request | None = None
        self._early: dict[str, Fork] = {}
        """The early dialogs in which there was more than a response, by To-tag."""
        self._rung: dict[str, Response] = {}
        """The last provisional response by To-tag: it makes an early dialog when there is need."""
        self._early_answers: dict[str, bytes] = {}
        """Answers that may still change, by To-tag."""

    def _begin_anew(self) -> None:
        """The INVITE is another one: what responses to the last one have made is over."""
        self._early.clear()
        self._rung.clear()
        self._early_answers.clear()
        self._forget()

    def _ringing(self, response: Response) -> list[Output]:
        """A provisional response above 100."""
        assert self._invite is not None
        tag = response.to_tag or ""
        if tag in self._rung or len(self._rung) < MAXIMUM_EARLY_DIALOGS:
            self._rung[tag] = response
        number = number_of(response)
        if number is not None and tag and self._invite.body:
            early = self._early_dialog(tag)
            if early is not None:
                return self._acknowledge(early, number, response)
        sdp = response.sdp
        if sdp is not None and (not self._invite.body or not self.media.heard(sdp)):
            sdp = None  # an offer in an unreliable response cannot be answered (RFC 3261 13.2.1)
        if sdp is not None and tag in self._rung:
            self._early_answers[tag] = sdp
        return [Progress(response.status, sdp, tag if sdp is not None else "")]

    def _early_dialog(self, tag: str) -> Fork | None:
        """The early dialog that the last provisional response with ``tag`` has made."""
        early = self._early.get(tag)
        response = self._rung.get(tag)
        if early is not None or response is None or self._invite is None:
            return early
        try:
            dialog = uac_dialog(self._invite, response, self._flow)
        except DialogError:
            return None
        exchange = OfferAnswer(self.exchange.state)
        early = self._early[tag] = Fork(dialog, self.media.fork(), exchange)
        return early

    def _acknowledge(self, early: Fork, number: int, response: Response) -> list[Output]:
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
            self._invite is not None
            and message.call_id == self._invite.call_id
            and message.to_tag == self._invite.from_tag
            and (message.from_tag or "") in self._rung
        )

    def receive_request(self, key: str, request: Request) -> list[Output]:
        """A request within the dialog, or within one of the early ones."""
        if self.state is not LegState.EARLY:
            return super().receive_request(key, request)
        early = self._early_dialog(request.from_tag or "")
        if early is None or request.method == "BYE":
            return [SendResponse(key, self._response(request, 481))]
        if request.method in _TOO_EARLY:
            return [SendResponse(key, self._response(request, 480))]
        with self._within(early):
            out = super().receive_request(key, request)
        return self._told_early(early, out)

    def _propose(self, intent: Intent) -> list[Output]:
        if self.state is not LegState.EARLY:
            return super()._propose(intent)
        settled = [early for early in self._early.values() if early.settled]
        return self._offer_in(settled[-1], intent) if settled and intent.sdp else []

    def _dialog_of(self, response: Response) -> DialogState:
        """The dialog that a 2xx makes or confirms (13.2.2.4). Raises DialogError."""
        assert self._invite is not None
        dialog = uac_dialog(self._invite, response, self._flow)
        early = self._early.get(response.to_tag or "")
        if early is None:
            return dialog
        before = early.dialog
        return attrs.evolve(dialog, local_seq=before.local_seq, remote_seq=before.remote_seq)
