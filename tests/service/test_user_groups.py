"""User groups on a database in memory, and users who are changed while their groups are."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred

from sipxd.directory.permission import INTERNATIONAL, VOICEMAIL
from sipxd.directory.user_group import UserGroup
from sipxd.errors import BadInput, Conflict, NotFound
from sipxd.service import accounts
from sipxd.service.account_changes import list_users
from sipxd.service.account_requests import UserChange
from sipxd.service.permissions import Permissions
from sipxd.service.user_groups import UserGroups
from sipxd.testing.office import Office


class Directory(Office):
    """Users 200, 201 and 202 in the group sales; 202 is in the group field as well."""

    def __init__(self) -> None:
        super().__init__()
        store: Any = self.store
        self.groups = UserGroups(store, self.accounts, self.forwardings)
        self.permissions = Permissions(store, self.accounts)
        for name in ("200", "201", "202"):
            self.add_user(name)
            self.change_user(name, groups=("sales", "field") if name == "202" else ("sales",))

    def group(self, name: str) -> UserGroup:
        return self.now(self.groups.named(name))

    def groups_of(self) -> dict[str, tuple[str, ...]]:
        """Who is in what, in memory, which is also what is stored."""
        with self.store.engine.begin() as connection:
            assert list_users(connection) == self.accounts.all()
        return {user.name: user.groups for user in self.accounts.all()}

    def begin(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Begin a change that concerns many users, and let it take up the first of them."""
        begun = Deferred.fromCoroutine(work)
        assert not begun.called
        return begun

    def end(self, *begun: Deferred[Any]) -> None:
        for _ in range(20):
            self.clock.advance(0)
        assert all(each.called for each in begun)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn after each user."""
    monkeypatch.setattr(accounts, "AT_ONCE", 1)


def renamed(name: str) -> Any:
    def make(old: UserGroup) -> UserGroup:
        return attrs.evolve(old, name=name)

    return make


def denying(permission: str) -> Any:
    def make(old: UserGroup) -> UserGroup:
        return attrs.evolve(old, permissions={permission: False})

    return make


def test_a_renamed_group_keeps_its_members_and_its_place(directory: Directory) -> None:
    number = directory.group("sales").id
    directory.now(directory.groups.change(number, renamed("shop")))
    assert directory.groups_of() == {"200": ("shop",), "201": ("shop",), "202": ("shop", "field")}
    assert [each.name for each in directory.now(directory.groups.all())] == ["shop", "field"]
    assert directory.group("shop").id == number


def test_members_of_a_deleted_group_stay_in_their_others(directory: Directory) -> None:
    number = directory.group("sales").id
    directory.now(directory.groups.delete(number))
    assert directory.groups_of() == {"200": (), "201": (), "202": ("field",)}
    with pytest.raises(NotFound):
        directory.now(directory.groups.delete(number))


def test_a_group_moves_no_farther_than_to_the_end(directory: Directory) -> None:
    directory.now(directory.groups.add(UserGroup(0, "desk")))

    def order() -> list[str]:
        return [each.name for each in directory.now(directory.groups.all())]

    for name, places, expected in (
        ("sales", 1, ["field", "sales", "desk"]),
        ("sales", 5, ["field", "desk", "sales"]),
        ("sales", 1, ["field", "desk", "sales"]),
        ("desk", -7, ["desk", "field", "sales"]),
    ):
        directory.now(directory.groups.move(directory.group(name).id, places))
        assert order() == expected


def test_the_lightest_group_that_says_something_decides(directory: Directory) -> None:
    sales, field = directory.group("sales"), directory.group("field")
    for group, value in ((sales, False), (field, True)):
        change = attrs.evolve(group, permissions={VOICEMAIL: value})
        directory.now(directory.groups.change(group.id, lambda _, new=change: new))
    assert not directory.accounts.find("202").voicemail
    directory.now(directory.groups.move(field.id, -1))
    assert directory.accounts.find("202").voicemail
    assert not directory.accounts.find("201").voicemail
    directory.groups_of()


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"name": "field"}, Conflict, "name"),
        ({"name": " shop"}, BadInput, "name"),
        ({"name": "a/b"}, BadInput, "name"),
        ({"description": "x" * 256}, BadInput, "description"),
        ({"description": "a\nb"}, BadInput, "description"),
        ({"branch": 7}, NotFound, "branch"),
        ({"permissions": {"Flying": True}}, NotFound, "permissions"),
    ],
)
def test_what_breaks_a_rule_leaves_everything_as_it_was(directory, changes, error, field) -> None:
    sales = directory.group("sales")
    with pytest.raises(error) as caught:
        directory.now(directory.groups.change(sales.id, lambda old: attrs.evolve(old, **changes)))
    assert caught.value.field == field
    assert directory.group("sales") == sales
    assert directory.groups_of()["200"] == ("sales",)


@pytest.mark.usefixtures("slowly")
def test_who_joins_another_group_while_his_is_renamed_is_in_both(directory: Directory) -> None:
    begun = directory.begin(directory.groups.change(directory.group("sales").id, renamed("shop")))
    directory.change_user("200", joins=("late",))
    directory.change_user("202", joins=("late",))
    directory.end(begun)
    assert directory.groups_of() == {
        "200": ("shop", "late"),
        "201": ("shop",),
        "202": ("shop", "field", "late"),
    }


@pytest.mark.usefixtures("slowly")
def test_a_new_group_of_the_old_name_is_another_group(directory: Directory) -> None:
    begun = directory.begin(directory.groups.change(directory.group("sales").id, renamed("shop")))
    directory.change_user("202", groups=("sales",))
    directory.end(begun)
    assert directory.groups_of() == {"200": ("shop",), "201": ("shop",), "202": ("sales",)}


@pytest.mark.usefixtures("slowly")
def test_who_is_deleted_and_who_comes_while_a_group_is_renamed(directory: Directory) -> None:
    begun = directory.begin(directory.groups.change(directory.group("sales").id, renamed("shop")))
    directory.now(directory.accounts.delete("201"))
    directory.end(begun)
    assert directory.groups_of() == {"200": ("shop",), "202": ("shop", "field")}


@pytest.mark.usefixtures("slowly")
def test_changes_that_overlap_hold_in_the_order_in_which_they_were_stored(
    directory: Directory,
) -> None:
    sales = directory.group("sales").id
    first = directory.begin(directory.groups.change(sales, denying("LocalDialing")))
    second = directory.begin(directory.permissions.add("Satellite", "", True))
    third = directory.begin(directory.groups.change(sales, denying(VOICEMAIL)))
    directory.change_user("202", values={INTERNATIONAL: True})
    directory.end(first, second, third)
    directory.groups_of()
    for name in ("200", "201", "202"):
        user = directory.accounts.find(name)
        assert not user.voicemail
        assert {"perm_1", "LocalDialing"} <= user.permissions
        assert (INTERNATIONAL in user.permissions) == (name == "202")


@pytest.mark.usefixtures("slowly")
def test_who_is_put_into_a_group_that_is_renamed_meanwhile_is_in_that_one(
    directory: Directory,
) -> None:
    sales, field = directory.group("sales"), directory.group("field")
    begun = directory.begin(directory.groups.change(sales.id, renamed("shop")))

    async def put(names: tuple[str, ...]) -> None:
        await directory.accounts.change("200", UserChange(groups=names))

    putting = directory.begin(directory.groups.with_names([field.id, sales.id, field.id], put))
    directory.end(begun, putting)
    assert directory.groups_of()["200"] == ("field", "shop")
    assert [each.name for each in directory.now(directory.groups.all())] == ["shop", "field"]
    with pytest.raises(NotFound):
        directory.now(directory.groups.with_names([sales.id, 99], put))
    directory.now(directory.groups.with_names([], put))
    assert directory.groups_of()["200"] == ()


@pytest.mark.usefixtures("slowly")
def test_users_are_told_with_the_groups_that_they_are_in_as_stored(directory: Directory) -> None:
    asked = [directory.accounts.find(name) for name in ("202", "200", "201")]
    directory.now(directory.accounts.delete("201"))
    begun = directory.begin(directory.groups.change(directory.group("sales").id, renamed("shop")))
    told = directory.now(directory.groups.belonging(asked))
    assert [user.name for user in told.users] == ["202", "200"]
    assert [[group.name for group in told.groups_of(user)] for user in told.users] == [
        ["shop", "field"],
        ["shop"],
    ]
    directory.end(begun, directory.begin(directory.groups.move(directory.group("field").id, -1)))
    told = directory.now(directory.groups.belonging(asked))
    assert [group.name for group in told.groups_of(told.users[0])] == ["field", "shop"]


def test_a_change_that_cannot_be_stored_leaves_memory_as_it_was(directory: Directory) -> None:
    before = directory.groups_of()
    directory.store.failing = Conflict("no")
    sales = directory.group("sales").id
    for work in (
        directory.groups.change(sales, renamed("shop")),
        directory.groups.delete(sales),
        directory.groups.move(sales, 1),
        directory.accounts.change("200", UserChange(leaves=("sales",))),
    ):
        with pytest.raises(Conflict):
            directory.now(work)
    directory.store.failing = None
    assert directory.groups_of() == before
