"""/my/conferences, /my/conferencedetails, /my/conference (3.10, 3.16, 3.17)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import pytest_twisted
from lxml import etree

from sipxd.directory.conference import Conference

ensure = pytest_twisted.ensureDeferred
MY = "/sipxconfig/rest/my"
PATH = f"{MY}/conferences"

LISTED_XML = (
    "<conferences><conference><enabled>true</enabled><name>ops-standup</name>"
    "<description>Daily ops call</description><extension>5001</extension>"
    "<accessCode>8642</accessCode></conference>"
    "<conference><enabled>false</enabled><name>quiet</name><extension>5002</extension>"
    "</conference></conferences>"
)
LISTED_JSON = {
    "conferences": [
        {
            "enabled": True,
            "name": "ops-standup",
            "description": "Daily ops call",
            "extension": "5001",
            "accessCode": "8642",
        },
        {"enabled": False, "name": "quiet", "extension": "5002"},
    ]
}
SETTING: dict[str, Any] = {
    "enabled": True,
    "name": "ops-standup",
    "description": "Daily ops call",
    "autorecorded": True,
    "accessCode": "8642",
    "moderatorCode": "97531",
    "quickstart": True,
    "video": True,
    "sendActiveVideoOnly": True,
    "maxMembers": 12,
    "moh": "FILES_SRC",
    "playEntryToneEnabled": False,
    "playExitToneEnabled": False,
    "recordAndPlayNameOnEntryEnabled": True,
    "recordAndPlayNameOnExitEnabled": True,
}
"""In their order."""
STANDUP = Conference(
    0,
    "ops-standup",
    "5001",
    description="Daily ops call",
    autorecorded=True,
    access_code="8642",
    moderator_code="97531",
    quickstart=True,
    video=True,
    active_video_only=True,
    max_members=12,
    moh="FILES_SRC",
    entry_tone=False,
    exit_tone=False,
    name_on_entry=True,
    name_on_exit=True,
)


def xml_of(setting: dict[str, Any], root: str = "setting") -> bytes:
    element = etree.Element(root)
    for name, value in setting.items():
        text = str(value)
        etree.SubElement(element, name).text = text.lower() if isinstance(value, bool) else text
    return etree.tostring(element)


def flat(body: bytes) -> str:
    return etree.tostring(etree.fromstring(body, etree.XMLParser(remove_blank_text=True))).decode()


async def make(house) -> Conference:
    """Two conferences of 200, and one of 202; gives the second."""
    conferences, owner = house.app.conferences, house.user("200").id
    await conferences.add(Conference(0, "quiet", "5002", owner=owner, enabled=False))
    second = await conferences.add(attrs.evolve(STANDUP, owner=owner))
    await conferences.add(Conference(0, "others", "5003", owner=house.user("202").id))
    return second


@ensure
async def test_the_own_conferences_are_listed_by_name_in_both_forms(house):
    for form, empty in (
        ("text/xml", b"<conferences/>\n"),
        ("application/json", b'{"conferences":[]}'),
    ):
        answer = await house.get(PATH, Accept=form)
        assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, form, empty)
    await make(house)
    answer = await house.get(PATH)
    assert (answer.headers["Content-Type"], flat(answer.body)) == ("text/xml", LISTED_XML)
    answer = await house.get(PATH + "/", Accept="application/json")
    assert answer.json == LISTED_JSON
    assert (await house.get(PATH, Accept="text/csv")).status == 406
    assert (await house.get(PATH, None)).status == 401


@ensure
async def test_the_settings_of_a_conference_are_told_in_both_forms(house):
    await make(house)
    answer = await house.get(f"{PATH}/ops-standup")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml")
    assert flat(answer.body).encode() == xml_of(SETTING)
    answer = await house.get(f"{PATH}/ops-standup", Accept="application/json")
    assert answer.json == {"setting": SETTING}
    assert list(answer.json["setting"]) == list(SETTING)
    bare = (await house.get(f"{PATH}/quiet", Accept="application/json")).json["setting"]
    assert bare == {
        "enabled": False,
        "name": "quiet",
        "autorecorded": False,
        "quickstart": False,
        "video": False,
        "sendActiveVideoOnly": False,
        "maxMembers": 0,
        "playEntryToneEnabled": True,
        "playExitToneEnabled": True,
        "recordAndPlayNameOnEntryEnabled": False,
        "recordAndPlayNameOnExitEnabled": False,
    }


FORMS = {
    "xml": (xml_of, {"Content-Type": "text/xml"}),
    "xml, another root, no type": (
        lambda change: xml_of(change, "conference"),
        {"Content-Type": ""},
    ),
    "json": (lambda change: json.dumps({"setting": change}).encode(), {}),
    "json without root": (lambda change: json.dumps(change).encode(), {}),
    "json called a form": (
        lambda change: json.dumps({"setting": change}).encode(),
        {"Content-Type": "application/x-www-form-urlencoded"},
    ),
}
OTHER = {
    name: (not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else "42")
    for name, value in SETTING.items()
    if name != "name"
}


@ensure
@pytest.mark.parametrize("form", FORMS)
async def test_a_put_changes_what_it_names(house, form):
    write, headers = FORMS[form]
    kept = await make(house)
    expected = dict(SETTING)
    for name, value in OTHER.items():
        answer = await house.send("PUT", f"{PATH}/ops-standup", write({name: value}), **headers)
        assert (answer.status, answer.body) == (200, b""), answer
        expected[name] = value
        told = await house.get(f"{PATH}/ops-standup", Accept="application/json")
        assert told.json["setting"] == expected
    await house.send("PUT", f"{PATH}/ops-standup", write({"name": "renamed", "moh": ""}), **headers)
    assert (await house.get(f"{PATH}/ops-standup")).status == 404
    told = await house.get(f"{PATH}/renamed", Accept="application/json")
    del expected["moh"]
    assert told.json["setting"] == expected | {"name": "renamed"}
    await house.app.conferences.load()
    assert house.app.conferences.get(kept.id).name == "renamed"
    assert house.app.conferences.get(kept.id).extension == "5001"


@ensure
@pytest.mark.parametrize(
    ("value", "status", "field"),
    [
        (b"", 400, None),
        (b" ", 400, None),
        (b"<setting>", 400, None),
        (b"{", 400, None),
        (b'{"setting": {"video": false, "video": true}}', 400, None),
        (b"<setting><video>false</video><video>true</video></setting>", 400, "/setting/video"),
        ({"setting": {"video": False, "enabled": "maybe"}}, 400, "setting.enabled"),
        ({"setting": {"video": False, "maxMembers": "12"}}, 400, "setting.maxMembers"),
        ({"setting": {"video": False, "maxMembers": -1}}, 400, "setting.maxMembers"),
        ({"setting": {"video": False, "maxMembers": 1.5}}, 400, "setting.maxMembers"),
        ({"setting": {"video": False, "description": ["x"]}}, 400, "setting.description"),
        ({"setting": {"video": False, "description": "a" * 256}}, 400, "setting.description"),
        ({"setting": {"video": False, "moh": "a\u0000"}}, 400, "setting.moh"),
        ({"setting": {"video": False, "accessCode": "1" * 65}}, 400, "setting.accessCode"),
        ({"setting": {"video": False, "name": ""}}, 400, "setting.name"),
        ({"setting": {"video": False, "name": "two words"}}, 400, "setting.name"),
        (b"<setting><video>false</video><name>a/b</name></setting>", 400, "/setting/name"),
        ({"setting": {"video": False, "name": "200"}}, 409, "name"),
        ({"setting": {"video": False, "name": "ben"}}, 409, "name"),
        ({"setting": {"video": False, "name": "5003"}}, 409, "name"),
        ({"setting": {"video": False, "name": "others"}}, 409, "name"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_of_it_is_stored(house, value, status, field):
    await make(house)
    headers = {"Content-Type": ""} if isinstance(value, bytes) else {}
    answer = await house.send("PUT", f"{PATH}/ops-standup", value, **headers)
    assert answer.status == status, answer
    if field is not None:
        assert answer.field == field
    told = await house.get(f"{PATH}/ops-standup", Accept="application/json")
    assert told.json["setting"] == SETTING


@ensure
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "conferences", 200),  # without a name: no effect
        ("POST", "conferences", 405),
        ("DELETE", "conferences", 405),
        ("POST", "conferences/ops-standup", 405),
        ("DELETE", "conferences/ops-standup", 405),
        ("GET", "conferences/nowhere", 404),
        ("PUT", "conferences/nowhere", 404),
        ("GET", "conferences/others", 403),
        ("PUT", "conferences/others", 403),
        ("GET", "conferencedetails/nowhere", 404),
        ("GET", "conferencedetails/others", 403),
        ("GET", "conferencedetails/ops-standup", 406),
        ("PUT", "conferencedetails/ops-standup", 405),
        ("GET", "conference/nowhere/record", 404),
        ("GET", "conference/others/record", 403),
        ("GET", "conference/ops-standup", 400),
        ("GET", "conference/ops-standup/", 400),
        ("GET", "conference/ops-standup/invite", 400),
        ("GET", "conference/ops-standup/inviteim", 400),
        ("GET", "conference/ops-standup/invite&401", 501),
        ("GET", "conference/ops-standup/mute&1", 501),
        ("GET", "conference/ops-standup/xml_list", 501),
        ("POST", "conference/ops-standup/record", 405),
    ],
)
async def test_who_asks_for_what_is_not_there_or_not_his_is_told_so(house, method, path, status):
    await make(house)
    answer = await house.send(method, f"{MY}/{path}", {"setting": {"enabled": False}})
    assert answer.status == status, answer
    if status in (406, 501):
        assert "conference server" in answer.json["detail"]
    enabled = {each.name: each.enabled for each in house.app.conferences.all()}
    assert enabled == {"quiet": False, "ops-standup": True, "others": True}
    if status != 405:
        assert (await house.send(method, f"{MY}/{path}", b"", None)).status == 401


@ensure
async def test_the_conferences_of_a_user_go_with_him(house):
    await make(house)
    await house.app.accounts.delete("202")
    assert [each.name for each in house.app.conferences.all()] == ["quiet", "ops-standup"]
    await house.app.conferences.load()
    assert [each.name for each in house.app.conferences.all()] == ["quiet", "ops-standup"]
