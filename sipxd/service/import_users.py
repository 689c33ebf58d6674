"""Many users at once, from a file: all of them are taken in, or none.

What takes long is done before, by whoever asks: PINs come hashed and passwords sealed.  The
functions on a Connection do it where no daemon runs, ``Importer`` in the daemon, in parts between
which others have their turn (see `sipxd.store.imports`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa
from twisted.internet.defer import DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from sipxd.directory.user import User
from sipxd.directory.users_csv import COLUMNS, Problem, UserRow
from sipxd.errors import BadInput, Conflict, Forbidden, Overloaded, StoreFailed
from sipxd.service.account_changes import changed
from sipxd.service.account_requests import SAME, NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.store import imports, names, users
from sipxd.store.imports import Changes
from sipxd.store.store import Store
from sipxd.store.users import StoredUser

_SAID = [name for name in COLUMNS if name not in ("name", "pin", "sip_password")]
"""What the file says of a user beside his name and his secrets."""

TRIES = 60
"""Seconds for which a database that fails is waited for, when users are stored already."""

_log = Logger()

_FILE = re.compile(r"import-[0-9a-f]{16}\.jsonl")
"""The files in the state directory by which the command hands users over to the daemon."""

Tell = Callable[[int], None]
"""Is told how many users are stored."""


@attrs.frozen
class Prepared:
    """A user from the file, ready to be stored; secrets that are None stay as they are."""

    line: int
    name: str
    change: UserChange
    pin_hash: str | None = attrs.field(default=None, repr=False)
    sip_password: bytes | None = attrs.field(default=None, repr=False)
    ha1: bytes | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, row: UserRow) -> Prepared:
        """What the line says, but for its secrets."""
        given: dict[str, Any] = {
            name: frozenset(value) if name == "permissions" else value
            for name, value in row.values.items()
            if name in _SAID
        }
        return cls(row.line, row.name, UserChange(**given))


@attrs.frozen
class Findings:
    """What keeps an import from being done, else which of its users there are already."""

    problems: tuple[Problem, ...] = ()
    existing: frozenset[str] = frozenset()


@attrs.frozen
class Imported:
    """How many users have come, and how many were changed; nobody where there are problems."""

    added: int = 0
    changed: int = 0
    problems: tuple[Problem, ...] = ()


def write_rows(rows: Iterable[Prepared]) -> bytes:
    """The content of a file from which the daemon reads what it shall take in."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _read_rows(path: Path) -> list[Prepared]:
    decoder = msgspec.json.Decoder(Prepared)
    try:
        with path.open("rb") as lines:
            # Line by line, so that the reactor's thread need not wait for the whole.
            return [decoder.decode(line) for line in lines]
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInput(f"{path} cannot be read: {error}", field="file") from None


def broken_rules(row: UserRow) -> list[Problem]:
    """Every value of the line that no user may have."""
    try:
        NewUser(**row.values)
    except BadInput as error:
        first = Problem(row.line, error.field or "", error.detail)
    else:
        return []
    found = []
    for field, value in row.values.items():
        try:
            NewUser(**{"name": "x", field: value})
        except BadInput as error:
            found.append(Problem(row.line, field, error.detail))
    return found or [first]


def check(connection: sa.Connection, rows: Iterable[Prepared], update: bool) -> Findings:
    """Compare the users with what is stored; ``update``: those that are there may be changed."""
    owners = imports.owners(connection)
    others = names.of_no_user(connection)
    problems: list[Problem] = []
    existing: set[str] = set()
    for row in rows:
        for field, name in _wanted(row):
            owner = owners.get(name, row.name if field == "aliases" else None)
            if name in others:
                rule = f"{name} is the name or number of a {others[name]}; choose another"
            elif owner == row.name:
                continue
            elif owner is not None:
                rule = f"{name} is already a name of the user {owner}; choose another"
            else:
                continue
            problems.append(Problem(row.line, field, rule))
        if owners.get(row.name) != row.name:
            continue
        existing.add(row.name)
        if not update:
            rule = f"there is already a user {row.name}; with --update he is changed"
            problems.append(Problem(row.line, "name", rule))
            continue
        try:
            changed(User(0, row.name), row.change)
        except (BadInput, Forbidden) as error:
            problems.append(Problem(row.line, error.field or "", error.detail))
    return Findings(tuple(problems), frozenset(existing))


def store(
    connection: sa.Connection, rows: Sequence[Prepared], update: bool, tell: Tell
) -> Imported:
    """Store all of it; where there are problems, nothing."""
    while imports.give_up(connection):
        pass
    found = check(connection, rows, update)
    if found.problems:
        return Imported(problems=found.problems)
    new = [_new(row) for row in rows if row.name not in found.existing]
    for start in range(0, len(new), imports.PART):
        imports.add(connection, new[start : start + imports.PART])
        tell(start)
    changes = _changes(connection, rows, found.existing)
    imports.finish(connection, changes, _groups(rows))
    tell(len(rows))
    return Imported(len(new), len(changes.ids))


def _wanted(row: Prepared) -> list[tuple[str, str]]:
    return [("name", row.name), *(("aliases", alias) for alias in row.change.aliases or ())]


def _new(row: Prepared) -> StoredUser:
    given = {name: value for name in _SAID if (value := getattr(row.change, name)) is not None}
    new = NewUser(name=row.name, **given)
    same = {name: getattr(new, name) for name in SAME}
    user = User(0, **same, granted=new.granted, denied=new.denied)
    return StoredUser(user, row.pin_hash or "", row.sip_password or b"", row.ha1)


def _changes(
    connection: sa.Connection, rows: Iterable[Prepared], existing: frozenset[str]
) -> Changes:
    """What becomes of those who are there already. Raises Conflict where they are gone since."""
    if not existing:
        return Changes.of(connection, [])
    stored = {each.user.name: each for each in users.every(connection)}
    if not existing <= stored.keys():
        raise Conflict("users have been deleted in the meantime, nothing was stored; try again")
    pairs = (
        (stored[row.name], _merged(stored[row.name], row)) for row in rows if row.name in existing
    )
    return Changes.of(connection, pairs)


def _merged(old: StoredUser, row: Prepared) -> StoredUser:
    return StoredUser(
        changed(old.user, row.change),
        old.pin_hash if row.pin_hash is None else row.pin_hash,
        row.sip_password or old.sip_password,
        old.ha1 if row.pin_hash is None else row.ha1,
    )


def _groups(rows: Iterable[Prepared]) -> list[str]:
    return list(dict.fromkeys(group for row in rows for group in row.change.groups or ()))


class Importer:
    """Takes users in while the daemon works, one import at a time."""

    def __init__(self, store: Store, accounts: Accounts, directory: Path, reactor: Any) -> None:
        self._directory = directory
        self._store = store
        self._accounts = accounts
        self._reactor = reactor
        self._lock = DeferredLock()

    async def tidy(self) -> None:
        """Delete what an import has left that did not come to its end."""
        async with self._alone():
            await self._give_up()

    async def read(self, file: str) -> list[Prepared]:
        """The users in a file of the state directory, as `write_rows` makes it. Raises BadInput."""
        if not _FILE.fullmatch(file):
            raise BadInput(f"{file[:80]!r} is no file of an import", field="file")
        path = self._directory / file
        return await self._store.read("import.read", lambda _: _read_rows(path))

    async def check(self, rows: Sequence[Prepared], update: bool) -> Findings:
        """What keeps the import from being done. Raises Overloaded."""
        return await self._store.read("import.check", lambda c: check(c, rows, update))

    async def store(self, rows: Sequence[Prepared], update: bool, tell: Tell) -> Imported:
        """Store all of it, and where that fails, nothing; they can be called when this returns.

        Raises Conflict while another import is under way, and where somebody has taken a name in
        the meantime; Overloaded, StoreFailed.
        """
        async with self._alone():
            await self._give_up()
            found = await self.check(rows, update)
            if found.problems:
                return Imported(problems=found.problems)
            try:
                return await self._take_in(rows, found.existing, tell)
            except BaseException:
                await self._give_up()
                raise

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        if self._lock.locked:
            raise Conflict("another import is under way; wait until it has ended")
        await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    async def _give_up(self) -> None:
        while await self._store.write("import.give_up", imports.give_up):
            pass

    async def _take_in(
        self, rows: Sequence[Prepared], existing: frozenset[str], tell: Tell
    ) -> Imported:
        fresh = [row for row in rows if row.name not in existing]
        ids: list[int] = []
        for start in range(0, len(fresh), imports.PART):
            part = fresh[start : start + imports.PART]
            ids += await self._store.write("import.part", lambda c: _add(c, part))  # noqa: B023
            tell(len(ids))
        changes = await self._store.read("import.merge", lambda c: _changes(c, rows, existing))
        groups = _groups(rows)
        await self._store.write("import.finish", lambda c: imports.finish(c, changes, groups))
        await self._take_up([*ids, *changes.ids])
        return Imported(len(ids), len(changes.ids))

    async def _take_up(self, ids: Sequence[int]) -> None:
        """Take the users up into memory, as they are stored.

        The writer gives them: whatever somebody else stores is taken up before or after.
        """
        for start in range(0, len(ids), imports.PART):
            part = ids[start : start + imports.PART]
            for stored in await self._stored(part):
                self._accounts.adopt(stored)

    async def _stored(self, ids: Sequence[int]) -> list[StoredUser]:
        for _ in range(TRIES):
            try:
                return await self._store.write("import.take_up", lambda c: users.some(c, ids))
            except (Overloaded, StoreFailed) as error:
                _log.warn("imported users wait for the database: {detail}", detail=error.detail)
            await deferLater(self._reactor, 1)
        raise RuntimeError("users are stored and cannot be read; restart sipxd to have them")


def _add(connection: sa.Connection, part: Sequence[Prepared]) -> list[int]:
    return imports.add(connection, [_new(row) for row in part])
