"""Seconds for which 10,000 users are imported, and how long SIP is waited for meanwhile.

Two phones ask all the while, over sockets of their own: one with OPTIONS, one with registrations,
which are in the database before they are answered.  The baseline is how long they wait when nobody
imports anything, in the same run.
"""

from __future__ import annotations

import csv
import itertools
import os
import socket
import tempfile
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

from load import HOST, SIPXD, Daemon
from result import report

from sipxd.sip import digest
from sipxd.sip.message import Response, parse_message

USERS = int(os.environ.get("BENCH_USERS", "10000"))
IDLE = 5
"""Seconds for which the phones ask before anything is imported."""
PAUSE = 0.01
"""Seconds from an answer to the next request."""
TARGET = {"seconds": 60.0, "seconds_with_pins": 300.0, "over_50_ms": 0, "refused": 0}
SLOW = 0.05


class Asker(Thread):
    """A phone of ``user`` that sends requests of one method, and notes how long each one took."""

    def __init__(self, daemon: Daemon, method: str, user: str) -> None:
        super().__init__(daemon=True)
        self.waited: list[float] = []
        self.refused = 0
        """Answers that said that the daemon is overloaded."""
        self._server = daemon
        self._method = method
        self._user = user
        self._stopped = Event()
        self._numbers = itertools.count(1)
        self._id = f"{method}-{os.getpid()}"

    def run(self) -> None:
        """Ask until ``stop`` is called."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.settimeout(10)
            phone.bind((HOST, 0))
            phone.connect((HOST, self._server.sip_port))
            while not self._stopped.wait(PAUSE):
                first = self._ask(phone, "")
                if first.status == 401:
                    self._ask(phone, self._credentials(first))

    def stop(self) -> None:
        """End after the answer to the last request."""
        self._stopped.set()
        self.join()

    def _ask(self, phone: socket.socket, more: str) -> Response:
        domain, here = self._server.domain, f"{HOST}:{phone.getsockname()[1]}"
        number = next(self._numbers)
        asked = time.monotonic()
        phone.send(
            f"{self._method} sip:{domain} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{self._id}-{number}\r\n"
            f"From: <sip:{self._user}@{domain}>;tag={number}\r\nTo: <sip:{self._user}@{domain}>\r\n"
            f"Call-ID: {self._id}\r\nCSeq: {number} {self._method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{self._user}@{here}>\r\n{more}Content-Length: 0\r\n\r\n".encode()
        )
        answer = parse_message(phone.recv(65_535))
        self.waited.append(time.monotonic() - asked)
        assert isinstance(answer, Response)
        assert answer.status in (200, 401, 503), answer
        self.refused += answer.status == 503
        return answer

    def _credentials(self, challenge: Response) -> str:
        offered = digest.parse_challenges(challenge.get_all("WWW-Authenticate"))[0]
        daemon, user = self._server, self._user
        password = daemon.sip_password(user)
        uri = f"sip:{daemon.domain}"
        value = digest.authorize(offered, self._method, uri, user, password, nc=1, cnonce="c")
        return f"Authorization: {value}\r\n"


def write_users(path: Path, first: int, pins: bool) -> None:
    """A file of users with an alias and two groups each."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(
            ("name", "first_name", "last_name", "email", "aliases", "groups", "sip_password", "pin")
        )
        for number in range(first, first + USERS):
            name = ("Ann", f"Number {number}", f"ann{number}@example.org")
            pin = f"pin-{number}" if pins else ""
            lines.writerow((number, *name, f"+4930{number}", "sales,all", f"sip-{number}-Qz9", pin))


def waited(askers: list[Asker]) -> dict[str, Any]:
    """What the phones have waited since they were asked last, in milliseconds."""
    figures: dict[str, Any] = {"refused": sum(asker.refused for asker in askers)}
    late = 0
    for asker, what in zip(askers, ("options", "register"), strict=True):
        times, asker.waited, asker.refused = sorted(asker.waited), [], 0
        for name, at in (("p50", 0.5), ("p99", 0.99), ("max", 1)):
            place = min(len(times) - 1, int(len(times) * at))
            figures[f"{what}_{name}_ms"] = round(times[place] * 1000, 1)
        late += sum(each > SLOW for each in times)
    return {**figures, "over_50_ms": late}


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        daemon = Daemon(directory / "office")
        daemon.start(str(SIPXD), "run", "--config", str(daemon.config))
        askers = [
            Asker(daemon, "OPTIONS", daemon.add_user("101")),
            Asker(daemon, "REGISTER", daemon.add_user("102")),
        ]
        try:
            for asker in askers:
                asker.start()
            time.sleep(IDLE)
            idle = waited(askers)
            results: list[dict[str, Any]] = []
            for first, pins in ((200_000, False), (400_000, True)):
                path = directory / "users.csv"
                write_users(path, first, pins)
                begin = time.monotonic()
                options = () if pins else ("--no-pins",)
                daemon.command("import", str(path), *options, within=900)
                seconds = round(time.monotonic() - begin, 1)
                results.append({"seconds": seconds, **waited(askers)})
            for asker in askers:
                asker.stop()
        finally:
            daemon.kill()
    plain, with_pins = results
    report(
        "import_users",
        {
            "users": USERS,
            **plain,
            "with_pins": with_pins,
            "idle": idle,
            "baseline_ms": idle["register_p99_ms"],
        },
        baseline="the same registrations when nothing is imported, 99th percentile",
        ratio=plain["register_p99_ms"] / max(0.001, idle["register_p99_ms"]),
        target=TARGET,
        met=plain["seconds"] <= TARGET["seconds"]
        and with_pins["seconds"] <= TARGET["seconds_with_pins"]
        and not any(each[name] for each in results for name in ("over_50_ms", "refused")),
    )


if __name__ == "__main__":
    main()
