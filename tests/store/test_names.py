"""The one name space of whatever may be dialled."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sipxd.directory.call_group import CallGroup
from sipxd.directory.park_orbit import ParkOrbit
from sipxd.directory.user import User
from sipxd.errors import Conflict
from sipxd.store import call_groups, park_orbits, users
from sipxd.store.names import refuse_taken
from sipxd.store.schema import conferences
from sipxd.store.users import StoredUser


@pytest.fixture
def connection(connection: sa.Connection) -> sa.Connection:
    """Somebody of each kind, with the id 1."""
    users.add(connection, StoredUser(User(0, "200", aliases=("ben",)), "hash", b""))
    call_groups.add(connection, CallGroup(0, "sales", "500", did="+4930"))
    park_orbits.add(connection, ParkOrbit(0, "lobby", "7001"))
    connection.execute(sa.insert(conferences).values(name="weekly", extension="600", data="{}"))
    return connection


@pytest.mark.parametrize(
    ("names", "own", "whose"),
    [
        (("200", "ben"), "user_id", "another user"),
        (("sales", "500", "+4930"), "group_id", "a hunt group"),
        (("weekly", "600"), "conference_id", "a conference"),
        (("lobby", "7001"), "orbit_id", "a park orbit"),
    ],
)
def test_a_name_belongs_to_one_of_them(connection, names, own, whose) -> None:
    for name in names:
        wanted = [("free", "name"), (name, "extension")]
        for kind in (None, "user_id", "group_id", "conference_id", "orbit_id"):
            # One of the same kind with another id, and others with the same id.
            owner = {} if kind is None else {kind: 2 if kind == own else 1}
            with pytest.raises(Conflict, match=whose) as caught:
                refuse_taken(connection, wanted, **owner)
            assert caught.value.field == "extension"
        refuse_taken(connection, wanted, **{own: 1})
