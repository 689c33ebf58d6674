"""The conferences. What nobody searches for is one JSON text; the live table is in ``service``."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.conference import Conference
from sipxd.errors import BadInput, NotFound
from sipxd.store.names import refuse_taken
from sipxd.store.plain import decode, encode
from sipxd.store.schema import conferences, users


def every(connection: sa.Connection) -> list[Conference]:
    """All conferences, the oldest first."""
    rows = connection.execute(sa.select(conferences).order_by(conferences.c.id))
    return [
        msgspec.convert(
            decode(row.data)
            | {"id": row.id, "name": row.name, "extension": row.extension, "owner": row.owner_id},
            Conference,
        )
        for row in rows
    ]


def add(connection: sa.Connection, new: Conference) -> Conference:
    """Insert a conference and give it back with its id (that of ``new`` is ignored).

    Raises Conflict when its name or extension is taken, BadInput when its owner is gone.
    """
    _check(connection, new, own_id=None)
    conference_id = connection.scalar(
        sa.insert(conferences).values(_row(new)).returning(conferences.c.id)
    )
    assert conference_id is not None
    return attrs.evolve(new, id=conference_id)


def replace(connection: sa.Connection, conference: Conference) -> None:
    """Replace everything of the conference with that id. Raises as ``add``, NotFound."""
    _check(connection, conference, own_id=conference.id)
    where = conferences.c.id == conference.id
    done = connection.execute(sa.update(conferences).where(where).values(_row(conference)))
    if not done.rowcount:
        raise NotFound("there is no such conference", field="id")


def delete(connection: sa.Connection, conference_id: int) -> None:
    """Delete a conference."""
    connection.execute(sa.delete(conferences).where(conferences.c.id == conference_id))


def _row(conference: Conference) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(conference)
    row = {"name": data.pop("name"), "extension": data.pop("extension")}
    del data["id"]
    return row | {"owner_id": data.pop("owner"), "data": encode(data)}


def _check(connection: sa.Connection, conference: Conference, own_id: int | None) -> None:
    fields = [(conference.name, "name"), (conference.extension, "extension")]
    refuse_taken(connection, fields, conference_id=own_id)
    owner = conference.owner
    if owner is not None:
        found = sa.select(users.c.id).where(users.c.id == owner)
        if connection.scalar(found) is None:
            raise BadInput("there is no such user any more", field="owner")
