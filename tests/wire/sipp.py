"""SIPp as a telephone: each phone is a process of its own, and its exit status is the verdict."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from daemon import Daemon, free_port, until
from steps import call, calls_as, cancel, refused_ack, register, scenario, sdp

HOST = "127.0.0.1"


class SippFailed(AssertionError):
    """A scenario did not run as written; the text holds SIPp's errors and every message."""


class Sipp:
    """One SIPp process on a port of this host."""

    def __init__(
        self,
        directory: Path,
        text: str,
        *,
        port: int,
        peer: str = "",
        host: str = HOST,
        calls: int = 1,
        options: Iterable[str] = (),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        (directory / "scenario.xml").write_text(text)
        with (directory / "screen").open("wb") as screen:
            self.process = subprocess.Popen(
                [
                    "sipp",
                    *((peer,) if peer else ()),
                    *("-sf", "scenario.xml", "-i", host, "-p", str(port), "-m", str(calls)),
                    *("-nostdin", "-trace_err", "-error_file", "errors"),
                    *("-trace_msg", "-message_file", "messages", "-trace_logs", "-log_file", "log"),
                    *("-deadcall_wait", "0"),
                    *options,
                ],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
            )

    def finish(self, timeout: float = 15) -> None:
        """Wait until the scenario is through; raises `SippFailed` unless every call went well."""
        try:
            status: int | str = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            status = f"not through after {timeout} s"
        if status != 0:
            seen = self.messages()[-20_000:]
            raise SippFailed(f"{self.directory.name}: {status}\n{self.errors()}\n{seen}")

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def messages(self) -> str:
        """Every message sent and received so far."""
        return self._read("messages")

    def notes(self) -> list[str]:
        """The lines written by ``note()``."""
        return re.findall(r"note: (.*)", self._read("log"))

    def errors(self) -> str:
        """What SIPp complained about."""
        return self._read("errors")[:5_000] + self._read("screen")[-1_500:]

    def _read(self, name: str) -> str:
        path = self.directory / name
        return path.read_text(errors="replace") if path.exists() else ""


class Phone:
    """A telephone of a user: a port, a registration, and what it does when it is called."""

    def __init__(self, directory: Path, daemon: Daemon, user: str, host: str = HOST) -> None:
        self.host = host
        self.directory = directory
        self.daemon = daemon
        self.user = user
        self.port = free_port()
        self.media = free_port()
        self._runs: list[Sipp] = []

    def register(self, *contacts: str, expires: int = 300, headers: Iterable[str] = ()) -> Phone:
        """Register the phone, and wait until that is done."""
        password = self.daemon.sip_password(self.user)
        steps = register(
            self.user, password, self.daemon.domain, *contacts, expires=expires, headers=headers
        )
        self.start(steps, request_uri=self.daemon.domain).finish()
        return self

    def dial(
        self,
        number: str,
        *steps: str,
        headers: Iterable[str] = (),
        offer: bool = True,
        password: str = "",
        identity: str = "",
    ) -> Sipp:
        """Call the number and go through the steps, from the first response after 100 on.

        `password`: another than the right one; `identity`: another user to say we are.
        """
        domain = self.daemon.domain
        begin = call(
            self.user,
            password or self.daemon.sip_password(self.user),
            domain,
            number,
            sdp(self.media) if offer else None,
            *headers,
        )
        if identity:
            begin = begin.replace(calls_as(self.user, domain), calls_as(identity, domain))
        return self.start(begin, *steps, request_uri=f"{number}@{domain}")

    def refused(self, number: str) -> str:
        """The ACK for a refusal of our call."""
        return refused_ack(self.daemon.domain, number)

    def cancels(self, number: str) -> str:
        """Cancel our call, which ends with 487."""
        return cancel(self.daemon.domain, number)

    def start(
        self,
        *steps: str,
        request_uri: str = "",
        calls: int = 1,
        options: Iterable[str] = (),
    ) -> Sipp:
        """Run the steps for so many calls. `request_uri`: this phone speaks first, and this is the
        URI (without its scheme) that its digest is about."""
        run = Sipp(
            self.directory / f"{self.user}-{self.port}-{len(self._runs)}",
            scenario(*steps),
            port=self.port,
            host=self.host,
            peer=self.daemon.sip_address if request_uri else "",
            calls=calls,
            options=(*(("-auth_uri", request_uri) if request_uri else ()), *options),
        )
        self._runs.append(run)
        if not request_uri:
            wait_until_bound(self.port, run)
        return run

    def finish(self, timeout: float = 15) -> None:
        """Wait for all that was started; each must have gone as written."""
        for run in self._runs:
            run.finish(timeout)

    def stop(self) -> None:
        """End whatever still runs."""
        for run in self._runs:
            run.stop()

    def messages(self) -> str:
        """Every message of this phone so far, of all runs."""
        return "".join(run.messages() for run in self._runs)

    def notes(self) -> list[str]:
        """The lines written by ``note()``, of all runs."""
        return [line for run in self._runs for line in run.notes()]


def wait_until_bound(port: int, run: Sipp) -> None:
    """Wait until the process has opened its UDP port."""
    wanted = f":{port:04X} "

    def bound() -> bool:
        if run.process.poll() is not None:
            raise SippFailed(f"SIPp ended at once\n{run.errors()}")
        return any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines())

    until(bound, f"SIPp to open UDP port {port}")
