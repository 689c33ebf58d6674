"""Floods of requests without credentials: they cost little, and phones still work."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from daemon import Daemon, free_port, until
from flood import Flood, addresses
from roles import Pair, joined, picked_up
from sipp import Phone
from steps import answer, hang_up, has, hung_up, invited, pause, receive, sdp

from sipxd.sip import digest
from sipxd.sip.message import Response, parse_message

SECONDS = float(os.environ.get("FLOOD_SECONDS", "4"))
"""How long each flood lasts; ``make flood`` has longer ones."""
GROWTH = 100 << 20
SETUP = 2.0
"""Seconds after which a call is up, whatever strangers do."""


@pytest.fixture(scope="module")
def guarded(make_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon with the limits that everybody has."""
    tcp = free_port()
    daemon = make_daemon(limits__source_requests=50)
    text = daemon.config.read_text()
    listener = f'"udp:127.0.0.1:{daemon.sip_port}"'
    daemon.config.write_text(text.replace(listener, f'{listener}, "tcp:127.0.0.1:{tcp}"'))
    daemon.tcp_port = tcp  # type: ignore[attr-defined]
    daemon.start()
    return daemon


@pytest.fixture
def two(guarded: Daemon, tmp_path: Path) -> Iterator[Pair]:
    """Two registered phones."""
    names = [guarded.add_user(f"{time.time_ns() % 10**9}{n}") for n in range(2)]
    caller, callee = (Phone(tmp_path, guarded, name).register() for name in names)
    yield Pair(caller, callee, guarded.client(caller.user))
    caller.stop()
    callee.stop()


def event(daemon: Daemon, name: str) -> float:
    return daemon.metrics().get(f'sipxd_sip_events_total{{event="{name}"}}', 0)


def calls(pair: Pair) -> None:
    """A whole click-to-call."""
    pair.caller.start(picked_up(pair.caller), joined(pair.caller, pair.callee), hung_up())
    pair.callee.start(
        invited(has(f"m=audio {pair.caller.media} ", "body")),
        answer(180),
        answer(200, body=sdp(pair.callee.media)),
        receive("ACK"),
        pause(500),
        hang_up(),
    )
    start = time.monotonic()
    assert pair.client.call(pair.callee.user, wait=True).status == 200
    assert time.monotonic() - start < SETUP
    pair.finish()


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_phones_call_while_a_crowd_of_strangers_floods(
    guarded: Daemon, two: Pair, tcp: bool
) -> None:
    """1,000 requests a second, none of which breaks the limit of its source."""
    before, start = guarded.rss(), time.monotonic()
    port = guarded.tcp_port if tcp else guarded.sip_port  # type: ignore[attr-defined]
    with Flood(port, 1000, addresses(100), tcp=tcp) as flood:
        calls(two)
        time.sleep(max(0.0, SECONDS - (time.monotonic() - start)))
    assert flood.sent > 500 * SECONDS
    assert flood.answers.get(b"401", 0) > flood.sent / 10
    assert guarded.rss() - before < GROWTH
    assert guarded.metrics()['sipxd_sip_transactions{side="server"}'] < 100


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_flood_from_one_address_is_ignored(guarded: Daemon, two: Pair, tcp: bool) -> None:
    before, start, banned = guarded.rss(), time.monotonic(), event(guarded, "source_banned")
    source = "127.88.0.2" if tcp else "127.88.0.1"
    port = guarded.tcp_port if tcp else guarded.sip_port  # type: ignore[attr-defined]
    with Flood(port, 5000, [source], tcp=tcp) as flood:
        until(lambda: event(guarded, "source_banned") > banned, "the ban")
        calls(two)
        time.sleep(max(0.0, SECONDS - (time.monotonic() - start)))
    assert event(guarded, "source_banned") == banned + 1
    assert sum(flood.answers.values()) < 1000
    assert guarded.rss() - before < GROWTH
    assert guarded.log().count(f"{source} is ignored for 300 s") == 1


def test_a_flood_from_the_address_of_a_phone_does_not_ban_it(
    guarded: Daemon, two: Pair, tmp_path: Path
) -> None:
    """The sender of a datagram may be forged: what is banned otherwise is only cut down here."""
    office = "127.88.0.3"
    phone = Phone(tmp_path, guarded, guarded.add_user(str(time.time_ns() % 10**9)), office)
    phone.register()
    banned = event(guarded, "source_banned")
    ignored = event(guarded, "source_ignored")
    try:
        with Flood(guarded.sip_port, 1000, [office]):
            until(lambda: event(guarded, "source_ignored") > ignored + 100, "the limit")
            calls(Pair(two.caller, phone, two.client))
        phone.register()
    finally:
        phone.stop()
    assert event(guarded, "source_banned") == banned


REQUEST = (
    "{method} sip:{user}@example.test SIP/2.0\r\n"
    "Via: {via}\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:{user}@example.test>;tag=r\r\n"
    "To: <sip:{user}@example.test>\r\n"
    "Call-ID: reflect-{n}@x\r\n"
    "CSeq: {n} {method}\r\n"
    "Contact: <sip:{user}@127.0.0.1:9>\r\n"
    "{more}"
    "Content-Length: 0\r\n\r\n"
)


VIAS = (
    "SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{n}",
    "SIP/2.0/UDP {victim};branch=z9hG4bK{n}",
    "SIP/2.0/UDP {victim};rport;branch=z9hG4bK{n}",
    "SIP/2.0/UDP 127.0.0.1:{port};maddr=127.0.0.9;branch=z9hG4bK{n};rport",
    "SIP/2.0/UDP {victim};received=127.0.0.9;maddr=127.0.0.9;rport;branch=z9hG4bK{n}",
    "SIP/2.0/TCP {victim};rport;branch=z9hG4bK{n}",
)


def test_nothing_is_reflected_or_amplified(daemon: Daemon) -> None:
    """One answer, not much larger than the request, to where it came from and nowhere else."""
    with ExitStack() as stack:

        def open_at(host: str) -> socket.socket:
            opened = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            opened.bind((host, 0))
            return opened

        victim = open_at("127.0.0.9")
        at = f"127.0.0.9:{victim.getsockname()[1]}"
        attacks = []
        methods = ("INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "BYE", "CANCEL", "NONSENSE")
        for number, (method, via) in enumerate(itertools.product(methods, VIAS), 1):
            attacker = open_at("127.0.0.1")
            port = attacker.getsockname()[1]
            via = via.format(port=port, victim=at, n=f"{port}n{number}")
            data = REQUEST.format(method=method, user="2000", n=number, more="", via=via).encode()
            attacker.sendto(data, ("127.0.0.1", daemon.sip_port))
            attacks.append((attacker, data))
        victim.settimeout(1.2)  # long enough for a repetition, too (timer G: half a second)
        with pytest.raises(TimeoutError):
            victim.recv(65_535)
        answered = 0
        for attacker, data in attacks:
            attacker.setblocking(False)
            with suppress(BlockingIOError):
                assert len(attacker.recv(65_535)) <= 1.2 * len(data) + 300
                answered += 1
                attacker.recv(65_535)
                raise AssertionError(f"a second answer to {data!r}")
        assert answered > len(methods)


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_captured_request_is_of_no_use_a_second_time(
    daemon: Daemon, new_user: Callable[[], str], method: str
) -> None:
    user = new_user()
    password = daemon.sip_password(user)
    uri = f"sip:{user}@example.test"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(5)
        phone.connect(("127.0.0.1", daemon.sip_port))
        port = phone.getsockname()[1]

        def ask(number: int, more: str = "", branch: str = "") -> Response:
            via = f"SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{branch}{time.time_ns()}"
            data = REQUEST.format(method=method, user=user, via=via, n=number, more=more)
            phone.send(data.encode())
            while True:
                message = parse_message(phone.recv(65_535))
                if isinstance(message, Response) and message.status >= 200:
                    return message

        challenge = digest.parse_challenges(ask(1).get_all("WWW-Authenticate"))[0]
        value = digest.authorize(challenge, method, uri, user, password, nc=1, cnonce="c")
        more = f"Authorization: {value}\r\n"
        accepted = ask(2, more)
        assert accepted.status not in (401, 403, 407, 503)
        for number in (3, 4):
            again = ask(number, more)
            assert again.status == 401
            assert "stale=true" in again.require("WWW-Authenticate")
