"""User groups: what their members are permitted, and have set, where they say nothing themselves.

Read when somebody asks; what it means to calls stands in the accounts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import attrs
import sqlalchemy as sa
from twisted.internet.defer import DeferredLock

from sipxd.directory.branch import Branch
from sipxd.directory.permission import PermissionRules
from sipxd.directory.user import User
from sipxd.directory.user_group import UserGroup
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import check_group_name
from sipxd.service.accounts import Accounts
from sipxd.service.forwardings import Forwardings
from sipxd.store import branches, permissions, users
from sipxd.store import user_groups as stored
from sipxd.store.store import Store

T = TypeVar("T")

MAX_DESCRIPTION = 255
AT_ONCE = 500
"""Users for whom one query asks."""


@attrs.frozen
class Belonging:
    """Users, and what they belong to, all as of the same moment."""

    users: Sequence[User]
    groups: Mapping[str, UserGroup]
    """By their names, in the order in which they count."""
    branches: Mapping[int, Branch]

    def groups_of(self, user: User) -> list[UserGroup]:
        """His groups, in the order in which they count."""
        own = [self.groups[name] for name in user.groups if name in self.groups]
        return sorted(own, key=lambda group: (group.weight, group.id))


class UserGroups:
    """See the module."""

    def __init__(self, store: Store, accounts: Accounts, forwardings: Forwardings) -> None:
        self._store = store
        self._accounts = accounts
        self._forwardings = forwardings
        self._lock = DeferredLock()

    async def all(self) -> list[UserGroup]:
        """Every group, in the order in which they count."""
        return await self._store.read("user groups", stored.every)

    async def get(self, group_id: int) -> UserGroup:
        """Raises NotFound."""
        return _of(await self.all(), group_id)

    async def named(self, name: str) -> UserGroup:
        """The group with this name. Raises NotFound."""
        for group in await self.all():
            if group.name == name:
                return group
        raise NotFound(f"there is no user group {name[:80]!r}", field="group")

    async def belonging(self, asked: Sequence[User]) -> Belonging:
        """These users as they are stored, with their groups and branches; not who is gone.

        In memory they change a moment later, and one who is in a renamed group would seem to be in
        none: a client that sends him back so takes him out of it.
        """

        def read(connection: sa.Connection) -> Belonging:
            there = {
                each.user.id: each.user
                for start in range(0, len(asked), AT_ONCE)
                for each in users.some(
                    connection, [user.id for user in asked[start : start + AT_ONCE]]
                )
            }
            return Belonging(
                [there[user.id] for user in asked if user.id in there],
                {group.name: group for group in stored.every(connection)},
                branches.every(connection),
            )

        return await self._store.read("users", read)

    async def with_names(
        self, ids: Sequence[int], use: Callable[[tuple[str, ...]], Awaitable[T]]
    ) -> T:
        """What ``use`` gives, told the names of these groups, which nobody changes meanwhile.

        Raises NotFound (there is no such group), and what ``use`` raises.
        """
        if not ids:
            return await use(())
        async with self._lock:
            names = {group.id: group.name for group in await self.all()}
            for number in ids:
                if number not in names:
                    raise NotFound(f"there is no user group with the id {number}", field="groups")
            return await use(tuple(dict.fromkeys(names[number] for number in ids)))

    async def add(self, new: UserGroup) -> UserGroup:
        """Make a group behind all others (its id and weight are ignored).

        Raises BadInput, Conflict (the name is taken), NotFound (the branch), Overloaded.
        """
        _check(new)

        def add(connection: sa.Connection) -> UserGroup:
            _check_branch(connection, new)
            return stored.add(connection, new)

        return await self._store.write("user group.add", add)

    async def change(self, group_id: int, make: Callable[[UserGroup], UserGroup]) -> UserGroup:
        """Store what ``make`` makes of the present group, whose id stays.

        Under a new name it keeps its members and schedules.  Raises as ``add``, NotFound (also for
        a permission that is not known), and what ``make`` raises.
        """
        async with self._lock:
            old = await self.get(group_id)
            new = attrs.evolve(make(old), id=old.id, weight=old.weight)
            _check(new)

            def replace(connection: sa.Connection) -> PermissionRules:
                _check_branch(connection, new)
                _check_permissions(connection, new.permissions)
                stored.replace(connection, old, new)
                return permissions.rules(connection)

            def rename(user: User) -> User:
                if old.name not in user.groups:
                    return user
                names = tuple(new.name if name == old.name else name for name in user.groups)
                return attrs.evolve(user, groups=names)

            rules = await self._forwardings.change_group(old.name, new.name, replace)
            await self._accounts.reconsider(rules, rename)
            return new

    async def delete(self, group_id: int) -> None:
        """Delete a group with its schedules; its members are in it no more. Raises NotFound."""
        async with self._lock:
            old = await self.get(group_id)

            def delete(connection: sa.Connection) -> PermissionRules:
                stored.delete(connection, old)
                return permissions.rules(connection)

            def leave(user: User) -> User:
                if old.name not in user.groups:
                    return user
                left = tuple(name for name in user.groups if name != old.name)
                return attrs.evolve(user, groups=left)

            rules = await self._forwardings.change_group(old.name, None, delete)
            await self._accounts.reconsider(rules, leave)

    async def move(self, group_id: int, places: int) -> None:
        """Let the group count so many places later (negative: earlier). Raises NotFound."""

        def move(connection: sa.Connection) -> PermissionRules:
            groups = stored.every(connection)
            group = _of(groups, group_id)
            place = groups.index(group)
            groups.insert(max(0, place + places), groups.pop(place))
            for weight, each in enumerate(groups, 1):
                if each.weight != weight:
                    stored.replace(connection, each, attrs.evolve(each, weight=weight))
            return permissions.rules(connection)

        async with self._lock:
            await self._accounts.reconsider(await self._store.write("user group.move", move))


def _of(groups: list[UserGroup], group_id: int) -> UserGroup:
    for group in groups:
        if group.id == group_id:
            return group
    raise NotFound(f"there is no user group with the id {group_id}", field="group")


def _check(group: UserGroup) -> None:
    check_group_name(group.name, "name")
    text = group.description
    if len(text) > MAX_DESCRIPTION or not text.isprintable():
        raise BadInput(
            f"description must have at most {MAX_DESCRIPTION} printable characters",
            field="description",
        )


def _check_branch(connection: sa.Connection, group: UserGroup) -> None:
    if group.branch is not None:
        branches.get(connection, group.branch)


def _check_permissions(connection: sa.Connection, values: Mapping[str, bool]) -> None:
    known = {permission.name for permission in permissions.every(connection)}
    for name in values:
        if name not in known:
            raise NotFound(f"there is no permission {name[:80]!r}", field="permissions")
