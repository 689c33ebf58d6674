"""Contact information of users, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from sipxd.directory.profile import Person, Profile
from sipxd.directory.user import User
from sipxd.errors import BadInput
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.store import profiles, users
from sipxd.store.store import Store

MAX_AVATAR = 262_144
"""Bytes of a picture."""
_PNG = b"\x89PNG\r\n\x1a\n"


class Profiles:
    """Read when somebody asks: nothing of it is on the path of a call."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    async def of(self, user: User) -> Person:
        """``user`` with his contact information, both as of the same moment."""
        return await self._store.read("profile", lambda c: profiles.person(c, as_stored(c, user)))

    async def change(
        self, user: User, first_name: str, last_name: str, email: str, new: Profile
    ) -> None:
        """Replace what a user can change of himself, his names and e-mail address included.

        Raises BadInput, NotFound, Overloaded; nothing is stored then.
        """

        change = UserChange(first_name=first_name, last_name=last_name, email=email)
        await self.administer(user, change, lambda present: present.replaced_by(new))

    async def people(self, users: Sequence[User]) -> list[Person]:
        """These users with their contact information."""
        return await self._store.read("profiles", lambda c: profiles.people(c, users))

    async def administer(
        self, user: User, change: UserChange, make: Callable[[Profile], Profile]
    ) -> User:
        """Change a user together with his contact information, of which ``make`` makes the new.

        Raises as `Accounts.change`; nothing is stored then.
        """
        return await self._accounts.change(user, change, also=_also(make))

    async def add(self, new: NewUser, make: Callable[[Profile], Profile]) -> User:
        """Make a user with contact information. Raises as `Accounts.add`."""
        user, _ = await self._accounts.add(new, also=_also(make))
        return user

    async def avatar(self, user: User) -> bytes | None:
        """His picture, as PNG."""
        return await self._store.read("avatar", lambda c: profiles.avatar(c, user.id))

    async def set_avatar(self, user: User, png: bytes) -> None:
        """Replace his picture. Raises BadInput where it is none, or too large."""
        if not png.startswith(_PNG):
            raise BadInput("the picture must be a PNG file")
        if len(png) > MAX_AVATAR:
            raise BadInput(f"the picture may have at most {MAX_AVATAR} bytes")
        await self._store.write("avatar", lambda c: profiles.save_avatar(c, user.id, png))


def _also(make: Callable[[Profile], Profile]) -> Callable[[sa.Connection, User], None]:
    """What stores the contact information of a user whose account is being stored."""

    def store(connection: sa.Connection, user: User) -> None:
        present = profiles.of(connection, user.id)
        new = make(present)
        if new != present:
            profiles.save(connection, user.id, new)

    return store


def as_stored(connection: sa.Connection, user: User) -> User:
    """``user`` as he is in this transaction; as he was where he is gone.

    In memory he changes a moment after the commit, and whatever else is read with him at it.
    """
    found = users.some(connection, [user.id])
    return found[0].user if found else user
