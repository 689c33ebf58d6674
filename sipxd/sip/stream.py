"""SIP messages out of a stream of octets (RFC 3261 section 18.3, RFC 5626 section 3.5.1).

Only Content-Length says where a message ends, so it must be there exactly once and be a plain
number, and the header block must have no line end but CRLF: what two readers could divide in two
ways is not divided at all.  A stream that breaks these rules is of no further use.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from sipxd.sip.message import MAXIMUM_SIZE

PING: Final = b"\r\n\r\n"
"""The keep-alive of RFC 5626; it is answered with `PONG`."""
PONG: Final = b"\r\n"

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*+:[ \t]*+", re.IGNORECASE)
_NUMBER = re.compile(rb"([0-9]{1,9}+)[ \t]*+\r\n(?![ \t])")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@attrs.frozen
class Broken:
    """The stream cannot be read on. Where ``head`` is a request, it is owed ``status``."""

    status: int
    reason: str
    head: bytes = b""


Item = bytes | Broken
"""A whole message, `PING`, or the end of all reading."""


class StreamFramer:
    """Divides one direction of a connection into messages, however the octets come."""

    __slots__ = ("_broken", "_buffer", "_crlf", "_end", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        """Octets of the buffer that hold no end of a header block."""
        self._end = 0
        """Where the message whose header block is complete ends; 0: it is not."""
        self._crlf = False
        """Whether half a keep-alive has come."""
        self._broken = False

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Item]:
        """What ``data`` completes, in its order. After `Broken` nothing comes any more."""
        if self._broken:
            return []
        items: list[Item] = []
        buffer = self._buffer
        buffer += data
        start = 0
        while start < len(buffer):
            following = self._step(start, items)
            if following == start:
                break
            start = following
        if items and isinstance(items[-1], Broken):
            self._broken = True
            buffer.clear()
        elif start:
            del buffer[:start]
            self._searched = max(0, self._searched - start)
            self._end = max(0, self._end - start)
        return items

    def _step(self, start: int, items: list[Item]) -> int:
        """Work off what begins at ``start``; gives where the next begins, or ``start`` again."""
        buffer = self._buffer
        if buffer[start] in b"\r\n":
            return self._line_end(start, items)
        self._crlf = False
        if not self._end:
            head_end = buffer.find(_END, max(start, self._searched - len(_END)))
            if head_end < 0:
                self._searched = len(buffer)
                if len(buffer) - start >= MAXIMUM_SIZE:
                    items.append(Broken(400, "Bad Request: the headers do not end"))
                return start
            head_end += len(_END)
            head = bytes(buffer[start:head_end])
            length = body_length(head)
            if isinstance(length, int) and len(head) + length > MAXIMUM_SIZE:
                length = Broken(413, "Request Entity Too Large", head)
            if isinstance(length, Broken):
                items.append(length)
                return start
            self._end = head_end + length
        if len(buffer) < self._end:
            return start
        end = self._end
        items.append(bytes(buffer[start:end]))
        self._end = 0
        self._searched = end
        return end

    def _line_end(self, start: int, items: list[Item]) -> int:
        """Line ends between messages: each two are a keep-alive, one alone means nothing."""
        buffer = self._buffer
        if buffer[start : start + 2] != b"\r\n":
            if len(buffer) == start + 1 and buffer[start] == 0x0D:
                return start  # the other half may come
            items.append(Broken(400, "Bad Request: a line end that is not CRLF"))
            return start
        if self._crlf:
            items.append(PING)
        self._crlf = not self._crlf
        return start + 2


def body_length(head: bytes) -> int | Broken:
    """The octets of body that follow ``head``, a header block with its empty line."""
    if _BARE.search(head):
        return Broken(400, "Bad Request: a line end that is not CRLF", head)
    fields = [field.end() for field in _LENGTH.finditer(head)]
    if not fields:
        return Broken(400, "Bad Request: Content-Length is missing", head)
    number = _NUMBER.match(head, fields[0])
    if len(fields) > 1 or number is None:
        return Broken(400, "Bad Request: Content-Length is not one number", head)
    return int(number[1])
