"""The one name space of users, hunt groups, conferences and park orbits: whatever may be dialled
belongs to one of them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from sipxd.errors import Conflict
from sipxd.store.schema import call_groups, conferences, names, park_orbits

_OTHERS = (
    (call_groups, ("name", "extension", "did"), "hunt group"),
    (conferences, ("name", "extension"), "conference"),
    (park_orbits, ("name", "extension"), "park orbit"),
)
"""What has names beside users, and the columns where those are."""


def of_no_user(connection: sa.Connection) -> dict[str, str]:
    """Every name that belongs to something else than a user, and what that is."""
    return {
        name: what
        for table, columns, what in _OTHERS
        for column in columns
        for name in connection.scalars(sa.select(table.c[column]))
        if name
    }


def refuse_taken(
    connection: sa.Connection,
    wanted: Iterable[tuple[str, str]],
    *,
    user_id: int | None = None,
    group_id: int | None = None,
    conference_id: int | None = None,
    orbit_id: int | None = None,
) -> None:
    """Raise Conflict when one of the ``wanted`` names belongs to somebody else.

    They come with the field that each stands in, the one that is to be named first at the front.
    One of the ids says whose names they shall be; none of them: of somebody new.
    """
    fields = list(wanted)
    asked = [name for name, _ in fields]
    of_users = sa.select(names.c.name).where(names.c.name.in_(asked))
    if user_id is not None:
        of_users = of_users.where(names.c.user_id != user_id)
    _refuse(connection.scalars(of_users), fields, "the name or alias of another user")
    own_ids = (group_id, conference_id, orbit_id)
    for (table, columns, what), own_id in zip(_OTHERS, own_ids, strict=True):
        for column in columns:
            of_others = sa.select(table.c[column]).where(table.c[column].in_(asked))
            if own_id is not None:
                of_others = of_others.where(table.c.id != own_id)
            _refuse(connection.scalars(of_others), fields, f"the name or number of a {what}")


def _refuse(found: Iterable[str], fields: list[tuple[str, str]], whose: str) -> None:
    taken = sorted(set(found))
    if taken:
        field = next(field for name, field in fields if name in taken)
        raise Conflict(f"{', '.join(taken)} is already {whose}; choose another", field=field)
