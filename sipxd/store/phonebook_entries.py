"""The entries of phonebooks. Searches are by folded columns, which have the same order on every
server, so that what begins with a text is found by an index in a phonebook of any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from sipxd.directory.phonebook import Entry, folded
from sipxd.directory.profile import NOTHING, Contact
from sipxd.errors import NotFound
from sipxd.store.plain import encode
from sipxd.store.profiles import read_plain, without_defaults
from sipxd.store.schema import phonebook_entries as table

AT_ONCE = 500
"""Entries in one statement."""
_LAST = "\U0010ffff"
_SEARCHED = (table.c.folded_number, table.c.folded_first_name, table.c.folded_last_name)
_KEY = (table.c.id, table.c.number, table.c.first_name, table.c.last_name)


def of(connection: sa.Connection, phonebook_ids: Sequence[int]) -> list[Entry]:
    """All entries of these phonebooks, the oldest first."""
    return _full(connection, table.c.phonebook_id.in_(phonebook_ids))


def beginning(connection: sa.Connection, phonebook_ids: Sequence[int], text: str) -> list[Entry]:
    """Those whose number, first or last name begins with ``text``, in any case."""
    start = folded(text)
    found = [
        sa.select(table.c.id).where(
            table.c.phonebook_id.in_(phonebook_ids), column >= start, column <= start + _LAST
        )
        for column in _SEARCHED
    ]
    return _full(connection, table.c.id.in_(sa.union(*found)))


def keys(
    connection: sa.Connection, phonebook_ids: Sequence[int], part: str = ""
) -> list[tuple[int, Entry]]:
    """Those with ``part`` in names, number or e-mail address, in any case, each with the id of its
    phonebook, and without its contact information."""
    query = sa.select(table.c.phonebook_id, *_KEY).where(table.c.phonebook_id.in_(phonebook_ids))
    if part:
        columns = (*_SEARCHED, table.c.folded_email)
        wanted = (column.contains(folded(part), autoescape=True) for column in columns)
        query = query.where(sa.or_(*wanted))
    return [
        (book, Entry(entry_id, first_name, last_name, number))
        for book, entry_id, number, first_name, last_name in connection.execute(query)
    ]


def by_ids(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Entry]:
    """The entries with these ids."""
    found = {}
    for start in range(0, len(ids), AT_ONCE):
        for entry in _full(connection, table.c.id.in_(ids[start : start + AT_ONCE])):
            found[entry.id] = entry
    return found


def find(connection: sa.Connection, entry_id: int) -> tuple[int, Entry] | None:
    """The entry with this id, and the id of its phonebook."""
    book = connection.scalar(sa.select(table.c.phonebook_id).where(table.c.id == entry_id))
    return None if book is None else (book, _full(connection, table.c.id == entry_id)[0])


def find_internal(connection: sa.Connection, phonebook_id: int, internal_id: str) -> Entry | None:
    """The oldest entry of a phonebook that a client calls ``internal_id``."""
    found = _full(
        connection, table.c.phonebook_id == phonebook_id, table.c.internal_id == internal_id
    )
    return found[0] if found else None


def count(connection: sa.Connection, phonebook_id: int) -> int:
    """How many entries a phonebook has of its own."""
    query = sa.select(sa.func.count()).where(table.c.phonebook_id == phonebook_id)
    return connection.scalar(query) or 0


def is_there(connection: sa.Connection, phonebook_id: int, entry: Entry) -> bool:
    """Whether another entry of the phonebook has the same names and number."""
    query = sa.select(table.c.id).where(
        table.c.phonebook_id == phonebook_id,
        table.c.folded_number == folded(entry.number),  # this one has the index
        table.c.number == entry.number,
        table.c.first_name == entry.first_name,
        table.c.last_name == entry.last_name,
        table.c.id != entry.id,
    )
    return connection.scalar(query.limit(1)) is not None


def rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """What is stored of entries."""
    return [
        {
            "internal_id": entry.internal_id,
            "first_name": entry.first_name,
            "last_name": entry.last_name,
            "number": entry.number,
            "folded_number": folded(entry.number),
            "folded_first_name": folded(entry.first_name),
            "folded_last_name": folded(entry.last_name),
            "folded_email": folded(entry.contact.email_address),
            "data": encode(without_defaults(entry.contact)),
        }
        for entry in entries
    ]


def add(connection: sa.Connection, phonebook_id: int, new: list[dict[str, Any]]) -> None:
    """Append what ``rows`` made."""
    for start in range(0, len(new), AT_ONCE):
        some = [row | {"phonebook_id": phonebook_id} for row in new[start : start + AT_ONCE]]
        connection.execute(sa.insert(table), some)


def replace(connection: sa.Connection, entry: Entry) -> None:
    """Replace the entry with that id. Raises NotFound."""
    (row,) = rows([entry])
    if not connection.execute(sa.update(table).where(table.c.id == entry.id).values(row)).rowcount:
        raise NotFound("there is no such entry", field="id")


def delete(connection: sa.Connection, entry_id: int) -> None:
    """Delete an entry."""
    connection.execute(sa.delete(table).where(table.c.id == entry_id))


def clear(connection: sa.Connection, phonebook_id: int) -> None:
    """Delete all entries of a phonebook."""
    connection.execute(sa.delete(table).where(table.c.phonebook_id == phonebook_id))


def _full(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
    query = sa.select(*_KEY, table.c.internal_id, table.c.data).where(*conditions)
    return [
        Entry(
            entry_id,
            first_name,
            last_name,
            number,
            NOTHING if data == "{}" else read_plain(data, Contact),
            internal_id,
        )
        for entry_id, number, first_name, last_name, internal_id, data in connection.execute(
            query.order_by(table.c.id)
        )
    ]
