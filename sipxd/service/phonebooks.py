"""Phonebooks: who sees which entries, and the shared phonebooks themselves.

Nothing of them is on the path of a call, so they are read from the database when somebody asks.
What makes a document of many entries, or entries of a document, is a function of the caller that is
run in a thread: a long list takes its time, and telephones shall not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import attrs
import sqlalchemy as sa

from sipxd.directory.phonebook import OF_A_USER, PRIVATE, Entry, Phonebook, entry_of, folded
from sipxd.directory.profile import Person
from sipxd.directory.user import User
from sipxd.errors import BadInput
from sipxd.service.account_changes import SUPERADMIN
from sipxd.service.account_requests import MAX_GROUPS, check_group_name
from sipxd.service.accounts import Accounts
from sipxd.store import phonebook_entries, phonebooks, profiles
from sipxd.store.store import Store

T = TypeVar("T")

MAX_NAME = 64
MAX_DESCRIPTION = 255
MAX_ENTRIES = 200_000
"""Of its own in one phonebook."""

Render = Callable[[list[Entry]], T]
"""Makes a document of entries; run in a thread."""
Parse = Callable[[], list[Entry]]
"""Makes entries of a document; run in a thread. Raises BadInput."""


@attrs.frozen
class Page:
    """A part of what a user sees: ``entries`` from row ``start`` to before row ``end``."""

    size: int
    """How many he sees."""
    filtered_size: int
    """How many of them have what he looks for."""
    start: int
    end: int
    show_on_phone: bool | None
    """Whether his own phonebook is loaded into telephones; None: he has none."""
    entries: list[Entry]


class Phonebooks:
    """``everyone``: whether all users see each other, whatever phonebooks there are."""

    def __init__(self, store: Store, accounts: Accounts, *, everyone: bool) -> None:
        self._store = store
        self._accounts = accounts
        self._everyone = everyone

    # -- shared phonebooks -------------------------------------------------------------------------

    async def shared(self) -> list[Phonebook]:
        """All shared phonebooks, ordered by name."""
        return await self._store.read("phonebooks", phonebooks.shared)

    async def get(self, phonebook_id: int) -> Phonebook:
        """A shared phonebook. Raises NotFound."""
        return await self._store.read("phonebook", lambda c: phonebooks.get(c, phonebook_id))

    async def add(self, new: Phonebook) -> Phonebook:
        """Make a shared phonebook (its id is ignored). Raises BadInput, Conflict, Overloaded."""
        checked = _checked(new)
        return await self._store.write("phonebook.add", lambda c: phonebooks.add(c, checked))

    async def replace(self, phonebook: Phonebook) -> Phonebook:
        """Replace everything of a shared phonebook but its entries. Raises as ``add``, NotFound."""
        checked = _checked(phonebook)

        def write(connection: sa.Connection) -> None:
            phonebooks.get(connection, checked.id)
            phonebooks.replace(connection, checked)

        await self._store.write("phonebook.change", write)
        return checked

    async def delete(self, phonebook_id: int) -> None:
        """Delete a shared phonebook with its entries. Raises NotFound, Overloaded."""

        def write(connection: sa.Connection) -> None:
            phonebooks.get(connection, phonebook_id)
            phonebooks.delete(connection, phonebook_id)

        await self._store.write("phonebook.delete", write)

    async def own_entries(self, phonebook_id: int, render: Render[T]) -> T:
        """What ``render`` makes of the entries that a shared phonebook has itself.

        Raises NotFound.
        """

        def read(connection: sa.Connection) -> T:
            phonebooks.get(connection, phonebook_id)
            return render(phonebook_entries.of(connection, [phonebook_id]))

        return await self._store.read("phonebook.own", read)

    async def import_entries(self, phonebook_id: int, parse: Parse, *, replace: bool) -> int:
        """Append what ``parse`` gives to a shared phonebook, or put it in the place of all.

        How many it gave.  Raises NotFound, BadInput, Overloaded; nothing is stored then.
        """
        new = await self._store.read("phonebook.parse", lambda c: phonebook_entries.rows(parse()))

        def write(connection: sa.Connection) -> None:
            phonebooks.get(connection, phonebook_id)
            if replace:
                phonebook_entries.clear(connection, phonebook_id)
            refuse_too_many(connection, phonebook_id, len(new), MAX_ENTRIES)
            phonebook_entries.add(connection, phonebook_id, new)

        await self._store.write("phonebook.import", write)
        return len(new)

    # -- what somebody sees ------------------------------------------------------------------------

    async def named(self, name: str, render: Render[T]) -> T:
        """What ``render`` makes of a shared phonebook: its own entries and its members.

        Raises NotFound.
        """
        users = self._accounts.all()

        def read(connection: sa.Connection) -> T:
            book = phonebooks.named(connection, name)
            own = phonebook_entries.of(connection, [book.id])
            people = profiles.people(connection, list(_members([book], users)))
            return render(_merged([], own, [entry_of(person) for person in people]))

        return await self._store.read("phonebook.named", read)

    async def visible(self, user: User, render: Render[T]) -> T:
        """What ``render`` makes of all that ``user`` sees."""
        users = self._accounts.all()

        def read(connection: sa.Connection) -> T:
            own, shared, seen = self._seen(connection, user, users)
            return render(
                _merged(
                    phonebook_entries.of(connection, own),
                    phonebook_entries.of(connection, shared),
                    _entries(connection, seen),
                )
            )

        return await self._store.read("phonebook.visible", read)

    async def search(self, user: User, text: str, render: Render[T]) -> T:
        """What ``render`` makes of what ``user`` sees whose names or number begin with ``text``."""
        users = self._accounts.all()
        start = folded(text)

        def begins(other: User) -> bool:
            names = (other.name, other.first_name, other.last_name, *other.aliases)
            return any(folded(name).startswith(start) for name in names)

        def read(connection: sa.Connection) -> T:
            own, shared, seen = self._seen(connection, user, users)
            return render(
                _merged(
                    phonebook_entries.beginning(connection, own, text),
                    phonebook_entries.beginning(connection, shared, text),
                    _entries(connection, [other for other in seen if begins(other)]),
                )
            )

        return await self._store.read("phonebook.search", read)

    async def page(
        self, user: User, start: int, end: int, part: str, render: Callable[[Page], T]
    ) -> T:
        """What ``render`` makes of a part of what ``user`` sees, the first row being 0.

        Only entries with ``part`` in names, number or e-mail address; empty: all.
        """
        users = self._accounts.all()
        wanted = folded(part)

        def has(other: User) -> bool:
            texts = (other.first_name, other.last_name, other.name, other.email)
            return any(wanted in folded(text) for text in texts)

        def read(connection: sa.Connection) -> T:
            own, shared, seen = self._seen(connection, user, users)
            everything = phonebook_entries.keys(connection, [*own, *shared])
            by_key = {_key(other): other for other in seen}
            merged = _merged(
                [entry for book, entry in everything if book in own],
                [entry for book, entry in everything if book not in own],
                [Entry(OF_A_USER, first, last, number) for number, first, last in by_key],
            )
            found = merged
            if part:
                among = phonebook_entries.keys(connection, [*own, *shared], part)
                ids = {entry.id for _, entry in among}
                found = [
                    entry
                    for entry in merged
                    if (has(by_key[entry.key]) if entry.id == OF_A_USER else entry.id in ids)
                ]
            first, last = min(start, len(found)), min(end, len(found))
            shown = found[first:last]
            full = phonebook_entries.by_ids(connection, [entry.id for entry in shown])
            people = _entries(
                connection, [by_key[entry.key] for entry in shown if entry.id == OF_A_USER]
            )
            of_users = {entry.key: entry for entry in people}
            private = phonebooks.private(connection, user.id)
            return render(
                Page(
                    len(merged),
                    len(found),
                    first,
                    max(first, last),
                    None if private is None else private.show_on_phone,
                    [
                        of_users[entry.key] if entry.id == OF_A_USER else full[entry.id]
                        for entry in shown
                    ],
                )
            )

        return await self._store.read("phonebook.page", read)

    def _seen(
        self, connection: sa.Connection, user: User, users: Sequence[User]
    ) -> tuple[list[int], list[int], list[User]]:
        """His own phonebook, the shared ones that he sees, and the users that he sees."""
        books = phonebooks.visible(connection, user.id, user.groups)
        seen = {other.id: other for other in _members(books, users)}
        if self._everyone:
            seen |= {other.id: other for other in users if _is_there(other) and other.id != user.id}
        own = [book.id for book in books if book.owner_id is not None]
        shared = [book.id for book in books if book.owner_id is None]
        return own, shared, list(seen.values())


def refuse_too_many(connection: sa.Connection, phonebook_id: int, more: int, most: int) -> None:
    """Raise BadInput where ``more`` entries are more than a phonebook may hold."""
    if phonebook_entries.count(connection, phonebook_id) + more > most:
        raise BadInput(f"a phonebook may have {most} entries", field="entries")


def _is_there(user: User) -> bool:
    """Whether phonebooks tell of him: nobody calls the administrator's account as such."""
    return user.enabled and user.name != SUPERADMIN


def _members(books: Iterable[Phonebook], users: Iterable[User]) -> Iterable[User]:
    groups = {name for book in books for name in book.members}
    return (user for user in users if _is_there(user) and not groups.isdisjoint(user.groups))


def _entries(connection: sa.Connection, users: Sequence[User]) -> list[Entry]:
    people: list[Person] = profiles.people(connection, users)
    return [entry_of(person) for person in people]


def _key(user: User) -> tuple[str, str, str]:
    return user.name, user.first_name, user.last_name


def _merged(
    own: Sequence[Entry], shared: Iterable[Entry], of_users: Iterable[Entry]
) -> list[Entry]:
    """All of ``own``, and of the others those with another number or name, in their order."""
    merged = list(own)
    known = {entry.key for entry in own}
    for entries in (shared, of_users):
        for entry in entries:
            if entry.key not in known:
                known.add(entry.key)
                merged.append(entry)
    merged.sort(key=lambda entry: entry.place)
    return merged


def _checked(phonebook: Phonebook) -> Phonebook:
    name = phonebook.name
    if not 0 < len(name.strip()) <= MAX_NAME or len(name) > MAX_NAME or not name.isprintable():
        raise BadInput(f"name must have 1 to {MAX_NAME} printable characters", field="name")
    if "/" in name:
        raise BadInput("name must not have a slash, because it is a part of paths", field="name")
    if name.startswith(PRIVATE):
        raise BadInput(f"name must not begin with {PRIVATE!r}: users' own do", field="name")
    text = phonebook.description
    if len(text) > MAX_DESCRIPTION or not text.isprintable():
        raise BadInput(
            f"description must have at most {MAX_DESCRIPTION} printable characters",
            field="description",
        )
    for field in ("members", "consumers"):
        groups = getattr(phonebook, field)
        if len(groups) > MAX_GROUPS or len(set(groups)) != len(groups):
            raise BadInput(f"{field} may name {MAX_GROUPS} groups, all different", field=field)
        for index, group in enumerate(groups):
            check_group_name(group, f"{field}[{index}]")
    return attrs.evolve(phonebook, owner_id=None)
