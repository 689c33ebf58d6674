"""Users who arrive in parts, and are there all at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.user import User
from sipxd.errors import Conflict
from sipxd.store import imports, users
from sipxd.store.engine import create_engine, migrate
from sipxd.store.schema import arriving_users, memberships, names, user_groups
from sipxd.store.schema import users as users_table
from sipxd.store.users import StoredUser


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    url = f"sqlite:///{tmp_path / 'a.sqlite'}"
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def new(name: str, *aliases: str, groups: tuple[str, ...] = ()) -> StoredUser:
    return StoredUser(User(0, name, aliases=aliases, groups=groups), f"hash {name}", b"sealed")


def rows_of(connection: sa.Connection) -> list[int]:
    """How many rows there are of users, names, memberships."""
    counted = (users_table, names, memberships, arriving_users)
    return [
        connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in counted
    ]


def test_who_is_arriving_is_found_by_nobody_and_has_his_names(connection: sa.Connection) -> None:
    imports.add(connection, [new("200", "ann"), new("201")])
    assert users.every(connection) == []
    assert users.by_name(connection, "ann") is None
    with pytest.raises(Conflict, match="ann is already"):
        users.add(connection, new("300", "ann"))


def test_at_the_end_all_have_arrived_as_they_were_given(connection: sa.Connection) -> None:
    given = [new("200", "ann", "5200", groups=("sales", "all")), new("201"), new("202", "bob")]
    placed = imports.add(connection, given[:2]) + imports.add(connection, given[2:])
    rules = imports.finish(connection, ["sales", "all"])
    as_stored = [
        attrs.evolve(each, user=attrs.evolve(each.user, id=number).ruled_by(rules))
        for number, each in enumerate(given, 1)
    ]
    assert users.every(connection) == as_stored
    assert [attrs.evolve(each, user=each.user.ruled_by(rules)) for each in placed] == as_stored
    assert set(connection.scalars(sa.select(user_groups.c.name))) == {"sales", "all"}


def test_many_are_given_their_own_ids(connection: sa.Connection) -> None:
    placed = imports.add(connection, [new(str(number)) for number in range(1000, 3500)])
    imports.finish(connection, [])
    assert all(users.by_name(connection, each.user.name) is not None for each in placed[::100])
    assert {each.user.id: each.pin_hash for each in placed} == {
        each.user.id: each.pin_hash for each in users.every(connection)
    }


def test_what_is_given_up_leaves_nothing_and_nobody_else_goes(connection: sa.Connection) -> None:
    users.add(connection, new("100", "zoe", groups=("all",)))
    before = rows_of(connection)
    imports.add(connection, [new(str(number), groups=("all",)) for number in range(200, 450)])
    rounds = 0
    while imports.give_up(connection):
        rounds += 1
    assert rounds == 5
    assert rows_of(connection) == before


@pytest.mark.parametrize("taken", ["100", "zoe"])
def test_a_name_that_is_taken_is_refused(connection: sa.Connection, taken: str) -> None:
    users.add(connection, new("100", "zoe"))
    for given in ([new("200"), new(taken)], [new("200", taken)]):
        with pytest.raises(Conflict, match=taken):
            imports.add(connection, given)


def test_users_are_replaced_with_their_names_and_groups(connection: sa.Connection) -> None:
    imports.add(
        connection, [new("200", "ann", groups=("a",)), new("201", "bob", groups=("b",)), new("202")]
    )
    imports.finish(connection, [])
    ann, bob, _ = old = users.every(connection)
    changed = [
        attrs.evolve(ann, user=attrs.evolve(ann.user, aliases=("x", "y"), groups=("b", "c"))),
        attrs.evolve(bob, user=attrs.evolve(bob.user, email="bob@x.test"), pin_hash="other"),
    ]
    imports.update(connection, list(zip((ann, bob), changed, strict=True)))
    assert users.every(connection) == [*changed, old[2]]
    assert users.by_name(connection, "ann") is None


def test_owners_are_told_by_every_name(connection: sa.Connection) -> None:
    users.add(connection, new("200", "ann"))
    imports.add(connection, [new("201", "bob")])
    owners = {"200": "200", "ann": "200", "201": "201", "bob": "201"}
    assert imports.owners(connection) == owners
