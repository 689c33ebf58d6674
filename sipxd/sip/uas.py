"""An incoming leg: ringing, answering and refusing an INVITE (RFC 3261 section 13.3, RFC 3262)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sipxd.sip.credentials import Attempts, Authorizer
from sipxd.sip.dialog import uas_dialog
from sipxd.sip.early import MAXIMUM_EARLY_DIALOGS, EarlyDialog, EarlyUsage
from sipxd.sip.flow import Flow
from sipxd.sip.leg import (
    Answered,
    Ended,
    Event,
    Local,
    OfferFailed,
    Output,
    Progress,
    SendResponse,
    Up,
    effects_first,
)
from sipxd.sip.leg_media import LegMedia, readable, same_media
from sipxd.sip.message import Header, Request, respond
from sipxd.sip.offer import Exchange, Intent, OfferAnswer
from sipxd.sip.reliable import ReliableResponses, wants_reliable
from sipxd.sip.sdp import SdpError
from sipxd.sip.usage import ALLOW, LegState


@attrs.define
class _Early(EarlyDialog):
    reliable: ReliableResponses = attrs.field(kw_only=True)
    fork: str | None = None
    """The fork of the branch whose media it shows; None: none yet."""
    shown: bytes | None = None
    """The far side's description that the caller was shown last."""
    waiting: Progress | None = None
    """What is to be passed on once the last reliable response is acknowledged."""


class UasLeg(EarlyUsage):
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
        self._reliable_only = wants_reliable(request, "Require")
        self._reliable = self._reliable_only or wants_reliable(request, "Supported")
        self._early: list[_Early] = []
        self._branches: dict[str, list[_Early]] = {}
        """The early dialogs by branch, the one that spoke last at the end."""
        self._accepting: tuple[bytes, _Early] | None = None
        """What `accept` was given while the answer in a provisional response waits for PRACK."""
        self._answering: _Early | None = None
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
        self._initially = self.exchange.state

    # -- ringing -------------------------------------------------------------------------------

    def ring(self, progress: Progress, branch: str) -> list[Output]:
        """Pass a provisional response of ``branch`` on to the caller."""
        if self.state is not LegState.EARLY or self._accepting is not None:
            return []
        early = self._early_for(branch, progress)
        if early is None:
            # Of one branch too many the caller is told only that it rings.
            early = self._early[0]
            progress = Progress(progress.status)
        if early.reliable.open is not None:
            waits = early.waiting.sdp if early.waiting is not None else None
            early.waiting = attrs.evolve(progress, sdp=progress.sdp or waits)
            return []
        return self._show(early, progress)

    def _early_for(self, branch: str, progress: Progress) -> _Early | None:
        """Each branch, and each fork of it, whose media the caller is shown has its own To-tag."""
        dialogs = self._branches.setdefault(branch, [])
        if progress.sdp is None:
            known = dialogs[-1:]
        else:
            known = [early for early in dialogs if early.fork in (None, progress.fork)]
        if known:
            early = known[0]
            dialogs.remove(early)
        elif len(self._early) < MAXIMUM_EARLY_DIALOGS:
            early = self._new_early(len(self._early))
            self._early.append(early)
        else:
            return None
        if progress.sdp is not None:
            early.fork = progress.fork
        dialogs.append(early)
        return early

    def _new_early(self, number: int) -> _Early:
        assert self.dialog is not None
        first = 1 + int.from_bytes(self.local.random(3))
        if not number:
            reliable = ReliableResponses("reliable", first)
            return _Early(self.dialog, self.media, self.exchange, reliable=reliable)
        dialog = attrs.evolve(self.dialog, local_tag=f"{self._base_tag}-{number}")
        media = self.media.fork()
        if self.offer_in is not None:
            media.heard_offer(self.offer_in)
        reliable = ReliableResponses(f"reliable-{number}", first)
        return _Early(dialog, media, OfferAnswer(self._initially), reliable=reliable)

    def _show(self, early: _Early, progress: Progress) -> list[Output]:
        """One provisional response in ``early``; reliable where it has to be (RFC 3262, 3)."""
        body, sdp = b"", progress.sdp
        if self._reliable_only and self.offer_in is None:
            return []  # it would have to make an offer, and there is none yet
        if sdp is not None and self.offer_in is not None and not early.settled:
            body = self._preview(early, sdp)
        reliable = self._reliable_only or (self._reliable and bool(body))
        headers: list[Header] = [("Contact", self.local.contact), ("Allow", ALLOW)]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        response = respond(
            self.request,
            progress.status,
            to_tag=early.dialog.local_tag,
            headers=headers,
            body=body,
        )
        if not reliable:
            out: list[Output] = [SendResponse(self._key_in, response)]
        else:
            out = early.reliable.send(self._key_in, response)
        if body and reliable:
            early.settled = True  # it is the answer
            early.exchange.closed()
        elif body and self.offer_in is not None:
            early.media.heard_offer(self.offer_in)  # it stays open: a preview is no answer
        elif sdp is not None and early.settled and not same_media(early.shown, sdp):
            return out + self._offer_in(early, Intent(sdp))
        return out

    def _preview(self, early: _Early, sdp: bytes) -> bytes:
        try:
            body = early.media.present(sdp)
        except SdpError:
            return b""
        early.shown = sdp
        return body

    def _told_early(self, early: EarlyDialog, outputs: list[Output]) -> list[Output]:
        """Note what the caller was shown; a refusal changes nothing before the answer."""
        if self.state is not LegState.EARLY:
            return outputs
        for output in outputs:
            if isinstance(output, Answered) and isinstance(early, _Early):
                early.shown = output.offered
        return [output for output in outputs if not isinstance(output, OfferFailed)]

    def _receive_prack(self, key: str, request: Request) -> list[Output]:
        early = self._at if self.state is LegState.EARLY else self._answering
        if not isinstance(early, _Early) or not early.reliable.acknowledged(request):
            return super()._receive_prack(key, request)
        stop = early.reliable.stop()
        sdp = request.sdp
        if sdp is None:
            return [SendResponse(key, self._response(request, 200)), stop]
        self._waiting[key] = request
        if self.exchange.state is not Exchange.STABLE or self.state is not LegState.EARLY:
            return [self._refuse(key, 491), stop]
        return [stop, *self._answer_alone(key, request, sdp)]

    def _acknowledged_early(self, early: _Early) -> list[Output]:
        """No response in ``early`` waits for its PRACK: what has waited for that goes on."""
        if self._accepting is not None:
            (sdp, wanted), self._accepting = self._accepting, None
            if wanted is early:
                return self._accept_in(early, sdp)
            self._accepting = sdp, wanted
        elif early.waiting is not None:
            progress, early.waiting = early.waiting, None
            return self._show(early, progress)
        elif early.exchange.queued is not None:
            with self._within(early):
                return self._go_on()
        return []

    def timer(self, name: str) -> list[Output]:
        """A timer of the leg ran out."""
        if not name.startswith("reliable"):
            return super().timer(name)
        for early in self._early:
            if early.reliable.timer == name and self.state is LegState.EARLY:
                again = early.reliable.again(self._key_in)
                if again is None:
                    sentence = "The caller never acknowledged that the phone rings."
                    return self._over(504, Ended(False, 504, sentence))
                return again
        return []

    # -- the final response --------------------------------------------------------------------

    def accept(self, sdp: bytes, branch: str) -> list[Output]:
        """Answer the call: ``sdp`` is the answer, or the offer where the caller made none."""
        if self.state is not LegState.EARLY or self._accepting is not None:
            return []
        early = self._answered_by(branch, sdp)
        if early.reliable.open is not None and early.reliable.open.body:
            self._accepting = sdp, early  # the 2xx must not overtake the answer (RFC 3262, 3)
            return []
        return self._accept_in(early, sdp)

    def _answered_by(self, branch: str, sdp: bytes) -> _Early:
        """The early dialog in which the caller was shown ``sdp``, else the branch's newest."""
        dialogs = self._branches.get(branch, [])
        for early in dialogs:
            if early.shown == sdp:
                return early
        return self._early_for(branch, Progress(200)) or self._early[0]

    def _accept_in(self, early: _Early, sdp: bytes) -> list[Output]:
        body = b""
        if not early.settled:
            try:
                body = early.media.present(sdp)
            except SdpError as error:
                return self._over(
                    488, Ended(False, 488, f"The answer cannot be passed on: {error}")
                )
        out = [*self._stop_ringing(), *self._answered_in(early)]
        if early.settled:
            self._catch_up(early, sdp)
        else:
            self.exchange.closed()
            if self.offer_in is None:
                self.exchange.begin(Intent(sdp))
                self._offered_in_2xx = True
        self._answering = early
        self.state = LegState.UP
        return [*self._accept(self._key_in, self.request, body), *out]

    def _catch_up(self, early: _Early, sdp: bytes) -> None:
        """The answer has been given already: where it was another one, offer ``sdp`` next."""
        current = self.exchange.current
        under_way = current is not None and current.sdp == sdp
        if not under_way and self.exchange.queued is None and not same_media(early.shown, sdp):
            self.exchange.queued = Intent(sdp)

    def _propose(self, intent: Intent) -> list[Output]:
        if self._accepting is not None:
            self._accepting[1].exchange.queued = intent  # in its turn, after the 2xx
            return []
        return super()._propose(intent)

    def _stop_ringing(self) -> list[Output]:
        if not self._reliable:
            return []
        return [early.reliable.stop() for early in self._early]

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
        stop = self._stop_ringing()
        return [refusal, *stop, *self._refuse_waiting(), *self._gone(*events)]

    def matches(self, message: Request) -> bool:
        """As for every leg; before the answer any of the early dialogs will do."""
        if self.state is not LegState.EARLY:
            return super().matches(message)
        return (
            message.call_id == self.request.call_id
            and message.from_tag == self.request.from_tag
            and (message.to_tag == self._base_tag or self._early_of(message) is not None)
        )

    def receive_request(self, key: str, request: Request) -> list[Output]:
        """A request within the dialog; a BYE may come before the answer (section 15)."""
        if self.state is LegState.EARLY and request.method == "BYE":
            return [SendResponse(key, self._response(request, 200)), *self.cancelled()]
        early = self._early_of(request)
        if self.state is not LegState.EARLY or early is None:
            return super().receive_request(key, request)
        waited = early.reliable.open is not None
        with self._within(early):
            out = super().receive_request(key, request)
        if waited and early.reliable.open is None and self.state is LegState.EARLY:
            out += self._acknowledged_early(early)
        return effects_first(self._told_early(early, out))

    def _early_of(self, message: Request) -> _Early | None:
        """The early dialog that a request of the caller is in."""
        for early in self._early:
            if early.dialog.local_tag == message.to_tag:
                return early
        return None

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
