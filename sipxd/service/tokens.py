"""Tokens for programs, and the private keys that stand in URLs (contract 1.3.5).

Both are at least 128 random bits, shown once.  In memory and in the database is their SHA-256 only:
there is nothing to guess at, so that a slow hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound, Unauthorized
from sipxd.service.accounts import Accounts
from sipxd.store import tokens as stored
from sipxd.store.store import Store
from sipxd.store.tokens import Token

MAX_TOKENS = 100
"""Tokens that one user may have."""
MAX_LABEL = 100
PREFIX = "sipxd_"
"""How a token begins, so that one in a log or a repository is known for what it is."""


class Tokens:
    """Every token and private key, in memory; made and revoked through the database."""

    def __init__(
        self, store: Store, accounts: Accounts, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._keys: dict[str, int] = {}
        """The user's id by the digest of his private key."""
        accounts.observe(self._user_changed)

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        self._tokens, self._keys = await self._store.read("tokens", stored.every)

    def user_of(self, token: str) -> User:
        """Whose token that is. Raises Unauthorized."""
        known = self._tokens.get(_digest(token))
        return self._enabled(None if known is None else known.user_id, "token")

    def user_of_key(self, key: str) -> User:
        """Whose private key that is. Raises Unauthorized."""
        return self._enabled(self._keys.get(_digest(key)), "private key")

    def of(self, user: User) -> list[Token]:
        """The tokens of ``user``, the oldest first."""
        own = (token for token in self._tokens.values() if token.user_id == user.id)
        return sorted(own, key=lambda token: (token.made, token.id))

    async def make(self, user: User, label: str) -> tuple[str, Token]:
        """A new token and what is kept of it. Raises BadInput, NotFound, Overloaded."""
        if not (label.strip() and label.isprintable() and len(label) <= MAX_LABEL):
            raise BadInput(
                f"label must have 1 to {MAX_LABEL} printable characters, such as the name of the "
                "program that will use the token",
                field="label",
            )
        if len(self.of(user)) >= MAX_TOKENS:
            raise BadInput(f"a user may have {MAX_TOKENS} tokens; revoke one", field="label")
        secret = PREFIX + secrets.token_hex(20)
        token = Token(_digest(secret), user.id, label, self._now())
        await self._store.write("token.make", lambda connection: stored.add(connection, token))
        self._tokens[token.digest] = token
        return secret, token

    async def revoke(self, user: User, token_id: str) -> None:
        """Make a token of ``user`` worthless. Raises NotFound, Overloaded."""
        token = next((token for token in self.of(user) if token.id == token_id), None)
        if token is None:
            raise NotFound(f"{user.name} has no token {token_id[:80]}", field="id")
        digest = token.digest
        await self._store.write("token.revoke", lambda c: stored.delete(c, digest))
        self._tokens.pop(digest, None)

    async def make_key(self, user: User) -> str:
        """A new private key of ``user`` (32 characters), in the place of the one he may have had.

        Raises NotFound (he was deleted), Overloaded.
        """
        key = secrets.token_hex(16)
        digest = _digest(key)
        await self._store.write("private key.make", lambda c: stored.set_key(c, user.id, digest))
        self._forget_key(user)
        self._keys[digest] = user.id
        return key

    async def revoke_key(self, user: User) -> None:
        """Make the private key of ``user`` worthless. Raises Overloaded."""
        await self._store.write("private key.revoke", lambda c: stored.set_key(c, user.id, None))
        self._forget_key(user)

    def _enabled(self, user_id: int | None, what: str) -> User:
        user = None if user_id is None else self._accounts.by_id(user_id)
        if user is None or not user.enabled:
            raise Unauthorized(f"the {what} is not known")
        return user

    def _forget_key(self, user: User) -> None:
        self._keys = {digest: owner for digest, owner in self._keys.items() if owner != user.id}

    def _user_changed(self, before: User, after: User | None) -> None:
        if after is None:
            self._forget_key(before)
            for token in self.of(before):
                del self._tokens[token.digest]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
