"""Many users at once: new ones in parts, and the whole of an import at its end.

One transaction for 10,000 users would let everybody else wait for the database, telephones that
register among them.  So new users are stored part by part, arriving: they have their names, and
nobody finds them.  One short transaction ends the import, and they are there, all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import sqlalchemy as sa

from sipxd.directory.permission import PermissionRules
from sipxd.store import permissions, user_groups
from sipxd.store.names import refuse_taken
from sipxd.store.schema import arriving_users, memberships, names, users
from sipxd.store.users import StoredUser, columns_of

PART = 50
"""Users in one transaction, which takes about 5 ms."""


def owners(connection: sa.Connection) -> dict[str, str]:
    """Every user name and alias, and the name of the user whom it belongs to."""
    rows = connection.execute(sa.select(names).order_by(names.c.position)).all()
    name_of: dict[int, str] = {}
    for row in rows:
        name_of.setdefault(row.user_id, row.name)
    return {row.name: name_of[row.user_id] for row in rows}


def add(connection: sa.Connection, new: Sequence[StoredUser]) -> list[StoredUser]:
    """Store new users, arriving, and give them back with their ids.

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
    return placed


def finish(connection: sa.Connection, groups: Iterable[str]) -> PermissionRules:
    """Whoever is arriving has arrived; the groups named are made where they are not there.

    Gives what decides about the permissions of all.
    """
    connection.execute(sa.delete(arriving_users))
    user_groups.add_missing(connection, groups)
    return permissions.rules(connection)


def give_up(connection: sa.Connection) -> bool:
    """Delete a part of those who are arriving; False when there was nobody left."""
    ids = connection.scalars(sa.select(arriving_users.c.user_id).limit(PART)).all()
    if ids:
        connection.execute(sa.delete(users).where(users.c.id.in_(ids)))
    return bool(ids)


def update(connection: sa.Connection, pairs: Sequence[tuple[StoredUser, StoredUser]]) -> None:
    """Replace each of the users, as they were, by what has become of him.

    That nobody else has the names was found out before, in the same transaction.
    """
    if not pairs:
        return
    rows = [{"own_id": new.user.id, **columns_of(new)} for _, new in pairs]
    own: sa.ColumnElement[bool] = users.c.id == sa.bindparam("own_id")
    # The other columns go by the keys of the rows.
    connection.execute(sa.update(users).where(own), rows)
    renamed = [new for old, new in pairs if old.user.aliases != new.user.aliases]
    moved = [new for old, new in pairs if old.user.groups != new.user.groups]
    for table, changed in ((names, renamed), (memberships, moved)):
        if changed:
            own = table.c.user_id == sa.bindparam("own_id")
            own_ids = [{"own_id": each.user.id} for each in changed]
            connection.execute(sa.delete(table).where(own), own_ids)
    _add_names(connection, renamed)
    _add_memberships(connection, moved)


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
