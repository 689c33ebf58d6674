"""Settings by path, speed dials, and the PIN of voicemail."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from sipxd.directory.speed_dial import Button
from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.store import settings, users
from sipxd.store.schema import house, user_groups
from sipxd.store.users import StoredUser

DESK = (Button("Desk", "500", True), Button("", "sip:a@example.net"))


@pytest.fixture
def connection(connection: sa.Connection) -> sa.Connection:
    """The users 1 and 2, and the groups "light" and "heavy"."""
    for name in ("200", "201"):
        users.add(connection, StoredUser(User(0, name), "hash", b""))
    for name, weight in (("heavy", 9), ("light", 1)):
        data = json.dumps({"settings": {"im/im-account": str(weight)}})
        row = {"name": name, "weight": weight, "data": data}
        connection.execute(sa.insert(user_groups).values(row))
    return connection


def test_values_are_replaced_one_by_one_and_of_one_user(connection) -> None:
    settings.save(connection, 1, {"a/b": "1", "c": "ü"})
    settings.save(connection, 2, {"a/b": "2"})
    settings.save(connection, 1, {"c": None, "d": "", "e": None})
    assert settings.of(connection, 1) == {"a/b": "1", "d": ""}
    assert settings.of(connection, 2) == {"a/b": "2"}


def test_nothing_is_kept_for_somebody_who_is_gone(connection) -> None:
    settings.save(connection, 2, {"a": "1"})
    settings.save_speed_dial(connection, 2, DESK)
    users.delete(connection, 2)
    assert settings.of(connection, 2) == {}
    assert settings.speed_dial(connection, 2) is None
    for work in (
        lambda: settings.save(connection, 2, {"a": "1"}),
        lambda: settings.save_speed_dial(connection, 2, DESK),
        lambda: users.save_voicemail_pin(connection, 2, "hash"),
    ):
        with pytest.raises(NotFound):
            work()


def test_of_groups_the_light_ones_come_first(connection) -> None:
    both = settings.of_groups(connection, ["heavy", "light", "a mere label"])
    assert both == [{"im/im-account": "1"}, {"im/im-account": "9"}]
    assert settings.of_groups(connection, []) == []


def test_a_speed_dial_is_no_setting_and_may_be_empty(connection) -> None:
    assert settings.speed_dial(connection, 1) is None
    settings.save_speed_dial(connection, 1, DESK)
    assert settings.speed_dial(connection, 1) == DESK
    assert settings.of(connection, 1) == {}
    settings.save_speed_dial(connection, 1, ())
    assert settings.speed_dial(connection, 1) == ()
    settings.save_speed_dial(connection, 1, None)
    assert settings.speed_dial(connection, 1) is None


def test_the_lightest_group_with_a_speed_dial_counts(connection) -> None:
    groups = ["heavy", "light"]
    assert settings.speed_dial_of_groups(connection, groups) is None
    settings.save_speed_dial_of_group(connection, "heavy", DESK)
    assert settings.speed_dial_of_groups(connection, groups) == DESK
    settings.save_speed_dial_of_group(connection, "light", DESK[:1])
    assert settings.speed_dial_of_groups(connection, groups) == DESK[:1]
    for group in groups:
        settings.save_speed_dial_of_group(connection, group, None)
    assert connection.scalar(sa.select(sa.func.count()).select_from(house)) == 0
    with pytest.raises(NotFound):
        settings.save_speed_dial_of_group(connection, "a mere label", DESK)
