"""linphone's console program, run without sound card or terminal; it plays a tone as its voice."""

from __future__ import annotations

import math
import os
import re
import struct
import subprocess
import wave
from pathlib import Path

from daemon import free_port, until

HOST = "127.0.0.1"
RTP_PORTS = 20
PROMPT = "linphonec> "

# Without ipv6_migration_done=1 it switches IPv6 back on; mtu=0 would probe the path for a second.
_CONFIG = """\
[sip]
sip_port={sip}
sip_tcp_port={tcp}
sip_tls_port={tls}
root_ca={ca}
verify_server_certs=1
verify_server_cn=1
use_ipv6=0
ipv6_migration_done=1
guess_hostname=1
default_proxy=0
media_encryption={encryption}
inc_timeout=60
[net]
mtu=1300
[rtp]
audio_rtp_port={rtp}-{rtp_end}
[video]
enabled=0
capture=0
display=0
automatically_accept=0
automatically_initiate=0
[proxy_0]
reg_proxy=<sip:{registrar};transport={transport}>
reg_route=<sip:{registrar};transport={transport};lr>
reg_identity=sip:{user}@{domain}
reg_expires=60
reg_sendregister=1
publish=0
[auth_info_0]
username={user}
passwd={password}
domain={domain}
"""


class Linphone:
    """One linphonec process with one registered account, driven over its standard input.

    It registers only on a host that has a default route, though nothing is sent there.
    """

    def __init__(
        self,
        directory: Path,
        user: str,
        domain: str,
        *,
        registrar: str,
        password: str,
        answer: str = "auto",
        encryption: str = "none",
        transport: str = "udp",
        ca: Path | None = None,
        registers: bool = True,
    ) -> None:
        """`answer`: ``auto`` or ``manual``. `encryption`: ``none`` or ``srtp`` (as RTP/SAVP).
        `transport`: ``tcp`` or ``tls`` as well; over TLS the certificates of `ca` are believed.
        `registers`: wait until it has."""
        # It opens its database here, and does not make the directory.
        (directory / ".local/share/linphone").mkdir(parents=True, exist_ok=True)
        self.sip_port = free_port()
        self.rtp_port = (free_port(RTP_PORTS + 1) + 1) & ~1
        (directory / "config").write_text(
            _CONFIG.format(
                sip=0 if transport != "udp" else self.sip_port,
                tcp=-1 if transport == "tcp" else 0,
                tls=-1 if transport == "tls" else 0,
                transport=transport,
                ca=ca or "",
                encryption=encryption,
                rtp=self.rtp_port,
                rtp_end=self.rtp_port + RTP_PORTS - 1,
                registrar=registrar,
                user=user,
                domain=domain,
                password=password,
            )
        )
        _write_tone(directory / "tone.wav")
        self._log, self._screen = directory / "log", directory / "screen"
        self._log.touch()
        with self._screen.open("wb") as screen:
            self._process = subprocess.Popen(
                [
                    *("linphonec", "-c", "config", "-d", "6", "-l", "log"),
                    *(("-a",) if answer == "auto" else ()),
                ],
                cwd=directory,
                env={**os.environ, "HOME": str(directory)},
                stdin=subprocess.PIPE,
                stdout=screen,
                stderr=subprocess.STDOUT,
            )
        try:
            until(lambda: PROMPT in self._output(0), "linphone's prompt")
            # Without these two it signals calls, but sends no media.
            self.command("soundcard use files")
            self.command("play tone.wav")
            if registers:
                until(self.is_registered, f"linphone {user} to register")
        except BaseException:
            self.stop()
            raise

    def command(self, line: str) -> str:
        """Run a command line, shorter than its screen is wide; returns what it printed."""
        assert self._process.poll() is None, f"linphone ended:\n{self._output(0)[-3000:]}"
        assert self._process.stdin is not None
        start = self._screen.stat().st_size
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        # It repeats the command first; news of a call may come before that.
        answer = re.compile(re.escape(line) + r"\n(?s:(.*?))" + PROMPT)
        until(lambda: answer.search(self._output(start)), f"linphone to do {line}")
        found = answer.search(self._output(start))
        assert found
        return found[1]

    def _output(self, start: int) -> str:
        return self._screen.read_bytes()[start:].decode(errors="replace")

    # What a person does with a telephone

    def dial(self, uri: str) -> None:
        self.command(f"call {uri}")

    def accept(self) -> None:
        self.command("answer")

    def hang_up(self) -> None:
        self.command("terminate")

    def hold(self) -> None:
        self.command("pause")

    def resume(self) -> None:
        self.command("resume")

    # What it shows

    def is_registered(self) -> bool:
        """It has a registration that was answered with 200."""
        return "registered, identity" in self.command("status register")

    def is_in_call(self) -> bool:
        """A call is established, on hold or not."""
        return bool(re.search("StreamsRunning|Paused", self.command("calls")))

    def is_ringing(self) -> bool:
        """A call comes in and is not answered yet."""
        return "Incoming" in self.command("calls")

    def has_no_call(self) -> bool:
        """No call in any state."""
        return "No active call" in self.command("calls")

    def owns(self, port: int) -> bool:
        """The port is one of its RTP ports."""
        return self.rtp_port <= port < self.rtp_port + RTP_PORTS

    def trace(self) -> str:
        """All it has logged, every SIP message included."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End the process; at the end of its input alone it would spin for ever."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _write_tone(path: Path, seconds: int = 60, rate: int = 8000, hertz: int = 440) -> None:
    """A sine tone as a WAV file, 16 bits and mono as linphone wants it."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        one_second = b"".join(
            struct.pack("<h", round(12_000 * math.sin(2 * math.pi * hertz * i / rate)))
            for i in range(rate)
        )
        file.writeframes(one_second * seconds)
