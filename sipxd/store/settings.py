"""What users have set, by its path, and what their groups have set for those who have not.

Speed dials are kept with it, under paths of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from sipxd.directory.speed_dial import Button
from sipxd.errors import NotFound
from sipxd.store.plain import decode, encode
from sipxd.store.schema import house, settings, user_groups, users

SPEED_DIAL = "speed-dial"
"""Where the buttons of a user are; ``speed-dial/ID`` in ``house`` has those of a group."""


def of(connection: sa.Connection, user_id: int) -> dict[str, str]:
    """What a user has set himself, speed dials excepted."""
    query = sa.select(settings.c.path, settings.c.value).where(
        settings.c.user_id == user_id, settings.c.path != SPEED_DIAL
    )
    return {row.path: row.value for row in connection.execute(query)}


def of_groups(connection: sa.Connection, groups: Sequence[str]) -> list[dict[str, str]]:
    """What these groups have set, in the order in which they count."""
    return [decode(row.data).get("settings", {}) for row in _groups(connection, groups)]


def save(connection: sa.Connection, user_id: int, values: Mapping[str, str | None]) -> None:
    """Replace the values of these paths; of one that is None nothing is kept.

    Raises NotFound: the user is gone.
    """
    _require(connection, user_id)
    where = (settings.c.user_id == user_id) & settings.c.path.in_(list(values))
    connection.execute(sa.delete(settings).where(where))
    rows = [
        {"user_id": user_id, "path": path, "value": value}
        for path, value in values.items()
        if value is not None
    ]
    if rows:
        connection.execute(sa.insert(settings), rows)


def speed_dial(connection: sa.Connection, user_id: int) -> tuple[Button, ...] | None:
    """The buttons of a user himself; None: he has never set any."""
    query = sa.select(settings.c.value).where(
        settings.c.user_id == user_id, settings.c.path == SPEED_DIAL
    )
    return _buttons(connection.scalar(query))


def save_speed_dial(
    connection: sa.Connection, user_id: int, buttons: Sequence[Button] | None
) -> None:
    """Replace the buttons of a user; None: he has none himself. Raises NotFound: he is gone."""
    value = None if buttons is None else encode(_plain(buttons))
    save(connection, user_id, {SPEED_DIAL: value})


def speed_dial_of_groups(
    connection: sa.Connection, groups: Sequence[str]
) -> tuple[Button, ...] | None:
    """The buttons of the first of these groups that has some; None: none has."""
    for row in _groups(connection, groups):
        found = sa.select(house.c.value).where(house.c.name == f"{SPEED_DIAL}/{row.id}")
        buttons = _buttons(connection.scalar(found))
        if buttons is not None:
            return buttons
    return None


def save_speed_dial_of_group(
    connection: sa.Connection, group: str, buttons: Sequence[Button] | None
) -> None:
    """Replace the buttons of a user group; None: it has none. Raises NotFound."""
    found = _groups(connection, [group])
    if not found:
        raise NotFound(f"there is no user group {group[:80]!r}")
    name = f"{SPEED_DIAL}/{found[0].id}"
    connection.execute(sa.delete(house).where(house.c.name == name))
    if buttons is not None:
        row = {"name": name, "value": encode(_plain(buttons))}
        connection.execute(sa.insert(house).values(row))


def _groups(connection: sa.Connection, groups: Sequence[str]) -> Sequence[sa.Row[Any]]:
    query = sa.select(user_groups).where(user_groups.c.name.in_(groups))
    return connection.execute(query.order_by(user_groups.c.weight, user_groups.c.id)).all()


def _require(connection: sa.Connection, user_id: int) -> None:
    if connection.scalar(sa.select(users.c.id).where(users.c.id == user_id)) is None:
        raise NotFound("there is no such user any more")


def _plain(buttons: Sequence[Button]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = msgspec.to_builtins(list(buttons))
    return plain


def _buttons(text: str | None) -> tuple[Button, ...] | None:
    return None if text is None else msgspec.convert(decode(text), tuple[Button, ...])
