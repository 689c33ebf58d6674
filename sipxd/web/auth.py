"""Who asks: Basic credentials (RFC 7617), checked by the accounts service.

The account, its PIN and the protection against guessing are the service's business; here the
header is read and the challenge written.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request

from sipxd.directory.user import User
from sipxd.errors import SipxdError, Unauthorized
from sipxd.web.services import Accounts

log = Logger()
T = TypeVar("T")

MAX_HEADER = 1024
"""Bytes of an Authorization header; user names and PINs are far shorter."""


class Authenticator:
    """Finds the user of a request; ``realm`` is what the challenge shows."""

    def __init__(self, accounts: Accounts, realm: str) -> None:
        self._accounts = accounts
        self._challenge = f'Basic realm="{realm}", charset="UTF-8"'.encode()

    async def user(self, request: Request) -> User:
        """The user who sent the request; raises Unauthorized or TooManyGuesses."""
        try:
            name, pin = read_basic(request.requestHeaders.getRawHeaders(b"authorization"))
            return await shield(self._accounts.authenticate(name, pin, address(request)))
        except Unauthorized:
            request.setHeader(b"WWW-Authenticate", self._challenge)
            raise


def read_basic(headers: Sequence[bytes] | None) -> tuple[str, str]:
    """Name and password; raises Unauthorized where there are none to read."""
    if not headers:
        raise Unauthorized("Give a user name and the PIN with HTTP Basic authentication.")
    scheme, _, encoded = headers[0].partition(b" ")
    if len(headers) > 1 or len(encoded) > MAX_HEADER or scheme.lower() != b"basic":
        raise Unauthorized("Give one Authorization header with the scheme Basic.")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise Unauthorized("The Basic credentials are not valid Base64.") from None
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")  # what clients send that never heard of RFC 7617
    name, colon, pin = text.partition(":")
    if not colon:
        raise Unauthorized("The Basic credentials lack the colon after the user name.")
    return name, pin


def address(request: Request) -> str:
    """The client's IP address."""
    return str(getattr(request.client, "host", ""))


def shield(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run ``work`` to its end even when the client goes away meanwhile.

    The router cancels the handler of a lost connection.  A service must not be interrupted in the
    middle of a change by that, so the cancellation ends the waiting only.
    """
    inner = Deferred.fromCoroutine(work)
    if inner.called:  # nothing was waited for, as is usual
        return inner
    outer: Deferred[T] = Deferred()

    def deliver(result: T | Failure) -> None:
        if not outer.called:
            outer.callback(result)
        elif isinstance(result, Failure) and not result.check(SipxdError):
            log.failure("failed after its client had gone", result)

    inner.addBoth(deliver)
    return outer
