"""Session descriptions, line by line: what is not understood travels untouched and in order.

RFC 8866 (syntax) and RFC 3264 (meaning of directions and of port 0).  This is no codec negotiator:
it reads m-lines, addresses, directions, keys and payload maps, and gives every line back as it
came.  Text is Latin-1 so that each byte of a body has a character and comes out the same.
"""

from __future__ import annotations

import enum
from itertools import pairwise

import attrs

MAX_BYTES = 32_768
"""Longest body taken, in bytes."""
MAX_LINES = 1_000
MAX_MEDIA = 32
"""Most m-lines in one description."""


class SdpError(ValueError):
    """The text cannot be represented as a session description; the message says why."""


class Direction(enum.StrEnum):
    """Which way media may flow, seen from the party that wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the writer may send."""
        return self is Direction.SENDRECV or self is Direction.SENDONLY

    @property
    def receives(self) -> bool:
        """Whether the writer is ready to receive."""
        return self is Direction.SENDRECV or self is Direction.RECVONLY

    @property
    def reversed(self) -> Direction:
        """The same flows, seen from the other party."""
        return _direction(self.receives, self.sends)

    def limited_to(self, allowed: Direction) -> Direction:
        """The flows that both directions have."""
        return _direction(self.sends and allowed.sends, self.receives and allowed.receives)


def _direction(sends: bool, receives: bool) -> Direction:
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


DIRECTION_LINES = {f"a={direction}": direction for direction in Direction}

# RFC 3551 section 6: payload types that need no rtpmap line.
_STATIC_PAYLOADS = {
    "0": "PCMU/8000",
    "3": "GSM/8000",
    "4": "G723/8000",
    "5": "DVI4/8000",
    "6": "DVI4/16000",
    "7": "LPC/8000",
    "8": "PCMA/8000",
    "9": "G722/8000",
    "10": "L16/44100/2",
    "11": "L16/44100",
    "12": "QCELP/8000",
    "13": "CN/8000",
    "14": "MPA/90000",
    "15": "G728/8000",
    "16": "DVI4/11025",
    "17": "DVI4/22050",
    "18": "G729/8000",
    "26": "JPEG/90000",
    "31": "H261/90000",
    "32": "MPV/90000",
    "33": "MP2T/90000",
    "34": "H263/90000",
}


@attrs.frozen
class Crypto:
    """One SDES line, RFC 4568: ``a=crypto:TAG SUITE KEYS [SESSION PARAMETERS]``."""

    tag: str
    suite: str
    keys: str


@attrs.frozen
class Media:
    """One media section: its lines (the m-line first) and what the m-line says."""

    lines: tuple[str, ...]
    kind: str
    """``audio``, ``video``, ``image`` ..."""
    port: int
    """0: rejected or switched off."""
    ports: int
    """How many ports (``m=video 3226/2``); 1 when not said."""
    protocol: str
    formats: tuple[str, ...]

    @property
    def active(self) -> bool:
        """Whether the section is in use (its port is not 0)."""
        return self.port != 0

    @property
    def address(self) -> str | None:
        """The section's own connection address, if it has one."""
        return _connection(self.lines)

    @property
    def own_direction(self) -> Direction | None:
        """The section's own direction, if it names one."""
        return _named_direction(self.lines)

    @property
    def crypto(self) -> tuple[Crypto, ...]:
        """The SDES lines, in order; lines too short to hold a key are left out."""
        found = []
        for line in self.lines:
            if line.startswith("a=crypto:"):
                words = line[9:].split()
                if len(words) >= 3:
                    found.append(Crypto(words[0], words[1], words[2]))
        return tuple(found)

    @property
    def payloads(self) -> dict[str, str]:
        """Format -> encoding in capitals (``"96" -> "OPUS/48000/2"``), in order of preference.

        Static payload types need no rtpmap; a format without any encoding stands for itself.
        """
        encodings: dict[str, str] = {}
        for line in self.lines:
            if line.startswith("a=rtpmap:"):
                number, _, encoding = line[9:].partition(" ")
                # "/1" is what an audio encoding means without it (RFC 8866 section 6.6).
                encodings[number] = encoding.strip().upper().removesuffix("/1")
        return {
            number: encodings.get(number) or _STATIC_PAYLOADS.get(number, number)
            for number in self.formats
        }

    def has(self, attribute: str) -> bool:
        """Whether the section has the attribute, with or without a value."""
        flag, valued = f"a={attribute}", f"a={attribute}:"
        return any(line == flag or line.startswith(valued) for line in self.lines)

    def with_lines(self, lines: tuple[str, ...]) -> Media:
        """The same m-line with other lines below it."""
        return attrs.evolve(self, lines=(self.lines[0], *lines))

    def disabled(self) -> Media:
        """The same m-line with port 0 and nothing below it."""
        line = f"m={self.kind} 0 {self.protocol} {' '.join(self.formats)}".rstrip()
        return Media((line,), self.kind, 0, 1, self.protocol, self.formats)


@attrs.frozen
class Sdp:
    """A session description: the lines above the first m-line, and the media sections."""

    session: tuple[str, ...]
    media: tuple[Media, ...]

    def encode(self) -> bytes:
        """The body: every line as it came, each ended by CRLF."""
        lines = list(self.session)
        for media in self.media:
            lines += media.lines
        lines.append("")
        return "\r\n".join(lines).encode("latin-1")

    def direction(self, index: int) -> Direction:
        """Direction of the section at ``index``: its own, else the session's, else sendrecv."""
        return (
            _named_direction(self.media[index].lines)
            or _named_direction(self.session)
            or Direction.SENDRECV
        )

    def address(self, index: int) -> str | None:
        """Connection address of the section at ``index``: its own, else the session's."""
        return _connection(self.media[index].lines) or _connection(self.session)

    @property
    def own_direction(self) -> Direction | None:
        """The direction of the session level, if it names one."""
        return _named_direction(self.session)

    @property
    def origin(self) -> str | None:
        """The value of the ``o=`` line."""
        for line in self.session:
            if line.startswith("o="):
                return line[2:]
        return None


def parse(body: bytes) -> Sdp:
    """Read a session description.

    Lines may end in CRLF or LF; empty lines are dropped.  Raises ``SdpError`` when the text is too
    large, holds NUL or a stray CR, has a line that is not ``x=...``, does not start with ``v=0``,
    or has an m-line without kind, port and protocol.
    """
    if len(body) > MAX_BYTES:
        raise SdpError(f"the session description has more than {MAX_BYTES} bytes")
    text = body.decode("latin-1").replace("\r\n", "\n")
    if "\r" in text or "\0" in text:
        raise SdpError("the session description holds NUL, or CR that does not end a line")
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise SdpError(f"the session description has more than {MAX_LINES} lines")
    if "" in lines:
        lines = [line for line in lines if line]
    if not lines or lines[0] != "v=0":
        raise SdpError("the session description does not start with v=0")
    starts = []
    for index, line in enumerate(lines):
        if line[1:2] != "=":
            raise SdpError(f"line {index + 1} of the session description is not TYPE=VALUE")
        if line[0] == "m":
            starts.append(index)
    if len(starts) > MAX_MEDIA:
        raise SdpError(f"the session description has more than {MAX_MEDIA} m-lines")
    starts.append(len(lines))
    media = tuple(_media(tuple(lines[start:end])) for start, end in pairwise(starts))
    return Sdp(tuple(lines[: starts[0]]), media)


def media_section(*lines: str) -> Media:
    """One media section from its lines, the m-line first. Raises ``SdpError``."""
    return _media(lines)


def connection_line(address: str) -> str:
    """``c=`` for an IP address."""
    return f"c={network_type(address)} {address}"


def network_type(address: str) -> str:
    """``IN IP4`` or ``IN IP6``, as ``c=`` and ``o=`` name an IP address."""
    return "IN IP6" if ":" in address else "IN IP4"


def _media(lines: tuple[str, ...]) -> Media:
    words = lines[0][2:].split()
    if len(words) < 3:
        raise SdpError("an m-line lacks kind, port or protocol")
    port, slash, count = words[1].partition("/")
    if not (_is_number(port) and (_is_number(count) or not slash)) or int(port) > 65_535:
        raise SdpError("the port of an m-line is not a number of 0 to 65535")
    return Media(lines, words[0], int(port), int(count) if slash else 1, words[2], tuple(words[3:]))


def _is_number(text: str) -> bool:
    # isdigit() alone takes superscripts, which Latin-1 has.
    return text.isdigit() and text.isascii() and len(text) <= 5


def _named_direction(lines: tuple[str, ...]) -> Direction | None:
    for line in lines:
        if line in DIRECTION_LINES:
            return DIRECTION_LINES[line]
    return None


def _connection(lines: tuple[str, ...]) -> str | None:
    for line in lines:
        if line.startswith("c="):
            words = line[2:].split()
            # "224.2.1.1/127": TTL and count belong to multicast, not to the address.
            return words[2].partition("/")[0] if len(words) >= 3 else None
    return None
