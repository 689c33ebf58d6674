"""CPU milliseconds per click-to-call by the transport of its phones: UDP, TCP and TLS.

The same calls as in ``click_to_call``, by phones that are written here, because SIPp speaks no TLS:
all callers share one connection and all destinations another, as behind a proxy.  The baseline is
UDP in the same run.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import tempfile
import time
from pathlib import Path
from typing import Any

from load import CALLEES, CALLERS, HOST, SIPXD, TALK, Daemon, ask, free_port, put, separate, used_by
from result import report

from sipxd.sip import digest

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
"""How long each transport is used."""
RATE = 50
TARGET = 2.0

_SDP = (
    "v=0\r\no=phone 77 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
_LENGTH = re.compile(rb"\r\nContent-Length: *+(\d++)", re.IGNORECASE)
_CONTACT = re.compile(r"\r\nContact: *+<([^>]++)>")


def header(text: str, name: str) -> str:
    """The first line of a header, name and all."""
    start = text.index(f"\r\n{name}:") + 2
    return text[start : text.index("\r\n", start)]


class Phones(asyncio.DatagramProtocol, asyncio.Protocol):
    """Phones behind one socket: they answer every call, and hang up where they are told to."""

    def __init__(self, transport: str, media: int, hangs_up: bool) -> None:
        self._name, self._media, self._hangs_up = transport, media, hangs_up
        self._transport: Any = None
        self._buffer = b""
        self._contacts: dict[str, tuple[str, str, str]] = {}
        self._registering: dict[str, asyncio.Future[str]] = {}
        self._sent = 0
        self.ended = 0
        """Calls that were up and have ended."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self._address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._received(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n") + 4) > 3:
            if end == 4:
                self._buffer = self._buffer[4:]  # a keep-alive
                continue
            length = _LENGTH.search(self._buffer, 0, end)
            end += int(length[1]) if length else 0
            if len(self._buffer) < end:
                return
            message, self._buffer = self._buffer[:end], self._buffer[end:]
            self._received(message)

    def _send(self, *lines: str, body: str = "") -> None:
        if body:
            lines += ("Content-Type: application/sdp",)
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        if self._name == "UDP":
            self._transport.sendto(text.encode())
        else:
            self._transport.write(text.encode())

    def _via(self) -> str:
        self._sent += 1
        return (
            f"Via: SIP/2.0/{self._name} {self._address};rport;branch=z9hG4bK{id(self)}{self._sent}"
        )

    def _received(self, data: bytes) -> None:
        text = data.decode()
        if text.startswith("SIP/2.0 "):
            call_id = header(text, "Call-ID")
            if "REGISTER" in header(text, "CSeq"):
                self._registering[call_id].set_result(text)
            elif "BYE" in header(text, "CSeq"):
                self.ended += 1
            return
        method = text.partition(" ")[0]
        if method == "INVITE":
            self._invited(text)
        elif method == "ACK":
            self._acknowledged(text)
        elif method == "BYE":
            self.ended += 1
            self._reply(text, header(text, "To"))

    def _reply(self, request: str, to: str, status: str = "200 OK", body: str = "") -> None:
        echoed = (header(request, name) for name in ("Via", "From", "Call-ID", "CSeq"))
        contact = f"Contact: <sip:phone@{self._address};transport={self._name.lower()}>"
        self._send(f"SIP/2.0 {status}", *echoed, to, contact, body=body)

    def _invited(self, text: str) -> None:
        to = header(text, "To")
        again = ";tag=" in to
        if not again:
            to += ";tag=phone"
            self._reply(text, to, "180 Ringing")
            target = _CONTACT.search(text)
            assert target
            sender = header(text, "From").partition(":")[2]
            self._contacts[header(text, "Call-ID")] = (target[1], to.partition(":")[2], sender)
        self._reply(text, to, body=_SDP.format(version=1 + again, port=self._media))

    def _acknowledged(self, text: str) -> None:
        call_id = header(text, "Call-ID")
        if self._hangs_up and call_id in self._contacts:
            asyncio.get_running_loop().call_later(TALK / 1000, self._hang_up, call_id)

    def _hang_up(self, call_id: str) -> None:
        target, ours, theirs = self._contacts.pop(call_id)
        self._send(
            f"BYE {target} SIP/2.0", self._via(), f"From:{ours}", f"To:{theirs}", call_id,
            "CSeq: 1 BYE", "Max-Forwards: 70",
        )  # fmt: skip

    async def register(self, user: str, password: str, domain: str) -> None:
        """Register one user's phone here."""
        call_id = f"Call-ID: {user}-{id(self)}-{self._name}"
        uri, credentials = f"sip:{domain}", []
        for number in (1, 2):
            self._registering[call_id] = asyncio.get_running_loop().create_future()
            self._send(
                f"REGISTER {uri} SIP/2.0", self._via(), f"From: <sip:{user}@{domain}>;tag={user}",
                f"To: <sip:{user}@{domain}>", call_id, f"CSeq: {number} REGISTER",
                f"Contact: <sip:{user}@{self._address};transport={self._name.lower()}>",
                "Max-Forwards: 70", "Expires: 600", *credentials,
            )  # fmt: skip
            answer = await asyncio.wait_for(self._registering[call_id], 5)
            if number == 1:
                value = header(answer, "WWW-Authenticate").partition(":")[2].strip()
                (challenge,) = digest.parse_challenges([value])
                value = digest.authorize(
                    challenge, "REGISTER", uri, user, password, nc=1, cnonce="c"
                )
                credentials = [f"Authorization: {value}"]
        assert " 200 " in answer[:13], answer


async def measure(
    daemon: Daemon, name: str, port: int, users: list[str], numbers: list[str]
) -> tuple[float, int]:
    """CPU milliseconds per call, and calls that failed."""
    loop = asyncio.get_running_loop()
    sides = []
    for media, hangs_up in ((30_000, False), (30_002, True)):
        if name == "UDP":
            _, phones = await loop.create_datagram_endpoint(
                lambda m=media, h=hangs_up: Phones(name, m, h), remote_addr=(HOST, port)
            )
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            _, phones = await loop.create_connection(
                lambda m=media, h=hangs_up: Phones(name, m, h), HOST, port,
                ssl=context if name == "TLS" else None,
            )  # fmt: skip
        sides.append(phones)
    for phones, names in zip(sides, (users, numbers), strict=True):
        for user in names:
            await phones.register(user, daemon.sip_password(user), daemon.domain)
    logins = [daemon.client(user).headers["Authorization"] for user in users]
    client = daemon.client(users[0])
    for login in logins:
        client.headers = {"Authorization": login}
        await asyncio.to_thread(client.ask, "GET", "/v1/calls?limit=1")
    calls = RATE * SECONDS
    requests = (
        put(f"/call/{numbers[(n + n // CALLERS) % CALLEES]}", logins[n % CALLERS])
        for n in range(calls)
    )
    assert daemon._process is not None
    pid = daemon._process.pid
    before = used_by(pid)
    asked = await asyncio.to_thread(ask, daemon.web_port, requests, RATE)
    end = time.monotonic() + 5
    while min(each.ended for each in sides) < calls and time.monotonic() < end:
        await asyncio.sleep(0.1)
    cost = (used_by(pid) - before) / calls * 1000
    for phones in sides:
        phones._transport.close()
    return cost, max(asked.refused, calls - min(each.ended for each in sides))


def main() -> None:
    """Measure and report."""
    core = separate()
    ports = {"TCP": free_port(), "TLS": free_port()}
    with tempfile.TemporaryDirectory() as name:
        daemon = Daemon(Path(name) / "office", limits__user_calls_per_minute=10_000)
        ports["UDP"] = daemon.sip_port
        text = daemon.config.read_text()
        udp = f'"udp:127.0.0.1:{daemon.sip_port}"'
        more = (f'"{kind.lower()}:127.0.0.1:{ports[kind]}"' for kind in ("TCP", "TLS"))
        daemon.config.write_text(text.replace(udp, ", ".join([udp, *more])))
        daemon.start(*core, str(SIPXD), "run", "--config", str(daemon.config))
        try:
            users = [daemon.add_user(str(5000 + n)) for n in range(CALLERS)]
            numbers = [daemon.add_user(str(6000 + n)) for n in range(CALLEES)]
            costs, failed = {}, 0
            for kind in ("UDP", "TCP", "TLS"):
                cost, lost = asyncio.run(measure(daemon, kind, ports[kind], users, numbers))
                costs[kind], failed = cost, failed + lost
        finally:
            daemon.kill()
    ratio = max(costs["TCP"], costs["TLS"]) / costs["UDP"]
    report(
        "transports",
        {
            **{f"{kind.lower()}_cpu_ms": round(cost, 2) for kind, cost in costs.items()},
            "failed": failed,
            "daemon_on_own_processor": bool(core),
        },
        baseline=f"the same calls over UDP, {RATE} a second",
        ratio=ratio,
        target={"ratio": TARGET, "failed": 0},
        met=ratio <= TARGET and not failed,
    )


if __name__ == "__main__":
    main()
