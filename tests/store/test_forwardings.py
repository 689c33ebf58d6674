"""Forwardings and schedules in the database."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.forwarding import Action, Forwarding, Ring, RingType, Rule, When
from sipxd.directory.schedule import Period, Schedule
from sipxd.directory.user import User
from sipxd.errors import Conflict, NotFound, PreconditionFailed
from sipxd.store import forwardings, schedules, users
from sipxd.store.users import StoredUser

FORWARDING = Forwarding(
    version=1,
    timer=25,
    rings=(
        Ring("402", 18, RingType.AT_THE_SAME_TIME, schedule=3),
        Ring("", 30, enabled=False),
        Ring("ann@example.org"),
    ),
    rules=(
        Rule(
            When.NOT_REGISTERED,
            "anonymous",
            Action.VOICEMAIL,
            until=1.5e9,
            only_on_holidays="DE-BY",
            not_on_holidays="AT",
        ),
    ),
    do_not_disturb=True,
    do_not_disturb_until=1.8e9,
    time_zone="Europe/Berlin",
)
EVENINGS = Schedule(0, "Evenings", (Period(-1, 1080, 1350), Period(7, 600, 960)), "after work")


@pytest.fixture
def ann(connection: sa.Connection) -> int:
    return users.add(connection, StoredUser(User(0, "200"), "hash", b"")).id


@pytest.fixture
def bob(connection: sa.Connection) -> int:
    return users.add(connection, StoredUser(User(0, "201"), "hash", b"")).id


def test_a_forwarding_comes_back_as_stored(connection: sa.Connection, ann: int, bob: int) -> None:
    forwardings.replace(connection, ann, FORWARDING, after=0)
    empty = Forwarding(version=1)
    forwardings.replace(connection, bob, empty, after=0)
    assert forwardings.every(connection) == {ann: FORWARDING, bob: empty}


def test_only_the_version_that_was_read_is_replaced(connection: sa.Connection, ann: int) -> None:
    forwardings.replace(connection, ann, FORWARDING, after=0)
    newer = Forwarding(version=2)
    for wrong in (0, 2):
        with pytest.raises(PreconditionFailed):
            forwardings.replace(connection, ann, newer, after=wrong)
    assert forwardings.every(connection) == {ann: FORWARDING}
    forwardings.replace(connection, ann, newer, after=1)
    assert forwardings.every(connection) == {ann: newer}


def test_what_a_later_release_has_added_is_passed_over(connection: sa.Connection, ann: int) -> None:
    connection.exec_driver_sql(
        f'INSERT INTO forwardings VALUES ({ann}, 4, \'{{"timer": 7, "new": [1]}}\')'
    )
    assert forwardings.every(connection) == {ann: Forwarding(version=4, timer=7)}


def test_nobody_has_neither_forwarding_nor_schedule(connection: sa.Connection) -> None:
    with pytest.raises(NotFound):
        forwardings.replace(connection, 77, FORWARDING, after=0)
    with pytest.raises(NotFound):
        schedules.add(connection, attrs.evolve(EVENINGS, user_id=77))


def test_a_deleted_user_leaves_neither(connection: sa.Connection, ann: int, bob: int) -> None:
    for user_id in (ann, bob):
        forwardings.replace(connection, user_id, FORWARDING, after=0)
        schedules.add(connection, attrs.evolve(EVENINGS, user_id=user_id))
    users.delete(connection, ann)
    assert list(forwardings.every(connection)) == [bob]
    assert [schedule.user_id for schedule in schedules.every(connection)] == [bob]


def test_schedules_come_back_as_stored_changed_and_deleted(
    connection: sa.Connection, ann: int
) -> None:
    own = schedules.add(connection, attrs.evolve(EVENINGS, user_id=ann))
    group = schedules.add(connection, attrs.evolve(EVENINGS, group="sales"))
    assert own == attrs.evolve(EVENINGS, id=own.id, user_id=ann)
    assert schedules.every(connection) == [own, group]
    changed = attrs.evolve(own, name="Nights", periods=(Period(0, 0, 1440),), description="")
    schedules.replace(connection, changed)
    assert schedules.every(connection) == [changed, group]
    assert schedules.delete(connection, own.id)
    assert not schedules.delete(connection, own.id)
    with pytest.raises(NotFound):
        schedules.replace(connection, changed)
    assert schedules.every(connection) == [group]


def test_the_id_of_a_deleted_schedule_is_not_given_to_another(
    connection: sa.Connection, ann: int
) -> None:
    first = schedules.add(connection, attrs.evolve(EVENINGS, user_id=ann))
    schedules.delete(connection, first.id)
    assert schedules.add(connection, attrs.evolve(EVENINGS, user_id=ann)).id > first.id


def test_a_name_is_unique_for_each_owner(connection: sa.Connection, ann: int, bob: int) -> None:
    owners = [{"user_id": ann}, {"user_id": bob}, {"group": "sales"}, {"group": "all"}]
    for owner in owners:
        schedules.add(connection, attrs.evolve(EVENINGS, **owner))
    for owner in owners:
        with pytest.raises(Conflict) as caught:
            schedules.add(connection, attrs.evolve(EVENINGS, **owner))
        assert caught.value.field == "name"
        other = schedules.add(connection, attrs.evolve(EVENINGS, name="Nights", **owner))
        with pytest.raises(Conflict):
            schedules.replace(connection, attrs.evolve(other, name="Evenings"))
        schedules.replace(connection, attrs.evolve(other, description="its own name"))
