"""Who asks, and what he may: Basic credentials (RFC 7617), a token, or a private key in the path.

The account, its PIN and the protection against guessing are the service's business; here the
header is read, the challenge written, and the role asked for (contract 1.3, 1.4).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request

from sipxd.directory.permission import ADMIN, PROMPTS
from sipxd.directory.user import User
from sipxd.errors import Forbidden, SipxdError, Unauthorized
from sipxd.web.digest import DigestLogins, Stale
from sipxd.web.services import Accounts, Tokens

log = Logger()
T = TypeVar("T")

MAX_HEADER = 1024
"""Bytes of an Authorization header; user names and PINs are far shorter."""


class Authenticator:
    """Finds the user of a request; ``realm`` is what the challenge shows.

    Without ``digest`` HTTP Digest is switched off.
    """

    def __init__(
        self,
        accounts: Accounts,
        tokens: Tokens,
        realm: str,
        digest: DigestLogins | None = None,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._digest = digest
        self._basic = f'Basic realm="{realm}", charset="UTF-8"'.encode()

    async def user(self, request: Request) -> User:
        """The user who sent the request; raises Unauthorized or TooManyGuesses."""
        try:
            return await self._user(request)
        except Unauthorized as error:
            self._challenge(request, stale=isinstance(error, Stale))
            raise

    def _challenge(self, request: Request, *, stale: bool = False) -> None:
        """Ask for credentials; Digest comes first, so that clients that know it take it."""
        ways = [self._basic]
        if self._digest is not None:
            ways.insert(0, self._digest.challenge(address(request), stale=stale))
        request.responseHeaders.setRawHeaders(b"WWW-Authenticate", ways)

    async def user_called(self, request: Request, name: str) -> User:
        """The same where ``name`` is his user name; raises Unauthorized where not (3.20)."""
        user = await self.user(request)
        if user.name != name:
            self._challenge(request)
            raise Unauthorized(f"Log in as {name[:80]!r}: this is his own alone.")
        return user

    async def administrator(self, request: Request) -> User:
        """The same where he is an administrator; raises Forbidden where not."""
        user = await self.user(request)
        if not user.admin:
            raise Forbidden("This is for administrators.")
        return user

    async def attendant(self, request: Request) -> User:
        """The same where he may set the auto attendants; raises Forbidden where not."""
        user = await self.user(request)
        if not (user.admin or PROMPTS in user.permissions):
            raise Forbidden(f"This is for administrators, and users with the permission {PROMPTS}.")
        return user

    async def _user(self, request: Request) -> User:
        key = getattr(request, "private_key", None)
        if key is not None:
            # The key stands for the user and his own data, whatever else he may do.
            user = self._tokens.user_of_key(key)
            return attrs.evolve(user, admin=False, permissions=user.permissions - {ADMIN, PROMPTS})
        scheme, credentials = read_authorization(
            request.requestHeaders.getRawHeaders(b"authorization")
        )
        if scheme == b"bearer":
            return self._tokens.user_of(credentials.decode("latin-1"))
        if scheme == b"digest":
            if self._digest is None:
                raise Unauthorized("HTTP Digest is switched off here; use Basic.")
            return await shield(self._digest.user(request, credentials, address(request)))
        name, pin = read_basic(credentials)
        return await shield(self._accounts.authenticate(name, pin, address(request)))


def read_authorization(headers: Sequence[bytes] | None) -> tuple[bytes, bytes]:
    """The scheme in lower case, and the credentials; raises Unauthorized for what is not known."""
    if not headers:
        raise Unauthorized("Give a user name and the PIN with HTTP Basic authentication.")
    scheme, _, credentials = headers[0].partition(b" ")
    known = scheme.lower() in (b"basic", b"bearer", b"digest")
    if len(headers) > 1 or len(credentials) > MAX_HEADER or not known:
        raise Unauthorized("Give one Authorization header with the scheme Basic or Bearer.")
    return scheme.lower(), credentials.strip()


def read_basic(encoded: bytes) -> tuple[str, str]:
    """Name and password; raises Unauthorized where they cannot be read."""
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


def password_used(request: Request) -> str | None:
    """The password that the client has just logged in with; None where it used none."""
    if getattr(request, "private_key", None) is not None:
        return None
    headers = request.requestHeaders.getRawHeaders(b"authorization")
    scheme, credentials = read_authorization(headers)
    return read_basic(credentials)[1] if scheme == b"basic" else None


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
