"""The ladder diagram of calls between phones and sipxd: traced messages in, lines out.

`Ladder` understands what each message means for the people at the phones (RFC 3261, 3264) and makes
plain `Step` values; `Drawing` turns these into lines for a terminal.  Only messages of calls are
shown: registrations are left out.
"""

from __future__ import annotations

import enum
from collections import deque

import attrs
from rich.text import Text

from sipxd.log import escape
from sipxd.sip.headers import HeaderError, parse_name_addr
from sipxd.sip.leg_media import readable
from sipxd.sip.media import is_hold
from sipxd.sip.message import ParseError, Request, Response, parse_message
from sipxd.sip.sdp import Sdp
from sipxd.sip.uri import UriError, parse_uri

MAXIMUM_LEGS = 200
"""Legs that are remembered; the oldest is forgotten first."""
MAXIMUM_DEVICES = 10
"""Phones of a user that are told apart."""
_METHODS = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "PRACK", "MESSAGE"})
_REFUSALS = {
    401: "who is it?",
    404: "unknown number",
    408: "no answer in time",
    480: "not available",
    486: "busy",
    487: "stops ringing",
    488: "does not take this",
    503: "overloaded",
    600: "busy",
    603: "declines",
}


class Kind(enum.Enum):
    """What sort of message a step is, for its colour."""

    REQUEST = "request"
    PROGRESS = "progress"
    SUCCESS = "success"
    FAILURE = "failure"


@attrs.frozen
class Step:
    """One message. ``at`` is in seconds on the clock of whoever traced it.

    ``phone`` is the user at the other end; ``sent``: from sipxd to the phone.
    """

    at: float
    phone: str
    sent: bool
    kind: Kind
    label: str
    remark: str = ""


@attrs.define
class _Leg:
    phone: str
    device: str
    """Put before remarks where the user has several phones."""
    seen: deque[int] = attrs.field(factory=lambda: deque(maxlen=16))
    """Hashes of its last messages, to know the repeated ones."""


class Ladder:
    """Reads the messages that pass sipxd. ``phones`` are the users whose phones have a column."""

    def __init__(self, *phones: str) -> None:
        self.phones = phones
        self._legs: dict[str, _Leg] = {}
        self._media: dict[tuple[str, int], str] = {}
        """Whose address for media it is."""
        self._devices: dict[str, list[str]] = {}

    def read(self, direction: str, data: bytes, peer: str, at: float) -> Step | None:
        """The step that a message is, "sent" or "received" by sipxd; None where it is not shown.

        ``peer`` is the other end's address, by which several phones of a user are told apart.
        Never raises: what cannot be read is not shown.
        """
        sent = direction == "sent"
        try:
            message = parse_message(data)
            method = message.cseq[1]
            leg = self._leg(message, peer, sent)
            if leg is None or method not in _METHODS:
                return None
            remark = self._remark(message, leg.phone, sent)
        except (ParseError, HeaderError, UriError):
            return None
        again = hash(data) in leg.seen
        leg.seen.append(hash(data))
        if again:
            remark = "once more"
        return Step(at, leg.phone, sent, _kind(message), _label(message), leg.device + remark)

    def _leg(self, message: Request | Response, peer: str, sent: bool) -> _Leg | None:
        """The leg by its Call-ID; a new one for an INVITE to or from a phone of ours."""
        leg = self._legs.get(message.call_id)
        if leg is not None or not isinstance(message, Request) or message.method != "INVITE":
            return leg
        uri = message.uri if sent else parse_name_addr(message.require("From")).uri
        phone = parse_uri(uri).user_text
        if phone not in self.phones:
            return None
        while len(self._legs) >= MAXIMUM_LEGS:
            del self._legs[next(iter(self._legs))]
        leg = self._legs[message.call_id] = _Leg(phone, self._device(phone, peer))
        return leg

    def _device(self, phone: str, peer: str) -> str:
        devices = self._devices.setdefault(phone, [])
        if peer not in devices and len(devices) < MAXIMUM_DEVICES:
            devices.append(peer)
        number = devices.index(peer) if peer in devices else MAXIMUM_DEVICES
        return f"phone {number + 1}: " if number else ""

    # -- what a message means ------------------------------------------------------------------

    def _remark(self, message: Request | Response, phone: str, sent: bool) -> str:
        sdp = readable(message.sdp)
        if sdp is not None and not sent:
            self._learn(sdp, phone)
        if isinstance(message, Request):
            return self._request_remark(message, sdp, phone, sent)
        return self._response_remark(message, sdp, sent)

    def _request_remark(self, request: Request, sdp: Sdp | None, phone: str, sent: bool) -> str:
        match request.method:
            case "INVITE" if request.to_tag is None and not sent:
                return f"calls {escape(parse_uri(request.uri).user_text)}"
            case "INVITE" if request.to_tag is None:
                return self._shown(sdp) if sdp else f"ring {phone}, no media yet"
            case "INVITE" | "UPDATE" | "ACK" if sdp is not None and sent:
                return self._shown(sdp)
            case "INVITE" | "UPDATE" if sdp is not None:
                return "holds the other" if is_hold(sdp) else "offers its media"
            case "INVITE":
                return "which media?"
            case "BYE":
                return "" if sent else "hangs up"
            case "CANCEL":
                return "no longer wanted" if sent else "gives up"
            case _:
                return ""

    def _response_remark(self, response: Response, sdp: Sdp | None, sent: bool) -> str:
        status, method = response.status, response.cseq[1]
        if method not in ("INVITE", "UPDATE"):
            return ""
        if status in (180, 183):
            if sdp is None:
                return "it rings" if sent else "rings"
            return self._shown(sdp) if sent else "rings, with early media"
        if 200 <= status < 300 and sdp is not None:
            if sent:
                return self._shown(sdp)
            return "here, on hold" if is_hold(sdp) else "here is my media"
        return _REFUSALS.get(status, "")

    def _shown(self, sdp: Sdp) -> str:
        """What a phone learns from a description that sipxd gives it."""
        if is_hold(sdp):
            return "held: no media yet" if self._owner(sdp) is None else "is put on hold"
        owner = self._owner(sdp)
        return f"gets {owner}'s media address" if owner else "gets a media address"

    def _learn(self, sdp: Sdp, phone: str) -> None:
        if len(self._media) >= MAXIMUM_LEGS:
            self._media.clear()
        if sdp.media:
            self._media[(sdp.address(0) or "", sdp.media[0].port)] = phone

    def _owner(self, sdp: Sdp) -> str | None:
        if not sdp.media:
            return None
        return self._media.get((sdp.address(0) or "", sdp.media[0].port))


def _kind(message: Request | Response) -> Kind:
    if isinstance(message, Request):
        return Kind.REQUEST
    if message.status < 200:
        return Kind.PROGRESS
    return Kind.SUCCESS if message.status < 300 else Kind.FAILURE


def _label(message: Request | Response) -> str:
    if isinstance(message, Request):
        return message.method
    return escape(f"{message.status} {message.reason[:40]}".rstrip())


# -- drawing -------------------------------------------------------------------------------------

_STYLES = {
    Kind.REQUEST: "bold cyan",
    Kind.PROGRESS: "yellow",
    Kind.SUCCESS: "green",
    Kind.FAILURE: "red",
}
_TIME = 7
_MARGIN = _TIME + 2
"""Where the left lifeline stands."""


@attrs.frozen
class _Strokes:
    line: str
    lifeline: str
    left: str
    right: str


_ASCII = _Strokes("-", "|", "<", ">")
_FANCY = _Strokes("─", "│", "◀", "▶")


class Drawing:
    """Lines of a ladder with two phones, sipxd between them, for ``width`` characters.

    ``plain``: with ASCII characters alone.
    """

    def __init__(self, left: str, right: str, width: int = 80, *, plain: bool = True) -> None:
        self._left, self._right = left, right
        self._strokes = _ASCII if plain else _FANCY
        self._width = max(60, width)
        self._arrow = 19 if self._width < 100 else 27

    def heading(self) -> Text:
        """The names above the columns."""
        names = (f"phone of {self._left}", "sipxd", f"phone of {self._right}")
        line = ""
        for index, name in enumerate(names):
            middle = _MARGIN + index * (self._arrow + 1)
            line = line.ljust(middle - len(name) // 2) + name
        return Text(line, "bold")

    def step(self, step: Step, start: float = 0.0) -> Text:
        """The line of a message; times count from ``start``."""
        on_left = step.phone == self._left
        arrow = (self._arrow_of(step, to_right=on_left is not step.sent), _STYLES[step.kind])
        empty = (" " * self._arrow, "")
        left, right = (arrow, empty) if on_left else (empty, arrow)
        bar = (self._strokes.lifeline, "dim")
        text = Text.assemble(
            (_seconds(step.at - start), "dim"),
            " " * (_MARGIN - _TIME), bar, left, bar, right, bar, "  ", step.remark,
        )  # fmt: skip
        text.rstrip()
        text.truncate(self._width, overflow="ellipsis" if self._strokes is _FANCY else "crop")
        return text

    def note(self, text: str, at: float, start: float = 0.0, style: str = "bold") -> Text:
        """A line between the messages, wrapped by whoever prints it."""
        return Text.assemble((_seconds(at - start), "dim"), "  ", (text, style))

    def _arrow_of(self, step: Step, *, to_right: bool) -> str:
        strokes = self._strokes
        room = self._arrow - 5
        label = step.label if len(step.label) <= room else step.label.split(" ", 1)[0][:room]
        shaft = f" {label} ".center(self._arrow - 1, strokes.line)
        return shaft + strokes.right if to_right else strokes.left + shaft


def _seconds(seconds: float) -> str:
    return f"{seconds:{_TIME}.3f}"
