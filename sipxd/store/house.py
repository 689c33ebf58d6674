"""What an administrator has set for the whole house, by its name."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sipxd.store.plain import decode, encode
from sipxd.store.schema import house


def get(connection: sa.Connection, name: str) -> Any:
    """What is set, as plain data; None: nothing."""
    text = connection.scalar(sa.select(house.c.value).where(house.c.name == name))
    return None if text is None else decode(text)


def save(connection: sa.Connection, name: str, value: Any) -> None:
    """Replace what is set; None: nothing is."""
    connection.execute(sa.delete(house).where(house.c.name == name))
    if value is not None:
        connection.execute(sa.insert(house).values(name=name, value=encode(value)))
