"""Kamailio as registrar and proxy, by the configuration that the documentation recommends."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import attrs
from daemon import Daemon, free_port, until
from sipp import Sipp
from steps import register, scenario

CONFIG = Path(__file__).parents[2] / "docs/pbx/kamailio.cfg"
HOST = "127.0.0.9"
"""An address of its own: it shall be trusted, and the phones beside it shall not."""
SIPXD_HOST = "127.0.0.1"
VOICEMAIL = "*97"
"""What the numbers of voicemail boxes begin with."""

_numbers = itertools.count(6001)


@attrs.frozen
class Seen:
    """A SIP message as Kamailio received it, or as it sent it."""

    sent: bool
    text: str

    def header(self, name: str) -> str:
        """The value of the first header of that name; empty: there is none."""
        found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""

    @property
    def begins_call(self) -> bool:
        """An INVITE that belongs to no dialog."""
        return self.text.startswith("INVITE ") and ";tag=" not in self.header("To")

    @property
    def callee(self) -> str:
        """The user part of the Request-URI."""
        return self.text.split()[1].partition(":")[2].partition("@")[0]

    @property
    def caller(self) -> str:
        """The user part of From."""
        return self.header("From").partition("sip:")[2].partition("@")[0]


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
        self._dump = directory / "dump"
        self._dump.mkdir()
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

    def start(
        self,
        sipxd_port: int,
        *,
        trusting: bool,
        transport: str = "udp",
        voicemail: str = "",
        known_at: str = SIPXD_HOST,
        watched: bool = False,
    ) -> None:
        """Run it beside the sipxd on this port of 127.0.0.1, which it believes or challenges.

        `voicemail`: HOST:PORT of whoever answers for voicemail boxes; `known_at`: where Kamailio
        thinks that the requests of sipxd come from; `watched`: it keeps every message,
        for `seen()`. Such a one hangs now and then when it is stopped, for 10 s: do not restart it.
        """
        uri = f"sip:{SIPXD_HOST}:{sipxd_port};transport={transport}"
        defines = [
            f'DOMAIN="{self.domain}"',
            f"LISTEN={self.address}",
            f'SIPXD_HOST="{known_at}"',
            f"SIPXD_PORT={sipxd_port}",
            f'SIPXD_URI="{uri}"',
            f'DBURL="text://{self._directory}"',
            f"TCP_SOURCE={HOST}",
            *((f'VOICEMAIL_URI="sip:{voicemail}"',) if voicemail else ()),
            *(("SIPXD_TRUSTED",) if trusting else ()),
        ]
        self._command = [
            *("kamailio", "-f", str(CONFIG), "-DD", "-E", "-m", "32", "-M", "4"),
            *("-Y", str(self._directory / "run"), "-P", str(self._directory / "pid")),
            *(part for define in defines for part in ("-A", define)),
        ]
        if watched:
            self._command += [
                *("--loadmodule=sipdump.so", "--modparam=sipdump:enable:i:1"),
                f"--modparam=sipdump:folder:s:{self._dump}",
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

    def seen(self) -> list[Seen]:
        """Every message so far that it received or sent, in order; retransmissions as well."""
        mark = f"mark-{next(_marks)}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(_MARK.format(host=HOST, mark=mark).encode(), (HOST, self.port))
            asking.recv(65536)
        # It is written down a little later, but in order.
        until(lambda: mark in self._dumped(), "Kamailio to write down what it saw")
        return [Seen(tag == "snd", text) for tag, text in _DUMPED.findall(self._dumped())]

    def _dumped(self) -> str:
        files = sorted(self._dump.glob("*.data"))
        return "".join(file.read_text(errors="replace") for file in files)

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


_DUMPED = re.compile(r"={20}\ntag: (\w+)\n.*?~{20}\n(.*?)\|{20}\n", re.DOTALL)


_marks = itertools.count()
_MARK = (
    "OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP {host};rport;branch=z9hG4bK{mark}\r\n"
    "From: <sip:{host}>;tag=1\r\nTo: <sip:{host}>\r\nCall-ID: {mark}\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


@attrs.frozen
class Office:
    """A Kamailio with the phones, and a sipxd beside it without any."""

    kamailio: Kamailio
    daemon: Daemon

    def add_user(self, *, known_to_kamailio_as: str = "", voicemail: bool = False) -> str:
        """A user of both, with the same password unless another is given for Kamailio."""
        name = self.daemon.add_user(str(next(_numbers)), voicemail=voicemail)
        self.kamailio.add_user(name, known_to_kamailio_as or self.daemon.sip_password(name))
        return name

    def forwards(
        self, name: str, *rings: str, seconds: int = 5, timer: int = 1, **more: Any
    ) -> int:
        """Let the calls of a user go on to these numbers, one after the other, the first ones
        with ``+`` before them together with his phones. Returns the status of the answer."""
        members = [
            {
                "number": ring.removeprefix("+"),
                "seconds": seconds,
                "type": "at-the-same-time" if ring.startswith("+") else "if-no-response",
            }
            for ring in rings
        ]
        document = {"timer": timer, "rings": members, "rules": [], **more}
        client = self.daemon.client(name)
        return client.ask("PUT", "/v1/users/me/forwarding", document).status

    def register(self, directory: Path, name: str, contact: str) -> None:
        """Register a contact (a URI) of the user at Kamailio."""
        domain = self.daemon.domain
        steps = register(name, self.daemon.sip_password(name), domain, contact)
        Sipp(
            directory / f"register-{name}",
            scenario(steps),
            port=free_port(),
            peer=self.kamailio.address,
            options=("-auth_uri", domain),
        ).finish()


def by_way_of_proxy(step: str) -> str:
    """An ``answer()`` to the INVITE that has just come, with every Via of it and the route that was
    recorded."""
    return step.replace("Via:[$via]", "[last_Via:]\n[last_Record-Route:]")
