"""Registrations, so that a restart does not silence every phone until it registers again.

They are loaded at start and written through; the live table stands in ``service``.  A binding is
kept as one JSON text, because nothing but its owner is ever searched for.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from sipxd.sip.registrar import Binding
from sipxd.store.plain import decode, encode
from sipxd.store.schema import bindings, users


def load_all(connection: sa.Connection, now: float) -> dict[int, tuple[Binding, ...]]:
    """The bindings that have not expired at ``now`` (seconds since the epoch), by user id."""
    found: dict[int, list[Binding]] = {}
    query = sa.select(bindings).order_by(bindings.c.user_id, bindings.c.position)
    for row in connection.execute(query):
        binding = msgspec.convert(decode(row.data), Binding)
        if binding.expires_at > now:
            found.setdefault(row.user_id, []).append(binding)
    return {user_id: tuple(live) for user_id, live in found.items()}


def replace_for_user(connection: sa.Connection, user_id: int, live: Sequence[Binding]) -> bool:
    """Store exactly these bindings of the user; an unknown user has none to store.

    Whether any are stored now.
    """
    connection.execute(sa.delete(bindings).where(bindings.c.user_id == user_id))
    # He may have been deleted while this waited for the writer.
    known = sa.select(users.c.id).where(users.c.id == user_id)
    if not live or connection.scalar(known) is None:
        return False
    connection.execute(
        sa.insert(bindings),
        [
            {"user_id": user_id, "position": position, "data": encode(binding)}
            for position, binding in enumerate(live)
        ],
    )
    return True
