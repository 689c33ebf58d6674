"""PUT /call/{number} on its three paths."""

from __future__ import annotations

import pytest
import pytest_twisted

ensure = pytest_twisted.ensureDeferred
PATHS = ["/call/", "/sipxconfig/rest/call/", "/sipxconfig/rest/my/call/"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("slash", ["", "/"])
@ensure
async def test_a_call_is_accepted_with_an_empty_answer_and_its_location(door, path, slash):
    answer = await door.request("PUT", path + "201" + slash)
    assert (answer.status, answer.body) == (200, b"")
    [record] = door.calls.records.values()
    assert answer.headers["Location"] == f"/v1/calls/{record.id}"
    assert (record.user, record.number) == ("200", "201")
    assert answer.headers["Server"] is None
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert door.accounts.sources == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("+4930123", "+4930123"),
        ("%2B4930123", "+4930123"),
        ("+49%20(30)%20123-45", "+493012345"),
        ("%2331%23201", "#31#201"),
        ("ben@example.org", "ben@example.org"),
        ("ben%40example.org", "ben@example.org"),
    ],
)
@ensure
async def test_the_number_is_decoded_once(door, path, number):
    assert (await door.request("PUT", "/call/" + path, body=b" ")).status == 200
    assert [record.number for record in door.calls.records.values()] == [number]


@pytest.mark.parametrize(
    "path",
    [
        "201%0D%0AX:%201",
        "201%0A",
        "%0A201",
        "201;x=y",
        "201%3Bx",
        "201%3Fx",
        "%3C201%3E",
        "201%00",
        "%00",
        "20%2F1",
        "201/202",
        "/",
        "",
        "%2523",
        "%ED%A0%80",
        "1" * 10_240,
        "sip:201",
    ],
)
@ensure
async def test_a_bad_number_is_refused_with_a_sentence(door, path):
    answer = await door.request("PUT", "/call/" + path)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == 400
    assert len(problem["detail"]) > 15
    assert not door.calls.records


@pytest.mark.parametrize(
    ("number", "status", "kind"),
    [("110", 403, "forbidden"), ("999999", 404, "not-found"), ("503", 503, "overloaded")],
)
@ensure
async def test_what_the_service_refuses_is_told_with_its_status(door, number, status, kind):
    answer = await door.request("PUT", "/call/" + number)
    assert answer.status == status
    assert answer.json["type"] == f"urn:sipxd:problem:{kind}"
    assert answer.headers["Retry-After"] == ("2" if status == 503 else None)


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [("404", 404, 404), ("604", 404, 604), ("408", 408, 408), ("487", 408, 487), ("486", 502, 486)],
)
@ensure
async def test_waiting_tells_how_the_call_failed(door, number, status, code):
    answer = await door.request("PUT", f"/call/{number}?wait=bridged")
    assert answer.status == status
    [record] = door.calls.records.values()
    assert answer.json == {
        "type": "urn:sipxd:problem:call-failed",
        "title": answer.json["title"],
        "status": status,
        "detail": f"It says {code}.",
        "id": record.id,
        "state": "ended",
        "who": "callee",
        "leg": "callee",
        "code": code,
        "sentence": f"It says {code}.",
    }
    assert answer.headers["Location"] == f"/v1/calls/{record.id}"


@ensure
async def test_waiting_tells_that_the_call_is_bridged(door):
    answer = await door.request("PUT", "/sipxconfig/rest/my/call/201?wait=bridged")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["state"] == "bridged"
    assert (answer.json["leg"], answer.json["code"]) == (None, 200)


@pytest.mark.parametrize("query", ["wait=", "wait=yes", "wait=bridged&wait=bridged"])
@ensure
async def test_another_wait_is_refused_before_anything_rings(door, query):
    answer = await door.request("PUT", "/call/201?" + query)
    assert (answer.status, answer.json["field"]) == (400, "wait")
    assert not door.calls.records


@pytest.mark.parametrize("flow", ["offer", "offerless", "refer", "auto"])
@ensure
async def test_the_flow_can_be_chosen_for_this_call(door, flow):
    answer = await door.request("PUT", f"/call/201?flow={flow}")
    assert answer.status == 200
    [record] = door.calls.records.values()
    assert record.flow == flow


@pytest.mark.parametrize("query", ["flow=", "flow=magic", "flow=OFFER"])
@ensure
async def test_an_unknown_flow_is_refused_naming_the_choices(door, query):
    answer = await door.request("PUT", "/call/201?" + query)
    assert (answer.status, answer.json["field"]) == (400, "flow")
    assert "offer, offerless, refer, auto" in answer.json["detail"]
    assert not door.calls.records


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "TRACE"])
@ensure
async def test_other_methods_are_refused_with_allow_and_do_nothing(door, path, method):
    answer = await door.request(method, path + "201", X_HTTP_Method_Override="PUT")
    assert answer.status == 405
    assert answer.headers["Allow"] == "PUT"
    assert not door.calls.records


@pytest.mark.parametrize(
    "path", [*(path + "201" for path in PATHS), "/sipxconfig/rest/anything", "/sipxconfig/api/x"]
)
@ensure
async def test_options_is_answered_empty_without_credentials_and_without_cors(door, path):
    answer = await door.request("OPTIONS", path, user=None, Origin="https://evil.example")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] is None
