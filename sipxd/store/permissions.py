"""Permissions that administrators have made, and what groups set."""

from __future__ import annotations

import sqlalchemy as sa

from sipxd.directory.permission import BUILT_IN, Permission, PermissionRules
from sipxd.errors import Conflict
from sipxd.store.plain import decode, encode
from sipxd.store.schema import permissions, user_groups, users

PREFIX = "perm_"
"""How the names of made permissions begin; their number follows."""


def every(connection: sa.Connection) -> list[Permission]:
    """Those that exist always, and those that were made, ordered by name."""
    made = connection.execute(sa.select(permissions))
    found = [
        *BUILT_IN.values(),
        *(
            Permission(f"{PREFIX}{row.number}", row.label, row.default, description=row.description)
            for row in made
        ),
    ]
    return sorted(found, key=lambda permission: permission.name)


def rules(connection: sa.Connection) -> PermissionRules:
    """What decides where a user has nothing set himself."""
    by_group = {
        row.name: decode(row.data).get("permissions", {})
        for row in connection.execute(
            sa.select(user_groups.c.name, user_groups.c.data).order_by(
                user_groups.c.weight, user_groups.c.id
            )
        )
    }
    return PermissionRules({each.name: each.default for each in every(connection)}, by_group)


def add(connection: sa.Connection, new: Permission) -> Permission:
    """Make a permission (its name is ignored). Raises Conflict where the label is taken."""
    _refuse_taken(connection, new)
    number = connection.scalar(
        sa.insert(permissions)
        .values(label=new.label, description=new.description, default=new.default)
        .returning(permissions.c.number)
    )
    return Permission(f"{PREFIX}{number}", new.label, new.default, description=new.description)


def replace(connection: sa.Connection, changed: Permission) -> None:
    """Replace the made permission of that name. Raises Conflict where the label is taken."""
    _refuse_taken(connection, changed)
    connection.execute(
        sa.update(permissions)
        .where(permissions.c.number == _number(changed.name))
        .values(label=changed.label, description=changed.description, default=changed.default)
    )


def delete(connection: sa.Connection, name: str) -> None:
    """Delete the made permission of that name; nobody has it any more, whoever granted it."""
    where = permissions.c.number == _number(name)
    connection.execute(sa.delete(permissions).where(where))
    for column in (users.c.permissions, users.c.denied):
        having = sa.select(users.c.id, column).where(column.contains(f'"{name}"', autoescape=True))
        for user_id, text in connection.execute(having).all():
            left = [each for each in decode(text) if each != name]
            change = {column.name: encode(left)}
            connection.execute(sa.update(users).where(users.c.id == user_id).values(change))
    for row in connection.execute(sa.select(user_groups.c.id, user_groups.c.data)).all():
        data = decode(row.data)
        if data.get("permissions", {}).pop(name, None) is not None:
            change = {"data": encode(data)}
            connection.execute(
                sa.update(user_groups).where(user_groups.c.id == row.id).values(change)
            )


def _refuse_taken(connection: sa.Connection, wanted: Permission) -> None:
    for known in every(connection):
        if known.label == wanted.label and known.name != wanted.name:
            raise Conflict(f"the label {wanted.label} is taken", field="label")


def _number(name: str) -> int:
    digits = name.removeprefix(PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else -1
