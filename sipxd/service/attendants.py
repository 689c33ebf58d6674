"""The special auto attendant and its mode, which are stored only: nothing answers callers here."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.attendant import ATTENDANTS, Special
from sipxd.errors import BadInput, Conflict
from sipxd.store import house
from sipxd.store.store import Store

NAME = "special-attendant"


class Attendants:
    """Read when somebody asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def special(self) -> Special:
        """What is set."""
        return await self._store.read("attendant", _read)

    async def select(self, system_id: str) -> None:
        """Make this attendant the special one. Raises BadInput: there is none such."""
        _check(system_id)
        await self._change(lambda old: attrs.evolve(old, attendant=system_id))

    async def deselect(self, system_id: str) -> None:
        """Let no attendant be the special one. Raises BadInput, Conflict: special mode is on."""
        _check(system_id)

        def change(old: Special) -> Special:
            if old.mode:
                raise Conflict("special mode is on; end it first", field="specialMode")
            return Special()

        await self._change(change)

    async def set_mode(self, on: bool) -> None:
        """Switch special mode on or off."""
        await self._change(lambda old: attrs.evolve(old, mode=on))

    async def _change(self, make: Callable[[Special], Special]) -> None:
        def write(connection: sa.Connection) -> None:
            house.save(connection, NAME, msgspec.to_builtins(make(_read(connection))))

        await self._store.write("attendant.change", write)


def _read(connection: sa.Connection) -> Special:
    value = house.get(connection, NAME)
    return Special() if value is None else msgspec.convert(value, Special)


def _check(system_id: str) -> None:
    if system_id not in {attendant.system_id for attendant in ATTENDANTS}:
        known = " and ".join(attendant.system_id for attendant in ATTENDANTS)
        raise BadInput(
            f"there is no attendant {system_id[:80]!r}; there are {known}", field="attendant"
        )
