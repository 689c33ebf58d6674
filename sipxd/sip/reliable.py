"""Reliable provisional responses: their numbers, repetition and acknowledgement (RFC 3262)."""

from __future__ import annotations

import attrs

from sipxd.sip.headers import HeaderError, parse_number
from sipxd.sip.leg import Output, SendResponse, StartTimer, StopTimer
from sipxd.sip.message import Message, Request, Response
from sipxd.sip.transaction import T1

EXTENSION = "100rel"
_MAXIMUM = 2**32 - 1


def wants_reliable(message: Message, header: str) -> bool:
    """Whether ``header`` (Supported or Require) names the extension."""
    return message.get(header) is not None and any(
        token.lower() == EXTENSION for token in message.tokens(header)
    )


def number_of(response: Response) -> int | None:
    """RSeq of a provisional response that is to be acknowledged; None for any other."""
    value = response.get("RSeq")
    if value is None or not wants_reliable(response, "Require"):
        return None
    try:
        return parse_number(value, _MAXIMUM) or None
    except HeaderError:
        return None


def acknowledges(prack: Request) -> tuple[int, int] | None:
    """RSeq and CSeq of the INVITE's response that a PRACK is for (section 7.2)."""
    parts = (prack.get("RAck") or "").split()
    if len(parts) != 3 or parts[2] != "INVITE":
        return None
    try:
        return parse_number(parts[0], _MAXIMUM), parse_number(parts[1], _MAXIMUM)
    except HeaderError:
        return None


class ReliableResponses:
    """Those of one early dialog, one after the other (section 3)."""

    def __init__(self, timer: str, number: int) -> None:
        """``timer`` is the name of the leg's timer, ``number`` the first RSeq."""
        self.timer = timer
        self._number = number - 1
        self._interval = T1
        self._passed = 0.0
        self.open: Response | None = None
        """The one that waits for its PRACK."""

    def send(self, key: str, response: Response) -> list[Output]:
        """Send ``response`` to the INVITE ``key``, and again until it is acknowledged."""
        self._number += 1
        marks = (("Require", EXTENSION), ("RSeq", str(self._number)))
        self.open = attrs.evolve(response, headers=[*response.headers, *marks])
        self._interval, self._passed = T1, 0.0
        return [SendResponse(key, self.open), StartTimer(self.timer, T1)]

    def again(self, key: str) -> list[Output] | None:
        """The timer ran out: send it again; None once 64*T1 have passed."""
        if self.open is None:
            return []
        self._passed += self._interval
        if self._passed >= 64 * T1:
            return None
        self._interval = min(2 * self._interval, 64 * T1 - self._passed)
        return [SendResponse(key, self.open), StartTimer(self.timer, self._interval)]

    def acknowledged(self, prack: Request) -> bool:
        """Whether the PRACK is for the response that waits for one; that is over then."""
        if self.open is None or acknowledges(prack) != (self._number, self.open.cseq[0]):
            return False
        self.open = None
        return True

    def stop(self) -> StopTimer:
        """Send nothing again: it is acknowledged, or the INVITE has its final response."""
        return StopTimer(self.timer)
