"""/sipxconfig/api/cdrs/: the calls under way, and those that have ended (8.6)."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

import pytest
import pytest_twisted
from apikit import ADMIN, API, json_of, xml_of
from phonekit import hang_up, talk, until

from sipxd.call.record import CallEvent, CallKind, CallRecord, CallState, CallUnit, Cause

ensure = pytest_twisted.ensureDeferred
MEMBERS = [
    "callId", "caller", "callerAor", "callee", "calleeAor", "recipient", "termination", "duration",
    "startTime", "startAt", "connectAt",
]  # fmt: skip
MIDNIGHT = datetime.datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
OLD = datetime.datetime(2024, 5, 6, 13, 7, 8).timestamp()


def record(call: str, started: float, **more: Any) -> CallRecord:
    """A call of 200 to 201 that was answered after 3 s, and lasted an hour and a bit."""
    return CallRecord(
        **{
            "id": call,
            "kind": CallKind.CLICK,
            "user": "200",
            "number": "201",
            "state": CallState.ENDED,
            "started": started,
            "answered": started + 3,
            "bridged": started + 3,
            "ended": started + 3 + 3723.9,
            "cause": Cause("callee", None, 200, "hung up"),
            "reached": "201",
        }
        | more
    )


async def store(house: Any, *records: CallRecord) -> None:
    for each in records:
        unit = CallUnit(CallEvent("call.ended", each.id, each.user, each.started, {}), each)
        await house.app.store.submit(unit)


async def some(house: Any) -> None:
    """One of 2024, and three of today: 200 to 201, 201 to 202 in vain, 202 to outside."""
    missed = {"answered": None, "bridged": None, "reached": ""}
    await store(
        house,
        record("old", OLD),
        record("one", MIDNIGHT + 1),
        record(
            "two", MIDNIGHT + 2, user="201", number="202", ended=MIDNIGHT + 4,
            cause=Cause("callee", None, 486, "busy"), **missed,
        ),
        record(
            "three", MIDNIGHT + 3, user="202", number="+4930200", ended=MIDNIGHT + 20,
            cause=Cause("caller", None, 487, "hung up"), **missed,
        ),
    )  # fmt: skip


async def ids(house: Any, path: str) -> list[str]:
    return [each["callId"] for each in (await json_of(house, f"cdrs/{path}"))["cdrs"]]


@ensure
async def test_an_ended_call_is_told_in_json(house):
    await some(house)
    path = "cdrs/history?fromDate=202405060000&toDate=202405070000"
    (cdr,) = (await json_of(house, path))["cdrs"]
    assert list(cdr) == MEMBERS
    assert cdr == {
        "callId": "old",
        "caller": "200",
        "callerAor": "<sip:200@example.org>",
        "callee": "201",
        "calleeAor": "<sip:201@example.org>",
        "recipient": "201",
        "termination": "COMPLETED",
        "duration": "01:02:03",
        "startTime": round(OLD * 1000),
        "startAt": "5/6/24 1:07 PM",
        "connectAt": "5/6/24 1:07 PM",
    }


@ensure
async def test_an_ended_call_is_told_in_xml(house):
    assert await xml_of(house, "cdrs/history") == "<Cdrs/>"
    await some(house)
    assert await xml_of(house, "cdrs/history/?fromDate=202405060000&toDate=202405070000") == (
        "<Cdrs><Cdr><callId>old</callId><caller>200</caller>"
        "<callerAor>&lt;sip:200@example.org&gt;</callerAor><callee>201</callee>"
        "<calleeAor>&lt;sip:201@example.org&gt;</calleeAor><recipient>201</recipient>"
        "<termination>COMPLETED</termination><duration>01:02:03</duration>"
        f"<startTime>{round(OLD * 1000)}</startTime><startAt>5/6/24 1:07 PM</startAt>"
        "<connectAt>5/6/24 1:07 PM</connectAt></Cdr></Cdrs>"
    )
    missed = await xml_of(house, "cdrs/user/202/history?limit=1")
    assert "<termination>ABANDONED</termination>" in missed and "connectAt" not in missed


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("history", ["three", "two", "one"]),
        ("history?toDate=209901010000", ["three", "two", "one"]),
        ("history?fromDate=202401010000", ["three", "two", "one", "old"]),
        ("history?fromDate=202405061307&toDate=202405061308", ["old"]),
        ("history?fromDate=202405061308&toDate=202405061400", []),
        ("history?from=200", ["one"]),
        ("history?to=20", ["three", "two", "one"]),
        ("history?to=+49", ["three"]),
        ("history?to=%2B49", ["three"]),
        ("history?from=20&to=202", ["two"]),
        ("history?from=202&to=202", ["three", "two"]),
        ("history?from=%25", []),
        ("history?limit=2", ["three", "two"]),
        ("history?limit=0", ["three", "two", "one"]),
        ("history?limit=1&offset=1", ["two"]),
        ("history?offset=3", []),
        ("history?orderBy=caller", ["one", "two", "three"]),
        ("history?orderBy=callee", ["three", "one", "two"]),
        ("history?orderBy=startTime", ["one", "two", "three"]),
        ("history?orderBy=duration", ["three", "two", "one"]),
        ("history?orderBy=termination", ["one", "two", "three"]),
        ("user/200/history", ["one"]),
        ("user/ben/history/", ["one"]),
        ("user/202/history?from=201", ["two"]),
        ("user/superadmin/history", []),
    ],
)
@ensure
async def test_calls_are_found_by_time_party_and_page(house, query, found):
    await some(house)
    assert await ids(house, query) == found


@ensure
async def test_a_user_is_found_by_his_id_too(house):
    await some(house)
    assert await ids(house, f"user/{house.user('200').id}/history") == ["one"]


@ensure
async def test_how_far_a_call_came_is_told(house):
    await some(house)
    told = (await json_of(house, "cdrs/history"))["cdrs"]
    assert [(each["termination"], each["duration"], each["connectAt"]) for each in told[:2]] == [
        ("ABANDONED", "00:00:00", None),
        ("FAILED", "00:00:00", None),
    ]
    assert all(re.fullmatch(r"\d+/\d+/\d\d 12:00 AM", each["startAt"]) for each in told)


@pytest.mark.parametrize("path", ["history", "user/200/history"])
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("fromDate=2024", b"Bad date format"),
        ("fromDate=", b"Bad date format"),
        ("fromDate=202413010000", b"Bad date format"),
        ("toDate=202401012460", b"Bad date format"),
        ("toDate=000000000000", b"Bad date format"),
        ("toDate=now", b"Bad date format"),
        ("orderBy=color", b"Unknown order by criteria"),
        ("orderBy=", b"Unknown order by criteria"),
    ],
)
@ensure
async def test_what_cannot_be_asked_for_is_told_as_sipxcom_tells_it(house, path, query, text):
    answer = await house.get(f"{API}/cdrs/{path}?{query}", ADMIN)
    assert (answer.status, answer.body) == (400, text)


@pytest.mark.parametrize("query", ["limit=x", "offset=-1", "limit=1&limit=2", "from=a&from=b"])
@ensure
async def test_a_parameter_that_is_none_is_400(house, query):
    answer = await house.get(f"{API}/cdrs/history?{query}", ADMIN)
    assert answer.status == 400 and answer.field == query.partition("=")[0]


@ensure
async def test_calls_under_way_are_told(house, phones):
    assert await json_of(house, "cdrs/active") == {"cdrs": []}
    assert await xml_of(house, "cdrs/user/200/active") == "<Cdrs/>"
    await talk(house, phones)
    await until(lambda: next(iter(house.app.table.calls.values())).committed.bridged)
    (cdr,) = (await json_of(house, "cdrs/active"))["cdrs"]
    assert list(cdr) == MEMBERS
    assert (cdr["caller"], cdr["callee"], cdr["recipient"]) == ("200", "201", "201")
    assert (cdr["termination"], cdr["duration"][:6]) == ("IN_PROGRESS", "00:00:")
    assert cdr["connectAt"] and cdr["startTime"] == pytest.approx(time.time() * 1000, abs=60_000)
    for path, calls in (
        ("200/active", 1),
        ("ben/active/", 1),
        ("201/active", 1),
        ("202/active", 0),
    ):
        assert len(await ids(house, f"user/{path}")) == calls
        assert (await xml_of(house, f"cdrs/user/{path}")).count("<Cdr>") == calls
    await hang_up(house, phones)
    assert await ids(house, "active") == []
    assert await ids(house, "history") == [cdr["callId"]]


@pytest.mark.parametrize("path", ["user/999/active", "user/999/history", "other", ""])
@ensure
async def test_what_is_not_there_is_404(house, path):
    assert (await house.get(f"{API}/cdrs/{path}", ADMIN)).status == 404


@pytest.mark.parametrize(
    "path", ["active", "history", "user/200/active", "user/200/history?orderBy=x"]
)
@ensure
async def test_calls_of_others_are_for_administrators(house, path):
    for user, status in ((None, 401), ("200", 403)):
        assert (await house.get(f"{API}/cdrs/{path}", user)).status == status
    assert (await house.send("POST", f"{API}/cdrs/{path}", {}, ADMIN)).status == 405
