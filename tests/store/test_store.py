"""The store: order, grouping, bounds, failures, and what survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import sqlalchemy as sa
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from sipxd.call.record import CallEvent, CallKind, CallRecord, CallState, CallUnit
from sipxd.errors import BadInput, ConfigError, Overloaded, StoreFailed
from sipxd.store import calls
from sipxd.store import store as store_module
from sipxd.store.engine import create_engine
from sipxd.store.schema import events
from sipxd.store.store import Store


def unit(call_id: str, state: CallState = CallState.CALLER, **data: Any) -> CallUnit:
    record = CallRecord(call_id, CallKind.CLICK, "200", "201", state, started=1.0)
    return CallUnit(CallEvent("call.started", call_id, "200", 1.0, data), record)


def bad_unit(call_id: str) -> CallUnit:
    return unit(call_id, what=object())  # cannot become JSON


@pytest.fixture
def open_store(database: str) -> Any:
    opened: list[Store] = []

    def open_one(queue_limit: int = 1000) -> Store:
        store = Store.open(database, reactor, queue_limit)  # type: ignore[arg-type]
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        pytest_twisted.blockon(Deferred.fromCoroutine(store.close()))


def journal(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(events.c.call_id).order_by(events.c.id)))


@pytest_twisted.ensureDeferred
async def test_a_unit_can_be_read_when_its_deferred_fires(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    await store.submit(unit("a"))
    found = await store.read("find", lambda connection: calls.find(connection, "a"))
    assert found == unit("a").record


@pytest_twisted.ensureDeferred
async def test_units_and_changes_are_stored_and_told_in_their_order(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    told: list[str] = []
    seen: list[list[str]] = []
    waiting: list[Deferred[Any]] = []
    for name in "abcd":
        done = store.submit(unit(name))
        done.addCallback(lambda _, name=name: told.append(name))
        waiting.append(done)
    change = Deferred.fromCoroutine(
        store.write("look", lambda connection: seen.append(journal(connection)))
    )
    change.addCallback(lambda _: told.append("change"))
    last = store.submit(unit("e")).addCallback(lambda _: told.append("e"))
    await DeferredList([*waiting, change, last])
    assert told == ["a", "b", "c", "d", "change", "e"]
    assert seen == [["a", "b", "c", "d"]]
    assert await store.read("journal", journal) == ["a", "b", "c", "d", "e"]


@pytest_twisted.ensureDeferred
async def test_waiting_units_share_a_transaction(
    open_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    save = calls.save_units

    def counted(connection: sa.Connection, units: Any) -> None:
        sizes.append(len(units))
        save(connection, units)

    monkeypatch.setattr(calls, "save_units", counted)
    store = open_store()
    await DeferredList([store.submit(unit(str(number))) for number in range(100)])
    assert sizes == [1, 99]  # the first found the writer idle


@pytest_twisted.ensureDeferred
async def test_a_bad_unit_sinks_only_itself(open_store: Callable[..., Store]) -> None:
    store = open_store()
    waiting = [store.submit(unit("a"))]
    waiting += [store.submit(each) for each in (unit("b"), bad_unit("c"), unit("d"))]
    results = await DeferredList(waiting, consumeErrors=True)
    assert [good for good, _ in results] == [True, True, False, True]
    assert await store.read("journal", journal) == ["a", "b", "d"]


@pytest_twisted.ensureDeferred
async def test_a_change_that_raises_changes_nothing(open_store: Callable[..., Store]) -> None:
    store = open_store()

    def broken(connection: sa.Connection) -> None:
        calls.save_units(connection, [unit("a")])
        raise BadInput("no")

    with pytest.raises(BadInput):
        await store.write("broken", broken)
    assert await store.read("journal", journal) == []


@pytest_twisted.ensureDeferred
async def test_reads_cannot_write(open_store: Callable[..., Store]) -> None:
    store = open_store()
    with pytest.raises(StoreFailed, match=r"read-?only"):
        await store.read("sneak", lambda connection: calls.save_units(connection, [unit("a")]))


@pytest_twisted.ensureDeferred
async def test_a_full_queue_refuses_at_once_and_keeps_what_it_has(
    open_store: Callable[..., Store],
) -> None:
    store = open_store(queue_limit=3)
    accepted = [store.submit(unit(str(number))) for number in range(4)]  # one is being written
    with pytest.raises(Overloaded):
        store.submit(unit("late"))
    with pytest.raises(Overloaded):
        await store.write("late", journal)
    await DeferredList(accepted)
    assert await store.read("journal", journal) == ["0", "1", "2", "3"]
    await store.submit(unit("again"))


@pytest_twisted.ensureDeferred
async def test_closing_stores_what_waits_and_takes_nothing_new(
    open_store: Callable[..., Store], database: str
) -> None:
    store = open_store()
    waiting = [store.submit(unit(str(number))) for number in range(600)]
    closing = Deferred.fromCoroutine(store.close())
    with pytest.raises(Overloaded):
        store.submit(unit("late"))
    await closing
    assert all(each.called for each in waiting)
    engine = create_engine(database)
    with engine.begin() as connection:
        assert len(journal(connection)) == 600
    engine.dispose()
    await store.close()  # a second time there is nothing to do


@pytest.mark.parametrize("kind", ["sqlite"])  # whose disk can be made a small one
@pytest_twisted.ensureDeferred
async def test_a_full_disk_fails_what_waits_and_leaves_the_old_state(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    await store.submit(unit("old"))

    def limit(connection: sa.Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await store.write("limit", lambda connection: limit(connection, 1))  # what there is already
    big = [store.submit(unit(f"new{number}", text="x" * 100_000)) for number in range(5)]
    results = await DeferredList(big, consumeErrors=True)
    assert not any(good for good, _ in results)
    for _, failure in results:
        assert failure.check(StoreFailed)
        assert "full" in failure.value.detail
        assert "nothing was stored" in failure.value.detail
    assert await store.read("journal", journal) == ["old"]
    await store.write("limit", lambda connection: limit(connection, 1_000_000))
    await store.submit(unit("after"))
    assert await store.read("journal", journal) == ["old", "after"]


@pytest_twisted.ensureDeferred
async def test_a_unit_whose_waiter_has_left_is_stored_all_the_same(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    left = store.submit(unit("a"))
    left.addErrback(lambda _: None)
    left.cancel()
    await store.submit(unit("b"))
    assert await store.read("journal", journal) == ["a", "b"]


@pytest_twisted.ensureDeferred
async def test_too_many_waiting_reads_are_refused(
    open_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_READS", 1)
    store = open_store()
    first = Deferred.fromCoroutine(store.read("one", journal))
    with pytest.raises(Overloaded):
        await store.read("two", journal)
    await first


def test_a_missing_database_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sipxd init"):
        Store.open(f"sqlite:///{tmp_path / 'none.sqlite'}", reactor, 100)  # type: ignore[arg-type]


WRITER = """
import sys
from twisted.internet import reactor
from sipxd.call.record import CallEvent, CallKind, CallRecord, CallState, CallUnit
from sipxd.store.store import Store

store = Store.open(sys.argv[1], reactor, 10_000)

def submit(number):
    name = f"call{number:06}"
    record = CallRecord(name, CallKind.CLICK, "200", "201", CallState.CALLER, 1.0)
    done = store.submit(CallUnit(CallEvent("call.started", name, "200", 1.0), record))
    done.addCallback(lambda _: (print(name, flush=True), submit(number + 7)))

reactor.callWhenRunning(lambda: [submit(number) for number in range(7)])
reactor.run()
"""


def test_what_was_acknowledged_survives_kill_9(database: str, kind: str) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, database], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    engine = create_engine(database)
    with engine.begin() as connection:
        if kind == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        stored = journal(connection)
        for name in acknowledged:
            assert calls.find(connection, name) is not None
    engine.dispose()
    assert set(acknowledged) <= set(stored)
    assert len(acknowledged) >= 40
