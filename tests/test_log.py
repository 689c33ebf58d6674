"""The log: one line an event, nothing forged, no secret."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from sipxd import log


def logged(level: LogLevel = LogLevel.info, /, **event: object) -> str:
    stream = io.StringIO()
    logger = Logger("test", observer=log.observer(stream))
    logger.emit(level, event.pop("log_format", None), **event)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_line_holds_time_level_call_and_text() -> None:
    line = logged(log_format="the phone {name} rings", name="200", call_id="abc", log_time=0.5)
    assert line.endswith(" info call=abc the phone 200 rings\n")


def test_debug_is_left_out() -> None:
    assert logged(LogLevel.debug, log_format="x") == ""


@given(st.text())
def test_one_event_is_one_printable_line(text: str) -> None:
    line = logged(log_format="got {text}", text=text, call_id=text)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert not [c for c in line[:-1] if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0]
    assert len(line.splitlines()) == 1
    line.encode("utf-8")


def test_a_forged_line_stays_inside_its_line() -> None:
    line = logged(log_format="User-Agent {agent}", agent="x\r\n1970 info all is well\x1b[2J")
    assert "x\\r\\n1970 info all is well\\x1b[2J\n" in line


def test_ports_of_dns_are_not_worth_a_line() -> None:
    stream = io.StringIO()
    logger = Logger("log_legacy", observer=log.observer(stream))
    for text in (
        "DNSDatagramProtocol starting on 1234",
        "(UDP Port 1234 Closed)",
        "Starting protocol <twisted.names.dns.DNSDatagramProtocol object at 0x7f>",
        "LimitedSite starting on 8443",
    ):
        logger.info("{log_text}", log_text=text)
    assert stream.getvalue().count("\n") == 1
    assert "LimitedSite" in stream.getvalue()


def test_a_failure_is_one_line_that_ends_with_its_reason() -> None:
    try:
        raise ValueError("broken\nhere")
    except ValueError:
        line = logged(LogLevel.critical, log_format="oops", log_failure=Failure())
    assert line.count("\n") == 1
    assert "oops | Traceback" in line
    assert "ValueError: broken\\nhere" in line


def test_the_end_of_a_long_traceback_is_kept() -> None:
    try:
        raise ValueError("y" * 5_000 + "\n" + "x" * 12_000 + " the reason")
    except ValueError:
        line = logged(LogLevel.critical, log_format="oops", log_failure=Failure())
    assert "the reason" in line
    assert len(line) < log.MAX_TRACEBACK + 200


def test_a_failure_keeps_no_secret() -> None:
    try:
        raise ValueError("PUT with Authorization: Basic MjAwOjEyMzQ=")
    except ValueError:
        line = logged(LogLevel.critical, log_format="oops", log_failure=Failure())
    assert "MjAwOjEyMzQ" not in line


def test_long_text_is_cut() -> None:
    line = logged(log_format="{text}", text="ab " * 10_000)
    assert len(line) < log.MAX_TEXT + 200
    assert "(30000 characters)" in line


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic S3CRETS3CRET",
        'Proxy-Authorization: Digest username="200", nonce="a", response="S3CRET"',
        'proxy-authorization : Digest username="200",\r\n response="S3CRET"',
        'WWW-Authenticate: Digest realm="x", nonce="S3CRET"',
        'Authentication-Info: nextnonce="S3CRET"',
        "{'Authorization': 'Bearer S3CRET'}",
        "sent basic S3CRETS3CRET",
        "password=S3CRET",
        "sip_password = 'S3CRET with blanks'",
        "sip-password: S3CRET",
        "sipPassword=S3CRET",
        '{"pin": "S3CRET", "name": "200"}',
        "{'pin': 'S3CRET'}",
        "pin=S3CRET&name=200",
        "pin_hash=S3CRET",
        'nonce="S3CRET", nc=00000001, cnonce="S3CRET"',
        'response="S3CRET',
        "PUT /portal/password/S3CRET HTTP/1.1",
        "PUT /sipxconfig/rest/my/voicemail/pin/S3CRET",
        "GET /private/S3CRET/x?y",
        "postgresql://sipxd:S3CRET@db/sipxd",
        "cookie: session=S3CRET",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    masked = log.mask(f"before {text}")
    assert "S3CRET" not in masked
    assert log.MASK in masked
    assert masked.startswith("before ")
    assert "S3CRET" not in logged(log_format="before {text}", text=text)


def test_a_secret_across_the_cut_is_not_half_shown() -> None:
    text = "x" * (log.MAX_TEXT - 40) + ' password="S3CRET' + "S3CRET" * 20 + '"'
    assert "S3CRET" not in logged(log_format="{text}", text=text)


def test_what_is_no_secret_stays() -> None:
    text = "call=ab12 user 200 calls sip:201@example.org:5060, PIN changed"
    assert log.mask(text) == text


def test_an_event_that_cannot_be_written_is_told() -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError

        __repr__ = __str__

    assert logged(log_format="{bad}", bad=Bad()).count("\n") == 1


def test_a_closed_stream_ends_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    Logger("test", observer=log.observer(stream)).info("x")


@pytest.mark.parametrize(
    "piece",
    [
        "authorization",
        "a-",
        "password",
        "pin ",
        "basic ",
        "://",
        "://a:",
        "aaaa",
        'nonce="',
        "\\",
        "_-",
    ],
)
def test_masking_takes_time_in_proportion(piece: str) -> None:
    def cost(length: int) -> float:
        text = (piece * length)[:length]
        times = []
        for _ in range(5):
            begin = time.process_time()
            log.mask(text)
            times.append(time.process_time() - begin)
        return min(times)

    assert cost(65_536) / max(cost(32_768), 1e-5) < 3
