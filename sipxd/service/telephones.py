"""Telephones, which are stored for clients that look after them; none is provisioned from here."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from sipxd.directory.telephone import MAX_LINES, Telephone, is_model, is_serial
from sipxd.errors import BadInput
from sipxd.store import telephones as stored
from sipxd.store.store import Store

MAX_TEXT = 255
MAX_GROUPS = 50


class Telephones:
    """Read when somebody asks: no call goes by any of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[Telephone]:
        """Every telephone, the oldest first."""
        return await self._store.read("telephones", stored.every)

    async def find(self, serial: str) -> Telephone | None:
        """The telephone with that serial number."""
        return await self._store.read("telephone", lambda c: stored.find(c, serial))

    async def add(self, new: Telephone) -> Telephone:
        """Store a telephone (its id is ignored). Raises BadInput, Conflict, Overloaded."""
        _check(new)
        return await self._store.write("telephone.add", lambda c: stored.add(c, new))

    async def change(self, telephone_id: int, make: Callable[[Telephone], Telephone]) -> None:
        """Store what ``make`` makes of the present telephone. Raises as ``add``, NotFound."""

        def change(connection: sa.Connection) -> None:
            new = make(stored.get(connection, telephone_id))
            _check(new)
            stored.replace(connection, new)

        await self._store.write("telephone.change", change)

    async def delete(self, telephone_id: int) -> None:
        """Delete a telephone with its lines."""
        await self._store.write("telephone.delete", lambda c: stored.delete(c, telephone_id))


def _check(telephone: Telephone) -> None:
    if not is_serial(telephone.serial):
        raise BadInput(
            f"serialNumber must have 12 hexadecimal digits, not {telephone.serial[:40]!r}",
            field="serialNumber",
        )
    if not is_model(telephone.model):
        raise BadInput(f"phone model doesn't exist: {telephone.model[:40]}", field="modelId")
    if len(telephone.lines) > MAX_LINES or len(telephone.groups) > MAX_GROUPS:
        raise BadInput(
            f"a telephone has at most {MAX_LINES} lines and {MAX_GROUPS} groups", field="lines"
        )
    texts = [("description", telephone.description), ("deviceVersion", telephone.version)]
    texts += [("groups", name) for name in telephone.groups]
    for line in telephone.lines:
        texts += [("userId", line.name), ("registrationServer", line.uri)]
    for field, text in texts:
        if len(text) > MAX_TEXT or not text.isprintable():
            raise BadInput(
                f"{field} must have at most {MAX_TEXT} printable characters", field=field
            )
