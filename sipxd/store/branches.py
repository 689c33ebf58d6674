"""Branches. What nobody searches for is one JSON text."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.branch import Branch
from sipxd.errors import Conflict, NotFound
from sipxd.store.plain import decode, encode
from sipxd.store.schema import branches, users

_COLUMNS = ("id", "name")


def every(connection: sa.Connection) -> dict[int, Branch]:
    """All branches by their ids, ordered by name."""
    rows = connection.execute(sa.select(branches).order_by(branches.c.name))
    return {
        row.id: msgspec.convert(decode(row.data) | {"id": row.id, "name": row.name}, Branch)
        for row in rows
    }


def get(connection: sa.Connection, branch_id: int) -> Branch:
    """The branch with that id. Raises NotFound."""
    found = every(connection).get(branch_id)
    if found is None:
        raise NotFound(f"there is no branch with the id {branch_id}", field="branch")
    return found


def add(connection: sa.Connection, new: Branch) -> Branch:
    """Insert a branch and give it back with its id. Raises Conflict: the name is taken."""
    _refuse_taken(connection, new.name, None)
    branch_id = connection.scalar(sa.insert(branches).values(_row(new)).returning(branches.c.id))
    assert branch_id is not None
    return attrs.evolve(new, id=branch_id)


def replace(connection: sa.Connection, branch: Branch) -> None:
    """Replace everything of the branch with that id. Raises NotFound, Conflict."""
    _refuse_taken(connection, branch.name, branch.id)
    done = connection.execute(
        sa.update(branches).where(branches.c.id == branch.id).values(_row(branch))
    )
    if not done.rowcount:
        raise NotFound(f"there is no branch with the id {branch.id}", field="branch")


def delete(connection: sa.Connection, branch_id: int) -> None:
    """Delete a branch; its users and groups have none from now on. Raises NotFound."""
    if not connection.execute(sa.delete(branches).where(branches.c.id == branch_id)).rowcount:
        raise NotFound(f"there is no branch with the id {branch_id}", field="branch")
    of_it = users.c.branch_id == branch_id
    connection.execute(sa.update(users).where(of_it).values(branch_id=None))


def _row(branch: Branch) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(branch)
    row = {column: data.pop(column) for column in _COLUMNS}
    return {"name": row["name"], "data": encode(data)}


def _refuse_taken(connection: sa.Connection, name: str, own_id: int | None) -> None:
    query = sa.select(branches.c.id).where(branches.c.name == name)
    if own_id is not None:
        query = query.where(branches.c.id != own_id)
    if connection.scalar(query) is not None:
        raise Conflict(f"there is already a branch {name!r}; choose another name", field="name")
