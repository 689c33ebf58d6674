"""Phonebooks, profiles, permissions, groups, branches and tokens in the database."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.branch import Address, Branch
from sipxd.directory.conference import Conference
from sipxd.directory.permission import BUILT_IN, Permission
from sipxd.directory.phonebook import Entry, Phonebook
from sipxd.directory.profile import Contact, Person, Profile
from sipxd.directory.schedule import Period, Schedule
from sipxd.directory.speed_dial import Button
from sipxd.directory.telephone import Line, Telephone
from sipxd.directory.user import User
from sipxd.directory.user_group import UserGroup
from sipxd.errors import Conflict, NotFound
from sipxd.service.account_changes import change_user, create_user, delete_user, find_user
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.vault import Vault
from sipxd.store import (
    branches,
    conferences,
    permissions,
    phonebook_entries,
    phonebooks,
    profiles,
    schedules,
    settings,
    telephones,
    tokens,
    user_groups,
)

VAULT = Vault(bytes(32))


@pytest.fixture
def user(engine: sa.Engine) -> User:
    with engine.begin() as connection:
        new = NewUser(name="200", pin="1234567", groups=("sales",))
        return create_user(connection, VAULT, new)[0]


def test_phonebooks_are_stored_read_renamed_and_deleted(engine: sa.Engine, user: User) -> None:
    new = Phonebook(0, "partners", "d", members=("sales",), consumers=("sales", "support"))
    with engine.begin() as connection:
        shared = phonebooks.add(connection, new)
        assert phonebooks.private(connection, user.id) is None
        own = phonebooks.make_private(connection, user.id)
        assert phonebooks.make_private(connection, user.id) == own
        assert phonebooks.private(connection, user.id) == own
        assert phonebooks.shared(connection) == [shared]
        assert phonebooks.get(connection, shared.id) == shared
        assert phonebooks.named(connection, "partners") == shared
        assert phonebooks.visible(connection, user.id, ["support"]) == [own, shared]
        assert phonebooks.visible(connection, 99, ["other"]) == []
    for wrong, act in (
        (Conflict, lambda connection: phonebooks.add(connection, new)),
        (Conflict, lambda connection: phonebooks.replace(connection, attrs.evolve(new, id=99))),
        (NotFound, lambda connection: phonebooks.replace(connection, Phonebook(99, "new"))),
        (NotFound, lambda connection: phonebooks.get(connection, own.id)),
        (NotFound, lambda connection: phonebooks.named(connection, "none")),
        (NotFound, lambda connection: phonebooks.delete(connection, 99)),
        (NotFound, lambda connection: phonebooks.make_private(connection, 99)),
    ):
        with pytest.raises(wrong), engine.begin() as connection:
            act(connection)
    with engine.begin() as connection:
        phonebooks.rename_group(connection, "sales", "support")
        changed = attrs.evolve(shared, members=("support",), consumers=("support",))
        assert phonebooks.shared(connection) == [changed]
        phonebook_entries.add(connection, shared.id, phonebook_entries.rows([ADA]))
        phonebooks.delete(connection, shared.id)
        assert phonebook_entries.count(connection, shared.id) == 0
        delete_user(connection, "200")
        assert phonebooks.private(connection, user.id) is None


ADA = Entry(0, "Ada", "Park", "+4930 1")
ZOE = Entry(0, "Zoë", "Ärger", "402", Contact(email_address="zoe@B.org", job_title="Süß"), "x-1")
LAST = Entry(0, "\U0010fffd", "100%_\\", "")


def test_entries_of_phonebooks_are_stored_found_replaced_and_deleted(
    engine: sa.Engine, user: User
) -> None:
    with engine.begin() as connection:
        book = phonebooks.add(connection, Phonebook(0, "partners")).id
        own = phonebooks.make_private(connection, user.id).id
        phonebook_entries.add(connection, book, phonebook_entries.rows([ADA, ZOE, LAST]))
        phonebook_entries.add(connection, own, phonebook_entries.rows([ZOE]))
        both = phonebook_entries.of(connection, [book, own])
        assert [attrs.evolve(each, id=0) for each in both] == [ADA, ZOE, LAST, ZOE]
        ada, zoe, last, private = both

        def beginning(text: str) -> list[Entry]:
            return phonebook_entries.beginning(connection, [book, own], text)

        assert beginning("aDA") == [ada]
        assert beginning("ÄR") == [zoe, private]
        assert beginning("40") == [zoe, private]
        assert beginning("\U0010fffd") == [last]
        assert beginning("100%") == [last]
        assert beginning("da") == beginning("_") == []
        assert phonebook_entries.beginning(connection, [own], "zo") == [private]

        def with_part(part: str) -> list[int]:
            return sorted(e.id for _, e in phonebook_entries.keys(connection, [book], part))

        assert with_part("") == [ada.id, zoe.id, last.id]
        assert with_part("ZOE@b") == with_part("ÄRG") == [zoe.id]
        assert with_part("%_\\") == [last.id]
        assert phonebook_entries.by_ids(connection, [ada.id, 99]) == {ada.id: ada}
        assert phonebook_entries.find(connection, zoe.id) == (book, zoe)
        assert phonebook_entries.find(connection, 99) is None
        assert phonebook_entries.find_internal(connection, own, "x-1") == private
        assert phonebook_entries.find_internal(connection, own, "x-2") is None
        assert (phonebook_entries.count(connection, book), private.id) == (3, last.id + 1)
        assert phonebook_entries.is_there(connection, own, ZOE)
        assert not phonebook_entries.is_there(connection, own, private)
        changed = attrs.evolve(ada, last_name="Ortiz")
        phonebook_entries.replace(connection, changed)
        assert beginning("ORT") == [changed]
        phonebook_entries.delete(connection, zoe.id)
        assert phonebook_entries.of(connection, [book]) == [changed, last]
        phonebook_entries.clear(connection, book)
        assert phonebook_entries.of(connection, [book, own]) == [private]
    with pytest.raises(NotFound), engine.begin() as connection:
        phonebook_entries.replace(connection, attrs.evolve(ADA, id=99))


def test_profiles_and_pictures_are_stored_and_read(engine: sa.Engine, user: User) -> None:
    home = Address("Weg 1", "Köln")
    profile = Profile(
        Contact("Chef", im_id="ann", home_address=home), twitter_name="a", timestamp=7
    )
    with engine.begin() as connection:
        west = branches.add(connection, Branch(0, "west", "d", Address(city="Bonn")))
        assert profiles.of(connection, user.id) == Profile()
        assert profiles.avatar(connection, user.id) is None
        for kept in (Profile(), profile):
            profiles.save(connection, user.id, kept)
            assert profiles.of(connection, user.id) == kept
        settings.save(connection, user.id, {profiles.IM_ACCOUNT: "1"})
        there = attrs.evolve(user, branch=west.id)
        assert profiles.person(connection, there) == Person(there, profile, west, True)
        nobody = attrs.evolve(user, id=99)
        assert profiles.people(connection, [nobody, user]) == [
            Person(nobody),
            Person(user, profile, None, True),
        ]
        for png in (b"\x89PNG\0\xff", b""):
            profiles.save_avatar(connection, user.id, png)
            assert profiles.avatar(connection, user.id) == png
    with pytest.raises(NotFound), engine.begin() as connection:
        profiles.save_avatar(connection, 99, b"")


def test_permissions_are_made_changed_and_deleted(engine: sa.Engine, user: User) -> None:
    new = Permission("", "Night calls", False, description="d")
    with engine.begin() as connection:
        made = permissions.add(connection, new)
        assert made == attrs.evolve(new, name="perm_1")
        (sales,) = user_groups.every(connection)
        granting = attrs.evolve(sales, permissions={"perm_1": True, "Voicemail": False})
        user_groups.replace(connection, sales, granting)
        rules = permissions.rules(connection)
        assert (rules.by_group["sales"], rules.defaults["perm_1"]) == (granting.permissions, False)
        change_user(connection, VAULT, "200", UserChange(permissions=("perm_1", "Mobile")))
        assert "perm_1" in find_user(connection, "200").permissions
        changed = attrs.evolve(made, label="Nights", default=True)
        permissions.replace(connection, changed)
        names = sorted([*BUILT_IN, "perm_1"])
        assert [each.name for each in permissions.every(connection)] == names
        assert changed in permissions.every(connection)
    for label in ("Nights", "Voicemail"):
        with pytest.raises(Conflict), engine.begin() as connection:
            permissions.add(connection, Permission("", label, True))
    with engine.begin() as connection:
        permissions.delete(connection, "perm_1")
        assert find_user(connection, "200").granted == {"Mobile"}
        assert user_groups.every(connection)[0].permissions == {"Voicemail": False}
        assert [each.name for each in permissions.every(connection)] == sorted(BUILT_IN)


def test_groups_and_branches_are_made_renamed_and_deleted(engine: sa.Engine, user: User) -> None:
    with engine.begin() as connection:
        west = branches.add(connection, Branch(0, "west", "d", Address(city="Köln")))
        branches.replace(connection, attrs.evolve(west, name="east"))
        east = branches.get(connection, west.id)
        assert branches.every(connection) == {east.id: attrs.evolve(west, name="east")}
        (sales,) = user_groups.every(connection)
        support = user_groups.add(connection, UserGroup(0, "support", branch=east.id))
        user_groups.add_missing(connection, ["sales", "new", "new"])
        names = [each.name for each in user_groups.every(connection)]
        assert names == ["sales", "support", "new"]
        schedules.add(connection, Schedule(0, "Office", (Period(-1, 480, 1020),), group="sales"))
        user_groups.replace(connection, sales, attrs.evolve(sales, name="trade", weight=9))
        assert find_user(connection, "200").groups == ("trade",)
        assert schedules.every(connection)[0].group == "trade"
        branches.delete(connection, east.id)
        assert attrs.evolve(support, branch=None) in user_groups.every(connection)
        user_groups.delete(connection, attrs.evolve(sales, name="trade"))
        assert find_user(connection, "200").groups == ()
        assert schedules.every(connection) == []
    for act in (
        lambda connection: user_groups.add(connection, UserGroup(0, "support")),
        lambda connection: user_groups.replace(
            connection, support, attrs.evolve(support, name="new")
        ),
    ):
        with pytest.raises(Conflict), engine.begin() as connection:
            act(connection)
    for act in (
        lambda connection: branches.get(connection, east.id),
        lambda connection: branches.replace(connection, east),
        lambda connection: branches.delete(connection, east.id),
        lambda connection: user_groups.replace(connection, sales, sales),
    ):
        with pytest.raises(NotFound), engine.begin() as connection:
            act(connection)


def test_tokens_and_private_keys_are_stored_and_go_with_their_user(
    engine: sa.Engine, user: User
) -> None:
    one, two = (tokens.Token(digit * 64, user.id, "CRM ü", 1e9 + 0.5) for digit in "ab")
    with engine.begin() as connection:
        tokens.add(connection, one)
        tokens.add(connection, two)
        tokens.set_key(connection, user.id, "c" * 64)
        both = {one.digest: one, two.digest: two}
        assert tokens.every(connection) == (both, {"c" * 64: user.id})
        tokens.delete(connection, one.digest)
        tokens.set_key(connection, user.id, None)
        assert tokens.every(connection) == ({two.digest: two}, {})
    for act in (
        lambda connection: tokens.add(connection, attrs.evolve(one, user_id=99)),
        lambda connection: tokens.set_key(connection, 99, "d" * 64),
    ):
        with pytest.raises(NotFound), engine.begin() as connection:
            act(connection)
    with engine.begin() as connection:
        delete_user(connection, "200")
        assert tokens.every(connection) == ({}, {})


def test_schedules_conferences_and_buttons_are_changed_and_deleted(
    engine: sa.Engine, user: User
) -> None:
    with engine.begin() as connection:
        office = schedules.add(
            connection, Schedule(0, "Office", (Period(-1, 480, 1020),), user_id=user.id)
        )
        night = schedules.add(connection, attrs.evolve(office, name="Night"))
        changed = attrs.evolve(office, name="Days", description="ü", periods=(Period(0, 0, 1),))
        schedules.replace(connection, changed)
        assert schedules.every(connection) == [changed, night]
        assert schedules.delete(connection, night.id)
        assert not schedules.delete(connection, night.id)
        kept = conferences.add(connection, Conference(0, "standup", "5001"))
        conferences.delete(connection, kept.id)
        assert conferences.every(connection) == []
        settings.save_speed_dial(connection, user.id, (Button("Ben", "402"),))
        settings.save_speed_dial(connection, user.id, None)
        assert settings.speed_dial(connection, user.id) is None
        user_groups.add(connection, UserGroup(0, "support"))
        settings.save_speed_dial_of_group(connection, "support", (Button("Ben", "402"),))
        settings.save_speed_dial_of_group(connection, "support", None)
        assert settings.speed_dial_of_groups(connection, ["support"]) is None
    for wrong, act in (
        (Conflict, lambda connection: schedules.add(connection, changed)),
        (NotFound, lambda connection: schedules.replace(connection, attrs.evolve(night, id=99))),
        (NotFound, lambda connection: conferences.replace(connection, kept)),
        (NotFound, lambda connection: settings.save_speed_dial_of_group(connection, "no", None)),
    ):
        with pytest.raises(wrong), engine.begin() as connection:
            act(connection)


def test_telephones_are_stored_found_replaced_and_deleted(engine: sa.Engine, user: User) -> None:
    far = Line(None, "77", '"Zoë"<sip:77@far.example.net>')
    new = Telephone(
        0, "0004f2a1b2c3", "polycom550", "Süd", "3.2", ("lobby",), (far, Line(user.id), far)
    )
    with engine.begin() as connection:
        desk = telephones.add(connection, new)
        bare = telephones.add(connection, Telephone(0, "0004f2000001", "snom320"))
        assert telephones.every(connection) == [desk, bare]
        assert telephones.find(connection, new.serial) == attrs.evolve(new, id=desk.id)
        assert telephones.find(connection, "") is None
        changed = attrs.evolve(desk, serial="0004f2000002", lines=(Line(user.id), far))
        telephones.replace(connection, changed)
        assert telephones.get(connection, desk.id) == changed
        delete_user(connection, "200")
        assert telephones.every(connection) == [attrs.evolve(changed, lines=(far,)), bare]
        telephones.delete(connection, desk.id)
        assert telephones.every(connection) == [bare]
    for wrong, act in (
        (Conflict, lambda connection: telephones.add(connection, bare)),
        (NotFound, lambda connection: telephones.replace(connection, changed)),
        (NotFound, lambda connection: telephones.get(connection, 99)),
    ):
        with pytest.raises(wrong), engine.begin() as connection:
            act(connection)
