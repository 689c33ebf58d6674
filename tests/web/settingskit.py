"""User groups that set something for their members."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from sipxd.service.account_requests import UserChange
from sipxd.store import user_groups as store
from sipxd.store.schema import user_groups


async def make_group(house: Any, name: str, *, weight: int = 1, **data: Any) -> int:
    """The id of a user group, made where it is not there, with ``settings`` and ``permissions``."""

    def write(connection: sa.Connection) -> int | None:
        store.add_missing(connection, [name])
        row = {"weight": weight, "data": json.dumps(data)}
        change = sa.update(user_groups).where(user_groups.c.name == name).values(row)
        return connection.scalar(change.returning(user_groups.c.id))

    group_id: int = await house.app.store.write("group", write)
    for user in house.app.accounts.all():
        if name in user.groups:  # what he may do is found out when he is changed
            await house.app.accounts.change(user.name, UserChange(first_name="x"))
    return group_id
