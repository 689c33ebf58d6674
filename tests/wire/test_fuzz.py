"""Mutated messages of a fixed seed: what they leave behind is nothing."""

from __future__ import annotations

import time
from pathlib import Path

from daemon import Daemon, until
from fuzz import DESCRIPTORS, GROWTH, Fuzz, make_phone, start_daemon

SEED = 4475
DATAGRAMS = 5_000
STREAMS = 300


def _descriptors(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))


def _busy_seconds(daemon: Daemon) -> float:
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _calls(daemon: Daemon) -> float:
    samples = daemon.metrics()
    return samples["sipxd_calls_live"] + samples["sipxd_legs_live"]


def test_mutated_messages_leave_nothing_behind(tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path)
    try:
        with Fuzz(daemon, make_phone(daemon), SEED) as fuzz:
            memory, descriptors = daemon.rss(), _descriptors(daemon)
            fuzz.run(DATAGRAMS, STREAMS)
            until(lambda: _calls(daemon) == 0, "all calls to end", 100, every=1)
        assert daemon.metrics()['sipxd_calls_ended_total{result="bridged"}'] > 5
        assert daemon.rss() - memory < GROWTH
        assert _descriptors(daemon) <= descriptors + DESCRIPTORS
        before = _busy_seconds(daemon)
        time.sleep(1)
        assert _busy_seconds(daemon) - before < 0.25
        daemon.stop()
    finally:
        daemon.kill()
