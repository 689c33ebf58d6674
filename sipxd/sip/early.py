"""Early dialogs: what happens between a provisional response and the answer (RFC 3261, 12.1).

One INVITE may make several of them, one for each To-tag, each with its own CSeq and media.  An
early dialog whose offer has been answered reliably (RFC 3262) is open for further offers, by UPDATE
(RFC 3311); whoever answers the call goes on with what was agreed there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import attrs

from sipxd.sip.dialog import DialogState
from sipxd.sip.leg import Local, Output, SendRequest, StopTimer
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.message import Header, Response
from sipxd.sip.offer import Intent, OfferAnswer
from sipxd.sip.usage import CHALLENGES, InviteUsage, LegState

MAXIMUM_EARLY_DIALOGS = 20
"""How many To-tags one INVITE may have."""


@attrs.define
class EarlyDialog:
    """What is an early dialog's own. ``settled``: the INVITE's offer has been answered in it."""

    dialog: DialogState
    media: LegMedia
    exchange: OfferAnswer
    settled: bool = False


class EarlyUsage(InviteUsage):
    """A leg that may have early dialogs. While one is worked on, the leg's own state is its."""

    def __init__(self, local: Local, media: LegMedia) -> None:
        super().__init__(local, media)
        self._at: EarlyDialog | None = None
        """The early dialog that is worked on."""
        self._offering: EarlyDialog | None = None
        """The early dialog in which an UPDATE of ours is open, or waits to be tried again."""
        self._sent_in: dict[str, EarlyDialog] = {}
        """Where the requests that have no final response were sent, by key."""

    @contextlib.contextmanager
    def _within(self, early: EarlyDialog) -> Iterator[None]:
        """Work on ``early``, unless the leg is beyond that."""
        if self.state is not LegState.EARLY:
            yield
            return
        base = self.dialog, self.media, self.exchange
        self._at = early
        self.dialog, self.media, self.exchange = early.dialog, early.media, early.exchange
        try:
            yield
        finally:
            assert self.dialog is not None
            early.dialog, self._at = self.dialog, None
            self.dialog, self.media, self.exchange = base
            if self._offering is early and early.exchange.idle:
                self._offering = None

    @property
    def _negotiable(self) -> bool:
        return super()._negotiable or (self._at is not None and self._at.settled)

    def _answered_in(self, early: EarlyDialog | None) -> list[Output]:
        """The call was answered in ``early``, which becomes the leg's dialog."""
        out: list[Output] = []
        if self._offering is not None and self._offering is not early:
            self._reinvite = None  # a dialog that is lost
            out.append(StopTimer("glare"))
        self._offering = None
        self._forget()
        if early is not None:
            self.dialog, self.media, self.exchange = early.dialog, early.media, early.exchange
        return out

    def _forget(self) -> None:
        """Whatever is open in early dialogs is of no interest any more."""
        if self._offering is not None:
            self._offering = self._reinvite = None
        self._sent_in.clear()

    def _offer_in(self, early: EarlyDialog, intent: Intent) -> list[Output]:
        """Offer by UPDATE before the call is answered; nothing where that cannot be."""
        if not early.settled or self._offering not in (None, early):
            return []
        with self._within(early):
            return super()._propose(attrs.evolve(intent, update=True))

    def _begin(self, intent: Intent) -> list[Output]:
        if self._at is None:
            return super()._begin(intent)
        if "UPDATE" not in self.peer_allows:
            self.exchange.closed()
            return []
        self._offering = self._at
        return super()._begin(intent)

    def _send(
        self, method: str, key: str, *, headers: Iterable[Header] = (), body: bytes = b""
    ) -> SendRequest:
        if self._at is not None:
            self._sent_in[key] = self._at
        return super()._send(method, key, headers=headers, body=body)

    def receive_response(self, key: str, response: Response) -> list[Output]:
        """A response to a request of ours."""
        early = self._sent_in.get(key)
        if early is None or response.status < 200:
            return super().receive_response(key, response)
        if response.status not in CHALLENGES:
            del self._sent_in[key]
        with self._within(early):
            out = super().receive_response(key, response)
        return self._told_early(early, out)

    def request_failed(self, key: str, status: int) -> list[Output]:
        """A request of ours got no response (408) or could not be sent (503)."""
        early = self._sent_in.pop(key, None)
        if early is None:
            return super().request_failed(key, status)
        with self._within(early):
            out = super().request_failed(key, status)
        return self._told_early(early, out)

    def timer(self, name: str) -> list[Output]:
        """A timer of the leg ran out."""
        early = self._offering
        if early is None or name != "glare":
            return super().timer(name)
        with self._within(early):
            out = super().timer(name)
        return self._told_early(early, out)

    def _told_early(self, early: EarlyDialog, outputs: list[Output]) -> list[Output]:
        """What the call is told of what happened in ``early``."""
        return outputs
