"""Databases as earlier releases have left them, and what has to be in them after an upgrade."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import command

from sipxd.call.phones import Refusal, Refusing
from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.forwarding import Forwarding, Ring, RingType, Rule, When
from sipxd.directory.schedule import Period, Schedule
from sipxd.sip.flow import Flow
from sipxd.sip.registrar import Binding
from sipxd.store import (
    bindings,
    call_groups,
    calls,
    forwardings,
    phones,
    schedules,
    user_groups,
    users,
)
from sipxd.store import engine as engine_module

OLD = ("0001", "0002", "0003")
"""The revisions before the newest one."""

# Texts of JSON are written out: they stay as the release of that revision has written them.
_ROWS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "0001": [
        (
            "users (first_name, last_name, email, permissions, admin, enabled, pin_hash,"
            " sip_password) VALUES"
            " ('Ann', 'Lee', 'a@b.org', :granted, true, true, 'hash', :sealed),"
            " ('Zoë', '', '', '[]', false, false, 'hash 2', :sealed)",
            {"granted": '["international","sip-address"]', "sealed": b"\0\xff"},
        ),
        ("names VALUES ('200', 1, 0), ('ann', 1, 1), ('201', 2, 0)", {}),
        ("memberships VALUES (1, 'sales', 0), (1, 'support', 1)", {}),
        (
            "bindings VALUES (1, 0, :data)",
            {
                "data": '{"uri":"sip:200@198.51.100.1","expires_at":2000000000.0,"call_id":"r",'
                '"cseq":1,"flow":{"transport":"UDP","listener":"udp:192.0.2.1:5060",'
                '"host":"198.51.100.1","port":5060},"q":1.0,"path":["<sip:p;lr>"],'
                '"user_agent":"Phone 1","instance":""}'
            },
        ),
        (
            "calls (id, kind, user_name, number, state, started, ended, cause_who, cause_leg,"
            " cause_code, cause_sentence, media_mismatch) VALUES"
            " ('c1', 'phone', '200', '201', 'bridged', 1.5, NULL, NULL, NULL, NULL, NULL, false),"
            " ('c2', 'phone', '200', '202', 'ended', 2.5, 9.0, 'callee', 'callee', 486, 'Busy.',"
            " true)",
            {},
        ),
        ("dialogs VALUES ('c1', 'leg', :data)", {"data": '{"a":[1,"ä"]}'}),
        (
            "events (kind, call_id, user_name, at, data)"
            " VALUES ('call.started', 'c1', '200', 1.5, '{}')",
            {},
        ),
    ],
    "0002": [
        ("phones VALUES ('Phone 1', 'offerless', 5.0)", {}),
        (
            "calls (id, kind, user_name, number, state, started, ended, media_mismatch, flow)"
            " VALUES ('c3', 'click-to-call', '201', '200', 'ended', 3.5, 4.5, false, 'refer')",
            {},
        ),
    ],
    "0003": [
        (
            "schedules VALUES (1, 1, NULL, 'Office', 'd', :data)",
            {"data": '[{"day":-1,"start":480,"end":1020}]'},
        ),
        (
            "forwardings VALUES (1, 4, :data)",
            {
                "data": '{"timer":12,"rings":[{"number":"201","seconds":18,'
                '"type":"At the same time","enabled":true,"schedule":1}],"rules":[{"when":"busy",'
                '"caller":"anonymous","action":"forward","number":"4711","seconds":30,'
                '"enabled":true,"until":1.5,"schedule":null,"only_on_holidays":"",'
                '"not_on_holidays":""}],"do_not_disturb":true,"do_not_disturb_until":null,'
                '"time_zone":"Europe/Berlin"}'
            },
        ),
        (
            "call_groups VALUES (1, 'sales', '600', '', 2, :data)",
            {
                "data": '{"members":[{"user":"200","seconds":7,"type":"If no response"}],'
                '"description":"d","enabled":true,"follow":true,"voicemail_fallback":false,'
                '"fallback":"","fallback_seconds":30}'
            },
        ),
    ],
}


def make_old(connection: sa.Connection, revision: str) -> None:
    """The tables of a revision, with rows in each of them."""
    config = engine_module._alembic_config()
    config.attributes["connection"] = connection
    for step in OLD[: OLD.index(revision) + 1]:
        command.upgrade(config, step)
        for rows, values in _ROWS[step]:
            connection.execute(sa.text(f"INSERT INTO {rows}"), values)
    if revision == "0003":
        connection.exec_driver_sql("UPDATE users SET voicemail = false WHERE id = 2")
        connection.exec_driver_sql("UPDATE calls SET reached = '0043' WHERE id = 'c3'")
    if revision != "0001":
        connection.exec_driver_sql("UPDATE users SET flow = 'refer' WHERE id = 2")


def expect_everything(connection: sa.Connection, revision: str) -> None:
    """What was in the database of that revision is in that of this release."""
    has_flows, has_forwarding = revision != "0001", revision == "0003"
    ann, zoe = users.every(connection)
    assert (ann.user.id, ann.user.name, ann.user.aliases) == (1, "200", ("ann",))
    assert (ann.user.first_name, ann.user.last_name, ann.user.email) == ("Ann", "Lee", "a@b.org")
    assert ann.user.groups == ("sales", "support")
    groups = {each.name for each in user_groups.every(connection)}
    assert groups == {"sales", "support"}  # before, they were names alone
    assert ann.user.granted == {"InternationalDialing", "sip-address", "superadmin"}
    assert (ann.user.admin, ann.user.enabled, ann.user.voicemail) == (True, True, True)
    assert (ann.pin_hash, bytes(ann.sip_password), ann.ha1) == ("hash", b"\0\xff", None)
    assert (zoe.user.name, zoe.user.first_name, zoe.user.granted) == ("201", "Zoë", frozenset())
    assert (zoe.user.admin, zoe.user.enabled, zoe.user.groups) == (False, False, ())
    assert zoe.user.voicemail is not has_forwarding
    assert (ann.user.flow, zoe.user.flow) == ("", "refer" if has_flows else "")

    flow = Flow("UDP", "udp:192.0.2.1:5060", "198.51.100.1", 5060)
    uri = "sip:200@198.51.100.1"
    bound = Binding(uri, 2e9, "r", 1, flow, path=("<sip:p;lr>",), user_agent="Phone 1")
    assert bindings.load_all(connection, 1.0) == {1: (bound,)}

    records = {each.id: each for each in calls.page(connection, user=None, before=None, limit=9)}
    assert set(records) == {"c1", "c2", *(["c3"] if has_flows else [])}
    assert [record.id for record in calls.unfinished(connection)] == ["c1"]
    cause = records["c2"].cause
    assert cause is not None and (cause.code, cause.sentence) == (486, "Busy.")
    assert (records["c2"].media_mismatch, records["c1"].media_mismatch) == (True, False)
    if has_flows:
        assert records["c3"].flow == "refer"
        assert records["c3"].reached == ("0043" if has_forwarding else "")
    assert calls.dialogs_of(connection, "c1") == {"leg": {"a": [1, "ä"]}}
    assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 1
    refusing = [Refusing("Phone 1", Refusal.OFFERLESS, 5.0)] if has_flows else []
    assert phones.every(connection) == refusing

    if not has_forwarding:
        assert (forwardings.every(connection), call_groups.every(connection)) == ({}, [])
        return
    office = Schedule(1, "Office", (Period(-1, 480, 1020),), "d", user_id=1)
    assert schedules.every(connection) == [office]
    ring = Ring("201", 18, RingType.AT_THE_SAME_TIME, schedule=1)
    rule = Rule(When.BUSY, "anonymous", number="4711", until=1.5)
    kept = Forwarding(4, 12, (ring,), (rule,), do_not_disturb=True, time_zone="Europe/Berlin")
    assert forwardings.every(connection) == {1: kept}
    group = CallGroup(1, "sales", "600", (Member("200", 7),), "d", version=2)
    assert call_groups.every(connection) == [group]
