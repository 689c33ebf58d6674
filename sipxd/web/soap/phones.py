"""PhoneService (contract 11.4): telephones are stored; none is provisioned from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs

from sipxd.directory.telephone import Line, Telephone, address, serial_of
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound, Unprocessable
from sipxd.service.telephones import Lines, Telephones
from sipxd.web.services import Accounts
from sipxd.web.soap.endpoint import Handlers
from sipxd.web.soap.values import Values

NO_PROVISIONING = (
    "The provisioning of telephones is no part of sipxd: their profiles are made, and they are "
    "restarted, by their own web pages or by a provisioning server"
)
_TEXTS = {"description": "description", "deviceVersion": "version"}
IGNORED = ("modelId", "groups", "lines")
"""Properties that are known, and changed in other ways, or not at all."""


@attrs.frozen
class PhoneService:
    """The operations."""

    telephones: Telephones
    accounts: Accounts
    lines: Lines

    def handlers(self) -> Handlers:
        """By their names."""
        return {"addPhone": self.add, "findPhone": self.find, "managePhone": self.manage}

    async def add(self, request: Values) -> None:
        """Store a telephone, without lines."""
        given = request["phone"]
        await self.telephones.add(
            Telephone(
                id=0,
                serial=serial_of(given["serialNumber"]),
                model=given["modelId"],
                description=given["description"] or "",
                version=given["deviceVersion"] or "",
                groups=tuple(dict.fromkeys(filter(None, given["groups"]))),
            )
        )

    async def find(self, request: Values) -> dict[str, Any]:
        """The telephones that a search finds."""
        found = await self._found(request["search"])
        return {"phones": {"user": map(self._document, found)}}

    async def manage(self, request: Values) -> None:
        """Change or delete all that a search finds."""
        if request["generateProfiles"] or request["restart"]:
            raise Unprocessable(f"{NO_PROVISIONING}.")
        if request["deletePhone"]:
            for telephone in await self._found(request["search"]):
                await self.telephones.delete(telephone.id)
        elif changes := self._changes(request):
            for telephone in await self._found(request["search"]):
                with suppress(NotFound):  # somebody has deleted it meanwhile
                    await self.telephones.change(telephone.id, lambda old: _changed(old, changes))

    async def _found(self, search: Values | None) -> list[Telephone]:
        if search is None:
            return await self.telephones.all()
        if (serial := search["bySerialNumber"]) is not None:
            one = await self.telephones.find(serial_of(serial))
            return [] if one is None else [one]
        if (group := search["byGroup"]) is not None:
            return [each for each in await self.telephones.all() if group in each.groups]
        return []

    def _changes(self, request: Values) -> list[Callable[[Telephone], Telephone]]:
        """What is done to each telephone, in its order. Raises BadInput."""
        changes = [_edit(each) for each in filter(None, request["edit"])]
        if name := request["removeLineByUserId"]:
            changes.append(self._without_lines(lambda line: self.lines.name(line) == name))
        if uri := request["removeLineByUri"]:
            changes.append(self._without_lines(lambda line: self.lines.uri(line) == uri))
        if line := request["addLine"]:
            changes.append(_with_line(Line(self._user(line["userId"]).id)))
        if line := request["addExternalLine"]:
            changes.append(_with_line(_external(line)))
        if group := request["addGroup"]:
            changes.append(_with_groups((group,), ()))
        if group := request["removeGroup"]:
            changes.append(_with_groups((), (group,)))
        return changes

    def _without_lines(self, unwanted: Callable[[Line], bool]) -> Callable[[Telephone], Telephone]:
        def change(old: Telephone) -> Telephone:
            return attrs.evolve(old, lines=tuple(each for each in old.lines if not unwanted(each)))

        return change

    def _user(self, name: str) -> User:
        user = self.accounts.find(name)
        if user is None:
            raise BadInput(f"addLine/userId: there is no user {name[:80]!r}", field="userId")
        return user

    def _document(self, telephone: Telephone) -> dict[str, Any]:
        return {
            "serialNumber": telephone.serial,
            "modelId": telephone.model,
            "description": telephone.description or None,
            "groups": telephone.groups,
            "lines": [
                {"userId": self.lines.name(line), "uri": self.lines.uri(line)}
                for line in telephone.lines
            ],
            "deviceVersion": telephone.version or None,
        }


def _external(line: Values) -> Line:
    """A line elsewhere; its password is not kept, because no telephone gets it from here."""
    name, server = line["userId"], line["registrationServer"]
    return Line(None, name, address(line["displayName"] or "", name, server))


def _changed(
    telephone: Telephone, changes: Sequence[Callable[[Telephone], Telephone]]
) -> Telephone:
    for change in changes:
        telephone = change(telephone)
    return telephone


def _edit(given: Values) -> Callable[[Telephone], Telephone]:
    name, value = given["property"], given["value"] or ""
    if name == "serialNumber":
        return lambda old: attrs.evolve(old, serial=serial_of(value))
    if name in _TEXTS:
        change: dict[str, Any] = {_TEXTS[name]: value}
        return lambda old: attrs.evolve(old, **change)
    if name in IGNORED:
        return lambda old: old
    known = ", ".join((*_TEXTS, "serialNumber"))
    raise BadInput(f"edit: there is no property {name[:40]!r}; there are {known}")


def _with_line(line: Line) -> Callable[[Telephone], Telephone]:
    return lambda old: attrs.evolve(old, lines=(*old.lines, line))


def _with_groups(
    added: tuple[str, ...], removed: tuple[str, ...]
) -> Callable[[Telephone], Telephone]:
    def change(old: Telephone) -> Telephone:
        names = dict.fromkeys((*old.groups, *added))
        return attrs.evolve(old, groups=tuple(name for name in names if name not in removed))

    return change
