"""Resident memory of the daemon per bridged call, with 2,000 calls up at once.

The baseline is the knowledge that a call consists of: its record and the state of its two dialogs,
as JSON, as the daemon itself writes them into its database.  Measured as soon as the last call is
bridged, so that the transactions of the set-up, which linger for 32 s, are counted in.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from load import CALLEE, CALLER, HANGS_UP, Office, ask, separate
from result import report
from steps import hung_up, scenario

CALLS = int(os.environ.get("BENCH_CALLS", "2000"))
RATE = 100
WARM_UP = 200
"""Calls before the first look, so that what is loaded or cached once is there already."""
TARGET = 40.0


def stored(path: Path, state: str) -> tuple[int, int]:
    """Calls in that state, and the bytes of JSON (or of text columns) that describe them."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT * FROM calls WHERE state = ?", (state,)).fetchall()
        size = sum(len(str(value)) for row in rows for value in row)
        size += database.execute("SELECT coalesce(sum(length(data)), 0) FROM dialogs").fetchone()[0]
    return len(rows), size


def main() -> None:
    """Measure and report."""
    core = separate()
    with tempfile.TemporaryDirectory() as directory:
        office = Office(
            Path(directory) / "office", caller=CALLER, callee=(*CALLEE, *HANGS_UP), core=core
        )
        daemon = office.daemon
        try:
            runs = office.callers.start(WARM_UP), office.callees.start(WARM_UP)
            asked = ask(daemon.web_port, office.requests(WARM_UP), RATE)
            assert not asked.refused
            assert [run.completed(20) for run in runs] == [WARM_UP] * 2
            assert not office.left("sipxd_timers", 45)
            before = daemon.rss()
            office.callees.does = scenario(*CALLEE, hung_up())
            runs = office.callers.start(CALLS), office.callees.start(CALLS)
            asked = ask(daemon.web_port, office.requests(CALLS), RATE)
            bridged, described = 0, 0
            end = time.monotonic() + 20
            while bridged < CALLS and time.monotonic() < end:
                time.sleep(0.5)
                bridged, described = stored(daemon.state_dir / "sipxd.sqlite", "bridged")
            grown = daemon.rss() - before
            for run in runs:
                run.stop()
        finally:
            daemon.kill()
    per_call = grown / max(1, bridged) / 1000
    baseline = described / max(1, bridged) / 1000
    report(
        "memory",
        {
            "calls": CALLS,
            "failed": CALLS - bridged,
            "kb_per_call": round(per_call, 1),
            "mb_before": round(before / 1e6, 1),
            "baseline_kb": round(baseline, 2),
        },
        baseline="record and dialogs of a call as JSON in the database",
        ratio=per_call / baseline if baseline else 0.0,
        target={"kb_per_call": TARGET, "failed": 0},
        met=per_call <= TARGET and bridged == CALLS,
    )


if __name__ == "__main__":
    main()
