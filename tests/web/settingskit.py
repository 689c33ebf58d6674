"""User groups that set something for their members."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from sipxd.service.account_requests import UserChange
from sipxd.store.schema import user_groups


async def make_group(house: Any, name: str, *, weight: int = 1, **data: Any) -> int:
    """The id of a new user group with these ``settings`` and ``permissions``."""

    def insert(connection: sa.Connection) -> int | None:
        row = {"name": name, "weight": weight, "data": json.dumps(data)}
        return connection.scalar(sa.insert(user_groups).values(row).returning(user_groups.c.id))

    group_id: int = await house.app.store.write("group", insert)
    for user in house.app.accounts.all():
        if name in user.groups:  # what he may do is found out when he is changed
            await house.app.accounts.change(user.name, UserChange(first_name="x"))
    return group_id
