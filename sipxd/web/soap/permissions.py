"""PermissionService (contract 11.4)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs

from sipxd.directory.permission import Permission
from sipxd.errors import BadInput, NotFound
from sipxd.service.permissions import Permissions
from sipxd.web.rest.permissions import permission_document
from sipxd.web.soap.endpoint import Handlers
from sipxd.web.soap.values import Values

_FIELDS = {"label": "label", "description": "description", "defaultValue": "default"}
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


@attrs.frozen
class PermissionService:
    """The operations."""

    permissions: Permissions

    def handlers(self) -> Handlers:
        """By their names."""
        return {
            "addPermission": self.add,
            "findPermission": self.find,
            "managePermission": self.manage,
        }

    async def add(self, request: Values) -> None:
        """Make a permission about calls; the name that comes with it is ignored."""
        given = request["permission"]
        default = bool(given["defaultValue"])
        await self.permissions.add(given["label"] or "", given["description"] or "", default)

    async def find(self, request: Values) -> dict[str, Any]:
        """The permissions that a search finds."""
        found = await self._found(request["search"])
        return {"permissions": {"permission": [permission_document(each) for each in found]}}

    async def manage(self, request: Values) -> None:
        """Change or delete all that a search finds; those that are built in stay."""
        gone = request["deletePermission"]
        edits = {} if gone else _read_edits(request["edit"])
        for permission in await self._found(request["search"]):
            if permission.built_in:
                continue
            if gone:
                with suppress(NotFound):  # somebody else was quicker
                    await self.permissions.delete(permission.name)
            elif edits:
                await self.permissions.change(
                    permission.name, lambda old: attrs.evolve(old, **edits)
                )

    async def _found(self, search: Values | None) -> list[Permission]:
        every = await self.permissions.all()
        if search is None:
            return every
        for name, field in (("byName", "name"), ("byLabel", "label")):
            if (wanted := search[name]) is not None:
                return [each for each in every if getattr(each, field) == wanted]
        return []


def _read_edits(properties: Sequence[Values | None]) -> dict[str, Any]:
    """What shall become different. Raises BadInput for a property that nobody knows."""
    edits: dict[str, Any] = {}
    for each in properties:
        if each is None:
            continue
        name, value = each["property"], each["value"] or ""
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise BadInput(f"edit: there is no property {name[:40]!r}; there are {known}")
        if name == "defaultValue":
            flag = _FLAGS.get(value.strip().lower())
            if flag is None:
                raise BadInput(f"edit: defaultValue must be true or false, not {value[:40]!r}")
            edits["default"] = flag
        else:
            edits[_FIELDS[name]] = value
    return edits
