"""The session descriptions of one leg: what it said, what it was sent, and how to hold it.

Bytes in, bytes out; the decisions are in `sipxd.sip.media`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

from sipxd.sip import media
from sipxd.sip.profiles import profile_of
from sipxd.sip.sdp import Direction, Sdp, SdpError, parse

parse_sdp = functools.lru_cache(maxsize=512)(parse)
"""`sipxd.sip.sdp.parse` with a bounded cache: one body is looked at several times per call."""


def readable(body: bytes | None) -> Sdp | None:
    """The description in ``body``, or None where it cannot be read."""
    if body is None:
        return None
    try:
        return parse_sdp(body)
    except SdpError:
        return None


def same_media(shown: bytes | None, said: bytes) -> bool:
    """Whether who was ``shown`` the one knows what the other says, holding included."""
    if shown == said:
        return True
    before, now = readable(shown), readable(said)
    if before is None or now is None:
        return False
    return media.still_valid(before, now) and media.is_hold(before) is media.is_hold(now)


class LegMedia:
    """One leg's side of offer and answer, as far as it concerns bodies."""

    def __init__(self, address: str, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._origin = media.Origin(int.from_bytes(random(7)), address)
        self._open: Sdp | None = None
        self._before: bytes | None = None
        self._proposed: bytes | None = None
        self.last_sent: bytes | None = None
        """What the peer holds of us: our last answer, or our last offer that was answered."""
        self.last_heard: bytes | None = None
        self.peer_agent = ""

    def present(self, sdp: bytes) -> bytes:
        """``sdp`` as this leg is shown it: an answer where it has an open offer, else an offer.

        Raises SdpError where it cannot be shown.
        """
        return self._send(parse_sdp(sdp))

    def _send(self, sdp: Sdp) -> bytes:
        self._origin, body = self._origin.present(sdp, answering=self._open)
        if self._open is None:
            self._proposed = body
        else:
            self.last_sent, self._open = body, None
        return body

    def answer_again(self, sdp: bytes) -> bytes | None:
        """The answer to an offer that says nothing new (a session refresh), None to any other."""
        if sdp != self.last_heard or self.last_sent is None or not self.heard_offer(sdp):
            return None
        try:
            return self.present(self.last_sent)
        except SdpError:
            self.dropped()
            return None

    def answer_alone(self, sdp: bytes) -> bytes | None:
        """The answer to an offer with what the peer holds of us; None where they do not fit."""
        offer, ours = readable(sdp), readable(self.last_sent)
        if offer is None or ours is None or not media.in_common(offer, ours):
            return None
        self.heard_offer(sdp)
        try:
            return self._send(ours)
        except SdpError:
            self.dropped()
            return None

    def fresh_offer(self) -> bytes | None:
        """An offer of what the peer holds of us, for one who asks; None where that is nothing.

        Where the peer holds, what we said was cut down to that.
        """
        ours, theirs = readable(self.last_sent), readable(self.last_heard)
        if ours is None or theirs is None or not media.is_hold(theirs):
            return self.last_sent
        self._open = None
        return self._send(media.revived(ours))

    def fork(self) -> LegMedia:
        """The same state for another early dialog."""
        return copy.copy(self)

    def held_answer(self) -> bytes:
        """An answer without media to the open offer. Raises media.CannotHold."""
        if self._open is None:
            return self.last_sent or self.held_offer()
        held = media.held_answer(
            self._open,
            self._origin.address,
            key=self._random,
            replaces_keys=profile_of(self.peer_agent).replaces_keys,
        )
        return self._send(held)

    def refused_answer(self) -> bytes:
        """An answer that refuses every m-line of the open offer; the leg is ended behind it."""
        if self._open is None:
            return self.last_sent or self.held_offer()
        refused = Sdp(self._open.session, tuple(section.disabled() for section in self._open.media))
        return self._send(refused)

    def held_offer(self, direction: Direction = Direction.INACTIVE) -> bytes:
        """An offer of common codecs without media."""
        return self._send(media.held_offer(self._origin.address, direction))

    def heard(self, sdp: bytes) -> bool:
        """Note the peer's answer; False where it cannot be read or refuses everything."""
        answer = readable(sdp)
        if answer is None or media.is_failed_answer(answer):
            return False
        self.last_heard = sdp
        if self._proposed is not None:
            self.last_sent, self._proposed = self._proposed, None
        return True

    def refused(self) -> None:
        """Our offer came to nothing: what the peer held of us before holds on."""
        self._proposed = None

    def heard_offer(self, sdp: bytes) -> bool:
        """Note the peer's offer as open; False where it cannot be read."""
        offer = readable(sdp)
        if offer is None:
            return False
        self._open = offer
        self._before, self.last_heard = self.last_heard, sdp
        return True

    def dropped(self) -> None:
        """The peer's open offer was refused: what held before holds again."""
        if self._open is not None:
            self._open = None
            self.last_heard = self._before

    def to_plain(self) -> dict[str, Any]:
        """The state between exchanges as plain data."""
        return {
            "origin": self._origin.to_plain(),
            "sent": _text(self.last_sent),
            "heard": _text(self.last_heard),
            "agent": self.peer_agent,
        }

    def restore(self, plain: dict[str, Any]) -> None:
        """Take up what to_plain gave."""
        self._origin = media.Origin.from_plain(plain["origin"])
        self.last_sent = _octets(plain["sent"])
        self.last_heard = _octets(plain["heard"])
        self.peer_agent = plain["agent"]


def _text(body: bytes | None) -> str | None:
    return None if body is None else body.decode("latin-1")


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")
