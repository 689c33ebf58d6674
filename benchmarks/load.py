"""What the benchmarks of the running daemon share: the daemon, its phones, and who asks for calls.

The phones are two SIPp processes, one for all callers and one for all destinations; their users
register with digest.  The processes themselves are driven by the helpers of the tests against real
programs.  Where the machine has two processors, the daemon has the first one to itself and
everything that loads it shares the others.
"""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

sys.path.append(str(Path(__file__).parent.parent / "tests" / "wire"))

from daemon import SIPXD, Daemon, free_port
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

HOST = "127.0.0.1"
CALLERS = 200
CALLEES = 20
CONNECTIONS = 16
"""HTTPS connections, kept open, on which requests of all users are sent in turn."""
TALK = 500
"""Milliseconds from the callee's ACK to its BYE."""
REGISTERED = 7200
"""Seconds for which the phones register, once; the longest that is granted."""
A_MEDIA, B_MEDIA = 30_000, 30_002

CALLER = (
    invited(OFFERLESS),
    answer(180),
    answer(200, body=sdp(A_MEDIA)),
    receive("ACK", has("a=inactive", "body")),
    receive("INVITE", has(f"m=audio {B_MEDIA} ", "body")),
    reply(200, body=sdp(A_MEDIA, version=2)),
    receive("ACK"),
    hung_up(),
)
CALLEE = (
    invited(has(f"m=audio {A_MEDIA} ", "body")),
    answer(180),
    answer(200, body=sdp(B_MEDIA)),
    receive("ACK"),
)
HANGS_UP = (pause(TALK), hang_up())
"""How a callee goes on that ends its calls."""


def separate() -> list[str]:
    """Put this process and its children on all processors but one; the command prefix that puts a
    process on that one."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2 or shutil.which("taskset") is None:
        return []
    os.sched_setaffinity(0, processors[1:])
    return ["taskset", "--cpu-list", str(processors[0])]


class Crowd:
    """The phones of many users behind one port."""

    def __init__(self, directory: Path, daemon: Daemon, users: list[str], does: str) -> None:
        self.port = free_port()
        self._directory, self.does, self._runs = directory, does, 0
        directory.mkdir()
        rows = "".join(
            f"{u};[authentication username={u} password={daemon.sip_password(u)}]\n" for u in users
        )
        (directory / "users.csv").write_text("SEQUENTIAL\n" + rows)
        steps = register("[field0]", "", daemon.domain, expires=REGISTERED).replace(
            "[authentication username=[field0] password=]", "[field1]"
        )
        Sipp(
            directory / "register", scenario(steps),
            port=self.port, peer=daemon.sip_address, calls=len(users),
            options=("-inf", "../users.csv", "-r", "100", "-auth_uri", daemon.domain),
        ).finish(30)  # fmt: skip

    def start(self, calls: int) -> Run:
        """Take part in so many calls."""
        self._runs += 1
        return Run(self._directory / str(self._runs), self.does, self.port, calls)


class Run(Sipp):
    """One SIPp that counts, and writes no messages down."""

    def __init__(
        self,
        directory: Path,
        does: str,
        port: int,
        calls: int,
        peer: str = "",
        options: Iterable[str] = (),
    ) -> None:
        super().__init__(
            directory, does, port=port, calls=calls, peer=peer,
            options=(
                "-message_file", os.devnull, "-trace_stat", "-stf", "stat", "-fd", "1", *options,
            ),
        )  # fmt: skip
        wait_until_bound(port, self)

    def completed(self, timeout: float) -> int:
        """Wait for its calls; how many went exactly as written."""
        try:
            self.process.wait(timeout)
        except Exception:
            self.stop()
        with (self.directory / "stat").open(newline="") as lines:
            last = list(csv.DictReader(lines, delimiter=";"))[-1]
        return int(last["SuccessfulCall(C)"])


@attrs.frozen
class Asked:
    """What became of the requests. Times in seconds, from when each was due to its answer."""

    refused: int
    seconds: float
    times: list[float]

    def milliseconds(self, percent: int) -> float:
        """A percentile of the times."""
        return round(statistics.quantiles(self.times, n=100)[percent - 1] * 1000, 1)


def ask(
    port: int,
    requests: Iterator[bytes],
    rate: float,
    also: Callable[[], None] = lambda: None,
) -> Asked:
    """Send each request when it is due, ``rate`` a second, over kept connections.

    ``also`` is called with each of them.
    """
    return asyncio.run(_ask(port, requests, rate, also))


async def _ask(
    port: int, requests: Iterator[bytes], rate: float, also: Callable[[], None]
) -> Asked:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    streams = [await asyncio.open_connection(HOST, port, ssl=context) for _ in range(CONNECTIONS)]
    jobs = enumerate(requests)
    refused = 0
    times: list[float] = []
    begin = time.monotonic() + 0.1

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refused
        for n, request in jobs:
            due = begin + n / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer.write(request)
            also()
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            times.append(time.monotonic() - due)
            refused += b" 200 " not in head[:13]

    await asyncio.gather(*(work(*stream) for stream in streams))
    seconds = time.monotonic() - begin
    for _, writer in streams:
        writer.close()
    return Asked(refused, seconds, times)


def put(path: str, authorization: str) -> bytes:
    """A PUT without a body."""
    return (
        f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def forward(daemon: Daemon, user: str, target: str, rings: int) -> None:
    """Let the calls of a user go on to ``target`` after his phone has rung for ``rings`` s."""
    ring = {"number": target, "seconds": 60, "type": "if-no-response"}
    document = {"timer": rings, "rings": [ring], "rules": []}
    stored = daemon.client(user).ask("PUT", "/v1/users/me/forwarding", document)
    assert stored.status == 200, (stored.status, stored.body)


class Office:
    """A running daemon with registered phones."""

    def __init__(
        self, directory: Path, *, caller: tuple[str, ...], callee: tuple[str, ...], core: list[str]
    ) -> None:
        self.daemon = Daemon(
            directory,
            sip__trusted_peers=[HOST],
            limits__user_calls_per_minute=10_000,
        )
        daemon = self.daemon
        daemon.start(*core, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            self._users = [daemon.add_user(str(5000 + n)) for n in range(CALLERS)]
            self._numbers = [daemon.add_user(str(6000 + n)) for n in range(CALLEES)]
            self.callers = Crowd(directory / "callers", daemon, self._users, scenario(*caller))
            self.callees = Crowd(directory / "callees", daemon, self._numbers, scenario(*callee))
            self._logins = [daemon.client(user).headers["Authorization"] for user in self._users]
            self._log_in()
        except BaseException:
            daemon.kill()
            raise

    def _log_in(self) -> None:
        """Each user once, at leisure: the slow check of a PIN is remembered as long as it is used
        once a minute."""
        client = self.daemon.client(self._users[0])
        for login in self._logins:
            client.headers = {"Authorization": login}
            assert client.ask("GET", "/v1/calls?limit=1").status == 200

    def requests(self, count: int) -> Iterator[bytes]:
        """So many click-to-calls, each user in turn, never the same pair twice in a row."""
        for n in range(count):
            user = n % CALLERS
            number = self._numbers[(n + n // CALLERS) % CALLEES]
            yield put(f"/call/{number}", self._logins[user])

    def sample(self, name: str) -> float:
        """One of the daemon's metrics."""
        samples: dict[str, float] = self.daemon.metrics()
        return samples[name]

    def cpu(self) -> float:
        """Seconds of CPU that the daemon has used, user and system."""
        return self.sample("process_cpu_seconds_total")

    def bridged(self) -> float:
        """Calls that were bridged and have ended."""
        return self.sample('sipxd_calls_ended_total{result="bridged"}')

    def left(self, name: str, timeout: float) -> int:
        """What the gauge shows once it is at zero or time is up; each look costs the daemon some
        milliseconds."""
        end = time.monotonic() + timeout
        while (value := self.sample(name)) > 0 and time.monotonic() < end:
            time.sleep(0.5)
        return int(value)


def used_by(pid: int) -> float:
    """Seconds of CPU that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
