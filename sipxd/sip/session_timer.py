"""Session timers: who refreshes the session, and how often (RFC 4028)."""

from __future__ import annotations

import attrs

from sipxd.sip.headers import HeaderError, parameter, parse_number, parse_parameters
from sipxd.sip.leg import Output, StartTimer, StopTimer
from sipxd.sip.message import Header, Message, Request, Response

MINIMUM = 90
"""The smallest session interval that is accepted, in seconds (section 4)."""
MAXIMUM_MINIMUM = 7200
"""The largest Min-SE of a 422 that is followed, in seconds."""
MAXIMUM_RAISES = 4
"""How often a leg follows a 422, each of which asks for more."""


def _interval(message: Message) -> tuple[int, str] | None:
    """Interval and refresher of Session-Expires, or None where it is missing or broken."""
    value = message.get("Session-Expires")
    if value is None:
        return None
    head, semicolon, tail = value.partition(";")
    try:
        interval = parse_number(head, 2**31)
        refresher = (parameter(parse_parameters(semicolon + tail), "refresher") or "").lower()
    except HeaderError:
        return None
    return interval, refresher


def minimum_of(message: Message) -> int:
    """Min-SE of a request or of a 422, at least 90."""
    try:
        head = (message.get("Min-SE") or "").partition(";")[0]
        return max(MINIMUM, parse_number(head, 2**31)) if head else MINIMUM
    except HeaderError:
        return MINIMUM


def too_small(request: Request) -> bool:
    """Whether the request's interval is below our minimum: 422 with Min-SE (section 9)."""
    wanted = _interval(request)
    return wanted is not None and wanted[0] < MINIMUM and "timer" in request.tokens("Supported")


@attrs.frozen
class SessionTimer:
    """The interval in seconds, and whether the refreshing is ours.

    ``agreed``: the peer counts as well, and ends a session that nobody refreshes.
    """

    interval: int
    ours: bool
    agreed: bool = True

    @property
    def refresh_after(self) -> float:
        """Seconds until we refresh (half the interval, section 7.2)."""
        return self.interval / 2

    @property
    def retry_after(self) -> float:
        """Seconds until a refresh that has not succeeded is tried again."""
        return max(10.0, self.interval / 16)

    @property
    def expire_after(self) -> float:
        """Seconds without a refresh of the peer until we end the session (section 10)."""
        return self.interval - min(32.0, self.interval / 3)


def request_headers(interval: int, minimum: int, *, ours: bool | None = None) -> tuple[Header, ...]:
    """What an INVITE or UPDATE of ours says. ``ours``: the refresher as agreed before."""
    refresher = "" if ours is None else f";refresher={'uac' if ours else 'uas'}"
    return (("Session-Expires", f"{interval}{refresher}"), ("Min-SE", str(minimum)))


def from_response(response: Response, wanted: int) -> SessionTimer:
    """What the peer's 2xx to our request settles.

    A peer that knows no session timers is refreshed by us, so that a dead leg is noticed.
    """
    agreed = _interval(response)
    if agreed is None:
        return SessionTimer(wanted, ours=True, agreed=False)
    interval, refresher = agreed
    return SessionTimer(max(interval, MINIMUM), ours=refresher != "uas")


def from_request(request: Request, wanted: int) -> tuple[SessionTimer, tuple[Header, ...]]:
    """What we settle in our 2xx to the peer's request: the timer and the headers that say so.

    The peer refreshes where it can; else we do (section 9, table 2).
    """
    asked = _interval(request)
    supported = "timer" in request.tokens("Supported")
    minimum = minimum_of(request)
    if asked is None:
        interval, refresher = max(wanted, minimum), ""
    else:
        interval = (
            max(min(asked[0], max(wanted, minimum)), minimum) if asked[0] >= MINIMUM else MINIMUM
        )
        refresher = asked[1]
    ours = refresher == "uas" or not supported
    timer = SessionTimer(interval, ours, agreed=supported)
    headers: list[Header] = [
        ("Session-Expires", f"{interval};refresher={'uas' if ours else 'uac'}")
    ]
    if supported and not ours:
        headers.append(("Require", "timer"))
    return timer, tuple(headers) if supported else ()


class SessionClock:
    """The session timer of one leg: what is asked for, what was agreed, and its leg's timers.

    The leg's timer ``refresh`` says that a refresh is ours to send, ``expire`` that the peer's has
    not come.
    """

    def __init__(self, wanted: int) -> None:
        """``wanted``: the interval in seconds that we ask for."""
        self.interval = max(wanted, MINIMUM)
        self.minimum = MINIMUM
        self._raises = 0
        self._refreshing = False
        """Whether a refresh of ours has been tried, and has not succeeded yet."""
        self.timer: SessionTimer | None = None

    def headers(self) -> tuple[Header, ...]:
        """What an INVITE or UPDATE of ours says."""
        if self.timer is None:
            return request_headers(self.interval, self.minimum)
        interval = max(self.timer.interval, self.minimum)
        return request_headers(interval, self.minimum, ours=self.timer.ours)

    def raised(self, response: Response) -> bool:
        """Whether a 422 names an interval with which it is worth trying again (section 7.3)."""
        minimum = minimum_of(response)
        if self._raises >= MAXIMUM_RAISES or not self.minimum < minimum <= MAXIMUM_MINIMUM:
            return False
        self._raises += 1
        self.minimum = minimum
        self.interval = max(self.interval, minimum)
        return True

    def agreed(self, response: Response) -> list[Output]:
        """The peer's 2xx to an INVITE or UPDATE of ours settles the timer."""
        self.timer = from_response(response, self.interval)
        return self.start()

    def answered(self, request: Request) -> tuple[list[Output], tuple[Header, ...]]:
        """We settle the timer in our 2xx to the peer's request: our timers, and its headers."""
        self.timer, headers = from_request(request, self.interval)
        return self.start(), headers

    def start(self) -> list[Output]:
        """Start anew the timer that the agreement asks for."""
        self._refreshing = False
        if self.timer is None:
            return []
        if self.timer.ours:
            return [StopTimer("expire"), StartTimer("refresh", self.timer.refresh_after)]
        return [StopTimer("refresh"), StartTimer("expire", self.timer.expire_after)]

    def refreshing(self) -> list[Output]:
        """A refresh of ours goes out: when to try again, and when the session is over without."""
        timer = self.timer
        if timer is None:
            return [StartTimer("refresh", 10.0)]
        out: list[Output] = [StartTimer("refresh", timer.retry_after)]
        if timer.agreed and not self._refreshing:
            self._refreshing = True
            out.append(StartTimer("expire", timer.interval - timer.refresh_after))
        return out
