"""/sipxconfig/api/schedules/: the schedules of users, of groups, and general ones (8.4)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from apikit import ADMIN, API, flat, json_of, made, xml_of
from settingskit import make_group

ensure = pytest_twisted.ensureDeferred
HOUR = 3_600_000


def hours(day: str, start: int, stop: int, **more: Any) -> dict[str, Any]:
    """A period as JSON has it, from hour to hour."""
    return {"enabled": True, "start": start * HOUR, "stop": stop * HOUR, "scheduledDay": day} | more


def schedule(kind: str = "G", *periods: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "Watch",
        "description": "on deck",
        "userId": -1,
        "groupId": -1,
        "type": kind,
        "workingTime": {"workingHours": list(periods) or [hours("Thursday", 9, 18)]},
    } | more


@ensure
async def test_a_schedule_is_told_in_json_as_it_was_given(house):
    number = await made(house, "schedules", schedule())
    told = await json_of(house, f"schedules/{number}")
    assert told == {"id": number} | schedule()
    assert list(told) == [
        "id", "name", "description", "userId", "groupId", "type", "workingTime",
    ]  # fmt: skip
    assert list(told["workingTime"]["workingHours"][0]) == [
        "enabled", "start", "stop", "scheduledDay",
    ]  # fmt: skip
    assert await json_of(house, "schedules/general/") == {"schedules": [told]}


@ensure
async def test_a_schedule_is_told_in_xml_as_it_was_given(house):
    assert await xml_of(house, "schedules/general") == "<Schedules/>"
    given = (
        "<name>Watch</name><description>on deck</description><userId>-1</userId>"
        "<groupId>-1</groupId><type>general</type><workingTime><workingHours>"
        "<enabled>false</enabled><start>1970-01-01T09:00:00Z</start>"
        "<stop>1970-01-01T18:00:00Z</stop><scheduledDay>THURSDAY</scheduledDay></workingHours>"
        "<workingHours><enabled>true</enabled><start>1970-01-01T00:00:00Z</start>"
        "<stop>1970-01-02T00:00:00Z</stop><scheduledDay>WEEKEND</scheduledDay></workingHours>"
        "</workingTime>"
    )
    body = f'<?xml version="1.0" standalone="yes"?><Schedule>{given}</Schedule>'.encode()
    answer = await house.request(
        "POST", f"{API}/schedules", ADMIN, body, Content_Type="application/xml"
    )
    number = int(answer.body)
    told = f"<Schedule><id>{number}</id>{given}</Schedule>"
    assert await xml_of(house, f"schedules/{number}/") == told
    assert await xml_of(house, "schedules/general/") == f"<Schedules>{told}</Schedules>"
    answer = await house.get(f"{API}/schedules/{number}.xml", ADMIN, Accept="application/json")
    assert flat(answer.body) == told


@pytest.mark.parametrize(
    ("json", "xml"),
    [
        ("Weekend", "WEEKEND"),
        ("Weekdays", "WEEKDAYS"),
        ("Every_day", "EVERY_DAY"),
        ("Sunday", "SUNDAY"),
        ("Monday", "MONDAY"),
        ("Tuesday", "TUESDAY"),
        ("Wednesday", "WEDNESDAY"),
        ("Thursday", "THURSDAY"),
        ("Friday", "FRIDAY"),
        ("Saturday", "SATURDAY"),
    ],
)
@ensure
async def test_days_have_their_names_in_both_forms(house, json, xml):
    for name in (json, xml):
        number = await made(house, "schedules", schedule("G", hours(name, 9, 18), name=name))
        told = await json_of(house, f"schedules/{number}")
        assert told["workingTime"]["workingHours"][0]["scheduledDay"] == json
        assert f"<scheduledDay>{xml}<" in await xml_of(house, f"schedules/{number}")
        await house.request("DELETE", f"{API}/schedules/{number}", ADMIN)


@pytest.mark.parametrize(
    ("given", "minutes"),
    [
        (0, 0),
        (34_400_000, 9 * 60 + 33),
        (24 * HOUR - 1, 24 * 60 - 1),
        ("1970-01-01T11:00:00+02:00", 9 * 60),
        ("1970-01-01T09:30:00.000", 9 * 60 + 30),
        ("2026-11-26T09:30:59Z", 9 * 60 + 30),
        ("1970-01-01T00:30:00+02:00", 22 * 60 + 30),
    ],
)
@ensure
async def test_a_time_is_that_of_the_clock_in_utc(house, given, minutes):
    period = hours("Friday", 0, 24) | {"start": given}
    number = await made(house, "schedules", schedule("G", period))
    told = (await json_of(house, f"schedules/{number}"))["workingTime"]["workingHours"][0]
    assert told == hours("Friday", 0, 24) | {"start": minutes * 60_000}


@ensure
async def test_the_type_decides_the_owner(house):
    ben, sales = house.user("200"), await make_group(house, "sales")
    own = await made(house, "schedules", schedule("S", userId=ben.id, groupId=99))
    of_group = await made(house, "schedules/", schedule("U", groupId=sales, userId=99))
    general = await made(house, "schedules", schedule("G", userId=ben.id))
    for number, kind, user_id, group_id in (
        (own, "S", ben.id, -1),
        (of_group, "U", -1, sales),
        (general, "G", -1, -1),
    ):
        told = await json_of(house, f"schedules/{number}")
        assert (told["type"], told["userId"], told["groupId"]) == (kind, user_id, group_id)
    named = {"S": "user", "U": "group", "G": "general"}
    for number, kind in ((own, "S"), (of_group, "U"), (general, "G")):
        assert f"<type>{named[kind]}</type>" in await xml_of(house, f"schedules/{number}")

    async def ids(path: str) -> list[int]:
        return [each["id"] for each in (await json_of(house, f"schedules/{path}"))["schedules"]]

    in_sales = house.user("201").id
    assert await ids("general") == [general]
    assert await ids("group") == [house.office_hours, of_group]
    assert await ids(f"group/{sales}/") == [house.office_hours, of_group]
    assert await ids(f"user/{ben.id}/personal/") == [own]
    assert await ids(f"user/{ben.id}/all") == [own]
    assert await ids(f"user/{in_sales}/personal") == []
    assert await ids(f"user/{in_sales}/all") == [house.office_hours, of_group]


@ensure
async def test_what_a_change_does_not_name_stays(house):
    number = await made(house, "schedules", schedule())
    answer = await house.send("PUT", f"{API}/schedules/{number}/", {"name": "Dog watch"}, ADMIN)
    assert (answer.status, answer.body) == (200, str(number).encode())
    told = await json_of(house, f"schedules/{number}")
    assert told == {"id": number} | schedule(name="Dog watch")
    new = {"description": None, "workingTime": {"workingHours": [hours("Every_day", 0, 24)]}}
    answer = await house.send("PUT", f"{API}/schedules/{number}", new, ADMIN)
    told = await json_of(house, f"schedules/{number}")
    assert told == {"id": number} | schedule("G", hours("Every_day", 0, 24), name="Dog watch")


@ensure
async def test_an_administrator_changes_what_a_ring_of_a_user_goes_by(house):
    ben = house.user("200")
    number = await made(house, "schedules", schedule("S", userId=ben.id))
    rings = {"rings": [{"number": "202", "scheduleId": number}]}
    forward = "/sipxconfig/rest/my/callfwd"
    assert (await house.send("PUT", forward, rings)).status == 200
    await house.send("PUT", f"{API}/schedules/{number}", {"name": "Other"}, ADMIN)
    own = (await house.get("/sipxconfig/rest/my/callfwdsched")).json
    assert [(each["scheduleId"], each["name"]) for each in own] == [(number, "Other")]
    assert (await house.get(forward)).json["rings"][0]["scheduleId"] == number
    answer = await house.request("DELETE", f"{API}/schedules/{number}", ADMIN)
    assert (answer.status, answer.body) == (200, b"")
    assert (await house.get(forward)).json["rings"][0]["scheduleId"] is None


@ensure
async def test_rings_go_by_a_schedule_of_the_group_until_it_is_deleted_and_never_by_a_general(
    house,
):
    general = await made(house, "schedules", schedule())
    forward = "/sipxconfig/rest/my/callfwd"
    for number, kept in ((house.office_hours, house.office_hours), (general, None)):
        rings = {"rings": [{"number": "202", "scheduleId": number}]}
        assert (await house.send("PUT", forward, rings, "201")).status == 200
        assert (await house.get(forward, "201")).json["rings"][0]["scheduleId"] == kept
    rings = {"rings": [{"number": "202", "scheduleId": house.office_hours}]}
    await house.send("PUT", forward, rings, "201")
    answer = await house.request("DELETE", f"{API}/schedules/{house.office_hours}", ADMIN)
    assert answer.status == 200
    assert (await house.get(forward, "201")).json["rings"][0]["scheduleId"] is None
    stored = house.app.forwardings
    await stored.load()
    assert stored.of(house.user("201")).rings[0].schedule is None
    assert stored.schedule(general).name == "Watch"


@ensure
async def test_periods_come_at_the_end_and_go_by_their_place(house):
    number = await made(house, "schedules", schedule("G", hours("Monday", 9, 18)))
    path = f"{API}/schedules/{number}/period"
    tuesday, sunday = hours("Tuesday", 1, 2, enabled=False), hours("Sunday", 3, 4)
    answer = await house.send("POST", path, tuesday, ADMIN)
    assert (answer.status, answer.body) == (200, b"")
    body = (
        b"<workingHours><start>1970-01-01T03:00:00Z</start><stop>1970-01-01T04:00:00Z</stop>"
        b"<scheduledDay>SUNDAY</scheduledDay></workingHours>"
    )
    answer = await house.request("POST", f"{path}/", ADMIN, body, Content_Type="text/xml")
    assert answer.status == 200

    async def periods() -> list[dict[str, Any]]:
        told = await json_of(house, f"schedules/{number}")
        return told["workingTime"]["workingHours"]

    assert await periods() == [hours("Monday", 9, 18), tuesday, sunday]
    for index in ("0", "3", "-1", "x", "99999999999"):
        assert (await house.request("DELETE", f"{path}/{index}", ADMIN)).status == 404
    assert (await house.request("DELETE", f"{path}/1/", ADMIN)).body == b""
    assert await periods() == [hours("Monday", 9, 18), sunday]
    overlapping = await house.send("POST", path, hours("Weekend", 4, 5), ADMIN)
    assert (overlapping.status, overlapping.field) == (422, "periods[2]")
    assert len(await periods()) == 2


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"name": ""}, 422, "name"),
        ({"name": 7}, 400, "name"),
        ({"name": "a\nb"}, 400, "name"),
        ({"description": "x" * 256}, 400, "description"),
        ({"type": None}, 400, "type"),
        ({"type": "F"}, 400, "type"),
        ({"type": "S"}, 400, "userId"),
        ({"type": "S", "userId": 4711}, 400, "userId"),
        ({"type": "S", "userId": "200"}, 400, "userId"),
        ({"type": "U"}, 400, "groupId"),
        ({"type": "U", "groupId": 4711}, 400, "groupId"),
        ({"workingTime": None}, 422, "periods"),
        ({"workingTime": {"workingHours": []}}, 422, "periods"),
        ({"workingTime": {"workingHours": [3]}}, 400, "workingTime.workingHours[0]"),
        (
            {"workingTime": {"workingHours": [hours("Monday", 9, 18)] * 101}},
            400,
            "workingTime",
        ),
        ({"workingTime": {"workingHours": [hours("Monday", 9, 9)]}}, 422, "periods[0]"),
        ({"workingTime": {"workingHours": [hours("Monday", 9, 8)]}}, 422, "periods[0]"),
        (
            {"workingTime": {"workingHours": [hours("Monday", 9, 12), hours("Weekdays", 12, 13)]}},
            422,
            "periods[1]",
        ),
        (
            {"workingTime": {"workingHours": [hours("Someday", 9, 18)]}},
            400,
            "workingTime.workingHours[0].scheduledDay",
        ),
        (
            {"workingTime": {"workingHours": [hours("Monday", 9, 18) | {"start": "noon"}]}},
            400,
            "workingTime.workingHours[0].start",
        ),
        (
            {"workingTime": {"workingHours": [{"scheduledDay": "Monday", "start": 0}]}},
            400,
            "workingTime.workingHours[0].stop",
        ),
        (
            {"workingTime": {"workingHours": [hours("Monday", 9, 18, enabled="yes")]}},
            400,
            "workingTime.workingHours[0].enabled",
        ),
    ],
)
@ensure
async def test_a_broken_rule_is_named_and_nothing_is_stored(house, changes, status, field):
    answer = await house.send("POST", f"{API}/schedules", schedule(**changes), ADMIN)
    assert (answer.status, answer.field) == (status, field)
    assert await json_of(house, "schedules/general") == {"schedules": []}


@ensure
async def test_one_owner_has_a_name_once(house):
    ben = house.user("200").id
    await made(house, "schedules", schedule("G"))
    await made(house, "schedules", schedule("S", userId=ben))
    other = await made(house, "schedules", schedule("G", name="Other"))
    for method, path, value in (
        ("POST", "schedules", schedule("G")),
        ("POST", "schedules", schedule("S", userId=ben)),
        ("PUT", f"schedules/{other}", {"name": "Watch"}),
    ):
        answer = await house.send(method, f"{API}/{path}", value, ADMIN)
        assert (answer.status, answer.field) == (422, "name")


@pytest.mark.parametrize("change", [{"type": "S"}, {"userId": 1}, {"groupId": 1}, {"type": "X"}])
@ensure
async def test_a_schedule_stays_with_its_owner(house, change):
    number = await made(house, "schedules", schedule())
    answer = await house.send("PUT", f"{API}/schedules/{number}", change, ADMIN)
    assert answer.status == 400
    assert await json_of(house, f"schedules/{number}") == {"id": number} | schedule()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "schedules/4711"),
        ("GET", "schedules/x"),
        ("GET", "schedules/99999999999999999999"),
        ("PUT", "schedules/4711"),
        ("DELETE", "schedules/4711/"),
        ("POST", "schedules/4711/period"),
        ("DELETE", "schedules/4711/period/1"),
        ("GET", "schedules/group/4711"),
        ("GET", "schedules/user/4711/all"),
        ("GET", "schedules/user/200x/personal"),
        ("GET", "schedules/user/1/other"),
        ("GET", "nothing"),
        ("GET", ""),
    ],
)
@ensure
async def test_what_is_not_there_is_404(house, method, path):
    answer = await house.send(method, f"{API}/{path}", {"name": "x"}, ADMIN)
    assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "schedules/general"),
        ("GET", "schedules/group"),
        ("GET", "schedules/group/1"),
        ("GET", "schedules/user/1/all"),
        ("POST", "schedules"),
        ("GET", "schedules/1"),
        ("PUT", "schedules/1"),
        ("DELETE", "schedules/1"),
        ("POST", "schedules/1/period"),
        ("DELETE", "schedules/1/period/1"),
    ],
)
@ensure
async def test_schedules_are_for_administrators(house, method, path):
    for user, status in ((None, 401), ("200", 403)):
        answer = await house.send(method, f"{API}/{path}", schedule(), user)
        assert answer.status == status
