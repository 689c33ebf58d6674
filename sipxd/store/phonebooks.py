"""Phonebooks, without their entries (`sipxd.store.phonebook_entries`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.phonebook import Phonebook, private_name
from sipxd.errors import Conflict, NotFound
from sipxd.store.plain import decode, encode
from sipxd.store.schema import phonebooks, users

_COLUMNS = ("id", "name", "owner_id")


def shared(connection: sa.Connection) -> list[Phonebook]:
    """All shared phonebooks, ordered by name."""
    return _load(connection, phonebooks.c.owner_id.is_(None))


def get(connection: sa.Connection, phonebook_id: int) -> Phonebook:
    """A shared phonebook. Raises NotFound."""
    return _one(connection, phonebooks.c.id == phonebook_id, phonebooks.c.owner_id.is_(None))


def named(connection: sa.Connection, name: str) -> Phonebook:
    """The shared phonebook with this name. Raises NotFound."""
    return _one(connection, phonebooks.c.name == name, phonebooks.c.owner_id.is_(None))


def private(connection: sa.Connection, user_id: int) -> Phonebook | None:
    """A user's own phonebook, where he has one."""
    found = _load(connection, phonebooks.c.owner_id == user_id)
    return found[0] if found else None


def make_private(connection: sa.Connection, user_id: int) -> Phonebook:
    """A user's own phonebook, made where he has none. Raises NotFound: he is gone."""
    present = private(connection, user_id)
    if present is not None:
        return present
    if connection.scalar(sa.select(users.c.id).where(users.c.id == user_id)) is None:
        raise NotFound("there is no such user any more")
    return _insert(connection, Phonebook(0, private_name(user_id), owner_id=user_id))


def visible(connection: sa.Connection, user_id: int, groups: Collection[str]) -> list[Phonebook]:
    """A user's own phonebook, then the shared ones that one of his groups sees, by name."""
    own = private(connection, user_id)
    seen = [book for book in shared(connection) if not set(groups).isdisjoint(book.consumers)]
    return seen if own is None else [own, *seen]


def add(connection: sa.Connection, new: Phonebook) -> Phonebook:
    """Insert a phonebook and give it back with its id. Raises Conflict: the name is taken."""
    _refuse_taken(connection, new.name, None)
    return _insert(connection, new)


def replace(connection: sa.Connection, phonebook: Phonebook) -> None:
    """Replace everything but the entries. Raises NotFound, Conflict."""
    _refuse_taken(connection, phonebook.name, phonebook.id)
    done = connection.execute(
        sa.update(phonebooks).where(phonebooks.c.id == phonebook.id).values(_row(phonebook))
    )
    if not done.rowcount:
        raise _missing()


def delete(connection: sa.Connection, phonebook_id: int) -> None:
    """Delete a phonebook with its entries. Raises NotFound."""
    if not connection.execute(
        sa.delete(phonebooks).where(phonebooks.c.id == phonebook_id)
    ).rowcount:
        raise _missing()


def rename_group(connection: sa.Connection, old: str, new: str | None) -> None:
    """The user group ``old`` is called ``new`` from now on; None: there is no such group."""

    def after(names: tuple[str, ...]) -> tuple[str, ...]:
        renamed = (new if name == old else name for name in names)
        return tuple(dict.fromkeys(name for name in renamed if name is not None))

    for book in shared(connection):
        changed = attrs.evolve(book, members=after(book.members), consumers=after(book.consumers))
        if changed != book:
            replace(connection, changed)


def _load(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Phonebook]:
    rows = connection.execute(sa.select(phonebooks).where(*conditions).order_by(phonebooks.c.name))
    return [
        msgspec.convert(
            decode(row.data) | {column: getattr(row, column) for column in _COLUMNS}, Phonebook
        )
        for row in rows
    ]


def _one(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Phonebook:
    found = _load(connection, *conditions)
    if not found:
        raise _missing()
    return found[0]


def _insert(connection: sa.Connection, new: Phonebook) -> Phonebook:
    phonebook_id = connection.scalar(
        sa.insert(phonebooks).values(_row(new)).returning(phonebooks.c.id)
    )
    assert phonebook_id is not None
    return attrs.evolve(new, id=phonebook_id)


def _row(phonebook: Phonebook) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(phonebook)
    row = {column: data.pop(column) for column in _COLUMNS}
    del row["id"]
    return row | {"data": encode(data)}


def _refuse_taken(connection: sa.Connection, name: str, own_id: int | None) -> None:
    query = sa.select(phonebooks.c.id).where(phonebooks.c.name == name)
    if own_id is not None:
        query = query.where(phonebooks.c.id != own_id)
    if connection.scalar(query) is not None:
        raise Conflict(f"{name!r} is already another phonebook; choose another", field="name")


def _missing() -> NotFound:
    return NotFound("there is no such phonebook", field="id")
