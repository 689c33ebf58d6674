"""Load: 500 calls at 50 calls a second from 200 users, three times, and nothing stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon, free_port
from sipp import Sipp, wait_until_bound
from steps import (
    OFFERLESS,
    answer,
    hang_up,
    has,
    hung_up,
    invited,
    pause,
    receive,
    register,
    reply,
    scenario,
    sdp,
)

pytestmark = pytest.mark.alone

CALLERS = 200
CALLEES = 20
CALLS = 500
RATE = 50
ROUNDS = 3
CONNECTIONS = 8
GROWTH = 4 << 20
"""Bytes by which the resident memory after the last round may lie above the first."""

A_MEDIA, B_MEDIA = 30_000, 30_002

CALLER = scenario(
    invited(OFFERLESS),
    answer(180),
    answer(200, body=sdp(A_MEDIA)),
    receive("ACK", has("a=inactive", "body")),
    receive("INVITE", has(f"m=audio {B_MEDIA} ", "body")),
    reply(200, body=sdp(A_MEDIA, version=2)),
    receive("ACK"),
    hung_up(),
)
CALLEE = scenario(
    invited(has(f"m=audio {A_MEDIA} ", "body")),
    answer(180),
    answer(200, body=sdp(B_MEDIA)),
    receive("ACK"),
    pause(500),
    hang_up(),
)


class _Crowd:
    """The phones of many users, all behind one port of one SIPp."""

    def __init__(self, directory: Path, daemon: Daemon, users: list[str], does: str) -> None:
        self.port = free_port()
        self._directory, self._does, self._runs = directory, does, 0
        directory.mkdir()
        rows = "".join(
            f"{u};[authentication username={u} password={daemon.sip_password(u)}]\n" for u in users
        )
        (directory / "users.csv").write_text("SEQUENTIAL\n" + rows)
        steps = register("[field0]", "", daemon.domain).replace(
            "[authentication username=[field0] password=]", "[field1]"
        )
        registration = Sipp(
            directory / "register", scenario(steps),
            port=self.port, peer=daemon.sip_address, calls=len(users),
            options=("-inf", "../users.csv", "-r", "100", "-auth_uri", daemon.domain),
        )  # fmt: skip
        registration.finish(30)

    def start(self) -> Sipp:
        """Take part in one round."""
        self._runs += 1
        run = Sipp(self._directory / str(self._runs), self._does, port=self.port, calls=CALLS)
        wait_until_bound(self.port, run)
        return run


def _place_calls(daemon: Daemon, users: list[str], numbers: list[str]) -> float:
    """Start all calls, at the rate; returns the seconds it took. Each connection stays open and
    asks for many users in turn."""
    start = time.monotonic() + 0.1
    wrong: list[object] = []

    def work(first: int) -> None:
        connection = daemon.client(users[0])
        for n in range(first, CALLS, CONNECTIONS):
            user = users[n % len(users)]
            time.sleep(max(0.0, start + n / RATE - time.monotonic()))
            try:
                connection.log_in(user, daemon.pin(user))
                answer = connection.call(numbers[n % len(numbers)])
            except OSError as error:
                wrong.append(error)
            else:
                if answer.status != 200:
                    wrong.append((user, answer.status, answer.body))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"{len(wrong)} of {CALLS} requests failed, such as {wrong[:3]}"
    return time.monotonic() - start


def test_500_calls_at_50_a_second_leave_nothing_behind(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = make_daemon(limits__user_calls_per_minute=1000)
    daemon.start()
    users = [daemon.add_user(str(5000 + n)) for n in range(CALLERS)]
    numbers = [daemon.add_user(str(6000 + n)) for n in range(CALLEES)]
    callers = _Crowd(tmp_path / "callers", daemon, users, CALLER)
    callees = _Crowd(tmp_path / "callees", daemon, numbers, CALLEE)
    memory = []
    for _ in range(ROUNDS):
        before = daemon.metrics()
        runs = callers.start(), callees.start()
        took = _place_calls(daemon, users, numbers)
        for run in runs:
            run.finish(20)
        assert took < CALLS / RATE + 5, f"{CALLS} requests took {took:.1f} s"
        daemon.wait_until_idle()
        after = daemon.metrics()
        ended = 'sipxd_calls_ended_total{result="bridged"}'
        assert after[ended] - before[ended] == CALLS
        memory.append(daemon.rss())
    assert memory[-1] - memory[0] <= GROWTH, [f"{size >> 10} KiB" for size in memory]
