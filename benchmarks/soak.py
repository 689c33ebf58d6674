"""Click-to-calls at 50 a second for half an hour: none fails, and memory does not grow.

Each request waits until its call is bridged (``wait=bridged``): its time is that of the set-up.

The baseline is the resident memory of the daemon after the first third, in the same run.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from load import CALLEE, CALLER, HANGS_UP, Daemon, Office, ask, separate
from result import report

MINUTES = int(os.environ.get("BENCH_MINUTES", "30"))
RATE = 50
CALLS = RATE * 60 * MINUTES
GROWTH = 20.0
"""MiB of memory by which the last two thirds may end above the first."""
SETUP = 250.0
"""Milliseconds in which 99 of 100 calls shall be bridged."""
LINGER = 60
"""Seconds after the last call in which everything must be gone; transactions linger for 32."""


class Marks:
    """The resident memory of the daemon in MiB: at the start and at every full minute."""

    def __init__(self, daemon: Daemon) -> None:
        self.taken = [_mebibytes(daemon)]
        self._daemon = daemon
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Marks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if len(self.taken) <= MINUTES:
            self.taken.append(_mebibytes(self._daemon))  # it was over just before the last one

    def _watch(self) -> None:
        begin = time.monotonic()
        while not self._over.wait(begin + 60 * len(self.taken) - time.monotonic()):
            self.taken.append(_mebibytes(self._daemon))


def _mebibytes(daemon: Daemon) -> float:
    return round(daemon.rss() / 2**20, 1)


def _descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def _until_bridged(requests: Iterator[bytes]) -> Iterator[bytes]:
    """The same requests, answered when the call is bridged."""
    return (each.replace(b" HTTP/1.1", b"?wait=bridged HTTP/1.1", 1) for each in requests)


def _left_open(daemon: Daemon) -> dict[str, float]:
    """The gauges that are not zero once they should be."""
    end = time.monotonic() + LINGER
    while (left := daemon.left_open()) and time.monotonic() < end:
        time.sleep(1)
    return left


def measure(office: Office) -> tuple[dict[str, Any], list[float]]:
    """All figures, and the memory at each minute."""
    daemon = office.daemon
    runs = office.callers.start(CALLS), office.callees.start(CALLS)
    bridged, cpu = office.bridged(), office.cpu()
    descriptors = _descriptors(daemon)
    with Marks(daemon) as marks:
        asked = ask(daemon.web_port, _until_bridged(office.requests(CALLS)), RATE)
    completed = [run.completed(20) for run in runs]
    left = _left_open(daemon)
    completed.append(int(office.bridged() - bridged))
    failed = CALLS - min(completed)
    if failed or asked.refused:
        # Standard output is for the line alone.
        print(
            f"of {CALLS} calls: refused {asked.refused}; completed by callers, callees and daemon"
            f" {completed}",
            *(run.errors()[:2000] for run in runs), sep="\n", file=sys.stderr,
        )  # fmt: skip
    figures = {
        "calls": CALLS,
        "failed": max(failed, asked.refused),
        "cpu_ms": round((office.cpu() - cpu) / CALLS * 1000, 2),
        "setup_p50_ms": asked.milliseconds(50),
        "setup_p99_ms": asked.milliseconds(99),
        "setup_max_ms": round(max(asked.times) * 1000, 1),
        "rss_mib": marks.taken,
        "descriptors": [descriptors, _descriptors(daemon)],
        "left_open": left,
        "seconds": round(asked.seconds),
    }
    return figures, marks.taken


def main() -> None:
    """Measure and report."""
    core = separate()
    with tempfile.TemporaryDirectory() as directory:
        office = Office(
            Path(directory) / "office", caller=CALLER, callee=(*CALLEE, *HANGS_UP), core=core
        )
        try:
            figures, memory = measure(office)
        finally:
            office.daemon.kill()
    settled = memory[MINUTES // 3]
    growth = memory[-1] - settled
    report(
        "soak",
        {**figures, "growth_mib": round(growth, 1), "daemon_on_own_processor": bool(core)},
        baseline="resident memory after the first third of the run",
        ratio=memory[-1] / settled,
        target={"failed": 0, "growth_mib": GROWTH, "setup_p99_ms": SETUP, "left_open": 0},
        met=figures["failed"] == 0
        and growth < GROWTH
        and figures["setup_p99_ms"] < SETUP
        and not figures["left_open"],
    )


if __name__ == "__main__":
    main()
