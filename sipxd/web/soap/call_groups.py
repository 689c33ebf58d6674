"""CallGroupService and ParkOrbitService (contract 11.4)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs

from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.forwarding import RingType
from sipxd.directory.park_orbit import ParkOrbit
from sipxd.errors import BadInput, NotFound
from sipxd.web.services import Accounts, CallGroups, ParkOrbits
from sipxd.web.soap.endpoint import Handlers
from sipxd.web.soap.values import Values

TYPES = {"delayed": RingType.IF_NO_RESPONSE, "immediate": RingType.AT_THE_SAME_TIME}
ELEMENTS = {"members": "rings", "seconds": "expiration", "user": "userName"}
"""What the services of hunt groups call the members of a group, and what these are called here."""
_NAMES = {ring: name for name, ring in TYPES.items()}


@attrs.frozen
class CallGroupService:
    """The operations on hunt groups."""

    accounts: Accounts
    groups: CallGroups

    def handlers(self) -> Handlers:
        """By their names."""
        return {
            "addCallGroup": self.add,
            "removeCallGroup": self.remove,
            "getCallGroups": self.get,
        }

    async def add(self, request: Values) -> None:
        """Make a hunt group; its members ring in the order in which they stand."""
        given = request["callGroup"]
        enabled = given["enabled"]
        await self.groups.add(
            CallGroup(
                id=0,
                name=given["name"],
                extension=given["extension"] or "",
                description=given["description"] or "",
                enabled=enabled is None or enabled,
                members=tuple(self._members(given["rings"])),
            )
        )

    async def remove(self, request: Values) -> None:
        """Delete all with this name, extension or DID number."""
        for group in self.groups.all():
            if request["callGroup"] in group.names:
                with suppress(NotFound):  # somebody else was quicker
                    await self.groups.delete(group.id)

    async def get(self, request: Values) -> dict[str, Any]:
        """All of them."""
        return {"callGroups": {"callGroup": [_document(group) for group in self.groups.all()]}}

    def _members(self, rings: Sequence[Values | None]) -> list[Member]:
        members = []
        for ring in filter(None, rings):
            name = ring["userName"]
            if not name:
                raise BadInput("Cannot create a user ring given a null or empty userName")
            if self.accounts.find(name) is None:
                raise BadInput(f"Cannot find user with userName: {name[:80]}")
            if ring["type"] not in TYPES:
                raise BadInput(
                    f"rings/type must be delayed or immediate, not {ring['type'][:40]!r}"
                )
            members.append(Member(name, ring["expiration"], TYPES[ring["type"]]))
        return members


@attrs.frozen
class ParkOrbitService:
    """The operations on park orbits, which are stored only."""

    orbits: ParkOrbits

    def handlers(self) -> Handlers:
        """By their names."""
        return {"addParkOrbit": self.add, "getParkOrbits": self.get}

    async def add(self, request: Values) -> None:
        """Make a park orbit."""
        given = request["parkOrbit"]
        enabled = given["enabled"]
        await self.orbits.add(
            ParkOrbit(
                id=0,
                name=given["name"],
                extension=given["extension"] or "",
                description=given["description"] or "",
                enabled=enabled is None or enabled,
                music=given["music"] or "",
            )
        )

    async def get(self, request: Values) -> dict[str, Any]:
        """All of them, the oldest first."""
        found = [
            {
                "name": orbit.name,
                "extension": orbit.extension,
                "description": orbit.description or None,
                "enabled": orbit.enabled,
                "music": orbit.music or None,
            }
            for orbit in self.orbits.all()
        ]
        return {"parkOrbits": {"parkOrbit": found}}


def _document(group: CallGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "extension": group.extension,
        "description": group.description or None,
        "enabled": group.enabled,
        "rings": [
            {
                "expiration": member.seconds,
                "type": _NAMES[member.type],
                "position": position,
                "userName": member.user,
            }
            for position, member in enumerate(group.members)
        ],
    }
