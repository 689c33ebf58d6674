"""Permissions and branches on a database in memory, and what they mean to users."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sipxd.directory.branch import Address, Branch
from sipxd.directory.permission import BUILT_IN, Permission
from sipxd.errors import BadInput, Conflict, Forbidden, NotFound
from sipxd.service.account_changes import list_users
from sipxd.service.branches import Branches
from sipxd.service.permissions import Permissions
from sipxd.service.user_groups import UserGroups
from sipxd.testing.office import Office


class Rules(Office):
    """User 200, who is in the group sales."""

    def __init__(self) -> None:
        super().__init__()
        store: Any = self.store
        self.permissions = Permissions(store, self.accounts)
        self.groups = UserGroups(store, self.accounts, self.forwardings)
        self.branches = Branches(store, self.accounts)
        self.add_user("200")
        self.change_user("200", groups=("sales",))

    def has(self, name: str) -> bool:
        """Whether 200 has the permission, in memory as in the database."""
        with self.store.engine.begin() as connection:
            assert list_users(connection) == self.accounts.all()
        return name in self.accounts.find("200").permissions


@pytest.fixture
def rules() -> Rules:
    return Rules()


def changed(**changes: Any) -> Any:
    def make(old: Permission) -> Permission:
        return attrs.evolve(old, **changes)

    return make


def test_a_default_holds_where_nobody_says_anything(rules: Rules) -> None:
    made = rules.now(rules.permissions.add("Satellite", "Dear", True))
    assert (made.name, made.label, made.default) == ("perm_1", "Satellite", True)
    assert rules.has("perm_1")
    rules.now(rules.permissions.change("perm_1", changed(default=False)))
    assert not rules.has("perm_1")
    rules.change_user("200", values={"perm_1": True})
    assert rules.has("perm_1")
    assert rules.now(rules.permissions.get("perm_1")).description == "Dear"


def test_a_deleted_permission_is_nobodys_and_its_name_never_comes_back(rules: Rules) -> None:
    for label in ("Satellite", "Moon"):
        rules.now(rules.permissions.add(label, "", False))
    rules.change_user("200", values={"perm_1": True, "perm_2": True})
    group = rules.now(rules.groups.named("sales"))
    said = {"perm_1": True, "perm_2": True}
    rules.now(rules.groups.change(group.id, lambda old: attrs.evolve(old, permissions=said)))
    rules.now(rules.permissions.delete("perm_2"))
    assert rules.has("perm_1")
    assert not rules.has("perm_2")
    assert rules.accounts.find("200").granted == {"perm_1"}
    assert rules.now(rules.groups.get(group.id)).permissions == {"perm_1": True}
    assert rules.now(rules.permissions.add("Moon", "", False)).name == "perm_3"


@pytest.mark.parametrize(
    ("label", "description", "error", "field"),
    [
        (" ", "", BadInput, "label"),
        ("x" * 256, "", BadInput, "label"),
        ("a\nb", "", BadInput, "label"),
        ("x", "y" * 256, BadInput, "description"),
        ("Satellite", "", Conflict, "label"),
        ("Voicemail", "", Conflict, "label"),
    ],
)
def test_what_breaks_a_rule_is_not_stored(rules, label, description, error, field) -> None:
    rules.now(rules.permissions.add("Satellite", "", False))
    rules.now(rules.permissions.add("Moon", "", False))
    before = rules.now(rules.permissions.all())
    for work in (
        rules.permissions.add(label, description, True),
        rules.permissions.change("perm_2", changed(label=label, description=description)),
    ):
        with pytest.raises(error) as caught:
            rules.now(work)
        assert caught.value.field == field
    assert rules.now(rules.permissions.all()) == before


def test_those_that_exist_always_and_those_that_do_not_exist_cannot_be_changed(rules) -> None:
    for name, error in (("Voicemail", Forbidden), ("perm_1", NotFound), ("perm_x", NotFound)):
        for work in (rules.permissions.change(name, changed()), rules.permissions.delete(name)):
            with pytest.raises(error):
                rules.now(work)
    assert {each.name for each in rules.now(rules.permissions.all())} == set(BUILT_IN)


def test_a_deleted_branch_is_nobodys(rules: Rules) -> None:
    harbour = rules.now(rules.branches.add(Branch(0, "Harbour", address=Address(city="X"))))
    rules.change_user("200", branch=harbour.id)
    rules.now(rules.branches.replace(attrs.evolve(harbour, name="Port", address=Address())))
    assert rules.now(rules.branches.all()) == [Branch(harbour.id, "Port")]
    rules.now(rules.branches.delete(harbour.id))
    assert rules.has("Voicemail")
    assert rules.accounts.find("200").branch is None
    for work in (
        rules.branches.delete(harbour.id),
        rules.branches.replace(harbour),
        rules.branches.get(harbour.id),
    ):
        with pytest.raises(NotFound):
            rules.now(work)


@pytest.mark.parametrize(
    ("branch", "error", "field"),
    [
        (Branch(0, " "), BadInput, "name"),
        (Branch(0, "x" * 256), BadInput, "name"),
        (Branch(0, "x", phone_number="y" * 256), BadInput, "phone_number"),
        (Branch(0, "x", address=Address(city="a\tb")), BadInput, "city"),
        (Branch(0, "Harbour"), Conflict, "name"),
    ],
)
def test_a_branch_that_breaks_a_rule_is_not_stored(rules, branch, error, field) -> None:
    rules.now(rules.branches.add(Branch(0, "Harbour")))
    other = rules.now(rules.branches.add(Branch(0, "Inland")))
    for work in (
        rules.branches.add(branch),
        rules.branches.replace(attrs.evolve(branch, id=other.id)),
    ):
        with pytest.raises(error) as caught:
            rules.now(work)
        assert caught.value.field == field
    assert [each.name for each in rules.now(rules.branches.all())] == ["Harbour", "Inland"]
