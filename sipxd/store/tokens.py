"""Tokens and private keys, as far as they are kept."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from sipxd.errors import NotFound
from sipxd.store.schema import tokens, users


@attrs.frozen
class Token:
    """What is kept of a token; ``made`` is in seconds since the epoch."""

    digest: str = attrs.field(repr=False)
    user_id: int
    label: str
    made: float

    @property
    def id(self) -> str:
        """What it is called where it is listed; tells nothing of the token."""
        return self.digest[:16]


def every(connection: sa.Connection) -> tuple[dict[str, Token], dict[str, int]]:
    """All tokens by their digests, and the ids of users by the digests of their private keys."""
    found = {
        row.digest: Token(row.digest, row.user_id, row.label, row.made)
        for row in connection.execute(sa.select(tokens))
    }
    with_key = sa.select(users.c.id, users.c.private_key).where(users.c.private_key.is_not(None))
    return found, {row.private_key: row.id for row in connection.execute(with_key)}


def add(connection: sa.Connection, token: Token) -> None:
    """Keep a token. Raises NotFound where its user was deleted."""
    if connection.scalar(sa.select(users.c.id).where(users.c.id == token.user_id)) is None:
        raise NotFound("the user was deleted meanwhile")
    connection.execute(
        sa.insert(tokens).values(
            digest=token.digest, user_id=token.user_id, label=token.label, made=token.made
        )
    )


def delete(connection: sa.Connection, digest: str) -> None:
    """Forget a token."""
    connection.execute(sa.delete(tokens).where(tokens.c.digest == digest))


def set_key(connection: sa.Connection, user_id: int, digest: str | None) -> None:
    """Keep the digest of a user's private key, None: he has none. Raises NotFound."""
    change = sa.update(users).where(users.c.id == user_id).values(private_key=digest)
    if not connection.execute(change).rowcount:
        raise NotFound("the user was deleted meanwhile")
