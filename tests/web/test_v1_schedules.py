"""/v1/users/{name}/schedules: the weekly times at which rings and rules hold."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred
MINE = "/v1/users/me/schedules"
EVENINGS = {
    "name": "Evenings",
    "description": "after work",
    "periods": [
        {"day": "weekdays", "start": "18:00", "end": "22:30"},
        {"day": "saturday", "start": "10:00", "end": "24:00"},
    ],
}


def post(house, value=None, user="201", path=MINE):
    return house.send("POST", path, EVENINGS if value is None else value, user)


@ensure
async def test_a_new_schedule_is_told_and_found_again(house):
    answer = await post(house)
    assert answer.status == 201
    number = answer.json["id"]
    assert answer.json == {"id": number, "group": None, **EVENINGS}
    assert answer.headers["Location"] == f"/v1/users/201/schedules/{number}"
    for path in (answer.headers["Location"], f"{MINE}/{number}", f"{MINE}/{number}/"):
        told = await house.get(path, "201")
        assert (told.status, told.json) == (200, answer.json)
        assert told.headers["ETag"] == answer.headers["ETag"]


@ensure
async def test_the_own_ones_come_first_and_those_of_the_groups_after_them(house):
    for name in ("Zoo", "Evenings"):
        await post(house, EVENINGS | {"name": name})
    told = (await house.get(MINE, "201")).json["schedules"]
    assert [(each["name"], each["group"]) for each in told] == [
        ("Evenings", None),
        ("Zoo", None),
        ("Office", "sales"),
    ]
    assert told[2]["periods"] == [{"day": "weekdays", "start": "08:00", "end": "17:00"}]
    assert (await house.get(MINE, "200")).json == {"schedules": []}


@ensure
async def test_every_day_of_the_week_is_told_as_it_was_given(house):
    days = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    for group in (days, ["weekdays", "weekend"], ["every-day"]):
        periods = [{"day": day, "start": "00:00", "end": "23:59"} for day in group]
        answer = await post(house, {"name": group[0], "periods": periods})
        assert (answer.status, answer.json["periods"]) == (201, periods)
    sipxcom = (await house.get("/sipxconfig/rest/my/callfwdsched", "201")).json
    found = {each["name"]: [p["scheduledDay"] for p in each["periods"]] for each in sipxcom}
    assert found["sunday"] == [1, 2, 3, 4, 5, 6, 7]
    assert (found["weekdays"], found["every-day"]) == ([-1, -2], [0])


@ensure
async def test_a_schedule_is_replaced_and_deleted(house):
    place = (await post(house)).headers["Location"]
    new = {"name": "Nights", "periods": [{"day": "every-day", "start": "22:00", "end": "24:00"}]}
    answer = await house.send("PUT", place, new, "201")
    assert (answer.status, answer.json["description"]) == (200, "")
    assert (await house.get(place, "201")).json == answer.json
    gone = await house.request("DELETE", place, "201")
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "PUT", "DELETE"):
        assert (await house.send(method, place, new, "201")).status == 404


def period(**changes: object) -> dict:
    return EVENINGS | {"periods": [EVENINGS["periods"][0], EVENINGS["periods"][1] | changes]}


BAD = [
    (EVENINGS | {"periods": []}, 422, "periods"),
    (EVENINGS | {"periods": [EVENINGS["periods"][0]] * 101}, 400, "periods"),
    (EVENINGS | {"periods": None}, 400, "periods"),
    ({"name": "x"}, 400, "periods"),
    (period(day="Saturday"), 400, "periods[1].day"),
    (period(day=7), 400, "periods[1].day"),
    (period(day="friday", start="22:30"), 422, "periods[1]"),
    (period(start="24:00"), 422, "periods[1]"),
    (period(start="10:60"), 400, "periods[1].start"),
    (period(start="1:00"), 400, "periods[1].start"),
    (period(start="10:00\n"), 400, "periods[1].start"),
    (period(start="١٠:٠٠"), 400, "periods[1].start"),
    (period(end="24:01"), 400, "periods[1].end"),
    (period(end=None), 400, "periods[1].end"),
    (period(end={"hrs": 1}), 400, "periods[1].end"),
    ({"name": "n", "periods": [{"day": "sunday", "start": "10:00"}]}, 400, "periods[0].end"),
    (EVENINGS | {"name": "Night"}, 422, "name"),
    (EVENINGS | {"name": ""}, 422, "name"),
    (EVENINGS | {"name": "n" * 256}, 400, "name"),
    (EVENINGS | {"name": "n\t"}, 400, "name"),
    (EVENINGS | {"name": ["n"]}, 400, "name"),
    (EVENINGS | {"description": "d" * 256}, 400, "description"),
    (EVENINGS | {"description": None}, 400, "description"),
    ({"periods": EVENINGS["periods"]}, 400, "name"),
    (b'{"name":"a","name":"b","periods":[]}', 400, "name"),
    (b"[]", 400, None),
    (b"", 400, None),
    (b"<x/>", 400, None),
    (b'{"name":"\xfc","periods":[]}', 400, None),
    (b'{"name":"n","periods":[],"x":' + b"[" * 40 + b"]" * 40 + b"}", 400, None),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_stored(house, body, status, field):
    await post(house, EVENINGS | {"name": "Night"})
    place = (await post(house)).headers["Location"]
    before = (await house.get(MINE, "201")).body
    for method, path in (("POST", MINE), ("PUT", place)):
        answer = await house.send(method, path, body, "201")
        assert (answer.status, answer.field) == (status, field), answer
        assert (field or "") in answer.json["detail"]
        assert "scheduledDay" not in answer.json["detail"]
        assert (await house.get(MINE, "201")).body == before


@ensure
async def test_what_is_not_called_json_or_is_too_long_is_refused(house):
    for name in ("application/x-www-form-urlencoded", "text/plain"):
        assert (await house.request("POST", MINE, body=b"{}", Content_Type=name)).status == 415
    assert (await post(house, b" " * 5_000_000)).status == 413
    assert (await house.get(MINE, Accept="text/xml")).status == 406


@ensure
async def test_the_schedule_of_a_group_is_seen_and_not_changed(house):
    path = f"{MINE}/{house.office_hours}"
    assert (await house.get(path, "201")).json["group"] == "sales"
    for user, status in (("201", 403), ("200", 404)):
        for method in ("PUT", "DELETE"):
            assert (await house.send(method, path, EVENINGS, user)).status == status
    assert (await house.get(path, "201")).json["name"] == "Office"


@ensure
async def test_an_administrator_acts_for_others_and_nobody_else_does(house):
    theirs = "/v1/users/201/schedules"
    answer = await post(house, user="superadmin", path=theirs)
    assert answer.status == 201
    place = answer.headers["Location"]
    assert (await house.get(place, "201")).status == 200
    assert (await house.get(MINE, "superadmin")).json == {"schedules": []}
    for method, path in (("GET", theirs), ("POST", theirs), ("PUT", place), ("DELETE", place)):
        answer = await house.send(method, path, EVENINGS, "200")
        assert (answer.status, answer.field) == (404, None)
    for text in ("0", "x", "%2B1", "9" * 16, "%D9%A7"):
        assert (await house.get(f"{MINE}/{text}", "201")).status == 404
    assert (await house.request("DELETE", place, "superadmin")).status == 204


@ensure
async def test_of_two_who_have_read_the_same_the_slower_one_is_refused(house):
    made = await post(house)
    place, tag = made.headers["Location"], made.headers["ETag"]
    assert (await house.get(place, "201", If_None_Match=tag)).status == 304
    for order in (["One", "Two"], ["Four", "Three"]):
        writing = [
            house.send("PUT", place, EVENINGS | {"name": name}, "201", If_Match=tag)
            for name in order
        ]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert sorted(answer.status for answer in answers) == [200, 412]
        winner = next(answer for answer in answers if answer.status == 200)
        told = await house.get(place, "201")
        assert (told.body, told.headers["ETag"]) == (winner.body, winner.headers["ETag"])
        tag = told.headers["ETag"]
    refused = await house.request("DELETE", place, "201", If_Match=made.headers["ETag"])
    assert (refused.status, refused.field) == (412, None)
    assert (await house.request("DELETE", place, "201", If_Match=tag)).status == 204
