"""The park orbits: stored for clients that keep them; who calls one is told that nothing parks.

In memory, because every call may be for one; loaded at start and written through.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import sqlalchemy as sa
from twisted.internet.defer import DeferredLock

from sipxd.directory.park_orbit import SETTINGS, ParkOrbit
from sipxd.directory.setting import MAX_VALUE
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import check_name
from sipxd.store import park_orbits as stored
from sipxd.store.store import Store

MAX_NAME = 64


class ParkOrbits:
    """Orbits by id. ``server`` is the name of our own server, which those have that name none."""

    def __init__(self, store: Store, server: str) -> None:
        self._store = store
        self._server = server
        self._orbits: dict[int, ParkOrbit] = {}
        self._by_name: dict[str, ParkOrbit] = {}
        self._lock = DeferredLock()

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        orbits = await self._store.read("park orbits", stored.every)
        self._orbits = {orbit.id: orbit for orbit in orbits}
        self._index()

    def find(self, number: str) -> ParkOrbit | None:
        """The orbit with this extension or name, compared exactly, unless it is switched off."""
        orbit = self._by_name.get(number)
        return orbit if orbit is not None and orbit.enabled else None

    def all(self) -> list[ParkOrbit]:
        """Every orbit, the oldest first."""
        return sorted(self._orbits.values(), key=lambda orbit: orbit.id)

    def get(self, orbit_id: int) -> ParkOrbit:
        """Raises NotFound."""
        orbit = self._orbits.get(orbit_id)
        if orbit is None:
            raise NotFound(f"there is no park orbit with the id {orbit_id}", field="id")
        return orbit

    async def add(self, new: ParkOrbit) -> ParkOrbit:
        """Make an orbit (its id is ignored).

        Raises BadInput (a rule is broken), Conflict (its name or extension is taken), Overloaded.
        """
        checked = self._checked(new)
        return await self._keep("park orbit.add", lambda c: stored.add(c, checked))

    async def change(self, orbit_id: int, make: Callable[[ParkOrbit], ParkOrbit]) -> ParkOrbit:
        """Store what ``make`` makes of the present orbit. Raises as ``add``, NotFound."""

        def replace(connection: sa.Connection) -> ParkOrbit:
            stored.replace(connection, new)
            return new

        await self._lock.acquire()
        try:
            new = self._checked(attrs.evolve(make(self.get(orbit_id)), id=orbit_id))
            return await self._keep("park orbit.change", replace)
        finally:
            self._lock.release()

    async def delete(self, orbit_ids: list[int]) -> None:
        """Delete these orbits, all of them or none. Raises NotFound, Overloaded."""
        await self._lock.acquire()
        try:
            for orbit_id in orbit_ids:
                self.get(orbit_id)
            await self._store.write("park orbit.delete", lambda c: stored.delete(c, orbit_ids))
            for orbit_id in orbit_ids:
                self._orbits.pop(orbit_id, None)
            self._index()
        finally:
            self._lock.release()

    async def _keep(self, name: str, write: Callable[[sa.Connection], ParkOrbit]) -> ParkOrbit:
        orbit = await self._store.write(name, write)
        self._orbits[orbit.id] = orbit
        self._index()
        return orbit

    def _index(self) -> None:
        self._by_name = {
            name: orbit for orbit in self._orbits.values() for name in (orbit.name, orbit.extension)
        }

    def _checked(self, orbit: ParkOrbit) -> ParkOrbit:
        if not 0 < len(orbit.name.strip()) <= MAX_NAME or not orbit.name.isprintable():
            raise BadInput(f"name must have 1 to {MAX_NAME} printable characters", field="name")
        check_name("extension", orbit.extension, "extension")
        for field in ("description", "music", "server"):
            text = getattr(orbit, field)
            if len(text) > MAX_VALUE or not text.isprintable():
                raise BadInput(
                    f"{field} must have at most {MAX_VALUE} printable characters", field=field
                )
        for path, value in orbit.settings.items():
            if path not in SETTINGS:
                raise NotFound(f"there is no setting {path[:80]!r}", field="path")
            try:
                SETTINGS[path].read(value)
            except ValueError as error:
                raise BadInput(f"{path} {error}", field=path) from None
        return attrs.evolve(orbit, server=orbit.server or self._server)
