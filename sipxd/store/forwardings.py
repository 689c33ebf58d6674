"""What users want done with the calls for them.

A forwarding is kept as one JSON text, because nothing but its owner is ever searched for; the live
table stands in ``service``.
"""

from __future__ import annotations

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.forwarding import Forwarding
from sipxd.errors import NotFound, PreconditionFailed
from sipxd.store.plain import decode, encode
from sipxd.store.schema import forwardings, users


def every(connection: sa.Connection) -> dict[int, Forwarding]:
    """Those that have been stored, by user id."""
    return {
        row.user_id: attrs.evolve(
            msgspec.convert(decode(row.data), Forwarding), version=row.version
        )
        for row in connection.execute(sa.select(forwardings))
    }


def replace(connection: sa.Connection, user_id: int, new: Forwarding, *, after: int) -> None:
    """Store ``new`` in the place of the version ``after`` (0: nothing has been stored).

    Raises NotFound when there is no such user, PreconditionFailed when another version stands
    there.
    """
    own = forwardings.c.user_id == user_id
    # The user's row is what two writers without a stored forwarding wait for.
    known = sa.select(users.c.id).where(users.c.id == user_id).with_for_update()
    if connection.scalar(known) is None:
        raise NotFound("there is no such user any more", field="user")
    if (connection.scalar(sa.select(forwardings.c.version).where(own)) or 0) != after:
        raise PreconditionFailed("the forwarding has been changed meanwhile; read it again")
    data = {key: value for key, value in msgspec.to_builtins(new).items() if key != "version"}
    connection.execute(sa.delete(forwardings).where(own))
    connection.execute(
        sa.insert(forwardings).values(user_id=user_id, version=new.version, data=encode(data))
    )
