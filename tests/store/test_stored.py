"""What is stored of users, calls, forwardings and all else, once around."""

from __future__ import annotations

import attrs
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sipxd.call.record import (
    CallEvent,
    CallKind,
    CallRecord,
    CallState,
    CallUnit,
    Cause,
    Side,
)
from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.conference import Conference
from sipxd.directory.forwarding import Forwarding, Ring, RingType, Rule, When
from sipxd.directory.park_orbit import ParkOrbit
from sipxd.directory.schedule import Period, Schedule
from sipxd.directory.speed_dial import Button
from sipxd.errors import ConfigError, Conflict, NotFound, PreconditionFailed
from sipxd.service.account_changes import create_user, delete_user, list_users
from sipxd.service.account_requests import NewUser
from sipxd.service.vault import Vault
from sipxd.sip.flow import Flow
from sipxd.sip.registrar import Binding
from sipxd.store import (
    bindings,
    call_groups,
    calls,
    conferences,
    forwardings,
    park_orbits,
    schedules,
    settings,
    users,
)
from sipxd.store.engine import check, create_engine, migrate
from sipxd.store.schema import metadata, user_groups


def test_the_migrations_make_the_tables_of_the_schema(blank: str) -> None:
    with pytest.raises(ConfigError, match="sipxd init"):
        check(blank)
    migrate(blank)
    check(blank)
    engine = create_engine(blank)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_users_bindings_and_calls_are_stored_read_and_deleted(database: str) -> None:
    engine = create_engine(database)
    vault = Vault(bytes(32))
    with engine.begin() as connection:
        user, _ = create_user(
            connection, vault, NewUser(name="200", pin="1234567", aliases=("20",))
        )
    with pytest.raises(Conflict), engine.begin() as connection:
        create_user(connection, vault, NewUser(name="20", pin="1234567"))
    flow = Flow("UDP", "udp:192.0.2.1:5060", "198.51.100.1", 5060)
    binding = Binding("sip:200@198.51.100.1", 2e9, "call", 1, flow, path=("<sip:p;lr>",))
    with engine.begin() as connection:
        bindings.replace_for_user(connection, user.id, [binding])
        assert bindings.load_all(connection, 1e9) == {user.id: (binding,)}
    begun = CallRecord("c1", CallKind.CLICK, "200", "201", CallState.CALLER, 1e9)
    ended = CallRecord(
        "c1", CallKind.CLICK, "200", "201", CallState.ENDED, 1e9, ended=1e9 + 5,
        cause=Cause("callee", Side.FAR, 486, "The line is busy."),
    )  # fmt: skip
    with engine.begin() as connection:
        event = CallEvent("call.started", "c1", "200", 1e9)
        calls.save_units(connection, [CallUnit(event, begun, {"leg": {"a": [1, "ä"]}})])
        assert calls.unfinished(connection) == [begun]
        assert calls.dialogs_of(connection, "c1") == {"leg": {"a": [1, "ä"]}}
        calls.save_units(connection, [CallUnit(event, ended, released=("leg",))])
    with engine.begin() as connection:
        assert calls.page(connection, user="200", before=None, limit=10) == [ended]
        assert calls.dialogs_of(connection, "c1") == {}
        delete_user(connection, "200")
        assert [left.name for left in list_users(connection)] == []
        assert bindings.load_all(connection, 1e9) == {}
    engine.dispose()


def test_forwardings_schedules_and_groups_are_stored_read_and_deleted(database: str) -> None:
    engine = create_engine(database)
    vault = Vault(bytes(32))
    with engine.begin() as connection:
        user, _ = create_user(connection, vault, NewUser(name="200", pin="1234567"))
        create_user(connection, vault, NewUser(name="201", pin="1234567"))
    with engine.begin() as connection:
        new = Schedule(0, "Office", (Period(-1, 480, 1020),), user_id=user.id)
        schedule = schedules.add(connection, new)
    with pytest.raises(Conflict), engine.begin() as connection:
        schedules.add(connection, new)
    forwarding = Forwarding(
        1,
        timer=12,
        rings=(Ring("201", 18, RingType.AT_THE_SAME_TIME, schedule=schedule.id),),
        rules=(Rule(When.BUSY, "anonymous", until=1.5e9, number="4711"),),
    )
    with engine.begin() as connection:
        forwardings.replace(connection, user.id, forwarding, after=0)
    with pytest.raises(PreconditionFailed), engine.begin() as connection:
        forwardings.replace(connection, user.id, forwarding, after=0)
    with engine.begin() as connection:
        members = (Member("200", 7), Member("201"))
        group = call_groups.add(connection, CallGroup(0, "sales", "600", members))
        assert call_groups.every(connection) == [group]
        assert forwardings.every(connection) == {user.id: forwarding}
        assert schedules.every(connection) == [schedule]
        delete_user(connection, "200")
        assert (forwardings.every(connection), schedules.every(connection)) == ({}, [])
        assert call_groups.every(connection)[0].members == (Member("201"),)
    engine.dispose()


def test_settings_speed_dials_and_conferences_are_stored_and_read(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        user, _ = create_user(connection, Vault(bytes(32)), NewUser(name="200", pin="1234567"))
        data = '{"settings": {"im/im-account": "1"}}'
        connection.execute(sa.insert(user_groups).values(name="sales", weight=1, data=data))
        settings.save(connection, user.id, {"im/im-account": "0", "faxes": "ü"})
        settings.save(connection, user.id, {"im/im-account": "1", "faxes": None})
        assert settings.of(connection, user.id) == {"im/im-account": "1"}
        assert settings.of_groups(connection, ["sales"]) == [{"im/im-account": "1"}]
        buttons = (Button("Desk", "500", blf=True),)
        settings.save_speed_dial_of_group(connection, "sales", buttons)
        assert settings.speed_dial_of_groups(connection, ["sales"]) == buttons
        settings.save_speed_dial(connection, user.id, ())
        assert settings.speed_dial(connection, user.id) == ()
        users.save_voicemail_pin(connection, user.id, "hash")
        new = Conference(0, "standup", "5001", owner=user.id, video=True, max_members=3)
        kept = conferences.add(connection, new)
        conferences.replace(connection, attrs.evolve(kept, description="daily"))
        assert conferences.every(connection) == [attrs.evolve(kept, description="daily")]
    with pytest.raises(Conflict), engine.begin() as connection:
        conferences.add(connection, Conference(0, "other", "200"))
    with engine.begin() as connection:
        conferences.add(connection, Conference(0, "everybodys", "5002"))
        delete_user(connection, "200")
        assert [each.name for each in conferences.every(connection)] == ["everybodys"]
        assert settings.of(connection, user.id) == {}
    engine.dispose()


def test_general_schedules_park_orbits_and_the_log_of_calls_are_stored_and_read(
    database: str,
) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        create_user(connection, Vault(bytes(32)), NewUser(name="200", pin="1234567"))
        connection.execute(sa.insert(user_groups).values(name="sales", weight=1, data="{}"))
        (group_id,) = schedules.groups(connection)
        assert schedules.groups(connection) == {group_id: "sales"}
    general = Schedule(0, "Watch", (Period(0, 0, 1440, enabled=False),))
    for new in (general, attrs.evolve(general, group="sales")):
        with engine.begin() as connection:
            kept = schedules.add(connection, new)
            assert schedules.every(connection)[-1] == kept
        with pytest.raises(Conflict), engine.begin() as connection:
            schedules.add(connection, new)
    with engine.begin() as connection:
        new = ParkOrbit(0, "lobby", "7001", settings={"general/parkTimeout": "5"})
        orbit = park_orbits.add(connection, new)
        other = park_orbits.add(connection, ParkOrbit(0, "door", "7002", enabled=False))
        park_orbits.replace(connection, attrs.evolve(orbit, name="hall"))
        assert park_orbits.every(connection) == [attrs.evolve(orbit, name="hall"), other]
    for taken in ("hall", "7002", "200"):
        with pytest.raises(Conflict), engine.begin() as connection:
            park_orbits.add(connection, ParkOrbit(0, "new", taken))
    with pytest.raises(NotFound), engine.begin() as connection:
        park_orbits.replace(connection, ParkOrbit(99, "new", "7003"))
    with engine.begin() as connection:
        park_orbits.delete(connection, [orbit.id, other.id])
        assert park_orbits.every(connection) == []
        for call, user, number in (("c1", "200", "49_30"), ("c2", "49", "201"), ("c3", "1", "2")):
            record = CallRecord(call, CallKind.CLICK, user, number, CallState.ENDED, 1e9, ended=1e9)
            unit = CallUnit(CallEvent("call.ended", call, user, 1e9), record)
            calls.save_units(connection, [unit])
        wanted = calls.Wanted(either="49")
        for order in ("", *sorted(calls.ORDERS)):
            found = calls.ended(connection, wanted, limit=9, order=order)
            assert {record.id for record in found} == {"c1", "c2"}
    engine.dispose()
