"""Users, their names, groups and secrets.

Secrets are stored as they come: the PIN as an argon2id hash, the SIP password as sealed by the
vault.  Clear text never reaches this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.store import permissions, user_groups
from sipxd.store.names import refuse_taken
from sipxd.store.schema import arriving_users, memberships, names, users


@attrs.frozen
class StoredUser:
    """A user with his secrets."""

    user: User
    pin_hash: str = attrs.field(repr=False)
    sip_password: bytes = attrs.field(repr=False)
    ha1: bytes | None = attrs.field(default=None, repr=False)
    """What HTTP Digest is checked with, sealed; None: it cannot be used."""


def add(connection: sa.Connection, new: StoredUser) -> User:
    """Insert the user and give him back with his id and permissions (those of ``new`` are ignored).

    Groups that are not there are made.  Raises Conflict when the name or an alias belongs to
    another user or a hunt group.
    """
    _refuse_taken(connection, new.user, own_id=None)
    user_id = connection.scalar(sa.insert(users).values(columns_of(new)).returning(users.c.id))
    assert user_id is not None
    user = attrs.evolve(new.user, id=user_id)
    _write_names(connection, user)
    return user.ruled_by(permissions.rules(connection))


def update(connection: sa.Connection, stored: StoredUser) -> None:
    """Replace everything of the user with the id ``stored.user.id``.

    Raises NotFound when there is none, Conflict when a name belongs to another user or hunt group.
    """
    user_id = stored.user.id
    _refuse_taken(connection, stored.user, own_id=user_id)
    done = connection.execute(
        sa.update(users).where(users.c.id == user_id).values(columns_of(stored))
    )
    if not done.rowcount:
        raise NotFound(f"there is no user {stored.user.name}")
    connection.execute(sa.delete(names).where(names.c.user_id == user_id))
    connection.execute(sa.delete(memberships).where(memberships.c.user_id == user_id))
    _write_names(connection, stored.user)


def save_voicemail_pin(connection: sa.Connection, user_id: int, pin_hash: str) -> None:
    """Replace the hash of the PIN of a voicemail box. Raises NotFound: the user is gone."""
    change = sa.update(users).where(users.c.id == user_id).values(voicemail_pin=pin_hash)
    if not connection.execute(change).rowcount:
        raise NotFound("there is no such user any more")


def delete(connection: sa.Connection, user_id: int) -> bool:
    """Delete the user and whatever is his alone; False when there is none."""
    return bool(connection.execute(sa.delete(users).where(users.c.id == user_id)).rowcount)


def every(connection: sa.Connection) -> list[StoredUser]:
    """All users, ordered by id."""
    return _load(connection, None)


def by_name(connection: sa.Connection, name: str) -> StoredUser | None:
    """The user with this name or alias, compared exactly, or None."""
    user_id = connection.scalar(sa.select(names.c.user_id).where(names.c.name == name))
    found = some(connection, [user_id]) if user_id is not None else []
    return found[0] if found else None


def some(connection: sa.Connection, ids: Sequence[int]) -> list[StoredUser]:
    """Those of the users with these ids who are there, ordered by id."""
    return _load(connection, ids)


def columns_of(stored: StoredUser) -> dict[str, Any]:
    """The columns of the user's row, without its id."""
    user = stored.user
    return {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "permissions": msgspec.json.encode(sorted(user.granted)).decode(),
        "denied": msgspec.json.encode(sorted(user.denied)).decode(),
        "enabled": user.enabled,
        "pin_hash": stored.pin_hash,
        "sip_password": stored.sip_password,
        "flow": user.flow,
        "branch_id": user.branch,
        "ha1": stored.ha1,
    }


def _refuse_taken(connection: sa.Connection, user: User, own_id: int | None) -> None:
    wanted = [(user.name, "name"), *((alias, "aliases") for alias in user.aliases)]
    refuse_taken(connection, wanted, user_id=own_id)


def _write_names(connection: sa.Connection, user: User) -> None:
    connection.execute(
        sa.insert(names),
        [
            {"name": name, "user_id": user.id, "position": position}
            for position, name in enumerate((user.name, *user.aliases))
        ],
    )
    if user.groups:
        user_groups.add_missing(connection, user.groups)
        connection.execute(
            sa.insert(memberships),
            [
                {"group_name": name, "user_id": user.id, "position": position}
                for position, name in enumerate(user.groups)
            ],
        )


def _load(connection: sa.Connection, ids: Sequence[int] | None) -> list[StoredUser]:
    arriving = sa.select(arriving_users.c.user_id)
    select_users = sa.select(users).where(users.c.id.not_in(arriving)).order_by(users.c.id)
    select_names = sa.select(names.c.user_id, names.c.name).order_by(names.c.position)
    select_groups = sa.select(memberships.c.user_id, memberships.c.group_name).order_by(
        memberships.c.position
    )
    if ids is not None:
        select_users = select_users.where(users.c.id.in_(ids))
        select_names = select_names.where(names.c.user_id.in_(ids))
        select_groups = select_groups.where(memberships.c.user_id.in_(ids))
    names_of: dict[int, list[str]] = {}
    for row in connection.execute(select_names):
        names_of.setdefault(row.user_id, []).append(row.name)
    rules = permissions.rules(connection)
    groups_of: dict[int, list[str]] = {}
    for row in connection.execute(select_groups):
        groups_of.setdefault(row.user_id, []).append(row.group_name)
    return [
        StoredUser(
            user=User(
                id=row.id,
                name=names_of[row.id][0],
                first_name=row.first_name,
                last_name=row.last_name,
                email=row.email,
                aliases=tuple(names_of[row.id][1:]),
                groups=tuple(groups_of.get(row.id, ())),
                granted=frozenset(msgspec.json.decode(row.permissions)),
                denied=frozenset(msgspec.json.decode(row.denied)),
                enabled=row.enabled,
                flow=row.flow,
                branch=row.branch_id,
            ).ruled_by(rules),
            pin_hash=row.pin_hash,
            sip_password=row.sip_password,
            ha1=row.ha1,
        )
        for row in connection.execute(select_users)
    ]
