"""The phonebook of a user's own, which nobody else sees (contract 3.6, 3.8, 3.9)."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from sipxd.directory.phonebook import Entry, Phonebook
from sipxd.directory.user import User
from sipxd.errors import Conflict, Forbidden, NotFound
from sipxd.service.phonebooks import Parse, refuse_too_many
from sipxd.store import phonebook_entries, phonebooks
from sipxd.store.store import Store

MAX_ENTRIES = 10_000
"""In one private phonebook."""


class PrivatePhonebooks:
    """Changes of users' own phonebooks, which are made with the first entry."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, user: User, parse: Parse) -> int:
        """Append what ``parse`` gives. How many it gave. Raises BadInput, Overloaded."""
        new = await self._store.read("phonebook.parse", lambda c: phonebook_entries.rows(parse()))

        def write(connection: sa.Connection) -> None:
            book = phonebooks.make_private(connection, user.id)
            refuse_too_many(connection, book.id, len(new), MAX_ENTRIES)
            phonebook_entries.add(connection, book.id, new)

        await self._store.write("phonebook.append", write)
        return len(new)

    async def delete(self, user: User) -> None:
        """Delete the phonebook with all entries; nothing happens where there is none."""

        def write(connection: sa.Connection) -> None:
            book = phonebooks.private(connection, user.id)
            if book is not None:
                phonebooks.delete(connection, book.id)

        await self._store.write("phonebook.clear", write)

    async def show_on_phone(self, user: User, value: bool) -> None:
        """Say whether it is loaded into telephones."""

        def write(connection: sa.Connection) -> None:
            book = phonebooks.make_private(connection, user.id)
            phonebooks.replace(connection, attrs.evolve(book, show_on_phone=value))

        await self._store.write("phonebook.show", write)

    # -- one entry ---------------------------------------------------------------------------------

    async def entry(self, user: User, entry_id: int) -> Entry:
        """Raises NotFound where it is not in his phonebook."""

        def read(connection: sa.Connection) -> Entry:
            book = phonebooks.private(connection, user.id)
            found = phonebook_entries.find(connection, entry_id)
            if book is None or found is None or found[0] != book.id:
                raise _missing()
            return found[1]

        return await self._store.read("phonebook.entry", read)

    async def add(self, user: User, entry: Entry) -> None:
        """Add an entry. Raises Conflict where one has the same names and number."""

        def write(connection: sa.Connection) -> None:
            book = phonebooks.make_private(connection, user.id)
            _refuse_twice(connection, book, entry)
            refuse_too_many(connection, book.id, 1, MAX_ENTRIES)
            phonebook_entries.add(connection, book.id, phonebook_entries.rows([entry]))

        await self._store.write("phonebook.entry.add", write)

    async def replace(self, user: User, entry: Entry) -> None:
        """Replace the entry with that id; nothing happens where he has no phonebook.

        Raises NotFound, Forbidden (somebody else's), Conflict as ``add``.
        """

        def write(connection: sa.Connection) -> None:
            book = phonebooks.private(connection, user.id)
            if book is None:
                return
            found = phonebook_entries.find(connection, entry.id)
            if found is None:
                raise _missing()
            _refuse_foreign(found[0], book)
            _refuse_twice(connection, book, entry)
            kept = attrs.evolve(entry, internal_id=found[1].internal_id)
            phonebook_entries.replace(connection, kept)

        await self._store.write("phonebook.entry.change", write)

    async def remove(self, user: User, entry_id: int) -> None:
        """Delete an entry; nothing happens where there is none. Raises Forbidden: another's."""

        def write(connection: sa.Connection) -> None:
            found = phonebook_entries.find(connection, entry_id)
            if found is not None:
                _refuse_foreign(found[0], phonebooks.private(connection, user.id))
                phonebook_entries.delete(connection, entry_id)

        await self._store.write("phonebook.entry.delete", write)

    # -- by the names that clients give ------------------------------------------------------------

    async def put(self, asking: User, owner: User, entry: Entry, entry_id: int | None) -> None:
        """Store an entry of ``owner``: that with the id, else the one with its internal id.

        Raises NotFound, Forbidden where ``asking`` is neither its owner nor an administrator.
        """
        if owner.id != asking.id and not asking.admin:
            raise Forbidden("this is for the owner of the phonebook", field="userName")

        def write(connection: sa.Connection) -> None:
            book = phonebooks.make_private(connection, owner.id)
            if entry_id is None:
                present = phonebook_entries.find_internal(connection, book.id, entry.internal_id)
            else:
                found = phonebook_entries.find(connection, entry_id)
                if found is None:
                    raise _missing("uid")
                if not asking.admin:
                    _refuse_foreign(found[0], book)
                present = found[1]
            if present is not None:
                phonebook_entries.replace(connection, attrs.evolve(entry, id=present.id))
                return
            refuse_too_many(connection, book.id, 1, MAX_ENTRIES)
            phonebook_entries.add(connection, book.id, phonebook_entries.rows([entry]))

        await self._store.write("phonebook.card", write)

    async def take_away(self, asking: User, internal_id: str, entry_id: int | None) -> None:
        """Delete his entry with that internal id, else the one with the id.

        Raises NotFound, Forbidden where it is another's, and he is no administrator.
        """

        def write(connection: sa.Connection) -> None:
            book = phonebooks.private(connection, asking.id)
            if book is not None:
                present = phonebook_entries.find_internal(connection, book.id, internal_id)
                if present is not None:
                    phonebook_entries.delete(connection, present.id)
                    return
            found = None if entry_id is None else phonebook_entries.find(connection, entry_id)
            if found is None:
                raise _missing()
            if not asking.admin:
                _refuse_foreign(found[0], book)
            phonebook_entries.delete(connection, found[1].id)

        await self._store.write("phonebook.card.delete", write)


def _refuse_twice(connection: sa.Connection, book: Phonebook, entry: Entry) -> None:
    if phonebook_entries.is_there(connection, book.id, entry):
        raise Conflict("another entry has the same names and the same number", field="number")


def _refuse_foreign(of: int, own: Phonebook | None) -> None:
    if own is None or of != own.id:
        raise Forbidden("the entry is not in your own phonebook", field="id")


def _missing(field: str = "id") -> NotFound:
    return NotFound("there is no such entry", field=field)
