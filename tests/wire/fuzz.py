"""Mutated SIP, as datagrams, streams and answers, against a running daemon.

Half of it comes from a stranger, half from a trusted peer, whose calls ring a telephone that
answers in mutated messages too.  ``make fuzz`` goes on until something breaks or you stop it; the
seed that it prints repeats a run from its beginning.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

# The messages to begin with lie beside the other tests.
sys.path.append(str(Path(__file__).parent.parent / "torture"))

from daemon import Daemon, until
from malformed import malformed
from messages import CASES
from sipp import Phone
from stranger import Stranger

from sipxd.sip.headers import HeaderError, parse_name_addr
from sipxd.sip.message import ParseError, Request, Response, parse_message, respond

STRANGER = "127.44.77.1"
TRUSTED = "127.44.77.2"
PHONE = "127.44.77.3"
CALLER, USER = "300", "201"
EVERY = 100
"""Messages after which the daemon has to show that it lives."""
GROWTH = 64 << 20
"""Bytes of memory that may stay behind."""
PAUSE = 10
"""Rounds after which everything has to come to rest."""
DESCRIPTORS = 8
"""Open files that may."""

_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.44.77.2\r\ns=-\r\nc=IN IP4 127.44.77.2\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
_PIECES = (
    *(b"\r\n", b"\r\n ", b"\r\n\r\n", b"\n", b"\0", b'"', b'\\"', b"<", b">", b"%", b"%00", b"%zz"),
    *(b",", b";", b";;", b"=", b"@", b":", b"::", b"[", b"]", b"[::1]", b"*", b"-1", b"0"),
    *(b"2147483648", b"4294967296", b"18446744073709551616", b"\xff\xfe", b"\xc3\xa9", b"\xed\xa0"),
    *(b"SIP/2.0", b"sip:", b"sips:", b"tel:", b";tag=", b";branch=z9hG4bK", b";maddr=", b";lr"),
    *(b"INVITE", b"ACK", b"BYE", b"REFER", b"\r\nReplaces: a;to-tag=b;from-tag=c"),
    *(b"\r\nRequire: 100rel", b"\r\nContent-Length: 9", b"\r\nSession-Expires: 90;refresher=uac"),
)


class Mutator:
    """Makes messages out of good and bad ones; the same ones for the same ``seed``."""

    def __init__(self, seed: int, address: str, domain: str) -> None:
        self._chance = random.Random(seed)
        self._count = 0
        self._good = _good(address, domain)
        self._seeds = [
            *(case.wire for case in CASES),
            *(data[:4000] for data in malformed(address, address, domain).values()),
        ]

    def message(self) -> bytes:
        """A mutated message, or now and then a good one."""
        chance = self._chance
        self._count += 1
        good = chance.random() < 0.6
        source = self._good if good else self._seeds
        # Each has an identity of its own, else it would be a retransmission.
        data = chance.choice(source).replace(b"UNIQUE", b"f%d" % self._count)
        return data if good and chance.random() < 0.3 else self.mutate(data)

    def stream(self) -> list[bytes]:
        """What one connection sends, in pieces."""
        chance = self._chance
        octets = b"".join(self.message() for _ in range(chance.randrange(1, 5)))
        if chance.random() < 0.3:
            octets = b"\r\n\r\n" + octets
        pieces = []
        while octets:
            size = chance.choice((1, 7, 100, 1400, 70_000))
            pieces.append(octets[:size])
            octets = octets[size:]
            if len(pieces) == 40:
                pieces.append(octets)
                break
        return pieces

    def mutate(self, data: bytes) -> bytes:
        """``data`` with a few things done to it."""
        chance = self._chance
        for _ in range(chance.choice((1, 1, 2, 3, 6))):
            data = chance.choice(
                (
                    self._octet, self._insert, self._insert, self._cut, self._number,
                    self._line, self._line, self._repeat, self._splice,
                )
            )(bytearray(data))  # fmt: skip
        return bytes(data[:60_000])

    def _place(self, data: bytearray) -> int:
        return self._chance.randrange(len(data) + 1)

    def _octet(self, data: bytearray) -> bytes:
        if data:
            data[self._chance.randrange(len(data))] = self._chance.randrange(256)
        return bytes(data)

    def _insert(self, data: bytearray) -> bytes:
        place = self._place(data)
        data[place:place] = self._chance.choice(_PIECES)
        return bytes(data)

    def _cut(self, data: bytearray) -> bytes:
        place = self._place(data)
        del data[place : place + self._chance.choice((1, 2, 8, 40, 5000))]
        return bytes(data)

    def _number(self, data: bytearray) -> bytes:
        digits = [place for place, octet in enumerate(data) if 0x30 <= octet <= 0x39]
        if digits:
            place = self._chance.choice(digits)
            data[place : place + 1] = self._chance.choice((b"", b"-", b"9" * 20, b"0", b"x"))
        return bytes(data)

    def _line(self, data: bytearray) -> bytes:
        lines = bytes(data).split(b"\r\n")
        place = self._chance.randrange(len(lines))
        match self._chance.randrange(4):
            case 0:
                lines.pop(place)
            case 1:
                lines.insert(place, lines[place])
            case 2:
                other = self._chance.randrange(len(lines))
                lines[place], lines[other] = lines[other], lines[place]
            case _:
                name, colon, value = lines[place].partition(b":")
                lines[place] = name + colon + value * self._chance.choice((0, 2, 60))
        return b"\r\n".join(lines)

    def _repeat(self, data: bytearray) -> bytes:
        place = self._place(data)
        piece = bytes(data[place : place + self._chance.choice((1, 3, 20))])
        data[place:place] = piece * self._chance.choice((3, 50, 800))
        return bytes(data)

    def _splice(self, data: bytearray) -> bytes:
        other = self._chance.choice(self._seeds)
        return bytes(data[: self._place(data)]) + other[self._chance.randrange(len(other) + 1) :]


def _good(address: str, domain: str) -> list[bytes]:
    """Messages that the daemon would work on."""
    head = (
        "Via: SIP/2.0/UDP {address};rport;branch=z9hG4bKUNIQUE\r\n"
        "From: \"Ada\" <sip:{caller}@{domain}>;tag=UNIQUE\r\nTo: <sip:{user}@{domain}>\r\n"
        "Call-ID: UNIQUE@fuzz\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        "Contact: <sip:{caller}@{address}>\r\nSupported: timer, replaces, 100rel\r\n"
        "Session-Expires: 1800\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER\r\n"
    )  # fmt: skip
    credentials = (
        'Authorization: Digest username="201", realm="{domain}", nonce="00", uri="sip:{domain}", '
        'response="6629fae49393a05397450978507c4ef1", qop=auth, nc=00000001, cnonce="a"\r\n'
    )
    made = []
    for method, more, body in (
        ("INVITE", "Content-Type: application/sdp\r\n", _SDP),
        ("INVITE", "", b""),
        ("INVITE", "Replaces: UNIQUE@fuzz;to-tag=a;from-tag=b\r\n", b""),
        ("REGISTER", credentials + "Expires: 60\r\nPath: <sip:{address};lr>\r\n", b""),
        ("OPTIONS", "Accept: application/sdp\r\n", b""),
        ("REFER", "Refer-To: <sip:202@{domain}?Replaces=a%3Bto-tag%3Db>\r\n", b""),
        ("SUBSCRIBE", "Event: dialog\r\nExpires: 60\r\n", b""),
        ("CANCEL", "", b""),
        ("ACK", "", b""),
        ("BYE", "", b""),
    ):
        text = f"{method} sip:{{user}}@{{domain}} SIP/2.0\r\n{head}{more}"
        text = text.format(address=address, domain=domain, caller=CALLER, user=USER, method=method)
        made.append(text.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return made


class Telephone:
    """Answers what the daemon sends, first in a mutated way, from another thread."""

    def __init__(
        self, mutator: Mutator, seed: int, server: tuple[str, int], host: str, port: int
    ) -> None:
        self._mutator = mutator
        self._chance = random.Random(seed)
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(0.2)
        self._over = False
        self._thread = threading.Thread(target=self._work)
        self.host = host
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Telephone:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._thread.join()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send one datagram to the daemon."""
        self._socket.sendto(data, self._server)

    def _work(self) -> None:
        while not self._over:
            try:
                message = parse_message(self._socket.recv(65_535))
                if isinstance(message, Response):
                    replies = self._after(message)
                else:
                    replies = [] if message.method == "ACK" else self._answers(message)
            except (TimeoutError, ParseError, HeaderError):
                continue
            for reply in replies:
                with contextlib.suppress(OSError):
                    self.send(reply)

    def _answers(self, request: Request) -> list[bytes]:
        chance = self._chance
        statuses = [200]
        if request.method == "INVITE":
            statuses = chance.choice(([486], [180, 200], [183, 603], [302], [401], [200], [500]))
        headers = [("Contact", f"<sip:{USER}@{self.host}:{self.port}>")]
        body = b""
        if request.method == "INVITE":
            headers.append(("Content-Type", "application/sdp"))
            body = _SDP
        answers = [
            respond(request, status, to_tag="fuzz", headers=headers, body=body).encode()
            for status in statuses
        ]
        # The good ones come last, so that calls end.
        return [self._mutator.mutate(each) for each in answers] + answers

    def _after(self, response: Response) -> list[bytes]:
        """The ACK of a final response to an INVITE, and the BYE of the call."""
        number, method = response.cseq
        if method != "INVITE" or response.status < 200:
            return []
        requests = [("ACK", number), ("BYE", number + 1)]
        if response.status >= 300:
            requests.pop()
        made = []
        for name, cseq in requests:
            # An ACK of a refusal belongs to the INVITE's transaction, which its branch names.
            via = response.require("Via")
            if response.status < 300:
                via = f"SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{name}{hash(via)}"
            copied = [(each, response.require(each)) for each in ("From", "To", "Call-ID")]
            headers = [("Via", via), *copied, ("CSeq", f"{cseq} {name}"), ("Max-Forwards", "70")]
            uri = f"sip:{USER}@{self._server[0]}"
            if response.get("Contact"):
                uri = parse_name_addr(response.require("Contact")).uri
            good = Request(name, uri, headers=headers).encode()
            made += [self._mutator.mutate(good), good]
        return made


class Fuzz:
    """The driver: sends what the mutator makes, and asks after the daemon's health."""

    def __init__(self, daemon: Daemon, phone: Phone, seed: int) -> None:
        self._daemon = daemon
        self._server = server = ("127.0.0.1", daemon.sip_port)
        phone.register(expires=3600)
        self._open = contextlib.ExitStack()
        self._stranger = self._open.enter_context(Stranger(server, STRANGER, 0))
        self._caller = self._telephone(TRUSTED, 0, seed + 1)
        self._callee = self._telephone(PHONE, phone.port, seed + 2)
        self._mutator = Mutator(seed, f"{TRUSTED}:{self._caller.port}", daemon.domain)

    def _telephone(self, host: str, port: int, seed: int) -> Telephone:
        mutator = Mutator(seed, f"{host}:{port}", self._daemon.domain)
        return self._open.enter_context(Telephone(mutator, seed, self._server, host, port))

    def __enter__(self) -> Fuzz:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def run(self, datagrams: int, streams: int) -> None:
        """Send so many of each. Fails where the daemon does not live, or writes a traceback."""
        for n in range(datagrams):
            (self._caller if n % 2 else self._stranger).send(self._mutator.message())
            if n % EVERY == EVERY - 1:
                self._check(f"datagram {n}")
        for n in range(streams):
            self._connect(TRUSTED if n % 2 else STRANGER, self._mutator.stream())
            if n % EVERY == EVERY - 1:
                self._check(f"stream {n}")

    def _connect(self, host: str, pieces: Sequence[bytes]) -> None:
        with socket.create_connection(self._server, 5, (host, 0)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):  # it may be closed by the other side
                for piece in pieces:
                    connection.sendall(piece)
                if len(pieces) % 2:
                    connection.shutdown(socket.SHUT_WR)
                select.select([connection], [], [], 0.02)

    def _check(self, when: str) -> None:
        try:
            self._stranger.alive(5.0, busy=True)
        except AssertionError as error:
            raise AssertionError(f"after {when}: {error}\n{self._daemon.log()[-3000:]}") from None
        assert "Traceback" not in self._daemon.log(), f"by {when}:\n{self._daemon.log()[-6000:]}"


def start_daemon(directory: Path) -> Daemon:
    """A running daemon without limits per source, with a trusted peer and a user."""
    daemon = Daemon(
        directory,
        transports=("udp", "tcp"),
        limits__source_requests=1_000_000,
        limits__sip_connections=2_000,
        limits__user_calls_pending=100_000,
        limits__user_calls_per_minute=1_000_000,
        sip__trusted_peers=[TRUSTED],
        call__ring_timeout=2,
    )
    daemon.start()
    for user in (CALLER, USER):
        daemon.add_user(user)
    return daemon


def make_phone(daemon: Daemon) -> Phone:
    """The telephone that is rung; `Fuzz` registers it and answers for it."""
    return Phone(daemon.directory / "phone", daemon, USER, PHONE)


def wait_until_idle(daemon: Daemon) -> None:
    """Wait until nothing of any call is left: 64*T1 for the last 2xx that is not acknowledged, and
    as long again for its BYE."""
    until(lambda: not daemon.left_open(), "nothing to be left open", 120, every=1)


def main() -> None:
    """Fuzz until something breaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--rounds", type=int, default=0, help="0: for ever")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        daemon = start_daemon(Path(directory))
        try:
            phone = make_phone(daemon)
            done = memory = 0
            while not chosen.rounds or done < chosen.rounds:
                seed = chosen.seed + done
                print(f"seed {seed}, {daemon.rss() >> 20} MiB", flush=True)
                with Fuzz(daemon, phone, seed) as fuzz:
                    fuzz.run(5_000, 300)
                done += 1
                if done % PAUSE == 0:
                    wait_until_idle(daemon)
                    memory = memory or daemon.rss()
                    assert daemon.rss() - memory < GROWTH
            wait_until_idle(daemon)
            daemon.stop()
        finally:
            daemon.kill()


if __name__ == "__main__":
    main()
