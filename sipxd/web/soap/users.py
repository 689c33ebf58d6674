"""UserService (contract 11.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs

from sipxd.directory.branch import Branch
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.branches import Branches
from sipxd.web.services import Accounts
from sipxd.web.soap.endpoint import Handlers
from sipxd.web.soap.values import Values

MOST = 1000
"""Users that a search by a part of a name, or by a group, finds."""

_TEXTS = {
    "userName": "name",
    "lastName": "last_name",
    "firstName": "first_name",
    "emailAddress": "email",
    "pintoken": "pin",
    "sipPassword": "sip_password",
}
ELEMENTS = {field: name for name, field in _TEXTS.items() if field != "pin"} | {
    "voicemail_pin": "vmpin"
}
"""What the services of accounts call the members of a user, and what these are called here."""
_SECRETS = ("pin", "sip_password")
IGNORED = ("groups", "permissions", "branchName")
"""Properties that are known, and changed in other ways."""


@attrs.frozen
class UserService:
    """The operations."""

    accounts: Accounts
    branches: Branches

    def handlers(self) -> Handlers:
        """By their names."""
        return {"addUser": self.add, "findUser": self.find, "manageUser": self.manage}

    async def add(self, request: Values) -> None:
        """Make a user. Permissions that come with him are ignored, as sipXcom does it."""
        user = request["user"]
        values: dict[str, Any] = {
            field: user[name] or ""
            for name, field in _TEXTS.items()
            if field not in _SECRETS  # pintoken is not looked at: pin counts
        }
        values |= {
            "aliases": _names(user["aliases"]),
            "groups": _names(user["groups"]),
            "branch": await self._branch(user["branchName"]),
            "pin": request["pin"] or None,
            "sip_password": user["sipPassword"] or None,
            "voicemail_pin": request["vmpin"] or None,
        }
        await self.accounts.add(NewUser(**values))

    async def find(self, request: Values) -> dict[str, Any]:
        """The users whom a search finds."""
        places = {branch.id: branch for branch in await self.branches.all()}
        found = (_document(user, places) for user in self._found(request["search"]))
        return {"users": {"user": found}}

    async def manage(self, request: Values) -> None:
        """Change or delete everybody whom a search finds; superadmin is never deleted."""
        users = self._found(request["search"])
        if request["deleteUser"]:
            for user in self._still_there(users):
                with suppress(Forbidden, NotFound):  # superadmin; somebody else was quicker
                    await self.accounts.delete(user)
            return
        edits = read_edits(request["edit"])
        branch = await self._branch(request["updateBranch"], known_only=False)
        add, remove = request["addGroup"], request["removeGroup"]
        joins = (add,) if add and add != remove else ()
        leaves = (remove,) if remove else ()
        change = UserChange(**edits, joins=joins, leaves=leaves, branch=branch)
        if change != UserChange():
            for user in self._still_there(users):
                await self.accounts.change(user, change)

    def _still_there(self, users: Iterable[User]) -> Iterator[User]:
        """Each as he is when it is his turn, which may take a while to come."""
        for user in users:
            if (now := self.accounts.by_id(user.id)) is not None:
                yield now

    def _found(self, search: Values | None) -> Sequence[User]:
        if search is None:
            return self.accounts.all()
        if (name := search["byUserName"]) is not None:
            user = self.accounts.find(name)
            return [user] if user is not None and user.name == name else []
        if (part := search["byFuzzyUserNameOrAlias"]) is not None:
            wanted = part.lower()
            found = (user for user in self.accounts.all() if _resembles(user, wanted))
        elif (group := search["byGroup"]) is not None:
            found = (user for user in self.accounts.all() if group in user.groups)
        else:
            return []
        return [user for user, _ in zip(found, range(MOST), strict=False)]

    async def _branch(self, name: str | None, *, known_only: bool = True) -> int | None:
        """The id of a branch; None: none is named. Raises BadInput where it has to be known."""
        if not name:
            return None
        for branch in await self.branches.all():
            if branch.name == name:
                return branch.id
        if known_only:
            raise BadInput(f"branchName: there is no branch {name[:80]!r}", field="branchName")
        return None


def _document(user: User, places: Mapping[int, Branch]) -> dict[str, Any]:
    branch = None if user.branch is None else places.get(user.branch)
    return {
        "userName": user.name,
        "lastName": user.last_name,
        "firstName": user.first_name,
        "aliases": user.aliases,
        "emailAddress": user.email or None,
        "groups": user.groups,
        "permissions": sorted(user.permissions),
        "branchName": None if branch is None else branch.name,
    }


def _resembles(user: User, wanted: str) -> bool:
    names = (user.name, user.first_name, user.last_name, *user.aliases)
    return any(wanted in name.lower() for name in names)


def read_edits(properties: Sequence[Values | None]) -> dict[str, Any]:
    """What shall become different. Raises BadInput for a property that nobody knows."""
    edits: dict[str, Any] = {}
    for each in properties:
        if each is None:
            continue
        name, value = each["property"], each["value"]
        if name == "aliases":
            edits.setdefault("aliases", []).append(value)
        elif name in _TEXTS:
            field = _TEXTS[name]
            if field not in _SECRETS or value:  # a secret cannot be nothing: it stays
                edits[field] = value or ""
        elif name not in IGNORED:
            known = ", ".join((*_TEXTS, "aliases"))
            raise BadInput(f"edit: there is no property {name[:40]!r}; there are {known}")
    if "aliases" in edits:
        edits["aliases"] = _names(edits["aliases"])
    return edits


def _names(given: Sequence[str | None]) -> tuple[str, ...]:
    """Each of them once."""
    return tuple(dict.fromkeys(filter(None, given)))
