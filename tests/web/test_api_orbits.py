"""/sipxconfig/api/orbits/: the park orbits, which are stored only (8.7)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from apikit import ADMIN, API, json_of, made, xml_of

ensure = pytest_twisted.ensureDeferred
ORBIT = {
    "name": "Lobby orbit",
    "enabled": True,
    "extension": "7001",
    "description": "beside the door",
    "music": "default.wav",
    "server": "park.example.org",
}
TIMEOUT = "general/parkTimeout"


async def status(house: Any, method: str, path: str, value: Any = None, user: str = ADMIN) -> int:
    return (await house.send(method, f"{API}/{path}", value, user)).status


@ensure
async def test_an_orbit_is_told_in_json_as_it_was_given(house):
    assert await json_of(house, "orbits") == {"orbits": []}
    number = await made(house, "orbits", ORBIT)
    told = await json_of(house, f"orbits/{number}/")
    assert told == {"id": number} | ORBIT
    assert list(told) == [
        "id", "name", "enabled", "extension", "description", "music", "server",
    ]  # fmt: skip
    bare = await made(house, "orbits/", {"name": "bare", "extension": "7002"})
    assert await json_of(house, "orbits/") == {
        "orbits": [
            told,
            {
                "id": bare,
                "name": "bare",
                "enabled": True,
                "extension": "7002",
                "description": None,
                "music": None,
                "server": "example.org",
            },
        ]
    }


@ensure
async def test_an_orbit_is_told_in_xml_as_it_was_given(house):
    assert await xml_of(house, "orbits") == "<Orbits/>"
    given = (
        "<name>lobby</name><enabled>false</enabled><extension>7001</extension>"
        "<music>default.wav</music><server>park.example.org</server>"
    )
    body = f"<Orbit>{given}</Orbit>".encode()
    answer = await house.request("POST", f"{API}/orbits", ADMIN, body, Content_Type="text/xml")
    told = f"<Orbit><id>{int(answer.body)}</id>{given}</Orbit>"
    assert await xml_of(house, f"orbits/{int(answer.body)}") == told
    assert await xml_of(house, "orbits") == f"<Orbits>{told}</Orbits>"


@ensure
async def test_what_a_change_does_not_name_stays(house):
    number = await made(house, "orbits", ORBIT)
    answer = await house.send("PUT", f"{API}/orbits/{number}", {"enabled": False}, ADMIN)
    assert (answer.status, answer.body) == (200, str(number).encode())
    assert await json_of(house, f"orbits/{number}") == {"id": number} | ORBIT | {"enabled": False}
    await house.app.park_orbits.load()
    assert await json_of(house, f"orbits/{number}") == {"id": number} | ORBIT | {"enabled": False}
    answer = await house.request("DELETE", f"{API}/orbits/{number}", ADMIN)
    assert (answer.status, answer.body) == (200, b"")
    assert await json_of(house, "orbits") == {"orbits": []}


@ensure
async def test_orbits_of_a_server_are_listed_made_and_deleted_together(house):
    await made(house, "orbits", ORBIT | {"server": None})
    await made(house, "orbits/servers/far.example.org", ORBIT | {"name": "b", "extension": "7002"})
    await made(house, "orbits/servers/1", {"name": "c", "extension": "7003"})

    async def names(path: str) -> list[str]:
        return [each["name"] for each in (await json_of(house, f"orbits/{path}"))["orbits"]]

    assert await names("servers/1/") == ["Lobby orbit", "c"] == await names("servers/Example.org")
    assert await names("servers/far.example.org") == ["b"]
    assert await names("servers/none.example.org") == []
    assert await status(house, "DELETE", "orbits/servers/1") == 200
    assert await names("") == ["b"]


@ensure
async def test_settings_have_defaults_are_put_as_text_and_reset(house):
    number = await made(house, "orbits", ORBIT)
    path = f"orbits/{number}/settings"
    setting = {
        "path": TIMEOUT,
        "type": "integer",
        "options": None,
        "value": "120",
        "defaultValue": "120",
        "label": "Park time-out",
        "description": "Seconds after which a parked call goes back to the extension that parked "
        "it.",
    }
    assert await json_of(house, f"{path}/{TIMEOUT}") == setting
    listed = (await json_of(house, path))["settings"]
    assert setting in listed and [each["path"] for each in listed] == [
        "general/enableTimeout",
        TIMEOUT,
        "general/multipleCalls",
        "general/allowTransfer",
        "general/transferKey",
    ]
    answer = await house.request(
        "PUT", f"{API}/{path}/{TIMEOUT}", ADMIN, b"55", Content_Type="text/plain"
    )
    assert (answer.status, answer.body) == (200, b"")
    assert await json_of(house, f"{path}/{TIMEOUT}/") == setting | {"value": "55"}
    assert await xml_of(house, f"{path}/{TIMEOUT}") == (
        f"<Setting><path>{TIMEOUT}</path><type>integer</type><value>55</value>"
        "<defaultValue>120</defaultValue><label>Park time-out</label>"
        f"<description>{setting['description']}</description></Setting>"
    )
    assert (await xml_of(house, path)).startswith("<Settings><Setting><path>general/enableTimeout")
    assert await status(house, "DELETE", f"{path}/{TIMEOUT}") == 200
    assert await json_of(house, f"{path}/{TIMEOUT}") == setting


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (TIMEOUT, b"soon", 400),
        (TIMEOUT, b"", 400),
        (TIMEOUT, b"\xff", 400),
        ("general/multipleCalls", b"2", 400),
        ("general/transferKey", b"x" * 256, 400),
        ("general/transferKey", b"\x00", 400),
        ("general/transferKey", b"x" * 70_000, 400),
        ("general/other", b"1", 404),
        ("general", b"1", 404),
    ],
)
@ensure
async def test_a_value_that_cannot_be_is_not_stored(house, path, value, code):
    number = await made(house, "orbits", ORBIT)
    before = await json_of(house, f"orbits/{number}/settings")
    url = f"{API}/orbits/{number}/settings/{path}"
    assert (await house.request("PUT", url, ADMIN, value)).status == code
    assert await json_of(house, f"orbits/{number}/settings") == before


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": None}, 400, "name"),
        ({"name": " "}, 400, "name"),
        ({"name": "x" * 65}, 400, "name"),
        ({"name": "a\nb"}, 400, "name"),
        ({"extension": None}, 400, "extension"),
        ({"extension": "7 001"}, 400, "extension"),
        ({"extension": 7001}, 400, "extension"),
        ({"enabled": "yes"}, 400, "enabled"),
        ({"music": "x" * 256}, 400, "music"),
        ({"extension": "200"}, 409, "extension"),
        ({"extension": "ben"}, 409, "extension"),
        ({"name": "201"}, 409, "name"),
        ({"name": "sales-group"}, 409, "name"),
        ({"extension": "500"}, 409, "extension"),
        ({"extension": "7009"}, 409, "extension"),
        ({"name": "taken"}, 409, "name"),
    ],
)
@ensure
async def test_a_broken_rule_is_named_and_nothing_is_stored(house, change, code, field):
    await made(house, "orbits", {"name": "taken", "extension": "7009"})
    group = {"name": "sales-group", "extension": "500", "members": [{"user": "200"}]}
    assert (await house.send("POST", "/v1/groups", group, ADMIN)).status == 201
    before = await json_of(house, "orbits")
    answer = await house.send("POST", f"{API}/orbits", ORBIT | change, ADMIN)
    assert (answer.status, answer.field) == (code, field)
    assert await json_of(house, "orbits") == before
    if None not in change.values():
        number = await made(house, "orbits", ORBIT)
        answer = await house.send("PUT", f"{API}/orbits/{number}", change, ADMIN)
        assert (answer.status, answer.field) == (code, field)
        assert await json_of(house, f"orbits/{number}") == {"id": number} | ORBIT


@ensure
async def test_nobody_else_gets_the_name_or_extension_of_an_orbit(house):
    await made(house, "orbits", ORBIT)
    group = {"name": "sales", "extension": "7001", "members": [{"user": "200"}]}
    answer = await house.send("POST", "/v1/groups", group, ADMIN)
    assert (answer.status, answer.field) == (409, "extension")


@ensure
async def test_who_calls_an_orbit_is_told_that_nothing_parks(house, phones):
    await made(house, "orbits", ORBIT)
    answer = await house.request("PUT", "/call/7001?wait=bridged", "200")
    assert answer.status == 502
    assert answer.json["code"] == 480
    assert answer.json["detail"] == "No call can be parked, there is no park server."


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "orbits/4711"),
        ("GET", "orbits/x"),
        ("PUT", "orbits/4711"),
        ("DELETE", "orbits/4711"),
        ("GET", "orbits/4711/settings"),
        ("GET", f"orbits/4711/settings/{TIMEOUT}"),
        ("PUT", f"orbits/4711/settings/{TIMEOUT}"),
        ("DELETE", f"orbits/4711/settings/{TIMEOUT}"),
    ],
)
@ensure
async def test_what_is_not_there_is_404(house, method, path):
    assert await status(house, method, path, ORBIT) == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "orbits"),
        ("POST", "orbits"),
        ("GET", "orbits/servers/1"),
        ("POST", "orbits/servers/1"),
        ("DELETE", "orbits/servers/1"),
        ("GET", "orbits/1"),
        ("PUT", "orbits/1"),
        ("DELETE", "orbits/1"),
        ("GET", "orbits/1/settings"),
        ("GET", f"orbits/1/settings/{TIMEOUT}"),
        ("PUT", f"orbits/1/settings/{TIMEOUT}"),
        ("DELETE", f"orbits/1/settings/{TIMEOUT}"),
    ],
)
@ensure
async def test_orbits_are_for_administrators(house, method, path):
    await made(house, "orbits", ORBIT)
    assert await status(house, method, path, ORBIT, None) == 401
    assert await status(house, method, path, ORBIT, "200") == 403
    assert len((await json_of(house, "orbits"))["orbits"]) == 1
