"""CPU milliseconds per call whose first target never answers and whose second one does.

The caller is a SIP peer that is trusted by its address.  The phone of the user whom it calls rings
until its time is over and is cancelled; the phone of the user to whom he forwards answers, talks
for half a second and is hung up.  All over UDP; callers and both kinds of phones are SIPp.

The baseline, in the same run: a bare Twisted server that sends back as many UDP datagrams as sipxd
sends for a call.  Beside it stands what a call costs that is answered where it rings first.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from load import HOST, SIPXD, Crowd, Daemon, Run, forward, free_port, separate, used_by
from result import report
from steps import (
    answer,
    answered,
    call_unasked,
    cancelled,
    expect,
    hang_up,
    hung_up,
    invited,
    pause,
    receive,
    scenario,
    sdp,
)

RATES = (50, 100)
SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
"""How long each rate is kept up."""
SUSTAINED = 100
RINGS = 1
"""Seconds for which the first phone rings."""
TALK = 500
"""Milliseconds from the caller's ACK to its BYE."""
USERS = 20
"""Users of each kind: who forward, and to whom they do."""
TARGET = 5.0
DATAGRAMS = 11
"""For each call sipxd sends eleven messages, and receives nine."""
DATAGRAM = b"x" * 600

SILENT = scenario(invited(), answer(180), cancelled())
ANSWERS = scenario(invited(), answer(180), answer(200, body=sdp(30_002)), receive("ACK"), hung_up())


def caller(domain: str) -> str:
    """A phone that calls, talks and hangs up."""
    return scenario(
        call_unasked("[field0]", domain, "[field1]", sdp(30_000)),
        expect(180, optional=True),
        expect(181, optional=True),
        answered(),
        pause(TALK),
        hang_up(),
    )


class House:
    """A daemon with users of whom some forward to others, and all their phones."""

    def __init__(self, directory: Path, core: list[str]) -> None:
        self._directory, self._runs = directory, 0
        daemon = self.daemon = Daemon(directory / "daemon", sip__trusted_peers=[HOST])
        daemon.start(*core, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            self.forwarding = [daemon.add_user(str(6000 + n)) for n in range(USERS)]
            self.answering = [daemon.add_user(str(7000 + n)) for n in range(USERS)]
            for user, target in zip(self.forwarding, self.answering, strict=True):
                forward(daemon, user, target, RINGS)
            self._silent = Crowd(directory / "silent", daemon, self.forwarding, SILENT)
            self._phones = Crowd(directory / "phones", daemon, self.answering, ANSWERS)
        except BaseException:
            daemon.kill()
            raise

    def call(self, numbers: list[str], rate: int, *, forwarded: bool) -> tuple[int, int, float]:
        """Call the numbers in turn: the calls, those that failed, and the daemon's CPU time."""
        calls = rate * SECONDS
        self._runs += 1
        directory = self._directory / f"callers{self._runs}"
        directory.mkdir()
        rows = [f"{5000 + n};{number};" for n, number in enumerate(numbers)]
        (directory / "calls.csv").write_text("\n".join(["SEQUENTIAL", *rows, ""]))
        runs = [self._phones.start(calls), *([self._silent.start(calls)] if forwarded else ())]
        before = self.cpu()
        callers = Run(
            directory, caller(self.daemon.domain), free_port(), calls, peer=self.daemon.sip_address,
            options=("-inf", "calls.csv", "-r", str(rate), "-l", "10000"),
        )  # fmt: skip
        end = time.monotonic() + SECONDS + RINGS + 10
        completed = [run.completed(max(0.1, end - time.monotonic())) for run in (callers, *runs)]
        used = self.cpu() - before
        if min(completed) < calls:
            # Standard output is for the line alone.
            print(
                f"at {rate}/s, of {calls} calls: completed by callers, answering and silent phones"
                f" {completed}",
                *(run.errors()[:2000] for run in (callers, *runs)), sep="\n", file=sys.stderr,
            )  # fmt: skip
        return calls, calls - min(completed), used

    def cpu(self) -> float:
        """Seconds of CPU that the daemon has used, user and system."""
        return self.daemon.metrics()["process_cpu_seconds_total"]


def measure_bare(daemon: Daemon, core: list[str]) -> float:
    """CPU milliseconds of the bare server for the datagrams of a call."""
    command = [sys.executable, str(Path(__file__).with_name("bare.py"))]
    files = [str(daemon.state_dir / name) for name in ("certificate.pem", "private_key.pem")]
    server = subprocess.Popen([*core, *command, *files], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        udp_port = int(server.stdout.readline().split()[1])
        calls = SUSTAINED * SECONDS
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.setblocking(False)
            before, begin = used_by(server.pid), time.monotonic()
            for n in range(calls * DATAGRAMS):
                time.sleep(max(0.0, begin + n / DATAGRAMS / SUSTAINED - time.monotonic()))
                phone.sendto(DATAGRAM, (HOST, udp_port))
            return (used_by(server.pid) - before) / calls * 1000
    finally:
        server.kill()
        server.wait()


def main() -> None:
    """Measure and report."""
    core = separate()
    with tempfile.TemporaryDirectory() as name:
        house = House(Path(name), core)
        try:
            direct, lost, used = house.call(house.answering, SUSTAINED, forwarded=False)
            direct_ms = used / direct * 1000
            rates: dict[int, dict[str, Any]] = {}
            for rate in RATES:
                calls, failed, used = house.call(house.forwarding, rate, forwarded=True)
                cpu_ms = round(used / calls * 1000, 2)
                rates[rate] = {"calls": calls, "failed": failed, "cpu_ms": cpu_ms}
            bare_ms = measure_bare(house.daemon, core)
        finally:
            house.daemon.kill()
    cpu_ms = rates[SUSTAINED]["cpu_ms"]
    failed = lost + sum(figures["failed"] for figures in rates.values())
    report(
        "cascade",
        {
            "rates": rates,
            "cpu_ms": cpu_ms,
            "direct_cpu_ms": round(direct_ms, 2),
            "failed": failed,
            "daemon_on_own_processor": bool(core),
            "baseline_ms": round(bare_ms, 2),
        },
        baseline=f"bare Twisted server that sends {DATAGRAMS} UDP datagrams back for each call",
        ratio=cpu_ms / bare_ms,
        target={"cpu_ms_at_each_rate": TARGET, "failed": 0},
        met=all(figures["cpu_ms"] <= TARGET for figures in rates.values()) and not failed,
    )


if __name__ == "__main__":
    main()
