"""CPU milliseconds per complete click-to-call on the running daemon, and whether calls fail.

A call is an HTTPS request on a kept connection, the caller's phone (an INVITE without SDP, held,
re-INVITEd), the destination's, half a second of talk, BYE on both legs, and its record in SQLite.
200 users call; the phones are SIPp, on trusted addresses.

The baseline, in the same run: a bare Twisted and Klein server that answers the same request over
TLS and sends as many UDP datagrams back as sipxd exchanges for a call.
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

from load import (
    CALLEE,
    CALLER,
    HANGS_UP,
    HOST,
    Asked,
    Office,
    ask,
    put,
    separate,
    used_by,
)
from result import report

RATES = (50, 100, 200)
SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
"""How long each rate is kept up."""
SUSTAINED = 100
TARGET = 5.0
DATAGRAMS = 8
"""Each way and call: sipxd sends eight messages and receives seven."""
DATAGRAM = b"x" * 600


def measure(office: Office, rate: int) -> dict[str, Any]:
    """One rate: CPU time from the first request until the last call is over and stored."""
    calls = rate * SECONDS
    runs = office.callers.start(calls), office.callees.start(calls)
    bridged, cpu = office.bridged(), office.cpu()
    asked = ask(office.daemon.web_port, office.requests(calls), rate)
    end = time.monotonic() + 15
    completed = [run.completed(max(0.1, end - time.monotonic())) for run in runs]
    left = office.left("sipxd_calls_live", 10)
    used = office.cpu() - cpu
    completed.append(int(office.bridged() - bridged))
    if left or min(completed) < calls:
        # Standard output is for the line alone.
        print(
            f"at {rate}/s, of {calls} calls: refused {asked.refused}; completed by callers, callees"
            f" and daemon {completed}; still up {left}",
            *(run.errors()[:2000] for run in runs), sep="\n", file=sys.stderr,
        )  # fmt: skip
    return {
        "calls": calls,
        "failed": calls - min(completed),
        "cpu_ms": round(used / calls * 1000, 2),
        "busy": round(used / asked.seconds, 2),
        "answer_p50_ms": asked.milliseconds(50),
        "answer_p99_ms": asked.milliseconds(99),
    }


def measure_bare(office: Office, core: list[str], rate: int) -> float:
    """CPU milliseconds of the bare server for the same traffic."""
    state = office.daemon.state_dir
    command = [sys.executable, str(Path(__file__).with_name("bare.py"))]
    files = [str(state / "certificate.pem"), str(state / "private_key.pem")]
    server = subprocess.Popen([*core, *command, *files], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        web_port, udp_port = map(int, server.stdout.readline().split())
        calls = rate * SECONDS
        requests = (put("/call/6000", "Basic eDp5") for _ in range(calls))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.setblocking(False)

            def exchange() -> None:
                for _ in range(DATAGRAMS):
                    phone.sendto(DATAGRAM, (HOST, udp_port))

            before = used_by(server.pid)
            asked: Asked = ask(web_port, requests, rate, also=exchange)
            used = used_by(server.pid) - before
        assert not asked.refused
        return used / calls * 1000
    finally:
        server.kill()
        server.wait()


def main() -> None:
    """Measure and report."""
    core = separate()
    with tempfile.TemporaryDirectory() as directory:
        office = Office(
            Path(directory) / "office", caller=CALLER, callee=(*CALLEE, *HANGS_UP), core=core
        )
        try:
            begin, spent = time.monotonic(), office.cpu()
            rates = {rate: measure(office, rate) for rate in RATES}
            # Transactions linger for 32 s: their end belongs to the cost of the calls.
            office.left("sipxd_timers", 45)
            whole = office.cpu() - spent
            calls = sum(figures["calls"] for figures in rates.values())
            bare = measure_bare(office, core, SUSTAINED)
        finally:
            office.daemon.kill()
    main_figure = rates[SUSTAINED]
    report(
        "click_to_call",
        {
            "rates": rates,
            "cpu_ms": main_figure["cpu_ms"],
            "cpu_ms_with_lingering": round(whole / calls * 1000, 2),
            "seconds": round(time.monotonic() - begin),
            "daemon_on_own_processor": bool(core),
            "baseline_ms": round(bare, 2),
        },
        baseline=(
            f"bare Twisted and Klein server at {SUSTAINED} calls/s: the same PUT over TLS, and "
            f"{DATAGRAMS} UDP datagrams sent back"
        ),
        ratio=main_figure["cpu_ms"] / bare,
        target={"cpu_ms_at_each_rate": TARGET, f"failed_at_{SUSTAINED}": 0},
        met=all(figures["cpu_ms"] <= TARGET for figures in rates.values())
        and main_figure["failed"] == 0,
    )


if __name__ == "__main__":
    main()
