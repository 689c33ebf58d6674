"""The one name space of users and hunt groups: whatever may be dialled belongs to one of them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from sipxd.errors import Conflict
from sipxd.store.schema import call_groups, names


def refuse_taken(
    connection: sa.Connection,
    wanted: Iterable[tuple[str, str]],
    *,
    user_id: int | None = None,
    group_id: int | None = None,
) -> None:
    """Raise Conflict when one of the ``wanted`` names belongs to another user or hunt group.

    They come with the field that each stands in, the one that is to be named first at the front.
    ``user_id`` or ``group_id`` is whose names they shall be; neither: of somebody new.
    """
    fields = list(wanted)
    asked = [name for name, _ in fields]
    of_users = sa.select(names.c.name).where(names.c.name.in_(asked))
    if user_id is not None:
        of_users = of_users.where(names.c.user_id != user_id)
    _refuse(connection.scalars(of_users), fields, "the name or alias of another user")
    for column in (call_groups.c.name, call_groups.c.extension, call_groups.c.did):
        of_groups = sa.select(column).where(column.in_(asked))
        if group_id is not None:
            of_groups = of_groups.where(call_groups.c.id != group_id)
        _refuse(connection.scalars(of_groups), fields, "the name or number of a hunt group")


def _refuse(found: Iterable[str], fields: list[tuple[str, str]], whose: str) -> None:
    taken = sorted(set(found))
    if taken:
        field = next(field for name, field in fields if name in taken)
        raise Conflict(f"{', '.join(taken)} is already {whose}; choose another", field=field)
