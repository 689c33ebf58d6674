"""Telephones and their lines in the database."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.telephone import Line, Telephone
from sipxd.directory.user import User
from sipxd.errors import Conflict, NotFound
from sipxd.store import telephones, users
from sipxd.store.users import StoredUser


@pytest.fixture
def connection(connection: sa.Connection) -> sa.Connection:
    users.add(connection, StoredUser(User(0, "200"), "hash", b""))
    return connection


EXTERNAL = Line(None, "77", '"Zoë"<sip:77@far.example.net>')
DESK = Telephone(
    id=0,
    serial="0004f2a1b2c3",
    model="polycom550",
    description="Zoë's \U0001f4de",
    version="3.2",
    groups=("lobby", "attic"),
    lines=(EXTERNAL, Line(1), EXTERNAL),
)
BARE = Telephone(0, "0004f2000001", "snom320")


def test_telephones_come_back_as_stored_the_oldest_first(connection: sa.Connection) -> None:
    desk, bare = (telephones.add(connection, each) for each in (DESK, BARE))
    assert (desk, bare) == (attrs.evolve(DESK, id=desk.id), attrs.evolve(BARE, id=bare.id))
    assert telephones.every(connection) == [desk, bare]
    assert telephones.get(connection, desk.id) == desk
    assert telephones.find(connection, DESK.serial) == desk
    assert telephones.find(connection, BARE.serial) == bare
    assert telephones.find(connection, "") is None


def test_a_change_replaces_everything_and_the_others_stay(connection: sa.Connection) -> None:
    desk, bare = (telephones.add(connection, each) for each in (DESK, BARE))
    new = Telephone(desk.id, "0004f2000002", "snom320", lines=(Line(1),))
    telephones.replace(connection, new)
    assert telephones.every(connection) == [new, bare]
    assert telephones.find(connection, DESK.serial) is None
    telephones.replace(connection, new)  # its own serial number is not taken
    telephones.delete(connection, desk.id)
    assert telephones.every(connection) == [bare]
    telephones.replace(connection, attrs.evolve(bare, lines=(EXTERNAL, Line(1))))
    users.delete(connection, 1)
    assert telephones.get(connection, bare.id).lines == (EXTERNAL,)


def test_no_two_have_the_same_serial_number(connection: sa.Connection) -> None:
    telephones.add(connection, DESK)
    bare = telephones.add(connection, BARE)
    with pytest.raises(Conflict, match=DESK.serial):
        telephones.add(connection, DESK)
    with pytest.raises(Conflict, match=DESK.serial):
        telephones.replace(connection, attrs.evolve(bare, serial=DESK.serial))


def test_a_telephone_that_has_gone_is_not_found(connection: sa.Connection) -> None:
    with pytest.raises(NotFound):
        telephones.get(connection, 99)
    with pytest.raises(NotFound):
        telephones.replace(connection, attrs.evolve(DESK, id=99))
    telephones.delete(connection, 99)
