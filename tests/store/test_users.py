"""Users in the database."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa

from sipxd.directory.permission import PermissionRules
from sipxd.directory.user import User
from sipxd.errors import Conflict, NotFound
from sipxd.sip.flow import Flow
from sipxd.sip.registrar import Binding
from sipxd.store import bindings, users
from sipxd.store.users import StoredUser

RULES = PermissionRules()
ANN = StoredUser(
    User(
        id=0,
        name="200",
        first_name="Ann",
        last_name="Åberg",
        email="ann@example.org",
        aliases=("ann", "5200"),
        groups=("sales", "all"),
        granted=frozenset({"sip-address", "InternationalDialing", "superadmin"}),
        denied=frozenset({"Voicemail"}),
        enabled=False,
    ).ruled_by(RULES),
    "$argon2id$...",
    b"\x00sealed\xff",
)
BOB = StoredUser(User(id=0, name="201").ruled_by(RULES), "hash", b"sealed")
BINDING = Binding(
    uri="sip:200@192.0.2.1:5070",
    expires_at=100.0,
    call_id="x",
    cseq=7,
    flow=Flow("UDP", "udp:0.0.0.0:5060", "192.0.2.1", 5070),
    path=("<sip:proxy;lr>",),
)


def test_a_user_comes_back_as_stored(connection: sa.Connection) -> None:
    user = users.add(connection, ANN)
    assert user == attrs.evolve(ANN.user, id=user.id)
    expected = attrs.evolve(ANN, user=user)
    assert users.every(connection) == [expected]
    for name in ("200", "ann", "5200"):
        assert users.by_name(connection, name) == expected
    assert users.by_name(connection, "ANN") is None


@pytest.mark.parametrize(
    ("name", "aliases", "field"),
    [
        ("200", (), "name"),
        ("ann", (), "name"),
        ("300", ("200",), "aliases"),
        ("300", ("ann",), "aliases"),
    ],
)
def test_names_and_aliases_share_one_name_space(
    connection: sa.Connection, name: str, aliases: tuple[str, ...], field: str
) -> None:
    users.add(connection, ANN)
    with pytest.raises(Conflict) as caught:
        users.add(connection, attrs.evolve(BOB, user=User(id=0, name=name, aliases=aliases)))
    assert caught.value.field == field
    assert len(users.every(connection)) == 1


def test_a_change_replaces_everything(connection: sa.Connection) -> None:
    users.add(connection, BOB)
    old = users.add(connection, ANN)
    user = User(id=old.id, name="ann", aliases=("200",), groups=("new",)).ruled_by(RULES)
    new = StoredUser(user, "h2", b"s2")
    users.update(connection, new)
    assert users.by_name(connection, "200") == new
    assert users.by_name(connection, "5200") is None
    with pytest.raises(Conflict):
        users.update(connection, attrs.evolve(new, user=User(id=old.id, name="201")))


def test_a_change_of_nobody_is_told(connection: sa.Connection) -> None:
    with pytest.raises(NotFound):
        users.update(connection, attrs.evolve(BOB, user=User(id=77, name="201")))


def test_a_deleted_user_leaves_nothing_and_his_id_is_not_reused(
    connection: sa.Connection,
) -> None:
    user = users.add(connection, ANN)
    bindings.replace_for_user(connection, user.id, [BINDING])
    assert users.delete(connection, user.id)
    assert not users.delete(connection, user.id)
    assert users.by_name(connection, "ann") is None
    assert bindings.load_all(connection, now=0) == {}
    for table in ("names", "memberships", "bindings"):
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    assert users.add(connection, ANN).id > user.id


def test_secrets_are_not_shown() -> None:
    assert "argon2" not in repr(ANN)
    assert "sealed" not in repr(ANN)


def test_bindings_come_back_as_stored(connection: sa.Connection) -> None:
    ann, bob = users.add(connection, ANN), users.add(connection, BOB)
    second = attrs.evolve(BINDING, uri="sip:200@192.0.2.2", expires_at=200.0, path=())
    bindings.replace_for_user(connection, ann.id, [BINDING, second])
    bindings.replace_for_user(connection, bob.id, [BINDING])
    assert bindings.load_all(connection, now=99) == {
        ann.id: (BINDING, second),
        bob.id: (BINDING,),
    }
    assert bindings.load_all(connection, now=100) == {ann.id: (second,)}
    bindings.replace_for_user(connection, ann.id, [])
    assert bindings.load_all(connection, now=0) == {bob.id: (BINDING,)}


def test_bindings_of_a_user_deleted_meanwhile_are_dropped(connection: sa.Connection) -> None:
    bindings.replace_for_user(connection, 77, [BINDING])
    assert bindings.load_all(connection, now=0) == {}
