"""Every error that leaves through a web door, as a problem document (RFC 9457).

``sipxd.errors`` knows kinds, HTTP knows statuses: the table that joins them is here and nowhere
else.  An error that nobody expected is logged with a random id, and the answer tells the id only.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from sipxd import metrics
from sipxd.errors import BadInput, RetryLater, SipxdError

log = Logger()

PROBLEM_JSON = b"application/problem+json"

KINDS = {
    "bad-input": (400, "The request breaks a rule"),
    "unauthorized": (401, "Log in first"),
    "forbidden": (403, "Not allowed"),
    "not-found": (404, "Not found"),
    "conflict": (409, "Conflict with what is stored"),
    "precondition-failed": (412, "Changed meanwhile"),
    "unprocessable": (422, "The values contradict each other"),
    "too-many-guesses": (429, "Too many wrong passwords"),
    "too-many-calls": (429, "Too many calls"),
    "overloaded": (503, "Overloaded"),
    "retry-later": (503, "Try again later"),
    "store-failed": (502, "The database failed"),
    "store-busy": (502, "The database is busy"),
}
"""Status and title of each kind of ``sipxd.errors``; a kind that is not here is a defect."""

REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
REASONS |= {413: b"Content Too Large", 414: b"URI Too Long"}
# Those of sipXcom's phonebooks alone (contract 1.8.1).
REASONS |= {745: b"Service Error", 747: b"Duplicate Entry"}


class HttpProblem(Exception):
    """An error that only HTTP knows (405, 406, 415 ...), with headers to send along."""

    def __init__(self, status: int, detail: str, headers: dict[bytes, bytes] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


class PhrasedBadInput(BadInput):
    """Bad input that sipXcom's clients know by ``phrase`` in the status line."""

    def __init__(self, detail: str, *, field: str | None, phrase: bytes) -> None:
        super().__init__(detail, field=field)
        self.phrase = phrase


def reason(status: int) -> bytes:
    """The reason phrase of a status."""
    return REASONS[status]


def count_refusal(status: int) -> None:
    """Show in the metrics that a request met a limit."""
    counter = metrics.http_refused_by_status.get(status)
    if counter is not None:
        counter.inc()


def problem(
    status: int, detail: str, *, kind: str | None = None, title: str | None = None, **members: Any
) -> bytes:
    """The document; without ``kind`` its type is about:blank and the status says it all."""
    document = {
        "type": "about:blank" if kind is None else f"urn:sipxd:problem:{kind}",
        "title": title or REASONS[status].decode("ascii"),
        "status": status,
        "detail": detail,
    }
    return msgspec.json.encode(document | members)


def render(request: Request, failure: Failure) -> bytes:
    """Set status and headers of ``request`` after ``failure`` and give the body."""
    error = failure.value
    if isinstance(error, SipxdError) and error.kind in KINDS:
        status, title = KINDS[error.kind]
        count_refusal(status)
        members: dict[str, Any] = {} if error.field is None else {"field": error.field}
        if isinstance(error, RetryLater):
            request.setHeader(b"Retry-After", b"%d" % max(1, error.retry_after))
        body = problem(status, error.detail, kind=error.kind, title=title, **members)
    elif isinstance(error, HttpProblem):
        status = error.status
        for name, value in error.headers.items():
            request.setHeader(name, value)
        body = problem(status, error.detail)
    elif isinstance(error, MethodNotAllowed):
        status = 405
        allowed = ", ".join(sorted(error.valid_methods or ()))
        request.setHeader(b"Allow", allowed.encode("ascii"))
        body = problem(status, f"This resource knows {allowed} only.")
    elif isinstance(error, HTTPException):  # of the router, which raises no other than NotFound
        status = 404
        body = problem(status, "There is no such resource.")
    else:
        status = 500
        number = log_defect(failure)
        detail = "An internal error; the log of the daemon has it under the id given here."
        # What clients of sipXcom look for (contract 1.8.3).
        sipxcom = {"error": detail} if request.path.startswith(b"/sipxconfig/") else {}
        body = problem(status, detail, id=number, **sipxcom)
    answer(request, status, body, PROBLEM_JSON)
    if isinstance(error, PhrasedBadInput):
        request.setResponseCode(status, error.phrase)
    return body


def log_defect(failure: Failure) -> str:
    """Log what nobody expected, and give the random id that the client is told instead."""
    number = secrets.token_hex(8)
    if not failure.check(CancelledError, asyncio.CancelledError):
        log.failure("request failed, told to the client as {number}", failure, number=number)
    return number


def answer(request: Request, status: int, body: bytes, content_type: bytes) -> bytes:
    """Set what every answer needs; the body is returned for the router to write."""
    request.setResponseCode(status, REASONS[status])
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    if body:
        headers.setRawHeaders(b"Content-Type", [content_type])
        headers.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
    return body
