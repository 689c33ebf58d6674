"""Hunt groups in the database, and the name space that they share with the users."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.forwarding import RingType
from sipxd.directory.user import User
from sipxd.errors import BadInput, Conflict, NotFound, PreconditionFailed
from sipxd.store import call_groups, users
from sipxd.store.users import StoredUser


@pytest.fixture
def connection(connection: sa.Connection) -> sa.Connection:
    for name, alias in (("200", "ann"), ("201", "bob")):
        user = User(0, name, aliases=(alias,))
        users.add(connection, StoredUser(user, "hash", b""))
    return connection


SALES = CallGroup(
    id=0,
    name="sales",
    extension="500",
    members=(Member("200", 10), Member("201", 20, RingType.AT_THE_SAME_TIME), Member("200", 5)),
    description="Who sells",
    did="+4930500",
    enabled=False,
    follow=False,
    voicemail_fallback=True,
    fallback="202@example.org",
    fallback_seconds=40,
)


def test_a_group_comes_back_as_stored(connection: sa.Connection) -> None:
    group = call_groups.add(connection, SALES)
    assert group == attrs.evolve(SALES, id=group.id, version=1)
    assert call_groups.every(connection) == [group]


def test_a_change_replaces_everything_and_the_version_rises(connection: sa.Connection) -> None:
    old = call_groups.add(connection, SALES)
    new = call_groups.replace(connection, CallGroup(old.id, "support", "501", version=99))
    assert new == CallGroup(old.id, "support", "501", version=2)
    assert call_groups.every(connection) == [new]
    with pytest.raises(PreconditionFailed):
        call_groups.replace(connection, old, if_version=1)
    with pytest.raises(PreconditionFailed):
        call_groups.delete(connection, old.id, if_version=1)
    call_groups.delete(connection, old.id, if_version=2)
    assert call_groups.every(connection) == []
    for act in (lambda: call_groups.replace(connection, old), lambda: _delete(connection, old)):
        with pytest.raises(NotFound):
            act()
    assert call_groups.add(connection, SALES).id > old.id


def _delete(connection: sa.Connection, group: CallGroup) -> None:
    call_groups.delete(connection, group.id)


@pytest.mark.parametrize("taken", ["200", "ann", "sales", "500", "+4930500"])
@pytest.mark.parametrize("field", ["name", "extension", "did"])
def test_a_group_takes_no_name_of_a_user_or_another_group(
    connection: sa.Connection, taken: str, field: str
) -> None:
    call_groups.add(connection, SALES)
    other = call_groups.add(connection, CallGroup(0, "support", "501"))
    with pytest.raises(Conflict) as caught:
        call_groups.add(connection, attrs.evolve(CallGroup(0, "x", "y"), **{field: taken}))
    assert caught.value.field == field
    with pytest.raises(Conflict):
        call_groups.replace(connection, attrs.evolve(other, **{field: taken}))


@pytest.mark.parametrize("taken", ["sales", "500", "+4930500"])
def test_a_user_takes_no_name_of_a_group(connection: sa.Connection, taken: str) -> None:
    call_groups.add(connection, SALES)
    for user, field in ((User(0, taken), "name"), (User(0, "300", aliases=(taken,)), "aliases")):
        with pytest.raises(Conflict, match="hunt group") as caught:
            users.add(connection, StoredUser(user, "hash", b""))
        assert caught.value.field == field
    bob = users.by_name(connection, "201")
    assert bob is not None
    with pytest.raises(Conflict):
        users.update(connection, attrs.evolve(bob, user=attrs.evolve(bob.user, name=taken)))


def test_a_groups_own_names_may_be_the_same_or_trade_places(connection: sa.Connection) -> None:
    group = call_groups.add(connection, CallGroup(0, "500", "500", did="500"))
    call_groups.add(connection, CallGroup(0, "a", "b"))
    call_groups.add(connection, CallGroup(0, "c", "d"))  # none of them has a DID
    swapped = attrs.evolve(group, name="501", extension="500", did="501")
    assert call_groups.replace(connection, swapped).names == ("500", "501")


def test_members_are_users_by_their_names(connection: sa.Connection) -> None:
    for name in ("999", "ann"):
        with pytest.raises(BadInput) as caught:
            members = (Member("200"), Member(name))
            call_groups.add(connection, attrs.evolve(SALES, members=members))
        assert caught.value.field == "members[1].user"
    assert call_groups.every(connection) == []


def test_a_member_who_is_renamed_stays_and_one_who_is_gone_leaves(
    connection: sa.Connection,
) -> None:
    sales = call_groups.add(connection, SALES)
    support = call_groups.add(connection, CallGroup(0, "support", "501", (Member("201"),)))
    call_groups.rename_member(connection, "200", "300")
    changed, untouched = call_groups.every(connection)
    assert [member.user for member in changed.members] == ["300", "201", "300"]
    assert (changed.version, untouched) == (sales.version + 1, support)
    call_groups.rename_member(connection, "300", None)
    assert call_groups.every(connection)[0].members == (SALES.members[1],)
