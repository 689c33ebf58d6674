"""What each leg is shown of the other leg's media, and whether it is still right.

RFC 3264 with the rules of a B2BUA: every leg has one ``o=`` of ours, its m-lines are never fewer
and never reordered, held parties get an honest ``inactive`` description, and two descriptions are
compared by what decides where media flows.  Pure functions of descriptions; ``Origin`` is the one
state, kept per leg.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from sipxd.sip.sdp import (
    DIRECTION_LINES,
    MAX_MEDIA,
    Direction,
    Media,
    Sdp,
    SdpError,
    connection_line,
    media_section,
    network_type,
)

HELD_PORT = 9
"""The port of a held party: "discard", accepted by phones where 0 ends the call."""

# RFC 4568 section 6.2, RFC 6188, RFC 7714: suite -> bytes of master key and salt.
_SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
_PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
_SECURE = frozenset({"RTP/SAVP", "RTP/SAVPF"})
# Formats that accompany a codec and carry no conversation of their own.
_AUXILIARY = ("TELEPHONE-EVENT/", "CN/", "RED/", "RTX/", "ULPFEC/")
# A held answer says what the codecs are, and nothing of ICE, DTLS, RTCP or streams.
_CODEC_LINES = ("a=rtpmap:", "a=fmtp:")


class CannotHold(Exception):
    """The offer needs what a party without media cannot honestly answer (DTLS, ICE)."""


@attrs.frozen
class Origin:
    """Our description towards one leg: fixed session id, and what was sent last.

    A value: ``present`` returns the next one.  ``to_plain`` and ``from_plain`` carry it through
    storage.
    """

    session_id: int
    """Chosen once per leg, 0 to 2**62."""
    address: str
    """Our own IP address, as ``o=`` shows it."""
    version: int = 0
    """Of the last body; 0: nothing sent yet."""
    body: str = ""
    """The last body sent, Latin-1."""
    layout: tuple[str, ...] = ()
    """The m-lines of the last body, each as it looks switched off."""

    def present(
        self,
        sdp: Sdp,
        *,
        answering: Sdp | None = None,
        direction: Direction | None = None,
    ) -> tuple[Origin, bytes]:
        """The body that shows ``sdp`` (the far party's, or one of ours) to this leg.

        ``o=`` becomes ours, its version rising only when the body has changed.  As an offer the
        m-lines are those the leg has seen: one that ``sdp`` lacks gets port 0, one that the leg has
        not seen comes last.  With ``answering`` (the leg's own open offer) they are exactly the
        offer's: refused where it refused, and never in a direction that it does not allow.
        m-lines are paired by media type in their order, so that the way back pairs the same.
        ``direction`` overrides that of every active section.  All other lines are untouched.

        Raises ``SdpError`` when the leg would get more than ``MAX_MEDIA`` m-lines.
        """
        if direction is not None:
            sdp = with_direction(sdp, direction)
        if answering is not None:
            sdp = _fitting(sdp, answering)
        elif len(sdp.media) < len(self.layout) or not _same_kinds(sdp.media, self.layout):
            sdp = attrs.evolve(sdp, media=_arranged(sdp.media, map(media_section, self.layout)))
        sdp = _grounded(sdp)
        body = self._own(sdp, self.version)
        if body == self.body:
            return self, body.encode("latin-1")
        body = self._own(sdp, self.version + 1)
        layout = tuple(media.disabled().lines[0] for media in sdp.media)
        origin = Origin(self.session_id, self.address, self.version + 1, body, layout)
        return origin, body.encode("latin-1")

    def _own(self, sdp: Sdp, version: int) -> str:
        kind = network_type(self.address)
        lines = ["v=0", f"o=- {self.session_id} {version} {kind} {self.address}"]
        lines += [line for line in sdp.session[1:] if not line.startswith("o=")]
        for media in sdp.media:
            lines += media.lines
        lines.append("")
        return "\r\n".join(lines)

    def to_plain(self) -> dict[str, Any]:
        """Numbers, strings and lists."""
        return attrs.asdict(self) | {"layout": list(self.layout)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Origin:
        """The inverse of ``to_plain``. Raises ``KeyError`` or ``TypeError`` on anything else."""
        return cls(**{**plain, "layout": tuple(plain["layout"])})


def held_answer(
    offer: Sdp, address: str, *, key: Callable[[int], bytes], replaces_keys: bool = True
) -> Sdp:
    """An answer without media, from which the real one can follow later in the dialog.

    The offer's m-lines and codecs, our ``address``, ``inactive``.  RTP/AVP gets no key, even where
    one was offered (that offer is opportunistic).  RTP/SAVP gets one fresh SDES key of
    ``key(bytes)``; none when the phone never replaces the first remote key (``replaces_keys``
    false), which would keep it from ever hearing the real party.  m-lines that cannot be held are
    refused with port 0.  Raises ``CannotHold`` when none is left.
    """
    held = [_held(media, key, replaces_keys) for media in offer.media]
    if not any(media.active for media in held):
        raise CannotHold(
            "the offer has no m-line that can be held: DTLS and ICE need a party with media"
        )
    session = _session(address)
    # An answer repeats the offer's t= line (RFC 3264 section 6).
    times = tuple(line for line in offer.session if line.startswith("t="))
    return Sdp(session[:-1] + (times[:1] or session[-1:]), tuple(held))


def held_offer(address: str, direction: Direction = Direction.INACTIVE) -> Sdp:
    """An offer without media, of the audio codecs that every phone has one of.

    For phones that refuse an INVITE without SDP.
    """
    return Sdp(
        _session(address),
        (
            media_section(
                f"m=audio {HELD_PORT} RTP/AVP 0 8 9 101",
                "a=rtpmap:0 PCMU/8000",
                "a=rtpmap:8 PCMA/8000",
                "a=rtpmap:9 G722/8000",
                "a=rtpmap:101 telephone-event/8000",
                "a=fmtp:101 0-16",
                f"a={direction}",
            ),
        ),
    )


def is_failed_answer(sdp: Sdp) -> bool:
    """Whether the answer refuses every m-line: a failed exchange, whatever the status says."""
    return not any(media.active for media in sdp.media)


def is_hold(sdp: Sdp) -> bool:
    """Whether the writer wants to receive nothing: sendonly, inactive, or the old ``c=0.0.0.0``."""
    active = [index for index, media in enumerate(sdp.media) if media.active]
    return bool(active) and all(
        not sdp.direction(index).receives or sdp.address(index) == "0.0.0.0" for index in active
    )


def in_common(offer: Sdp, ours: Sdp) -> bool:
    """Whether ``ours`` can answer ``offer``: an active m-line in the same place, with a codec."""
    return any(
        theirs.active
        and mine.active
        and (theirs.kind, theirs.protocol) == (mine.kind, mine.protocol)
        and not set(theirs.payloads.values()).isdisjoint(
            name for name in mine.payloads.values() if not name.startswith(_AUXILIARY)
        )
        for theirs, mine in zip(offer.media, ours.media, strict=False)
    )


def with_direction(sdp: Sdp, direction: Direction) -> Sdp:
    """The same description with one direction for every active section."""
    line = f"a={direction}"
    media = tuple(
        section.with_lines((*_undirected(section.lines[1:]), line)) if section.active else section
        for section in sdp.media
    )
    return Sdp(_undirected(sdp.session), media)


def revived(sdp: Sdp) -> Sdp:
    """The same description without any direction: sendrecv, nobody holds."""
    return Sdp(
        _undirected(sdp.session),
        tuple(section.with_lines(_undirected(section.lines[1:])) for section in sdp.media),
    )


def still_valid(shown: Sdp, said: Sdp, far: Sdp | None = None) -> bool:
    """Whether what the far party was ``shown`` of a phone is right after the phone ``said`` more.

    Compared per m-line: in use or not, kind, address, port, protocol, encoding of each payload
    number, keys.  No difference are: a shorter list of payloads while a codec is left, a crypto
    list cut to the chosen line (its tag is the other offer's), directions, ``o=``, the order and
    the other attributes.  ``far`` is the far party's own latest description: an m-line that it has
    refused itself, and keys that it did not take up, do not matter to it.
    """
    for index in range(max(len(shown.media), len(said.media))):
        before, now = _active(shown, index), _active(said, index)
        theirs = _active(far, index) if far is not None else None
        if far is not None and theirs is None and index < len(far.media):
            continue
        if before is None and now is None:
            continue
        if (
            before is None
            or now is None
            or (before.kind, before.port, before.protocol) != (now.kind, now.port, now.protocol)
            or shown.address(index) != said.address(index)
            or not _payloads_hold(before, now)
            or not _keys_hold(before, now, theirs)
        ):
            return False
    return True


def _same_kinds(media: tuple[Media, ...], layout: tuple[str, ...]) -> bool:
    return all(
        line.startswith(f"m={section.kind} ") for section, line in zip(media, layout, strict=False)
    )


def _arranged(media: Iterable[Media], slots: Iterable[Media]) -> tuple[Media, ...]:
    """The sections in the order of the slots, by media type; surplus ones last."""
    left = list(media)
    arranged = []
    for slot in slots:
        match = next((section for section in left if section.kind == slot.kind), None)
        if match is None:
            arranged.append(slot.disabled())
        else:
            left.remove(match)
            arranged.append(match)
    if len(arranged) + len(left) > MAX_MEDIA:
        raise SdpError(f"the leg would be shown more than {MAX_MEDIA} m-lines")
    return (*arranged, *left)


def _fitting(sdp: Sdp, offer: Sdp) -> Sdp:
    """``sdp`` as an answer to ``offer``, RFC 3264 section 6."""
    paired = _arranged(sdp.media, offer.media)[: len(offer.media)]
    session_direction = sdp.own_direction or Direction.SENDRECV
    fitted = []
    for index, (section, offered) in enumerate(zip(paired, offer.media, strict=True)):
        if section.active:
            said = section.own_direction or session_direction
            fits = said.limited_to(offer.direction(index).reversed)
            if not offered.active:
                section = offered.disabled()
            elif fits is not said:
                section = section.with_lines((*_undirected(section.lines[1:]), f"a={fits}"))
        fitted.append(section)
    return Sdp(sdp.session, tuple(fitted))


def _grounded(sdp: Sdp) -> Sdp:
    """A connection line for every section (RFC 8866 section 5.7), the ones switched off too."""
    if any(line.startswith("c=") for line in sdp.session):
        return sdp
    if all(media.active or media.address for media in sdp.media):
        return sdp
    return Sdp(
        sdp.session,
        tuple(
            media
            if media.active or media.address
            else media.with_lines(("c=IN IP4 0.0.0.0", *media.lines[1:]))
            for media in sdp.media
        ),
    )


def _held(media: Media, key: Callable[[int], bytes], replaces_keys: bool) -> Media:
    crypto: tuple[str, ...] = ()
    if media.protocol in _SECURE:
        chosen = next((line for line in media.crypto if line.suite in _SUITES), None)
        if chosen is None:
            return media.disabled()
        if replaces_keys:
            inline = base64.b64encode(key(_SUITES[chosen.suite])).decode()
            crypto = (f"a=crypto:{chosen.tag} {chosen.suite} inline:{inline}",)
    elif media.protocol not in _PLAIN:
        return media.disabled()
    if not media.active:
        return media.disabled()
    return media_section(
        f"m={media.kind} {HELD_PORT} {media.protocol} {' '.join(media.formats)}".rstrip(),
        *(line for line in media.lines if line.startswith(_CODEC_LINES)),
        *crypto,
        f"a={Direction.INACTIVE}",
    )


def _session(address: str) -> tuple[str, ...]:
    own = f"o=- 0 0 {network_type(address)} {address}"
    return ("v=0", own, "s=-", connection_line(address), "t=0 0")


def _undirected(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for line in lines if line not in DIRECTION_LINES)


def _active(sdp: Sdp, index: int) -> Media | None:
    if index < len(sdp.media) and sdp.media[index].active:
        return sdp.media[index]
    return None


def _payloads_hold(before: Media, now: Media) -> bool:
    """No number has changed its meaning, no codec its number, and one codec is left."""
    shown, said = before.payloads, now.payloads
    kept = {number: encoding for number, encoding in said.items() if number in shown}
    if any(shown[number] != encoding for number, encoding in kept.items()):
        return False
    moved = (set(said.values()) & set(shown.values())) - set(kept.values())
    codecs = [encoding for encoding in kept.values() if not encoding.startswith(_AUXILIARY)]
    return not moved and bool(codecs)


def _keys(media: Media) -> set[tuple[str, str]]:
    return {(line.suite, line.keys) for line in media.crypto}


def _keys_hold(before: Media, now: Media, theirs: Media | None) -> bool:
    shown, said = _keys(before), _keys(now)
    if not said:
        # Keys that were offered beside plain RTP and that nobody took up.
        return not shown or (theirs is not None and not theirs.crypto)
    return said <= shown
