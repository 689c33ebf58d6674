"""The schedules of users, user groups and the house; the live table stands in ``service``."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.schedule import Period, Schedule
from sipxd.errors import Conflict, NotFound
from sipxd.store.plain import decode, encode
from sipxd.store.schema import schedules, user_groups, users


def every(connection: sa.Connection) -> list[Schedule]:
    """All schedules, ordered by id."""
    return [
        Schedule(
            id=row.id,
            name=row.name,
            periods=tuple(msgspec.convert(decode(row.periods), list[Period])),
            description=row.description,
            user_id=row.user_id,
            group=row.group_name,
        )
        for row in connection.execute(sa.select(schedules).order_by(schedules.c.id))
    ]


def add(connection: sa.Connection, new: Schedule) -> Schedule:
    """Insert a schedule and give it back with its id (that of ``new`` is ignored).

    Raises NotFound when its user does not exist, Conflict when its owner has one of that name.
    """
    if new.user_id is not None:
        known = sa.select(users.c.id).where(users.c.id == new.user_id)
        if connection.scalar(known) is None:
            raise NotFound("there is no such user any more", field="user")
    _refuse_taken(connection, new, own_id=None)
    schedule_id = connection.scalar(
        sa.insert(schedules).values(_row(new)).returning(schedules.c.id)
    )
    assert schedule_id is not None
    return attrs.evolve(new, id=schedule_id)


def replace(connection: sa.Connection, schedule: Schedule) -> None:
    """Replace everything of the schedule with that id. Raises NotFound, Conflict."""
    _refuse_taken(connection, schedule, own_id=schedule.id)
    done = connection.execute(
        sa.update(schedules).where(schedules.c.id == schedule.id).values(_row(schedule))
    )
    if not done.rowcount:
        raise NotFound("there is no such schedule", field="schedule")


def delete(connection: sa.Connection, schedule_id: int) -> bool:
    """Delete a schedule; False when there is none."""
    done = connection.execute(sa.delete(schedules).where(schedules.c.id == schedule_id))
    return bool(done.rowcount)


def groups(connection: sa.Connection) -> dict[int, str]:
    """The names of the user groups, by their ids."""
    rows = connection.execute(sa.select(user_groups.c.id, user_groups.c.name))
    return {row.id: row.name for row in rows}


def _row(schedule: Schedule) -> dict[str, Any]:
    return {
        "user_id": schedule.user_id,
        "group_name": schedule.group,
        "name": schedule.name,
        "description": schedule.description,
        "periods": encode(schedule.periods),
    }


def _refuse_taken(connection: sa.Connection, schedule: Schedule, own_id: int | None) -> None:
    query = sa.select(schedules.c.id).where(
        schedules.c.name == schedule.name,
        schedules.c.user_id.is_not_distinct_from(schedule.user_id),
        schedules.c.group_name.is_not_distinct_from(schedule.group),
    )
    if own_id is not None:
        query = query.where(schedules.c.id != own_id)
    if connection.scalar(query) is not None:
        raise Conflict(
            f"there is already a schedule {schedule.name!r}; choose another name", field="name"
        )
