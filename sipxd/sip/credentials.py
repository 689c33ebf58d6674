"""Answers to the challenges of a proxy or gateway that we have an account with (RFC 3261, 22).

Credentials go to one realm only, the one that the account is for: whoever asks for another gets
nothing (a phone could collect our hashes otherwise).  Nonces are kept with their counts, so that
most requests are let in at once.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipxd.sip import digest
from sipxd.sip.message import Header, Request, Response

MAXIMUM_NONCE = 1_024
"""Longest nonce, and longest opaque, that is given back, in characters."""
MAXIMUM_REPEATS = 3
"""How often one request is repeated: for a proxy, for the peer itself, and for a stale nonce."""
_MAXIMUM_OPEN = 32
_ANSWERS = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}


@attrs.define
class _Nonce:
    challenge: digest.Challenge
    used: int = 0


class Authorizer:
    """The credentials of one account. ``cnonce`` gives a fresh random token."""

    def __init__(self, username: str, secret: str, realm: str, cnonce: Callable[[], str]) -> None:
        self.realm = realm
        self._username = username
        self._secret = secret
        self._cnonce = cnonce
        self._nonces: dict[str, _Nonce] = {}
        """The last nonce of each of the two credential headers."""

    def answer(self, response: Response, request: Request) -> tuple[Header, ...] | None:
        """The credentials with which ``request``, challenged by ``response``, goes out again.

        None where our realm is not asked, or where what we sent is right for the nonce and was
        refused all the same: then the secret is wrong.
        """
        asked: dict[str, digest.Challenge] = {}
        for name, credentials in _ANSWERS.items():
            challenge = self._ours(response.get_all(name))
            if challenge is not None:
                asked[credentials] = challenge
        for name, challenge in asked.items():
            if not challenge.stale and any(
                digest.nonce_count(value) <= 1 for value in request.get_all(name)
            ):
                self._nonces.pop(name, None)
                return None
        if not asked:
            return None
        for name, challenge in asked.items():
            known = self._nonces.get(name)
            if known is None or known.challenge.nonce != challenge.nonce:
                self._nonces[name] = _Nonce(challenge)
        return self._credentials(
            request, [n for n in _ANSWERS.values() if n in asked or request.get(n) is not None]
        )

    def preempt(self, request: Request) -> tuple[Header, ...]:
        """Credentials from the last nonces, for a request that nobody has challenged yet.

        A nonce without qop is not used twice, because nothing would tell its refusal from that of
        the secret.
        """
        if not self._nonces:
            return ()
        known = [name for name, nonce in self._nonces.items() if nonce.challenge.qop]
        return self._credentials(request, known) or ()

    def _ours(self, values: list[str]) -> digest.Challenge | None:
        for challenge in digest.parse_challenges(values):
            if (
                challenge.realm == self.realm
                and len(challenge.nonce) <= MAXIMUM_NONCE
                and len(challenge.opaque or "") <= MAXIMUM_NONCE
            ):
                return challenge
        return None

    def _credentials(self, request: Request, names: list[str]) -> tuple[Header, ...] | None:
        headers: list[Header] = []
        for name in names:
            nonce = self._nonces.get(name)
            if nonce is None:
                continue
            try:
                value = digest.authorize(
                    nonce.challenge,
                    request.method,
                    request.uri,
                    self._username,
                    self._secret,
                    nc=nonce.used + 1,
                    cnonce=self._cnonce(),
                )
            except ValueError:
                return None  # a Contact that no header can hold is not worth more
            nonce.used += 1
            headers.append((name, value))
        return tuple(headers)


@attrs.define
class _Attempt:
    request: Request
    repeats: int = 0


class Attempts:
    """The requests of one leg, as far as they may have to go out again with credentials."""

    def __init__(self, authorizer: Authorizer | None) -> None:
        self._authorizer = authorizer
        self._open: dict[str, _Attempt] = {}

    def first(self, key: str, request: Request) -> Request:
        """``request`` with the credentials that are known, as it goes out under ``key``."""
        if self._authorizer is None:
            return request
        request = with_credentials(request, self._authorizer.preempt(request))
        self._open[key] = _Attempt(request)
        while len(self._open) > _MAXIMUM_OPEN:
            del self._open[next(iter(self._open))]
        return request

    def again(self, key: str, response: Response, number: int) -> Request | None:
        """The request ``key`` as the challenge asks for it, with CSeq ``number``."""
        attempt = self._open.get(key)
        if self._authorizer is None or attempt is None or attempt.repeats >= MAXIMUM_REPEATS:
            return None
        headers = self._authorizer.answer(response, attempt.request)
        if headers is None:
            return None
        attempt.repeats += 1
        attempt.request = with_credentials(renumbered(attempt.request, number), headers)
        return attempt.request

    def credentials(self, key: str) -> tuple[Header, ...]:
        """What an ACK has to repeat of its INVITE (RFC 3261 section 22.1)."""
        attempt = self._open.get(key)
        return () if attempt is None else _credentials_of(attempt.request)

    def explain(self, response: Response) -> str:
        """Why a challenge ends what it was about."""
        asked = [
            challenge.realm
            for name in _ANSWERS
            for challenge in digest.parse_challenges(response.get_all(name))
        ]
        if not asked:
            return "The peer asked for a password in a way that cannot be answered"
        ours = self._authorizer.realm if self._authorizer is not None else None
        if ours in asked:
            return f"The peer refused our password for realm {_shown(ours or '')}"
        return (
            f"The peer asked for the password of realm {_shown(asked[0])}, "
            "which is not ours to give"
        )


def with_credentials(request: Request, headers: tuple[Header, ...]) -> Request:
    """``request`` with these credentials instead of any others."""
    if not headers:
        return request
    kept = [h for h in request.headers if h[0] not in _ANSWERS.values()]
    return attrs.evolve(request, headers=[*kept, *headers])


def without_credentials(request: Request) -> Request:
    """``request`` as it may be shown to anybody."""
    if not any(name in _ANSWERS.values() for name, _ in request.headers):
        return request
    kept = [h for h in request.headers if h[0] not in _ANSWERS.values()]
    return attrs.evolve(request, headers=kept)


def renumbered(request: Request, number: int) -> Request:
    """``request`` with CSeq ``number``."""
    cseq = ("CSeq", f"{number} {request.method}")
    return attrs.evolve(request, headers=[cseq if h[0] == "CSeq" else h for h in request.headers])


def _credentials_of(request: Request) -> tuple[Header, ...]:
    return tuple(h for h in request.headers if h[0] in _ANSWERS.values())


def _shown(realm: str) -> str:
    """A realm as a sentence may hold it."""
    return '"' + "".join(c for c in realm if c.isprintable() and c not in '"\\')[:64] + '"'
