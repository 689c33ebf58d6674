"""baresip, a telephone that someone else wrote, run without sound card or terminal."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

from daemon import free_port, until

HOST = "127.0.0.1"
_MODULES = "/usr/lib/baresip/modules"

# ausine works at 48 kHz stereo only; net_interface must be an address, not "lo".
_CONFIG = """\
poll_method epoll
sip_listen {sip_host}:{sip}
call_local_timeout 120
call_max_calls 4
audio_player aubridge,sink{sip}
audio_source ausine,440
audio_alert aubridge,alert{sip}
audio_path /nonexistent
ausrc_srate 48000
ausrc_channels 2
ausrc_format s16
auplay_format s16
audio_buffer 20-160
rtp_ports {rtp}-{rtp_end}
rtcp_mux no
jitter_buffer_delay 5-10
net_interface {host}
module_path {modules}
module g711.so
module ausine.so
module aubridge.so
module srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {control_host}:{control}
"""

RTP_PORTS = 20


class Baresip:
    """One baresip process with one account, driven over its control connection."""

    def __init__(
        self,
        directory: Path,
        user: str,
        domain: str,
        *,
        registrar: str = "",
        password: str = "",
        answer: str = "auto",
        encryption: str = "none",
        transport: str = "",
        ca: Path | None = None,
        host: str = HOST,
    ) -> None:
        """`answer`: ``auto``, ``manual`` or ``early`` (183 with SDP, then `accept`).
        `encryption`: ``none``, ``srtp`` (offered as RTP/AVP) or ``srtp-mand`` (RTP/SAVP).
        `transport`: ``tcp`` or ``tls``; over TLS the certificates of `ca` are believed; by baresip
        1.0.0, which knows no ``sip_verify_server``, all others too."""
        directory.mkdir(parents=True, exist_ok=True)
        # It opens TCP on the SIP port too and TLS on the one after it.
        self.sip_port, self.control_port = free_port(2), free_port()
        # An odd lower bound is rounded down by libre.
        self.rtp_port = (free_port(RTP_PORTS + 1) + 1) & ~1
        (directory / "config").write_text(
            _CONFIG.format(
                host=host,
                sip_host=f"[{host}]" if ":" in host else host,
                control_host=HOST,
                sip=self.sip_port,
                control=self.control_port,
                rtp=self.rtp_port,
                rtp_end=self.rtp_port + RTP_PORTS - 1,
                modules=_MODULES,
            )
            + (f"sip_cafile {ca}\nsip_verify_server yes\n" if ca else "")
        )
        account = f"<sip:{user}@{domain}>;answermode={answer}"
        if encryption != "none":
            account += f";mediaenc={encryption}"
        if registrar:
            proxy = f"sip:{registrar};transport={transport}" if transport else f"sip:{registrar}"
            account += f';regint=60;auth_user={user};auth_pass={password};outbound="{proxy}"'
        else:
            account += ";regint=0"
        (directory / "accounts").write_text(account + "\n")
        (directory / "contacts").write_text("")
        self._trace = directory / "trace"
        with self._trace.open("wb") as trace:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(directory), "-s", "-v"],
                stdin=subprocess.DEVNULL,
                stdout=trace,
                stderr=subprocess.STDOUT,
            )
        self._control: socket.socket | None = None
        self._buffer = b""
        try:
            until(self._connect, "baresip's control port")
            if registrar:
                until(self.is_registered, f"baresip {user} to register\n{self.trace()}")
        except BaseException:
            self.stop()
            raise

    def _connect(self) -> bool:
        assert self._process.poll() is None, f"baresip ended:\n{self.trace()}"
        try:
            self._control = socket.create_connection((HOST, self.control_port), timeout=5)
        except OSError:
            return False
        return True

    def command(self, name: str, parameters: str = "") -> str:
        """Run a command of its menu; returns what it printed."""
        assert self._control is not None
        text = json.dumps({"command": name, "params": parameters, "token": "t"}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))
        while True:
            message = self._receive()
            if message.get("response"):
                assert message.get("ok"), (name, message, self.trace()[-3000:])
                return str(message.get("data", ""))

    def _receive(self) -> dict[str, Any]:
        """The next netstring: an answer or an event."""
        assert self._control is not None
        while True:
            match = re.match(rb"(\d+):", self._buffer)
            if match and len(self._buffer) > (end := match.end() + int(match[1])):
                text, self._buffer = self._buffer[match.end() : end], self._buffer[end + 1 :]
                message: dict[str, Any] = json.loads(text)
                return message
            data = self._control.recv(65536)
            assert data, f"baresip closed its control connection\n{self.trace()[-3000:]}"
            self._buffer += data

    # What a person does with a telephone

    def dial(self, uri: str) -> None:
        self.command("dial", uri)

    def accept(self) -> None:
        self.command("accept")

    def hang_up(self) -> None:
        self.command("hangup")

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    # What it shows

    def is_registered(self) -> bool:
        """It has a registration that was answered with 200."""
        return "OK" in self.command("reginfo")

    def is_in_call(self) -> bool:
        """A call is established."""
        return "ESTABLISHED" in self.command("listcalls")

    def is_ringing(self) -> bool:
        """A call comes in and is not answered yet."""
        return "INCOMING" in self.command("listcalls")

    def has_no_call(self) -> bool:
        """No call in any state."""
        return "Active calls (0)" in self.command("listcalls")

    def owns(self, port: int) -> bool:
        """The port is one of its RTP ports."""
        return self.rtp_port <= port < self.rtp_port + RTP_PORTS

    def trace(self) -> str:
        """All it has printed, every SIP message included."""
        return self._trace.read_text(errors="replace")

    def stop(self) -> None:
        """End the process."""
        if self._control is not None:
            self._control.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
