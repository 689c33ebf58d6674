"""Call records, the journal and dialog snapshots in the database."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest
import sqlalchemy as sa

from sipxd.call.record import CallEvent, CallKind, CallRecord, CallState, CallUnit, Cause, Side
from sipxd.store import calls


def record(call_id: str, user: str = "200", started: float = 1.0) -> CallRecord:
    return CallRecord(call_id, CallKind.CLICK, user, "201", CallState.CALLER, started)


def unit(
    record: CallRecord,
    kind: str = "call.started",
    dialogs: dict[str, dict[str, Any]] | None = None,
    released: tuple[str, ...] = (),
) -> CallUnit:
    event = CallEvent(kind, record.id, record.user, 2.5, {"number": "201", "ü": [1, None]})
    return CallUnit(event, record, dialogs or {}, released)


def end(record: CallRecord, cause: Cause) -> CallRecord:
    return attrs.evolve(record, state=CallState.ENDED, ended=9.5, cause=cause)


@pytest.mark.parametrize(
    "stored",
    [
        record("a"),
        attrs.evolve(
            record("a"), kind=CallKind.PHONE, state=CallState.BRIDGED, answered=2.0, bridged=3.25
        ),
        end(record("a"), Cause("callee", Side.FAR, 486, "busy")),
        attrs.evolve(end(record("a"), Cause("sipxd", None, 500, "…")), media_mismatch=True),
    ],
)
def test_a_record_comes_back_as_stored(connection: sa.Connection, stored: CallRecord) -> None:
    calls.save_units(connection, [unit(stored)])
    assert calls.find(connection, "a") == stored
    assert calls.find(connection, "b") is None


def test_every_step_is_in_the_journal_and_the_last_record_stands(
    connection: sa.Connection,
) -> None:
    first = record("a")
    last = end(first, Cause("caller", Side.NEAR, 200, "hung up"))
    calls.save_units(connection, [unit(first), unit(record("b")), unit(last, "call.ended")])
    rows = connection.exec_driver_sql(
        "SELECT kind, call_id, user_name, at, data FROM events ORDER BY id"
    ).all()
    assert [(row.kind, row.call_id) for row in rows] == [
        ("call.started", "a"),
        ("call.started", "b"),
        ("call.ended", "a"),
    ]
    assert (rows[0].user_name, rows[0].at) == ("200", 2.5)
    assert msgspec.json.decode(rows[0].data) == {"number": "201", "ü": [1, None]}
    assert calls.find(connection, "a") == last


def test_a_later_transaction_replaces_the_record(connection: sa.Connection) -> None:
    first = record("a")
    calls.save_units(connection, [unit(first)])
    last = end(first, Cause("api", None, 200, "ended by DELETE"))
    calls.save_units(connection, [unit(last)])
    assert calls.find(connection, "a") == last


def test_snapshots_are_replaced_and_released(connection: sa.Connection) -> None:
    one = record("a")
    calls.save_units(connection, [unit(one, dialogs={"x": {"n": 1}, "y": {"n": 1}})])
    calls.save_units(connection, [unit(one, dialogs={"x": {"n": 2}})])
    assert calls.dialogs_of(connection, "a") == {"x": {"n": 2}, "y": {"n": 1}}
    calls.save_units(connection, [unit(one, released=("x", "never"))])
    assert calls.dialogs_of(connection, "a") == {"y": {"n": 1}}


def test_within_one_group_the_later_snapshot_stands(connection: sa.Connection) -> None:
    one = record("a")
    calls.save_units(
        connection,
        [
            unit(one, dialogs={"x": {"n": 1}, "y": {"n": 1}, "z": {}}),
            unit(one, released=("x", "y")),
            unit(one, dialogs={"y": {"n": 3}}),
        ],
    )
    assert calls.dialogs_of(connection, "a") == {"y": {"n": 3}, "z": {}}


def test_nothing_to_store_is_no_error(connection: sa.Connection) -> None:
    calls.save_units(connection, [])


def test_pages_run_from_the_newest_to_the_oldest(connection: sa.Connection) -> None:
    all_records = [record(f"c{n}", user=f"20{n % 2}", started=float(n // 2)) for n in range(10)]
    calls.save_units(connection, [unit(each) for each in all_records])
    newest_first = sorted(all_records, key=lambda each: (each.started, each.id), reverse=True)

    seen: list[CallRecord] = []
    before = None
    while found := calls.page(connection, user=None, before=before, limit=3):
        assert len(found) <= 3
        seen += found
        before = found[-1].id
    assert seen == newest_first

    assert calls.page(connection, user="201", before="c5", limit=100) == [
        each for each in newest_first if each.user == "201" and each.started < 2
    ]
    assert calls.page(connection, user=None, before="unknown", limit=3) == []
    assert calls.page(connection, user=None, before=None, limit=-1) == []


@pytest.mark.parametrize("kind", ["sqlite"])
def test_pages_use_their_index(connection: sa.Connection) -> None:
    for clause, index in (
        ("", "ix_calls_started_id"),
        ("WHERE user_name = '1'", "ix_calls_user_name"),
    ):
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN SELECT * FROM calls {clause} "
            "ORDER BY started DESC, id DESC LIMIT 9"
        ).all()
        assert index in str(plan)
        assert "TEMP B-TREE" not in str(plan)


def test_what_a_crash_left_open_is_found(connection: sa.Connection) -> None:
    ended = end(record("a"), Cause("caller", Side.NEAR, 200, "hung up"))
    calls.save_units(
        connection, [unit(ended), unit(record("c", started=3.0)), unit(record("b", started=2.0))]
    )
    assert [each.id for each in calls.unfinished(connection)] == ["b", "c"]
