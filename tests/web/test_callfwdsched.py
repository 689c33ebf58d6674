"""/my/callfwdsched: the schedules of rings (contract 3.4)."""

from __future__ import annotations

import json

import pytest
import pytest_twisted
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred
PATH = "/sipxconfig/rest/my/callfwdsched"
CALLFWD = "/sipxconfig/rest/my/callfwd"


def time(hours: int, minutes: int = 0) -> dict:
    return {"hrs": hours, "min": minutes}


def period(day: int, start: dict, end: dict) -> dict:
    return {"scheduledDay": day, "start": start, "end": end}


EVENINGS = {
    "name": "Evenings",
    "description": "after work",
    "periods": [period(-1, time(18), time(22, 30)), period(7, time(10), time(16))],
}


def post(house, value=None, user="201", **headers):
    return house.send("POST", PATH, EVENINGS if value is None else value, user, **headers)


async def made(house, **changes) -> dict:
    """A new schedule of 201, as it is told."""
    answer = await post(house, EVENINGS | changes)
    assert (answer.status, answer.body) == (200, b""), answer
    own = EVENINGS | changes
    return next(each for each in (await house.get(PATH, "201")).json if each["name"] == own["name"])


@ensure
async def test_a_schedule_is_made_and_told_as_it_was_given(house):
    schedule = await made(house)
    number = schedule.pop("scheduleId")
    assert schedule == EVENINGS
    one = await house.get(f"{PATH}/{number}", "201")
    assert one.json == {"scheduleId": number, **EVENINGS}
    assert list(one.json) == ["scheduleId", "name", "description", "periods"]
    assert one.headers["Content-Type"] == "application/json"


@ensure
async def test_the_own_ones_come_first_and_those_of_the_groups_after_them(house):
    for name in ("Zoo", "Evenings"):
        await made(house, name=name)
    told = (await house.get(PATH, "201")).json
    assert [each["name"] for each in told] == ["Evenings", "Zoo", "Office"]
    assert told[2]["periods"] == [period(-1, time(8), time(17))]
    assert (await house.get(PATH, "200")).json == []


@ensure
async def test_a_schedule_is_replaced_whole(house):
    number = (await made(house))["scheduleId"]
    new = {
        "scheduleId": 99,
        "name": "All day",
        "periods": {"period": period(0, time(0), time(24))},
    }
    answer = await house.send("PUT", f"{PATH}/{number}", new, "201")
    assert (answer.status, answer.body) == (200, b"")
    assert (await house.get(f"{PATH}/{number}", "201")).json == {
        "scheduleId": number,
        "name": "All day",
        "description": "",
        "periods": [period(0, time(0), time(24))],
    }


@ensure
async def test_rings_that_used_a_deleted_schedule_ring_always(house):
    number = (await made(house))["scheduleId"]
    rings = {"rings": [{"number": "203", "scheduleId": number}]}
    assert (await house.send("PUT", CALLFWD, rings, "201")).status == 200
    before = (await house.get(CALLFWD, "201")).headers["ETag"]
    answer = await house.request("DELETE", f"{PATH}/{number}", "201")
    assert (answer.status, answer.body) == (200, b"")
    after = await house.get(CALLFWD, "201")
    assert after.json["rings"][0]["scheduleId"] is None
    assert after.headers["ETag"] != before
    for method in ("GET", "DELETE"):
        assert (await house.request(method, f"{PATH}/{number}", "201")).status == 404


@ensure
async def test_without_an_id_nothing_is_changed(house):
    await made(house)
    for path in (PATH, PATH + "/", PATH + "/seven", PATH + "/7a", PATH + "/-7", PATH + "/%D9%A7"):
        for method in ("PUT", "DELETE"):
            answer = await house.send(method, path, EVENINGS, "201")
            assert (answer.status, answer.field) == (403, None)
        assert len((await house.get(path, "201")).json) == 2
    assert (await house.send("POST", PATH + "/7", EVENINGS, "201")).status == 405


@ensure
async def test_what_is_not_there_or_somebody_elses_is_not_found(house):
    number = (await made(house))["scheduleId"]
    for user, which in (("200", number), ("superadmin", number), ("201", number + 1)):
        for method in ("GET", "PUT", "DELETE"):
            answer = await house.send(method, f"{PATH}/{which}", EVENINGS, user)
            assert (answer.status, answer.field) == (404, None)
    group = f"{PATH}/{house.office_hours}"
    assert (await house.get(group, "201")).status == 200
    for method in ("PUT", "DELETE"):
        assert (await house.send(method, group, EVENINGS, "201")).status == 404
    assert (await house.get(f"{PATH}/{'9' * 5000}", "201")).status == 200  # as without an id
    assert (await house.get(group, "201")).json["name"] == "Office"
    assert (await house.get(f"{PATH}/{number}", "201")).json["name"] == "Evenings"


def with_period(**changes: object) -> dict:
    return EVENINGS | {"periods": [EVENINGS["periods"][0], EVENINGS["periods"][1] | changes]}


BAD = [
    (EVENINGS | {"periods": []}, 422, "periods"),
    (EVENINGS | {"periods": None}, 422, "periods"),
    ({"name": "x"}, 422, "periods"),
    (
        EVENINGS | {"periods": [period(1, time(n), time(n, 1)) for n in range(24)] * 5},
        400,
        "periods",
    ),
    (EVENINGS | {"periods": "18:00"}, 400, "periods"),
    (EVENINGS | {"periods": ["18:00"]}, 400, "periods[0]"),
    (with_period(start=time(16), end=time(10)), 422, "periods[1]"),
    (with_period(start=time(16), end=time(16)), 422, "periods[1]"),
    (with_period(end=time(24, 1)), 422, "periods[1]"),
    (with_period(scheduledDay=2, start=time(22, 30), end=time(23)), 422, "periods[1]"),
    (with_period(scheduledDay=0, start=time(20), end=time(23)), 422, "periods[1]"),
    (with_period(scheduledDay=8), 400, "periods[1].scheduledDay"),
    (with_period(scheduledDay=-3), 400, "periods[1].scheduledDay"),
    (with_period(scheduledDay="7"), 400, "periods[1].scheduledDay"),
    (with_period(start=time(25)), 400, "periods[1].start.hrs"),
    (with_period(start=time(-1)), 400, "periods[1].start.hrs"),
    (with_period(start=time(1, 60)), 400, "periods[1].start.min"),
    (with_period(start={"hrs": 1.5}), 400, "periods[1].start.hrs"),
    (with_period(start={"hrs": "10"}), 400, "periods[1].start.hrs"),
    (with_period(start="10:00"), 400, "periods[1].start"),
    (with_period(start=None), 400, "periods[1].start"),
    (with_period(end=None), 400, "periods[1].end"),
    (EVENINGS | {"name": "Night"}, 422, "name"),
    (EVENINGS | {"name": ""}, 422, "name"),
    (EVENINGS | {"name": " "}, 422, "name"),
    (EVENINGS | {"name": None}, 422, "name"),
    (EVENINGS | {"name": 5}, 400, "name"),
    (EVENINGS | {"name": "n" * 256}, 400, "name"),
    (EVENINGS | {"name": "n\n"}, 400, "name"),
    (EVENINGS | {"description": ["x"]}, 400, "description"),
    (EVENINGS | {"description": "d" * 256}, 400, "description"),
    (b'{"name":"a","name":"b","periods":[]}', 400, "name"),
    (b"[]", 400, None),
    (b"<schedule/>", 400, None),
    (b"", 400, None),
    (b'{"name":"\xfc"}', 400, None),
    (b'{"name":"\\ud800"}', 400, None),
    (b'{"x":' * 40 + b"1" + b"}" * 40, 400, None),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_stored(house, body, status, field):
    await made(house, name="Night")
    number = (await made(house))["scheduleId"]
    before = (await house.get(PATH, "201")).json
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/{number}")):
        answer = await house.send(method, path, body, "201")
        assert (answer.status, answer.field) == (status, field), answer
        assert (field or "") in answer.json["detail"]
        assert (await house.get(PATH, "201")).json == before


@ensure
async def test_a_name_may_be_kept_and_may_be_that_of_another_owner(house):
    number = (await made(house, name="Office"))["scheduleId"]
    assert (await post(house, EVENINGS | {"name": "Office"}, "200")).status == 200
    same = EVENINGS | {"name": "Office"}
    assert (await house.send("PUT", f"{PATH}/{number}", same, "201")).status == 200
    assert (await post(house, same)).status == 422


@ensure
async def test_names_and_descriptions_are_text_of_any_script(house):
    schedule = await made(house, name="Büro ☎ 夜", description="\N{PILE OF POO} 'x' <&>")
    assert (schedule["name"], schedule["description"][0]) == ("Büro ☎ 夜", "\N{PILE OF POO}")


@ensure
async def test_a_user_may_have_a_hundred(house):
    for count in range(100):
        assert (await post(house, EVENINGS | {"name": f"n{count}"})).status == 200
    answer = await post(house, EVENINGS)
    assert (answer.status, answer.field) == (422, None)
    assert len((await house.get(PATH, "201")).json) == 101


@ensure
async def test_of_two_who_have_read_the_same_the_slower_one_is_refused(house):
    number = (await made(house))["scheduleId"]
    path = f"{PATH}/{number}"
    tag = (await house.get(path, "201")).headers["ETag"]
    assert (await house.get(path, "201", If_None_Match=tag)).status == 304
    for order in (["One", "Two"], ["Four", "Three"]):
        bodies = [EVENINGS | {"name": name} for name in order]
        writing = [house.send("PUT", path, body, "201", If_Match=tag) for body in bodies]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert sorted(answer.status for answer in answers) == [200, 412]
        told = await house.get(path, "201")
        winner = order[[answer.status for answer in answers].index(200)]
        assert told.json["name"] == winner
        tag = told.headers["ETag"]
    for method in ("PUT", "DELETE"):
        answer = await house.send(method, path, EVENINGS, "201", If_Match='"1-00000000"')
        assert answer.status == 412
    assert (await house.request("DELETE", path, "201", If_Match=tag)).status == 200


@ensure
async def test_a_form_on_a_page_elsewhere_makes_no_schedule(house):
    body = json.dumps(EVENINGS).encode()
    for name, origin, status in (
        ("text/plain", "https://evil.example", 415),
        ("text/plain", "null", 415),
        ("text/plain", None, 200),
    ):
        headers = {"Content-Type": name} | ({"Origin": origin} if origin else {})
        answer = await house.request("POST", PATH, "201", body, **headers)
        assert answer.status == status


@ensure
async def test_it_is_told_as_json_only(house):
    number = (await made(house))["scheduleId"]
    for path in (PATH, f"{PATH}/{number}"):
        assert (await house.get(path, "201", Accept="text/xml")).status == 406
        assert (await house.get(path, None)).status == 401
        assert (await house.get(path + "/", "201")).status == 200
