r"""One line for each event, that nothing from the wire can forge, and that holds no secret.

The observer writes ``time level [namespace] call=ID text``.  Control characters are escaped, line
ends too, so that a peer cannot write a second line into the log; a failure is one line as well,
its traceback behind it with escaped line ends.  ``mask`` takes secrets out of whatever text is
logged: it runs on every event, because the place that forgets it is the one that would leak.
"""

from __future__ import annotations

import re
import time
from typing import TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from zope.interface import implementer

MAX_TEXT = 4000
"""Characters of one event; peers decide about the length of what they send."""
MAX_TRACEBACK = 16_000

MASK = "***"

# Every repetition is possessive or bounded: what is logged comes from the wire, too.
_HEADER = re.compile(
    r"\b((?:proxy-|www-)?(?:authorization|authenticate)|(?:proxy-)?authentication-info"
    r"|set-cookie|cookie)([\"']?[ \t]{0,8}[:=][ \t]{0,8})[^\r\n]++",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"\b(basic|bearer)[ \t]{1,8}(?=[A-Za-z0-9+/_.~-]{6})\S++", re.IGNORECASE)
_NAMED = re.compile(
    r"\b((?:[a-z0-9]{1,16}[_-])?(?:password|passwd|pin|pin_hash|secret|token|nonce|cnonce|nextnonce"
    r"|response|rspauth|opaque|sippassword)[\"']?)([ \t]{0,8}[:=][ \t]{0,8})"
    r"(?:\"[^\"\r\n]*+\"?|'[^'\r\n]*+'?|[^\s,;&\"'{}\[\]()]++)",
    re.IGNORECASE,
)
_PATH = re.compile(r"(/(?:portal/password|voicemail/pin|private)/)[^\s?\"']++", re.IGNORECASE)
_URL = re.compile(r"(://[^\s/:@]{0,256}:)[^\s/@]{1,256}@")


_PORTS = re.compile(
    r"DNSDatagramProtocol starting on |\(UDP Port [0-9]{1,5} Closed\)"
    r"|(?:Start|Stopp)ing protocol <twisted\.names\."
)

# A word of each pattern above. Most lines have none and are spared the five substitutions.
_SUSPICIOUS = re.compile(
    r"auth|cookie|basic|bearer|passw|pin|secret|token|nonce|response|opaque|private|://",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """``text`` with ``***`` for every secret: credentials, passwords, PINs, nonces, hashes."""
    if _SUSPICIOUS.search(text) is None:
        return text
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _CREDENTIALS.sub(rf"\1 {MASK}", text)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _PATH.sub(rf"\1{MASK}", text)
    return _URL.sub(rf"\1{MASK}@", text)


_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_ESCAPES.update({ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})
# Separators of lines and paragraphs, marks that turn the direction of writing, half characters.
_DECEIVING = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
_ESCAPES.update({code: f"\\u{code:04x}" for code in _DECEIVING})


def escape(text: str) -> str:
    """``text`` with control characters, and what deceives a reader, as visible escapes."""
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_ESCAPES)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _clean(text: str, limit: int) -> str:
    """Bounded before the expensive part, masked, and on one line."""
    if len(text) > limit:
        # A secret that the cut would split is cut off whole: it must not escape its pattern.
        text = f"{text[:limit].rpartition(' ')[0] or text[:limit]} ... ({len(text)} characters)"
    return escape(mask(text))


def format_line(event: LogEvent) -> str:
    """The line for one event of ``twisted.logger``, without a line end.

    ``call_id`` among the event's values is shown as ``call=...``.
    """
    level = event.get("log_level") or LogLevel.info
    seconds = event.get("log_time", time.time())
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    parts = [f"{stamp}.{int(seconds % 1 * 1000):03}Z", level.name]
    call_id = event.get("call_id")
    if call_id:
        parts.append(f"call={_clean(str(call_id), 128)}")
    text = formatEvent(event)
    parts.append(_clean(text, MAX_TEXT) if text else f"[{event.get('log_namespace', '-')}]")
    failure = event.get("log_failure")
    if failure is not None:
        try:
            traceback = failure.getTraceback()
        except Exception:  # an exception whose own text cannot be made
            traceback = repr(failure.type)
        if len(traceback) > MAX_TRACEBACK:  # its end says what happened
            traceback = "... " + traceback[-MAX_TRACEBACK:].partition("\n")[2]
        parts.append(f"| {_clean(traceback.strip(), MAX_TRACEBACK)}")
    return " ".join(parts)


@implementer(ILogObserver)
class LineObserver:
    """Writes one line for each event to ``stream``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "log_legacy" and _PORTS.match(formatEvent(event)):
            return  # Twisted tells of each UDP port, and DNS opens one for every question
        try:
            line = format_line(event)
        except Exception as error:  # a log that raises would end the work that it tells about
            line = f"error an event could not be written: {type(error).__name__}"
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # the terminal or the pipe is gone; there is nowhere left to say so


def observer(stream: TextIO, level: LogLevel = LogLevel.info) -> ILogObserver:
    """An observer that writes events from ``level`` on to ``stream``."""
    predicate = LogLevelFilterPredicate(defaultLogLevel=level)
    return FilteringLogObserver(LineObserver(stream), [predicate])
