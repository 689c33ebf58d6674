"""CPU milliseconds per registration with digest: REGISTER, 401, REGISTER with credentials, 200.

200 phones of one SIPp register again and again, each time by a new challenge; sipxd writes each
binding to its database before it answers.  The baseline is Kamailio (C, several processes, bindings
in memory), which serves the same phones in the same run.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load import SIPXD, Daemon, free_port, separate, used_by
from result import report
from sipp import Sipp
from steps import register, scenario

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
"""How long the rate is kept up."""
RATE = 200
"""Registrations a second: two requests each."""
PHONES = 200
TARGET = 2.5


def measure(directory: Path, domain: str, peer: str, cpu: Callable[[], float]) -> dict[str, Any]:
    """Register, after a round for warming up."""
    steps = register("[field0]", "", domain).replace(
        "[authentication username=[field0] password=]", "[field1]"
    )
    port = free_port()

    def run(name: str, calls: int, rate: int) -> int:
        phones = Sipp(
            directory / name, scenario(steps), port=port, peer=peer, calls=calls,
            options=(
                "-inf", "../../users.csv", "-r", str(rate), "-auth_uri", domain,
                "-message_file", os.devnull, "-trace_stat", "-stf", "stat", "-fd", "1",
            ),
        )  # fmt: skip
        try:
            phones.process.wait(calls / rate + 10)
        finally:
            phones.stop()
        with (directory / name / "stat").open(newline="") as lines:
            return int(list(csv.DictReader(lines, delimiter=";"))[-1]["SuccessfulCall(C)"])

    run("warm-up", PHONES, 100)
    before, calls = cpu(), RATE * SECONDS
    begin = time.monotonic()
    done = run("run", calls, RATE)
    used, seconds = cpu() - before, time.monotonic() - begin
    return {
        "cpu_ms": round(used / max(1, done) * 1000, 3),
        "failed": calls - done,
        "busy": round(used / seconds, 2),
    }


def used_by_session(leader: int) -> float:
    """Seconds of CPU that the processes of a session have used."""
    used = 0.0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            used += used_by(int(entry.name))
    return used


def main() -> None:
    """Measure and report."""
    from kamailio import Kamailio  # found by what `load` puts on the path

    core = separate()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        daemon = Daemon(directory / "office")
        kamailio = Kamailio(directory / "kamailio", daemon.domain)
        daemon.start(*core, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            users = [daemon.add_user(str(5000 + n)) for n in range(PHONES)]
            rows = ["SEQUENTIAL"]
            for user in users:
                password = daemon.sip_password(user)
                kamailio.add_user(user, password)
                rows.append(f"{user};[authentication username={user} password={password}]")
            (directory / "users.csv").write_text("\n".join([*rows, ""]))
            ours = measure(
                directory / "ours", daemon.domain, daemon.sip_address,
                lambda: daemon.metrics()["process_cpu_seconds_total"],
            )  # fmt: skip
            kamailio.start(daemon.sip_port, trusting=True)
            leader = int((directory / "kamailio" / "pid").read_text())
            theirs = measure(
                directory / "theirs", daemon.domain, kamailio.address,
                lambda: used_by_session(leader),
            )  # fmt: skip
        finally:
            kamailio.stop()
            daemon.kill()
    report(
        "register",
        {
            **ours,
            "per_second_of_one_processor": round(1000 / ours["cpu_ms"]),
            "kamailio": theirs,
            "baseline_ms": theirs["cpu_ms"],
            "daemon_on_own_processor": bool(core),
        },
        baseline=f"Kamailio, the same {PHONES} phones at {RATE} registrations a second",
        ratio=ours["cpu_ms"] / max(0.001, theirs["cpu_ms"]),
        target={"cpu_ms": TARGET, "failed": 0},
        met=ours["cpu_ms"] <= TARGET and not ours["failed"],
    )


if __name__ == "__main__":
    main()
