"""The permissions that there are: those that exist always, and those that administrators make."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import sqlalchemy as sa

from sipxd.directory.permission import Permission, PermissionRules, PermissionType
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.accounts import Accounts
from sipxd.store import permissions as stored
from sipxd.store.store import Store

MAX_TEXT = 255


class Permissions:
    """Read when somebody asks; what it means to calls stands in the accounts."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    async def all(self) -> list[Permission]:
        """Every permission, by name."""
        return await self._store.read("permissions", stored.every)

    async def get(self, name: str) -> Permission:
        """Raises NotFound."""
        return await self._store.read("permission", lambda c: _of(c, name))

    async def add(self, label: str, description: str, default: bool) -> Permission:
        """Make a permission about calls. Raises BadInput, Conflict (the label is taken)."""
        new = Permission("", label, default, PermissionType.CALL, description)
        _check(new)

        def add(connection: sa.Connection) -> tuple[Permission, PermissionRules]:
            return stored.add(connection, new), stored.rules(connection)

        made, rules = await self._store.write("permission.add", add)
        await self._accounts.reconsider(rules)
        return made

    async def change(self, name: str, make: Callable[[Permission], Permission]) -> Permission:
        """Store what ``make`` makes of the label, description and default of a permission.

        Raises as ``add``, NotFound, Forbidden (it exists always).
        """

        def change(connection: sa.Connection) -> tuple[Permission, PermissionRules]:
            new = make(_made(connection, name))
            _check(new)
            stored.replace(connection, new)
            return new, stored.rules(connection)

        new, rules = await self._store.write("permission.change", change)
        await self._accounts.reconsider(rules)
        return new

    async def delete(self, name: str) -> None:
        """Delete a permission; nobody has it any more. Raises NotFound, Forbidden."""

        def delete(connection: sa.Connection) -> PermissionRules:
            _made(connection, name)
            stored.delete(connection, name)
            return stored.rules(connection)

        def lose(user: User) -> User:
            if name not in user.granted | user.denied:
                return user
            return attrs.evolve(user, granted=user.granted - {name}, denied=user.denied - {name})

        rules = await self._store.write("permission.delete", delete)
        await self._accounts.reconsider(rules, lose)


def _of(connection: sa.Connection, name: str) -> Permission:
    for permission in stored.every(connection):
        if permission.name == name:
            return permission
    raise NotFound(f"there is no permission {name[:80]!r}", field="name")


def _made(connection: sa.Connection, name: str) -> Permission:
    permission = _of(connection, name)
    if permission.built_in:
        raise Forbidden(f"{name} exists always: it cannot be changed or deleted", field="name")
    return permission


def _check(permission: Permission) -> None:
    if not permission.label.strip():
        raise BadInput("Label: Cannot be empty", field="label")
    for field, text in (("label", permission.label), ("description", permission.description)):
        if len(text) > MAX_TEXT or not text.isprintable():
            raise BadInput(
                f"{field} must have at most {MAX_TEXT} printable characters", field=field
            )
