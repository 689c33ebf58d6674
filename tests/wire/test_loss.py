"""Calls over a network that loses 10 % of all datagrams; with our own telephones it repeats 2 % and
holds back 5 % as well."""

from __future__ import annotations

import contextlib
import csv
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon import SIPXD, Daemon, free_port, until
from relay import LOSS, Relay
from roles import TRUSTED
from sipp import Sipp, wait_until_bound
from steps import (
    answer,
    answered,
    call_unasked,
    expect,
    hang_up,
    invited,
    pause,
    receive,
    register,
    reply,
    scenario,
    sdp,
)

CALLS = 500
RATE = 20
UP = 8
"""Seconds for which a call is up: what was lost is sent again after 0.5, 1.5 and 3.5."""
COMPLETE = -(-CALLS * 995 // 1000)
"""Calls that must have been bridged: 99.5 %."""
SEED = 3261
CALLERS = 10
BRIDGED = 'sipxd_calls_ended_total{result="bridged"}'
SIPP = (
    *("-max_invite_retrans", "10", "-max_non_invite_retrans", "10", "-max_retrans", "10"),
    *("-recv_timeout", "30000", "-l", str(CALLS), "-trace_stat", "-stf", "statistics", "-fd", "1"),
)
"""For SIPp on a bad network: it gives up late, makes all calls at once, and counts them."""


@contextlib.contextmanager
def telephone(
    daemon: Daemon, user: str, host: str, seed: int, log: Path, *options: str
) -> Iterator[Relay]:
    """A scripted telephone of the user behind a relay of its own, registered."""
    port = free_port()
    with Relay((host, port), ("127.0.0.1", daemon.sip_port), seed, host) as relay:
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    str(SIPXD), "phone", user, "--server", relay.peer, "--domain", daemon.domain,
                    "--password", daemon.sip_password(user), "--listen", f"{host}:{port}",
                    *("--answer-after", "0"), *options,
                ],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            until(lambda: "registered" in log.read_text(), f"{user} to register", 20)
            yield relay
        finally:
            relay.bad = False
            process.terminate()
            process.wait()


def _open(daemon: Daemon) -> float:
    samples = daemon.metrics()
    return samples["sipxd_calls_live"] + samples["sipxd_legs_live"]


def test_calls_come_through_a_bad_network_and_nothing_is_left(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = make_daemon(
        limits__user_calls_per_minute=100_000,
        limits__user_calls_pending=10_000,
        limits__source_requests=100_000,
    )
    daemon.start()
    # As many different calls as are made: while one lives, the same again would be the same call.
    callers = [daemon.add_user(f"70{n:02}") for n in range(CALLERS)]
    numbers = [f"71{n:02}" for n in range(CALLS // CALLERS)]
    callee = daemon.add_user("7099", aliases=numbers)
    with contextlib.ExitStack() as phones:
        relays = [
            phones.enter_context(
                telephone(daemon, user, f"127.0.0.{50 + n}", SEED + n, tmp_path / user, *options)
            )
            for n, (user, *options) in enumerate(
                [*((user,) for user in callers), (callee, "--hang-up-after", str(UP))]
            )
        ]
        for relay in relays:
            relay.bad = True
        clients = [daemon.client(user) for user in callers]
        started = time.monotonic()
        for n in range(CALLS):
            time.sleep(max(0.0, started + n / RATE - time.monotonic()))
            assert clients[n % CALLERS].call(numbers[n // CALLERS]).status == 200
        # That the transactions end as well is seen when the daemon is stopped.
        until(lambda: not _open(daemon), "all calls to end", 60, every=1)
        assert daemon.metrics()[BRIDGED] >= COMPLETE
        fates = sum((relay.fates for relay in relays), Counter[str]())
    assert LOSS / 2 < fates["lost"] / fates.total() < LOSS * 2, fates


def _resending(*steps: str) -> str:
    """A scenario that sends again after T1, as the RFC says."""
    return scenario(*steps).replace('retrans="2000"', 'retrans="500"')


def _counted(sipp: Sipp, what: str) -> int:
    """One of SIPp's own statistics, of all its calls."""
    with (sipp.directory / "statistics").open() as rows:
        *_, last = csv.DictReader(rows, delimiter=";")
    return int(last[f"{what}Call(C)"])


def test_calls_of_sipp_come_through_a_network_that_loses_datagrams_and_nothing_is_left(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    # SIPp would take an OPTIONS that keeps the way open for a call.
    daemon = make_daemon(sip__trusted_peers=[TRUSTED], sip__nat_keepalive=0)
    daemon.start()
    server = "127.0.0.1", daemon.sip_port
    caller, callee = daemon.add_user("7201"), daemon.add_user("7202")
    (near, near_media), (far, far_media) = ((free_port(), free_port()) for _ in range(2))
    with contextlib.ExitStack() as running:
        near_relay, far_relay = relays = [
            running.enter_context(
                Relay((host, port), server, SEED + n, host, repeated=0, held_back=0)
            )
            for n, (host, port) in enumerate([(TRUSTED, near), ("127.0.0.60", far)])
        ]
        Sipp(
            tmp_path / "registers",
            scenario(register(callee, daemon.sip_password(callee), daemon.domain)),
            host="127.0.0.60", port=far, peer=far_relay.peer, options=("-auth_uri", daemon.domain),
        ).finish()  # fmt: skip
        for relay in relays:
            relay.bad = True
        called = Sipp(
            tmp_path / "called",
            _resending(
                invited(),
                answer(180),
                answer(200, body=sdp(far_media)),
                # Having sent two responses SIPp takes the INVITE sent again for a new one.
                receive("INVITE", optional=True),
                # The BYE says as well that the 200 has come.
                receive("ACK", optional=True),
                receive("BYE"),
                reply(200),
                # The 200 may be lost as well.
                '<timewait milliseconds="32000"/>',
            ),
            host="127.0.0.60", port=far, calls=2 * CALLS, options=SIPP,
        )  # fmt: skip
        running.callback(called.stop)
        wait_until_bound(far, called)
        calling = Sipp(
            tmp_path / "calling",
            _resending(
                call_unasked(caller, daemon.domain, callee, sdp(near_media)),
                expect(180, optional=True),
                answered(),
                pause(UP * 1000),
                hang_up(),
            ),
            host=TRUSTED, port=near, peer=near_relay.peer, calls=CALLS,
            options=(*SIPP, "-r", str(RATE)),
        )  # fmt: skip
        running.callback(calling.stop)
        calling.process.wait(90)
        # That the transactions end as well is seen when the daemon is stopped.
        until(lambda: not _open(daemon), "all calls to end", 60, every=1)
        assert daemon.metrics()[BRIDGED] >= COMPLETE
        assert _counted(calling, "Successful") >= COMPLETE, calling.errors()
        assert _counted(called, "Failed") <= CALLS - COMPLETE, called.errors()
    for relay in relays:
        assert LOSS / 2 < relay.fates["lost"] / relay.fates.total() < LOSS * 2, relay.fates
