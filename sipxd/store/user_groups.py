"""User groups, and who is in them. Users name their groups: a new name goes wherever the old is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.user_group import UserGroup
from sipxd.errors import Conflict, NotFound
from sipxd.store import phonebooks
from sipxd.store.plain import decode, encode
from sipxd.store.schema import house, memberships, schedules, user_groups
from sipxd.store.settings import SPEED_DIAL


def every(connection: sa.Connection) -> list[UserGroup]:
    """All groups, in the order in which they count."""
    rows = connection.execute(
        sa.select(user_groups).order_by(user_groups.c.weight, user_groups.c.id)
    )
    return [
        msgspec.convert(
            decode(row.data)
            | {"id": row.id, "name": row.name, "weight": row.weight, "branch": row.branch_id},
            UserGroup,
        )
        for row in rows
    ]


def add(connection: sa.Connection, new: UserGroup) -> UserGroup:
    """Insert a group behind all others, and give it back with its id and weight.

    Raises Conflict: the name is taken.
    """
    _refuse_taken(connection, new.name, None)
    weight = (connection.scalar(sa.select(sa.func.max(user_groups.c.weight))) or 0) + 1
    placed = attrs.evolve(new, weight=weight)
    group_id = connection.scalar(
        sa.insert(user_groups).values(_row(placed)).returning(user_groups.c.id)
    )
    assert group_id is not None
    return attrs.evolve(placed, id=group_id)


def add_missing(connection: sa.Connection, names: Iterable[str]) -> None:
    """Make the groups of these names that are not there."""
    wanted = dict.fromkeys(names)
    if not wanted:
        return
    present = set(
        connection.scalars(sa.select(user_groups.c.name).where(user_groups.c.name.in_(wanted)))
    )
    for name in wanted:
        if name not in present:
            add(connection, UserGroup(0, name))


def replace(connection: sa.Connection, old: UserGroup, new: UserGroup) -> None:
    """Replace everything of the group ``old``. Raises NotFound, Conflict."""
    _refuse_taken(connection, new.name, old.id)
    done = connection.execute(
        sa.update(user_groups).where(user_groups.c.id == old.id).values(_row(new))
    )
    if not done.rowcount:
        raise NotFound(f"there is no user group with the id {old.id}", field="group")
    if new.name == old.name:
        return
    for table in (memberships, schedules):
        of_it = table.c.group_name == old.name
        connection.execute(sa.update(table).where(of_it).values(group_name=new.name))
    phonebooks.rename_group(connection, old.name, new.name)


def delete(connection: sa.Connection, group: UserGroup) -> None:
    """Delete a group, its schedules and its buttons; its members are in it no more."""
    connection.execute(sa.delete(user_groups).where(user_groups.c.id == group.id))
    for table in (memberships, schedules):
        connection.execute(sa.delete(table).where(table.c.group_name == group.name))
    phonebooks.rename_group(connection, group.name, None)
    connection.execute(sa.delete(house).where(house.c.name == f"{SPEED_DIAL}/{group.id}"))


def _row(group: UserGroup) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(group)
    del data["id"]
    row = {"name": data.pop("name"), "weight": data.pop("weight")}
    return row | {"branch_id": data.pop("branch"), "data": encode(data)}


def _refuse_taken(connection: sa.Connection, name: str, own_id: int | None) -> None:
    query = sa.select(user_groups.c.id).where(user_groups.c.name == name)
    if own_id is not None:
        query = query.where(user_groups.c.id != own_id)
    if connection.scalar(query) is not None:
        raise Conflict(f"there is already a user group {name!r}; choose another", field="name")
