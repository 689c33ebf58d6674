"""Conferences in the database."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.conference import Conference
from sipxd.directory.user import User
from sipxd.errors import BadInput, Conflict, NotFound
from sipxd.store import conferences, users
from sipxd.store.users import StoredUser

STANDUP = Conference(
    0,
    "ops-standup",
    "5001",
    owner=1,
    enabled=False,
    description="Ünïcode",
    autorecorded=True,
    access_code="1",
    moderator_code="2",
    quickstart=True,
    video=True,
    active_video_only=True,
    max_members=3,
    moh="m",
    entry_tone=False,
    exit_tone=False,
    name_on_entry=True,
    name_on_exit=True,
)
BARE = Conference(0, "bare", "5002")


@pytest.fixture
def connection(connection: sa.Connection) -> sa.Connection:
    """Somebody with the id 1."""
    users.add(connection, StoredUser(User(0, "200"), "hash", b""))
    return connection


def test_a_conference_is_read_as_it_was_stored(connection) -> None:
    first, second = (conferences.add(connection, each) for each in (STANDUP, BARE))
    assert first == attrs.evolve(STANDUP, id=first.id)
    assert conferences.every(connection) == [first, second]
    swapped = attrs.evolve(BARE, id=first.id, name="other", extension="5003", owner=1)
    conferences.replace(connection, swapped)
    assert conferences.every(connection) == [swapped, second]
    conferences.delete(connection, first.id)
    assert conferences.every(connection) == [second]
    with pytest.raises(NotFound):
        conferences.replace(connection, first)


@pytest.mark.parametrize(
    "change", [{"name": "5001"}, {"extension": "ops-standup"}, {"name": "200"}]
)
def test_its_name_and_extension_are_nobody_elses(connection, change) -> None:
    first = conferences.add(connection, STANDUP)
    second = conferences.add(connection, BARE)
    for work in (conferences.add, conferences.replace):
        with pytest.raises(Conflict) as caught:
            work(connection, attrs.evolve(second, **{"name": "n", "extension": "1"} | change))
        assert caught.value.field == next(iter(change))
    conferences.replace(connection, first)  # its own are


def test_it_goes_with_its_owner_and_comes_with_none_who_is_gone(connection) -> None:
    kept = conferences.add(connection, BARE)
    conferences.add(connection, STANDUP)
    users.delete(connection, 1)
    assert conferences.every(connection) == [kept]
    with pytest.raises(BadInput) as caught:
        conferences.add(connection, STANDUP)
    assert caught.value.field == "owner"
