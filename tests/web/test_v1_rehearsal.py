"""/v1/users/{name}/forwarding/rehearsal: what would become of a call."""

from __future__ import annotations

import pytest
import pytest_twisted

ensure = pytest_twisted.ensureDeferred
MINE = "/v1/users/me/forwarding/rehearsal"


def post(house, value=None, user="200", path=MINE):
    return house.send("POST", path, {} if value is None else value, user)


async def store(house, rings, rules=(), user="200"):
    body = {"rings": rings, "rules": list(rules), "timer": 20}
    answer = await house.send("PUT", "/v1/users/me/forwarding", body, user)
    assert answer.status == 200, answer


@ensure
async def test_it_tells_who_would_ring_when_and_what_is_amiss(house):
    await store(house, [{"number": "203", "seconds": 10}, {"number": "202", "seconds": 7}])
    asked = {"from": "+4930123", "at": "2026-12-24T18:00:00+01:00"}
    answer = await post(house, asked)
    assert answer.status == 200, answer
    told = answer.json
    assert list(told) == ["at", "from", "steps", "answer", "findings"]
    assert (told["at"], told["from"]) == ("2026-12-24T17:00:00.000Z", "+4930123")
    *_, last = told["steps"]
    assert last == {
        "begins": 0,
        "ends": None,
        "whom": "200",
        "number": last["number"],
        "via": [],
        "stage": last["stage"],
        "kind": "voicemail",
        "note": last["note"],
    }
    assert told["answer"] == "A voicemail box answers at once."
    assert {"kind": "no-phone", "where": ""}.items() <= told["findings"][0].items()
    found = {(finding["kind"], finding["where"]) for finding in told["findings"]}
    assert ("no-route", "rings[0].number") in found
    assert all(finding["sentence"] for finding in told["findings"])


@ensure
async def test_without_anything_said_it_is_an_unknown_caller_now(house):
    for body in (b"", b"{}", b'{"from":null,"at":null,"more":[]}'):
        told = (await post(house, body)).json
        assert told["from"] == ""
        assert told["at"][:4].isdigit()
    answer = await house.request("POST", MINE)
    assert (answer.status, answer.json["from"]) == (200, "")


@ensure
async def test_the_caller_decides_which_rule_holds(house):
    rules = [{"caller": "+4930123", "action": "reject"}, {"action": "voicemail"}]
    await store(house, [], rules)
    rejected = (await post(house, {"from": "0049 30 123"})).json
    assert (rejected["steps"], "603" in rejected["answer"]) == ([], True)
    other = (await post(house, {"from": "anonymous"})).json
    assert [step["kind"] for step in other["steps"]] == ["voicemail"]


BAD = [
    ({"from": 5}, "from"),
    ({"from": "a b;c"}, "from"),
    ({"from": "x" * 256}, "from"),
    ({"from": "x\n"}, "from"),
    ({"from": "+"}, "from"),
    ({"at": "yesterday"}, "at"),
    ({"at": "2026-12-24T18:00:00"}, "at"),
    ({"at": "2026-12-24"}, "at"),
    ({"at": 1_798_000_000}, "at"),
    ({"at": "1969-12-31T23:59:59Z"}, "at"),
    ({"at": "3000-01-01T00:00:00Z"}, "at"),
    ({"at": "0001-01-01T00:00:00+23:59"}, "at"),
    ({"at": "9999-12-31T23:59:59-23:59"}, "at"),
    ({"at": "2026-13-01T00:00:00Z"}, "at"),
    (b'{"from":"1","from":"2"}', "from"),
    (b"[]", None),
    (b" ", None),
    (b"<x/>", None),
    (b'{"from":"\xfc"}', None),
    (b'{"x":' * 40 + b"1" + b"}" * 40, None),
]


@pytest.mark.parametrize(("body", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named(house, body, field):
    answer = await post(house, body)
    assert (answer.status, answer.field) == (400, field), answer


@ensure
async def test_other_forms_are_refused(house):
    answer = await house.request("POST", MINE, body=b"{}", Content_Type="text/plain")
    assert answer.status == 415
    assert (await post(house, b" " * 5_000_000)).status == 413
    assert (await house.request("POST", MINE, Accept="text/xml")).status == 406
    assert (await house.get(MINE)).status == 405


@ensure
async def test_an_administrator_rehearses_for_others_and_nobody_else_does(house):
    path = "/v1/users/201/forwarding/rehearsal"
    told = await post(house, user="superadmin", path=path)
    assert (told.status, "201" in told.body.decode()) == (200, True)
    assert (await post(house, path=path)).status == 404
    assert (await post(house, path="/v1/users/nobody/forwarding/rehearsal")).status == 404
    assert (await post(house, user=None)).status == 401


@ensure
async def test_nothing_is_stored_and_nobody_is_rung(house):
    await store(house, [{"number": "202"}])
    before = await house.get("/v1/users/me/forwarding")
    for at in range(2024, 2034):
        assert (await post(house, {"from": "201", "at": f"{at}-02-28T23:59:59Z"})).status == 200
    after = await house.get("/v1/users/me/forwarding")
    assert after.headers["ETag"] == before.headers["ETag"]
    assert not house.app.table.calls
