"""Goodput at three times the capacity: calls that phones make and that go through as written.

The baseline is the capacity itself, measured in the same run: the most calls a second that go
through while the rate rises until some do not.  Calls that were up
before must end as planned, refusals must come soon, and five seconds later all must be well.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
from load import CALLEES, HOST, SIPXD, Crowd, Daemon, free_port, separate
from result import report
from sipp import Sipp
from steps import answer, hung_up, invited, receive, scenario, sdp

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
"""How long the overload lasts."""
CALLERS = 200
TALK = 500
"""Milliseconds from the caller's ACK to its BYE."""
LONG = 100
"""Calls that are asked for before the overload begins and end after it."""
HELD = 90
"""So many of them at least must be up when it begins: what was refused then cannot be harmed."""
PROBE = 3
"""Seconds for which each rate is tried on the way to the capacity."""
TARGET = 0.8
SOON = 200
"""Milliseconds within which a refusal shall come."""
REFUSED_SOON = 0.99
"""The share of the refusals that shall."""

_CALLEE = scenario(invited(), answer(180), answer(200, body=sdp(30_002)), receive("ACK"), hung_up())
_HEAD = """\
{method} {uri} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=[branch]
From: <sip:[field0]@{domain}>;tag=[pid]-[call_number]
To: <sip:[field1]@{domain}>{tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Max-Forwards: 70
Contact: <sip:[field0]@[local_ip]:[local_port]>
"""


def caller(domain: str, talk: int) -> str:
    """A phone that calls, takes 503 with Retry-After for an answer, and else hangs up after
    ``talk`` ms."""

    def send(method: str, cseq: int, attributes: str = "", body: str = "") -> str:
        inside = method == "BYE" or (method == "ACK" and not attributes)
        head = _HEAD.format(
            method=method, domain=domain, cseq=cseq, tag="[peer_tag_param]" * (method != "INVITE"),
            uri="[next_url]" if inside else f"sip:[field1]@{domain}",
        )  # fmt: skip
        head += "Content-Type: application/sdp\n" if body else ""
        text = f"{head}Content-Length: [len]\n\n{body}"
        return f"<send {attributes}><![CDATA[\n{text}\n]]></send>"

    return f"""<?xml version="1.0"?><scenario name="caller">
{send("INVITE", 1, 'retrans="500" start_rtd="1"', sdp(30_000) + chr(10))}
<recv response="100" optional="true"/>
<recv response="503" optional="true" rtd="1" next="refused">
<action><ereg regexp="[0-9]" search_in="hdr" header="Retry-After:" case_indep="true"
check_it="true" assign_to="seconds"/></action></recv>
<recv response="180" optional="true" rrs="true"/>
<recv response="200" rrs="true" counter="answered"/>
{send("ACK", 1)}
<pause milliseconds="{talk}"/>
{send("BYE", 2, 'retrans="500"')}
<recv response="200" counter="done" next="end"/>
<label id="refused"/>
{send("ACK", 1, 'next="end" counter="refused"')}
<label id="end"/>
<Reference variables="seconds"/>
<ResponseTimeRepartition value="50, 100, {SOON}, 500, 1000"/>
</scenario>
"""


@attrs.frozen
class Seen:
    """What the callers saw."""

    calls: int
    answered: int
    done: int
    refused: int
    refused_soon: int
    refused_mean_ms: float


class Callers:
    """A crowd of trusted phones that call at a rate."""

    def __init__(self, directory: Path, daemon: Daemon, numbers: list[str], users: list[str]):
        self._directory, self._daemon, self._runs = directory, daemon, 0
        directory.mkdir()
        rows = [f"{user};{numbers[n % len(numbers)]};" for n, user in enumerate(users)]
        (directory / "calls.csv").write_text("\n".join(["SEQUENTIAL", *rows, ""]))

    def start(self, calls: int, rate: float, talk: int = TALK) -> Sipp:
        """Begin so many calls, ``rate`` a second."""
        self._runs += 1
        port = free_port()
        return Sipp(
            self._directory / str(self._runs), caller(self._daemon.domain, talk), port=port,
            peer=self._daemon.sip_address, calls=calls,
            options=(
                "-message_file", os.devnull, "-inf", "../calls.csv", "-r", str(round(rate)),
                "-l", "10000", "-recv_timeout", "40000", "-trace_stat", "-stf", "stat",
                "-fd", "1",
            ),
        )  # fmt: skip

    def call(self, rate: float, seconds: float) -> Seen:
        """Calls at a rate for so long; what does not go through in time has failed."""
        run = self.start(round(rate * seconds), rate)
        return self.finish(run, seconds + TALK / 1000 + 0.5)

    @staticmethod
    def finish(run: Sipp, timeout: float) -> Seen:
        """Wait for the calls; what is not through then has failed."""
        try:
            run.process.wait(timeout)
        except Exception:
            run.stop()
        with (run.directory / "stat").open(newline="") as lines:
            last = list(csv.DictReader(lines, delimiter=";"))[-1]
        times = {
            name.partition("_")[2]: int(value)
            for name, value in last.items()
            if name and name.startswith("ResponseTimeRepartition1_") and value
        }
        soon = sum(times.get(f"<{limit}", 0) for limit in (50, 100, SOON))
        clock = last["ResponseTime1(C)"].split(":")
        mean = sum(float(part) * 60**n for n, part in enumerate(reversed(clock[:3])))
        mean += float(clock[3]) / 1e6 if len(clock) > 3 else 0.0
        return Seen(
            int(last["TotalCallCreated"]), int(last["answered(C)"]), int(last["done(C)"]),
            int(last["refused(C)"]), soon, round(mean * 1000, 1),
        )  # fmt: skip


def main() -> None:
    """Measure and report."""
    begin = time.monotonic()
    core = separate()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        daemon = Daemon(directory / "office", sip__trusted_peers=[HOST], limits__calls=100_000)
        daemon.start(*core, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            figures = measure(directory, daemon)
        finally:
            daemon.kill()
    share = figures["goodput"] / figures["capacity"]
    report(
        "overload",
        {
            **figures,
            "seconds": round(time.monotonic() - begin),
            "daemon_on_own_processor": bool(core),
        },
        baseline="calls a second that go through at the capacity, in the same run",
        ratio=share,
        target={
            "ratio": TARGET,
            "refused_soon": REFUSED_SOON,
            "neither": 0,
            "held": HELD,
            "failed_long": 0,
            "failed_after": 0,
        },
        met=share >= TARGET
        and figures["refused_soon"] >= REFUSED_SOON
        and not figures["neither"]
        and figures["held"] >= HELD
        and not figures["failed_long"]
        and not figures["failed_after"],
    )


def measure(directory: Path, daemon: Daemon) -> dict[str, Any]:
    """All figures."""
    numbers = [daemon.add_user(str(6000 + n)) for n in range(CALLEES)]
    users = [daemon.add_user(str(5000 + n)) for n in range(CALLERS)]
    crowd = Crowd(directory / "callees", daemon, numbers, _CALLEE)
    answering = crowd.start(1_000_000)
    callers = Callers(directory / "callers", daemon, numbers, users)
    try:
        capacity, rate, keeps_up = 0.0, 150.0, True
        while keeps_up:
            done = callers.call(rate, PROBE).done / PROBE
            keeps_up = done > 0.97 * rate
            capacity, rate = max(capacity, done), 1.3 * rate
            time.sleep(1)
        long = callers.start(LONG, 50, talk=(SECONDS + 6) * 1000)
        time.sleep(LONG / 50 + 0.5)
        rate = 3 * capacity
        seen = callers.call(rate, SECONDS)
        time.sleep(4)
        after = callers.call(50, 2)
        survived = callers.finish(long, 15)
        events = daemon.metrics()
    finally:
        answering.stop()
    held = LONG - survived.refused
    return {
        "capacity": round(capacity),
        "offered": round(rate),
        "goodput": round(seen.done / SECONDS),
        "refused": seen.refused,
        "refused_soon": round(seen.refused_soon / max(1, seen.refused), 3),
        "refused_mean_ms": seen.refused_mean_ms,
        "neither": seen.calls - seen.answered - seen.refused,
        "held": held,
        "failed_long": held - survived.done,
        "failed_after": 100 - after.done,
        "dropped": events.get('sipxd_sip_events_total{event="overload_dropped"}', 0),
    }


if __name__ == "__main__":
    main()
