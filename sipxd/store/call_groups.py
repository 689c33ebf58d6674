"""The hunt groups. What nobody searches for is one JSON text; the live table is in ``service``."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.call_group import CallGroup, renamed
from sipxd.errors import BadInput, NotFound, PreconditionFailed
from sipxd.store.names import refuse_taken
from sipxd.store.plain import decode, encode
from sipxd.store.schema import call_groups, names

_COLUMNS = ("id", "name", "extension", "did", "version")


def every(connection: sa.Connection) -> list[CallGroup]:
    """All groups, ordered by id."""
    rows = connection.execute(sa.select(call_groups).order_by(call_groups.c.id))
    return [_group(row) for row in rows]


def add(connection: sa.Connection, new: CallGroup) -> CallGroup:
    """Insert a group and give it back with its id and version (those of ``new`` are ignored).

    Raises Conflict when a name of it is taken, BadInput when a member does not exist.
    """
    _check(connection, new, own_id=None)
    new = attrs.evolve(new, version=1)
    group_id = connection.scalar(
        sa.insert(call_groups).values(_row(new)).returning(call_groups.c.id)
    )
    assert group_id is not None
    return attrs.evolve(new, id=group_id)


def replace(
    connection: sa.Connection, group: CallGroup, *, if_version: int | None = None
) -> CallGroup:
    """Replace everything of the group with that id and give it back with its new version.

    Raises NotFound, PreconditionFailed when its version is not ``if_version``, and as ``add``.
    """
    version = _version(connection, group.id, if_version)
    _check(connection, group, own_id=group.id)
    new = attrs.evolve(group, version=version + 1)
    _write(connection, new)
    return new


def delete(connection: sa.Connection, group_id: int, *, if_version: int | None = None) -> None:
    """Delete a group. Raises NotFound, PreconditionFailed (its version is not ``if_version``)."""
    _version(connection, group_id, if_version)
    connection.execute(sa.delete(call_groups).where(call_groups.c.id == group_id))


def rename_member(connection: sa.Connection, old: str, new: str | None) -> None:
    """The user ``old`` is called ``new`` from now on; None: there is no such user any more.

    He keeps his place in every group, or leaves it.
    """
    for group in every(connection):
        after = renamed(group, old, new)
        if after is not group:
            _write(connection, after)


def _group(row: Any) -> CallGroup:
    data = decode(row.data) | {column: getattr(row, column) for column in _COLUMNS}
    return msgspec.convert(data, CallGroup)


def _row(group: CallGroup) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(group)
    row = {column: data.pop(column) for column in _COLUMNS}
    del row["id"]
    return row | {"data": encode(data)}


def _write(connection: sa.Connection, group: CallGroup) -> None:
    connection.execute(
        sa.update(call_groups).where(call_groups.c.id == group.id).values(_row(group))
    )


def _version(connection: sa.Connection, group_id: int, if_version: int | None) -> int:
    query = sa.select(call_groups.c.version).where(call_groups.c.id == group_id)
    version: int | None = connection.scalar(query.with_for_update())
    if version is None:
        raise NotFound("there is no such hunt group", field="id")
    if if_version not in (None, version):
        raise PreconditionFailed("the hunt group has been changed meanwhile; read it again")
    return version


def _check(connection: sa.Connection, group: CallGroup, own_id: int | None) -> None:
    fields = ((group.name, "name"), (group.extension, "extension"), (group.did, "did"))
    refuse_taken(connection, [each for each in fields if each[0]], group_id=own_id)
    members = {member.user for member in group.members}
    known = sa.select(names.c.name).where(names.c.position == 0, names.c.name.in_(members))
    unknown = members - set(connection.scalars(known))
    for index, member in enumerate(group.members):
        if member.user in unknown:
            raise no_such_member(index, member.user)


def no_such_member(index: int, name: str) -> BadInput:
    """What is wrong with a member that is nobody's name."""
    return BadInput(
        f"there is no user {name[:80]!r}; a hunt group rings users only",
        field=f"members[{index}].user",
    )
