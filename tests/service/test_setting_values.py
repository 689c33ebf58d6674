"""Settings by path of users and groups, wherever they are kept, on a database in memory."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.directory.permission import INTERNATIONAL, VOICEMAIL
from sipxd.directory.user_group import UserGroup
from sipxd.errors import BadInput, NotFound
from sipxd.service import setting_values
from sipxd.service.permissions import Permissions
from sipxd.service.setting_values import TIMER, SettingValues, below
from sipxd.service.settings import Settings
from sipxd.service.user_groups import UserGroups
from sipxd.testing.office import Office

IM = "im/im-account"
MESSAGE = "im/on-the-phone-message"
ABROAD = f"permission/call-handling/{INTERNATIONAL}"


class Desk(Office):
    """Users 200, 201 and 202."""

    def __init__(self) -> None:
        super().__init__()
        store: Any = self.store
        self.groups = UserGroups(store, self.accounts, self.forwardings)
        self.values = SettingValues(
            self.accounts,
            self.forwardings,
            Settings(store, self.accounts),
            Permissions(store, self.accounts),
            self.groups,
        )
        for name in ("200", "201", "202"):
            self.add_user(name)

    def told(self, name: str, path: str) -> str:
        found = self.now(self.values.of(self.accounts.find(name)))
        return next(each.value for each in found if each.setting.path == path)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("path", "first", "second", "told"),
    [
        (IM, "1", "true", ("1", "1", "0")),
        (MESSAGE, "Away", "", ("Away", "", "On the phone")),
        (ABROAD, "enable", "DISABLE", ("ENABLE", "DISABLE", "DISABLE")),
        (TIMER, "7", "999", ("7", "999", "30")),
    ],
)
def test_a_setting_of_many_is_set_of_each_to_his_value(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, path: str, first: str, second: str, told: Any
) -> None:
    monkeypatch.setattr(setting_values, "AT_ONCE", 1)
    wanted = [(desk.users["200"], first), (desk.users["201"], second)]
    desk.now(desk.values.change_of_many(path, wanted))
    assert tuple(desk.told(name, path) for name in ("200", "201", "202")) == told


@pytest.mark.parametrize(
    ("path", "good", "bad", "error"),
    [
        (IM, "1", "2", BadInput),
        (ABROAD, "ENABLE", "perhaps", BadInput),
        (TIMER, "7", "1000", BadInput),
        ("no/such", "1", "1", NotFound),
    ],
)
def test_where_one_value_cannot_be_none_is_set(
    desk: Desk, path: str, good: str, bad: str, error: type[Exception]
) -> None:
    before = {each.setting.path: each.value for each in desk.now(desk.values.of(desk.users["200"]))}
    with pytest.raises(error):
        wanted = [(desk.users["200"], good), (desk.users["201"], bad)]
        desk.now(desk.values.change_of_many(path, wanted))
    with pytest.raises(error):
        desk.now(desk.values.change(desk.users["200"], {MESSAGE: "x", ABROAD: "ENABLE", path: bad}))
    now = desk.now(desk.values.of(desk.accounts.find("200")))
    assert {each.setting.path: each.value for each in now} == before


def test_values_of_all_families_are_set_together_and_taken_back(desk: Desk) -> None:
    paths = (IM, MESSAGE, ABROAD, TIMER)
    before = [desk.told("200", path) for path in paths]
    values = dict(zip(paths, ("1", "Away", "ENABLE", "33"), strict=True))
    desk.now(desk.values.change(desk.users["200"], values))
    assert [desk.told("200", path) for path in paths] == list(values.values())
    desk.now(desk.values.change(desk.accounts.find("200"), dict.fromkeys(paths)))
    assert [desk.told("200", path) for path in paths] == before
    assert desk.forwardings.of(desk.users["200"]).timer is None


def test_a_group_says_what_holds_for_members_until_it_takes_it_back(desk: Desk) -> None:
    group = desk.now(desk.groups.add(UserGroup(0, "sales")))
    desk.change_user("201", groups=("sales",))
    voicemail = f"permission/call-handling/{VOICEMAIL}"
    desk.now(desk.values.change_group(group, {voicemail: "0", MESSAGE: "Selling"}))
    assert (desk.told("201", voicemail), desk.told("200", voicemail)) == ("DISABLE", "ENABLE")
    assert (desk.told("201", MESSAGE), desk.told("200", MESSAGE)) == ("Selling", "On the phone")
    group = desk.now(desk.groups.get(group.id))
    listed = {each.setting.path: each.value for each in desk.now(desk.values.of_group(group))}
    assert (listed[voicemail], listed[MESSAGE]) == ("DISABLE", "Selling")
    assert TIMER not in listed
    with pytest.raises(NotFound):
        desk.now(desk.values.change_group(group, {TIMER: "30"}))
    desk.now(desk.values.change_group(group, {voicemail: None, MESSAGE: None}))
    assert desk.now(desk.groups.get(group.id)) == UserGroup(group.id, "sales", weight=1)
    assert desk.told("201", voicemail) == "ENABLE"


def test_settings_are_found_by_whole_steps_of_their_path(desk: Desk) -> None:
    values = desk.now(desk.values.of(desk.users["200"]))
    assert [each.setting.path for each in below(values, TIMER)] == [TIMER]
    assert {each.setting.path.partition("/")[0] for each in below(values, "im")} == {"im"}
    for path in ("i", "im/im", "no/such"):
        with pytest.raises(NotFound):
            below(values, path)
