"""Bad input over real sockets: numbers, passwords, sizes, datagrams; and what the log says."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from daemon import Client, Daemon, until
from roles import Pair
from steps import OFFERLESS, answer, invited, receive

MARK = "7e57"
"""In every bad number, to be looked for on the wire."""

NUMBERS = {
    "CR and LF": f"{MARK}\r\nX-Injected: 1",
    "LF": f"{MARK}\nX-Injected: 1",
    "CR": f"{MARK}\rX-Injected: 1",
    "semicolon": f"{MARK};user=phone",
    "question mark": f"{MARK}?Replaces=1",
    "angle bracket": f"{MARK}<sip:1@example.test>",
    "NUL": f"{MARK}\0",
    "10 kB": MARK * 2500,
    "33 digits": "+" + "1" * 33,
    "quotation mark": f'{MARK}"',
    "blank inside the host": f"{MARK}@exam ple.test",
    "percent": f"{MARK}%0d%0a",
    "slash": f"{MARK}/..",
    "two hosts": f"{MARK}@a@b",
    "Arabic digits": "٢٠١",
    "letters beyond ASCII": f"{MARK}ü",
    "empty": "",
    "only punctuation": "()-",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_bad_number_is_refused_with_a_sentence(pair: Pair, name: str) -> None:
    result = pair.client.call(quote(NUMBERS[name], safe=""))
    expected = (400, 404) if name in ("empty", "slash") else (400,)
    assert result.status in expected, (result.status, result.body)
    assert len(result.body) > 20
    assert b"\r" not in result.body
    assert MARK * 100 not in result.body.decode()


def test_no_byte_of_a_bad_number_reaches_a_phone(pair: Pair) -> None:
    a = pair.caller
    # The first INVITE that the phone sees must be the one of the good number at the end.
    a.start(
        invited(OFFERLESS), answer(486), receive("ACK"),
    )  # fmt: skip
    for number in NUMBERS.values():
        assert pair.client.call(quote(number, safe="")).status in (400, 404)
        posted = pair.client.ask("POST", "/v1/calls", {"number": number})
        assert posted.status == 400, (number, posted.status, posted.body)
    assert "INVITE" not in a.messages()
    assert pair.client.call(pair.callee.user, wait=True).status == 502
    pair.finish()
    assert MARK not in a.messages()
    assert "Injected" not in a.messages()


def test_raw_control_characters_in_the_request_line_are_refused(daemon: Daemon, pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), answer(486), receive("ACK"))
    for number in (b"201\x00", b"201\x01", b"2 01", b"201\xff", b"201\r\n X: y"):
        head = b"PUT /call/" + number + b" HTTP/1.1\r\nHost: x\r\n" + _basic(daemon, pair)
        status = _raw(daemon, head + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        assert b" 200 " not in status, (number, status)
        assert b" 500 " not in status, (number, status)
    assert pair.client.call(pair.callee.user, wait=True).status == 502
    pair.finish()


def _basic(daemon: Daemon, pair: Pair) -> bytes:
    header = daemon.client(pair.caller.user).headers["Authorization"]
    return f"Authorization: {header}\r\n".encode()


def _raw(daemon: Daemon, data: bytes) -> bytes:
    """Send bytes over TLS; returns the status line of the answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", daemon.web_port), timeout=20) as plain,
        context.wrap_socket(plain) as connection,
        connection.makefile("rb") as lines,
    ):
        connection.sendall(data)
        return lines.readline()


# Sizes


def test_oversized_body_is_413(pair: Pair) -> None:
    result = pair.client.ask("POST", "/v1/calls", b"x" * (1_048_576 + 1))
    assert result.status == 413


def test_oversized_header_is_431(pair: Pair) -> None:
    result = pair.client.ask("GET", "/v1/calls", None, **{"X-Big": "x" * 20_000})
    assert result.status == 431


def test_many_headers_are_431(pair: Pair) -> None:
    many = {f"X-Header-{n}": "x" * 50 for n in range(90)} | {
        f"X-More-{n}": "x" * 150 for n in range(120)
    }
    assert pair.client.ask("GET", "/v1/calls", None, **many).status == 431


# Passwords


def test_guessing_is_slowed_then_refused_for_known_and_unknown_users_alike(
    daemon: Daemon, new_user: Callable[[], str]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        known = pool.submit(_guess, daemon, new_user(), True)
        unknown = pool.submit(_guess, daemon, "nobody-knows-me", False)
        assert known.result() == unknown.result()


def _guess(daemon: Daemon, name: str, known: bool) -> list[object]:
    """Guess eleven times, from an address of its own; returns what could tell users apart."""
    seen: list[object] = []
    source = "127.0.0.21" if known else "127.0.0.22"
    times = []
    for _ in range(10):
        start = time.monotonic()
        answer = Client(daemon.web_port, name, "wrong", source).ask("GET", "/v1/calls")
        times.append(time.monotonic() - start)
        assert answer.status == 401, answer.body
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        seen.append((answer.status, sorted(answer.headers), answer.body))
    assert max(times[:5]) < 0.9, times
    assert all(later > 0.9 for later in times[5:]), times
    refused = Client(daemon.web_port, name, "wrong", source).ask("GET", "/v1/calls")
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    if known:
        assert daemon.client(name, source).ask("GET", "/v1/calls").status == 429
        assert daemon.client(name, "127.0.0.23").ask("GET", "/v1/calls").status == 200
    return seen


def test_no_credentials_and_broken_ones_are_401(daemon: Daemon) -> None:
    for header in ("", "Basic", "Basic !!!", "Basic Og==", "Basic " + "x" * 4000, "Negotiate x"):
        client = Client(daemon.web_port, "", "", "127.0.0.24")
        given = {"Authorization": header} if header else {}
        assert client.ask("GET", "/v1/calls", **given).status == 401, header


# Datagrams

_GOOD = (
    "OPTIONS sip:example.test SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{n}\r\n"
    "From: <sip:x@example.test>;tag={n}\r\nTo: <sip:example.test>\r\n"
    "Call-ID: {n}@bad\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)

_DROPPED = [
    b"\0" * 40,
    b"x",
    b"\xff" * 1400,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"SIP/2.0\r\n\r\n",
    b"SIP/2.0 200\r\n\r\n",
    b"SIP/2.0 99999999999999999999 OK\r\n\r\n",
    b"INVITE\r\n\r\n",
    b"INVITE sip:a@b SIP/2.0",
    b"INVITE sip:a@b SIP/2.0\r\nVia\r\n\r\n",
    b"INVITE sip:a@b SIP/2.0\r\n: x\r\n\r\n",
    b"\r\nBYE sip:a@b SIP/9.9.9\r\n\r\n",
    b"OPTIONS " + b"sip:" * 15_000 + b" SIP/2.0\r\n\r\n",
    b"a" * 60_000,
]
"""Nothing of these can be answered: counted and dropped."""

_CHANGES: list[tuple[str, str]] = [
    ("Content-Length: 0", "Content-Length: -1"),
    ("Content-Length: 0", "Content-Length: 99999999999999999999"),
    ("Content-Length: 0", "Content-Length: 1_0"),
    ("Content-Length: 0", "Content-Length: 500"),
    ("CSeq: 1 OPTIONS", "CSeq: 36893488147419103232 REGISTER"),
    ("CSeq: 1 OPTIONS", "CSeq: -1 OPTIONS"),
    ("CSeq: 1 OPTIONS", "CSeq: OPTIONS"),
    ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
    ("CSeq: 1 OPTIONS\r\n", ""),
    ("Call-ID: {n}@bad\r\n", ""),
    ("From: <sip:x@example.test>;tag={n}\r\n", ""),
    ("To: <sip:example.test>\r\n", ""),
    ("Via: SIP/2.0/UDP 127.0.0.1:{port}", "Via: SIP/2.0/UDP"),
    ("Via: SIP/2.0/UDP 127.0.0.1:{port}", "Via: SIP/2.0/UDP 127.0.0.1:{port}," * 200 + "x"),
    ("branch=z9hG4bK{n}", "branch="),
    ("branch=z9hG4bK{n}", "branch=z9hG4bK" + "b" * 30_000),
    ("Max-Forwards: 70", "Max-Forwards: 0"),
    ("Max-Forwards: 70", "Max-Forwards: 300"),
    ("Max-Forwards: 70", "Max-Forwards: seven"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\n" * 300 + "X: y"),
    ("<sip:x@example.test>", '"' + "a " * 20_000),
    ("<sip:x@example.test>", "a " * 20_000 + "<sip:x@example.test>"),
    ("<sip:x@example.test>", "<" * 20_000),
    ("<sip:x@example.test>", "<sip:x@[::1>"),
    ("<sip:x@example.test>", "<sip:%00%0d%0a@example.test>"),
    ("<sip:x@example.test>", "<tel:>"),
    ("OPTIONS sip:example.test", "OPTIONS sip:"),
    ("OPTIONS sip:example.test", "OPTIONS sip:a@b:99999999"),
    ("OPTIONS sip:example.test", "OPTIONS http://example.test"),
    ("OPTIONS sip:example.test", "OPTIONS <sip:example.test>"),
    ("OPTIONS sip:example.test", "OPTIONS  sip:example.test"),
    ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nRequire: nothing-known"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nProxy-Require: nothing-known"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\n folded\r\n\tagain"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nX\0Y: \x01\x02"),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nAuthorization: Digest " + 'a="' * 9_000),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nContact: *\r\nContact: " + "<sip:a@b>," * 3_000),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nRoute: " + "<sip:a;lr>," * 3_000),
    ("Max-Forwards: 70", "Max-Forwards: 70\r\nSession-Expires: ;;;=\r\nExpires: 1e9"),
    ("OPTIONS", "INVITE"),
    ("OPTIONS", "REGISTER"),
    ("OPTIONS", "CANCEL"),
    ("OPTIONS", "BYE"),
    ("OPTIONS", "ACK"),
    ("OPTIONS", "REFER"),
    ("OPTIONS", "SUBSCRIBE"),
    ("OPTIONS", "O" * 5_000),
    ("\r\n", "\n"),
    ("\r\n", "\r"),
]


def _datagrams(port: int) -> list[bytes]:
    made = list(_DROPPED)
    for n, (old, new) in enumerate(_CHANGES):
        text = _GOOD.replace(old, new).replace("{port}", str(port)).replace("{n}", f"bad{n}")
        made.append(text.encode()[:65_000])
    chance = random.Random(4475)
    for n in range(100):
        text = bytearray(_GOOD.replace("{port}", str(port)).replace("{n}", f"ran{n}").encode())
        for _ in range(chance.randrange(1, 12)):
            text[chance.randrange(len(text))] = chance.randrange(256)
        made.append(bytes(text))
    return made


def test_malformed_datagrams_are_counted_and_never_stop_the_listener(
    daemon: Daemon, pair: Pair
) -> None:
    before = daemon.metrics()
    address = ("127.0.0.1", daemon.sip_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(2)
        port = phone.getsockname()[1]
        for n, datagram in enumerate(_datagrams(port)):
            phone.sendto(datagram, address)
            if n % 10 == 0:
                started = time.monotonic()
                alive = _GOOD.replace("{port}", str(port)).replace("{n}", f"alive{n}")
                phone.sendto(alive.encode(), address)
                while f"alive{n}@bad".encode() not in (answered := phone.recv(65_535)):
                    pass
                assert answered.startswith(b"SIP/2.0 "), answered
                assert time.monotonic() - started < 1, f"after {datagram[:80]!r}"
    after = daemon.metrics()
    grown = {name: after[name] - before[name] for name in after if name in before}
    assert grown["sipxd_sip_malformed_total"] >= len(_DROPPED) - 1
    assert grown["sipxd_sip_rejected_total"] >= 10
    assert "Traceback" not in daemon.log()
    # And it still does its work.
    pair.caller.start(invited(OFFERLESS), answer(486), receive("ACK"))
    assert pair.client.call(pair.callee.user, wait=True).status == 502
    pair.finish()


def test_datagrams_of_foreign_dialogs_are_refused(daemon: Daemon) -> None:
    """A BYE or CANCEL that belongs to nothing is answered 481, an ACK and a response not at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(2)
        port = str(phone.getsockname()[1])
        for method in ("BYE", "CANCEL"):
            text = _GOOD.replace("OPTIONS", method).replace("{port}", port).replace("{n}", method)
            text = text.replace("To: <sip:example.test>", "To: <sip:example.test>;tag=none")
            phone.sendto(text.encode(), ("127.0.0.1", daemon.sip_port))
            assert phone.recv(65_535).startswith(b"SIP/2.0 481 ")


# The log


def test_log_lines_carry_the_call_and_no_control_characters(daemon: Daemon, pair: Pair) -> None:
    pair.caller.start(invited(OFFERLESS), answer(486), receive("ACK"))
    result = pair.client.call(pair.callee.user, wait=True)
    pair.finish()
    until(lambda: result.call in daemon.log(), "the call in the log")
    for line in daemon.log().splitlines():
        assert line.isprintable(), ascii(line)
    for secret in daemon.secrets():
        assert secret not in daemon.log()


def test_secrets_in_a_path_are_not_logged(daemon: Daemon) -> None:
    client = Client(daemon.web_port, "", "")
    client.ask("GET", "/portal/password/very-Secret-Path-1?token=very-Secret-Query-1")
    assert "very-Secret" not in daemon.log()
