"""Many users at once: new ones in parts, and the whole of an import at its end.

One transaction for 10,000 users would let everybody else wait for the database, telephones that
register among them.  So new users are stored part by part, arriving: they have their names, and
nobody finds them.  One short transaction ends the import, and they are there, all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from sipxd.errors import Conflict
from sipxd.store import user_groups
from sipxd.store.names import refuse_taken
from sipxd.store.schema import arriving_users, memberships, names, users
from sipxd.store.users import StoredUser, columns_of

PART = 50
"""Users in one transaction, which takes about 5 ms."""


AT_ONCE = 1000
"""Names that are asked for in one query."""

_COMPARED = (
    "first_name",
    "last_name",
    "email",
    "permissions",
    "denied",
    "enabled",
    "pin_hash",
    "sip_password",
    "flow",
)
"""Columns in which a change by somebody else shows. None of them is ever null."""
_REPLACED = (*_COMPARED, "ha1")


def owners(connection: sa.Connection) -> dict[str, str]:
    """Every user name and alias, and the name of the user whom it belongs to."""
    rows = connection.execute(sa.select(names).order_by(names.c.position)).all()
    name_of: dict[int, str] = {}
    for row in rows:
        name_of.setdefault(row.user_id, row.name)
    return {row.name: name_of[row.user_id] for row in rows}


def add(connection: sa.Connection, new: Sequence[StoredUser]) -> list[int]:
    """Store new users, arriving, and give their ids.

    Raises Conflict where a name belongs to somebody by now.
    """
    wanted = [(each, "name") for one in new for each in (one.user.name, *one.user.aliases)]
    refuse_taken(connection, wanted)
    ids = connection.scalars(
        sa.insert(users).returning(users.c.id, sort_by_parameter_order=True),
        [columns_of(each) for each in new],
    )
    placed = [
        attrs.evolve(each, user=attrs.evolve(each.user, id=user_id))
        for each, user_id in zip(new, ids, strict=True)
    ]
    connection.execute(sa.insert(arriving_users), [{"user_id": each.user.id} for each in placed])
    _add_names(connection, placed)
    _add_memberships(connection, placed)
    return [each.user.id for each in placed]


def finish(connection: sa.Connection, changes: Changes, groups: Iterable[str]) -> None:
    """Whoever is arriving has arrived; the groups named are made where they are not there.

    Raises Conflict as ``update``.
    """
    update(connection, changes)
    connection.execute(sa.delete(arriving_users))
    user_groups.add_missing(connection, groups)


def give_up(connection: sa.Connection) -> bool:
    """Delete a part of those who are arriving; False when there was nobody left."""
    ids = connection.scalars(sa.select(arriving_users.c.user_id).limit(PART)).all()
    if ids:
        connection.execute(sa.delete(users).where(users.c.id.in_(ids)))
    return bool(ids)


@attrs.frozen
class Changes:
    """What becomes of users who are there, worked out before, so that storing it is quick.

    Preparing the parameters takes three times as long as the database needs for its work.
    """

    statement: str
    parameters: list[Any]
    renamed: list[StoredUser]
    moved: list[StoredUser]
    new_names: list[tuple[str, str]]
    ids: list[int]

    @classmethod
    def of(
        cls, connection: sa.Connection, pairs: Iterable[tuple[StoredUser, StoredUser]]
    ) -> Changes:
        """Each of the users as he was, and as he shall be."""
        changed = [(old, new) for old, new in pairs if old != new]
        same = [users.c[name] == sa.bindparam(f"old_{name}") for name in _COMPARED]
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _REPLACED}
        own = users.c.id == sa.bindparam("own_id")
        compiled = sa.update(users).where(own, *same).values(values).compile(connection)
        rows: list[Any] = [_parameters(old, new) for old, new in changed]
        if (order := compiled.positiontup) is not None:
            rows = [tuple(row[name] for name in order) for row in rows]
        return cls(
            str(compiled),
            rows,
            [new for old, new in changed if old.user.aliases != new.user.aliases],
            [new for old, new in changed if old.user.groups != new.user.groups],
            [
                (name, "aliases")
                for old, new in changed
                for name in new.user.aliases
                if name not in old.user.aliases
            ],
            [new.user.id for _, new in changed],
        )


def _parameters(old: StoredUser, new: StoredUser) -> dict[str, Any]:
    was, shall = columns_of(old), columns_of(new)
    row = {f"old_{name}": was[name] for name in _COMPARED}
    row |= {f"new_{name}": shall[name] for name in _REPLACED}
    return {**row, "own_id": new.user.id}


def update(connection: sa.Connection, changes: Changes) -> None:
    """Store the changes. Raises Conflict where somebody else has changed one of these users since,
    or has one of their names by now."""
    if not changes.ids:
        return
    done = connection.exec_driver_sql(changes.statement, changes.parameters)
    if done.rowcount != len(changes.ids):
        raise Conflict("users have been changed in the meantime, nothing was stored; try again")
    for table, changed in ((names, changes.renamed), (memberships, changes.moved)):
        if changed:
            own = table.c.user_id == sa.bindparam("own_id")
            own_ids = [{"own_id": each.user.id} for each in changed]
            connection.execute(sa.delete(table).where(own), own_ids)
    for start in range(0, len(changes.new_names), AT_ONCE):
        refuse_taken(connection, changes.new_names[start : start + AT_ONCE])
    _add_names(connection, changes.renamed)
    _add_memberships(connection, changes.moved)


def _add_names(connection: sa.Connection, placed: Iterable[StoredUser]) -> None:
    rows = [
        {"name": name, "user_id": each.user.id, "position": position}
        for each in placed
        for position, name in enumerate((each.user.name, *each.user.aliases))
    ]
    if rows:
        connection.execute(sa.insert(names), rows)


def _add_memberships(connection: sa.Connection, placed: Iterable[StoredUser]) -> None:
    rows = [
        {"group_name": name, "user_id": each.user.id, "position": position}
        for each in placed
        for position, name in enumerate(each.user.groups)
    ]
    if rows:
        connection.execute(sa.insert(memberships), rows)
