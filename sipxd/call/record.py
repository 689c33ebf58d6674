"""The call record: what is told about a call while it lives and after it has ended."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from sipxd.sip.message import displayable


class CallKind(enum.StrEnum):
    """The door a call came through."""

    CLICK = "click-to-call"
    PHONE = "phone"


class ClickFlow(enum.StrEnum):
    """How a click-to-call is set up."""

    OFFER = "offer"
    """The destination is offered what the user's phone offered; good with phones and trunks."""
    OFFERLESS = "offerless"
    """The destination makes the offer (RFC 3725 flow III)."""
    REFER = "refer"
    """The user's phone is asked to call the destination itself (RFC 3515)."""
    AUTO = "auto"
    """``refer`` with phones that know it, where they are registered with us; else ``offer``."""


class CallState(enum.StrEnum):
    """How far a call is."""

    CALLER = "ringing-caller"
    """Click-to-call: the user's own phones ring."""
    CALLEE = "ringing-callee"
    """The caller is there; the destination rings."""
    BRIDGED = "bridged"
    ENDED = "ended"


class Side(enum.StrEnum):
    """Which leg, seen from the call: the near one is the caller's."""

    NEAR = "caller"
    FAR = "callee"


@attrs.frozen
class Cause:
    """Why a call ended.

    ``who`` ended it: ``caller``, ``callee``, ``api`` or ``sipxd``; ``leg`` the leg it showed on;
    ``code`` the SIP status (200: ended normally); ``sentence`` says it in words.
    """

    who: str
    leg: Side | None
    code: int
    sentence: str = attrs.field(converter=displayable)


@attrs.frozen
class CallRecord:
    """One call. Times are seconds since the epoch; ``None``: not (yet) reached."""

    id: str
    kind: CallKind
    user: str
    number: str
    state: CallState
    started: float
    answered: float | None = None
    """When the caller's side was there (click-to-call: the user's phone answered)."""
    bridged: float | None = None
    ended: float | None = None
    cause: Cause | None = None
    media_mismatch: bool = False
    """The two phones did not agree on media after two rounds; the call was kept."""
    flow: ClickFlow | None = None
    """Of a click-to-call: the flow that was asked for, then the one that it came to."""
    ringing: tuple[str, ...] = ()
    """Who is rung now, where a number leads to more than one telephone; not kept once over."""
    reached: str = ""
    """The user or the number that answered; empty: nobody has."""


@attrs.frozen
class CallEvent:
    """One line of the journal. ``kind`` is ``call.started``, ``call.answered`` and the like."""

    kind: str
    call_id: str
    user: str
    at: float
    data: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class CallUnit:
    """One step of a call, stored whole or not at all: event, record and dialog snapshots.

    ``dialogs`` maps leg id to its dialog state as plain data (inserted or replaced); ``released``
    names legs whose snapshot is deleted.
    """

    event: CallEvent
    record: CallRecord
    dialogs: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    released: tuple[str, ...] = ()
