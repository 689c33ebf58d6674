"""/sipxconfig/api/phones/ (8.7), the telephones of users (8.2), and POST /rest/phone (4.7)."""

from __future__ import annotations

from typing import Any

import pytest_twisted
from apikit import ADMIN, API, json_of, made, xml_of

ensure = pytest_twisted.ensureDeferred

SERIAL = "0004f2a1b2c3"
PHONE = {
    "serialNo": "00:04:F2:A1:B2:C3",
    "deviceVersion": "3.2",
    "description": "Front desk",
    "model": "polycom550",
    "groups": [{"name": "lobby"}],
}


async def status(house: Any, method: str, path: str, value: Any = None, user: str = ADMIN) -> int:
    return (await house.send(method, f"{API}/{path}", value, user)).status


@ensure
async def test_a_telephone_is_told_as_it_was_given(house) -> None:
    assert await json_of(house, "phones") == {"phones": []}
    number = await made(house, "phones/", PHONE)
    told = await json_of(house, f"phones/{SERIAL}")
    assert told == {
        "id": number,
        "serialNo": SERIAL,
        "deviceVersion": "3.2",
        "description": "Front desk",
        "model": "polycom550",
        "lines": [],
        "groups": [{"name": "lobby"}],
    }
    assert told == await json_of(house, f"phones/{number}/")
    assert await json_of(house, "phones") == {"phones": [told]}
    assert await xml_of(house, f"phones/{number}") == (
        f"<Phone><id>{number}</id><serialNo>{SERIAL}</serialNo><deviceVersion>3.2</deviceVersion>"
        "<description>Front desk</description><model>polycom550</model><Lines/>"
        "<Groups><Group><name>lobby</name></Group></Groups></Phone>"
    )
    assert await status(house, "PUT", f"phones/{SERIAL}", {"description": "Back door"}) == 200
    assert await json_of(house, f"phones/{number}") == told | {"description": "Back door"}
    assert await status(house, "DELETE", f"phones/{SERIAL}") == 200
    assert await status(house, "GET", f"phones/{SERIAL}") == 404


@ensure
async def test_lines_are_those_of_users_or_external(house) -> None:
    await made(house, "phones", PHONE)
    path = f"phones/{SERIAL}/lines"
    assert await made(house, path, {"user": "ben"}) == 1
    far = {"extension": "77", "displayName": "Far", "registrationServer": "far.example.net"}
    assert await made(house, path, far) == 2
    own, external = (await json_of(house, path))["lines"]
    assert (own["uri"], own["user"], own["extension"]) == ("<sip:200@example.org>", "200", "200")
    assert (external["uri"], external["user"]) == ('"Far"<sip:77@far.example.net>', None)
    assert await json_of(house, f"{path}/2") == external
    user = house.user("200")
    for found in (
        "users/name/200/phones",
        f"users/id/{user.id}/phones",
        "phones/line?lineFilter=FAR",
        "phones?start=0&limit=1",
    ):
        assert [each["serialNo"] for each in (await json_of(house, found))["phones"]] == [SERIAL]
    assert await json_of(house, "users/name/201/phones") == {"phones": []}
    assert await status(house, "DELETE", f"{path}/2") == 200
    assert await status(house, "DELETE", f"{path}/2") == 404
    await status(house, "DELETE", "users/200")
    assert await json_of(house, path) == {"lines": []}


@ensure
async def test_what_cannot_be_is_refused(house) -> None:
    await made(house, "phones", PHONE)
    for value, expected in (
        (PHONE, 409),
        (PHONE | {"serialNo": "12"}, 400),
        (PHONE | {"serialNo": "0004f2000001", "model": "banana"}, 400),
        (PHONE | {"serialNo": "0004f2000001", "groups": [{}]}, 400),
    ):
        assert await status(house, "POST", "phones", value) == expected
    assert await status(house, "POST", f"phones/{SERIAL}/lines", {"user": "999"}) == 400
    assert await status(house, "GET", "phones/nothing") == 404
    assert await status(house, "GET", "phones", user="200") == 403
    assert await status(house, "PUT", f"phones/{SERIAL}/sendProfile/restart") == 501
    assert len((await json_of(house, "phones"))["phones"]) == 1


@ensure
async def test_a_list_of_telephones_is_taken_but_for_those_that_cannot_be(house) -> None:
    listed = (
        "<phones>"
        "<phone><description>A</description><serialNumber>0004f2000001</serialNumber>"
        "<model>polycom550</model><version>3</version></phone>"
        "<phone><serialNumber>0004f2000001</serialNumber><model>polycom550</model></phone>"
        "<phone><serialNumber>0004f2000002</serialNumber><model>banana</model></phone>"
        "</phones>"
    )
    path = "/sipxconfig/rest/phone"
    answer = await house.request("POST", path, ADMIN, listed.encode())
    assert (answer.status, answer.body) == (200, b"")
    more = {"phones": {"phone": [{"serialNumber": "0004f2000003", "model": "snom300"}]}}
    assert (await house.send("POST", path, more, ADMIN)).status == 200
    phones = (await json_of(house, "phones"))["phones"]
    assert [(each["serialNo"], each["description"]) for each in phones] == [
        ("0004f2000001", "A"),
        ("0004f2000003", None),
    ]
    assert (await house.send("POST", path, more, "200")).status == 403
    assert (await house.get(path, ADMIN)).status == 405
