"""/v1/users/{name}/forwarding: everything that a user wants done with the calls for him."""

from __future__ import annotations

import json

import pytest
import pytest_twisted
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred
MINE = "/v1/users/me/forwarding"
FORWARD = "/sipxconfig/rest/my/forward"

RING = {
    "number": "203",
    "seconds": 18,
    "type": "at-the-same-time",
    "enabled": False,
    "schedule": None,
}
RULE = {
    "when": "busy",
    "caller": "+49 30 123",
    "action": "forward",
    "number": "204",
    "seconds": 45,
    "enabled": False,
    "until": "2030-01-02T03:04:05.678Z",
    "schedule": None,
    "only_on_holidays": "DE-BY",
    "not_on_holidays": "US",
}
WHOLE = {
    "timer": 25,
    "do_not_disturb": True,
    "do_not_disturb_until": "2030-01-01T00:00:00.000Z",
    "time_zone": "Europe/Berlin",
    "rings": [RING],
    "rules": [RULE],
}
EMPTY: dict = {"rings": [], "rules": []}
DEFAULTS = {
    "timer": None,
    "do_not_disturb": False,
    "do_not_disturb_until": None,
    "time_zone": "",
    "rings": [],
    "rules": [],
    "default_timer": 20,
    "voicemail": True,
}


def put(house, value, user="200", path=MINE, **headers):
    return house.send("PUT", path, value, user, **headers)


@ensure
async def test_a_new_user_has_set_nothing(house):
    told = await house.get(MINE)
    assert (told.status, told.json) == (200, DEFAULTS)
    assert told.headers["Content-Type"] == "application/json"
    assert (await house.get(MINE, "201")).json["voicemail"] is False


@ensure
async def test_everything_that_is_set_is_told_again(house):
    answer = await put(house, WHOLE)
    assert answer.status == 200, answer
    assert answer.json == WHOLE | {"default_timer": 20, "voicemail": True}
    told = await house.get(MINE)
    assert (told.body, told.headers["ETag"]) == (answer.body, answer.headers["ETag"])
    again = await put(house, told.body)
    assert (again.status, again.headers["ETag"]) == (200, told.headers["ETag"])


@ensure
async def test_what_is_left_out_has_its_default(house):
    await put(house, WHOLE)
    answer = await put(house, {"rings": [{}], "rules": [{"number": "204", "new": {}}], "x": 1})
    ring = {"number": "", "seconds": 30, "enabled": True, "schedule": None}
    rule = ring | {
        "when": "always",
        "caller": "everyone",
        "action": "forward",
        "number": "204",
        "until": None,
        "only_on_holidays": "",
        "not_on_holidays": "",
    }
    rings = [ring | {"type": "if-no-response"}]
    assert answer.json == DEFAULTS | {"rings": rings, "rules": [rule]}


@ensure
async def test_rings_and_rules_may_have_the_schedules_of_the_user_and_his_groups(house):
    rings = [{"number": "203", "schedule": house.office_hours}]
    rules = [{"number": "204", "when": "no-answer", "schedule": house.office_hours}]
    answer = await put(house, {"rings": rings, "rules": rules}, "201")
    assert answer.status == 200
    assert answer.json["rings"][0]["schedule"] == house.office_hours
    assert answer.json["rules"][0]["schedule"] == house.office_hours
    answer = await put(house, {"rings": rings, "rules": []}, "200")
    assert (answer.status, answer.field) == (400, "rings[0].schedule")


@ensure
async def test_the_doors_of_sipxcom_show_the_same_sequence(house):
    await put(house, {"rings": [{"number": "203", "seconds": 7}], "rules": [], "timer": 8})
    told = await house.get(FORWARD, Accept="application/json")
    assert told.json["call-sequence"] == {
        "rings": [{"expiration": 7, "type": "If no response", "enabled": True, "number": "203"}],
        "expiration": 8,
        "withVoicemail": True,
    }


def ring(**changes: object) -> dict:
    return {"rings": [{"number": "203"}, {"number": "203"}, changes], "rules": []}


def rule(**changes: object) -> dict:
    return {"rings": [], "rules": [{"number": "203"}, {"number": "204", **changes}]}


BAD = [
    (ring(number="2/3"), 400, "rings[2].number"),
    (ring(number=203), 400, "rings[2].number"),
    (ring(number="2\n"), 400, "rings[2].number"),
    (ring(number="5" * 256), 400, "rings[2].number"),
    (ring(number="+4930123"), 403, "rings[2].number"),
    (ring(number="112"), 403, "rings[2].number"),
    (ring(number="ben"), 400, "rings[2].number"),
    (ring(seconds=0), 400, "rings[2].seconds"),
    (ring(seconds=1000), 400, "rings[2].seconds"),
    (ring(seconds="18"), 400, "rings[2].seconds"),
    (ring(seconds=18.5), 400, "rings[2].seconds"),
    (ring(seconds=None), 400, "rings[2].seconds"),
    (ring(seconds=10**400), 400, "rings[2].seconds"),
    (ring(type="If no response"), 400, "rings[2].type"),
    (ring(type="t" * 500), 400, "rings[2].type"),
    (ring(enabled="true"), 400, "rings[2].enabled"),
    (ring(schedule=0), 400, "rings[2].schedule"),
    (ring(schedule="7"), 400, "rings[2].schedule"),
    (ring(schedule=99), 400, "rings[2].schedule"),
    (ring(schedule=2**53 + 1), 400, "rings[2].schedule"),
    (rule(when="sometimes"), 400, "rules[1].when"),
    (rule(caller="nobody;x"), 400, "rules[1].caller"),
    (rule(caller=""), 400, "rules[1].caller"),
    (rule(caller=5), 400, "rules[1].caller"),
    (rule(action="explode"), 400, "rules[1].action"),
    (rule(action="reject", when="busy"), 400, "rules[1].action"),
    (rule(number=""), 400, "rules[1].number"),
    (rule(number="+4930123"), 403, "rules[1].number"),
    (rule(number="200"), 400, "rules[1].number"),
    (rule(seconds=1000), 400, "rules[1].seconds"),
    (rule(until="tomorrow"), 400, "rules[1].until"),
    (rule(until="2030-01-01T00:00:00"), 400, "rules[1].until"),
    (rule(until="0001-01-01T00:00:00Z"), 400, "rules[1].until"),
    (rule(until="9999-12-31T23:59:59-23:59"), 400, "rules[1].until"),
    (rule(until=1_900_000_000), 400, "rules[1].until"),
    (rule(schedule=99), 400, "rules[1].schedule"),
    (rule(only_on_holidays="Bavaria"), 400, "rules[1].only_on_holidays"),
    (rule(only_on_holidays="de"), 400, "rules[1].only_on_holidays"),
    (rule(not_on_holidays="DE-XX"), 400, "rules[1].not_on_holidays"),
    (rule(not_on_holidays="../x"), 400, "rules[1].not_on_holidays"),
    (EMPTY | {"timer": 0}, 400, "timer"),
    (EMPTY | {"timer": 1000}, 400, "timer"),
    (EMPTY | {"do_not_disturb": None}, 400, "do_not_disturb"),
    (EMPTY | {"do_not_disturb_until": "x"}, 400, "do_not_disturb_until"),
    (EMPTY | {"time_zone": "Europe/Nowhere"}, 400, "time_zone"),
    (EMPTY | {"time_zone": "../../etc/passwd"}, 400, "time_zone"),
    (EMPTY | {"time_zone": "/etc/localtime"}, 400, "time_zone"),
    ({"rings": [{}] * 1001, "rules": []}, 400, "rings"),
    ({"rings": [], "rules": [{"number": "203"}] * 101}, 400, "rules"),
    ({"rings": [5], "rules": []}, 400, "rings[0]"),
    ({"rings": {"ring": []}, "rules": []}, 400, "rings"),
    ({"rings": []}, 400, "rules"),
    ({"rules": []}, 400, "rings"),
    (b'{"rings":[],"rules":[],"rules":[]}', 400, "rules"),
    (b'{"rings":[{"number":"1","number":"2"}],"rules":[]}', 400, "rings[0].number"),
    (b"<call-sequence/>", 400, None),
    (b"[]", 400, None),
    (b"null", 400, None),
    (b"", 400, None),
    (b'{"rings":[{"number":"\xfc"}],"rules":[]}', 400, None),
    (json.dumps(EMPTY).encode("utf-16"), 400, None),
    (b'{"rings":' + b"[" * 40 + b"]" * 40 + b"}", 400, "rings[0]"),
    (b'{"rings":[],"rules":[],"x":' + b"[" * 40 + b"]" * 40 + b"}", 400, None),
    (b'{"rings":[],"rules":[],"x":' + b"[" * 90_000 + b"]" * 90_000 + b"}", 400, None),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_stored(house, body, status, field):
    await put(house, WHOLE)
    before = await house.get(MINE)
    answer = await put(house, body)
    assert (answer.status, answer.field) == (status, field), answer
    assert answer.json["type"].startswith("urn:sipxd:problem:")
    assert len(answer.body) < 700
    after = await house.get(MINE)
    assert (after.body, after.headers["ETag"]) == (before.body, before.headers["ETag"])


@ensure
async def test_what_is_not_called_json_or_is_too_long_is_refused(house):
    for name in ("application/x-www-form-urlencoded", "text/xml"):
        answer = await house.request("PUT", MINE, body=b"{}", Content_Type=name)
        assert (answer.status, answer.headers["Accept"]) == (415, "application/json")
    assert (await put(house, b" " * 5_000_000)).status == 413
    assert (await house.get(MINE, Accept="text/xml")).status == 406


@ensure
async def test_an_administrator_acts_for_others_under_their_policy(house):
    path = "/v1/users/201/forwarding"
    assert (await put(house, WHOLE, "superadmin", path)).status == 200
    assert (await house.get(MINE, "201")).json["timer"] == 25
    assert (await house.get(MINE, "superadmin")).json == DEFAULTS
    body = {"rings": [{"number": "+4930123"}], "rules": []}
    answer = await put(house, body, "superadmin", path)
    assert (answer.status, answer.field) == (403, "rings[0].number")
    assert "201" in answer.json["detail"]


@ensure
async def test_for_others_nobody_else_is_there(house):
    for name in ("201", "nobody", "superadmin", "%01", "a%2Fb", "20%C3%A9", "x" * 2000):
        path = f"/v1/users/{name}/forwarding"
        for method in ("GET", "PUT"):
            answer = await house.send(method, path, EMPTY)
            assert (answer.status, answer.field) == (404, None)
    assert (await house.get("/v1/users/nobody/forwarding", "superadmin")).status == 404
    for name in ("me", "200", "ben"):
        assert (await house.get(f"/v1/users/{name}/forwarding")).status == 200
    assert (await house.get(MINE, None)).status == 401


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@ensure
async def test_of_two_writers_at_once_who_have_read_the_same_one_wins(house, order):
    who = [("200", MINE), ("superadmin", "/v1/users/200/forwarding")]
    for _ in range(5):
        await put(house, EMPTY)
        tag = (await house.get(MINE)).headers["ETag"]
        writing = [
            put(house, EMPTY | {"timer": 100 + which}, *who[which], If_Match=tag) for which in order
        ]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert sorted(answer.status for answer in answers) == [200, 412]
        winner = next(answer for answer in answers if answer.status == 200)
        told = await house.get(MINE)
        assert (told.body, told.headers["ETag"]) == (winner.body, winner.headers["ETag"])


@ensure
async def test_a_tag_of_a_door_of_sipxcom_guards_this_one_too(house):
    old = (await house.get(FORWARD)).headers["ETag"]
    assert (await put(house, EMPTY | {"timer": 5}, If_Match=old)).status == 200
    answer = await put(house, EMPTY, If_Match=old)
    assert (answer.status, answer.json["type"]) == (412, "urn:sipxd:problem:precondition-failed")
    assert (await house.get(MINE)).json["timer"] == 5
    fresh = (await house.get(MINE)).headers["ETag"]
    assert (await house.get(MINE, If_None_Match=fresh)).status == 304
