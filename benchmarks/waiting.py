"""10,000 cascades that wait: memory of each, and how late the timers of their rings fire.

300 calls a second are started to users whose phones ring until their time is over; then the call
goes on to a phone that answers, and is hung up at once.  When 10,000 calls wait memory is looked
at; then, over 30 s, their rings begin to be over, and 300 calls a second go on being started, so
that up to 14,500 wait and at the end 300 rings a second are over.

A timer is as late as the CANCEL to the phone comes later than the INVITE and the time of the ring,
by the kernel's own time stamps.  That is time on the clock: what else the machine does counts in,
and the load average is printed with it.  Phones and callers are one process with one socket.

The baseline is the record of a call, as the daemon writes it into its database.
"""

from __future__ import annotations

import os
import random
import select
import socket
import statistics
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from load import HOST, SIPXD, Crowd, Daemon, forward, separate
from memory import stored
from result import report
from transports import header

from sipxd.call.record import CallState

WAITING = int(os.environ.get("BENCH_CALLS", "10000"))
RATE = 300
SPREAD = 30
"""Seconds over which the ends of the rings are spread, and users whose phones ring."""
SHORTEST = WAITING // RATE + 1
"""Seconds of the shortest ring: all calls wait before the first one is over."""
WARM_UP = 300
"""Calls before the first look, so that what is loaded or cached once is there already."""
ANSWERING = "7000"
WARMING = "7001"
"""The user to whom all others forward, and one whose phone rings for a second only."""
TARGET_KB, TARGET_MS = 40.0, 50.0

LATE = 0.02
"""Seconds by which we may start a call too late and make up for it; a longer pause of ours is left
a pause, because no caller would have called in the burst after it."""
SOON = 1.0
"""Seconds after the end of its ring within which a call must be answered by the other phone."""
SO_TIMESTAMPNS = 35
"""Have the kernel say when a datagram was sent to the socket (Linux)."""
_SDP = (
    "v=0\r\no=phone 77 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


class Peer:
    """All callers and all phones: what they say is written out, and they repeat nothing."""

    def __init__(self, daemon: Daemon, port: int, rings: dict[str, int]) -> None:
        """``rings``: the seconds for which the phone of each user rings."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        self._socket.bind((HOST, port))
        self._socket.connect((HOST, daemon.sip_port))
        self._socket.setblocking(False)
        self._domain, self._address = daemon.domain, f"{HOST}:{port}"
        self._rings = rings
        self._ringing: dict[str, float] = {}
        """When the rings must be over, by caller."""
        self._cancelled: dict[str, float] = {}
        """When they were, as long as no other phone has answered."""
        self.started = 0
        self.refused: Counter[str] = Counter()
        """Calls that the daemon did not take, by the answer."""
        self.late: list[float] = []
        """Seconds, of each ring that is over."""
        self.answered = 0

    def close(self) -> None:
        self._socket.close()

    @property
    def failed(self) -> int:
        """Calls of which nothing was heard, or in which something should have happened by now."""
        limit = time.time() - SOON
        pending = (*self._ringing.values(), *self._cancelled.values())
        unheard = self.started - self.refused.total() - self.answered - len(pending)
        return unheard + sum(at < limit for at in pending)

    def work(self, users: list[str], calls: int, rate: float, seconds: float = 0.0) -> None:
        """Call the users in turn, then listen for as many seconds."""
        begin = time.monotonic()
        end = begin + calls / rate + seconds
        n = 0
        while (now := time.monotonic()) < end:
            late = now - begin - n / rate
            if n < calls and late > LATE:
                begin, end = begin + late, end + late
            while n < calls and begin + n / rate <= now:
                self._call(users[n % len(users)])
                n += 1
            following = begin + n / rate if n < calls else end
            if select.select([self._socket], [], [], max(0.0, following - now))[0]:
                self._read()

    def _read(self) -> None:
        for _ in range(20):
            try:
                data, ancillary, *_ = self._socket.recvmsg(65_535, 64)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            whole, nanoseconds = struct.unpack("ll", ancillary[0][2])
            self._received(data.decode(), whole + nanoseconds / 1e9)

    def _send(self, *lines: str, body: str = "") -> None:
        if body:
            lines += ("Content-Type: application/sdp",)
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self._socket.send(text.encode())

    def _call(self, user: str) -> None:
        self.started += 1
        uri, caller = f"sip:{user}@{self._domain}", f"caller-{self.started}"
        self._send(
            f"INVITE {uri} SIP/2.0", self._via(), f"From: <sip:{caller}@{self._domain}>;tag=caller",
            f"To: <{uri}>", f"Call-ID: {caller}", "CSeq: 1 INVITE",
            "Max-Forwards: 70", f"Contact: <sip:{caller}@{self._address}>", body=_SDP,
        )  # fmt: skip

    def _via(self) -> str:
        branch = f"z9hG4bK{os.urandom(8).hex()}"
        return f"Via: SIP/2.0/UDP {self._address};rport;branch={branch}"

    def _received(self, text: str, at: float) -> None:
        method, rest = text.split(" ", 1)
        if method == "SIP/2.0":
            if "INVITE" in header(text, "CSeq") and rest[0] != "1":
                self._heard(text, rest[0] == "2")
        elif method == "INVITE":
            self._rung(text, rest[4 : rest.index("@")], at)
        elif method == "CANCEL":
            due = self._ringing.pop(_caller(text), None)
            if due is not None:  # else it is repeated
                self.late.append(at - due)
                self._cancelled[_caller(text)] = at
            self._reply(text, "200 OK")
            self._reply(text.replace(" CANCEL\r\n", " INVITE\r\n"), "487 Request Terminated")
        elif method != "ACK":
            self._reply(text, "200 OK")

    def _rung(self, text: str, user: str, at: float) -> None:
        if user == ANSWERING:
            self._reply(text, "200 OK", _SDP)
            return
        self._ringing.setdefault(_caller(text), at + self._rings[user])
        self._reply(text, "180 Ringing")

    def _heard(self, text: str, answered: bool) -> None:
        """The final response to a call."""
        ends = header(text, "From"), header(text, "To"), header(text, "Call-ID")
        if not answered:
            self.refused[text[8:11]] += 1
            to = ends[1].partition("<")[2].partition(">")[0]
            self._send(f"ACK {to} SIP/2.0", header(text, "Via"), *ends, "CSeq: 1 ACK")
            return
        self.answered += self._cancelled.pop(_caller(text), None) is not None
        target = header(text, "Contact").partition("<")[2].partition(">")[0]
        for method, number in (("ACK", 1), ("BYE", 2)):
            self._send(
                f"{method} {target} SIP/2.0", self._via(), *ends, f"CSeq: {number} {method}",
                "Max-Forwards: 70",
            )  # fmt: skip

    def _reply(self, request: str, status: str, body: str = "") -> None:
        echoed = (header(request, name) for name in ("Via", "From", "Call-ID", "CSeq"))
        to = header(request, "To")
        to += "" if ";tag=" in to else ";tag=phone"
        contact = f"Contact: <sip:phone@{self._address}>"
        self._send(f"SIP/2.0 {status}", *echoed, to, contact, body=body)


def _caller(text: str) -> str:
    """The user part of From: it stays the same from the caller to every phone."""
    value = header(text, "From")
    return value[value.index("sip:") + 4 : value.index("@")]


def sample(daemon: Daemon, name: str) -> float:
    """One of the daemon's metrics."""
    samples: dict[str, float] = daemon.metrics()
    return samples[name]


def measure(directory: Path, daemon: Daemon) -> dict[str, Any]:
    """All figures."""
    rings = {str(6000 + n): SHORTEST + n for n in range(SPREAD)}
    users = list(rings)
    random.Random(1).shuffle(users)  # in their order, all ends would fall into the same 50 ms
    rings[WARMING] = 1
    for user in (ANSWERING, *rings):
        daemon.add_user(user)
    for user, seconds in rings.items():
        forward(daemon, user, ANSWERING, seconds)
    crowd = Crowd(directory / "phones", daemon, [ANSWERING, *rings], "")
    peer = Peer(daemon, crowd.port, rings)
    try:
        peer.work([WARMING], WARM_UP, 100, seconds=3)
        assert peer.answered + peer.refused.total() == WARM_UP, (peer.answered, peer.refused)
        end = time.monotonic() + 45
        while sample(daemon, "sipxd_timers") and time.monotonic() < end:
            time.sleep(1)
        before = daemon.rss()
        peer.work(users, WAITING, RATE)
        grown = daemon.rss() - before
        waiting, described = stored(daemon.state_dir / "sipxd.sqlite", CallState.CALLEE)
        cpu = sample(daemon, "process_cpu_seconds_total")
        peer.late.clear()
        peer.work(users, RATE * SPREAD, RATE)
        late = list(peer.late)
        busy = (sample(daemon, "process_cpu_seconds_total") - cpu) / SPREAD
        peer.work([], 0, RATE, seconds=2 * SOON)
    finally:
        peer.close()
    marks = statistics.quantiles(late, n=100)
    return {
        "calls": peer.started,
        "waiting": waiting,
        "refused": peer.refused.total(),
        "answers": dict(peer.refused),
        "failed": peer.failed,
        "kb_per_call": round(grown / max(1, waiting) / 1000, 1),
        "mb_before": round(before / 1e6, 1),
        "timers": len(late),
        "late_p50_ms": round(marks[49] * 1000, 1),
        "late_p99_ms": round(marks[98] * 1000, 1),
        "late_max_ms": round(max(late) * 1000, 1),
        "busy": round(busy, 2),
        "load_average": os.getloadavg()[0],
        "baseline_kb": round(described / max(1, waiting) / 1000, 3),
    }


def main() -> None:
    """Measure and report."""
    begin = time.monotonic()
    core = separate()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        daemon = Daemon(directory / "daemon", sip__trusted_peers=[HOST], limits__calls=100_000,
                        limits__user_forwards_pending=10_000)  # fmt: skip
        daemon.start(*core, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            figures = measure(directory, daemon)
        finally:
            daemon.kill()
    report(
        "waiting",
        {
            **figures,
            "seconds": round(time.monotonic() - begin),
            "daemon_on_own_processor": bool(core),
        },
        baseline="the record of a waiting call in the database",
        ratio=figures["kb_per_call"] / max(0.001, figures["baseline_kb"]),
        target={"kb_per_call": TARGET_KB, "late_p99_ms": TARGET_MS, "failed": 0},
        met=figures["kb_per_call"] <= TARGET_KB
        and figures["late_p99_ms"] <= TARGET_MS
        and not figures["failed"],
    )


if __name__ == "__main__":
    main()
