"""The hunt groups: extensions whose calls ring their members.

In memory, because every call may be for one; loaded at start and written through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
from twisted.internet.defer import DeferredLock

from sipxd.call.circles import House
from sipxd.directory.call_group import MAX_MEMBERS, CallGroup, renamed
from sipxd.directory.forwarding import Forwarding
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import check_name
from sipxd.service.accounts import Accounts
from sipxd.service.forwarding_rules import check_number, check_seconds
from sipxd.store import call_groups as stored
from sipxd.store.call_groups import no_such_member
from sipxd.store.store import Store

MAX_DESCRIPTION = 255


class CallGroups:
    """Groups by id. ``domain`` is our own.

    A member who is renamed keeps his place, one who is deleted leaves: `sipxd.service.accounts`
    stores that together with the user, and the table here follows.
    """

    def __init__(self, store: Store, accounts: Accounts, domain: str) -> None:
        self.house = House(domain.lower(), accounts.find, self.find, lambda user_id: Forwarding())
        self._store = store
        self._accounts = accounts
        self._groups: dict[int, CallGroup] = {}
        self._by_name: dict[str, CallGroup] = {}
        self._lock = DeferredLock()
        accounts.observe(self._user_changed)

    def join_forwardings(self, of_id: Callable[[int], Forwarding]) -> None:
        """``of_id`` gives what a user has set, by his id."""
        self.house = attrs.evolve(self.house, forwarding=of_id)

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        self._groups.clear()
        self._by_name.clear()
        for group in await self._store.read("call groups", stored.every):
            self._keep(group)

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        """Wait until nobody else changes a group or a forwarding.

        A circle may go through both, so that what was found out about one must still be true of the
        other when it is stored.
        """
        await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    # -- on the path of a call ---------------------------------------------------------------------

    def find(self, number: str) -> CallGroup | None:
        """The group with this extension, name or DID, compared exactly."""
        return self._by_name.get(number)

    def all(self) -> list[CallGroup]:
        """Every group, ordered by extension."""
        return sorted(self._groups.values(), key=lambda group: group.extension)

    def get(self, group_id: int) -> CallGroup:
        """Raises NotFound."""
        group = self._groups.get(group_id)
        if group is None:
            raise NotFound(f"there is no hunt group with the id {group_id}", field="id")
        return group

    # -- changes -----------------------------------------------------------------------------------

    async def add(self, new: CallGroup) -> CallGroup:
        """Make a group (its id and version are ignored).

        Raises BadInput (a rule is broken, a member does not exist, a circle), Conflict (a name is
        taken), Overloaded.
        """
        async with self.exclusively():
            checked = self._checked(None, attrs.evolve(new, id=0))
            group = await self._store.write("call group.add", lambda c: stored.add(c, checked))
            self._keep(group)
            return group

    async def replace(self, group: CallGroup, *, if_version: int | None = None) -> CallGroup:
        """Replace the group with the id of ``group``, whose version is ignored.

        Raises as ``add``, NotFound, PreconditionFailed.
        """
        async with self.exclusively():
            checked = self._checked(self.get(group.id), group)
            new = await self._store.write(
                "call group.change",
                lambda connection: stored.replace(connection, checked, if_version=if_version),
            )
            self._forget(new.id)
            self._keep(new)
            return new

    async def delete(self, group_id: int, *, if_version: int | None = None) -> None:
        """Raises NotFound, PreconditionFailed, Overloaded."""
        async with self.exclusively():
            await self._store.write(
                "call group.delete",
                lambda connection: stored.delete(connection, group_id, if_version=if_version),
            )
            self._forget(group_id)

    def _keep(self, group: CallGroup) -> None:
        self._groups[group.id] = group
        for name in group.names:
            self._by_name[name] = group

    def _forget(self, group_id: int) -> None:
        group = self._groups.pop(group_id, None)
        if group is not None:
            for name in group.names:
                del self._by_name[name]

    def _user_changed(self, before: User, after: User | None) -> None:
        if after is not None and after.name == before.name:
            return
        for group in list(self._groups.values()):
            new = renamed(group, before.name, after.name if after is not None else None)
            if new is not group:
                self._keep(new)

    # -- rules -------------------------------------------------------------------------------------

    def _checked(self, old: CallGroup | None, new: CallGroup) -> CallGroup:
        """``new`` with the user names of its members, where no rule is broken."""
        check_name("name", new.name, "name")
        check_name("extension", new.extension, "extension")
        if new.did:
            check_name("DID", new.did, "did")
        if len(new.description) > MAX_DESCRIPTION or not new.description.isprintable():
            raise BadInput(
                f"description must have at most {MAX_DESCRIPTION} printable characters",
                field="description",
            )
        if len(new.members) > MAX_MEMBERS:
            raise BadInput(f"a hunt group may have {MAX_MEMBERS} members", field="members")
        members = []
        for index, member in enumerate(new.members):
            user = self._accounts.find(member.user)
            if user is None:
                raise no_such_member(index, member.user)
            check_seconds(member.seconds, f"members[{index}].seconds")
            members.append(attrs.evolve(member, user=user.name))
        if new.fallback:
            check_number(new.fallback, "fallback")
        check_seconds(new.fallback_seconds, "fallback_seconds")
        checked = attrs.evolve(new, members=tuple(members))
        circle = self.house.circle_of_group(old, checked)
        if circle:
            raise BadInput(
                f"calls would go in a circle: {circle}; choose other members or another fallback",
                field="members",
            )
        return checked
