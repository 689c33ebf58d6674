"""/my/speeddial (3.15), and the buttons of user groups."""

from __future__ import annotations

import pytest
import pytest_twisted
from settingskit import make_group

ensure = pytest_twisted.ensureDeferred
PATH = "/sipxconfig/rest/my/speeddial"
GROUP = "/v1/user-groups/sales/speed-dial"
ADMIN = "superadmin"

BEN = {"label": "Ben", "number": "402", "blf": True}
FAR = {"label": "Far", "number": "sip:cleo@example.net", "blf": False}
NOTHING = {
    "buttons": [],
    "groupSpeedDial": False,
    "updatePhones": None,
    "canSubscribeToPresence": True,
}


def told(*buttons: dict, **more) -> dict:
    named = [each | {"name": f"{each['label']}={each['number']}"} for each in buttons]
    return NOTHING | {"buttons": named} | more


async def speed_dial(house, user: str = "200") -> dict:
    return (await house.get(PATH, user)).json


async def put(house, value, user: str = "200") -> int:
    return (await house.send("PUT", PATH, value, user)).status


@ensure
async def test_buttons_are_told_as_they_were_given_and_replaced_whole(house):
    answer = await house.get(PATH)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert (answer.json, list(answer.json)) == (NOTHING, list(NOTHING))
    answer = await house.send("PUT", PATH, {"buttons": [BEN | {"name": "ignored"}, FAR], "x": 1})
    assert (answer.status, answer.body) == (200, b"")
    assert await speed_dial(house) == told(BEN, FAR)
    # What was read may be sent back.
    assert await put(house, told(FAR, BEN)) == 200
    assert await speed_dial(house) == told(FAR, BEN)
    assert await put(house, {"buttons": {"button": {"number": "7"}}, "groupSpeedDial": None}) == 200
    assert await speed_dial(house) == told({"label": "", "number": "7", "blf": False})
    assert await put(house, {"buttons": []}) == 200
    assert await speed_dial(house) == await speed_dial(house, "202") == NOTHING


@ensure
async def test_who_has_none_has_those_of_his_group(house):
    """201 is in the group sales."""
    await make_group(house, "sales")
    desk = {"label": "Desk", "number": "500", "blf": True}
    answer = await house.send("PUT", GROUP, {"buttons": [desk]}, ADMIN)
    assert (answer.status, answer.json) == (200, {"buttons": [desk]})
    assert await speed_dial(house, "201") == told(desk, groupSpeedDial=True)
    assert await speed_dial(house) == NOTHING
    await put(house, {"buttons": [FAR]}, "201")
    assert await speed_dial(house, "201") == told(FAR)
    assert await put(house, {"buttons": [BEN], "groupSpeedDial": True}, "201") == 200
    assert await speed_dial(house, "201") == told(desk, groupSpeedDial=True)
    await put(house, {"buttons": []}, "201")
    assert await speed_dial(house, "201") == NOTHING  # none is what he wants
    await put(house, {"groupSpeedDial": True}, "201")
    assert await speed_dial(house, "201") == told(desk, groupSpeedDial=True)


@ensure
async def test_who_may_not_watch_others_keeps_the_lamps_he_has_and_gets_none(house):
    await put(house, {"buttons": [BEN, FAR]}, "201")
    await make_group(house, "sales", permissions={"subscribe-to-presence": False})
    assert await speed_dial(house, "201") == told(BEN, FAR, canSubscribeToPresence=False)
    new = {"label": "New", "number": "403", "blf": True}
    renamed = BEN | {"label": "Benjamin"}
    await put(house, {"buttons": [new, FAR | {"blf": True}, BEN, renamed]}, "201")
    dark = [each | {"blf": False} for each in (new, FAR, renamed)]
    expected = told(dark[0], dark[1], BEN, dark[2], canSubscribeToPresence=False)
    assert await speed_dial(house, "201") == expected


@ensure
@pytest.mark.parametrize(
    ("value", "status", "field"),
    [
        (b"", 400, None),
        (b"<buttons/>", 400, None),
        ({}, 400, "buttons"),
        ({"buttons": "402"}, 400, "buttons"),
        ({"buttons": [FAR, {"label": "x"}]}, 400, "buttons[1].number"),
        ({"buttons": [FAR, {"number": 402}]}, 400, "buttons[1].number"),
        ({"buttons": [FAR, {"number": ""}]}, 400, "buttons[1].number"),
        ({"buttons": [FAR, {"number": "4\n02"}]}, 400, "buttons[1].number"),
        ({"buttons": [FAR, {"number": "402", "label": "a" * 256}]}, 400, "buttons[1].label"),
        ({"buttons": [FAR, {"number": "402", "blf": "true"}]}, 400, "buttons[1].blf"),
        ({"buttons": [FAR], "groupSpeedDial": 1}, 400, "groupSpeedDial"),
        ({"buttons": [FAR] * 201}, 400, "buttons"),
        ({"buttons": [FAR], "updatePhones": True}, 501, None),
        ({"buttons": [FAR], "updatePhones": "x"}, 400, "updatePhones"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_of_it_is_stored(house, value, status, field):
    await put(house, {"buttons": [BEN]})
    answer = await house.send("PUT", PATH, value)
    assert (answer.status, answer.field) == (status, field), answer
    assert await speed_dial(house) == told(BEN)


@ensure
async def test_other_methods_and_forms_and_strangers_are_refused(house):
    for method in ("POST", "DELETE"):
        answer = await house.send(method, PATH, {})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")
    assert (await house.get(PATH, Accept="text/xml")).status == 406
    for method in ("GET", "PUT"):
        assert (await house.send(method, PATH, {"buttons": []}, None)).status == 401


@ensure
async def test_administrators_give_a_user_group_its_buttons_and_take_them_away(house):
    for method in ("GET", "PUT", "DELETE"):
        nowhere = GROUP.replace("sales", "nobody")
        assert (await house.send(method, nowhere, {"buttons": []}, ADMIN)).status == 404
    assert (await house.get(GROUP, ADMIN)).status == 404
    given = {"buttons": [{"label": "Desk", "number": "500"}, {"number": "7", "blf": True}]}
    expected = {
        "buttons": [
            {"label": "Desk", "number": "500", "blf": False},
            {"label": "", "number": "7", "blf": True},
        ]
    }
    answer = await house.send("PUT", GROUP, given, ADMIN)
    assert (answer.status, answer.json) == (200, expected)
    assert (await house.get(GROUP, ADMIN)).json == expected
    for bad, field in (
        ({}, "buttons"),
        ({"buttons": [{"label": "x"}]}, "buttons[0].number"),
        ({"buttons": [{"number": ""}]}, "buttons[0].number"),
        ({"buttons": [{"number": "7", "blf": 1}]}, "buttons[0].blf"),
        ({"buttons": [{"number": "7"}] * 201}, "buttons"),
    ):
        answer = await house.send("PUT", GROUP, bad, ADMIN)
        assert (answer.status, answer.field) == (400, field), answer
    assert (await house.get(GROUP, ADMIN)).json == expected
    answer = await house.request("DELETE", GROUP, ADMIN)
    assert (answer.status, answer.body) == (204, b"")
    assert (await house.get(GROUP, ADMIN)).status == 404
    assert await speed_dial(house, "201") == NOTHING
    for user, status in ((None, 401), ("201", 403)):
        for method in ("GET", "PUT", "DELETE"):
            assert (await house.send(method, GROUP, given, user)).status == status
