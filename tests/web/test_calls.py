"""/v1/calls: whose calls are seen, begun and ended by whom, and how they are told."""

from __future__ import annotations

import json

import attrs
import pytest
import pytest_twisted

from sipxd.call.record import CallKind, CallRecord, CallState, Cause, Side
from sipxd.web.v1.calls import call_document
from sipxd.web.v1.values import timestamp

ensure = pytest_twisted.ensureDeferred


def post(door, body, user="200", content_type="application/json", **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if content_type is not None:
        headers["Content_Type"] = content_type
    return door.request("POST", "/v1/calls", user, body, **headers)


@ensure
async def test_a_new_call_is_told_whole_and_found_again(door):
    answer = await post(door, {"number": "201", "unknown": {"ignored": [1]}})
    assert answer.status == 201
    assert answer.json == {
        "id": "0" * 24,
        "kind": "click-to-call",
        "user": "200",
        "number": "201",
        "state": "ringing-caller",
        "started": "2023-11-14T22:13:20.250Z",
        "answered": None,
        "bridged": None,
        "ended": None,
        "cause": None,
        "media_mismatch": False,
        "flow": "offer",
        "ringing": [],
        "reached": None,
    }
    location = answer.headers["Location"]
    assert location == "/v1/calls/" + "0" * 24
    again = await door.request("GET", location)
    assert (again.status, again.json) == (200, answer.json)
    assert (await door.request("GET", location + "/")).status == 200


@ensure
async def test_the_flow_can_be_chosen_and_a_wrong_one_is_refused(door):
    assert (await post(door, {"number": "201", "flow": "refer"})).json["flow"] == "refer"
    answer = await post(door, {"number": "202", "flow": "magic"})
    assert (answer.status, answer.json["field"]) == (400, "flow")
    assert "offer, offerless, refer, auto" in answer.json["detail"]


@ensure
async def test_deleting_ends_the_call_and_may_be_repeated(door):
    location = (await post(door, {"number": "201"})).headers["Location"]
    for _ in range(2):
        answer = await door.request("DELETE", location)
        assert (answer.status, answer.body) == (204, b"")
    told = (await door.request("GET", location)).json
    assert told["state"] == "ended"
    assert told["cause"] == {"who": "api", "leg": None, "code": 200, "sentence": "Ended by 200."}


@ensure
async def test_somebody_elses_call_is_not_there_except_for_an_administrator(door):
    location = (await post(door, {"number": "201"})).headers["Location"]
    for method in ("GET", "DELETE"):
        assert (await door.request(method, location, "201")).status == 404
    assert door.calls.records["0" * 24].ended is None
    assert (await door.request("GET", location, "superadmin")).status == 200
    assert (await door.request("DELETE", location, "superadmin")).status == 204


@pytest.mark.parametrize("call_id", ["1" * 24, "..%2F", "a" * 65, "%01", "a%0A", "é", "a;b"])
@ensure
async def test_an_id_that_is_none_is_not_found(door, call_id):
    path = "/v1/calls/" + call_id.replace("é", "%C3%A9")
    assert (await door.request("GET", path)).status == 404


@ensure
async def test_an_administrator_names_the_user_and_nobody_else_does(door):
    assert (await post(door, {"number": "1", "user": "201"})).status == 403
    assert (await post(door, {"number": "2", "user": "200"})).status == 201
    assert (await post(door, {"number": "3", "user": "ben"})).status == 201
    assert (await post(door, {"number": "4", "user": None})).status == 201
    answer = await post(door, {"number": "5", "user": "201"}, "superadmin")
    assert (answer.status, answer.json["user"]) == (201, "201")
    answer = await post(door, {"number": "6", "user": "nobody"}, "superadmin")
    assert (answer.status, answer.json["field"]) == (404, "user")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"number":"1","number":"2"}', "number is there more than once."),
        (b'{"number":"1","x":{"a":1,"a":2}}', "x.a is there more than once."),
        (b'{"number":"1","x":NaN}', "not JSON"),
        (b'{"number":"\\ud800"}', "not JSON"),
        (b"[]", "object"),
        (b"{}", "number"),
        (b'{"number":201}', "number: Expected `str`, got `int`."),
        (b'{"number":"1","user":[]}', "user: Expected"),
        (b'{"number":"1","x":' + b"[" * 33 + b"]" * 33 + b"}", "deeper"),
        (b'{"number":"1","x":' + b"[" * 40_000 + b"]" * 40_000 + b"}", "deeper"),
        (b'{"number":"1","x":' + b"[" * 300_000 + b"]" * 300_000 + b"}", "more than 50000 values"),
        (b'{"number":"1","x":[' + b"1," * 300_000 + b"1]}", "more than 50000 values"),
        (b'{"number":"1","x":' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"number":"1\\r\\nX: y"}', "U+000D"),
    ],
)
@ensure
async def test_a_bad_body_is_refused_with_a_sentence(door, body, said):
    answer = await post(door, body)
    assert answer.status == 400
    assert said in answer.json["detail"]
    assert not door.calls.records


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
@ensure
async def test_a_body_that_is_not_called_json_is_refused(door, content_type):
    answer = await post(door, {"number": "201"}, content_type=content_type)
    assert (answer.status, answer.headers["Accept"]) == (415, "application/json")
    assert not door.calls.records


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/X+JSON"])
@ensure
async def test_other_names_of_json_are_accepted(door, content_type):
    assert (await post(door, {"number": "201"}, content_type=content_type)).status == 201


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("application/xml, application/json;q=0.5", 201),
        ("application/*", 201),
        ("text/html, */*;q=0.1", 201),
    ],
)
@ensure
async def test_the_accept_header_is_heeded_before_anything_rings(door, accept, status):
    assert (await post(door, {"number": "201"}, Accept=accept)).status == status
    assert len(door.calls.records) == (status == 201)


async def fill(door, users):
    for count, user in enumerate(users):
        await door.calls.click_to_call(door.accounts.users[user], str(count), source="")


@ensure
async def test_pages_follow_each_other_newest_first_without_gap(door):
    await fill(door, ["200", "201"] * 5)
    numbers, path = [], "/v1/calls?limit=2"
    while path:
        page = (await door.request("GET", path)).json
        assert len(page["calls"]) <= 2
        numbers += [call["number"] for call in page["calls"]]
        path = page["next"] and f"/v1/calls?limit=2&cursor={page['next']}"
    assert numbers == ["8", "6", "4", "2", "0"]


@ensure
async def test_an_administrator_sees_all_calls_or_those_of_one_user(door):
    await fill(door, ["200", "201", "200"])
    everything = (await door.request("GET", "/v1/calls", "superadmin")).json
    assert [call["user"] for call in everything["calls"]] == ["200", "201", "200"]
    assert everything["next"] is None
    one = (await door.request("GET", "/v1/calls?user=201", "superadmin")).json
    assert [call["user"] for call in one["calls"]] == ["201"]
    assert (await door.request("GET", "/v1/calls?user=201")).status == 403
    assert len((await door.request("GET", "/v1/calls?user=200")).json["calls"]) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%D9%A5", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=..%2F", "cursor"),
        ("cursor=", "cursor"),
        ("user=%FF", "user"),
    ],
)
@ensure
async def test_a_bad_parameter_is_refused_by_name(door, query, field):
    answer = await door.request("GET", "/v1/calls?" + query, "superadmin")
    assert (answer.status, answer.json["field"]) == (400, field)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/calls", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/calls", "GET, HEAD, POST"),
        ("PATCH", "/v1/calls/1", "DELETE, GET, HEAD"),
    ],
)
@ensure
async def test_other_methods_are_refused_with_allow(door, method, path, allow):
    answer = await door.request(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allow)
    assert answer.headers["Content-Type"] == "application/problem+json"


@ensure
async def test_head_tells_the_headers_of_get(door):
    got = await door.request("GET", "/v1/calls")
    headed = await door.request("HEAD", "/v1/calls")
    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]


def test_times_are_rfc_3339_in_utc() -> None:
    assert timestamp(None) is None
    assert timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_700_000_000.9999) == "2023-11-14T22:13:20.999Z"


def test_a_call_tells_who_rings_now_and_who_has_answered() -> None:
    record = CallRecord(
        "1", CallKind.PHONE, "200", "201", CallState.CALLEE, 1.0, ringing=("201", "+4930123")
    )
    assert call_document(record)["ringing"] == ("201", "+4930123")
    assert call_document(attrs.evolve(record, reached="+4930123"))["reached"] == "+4930123"


def test_the_cause_names_leg_code_and_sentence() -> None:
    record = CallRecord("1", CallKind.PHONE, "200", "201", CallState.ENDED, 1.0)
    cause = Cause("callee", Side.FAR, 486, "Busy here")
    assert call_document(attrs.evolve(record, cause=cause))["cause"] == {
        "who": "callee",
        "leg": Side.FAR,
        "code": 486,
        "sentence": "Busy here",
    }
