"""An incoming leg: ringing, answering and refusing an INVITE (RFC 3261 section 13.3)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sipxd.sip.credentials import Attempts, Authorizer
from sipxd.sip.dialog import uas_dialog
from sipxd.sip.flow import Flow
from sipxd.sip.leg import (
    Ended,
    Event,
    Local,
    Output,
    Progress,
    SendResponse,
    Up,
    effects_first,
)
from sipxd.sip.leg_media import LegMedia, readable
from sipxd.sip.message import Header, Request, respond
from sipxd.sip.offer import Intent
from sipxd.sip.sdp import SdpError
from sipxd.sip.usage import ALLOW, InviteUsage, LegState

MAXIMUM_EARLY_DIALOGS = 20
"""How many To-tags one INVITE is shown at the most."""


class UasLeg(InviteUsage):
    """A leg that calls us. Raises DialogError where ``request`` cannot make a dialog."""

    def __init__(
        self,
        local: Local,
        key: str,
        request: Request,
        flow: Flow,
        authorizer: Authorizer | None = None,
    ) -> None:
        super().__init__(local, LegMedia(local.address, local.random))
        self._attempts = Attempts(authorizer)
        self.request = request
        self._key_in = key
        self._base_tag = local.token()
        self._tags: dict[str, str] = {}
        self._confirmed = False
        self.dialog = uas_dialog(request, self._base_tag, flow)
        self._learn(request)
        self.offer_in: bytes | None = request.sdp
        """The caller's offer, None where the INVITE had none."""
        self.readable = self.offer_in is None or readable(self.offer_in) is not None
        """Whether the offer can be understood; otherwise 488 is due."""
        if self.offer_in is not None and self.readable:
            self.exchange.received()
            self.media.heard_offer(self.offer_in)

    def _tag(self, branch: str) -> str:
        """Each branch whose media the caller is shown is an early dialog of its own."""
        tag = self._tags.get(branch)
        if tag is None:
            if not self._tags or len(self._tags) >= MAXIMUM_EARLY_DIALOGS:
                tag = self._base_tag
            else:
                tag = f"{self._base_tag}-{len(self._tags)}"
            self._tags[branch] = tag
        return tag

    def ring(self, progress: Progress, branch: str) -> list[Output]:
        """Pass a provisional response of ``branch`` on to the caller."""
        if self.state is not LegState.EARLY:
            return []
        headers: list[Header] = [("Contact", self.local.contact), ("Allow", ALLOW)]
        body = b""
        if progress.sdp is not None and self.offer_in is not None:
            body = self._preview(progress.sdp)
        if body:
            headers.append(("Content-Type", "application/sdp"))
        response = respond(
            self.request, progress.status, to_tag=self._tag(branch), headers=headers, body=body
        )
        return [SendResponse(self._key_in, response)]

    def _preview(self, sdp: bytes) -> bytes:
        assert self.offer_in is not None
        try:
            body = self.media.present(sdp)
        except SdpError:
            return b""
        self.media.heard_offer(self.offer_in)  # the offer stays open: a preview is no answer
        return body

    def accept(self, sdp: bytes, branch: str) -> list[Output]:
        """Answer the call: ``sdp`` is the answer, or the offer where the caller made none."""
        if self.state is not LegState.EARLY:
            return []
        assert self.dialog is not None
        try:
            body = self.media.present(sdp)
        except SdpError as error:
            return self._over(488, Ended(False, 488, f"The answer cannot be passed on: {error}"))
        self.dialog = attrs.evolve(self.dialog, local_tag=self._tag(branch))
        self.exchange.closed()
        if self.offer_in is None:
            self.exchange.begin(Intent(sdp))
            self._offered_in_2xx = True
        self.state = LegState.UP
        return self._accept(self._key_in, self.request, body)

    def refuse(
        self, status: int, reason: str | None = None, headers: Iterable[Header] = ()
    ) -> list[Output]:
        """Refuse the call with a final ``status`` of 300 or above."""
        return self._over(status, reason=reason, headers=headers)

    def cancelled(self, sentence: str = "The caller hung up before an answer.") -> list[Output]:
        """The caller's CANCEL (section 9.2): 487. Without effect once the call is answered."""
        return self._over(487, Ended(True, 487, sentence))

    def _over(
        self,
        status: int,
        *events: Event,
        reason: str | None = None,
        headers: Iterable[Header] = (),
    ) -> list[Output]:
        """Answer the INVITE with ``status`` unless it has its answer; nothing is left then."""
        if self.state is not LegState.EARLY:
            return []
        response = respond(
            self.request, status, to_tag=self._base_tag, reason=reason, headers=headers
        )
        refusal = SendResponse(self._key_in, response)
        return [refusal, *self._refuse_waiting(), *self._gone(*events)]

    def matches(self, message: Request) -> bool:
        """As for every leg; before the answer any of the early dialogs will do."""
        if self.state is not LegState.EARLY:
            return super().matches(message)
        return (
            message.call_id == self.request.call_id
            and message.from_tag == self.request.from_tag
            and message.to_tag in (self._base_tag, *self._tags.values())
        )

    def receive_request(self, key: str, request: Request) -> list[Output]:
        """A request within the dialog; a BYE may come before the answer (section 15)."""
        if self.state is LegState.EARLY and request.method == "BYE":
            return [SendResponse(key, self._response(request, 200)), *self.cancelled()]
        return super().receive_request(key, request)

    def receive_ack(self, request: Request) -> list[Output]:
        """The ACK for a 2xx of ours; the first one says that the caller is there."""
        answered = self.state is LegState.UP
        out = super().receive_ack(request)
        if not out or not answered or self._confirmed:
            return out
        self._confirmed = True
        return effects_first([Up(), *out])

    def hang_up(self, headers: tuple[Header, ...] = ()) -> list[Output]:
        """End the leg in whatever state."""
        if self.state is LegState.EARLY:
            return self.refuse(480, None, headers)
        return super().hang_up(headers)
