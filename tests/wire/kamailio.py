"""Kamailio as registrar and proxy, by the configuration that the documentation recommends."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from daemon import free_port, until

CONFIG = Path(__file__).parents[2] / "docs/pbx/kamailio.cfg"
HOST = "127.0.0.9"
"""An address of its own: it shall be trusted, and the phones beside it shall not."""


class Kamailio:
    """One Kamailio on a port of its own, with a file of users."""

    def __init__(self, directory: Path, domain: str) -> None:
        (directory / "run").mkdir(parents=True)
        self.domain = domain
        self.port = free_port()
        self._directory = directory
        self._users = directory / "subscriber"
        self._users.write_text("username(string) domain(string) password(string)\n")
        self._changed = int(self._users.stat().st_mtime)
        self._log = directory / "log"
        self._command: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where phones register."""
        return f"{HOST}:{self.port}"

    def add_user(self, name: str, password: str) -> None:
        """Let a phone register with this name and password."""
        with self._users.open("a") as file:
            file.write(f"{name}:{self.domain}:{password}\n")
        # Kamailio sees a change by the time, in whole seconds.
        self._changed += 1
        os.utime(self._users, (self._changed, self._changed))

    def start(self, sipxd_port: int, *, trusting: bool, transport: str = "udp") -> None:
        """Run it beside the sipxd on this port of 127.0.0.1, which it believes or challenges."""
        uri = f"sip:127.0.0.1:{sipxd_port};transport={transport}"
        defines = [
            f'DOMAIN="{self.domain}"',
            f"LISTEN={self.address}",
            'SIPXD_HOST="127.0.0.1"',
            f"SIPXD_PORT={sipxd_port}",
            f'SIPXD_URI="{uri}"',
            f'DBURL="text://{self._directory}"',
            *(("SIPXD_TRUSTED",) if trusting else ()),
        ]
        self._command = [
            *("kamailio", "-f", str(CONFIG), "-DD", "-E", "-m", "32", "-M", "4"),
            *("-Y", str(self._directory / "run"), "-P", str(self._directory / "pid")),
            *(part for define in defines for part in ("-A", define)),
        ]
        self._run()

    def restart(self) -> None:
        """End it and start it anew: it forgets who has registered."""
        self.stop()
        self._run()

    def _run(self) -> None:
        with self._log.open("ab") as log:
            # A session of its own: its workers must end with it, however it ends.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._is_listening, "Kamailio to listen")
        except BaseException:
            self.stop()
            raise

    def _is_listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Kamailio ended:\n{self.log()}"
        wanted = f":{self.port:04X} "
        return any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines())

    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it in order, or anyhow."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
