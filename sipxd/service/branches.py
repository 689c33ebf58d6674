"""The branches of a company. Read when somebody asks: no call goes by any of it."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from sipxd.directory.branch import Address, Branch
from sipxd.directory.permission import PermissionRules
from sipxd.directory.user import User
from sipxd.errors import BadInput
from sipxd.service.accounts import Accounts
from sipxd.store import branches as stored
from sipxd.store import permissions
from sipxd.store.store import Store

MAX_TEXT = 255


class Branches:
    """See the module."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    async def all(self) -> list[Branch]:
        """Every branch, by name."""
        return list((await self._store.read("branches", stored.every)).values())

    async def get(self, branch_id: int) -> Branch:
        """Raises NotFound."""
        return await self._store.read("branch", lambda c: stored.get(c, branch_id))

    async def add(self, new: Branch) -> Branch:
        """Make a branch (its id is ignored). Raises BadInput, Conflict (name), Overloaded."""
        _check(new)
        return await self._store.write("branch.add", lambda c: stored.add(c, new))

    async def replace(self, branch: Branch) -> None:
        """Replace everything of the branch with that id. Raises as ``add``, NotFound."""
        _check(branch)
        await self._store.write("branch.change", lambda c: stored.replace(c, branch))

    async def delete(self, branch_id: int) -> None:
        """Delete a branch; its users and groups have none from now on. Raises NotFound."""

        def delete(connection: sa.Connection) -> PermissionRules:
            stored.delete(connection, branch_id)
            return permissions.rules(connection)

        def leave(user: User) -> User:
            return attrs.evolve(user, branch=None) if user.branch == branch_id else user

        rules = await self._store.write("branch.delete", delete)
        await self._accounts.reconsider(rules, leave)


def _check(branch: Branch) -> None:
    if not branch.name.strip():
        raise BadInput("Name: Cannot be empty", field="name")
    texts = attrs.asdict(branch, recurse=False) | attrs.asdict(branch.address)
    for field in attrs.fields(Branch) + attrs.fields(Address):
        text = texts[field.name]
        if isinstance(text, str) and (len(text) > MAX_TEXT or not text.isprintable()):
            raise BadInput(
                f"{field.name} must have at most {MAX_TEXT} printable characters", field=field.name
            )
