"""Telephones and their lines. What nobody searches for is one JSON text."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.telephone import Line, Telephone
from sipxd.errors import Conflict, NotFound
from sipxd.store.plain import decode, encode
from sipxd.store.schema import telephone_lines, telephones


def every(connection: sa.Connection) -> list[Telephone]:
    """All telephones, the oldest first."""
    return _those(connection, sa.true())


def get(connection: sa.Connection, telephone_id: int) -> Telephone:
    """Raises NotFound."""
    for telephone in _those(connection, telephones.c.id == telephone_id):
        return telephone
    raise NotFound("there is no such telephone any more", field="serialNumber")


def find(connection: sa.Connection, serial: str) -> Telephone | None:
    """The telephone with that serial number."""
    return next(iter(_those(connection, telephones.c.serial == serial)), None)


def _those(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Telephone]:
    lines: dict[int, list[Line]] = {}
    theirs = sa.select(telephone_lines).join(telephones).where(where)
    for row in connection.execute(theirs.order_by(telephone_lines.c.position)):
        line = Line(row.user_id, row.name, row.uri)
        lines.setdefault(row.telephone_id, []).append(line)
    return [
        msgspec.convert(
            decode(row.data)
            | {"id": row.id, "serial": row.serial, "lines": tuple(lines.get(row.id, ()))},
            Telephone,
        )
        for row in connection.execute(sa.select(telephones).where(where).order_by(telephones.c.id))
    ]


def add(connection: sa.Connection, new: Telephone) -> Telephone:
    """Insert a telephone and give it back with its id. Raises Conflict: the serial is taken."""
    _refuse_taken(connection, new.serial, None)
    telephone_id = connection.scalar(
        sa.insert(telephones).values(_row(new)).returning(telephones.c.id)
    )
    assert telephone_id is not None
    made = attrs.evolve(new, id=telephone_id)
    _write_lines(connection, made)
    return made


def replace(connection: sa.Connection, telephone: Telephone) -> None:
    """Replace everything of the telephone with that id. Raises NotFound, Conflict."""
    _refuse_taken(connection, telephone.serial, telephone.id)
    done = connection.execute(
        sa.update(telephones).where(telephones.c.id == telephone.id).values(_row(telephone))
    )
    if not done.rowcount:
        raise NotFound("there is no such telephone any more", field="serialNumber")
    connection.execute(
        sa.delete(telephone_lines).where(telephone_lines.c.telephone_id == telephone.id)
    )
    _write_lines(connection, telephone)


def delete(connection: sa.Connection, telephone_id: int) -> None:
    """Delete a telephone with its lines."""
    connection.execute(sa.delete(telephones).where(telephones.c.id == telephone_id))


def _row(telephone: Telephone) -> dict[str, Any]:
    data = {
        "model": telephone.model,
        "description": telephone.description,
        "version": telephone.version,
        "groups": telephone.groups,
    }
    return {"serial": telephone.serial, "data": encode(data)}


def _write_lines(connection: sa.Connection, telephone: Telephone) -> None:
    rows = [
        {
            "telephone_id": telephone.id,
            "position": position,
            "user_id": line.user_id,
            "name": line.name,
            "uri": line.uri,
        }
        for position, line in enumerate(telephone.lines)
    ]
    if rows:
        connection.execute(sa.insert(telephone_lines), rows)


def _refuse_taken(connection: sa.Connection, serial: str, own_id: int | None) -> None:
    query = sa.select(telephones.c.id).where(telephones.c.serial == serial)
    if own_id is not None:
        query = query.where(telephones.c.id != own_id)
    if connection.scalar(query) is not None:
        raise Conflict(
            f"there is already a telephone with the serial number {serial}", field="serialNumber"
        )
