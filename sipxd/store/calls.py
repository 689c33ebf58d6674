"""Call records, the journal and dialog snapshots: the unit of work and what is read back.

A ``CallUnit`` is stored whole or not at all.  Many units go into one transaction with one
``executemany`` for each table, because at load this is the daemon's dearest database work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from sipxd.call.record import CallKind, CallRecord, CallState, CallUnit, Cause, ClickFlow, Side
from sipxd.store.plain import decode, encode
from sipxd.store.schema import calls, dialogs, events

MAX_PAGE = 1000
"""Most records that one ``page`` gives."""


def _upsert(table: sa.Table, dialect_insert: Callable[[sa.Table], Any]) -> Any:
    insert = dialect_insert(table)
    keys = list(table.primary_key.columns)
    changed = {c.name: insert.excluded[c.name] for c in table.columns if c not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)


@attrs.frozen
class _Statements:
    """SQL text for one kind of database, with named parameters.

    Compiled once and handed to the driver as it is: these run with every step of every call, and
    SQLAlchemy's own way through ``execute`` costs three times as much as SQLite does.
    """

    add_event: str
    save_call: str
    save_dialog: str
    release: str

    @classmethod
    def compile(cls, dialect: sa.Dialect, insert: Callable[[sa.Table], Any]) -> _Statements:
        def text(statement: Any, columns: list[str] | None = None) -> str:
            return str(statement.compile(dialect=dialect, column_keys=columns))

        released = sa.delete(dialogs).where(
            dialogs.c.call_id == sa.bindparam("call_id"), dialogs.c.leg_id == sa.bindparam("leg_id")
        )
        event_columns = [column.name for column in events.columns if column.name != "id"]
        return cls(
            add_event=text(sa.insert(events).inline(), event_columns),
            save_call=text(_upsert(calls, insert)),
            save_dialog=text(_upsert(dialogs, insert)),
            release=text(released),
        )


_sqlite: Any = sqlite.dialect
_psycopg: Any = PGDialect_psycopg
_statements = {
    "sqlite": _Statements.compile(_sqlite(paramstyle="named"), sqlite.insert),
    "postgresql": _Statements.compile(_psycopg(), postgresql.insert),
}


def save_units(connection: sa.Connection, units: Sequence[CallUnit]) -> None:
    """Store ``units`` in their order: the later one of the same call or leg stands."""
    journal: list[dict[str, Any]] = []
    records: dict[str, CallRecord] = {}
    snapshots: dict[tuple[str, str], dict[str, Any] | None] = {}  # None: released
    for unit in units:
        event, call_id = unit.event, unit.record.id
        journal.append(
            {
                "kind": event.kind,
                "call_id": event.call_id,
                "user_name": event.user,
                "at": event.at,
                "data": encode(event.data),
            }
        )
        records[call_id] = unit.record
        for leg, state in unit.dialogs.items():
            snapshots[call_id, leg] = state
        for leg in unit.released:
            snapshots[call_id, leg] = None
    if not journal:
        return
    statements = _statements[connection.dialect.name]
    connection.exec_driver_sql(statements.add_event, journal)
    connection.exec_driver_sql(statements.save_call, [_row(record) for record in records.values()])
    kept = [
        {"call_id": call, "leg_id": leg, "data": encode(state)}
        for (call, leg), state in snapshots.items()
        if state is not None
    ]
    released = [
        {"call_id": call, "leg_id": leg}
        for (call, leg), state in snapshots.items()
        if state is None
    ]
    if kept:
        connection.exec_driver_sql(statements.save_dialog, kept)
    if released:
        connection.exec_driver_sql(statements.release, released)


def _row(record: CallRecord) -> dict[str, Any]:
    cause = record.cause
    return {
        "id": record.id,
        "kind": str(record.kind),
        "user_name": record.user,
        "number": record.number,
        "state": str(record.state),
        "started": record.started,
        "answered": record.answered,
        "bridged": record.bridged,
        "ended": record.ended,
        "cause_who": cause.who if cause else None,
        "cause_leg": str(cause.leg) if cause and cause.leg else None,
        "cause_code": cause.code if cause else None,
        "cause_sentence": cause.sentence if cause else None,
        "media_mismatch": record.media_mismatch,
        "flow": str(record.flow) if record.flow else None,
        "reached": record.reached,
    }


def _record(row: Any) -> CallRecord:
    cause = None
    if row.cause_who is not None:
        leg = Side(row.cause_leg) if row.cause_leg is not None else None
        cause = Cause(row.cause_who, leg, row.cause_code, row.cause_sentence)
    return CallRecord(
        id=row.id,
        kind=CallKind(row.kind),
        user=row.user_name,
        number=row.number,
        state=CallState(row.state),
        started=row.started,
        answered=row.answered,
        bridged=row.bridged,
        ended=row.ended,
        cause=cause,
        media_mismatch=row.media_mismatch,
        flow=ClickFlow(row.flow) if row.flow is not None else None,
        reached=row.reached,
    )


def find(connection: sa.Connection, call_id: str) -> CallRecord | None:
    """The record of one call, or None."""
    row = connection.execute(sa.select(calls).where(calls.c.id == call_id)).first()
    return _record(row) if row else None


def page(
    connection: sa.Connection, *, user: str | None, before: str | None, limit: int
) -> list[CallRecord]:
    """Records, the newest first: those of ``user`` (None: of everybody), at most ``limit``.

    ``before`` is the id of the last call of the page before; where it is unknown the page is empty.
    """
    query = sa.select(calls).order_by(calls.c.started.desc(), calls.c.id.desc())
    if user is not None:
        query = query.where(calls.c.user_name == user)
    if before is not None:
        started = connection.scalar(sa.select(calls.c.started).where(calls.c.id == before))
        if started is None:
            return []
        query = query.where(
            sa.tuple_(calls.c.started, calls.c.id) < sa.tuple_(started, before),
        )
    rows = connection.execute(query.limit(max(0, min(limit, MAX_PAGE))))
    return [_record(row) for row in rows]


@attrs.frozen
class Wanted:
    """Which ended calls; times in seconds since the epoch, None: no bound."""

    party: tuple[str, ...] = ()
    """Names and numbers of one user: calls that he made, or that were for him; empty: all calls."""
    since: float | None = None
    until: float | None = None
    caller: str = ""
    """A part of the caller's name or number; empty: whoever."""
    callee: str = ""
    either: str = ""
    """A part of the name or number of one of the two."""


_ORDERS = {
    "caller": calls.c.user_name,
    "callee": calls.c.number,
    "startTime": calls.c.started,
    "duration": calls.c.ended - sa.func.coalesce(calls.c.bridged, calls.c.ended),
    "termination": calls.c.cause_code,
}
ORDERS = frozenset(_ORDERS)
"""What ended calls can be ordered by."""


def ended(
    connection: sa.Connection, wanted: Wanted, *, limit: int, offset: int = 0, order: str = ""
) -> list[CallRecord]:
    """The calls that are ``wanted``, the newest first, or by ``order`` (one of ``ORDERS``)."""
    query = sa.select(calls).where(calls.c.ended.is_not(None))
    if wanted.party:
        columns = (calls.c.user_name, calls.c.number, calls.c.reached)
        query = query.where(sa.or_(*(column.in_(wanted.party) for column in columns)))
    if wanted.since is not None:
        query = query.where(calls.c.started >= wanted.since)
    if wanted.until is not None:
        query = query.where(calls.c.started <= wanted.until)
    for column, part in ((calls.c.user_name, wanted.caller), (calls.c.number, wanted.callee)):
        if part:
            query = query.where(column.contains(part, autoescape=True))
    if wanted.either:
        found = (
            column.contains(wanted.either, autoescape=True)
            for column in (calls.c.user_name, calls.c.number)
        )
        query = query.where(sa.or_(*found))
    if order:
        query = query.order_by(_ORDERS[order])
    query = query.order_by(calls.c.started.desc(), calls.c.id.desc())
    return [_record(row) for row in connection.execute(query.limit(limit).offset(offset))]


def unfinished(connection: sa.Connection) -> list[CallRecord]:
    """Calls without an end: what a crash or a loss of power has left, oldest first."""
    query = sa.select(calls).where(calls.c.ended.is_(None)).order_by(calls.c.started, calls.c.id)
    return [_record(row) for row in connection.execute(query)]


def dialogs_of(connection: sa.Connection, call_id: str) -> dict[str, dict[str, Any]]:
    """The stored dialog states of a call by leg id."""
    rows = connection.execute(
        sa.select(dialogs.c.leg_id, dialogs.c.data).where(dialogs.c.call_id == call_id)
    )
    return {row.leg_id: decode(row.data) for row in rows}
