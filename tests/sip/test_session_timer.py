"""Session timers, both roles (RFC 4028)."""

from __future__ import annotations

import pytest

from sipxd.sip.leg import StartTimer, StopTimer
from sipxd.sip.message import Header, Request, Response
from sipxd.sip.session_timer import (
    SessionClock,
    SessionTimer,
    from_request,
    from_response,
    minimum_of,
    request_headers,
    too_small,
)

KNOWS: Header = ("Supported", "replaces, timer")


def request(*headers: Header) -> Request:
    return Request("INVITE", "sip:a@h", headers=headers)


def response(*headers: Header) -> Response:
    return Response(200, "OK", headers=headers)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, SessionTimer(1800, ours=True, agreed=False)),
        ("nonsense", SessionTimer(1800, ours=True, agreed=False)),
        ("600;refresher=uac", SessionTimer(600, ours=True)),
        ("600;refresher=UAS", SessionTimer(600, ours=False)),
        ("600", SessionTimer(600, ours=True)),
        ("30;refresher=uac", SessionTimer(90, ours=True)),
        (" 600 ; x=y ; refresher=uas", SessionTimer(600, ours=False)),
    ],
)
def test_what_a_response_settles(value: str | None, expected: SessionTimer) -> None:
    headers = [] if value is None else [("Session-Expires", value)]
    assert from_response(response(*headers), 1800) == expected


@pytest.mark.parametrize(
    ("headers", "timer", "said"),
    [
        ((), SessionTimer(1800, ours=True, agreed=False), {}),
        ((KNOWS,), SessionTimer(1800, ours=False), {"Session-Expires": "1800;refresher=uac",
                                                    "Require": "timer"}),
        ((KNOWS, ("Session-Expires", "600;refresher=uas")), SessionTimer(600, ours=True),
         {"Session-Expires": "600;refresher=uas"}),
        ((KNOWS, ("Session-Expires", "600;refresher=uac")), SessionTimer(600, ours=False),
         {"Session-Expires": "600;refresher=uac", "Require": "timer"}),
        ((KNOWS, ("Session-Expires", "9000")), SessionTimer(1800, ours=False),
         {"Session-Expires": "1800;refresher=uac", "Require": "timer"}),
        ((KNOWS, ("Session-Expires", "9000"), ("Min-SE", "3600")), SessionTimer(3600, ours=False),
         {"Session-Expires": "3600;refresher=uac", "Require": "timer"}),
    ],
)  # fmt: skip
def test_what_we_settle_for_a_request(
    headers: tuple[Header, ...], timer: SessionTimer, said: dict[str, str]
) -> None:
    got, answer = from_request(request(*headers), 1800)
    assert got == timer
    assert dict(answer) == said


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((KNOWS, ("Session-Expires", "89")), True),
        ((KNOWS, ("Session-Expires", "90")), False),
        ((("Session-Expires", "60"),), False),
        ((KNOWS,), False),
        ((KNOWS, ("Session-Expires", "-1")), False),
    ],
)
def test_too_small_is_only_what_the_peer_can_mend(
    headers: tuple[Header, ...], expected: bool
) -> None:
    assert too_small(request(*headers)) is expected


@pytest.mark.parametrize(
    ("value", "seconds"), [("600", 600), ("10", 90), ("x", 90), (None, 90), ("600;a=b", 600)]
)
def test_the_minimum_of_the_peer(value: str | None, seconds: int) -> None:
    assert minimum_of(request(*([] if value is None else [("Min-SE", value)]))) == seconds


def test_times_of_a_session() -> None:
    timer = SessionTimer(600, ours=True)
    assert (timer.refresh_after, timer.expire_after) == (300.0, 568.0)
    short = SessionTimer(90, ours=False)
    assert short.expire_after == 60.0
    assert short.refresh_after + short.retry_after < short.expire_after


def test_what_our_requests_say() -> None:
    assert request_headers(600, 90) == (("Session-Expires", "600"), ("Min-SE", "90"))
    assert request_headers(600, 90, ours=False)[0][1] == "600;refresher=uas"


def test_a_clock_asks_for_what_was_agreed() -> None:
    clock = SessionClock(1800)
    assert clock.headers()[0] == ("Session-Expires", "1800")
    out = clock.agreed(response(("Session-Expires", "600;refresher=uas")))
    assert out == [StopTimer("refresh"), StartTimer("expire", 568.0)]
    assert clock.headers()[0] == ("Session-Expires", "600;refresher=uas")
    out, _ = clock.answered(request())
    assert out == [StopTimer("expire"), StartTimer("refresh", 900.0)]


def test_a_clock_follows_a_422_within_reason() -> None:
    clock = SessionClock(90)
    assert clock.raised(response(("Min-SE", "600")))
    assert clock.headers() == (("Session-Expires", "600"), ("Min-SE", "600"))
    assert not clock.raised(response(("Min-SE", "600")))
    assert not clock.raised(response(("Min-SE", "7201")))
    assert not clock.raised(response())


def test_a_clock_wants_no_less_than_the_minimum() -> None:
    assert SessionClock(10).interval == 90
    assert SessionClock(10).start() == []
    assert SessionClock(10).refreshing() == [StartTimer("refresh", 10.0)]


def test_a_session_ends_where_none_of_our_refreshes_succeeds() -> None:
    clock = SessionClock(1800)
    ours = response(("Session-Expires", "600;refresher=uac"))
    clock.agreed(ours)
    for _ in range(2):
        # The first one that goes out, at half the interval, sets the end.
        assert clock.refreshing() == [StartTimer("refresh", 37.5), StartTimer("expire", 300.0)]
        assert clock.refreshing() == [StartTimer("refresh", 37.5)]
        assert clock.agreed(ours)[0] == StopTimer("expire")


def test_a_peer_that_does_not_count_is_not_hung_up_for_refusing_a_refresh() -> None:
    clock = SessionClock(1800)
    clock.agreed(response())
    assert clock.refreshing() == [StartTimer("refresh", 112.5)]
