"""Odd headers and queries at every resource: an answer that is known, and nothing in the log."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_twisted
from hostilekit import Attacker
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher
from webkit import basic

ensure = pytest_twisted.ensureDeferred
LOG_IN = f"Authorization: {basic('superadmin')['Authorization']}\r\n".encode()

HEADERS = [
    b"Authorization: Basic\r\n",
    b"Authorization: Basic ====\r\n",
    b"Authorization: Basic \xff\xfe\r\n",
    b"Authorization: Basic /w==\r\n",
    b"Authorization: Basic bm9jb2xvbg==\r\n",
    b"Authorization: Bearer \r\n",
    b"Authorization: Bearer " + b"a" * 9000 + b"\r\n",
    b"Authorization: Digest username=\"200\", nonce=\"\\\", uri=,\r\n",
    b"Authorization: Negotiate x\r\n" + LOG_IN,
    LOG_IN + b"Accept: \r\n",
    LOG_IN + b"Accept: ;q=,*/*;q=9,,\xff/\x7f;q=\xe9\r\n",
    LOG_IN + b"Accept: " + b"text/x;q=0.1," * 900 + b"\r\n",
    LOG_IN + b"Accept: application/json;q=0, text/xml;q=0\r\n",
    LOG_IN + b"If-Match: \xff\"\r\nIf-None-Match: ***\r\nIf-Modified-Since: yesterday\r\n",
    LOG_IN + b"Range: bytes=5-1\r\nAccept-Encoding: gzip;q=x\r\nContent-Encoding: gzip\r\n",
    LOG_IN + b"Content-Type: \xff\r\n",
    LOG_IN + b"Content-Type: multipart/form-data; boundary=\r\n",
    LOG_IN + b"Content-Type: multipart/form-data; boundary=" + b"b" * 999 + b"\r\n",
    LOG_IN + b"Content-Type: text/csv; charset=rot13\r\n",
    LOG_IN + b"Origin: null\r\nOrigin: \xff\r\nAccess-Control-Request-Method: ;\r\n",
    LOG_IN + b"X-HTTP-Method-Override: DELETE\r\nX-Forwarded-For: '\"\r\nForwarded: for=_\r\n",
    LOG_IN + b"Cookie: " + b"a=b;" * 2000 + b"\r\n",
]  # fmt: skip
QUERIES = (
    b"?", b"?%FF=%FF", b"?limit=%FF&start=%00", b"?limit=-1&start=-1&offset=-1&end=-1",
    b"?limit=1&limit=2&query=1&query=2", b"?query=%ED%A0%80&filter=%00&page=x&pagesize=0",
    b"?query=" + b"%F0%9F%98%80" * 500, b"?start=99999999999999999999&end=1&limit=1e9",
    b"?sortby=%27&sortdir=%22&ids=1,,x&branch=%2F", b"?fromDate=99999999999999&toDate=0",
    b"?fromdate=00000000&orderBy=%3B&user=%FF&cursor=%FF&before=%00&user=", b"?a" * 3000,
)  # fmt: skip
"""In the place of sensible ones; what each resource asks for is among them."""
KNOWN = {
    200,
    201,
    204,
    302,
    400,
    401,
    403,
    404,
    405,
    406,
    409,
    410,
    412,
    415,
    417,
    422,
    429,
    501,
    745,
}


@pytest.fixture
def errors():
    """Log events of level error and above; a client must not be able to cause one."""
    events = []

    def observe(event):
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def paths(house: Any) -> list[str]:
    """One of each resource."""
    site = house.app.web_ports[0].factory.wrappedFactory
    rules = site.resource._app.url_map.iter_rules()
    # What says that a sub-system is absent says so by the same few lines everywhere.
    present = [rule.rule for rule in rules if ".absent." not in rule.endpoint]
    found = {re.sub(r"<(?:[^<>]+:)?\w+>", "1", rule) for rule in present}
    return sorted(path for path in found if "password" not in path)


@ensure
async def test_no_header_and_no_query_is_a_defect(house: Any, errors: list[Any]) -> None:
    attacker = Attacker(house)
    found = [path.encode() for path in paths(house)]
    assert len(found) > 80

    def attack() -> list[str]:
        wrong = []
        # Each path with a third of what there is: neighbours run the same lines.
        for number, path in enumerate(found):
            sent = [
                b"%b %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: 0\r\n\r\n" % (how, path, header)
                for how in (b"GET", b"OPTIONS")
                for header in HEADERS[number % 3 :: 3]
            ]
            sent += [
                b"GET %b%b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path, query, LOG_IN)
                for query in QUERIES[number % 3 :: 3]
            ]
            for request, answer in zip(sent, attacker.exchange(sent), strict=True):
                if answer.status not in KNOWN or b"Traceback" in answer.body:
                    wrong.append(f"{request[:120]!r}: {answer}")
        return wrong

    wrong = await deferToThread(attack)
    attacker.close()
    assert not wrong, "\n".join(wrong)
    assert not errors
