"""SIP messages: parsing, reading and writing (RFC 3261 section 7).

The parser refuses only what it cannot represent; whether a message is *right* is the business of
`sipxd.sip.validate`, because only what was parsed can be answered.  Header values stay text in
their order; the few that every message needs are read once, on first use.  A message is a value:
change it by making another one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import attrs

from sipxd.sip.headers import (
    KNOWN_NAMES,
    HeaderError,
    Via,
    canonical_name,
    parse_cseq,
    parse_via,
    split_list,
    tag_of,
)

MAXIMUM_SIZE = 65_535
"""Largest message in octets (a UDP datagram's limit)."""
MAXIMUM_HEADERS = 256
"""Most header lines in a message."""
MAXIMUM_LINE = 8_192
"""Longest header line in characters, after unfolding."""

Header = tuple[str, str]


class ParseError(ValueError):
    """Bytes that are no SIP message; they can only be dropped and counted."""


@attrs.frozen
class Message:
    """What requests and responses share. ``headers`` are (canonical name, value) in their order."""

    headers: Sequence[Header] = attrs.field(kw_only=True, default=())
    body: bytes = attrs.field(kw_only=True, default=b"")

    def get(self, name: str) -> str | None:
        """The first value of header ``name`` (canonical spelling), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        if name not in KNOWN_NAMES:
            lowered = name.lower()
            for key, value in self.headers:
                if key.lower() == lowered:
                    return value
        return None

    def get_all(self, name: str) -> list[str]:
        """Every line of header ``name``, as it came."""
        if name not in KNOWN_NAMES:
            lowered = name.lower()
            return [value for key, value in self.headers if key.lower() == lowered]
        return [value for key, value in self.headers if key == name]

    def values(self, name: str) -> list[str]:
        """The members of a list header over all its lines. Raises HeaderError."""
        return [part for value in self.get_all(name) for part in split_list(value)]

    def tokens(self, name: str) -> frozenset[str]:
        """A list header of tokens (Allow, Supported, Require ...) as a set, case kept."""
        try:
            return frozenset(self.values(name))
        except HeaderError:
            return frozenset()

    def require(self, name: str) -> str:
        """The value of a header that validation has shown to be there."""
        value = self.get(name)
        if value is None:
            raise HeaderError(f"{name} is missing")
        return value

    @functools.cached_property
    def call_id(self) -> str:
        """The Call-ID. Raises HeaderError."""
        return self.require("Call-ID").strip()

    @functools.cached_property
    def cseq(self) -> tuple[int, str]:
        """Sequence number and method. Raises HeaderError."""
        return parse_cseq(self.require("CSeq"))

    @functools.cached_property
    def via(self) -> Via:
        """The topmost Via. Raises HeaderError."""
        value = self.require("Via")
        if "," in value:
            members = split_list(value)
            value = members[0] if members else ""
        return parse_via(value)

    @functools.cached_property
    def from_tag(self) -> str | None:
        """The tag of From."""
        return tag_of(self.get("From") or "")

    @functools.cached_property
    def to_tag(self) -> str | None:
        """The tag of To."""
        return tag_of(self.get("To") or "")

    @property
    def sdp(self) -> bytes | None:
        """The body where it is a session description, else None."""
        if not self.body:
            return None
        kind = (self.get("Content-Type") or "").partition(";")[0].strip().lower()
        return self.body if kind == "application/sdp" else None

    def _start_line(self) -> str:
        raise TypeError("a message is a request or a response")

    def encode(self) -> bytes:
        """The message as octets, with its Content-Length."""
        lines = [self._start_line()]
        lines.extend(
            [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        )
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@attrs.frozen
class Request(Message):
    """A request. ``uri`` is the text of the Request-URI."""

    method: str
    uri: str
    version: str = "SIP/2.0"

    def _start_line(self) -> str:
        return f"{self.method} {self.uri} {self.version}"


@attrs.frozen
class Response(Message):
    """A response. ``status`` is the code, ``reason`` the phrase."""

    status: int
    reason: str
    version: str = "SIP/2.0"

    def _start_line(self) -> str:
        return f"{self.version} {self.status} {self.reason}"


REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    600: "Busy Everywhere",
    603: "Decline",
    606: "Not Acceptable",
}


def reason_phrase(status: int) -> str:
    """The usual phrase of a status code."""
    return REASONS.get(status) or ("Accepted" if status < 300 else "Failed")


def respond(
    request: Request,
    status: int,
    *,
    to_tag: str | None = None,
    reason: str | None = None,
    headers: Iterable[Header] = (),
    body: bytes = b"",
) -> Response:
    """A response to ``request`` as RFC 3261 section 8.2.6 asks.

    Via, From, Call-ID, CSeq and (below 300, for a dialog) Record-Route are copied; ``to_tag`` is
    put on To where the request has none.
    """
    copied: list[Header] = []
    for header in request.headers:
        name, value = header
        if name == "To":
            if to_tag and request.to_tag is None and status != 100:
                header = ("To", f"{value};tag={to_tag}")
            copied.append(header)
        elif (
            name in ("Via", "From", "Call-ID", "CSeq")
            or (name == "Record-Route" and 100 < status < 300)
            or (name == "Timestamp" and status == 100)
        ):
            copied.append(header)
    copied.extend(headers)
    return Response(status, reason or reason_phrase(status), headers=copied, body=body)


def parse_message(data: bytes) -> Request | Response:
    """The message in one datagram. Raises ParseError.

    Line ends may be LF alone, lines may be folded, and empty lines may come first.  Octets that are
    no UTF-8 survive a round trip.  A body longer than Content-Length is cut to it; a shorter one is
    left for the validator to refuse.
    """
    if len(data) > MAXIMUM_SIZE:
        raise ParseError("the message is larger than 65535 octets")
    head, body = _split_body(data.lstrip(b"\r\n"))
    text = head.decode("utf-8", "surrogateescape")
    plain = text.replace("\r\n", "")
    if "\r" in plain:
        raise ParseError("the head holds a CR without LF")
    if "\n" in plain:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    if "\r\n " in text or "\r\n\t" in text:
        text = _unfold(text)
    if "\0" in text and "\0" in text.replace("\\\0", ""):
        raise ParseError("the head holds a NUL that is not quoted")
    lines = text.split("\r\n")
    if len(lines) > MAXIMUM_HEADERS + 1:
        raise ParseError(f"there are more than {MAXIMUM_HEADERS} header lines")
    headers: list[Header] = []
    length: str | None = None
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or len(line) > MAXIMUM_LINE:
            raise ParseError("a header line has no colon or is too long")
        try:
            name = canonical_name(name.rstrip(" \t"))
        except HeaderError as error:
            raise ParseError(str(error)) from None
        value = value.strip()
        if name == "Content-Length" and length is None:
            length = value
        headers.append((name, value))
    if length is not None and length.isascii() and length.isdigit() and len(length) < 10:
        body = body[: int(length)]
    return _with_start_line(lines[0], headers, body)


def displayable(text: str) -> str:
    """``text`` from a message for people and databases: U+FFFD stands for what nobody can read,
    octets that are no UTF-8 and control characters."""
    if text.isprintable():
        return text
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in decoded)


def _split_body(data: bytes) -> tuple[bytes, bytes]:
    """Head and body: the first empty line divides them, whichever line ends are used."""
    end = data.find(b"\n\r\n")
    short = data.find(b"\n\n", 0, end if end >= 0 else len(data))
    if short >= 0:
        head, body = data[:short], data[short + 2 :]
    elif end >= 0:
        head, body = data[:end], data[end + 3 :]
    else:
        head, body = data, b""
    return head.rstrip(b"\r\n"), body


def _with_start_line(line: str, headers: list[Header], body: bytes) -> Request | Response:
    if line[:4].lower() == "sip/":
        version, _, rest = line.partition(" ")
        code, _, reason = rest.partition(" ")
        if not (code.isascii() and code.isdigit() and len(code) == 3):
            raise ParseError("the status code is not three digits")
        return Response(int(code), reason, version, headers=headers, body=body)
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not version:  # blanks at the end belong to the version, for the validator to see
        uri, _, version = rest.rstrip(" ").rpartition(" ")
        version = f"{version} "
    if not method or not uri or version[:4].lower() != "sip/" or len(line) > MAXIMUM_LINE:
        raise ParseError("the first line is neither a request line nor a status line")
    return Request(method, uri, version, headers=headers, body=body)


def _unfold(text: str) -> str:
    lines: list[list[str]] = []
    for line in text.split("\r\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1].append(line.strip())
        else:
            lines.append([line])
    return "\r\n".join(" ".join(parts) for parts in lines)
