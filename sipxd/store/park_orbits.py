"""The park orbits. What nobody searches for is one JSON text; the live table is in ``service``."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.park_orbit import ParkOrbit
from sipxd.errors import NotFound
from sipxd.store.names import refuse_taken
from sipxd.store.plain import decode, encode
from sipxd.store.schema import park_orbits

_COLUMNS = ("id", "name", "extension")


def every(connection: sa.Connection) -> list[ParkOrbit]:
    """All orbits, the oldest first."""
    rows = connection.execute(sa.select(park_orbits).order_by(park_orbits.c.id))
    return [
        msgspec.convert(
            decode(row.data) | {column: getattr(row, column) for column in _COLUMNS}, ParkOrbit
        )
        for row in rows
    ]


def add(connection: sa.Connection, new: ParkOrbit) -> ParkOrbit:
    """Insert an orbit and give it back with its id (that of ``new`` is ignored).

    Raises Conflict when its name or extension is taken.
    """
    _refuse_taken(connection, new, own_id=None)
    orbit_id = connection.scalar(
        sa.insert(park_orbits).values(_row(new)).returning(park_orbits.c.id)
    )
    assert orbit_id is not None
    return attrs.evolve(new, id=orbit_id)


def replace(connection: sa.Connection, orbit: ParkOrbit) -> None:
    """Replace everything of the orbit with that id. Raises NotFound, Conflict."""
    _refuse_taken(connection, orbit, own_id=orbit.id)
    done = connection.execute(
        sa.update(park_orbits).where(park_orbits.c.id == orbit.id).values(_row(orbit))
    )
    if not done.rowcount:
        raise NotFound("there is no such park orbit", field="id")


def delete(connection: sa.Connection, orbit_ids: list[int]) -> None:
    """Delete these orbits."""
    connection.execute(sa.delete(park_orbits).where(park_orbits.c.id.in_(orbit_ids)))


def _row(orbit: ParkOrbit) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(orbit)
    row = {column: data.pop(column) for column in _COLUMNS}
    del row["id"]
    return row | {"data": encode(data)}


def _refuse_taken(connection: sa.Connection, orbit: ParkOrbit, own_id: int | None) -> None:
    fields = [(orbit.name, "name"), (orbit.extension, "extension")]
    refuse_taken(connection, fields, orbit_id=own_id)
