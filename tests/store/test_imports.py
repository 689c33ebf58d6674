"""Users who arrive in parts, and are there all at once."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.call_group import CallGroup
from sipxd.directory.user import User
from sipxd.errors import Conflict
from sipxd.store import call_groups, imports, permissions, users
from sipxd.store.imports import Changes
from sipxd.store.schema import arriving_users, memberships, names, user_groups
from sipxd.store.schema import users as users_table
from sipxd.store.users import StoredUser

NOTHING = Changes("", [], [], [], [], [])


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
    ids = imports.add(connection, given[:2]) + imports.add(connection, given[2:])
    imports.finish(connection, NOTHING, ["sales", "all"])
    rules = permissions.rules(connection)
    as_stored = [
        attrs.evolve(each, user=attrs.evolve(each.user, id=user_id).ruled_by(rules))
        for user_id, each in zip(ids, given, strict=True)
    ]
    assert users.every(connection) == as_stored
    assert users.some(connection, ids[1:]) == as_stored[1:]
    assert set(connection.scalars(sa.select(user_groups.c.name))) == {"sales", "all"}


def test_many_are_given_their_own_ids(connection: sa.Connection) -> None:
    given = [new(str(number)) for number in range(1000, 3500)]
    ids = imports.add(connection, given)
    imports.finish(connection, NOTHING, [])
    stored = {each.user.id: each for each in users.every(connection)}
    for user_id, each in zip(ids, given, strict=True):
        assert (stored[user_id].user.name, stored[user_id].pin_hash) == (
            each.user.name,
            each.pin_hash,
        )


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


@pytest.fixture
def three(connection: sa.Connection) -> list[StoredUser]:
    """Ann, who is 200 in the group a, Bob, who is 201 in b, and 202."""
    given = [new("200", "ann", groups=("a",)), new("201", "bob", groups=("b",)), new("202")]
    imports.add(connection, given)
    imports.finish(connection, NOTHING, ["a", "b"])
    return users.every(connection)


def replaced(old: StoredUser, pin_hash: str | None = None, **changes: Any) -> StoredUser:
    user = attrs.evolve(old.user, **changes)
    return attrs.evolve(old, user=user, pin_hash=pin_hash or old.pin_hash)


def test_users_are_replaced_with_their_names_and_groups(
    connection: sa.Connection, three: list[StoredUser]
) -> None:
    ann, bob, last = three
    changed = [
        replaced(ann, aliases=("x", "y"), groups=("b", "c")),
        replaced(bob, "other", email="bob@x.test", denied=frozenset({"Mobile"})),
        last,
    ]
    changes = Changes.of(connection, zip(three, changed, strict=True))
    assert changes.ids == [ann.user.id, bob.user.id]
    imports.finish(connection, changes, ["c"])
    rules = permissions.rules(connection)
    assert users.every(connection) == [
        attrs.evolve(each, user=each.user.ruled_by(rules)) for each in changed
    ]
    assert users.by_name(connection, "ann") is None


@pytest.mark.parametrize("other", ["email", "pin", "gone"])
def test_who_was_changed_by_somebody_else_is_not_replaced(
    connection: sa.Connection, three: list[StoredUser], other: str
) -> None:
    ann, bob, _ = three
    pairs = [(each, replaced(each, first_name="New")) for each in (ann, bob)]
    if other == "gone":
        users.delete(connection, bob.user.id)
    else:
        users.update(connection, replaced(bob, other, email="bob@x.test"))
    before = users.by_name(connection, "201")
    with pytest.raises(Conflict, match="in the meantime"), connection.begin_nested():
        imports.finish(connection, Changes.of(connection, pairs), [])
    assert users.by_name(connection, "200") == ann
    assert users.by_name(connection, "201") == before


def test_a_name_that_somebody_has_by_now_is_refused(
    connection: sa.Connection, three: list[StoredUser]
) -> None:
    changes = Changes.of(connection, [(three[0], replaced(three[0], aliases=("ann", "500")))])
    call_groups.add(connection, CallGroup(0, "sales", "500"))
    with pytest.raises(Conflict, match="500 is already"):
        imports.finish(connection, changes, [])


def test_owners_are_told_by_every_name(connection: sa.Connection) -> None:
    users.add(connection, new("200", "ann"))
    imports.add(connection, [new("201", "bob")])
    owners = {"200": "200", "ann": "200", "201": "201", "bob": "201"}
    assert imports.owners(connection) == owners
