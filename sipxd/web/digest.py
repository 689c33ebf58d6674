"""HTTP Digest (RFC 7616), for old clients that know nothing else (contract 1.3.4).

The same code as for SIP judges the credentials; it is switched on by ``[web] digest``.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.server import Request

from sipxd.directory.user import User
from sipxd.errors import Unauthorized
from sipxd.sip.digest import Algorithm, Outcome, challenges, verify
from sipxd.sip.nonces import Nonces
from sipxd.web.services import Accounts


class DigestLogins:
    """Challenges, and judges what is answered; ``key``: 16 random bytes or more."""

    def __init__(
        self, accounts: Accounts, realm: str, key: bytes, now: Callable[[], float]
    ) -> None:
        self._accounts = accounts
        self._realm = realm
        self._nonces = Nonces(key)
        self._now = now

    def challenge(self, source: str, *, stale: bool = False) -> bytes:
        """The value of a WWW-Authenticate header for the address ``source``."""
        nonce = self._nonces.issue(self._now(), source)
        (challenge,) = challenges(self._realm, nonce, stale=stale, algorithms=(Algorithm.MD5,))
        return challenge.encode("utf-8")

    async def user(self, request: Request, credentials: bytes, source: str) -> User:
        """Whose ``credentials`` those are. Raises Stale, Unauthorized, TooManyGuesses."""
        verdict = verify(
            [f"Digest {credentials.decode('utf-8', 'surrogateescape')}"],
            method=request.method.decode("latin-1"),
            request_uri=(getattr(request, "asked", b"") or request.uri).decode("latin-1"),
            realm=self._realm,
            nonces=self._nonces,
            now=self._now(),
            source=source,
            find_ha1=lambda name, algorithm: self._accounts.ha1(name),
            algorithms=(Algorithm.MD5,),
        )
        match verdict.outcome:
            case Outcome.ACCEPTED | Outcome.REFUSED:
                right = verdict.outcome is Outcome.ACCEPTED
                return await self._accounts.judge(verdict.username, right, source)
            case Outcome.STALE:
                raise Stale("The nonce is too old; answer to the new one.")
            case _:
                raise Unauthorized("The Digest credentials cannot be read, or are for another URL.")


class Stale(Unauthorized):
    """The credentials answer a challenge that is too old."""
