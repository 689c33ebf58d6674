"""Calls over a network that loses 10 % of all datagrams, repeats 2 % and holds back 5 %."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon import SIPXD, Daemon, free_port, until
from relay import LOSS, Relay

CALLS = 500
RATE = 20
UP = 8
"""Seconds for which a call is up: what was lost is sent again after 0.5, 1.5 and 3.5."""
COMPLETE = -(-CALLS * 995 // 1000)
"""Calls that must have been bridged: 99.5 %."""
SEED = 3261
CALLERS = 10
BRIDGED = 'sipxd_calls_ended_total{result="bridged"}'


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
