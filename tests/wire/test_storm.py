"""A storm: 1,000 calls are up, and all callers hang up within two seconds."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import Daemon, until
from roles import TRUSTED
from sipp import Phone, Sipp
from steps import (
    answer,
    answered,
    call_unasked,
    expect,
    hang_up,
    hung_up,
    invited,
    receive,
    sdp,
)

pytestmark = pytest.mark.alone

CALLS = 1000
RATE = 100
"""Calls set up in a second."""
HOLD = 4.0
"""Seconds from when the last call is made to the first BYE."""
STORM = 2.0
"""Seconds in which all BYEs are sent."""
LAG = 3.0
"""Seconds in which anything else is answered meanwhile, on a machine that is busy with more."""
LIVE = ("sipxd_calls_live", "sipxd_legs_live")
BRIDGED = 'sipxd_calls_ended_total{result="bridged"}'

_OPTIONS = (
    "OPTIONS sip:{domain} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKlag{n}\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:lag@{domain}>;tag=lag\r\n"
    "To: <sip:{domain}>\r\n"
    "Call-ID: lag-{n}@{host}\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


class _Lag:
    """Sends OPTIONS one after the other, and notes how long each answer took."""

    def __init__(self, daemon: Daemon) -> None:
        self.times: list[float] = []
        self.lost = 0
        self._daemon = daemon
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> _Lag:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.connect(("127.0.0.1", self._daemon.sip_port))
            host, port = asking.getsockname()
            n = 0
            while not self._over.wait(0.01):
                n += 1
                text = _OPTIONS.format(domain=self._daemon.domain, host=host, port=port, n=n)
                sent = time.monotonic()
                asking.send(text.encode())
                try:
                    data = asking.recv(65_535)
                except TimeoutError:
                    data = b""
                # 503: what is no part of a call may be refused for overload, but in time.
                told = data.startswith((b"SIP/2.0 200 ", b"SIP/2.0 503 "))
                if told and b"lag-%d@" % n in data:
                    self.times.append(time.monotonic() - sent)
                else:
                    self.lost += 1


def _held(directory: Path) -> str:
    """Pause so that the calls, made at `RATE`, end within `STORM`."""
    made, storm = 1000 / RATE, 1000 * STORM / CALLS
    rows = (round(1000 * HOLD + made * (CALLS - n) + storm * n) for n in range(CALLS))
    (directory / "pauses.csv").write_text("\n".join(["SEQUENTIAL", *map(str, rows), ""]))
    return (
        '<nop><action><assignstr assign_to="text" value="[field0]"/>'
        '<todouble assign_to="hold" variable="text"/></action></nop><pause variable="hold"/>'
    )


QUIET = ("-message_file", os.devnull, "-trace_shortmsg", "-shortmessage_file", "short")
"""For SIPp: of each message, only a line."""


def _byes(run: Sipp, way: str) -> dict[str, float]:
    """When the BYE of each call was first sent (``S``) or received (``R``)."""
    first: dict[str, float] = {}
    for line in (run.directory / "short").read_text().splitlines():
        _, _, moment, direction, call, _, what = line.split("\t")
        if direction == way and what.startswith("BYE "):
            first.setdefault(call, float(moment))
    return first


@pytest.fixture
def phones(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> Iterator[tuple[Daemon, Phone, Phone]]:
    """A daemon, a trusted caller and a registered callee."""
    daemon = make_daemon(sip__trusted_peers=[TRUSTED])
    daemon.start()
    caller = Phone(tmp_path, daemon, daemon.add_user("5000"), TRUSTED)
    callee = Phone(tmp_path, daemon, daemon.add_user("6000")).register()
    yield daemon, caller, callee
    caller.stop()
    callee.stop()


def test_1000_calls_that_end_within_two_seconds_are_all_ended_in_order(
    phones: tuple[Daemon, Phone, Phone], tmp_path: Path
) -> None:
    daemon, a, b = phones
    called = b.start(
        invited() + answer(180) + answer(200, body=sdp(b.media)) + receive("ACK") + hung_up(),
        calls=CALLS, options=QUIET,
    )  # fmt: skip
    calling = a.start(
        call_unasked(a.user, daemon.domain, b.user, sdp(a.media)),
        expect(180), answered(), _held(tmp_path), hang_up(),
        request_uri=f"{b.user}@{daemon.domain}", calls=CALLS,
        options=("-inf", str(tmp_path / "pauses.csv"), "-r", str(RATE), "-l", str(CALLS), *QUIET),
    )  # fmt: skip
    until(
        lambda: daemon.metrics()["sipxd_calls_live"] == CALLS, "all calls to be up",
        CALLS / RATE + HOLD, every=0.5,
    )  # fmt: skip
    with _Lag(daemon) as lag:
        calling.finish(HOLD + STORM + 5)
        called.finish(5)
    until(lambda: not any(map(daemon.metrics().get, LIVE)), "the end of each to be stored", 5)
    after = daemon.metrics()
    assert after[BRIDGED] == CALLS
    assert after.get('sipxd_sip_events_total{event="overload_dropped"}', 0) == 0
    sent, passed_on = _byes(calling, "S"), _byes(called, "R")
    assert len(sent) == len(passed_on) == CALLS
    took = max(sent.values()) - min(sent.values())
    worst = max(lag.times)
    print(f"BYEs within {took:.2f} s; {len(lag.times)} OPTIONS, worst {worst * 1000:.0f} ms")
    assert took < 2 * STORM, "no storm"
    assert not lag.lost
    assert worst < LAG
