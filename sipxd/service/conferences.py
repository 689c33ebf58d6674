"""The conferences: kept for their owners; what mixes the voices is a server beside sipxd.

In memory, as everything that clients list; loaded at start and written through.  Calls do not go by
them: their numbers lead where the routes of the configuration lead.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import sqlalchemy as sa
from twisted.internet.defer import DeferredLock

from sipxd.directory.conference import MAX_MEMBERS, Conference
from sipxd.directory.setting import MAX_VALUE
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.account_requests import check_name
from sipxd.service.accounts import Accounts
from sipxd.store import conferences as stored
from sipxd.store.store import Store

MAX_CODE = 64
"""Characters of an access code."""


class Conferences:
    """Conferences by id. Those of a user who is deleted go with him."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self._conferences: dict[int, Conference] = {}
        self._lock = DeferredLock()
        accounts.observe(self._user_changed)

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        found = await self._store.read("conferences", stored.every)
        self._conferences = {conference.id: conference for conference in found}

    def all(self) -> list[Conference]:
        """Every conference, the oldest first."""
        return sorted(self._conferences.values(), key=lambda each: each.id)

    def of(self, user: User) -> list[Conference]:
        """Those that ``user`` owns, by name."""
        own = [each for each in self._conferences.values() if each.owner == user.id]
        return sorted(own, key=lambda each: each.name)

    def get(self, conference_id: int) -> Conference:
        """Raises NotFound."""
        conference = self._conferences.get(conference_id)
        if conference is None:
            raise NotFound(f"there is no conference with the id {conference_id}", field="id")
        return conference

    def own(self, user: User, name: str) -> Conference:
        """The conference of that name, which is his. Raises NotFound, Forbidden."""
        for conference in self._conferences.values():
            if conference.name == name:
                if conference.owner != user.id:
                    raise Forbidden("this conference is somebody else's")
                return conference
        raise NotFound(f"there is no conference {name[:80]!r}")

    async def add(self, new: Conference) -> Conference:
        """Make a conference (its id is ignored).

        Raises BadInput (a rule is broken), Conflict (its name or extension is taken), Overloaded.
        """
        checked = self._checked(new)
        return await self._keep("conference.add", lambda c: stored.add(c, checked))

    async def change(
        self,
        conference_id: int,
        make: Callable[[Conference], Conference],
    ) -> Conference:
        """Store what ``make`` makes of the present conference.

        Raises as ``add``, NotFound, and what ``make`` raises.
        """

        def replace(connection: sa.Connection) -> Conference:
            stored.replace(connection, new)
            return new

        await self._lock.acquire()
        try:
            made = make(self.get(conference_id))
            new = self._checked(attrs.evolve(made, id=conference_id))
            return await self._keep("conference.change", replace)
        finally:
            self._lock.release()

    async def delete(self, conference_id: int, check: Callable[[Conference], None]) -> None:
        """Delete one, unless ``check`` raises when it is given it. Raises NotFound, Overloaded."""
        await self._lock.acquire()
        try:
            check(self.get(conference_id))
            await self._store.write("conference.delete", lambda c: stored.delete(c, conference_id))
            self._conferences.pop(conference_id, None)
        finally:
            self._lock.release()

    async def _keep(self, name: str, write: Callable[[sa.Connection], Conference]) -> Conference:
        conference = await self._store.write(name, write)
        owner = conference.owner
        if owner is None or self._accounts.by_id(owner) is not None:  # not deleted meanwhile
            self._conferences[conference.id] = conference
        return conference

    def _user_changed(self, before: User, after: User | None) -> None:
        if after is None:
            for conference in self.of(before):
                del self._conferences[conference.id]

    def _checked(self, conference: Conference) -> Conference:
        check_name("name", conference.name, "name")
        check_name("extension", conference.extension, "extension")
        for field, longest in (
            ("description", MAX_VALUE),
            ("moh", MAX_VALUE),
            ("access_code", MAX_CODE),
            ("moderator_code", MAX_CODE),
        ):
            text = getattr(conference, field)
            if len(text) > longest or not text.isprintable():
                raise BadInput(
                    f"{field} must have at most {longest} printable characters", field=field
                )
        if not 0 <= conference.max_members <= MAX_MEMBERS:
            raise BadInput(f"max_members must be from 0 to {MAX_MEMBERS}", field="max_members")
        owner = conference.owner
        if owner is not None and self._accounts.by_id(owner) is None:
            raise BadInput("there is no such user", field="owner")
        return conference
