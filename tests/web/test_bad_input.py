"""Good documents of which one thing is wrong: each is refused by its place, and nothing is stored.

Other bodies, and what is wrong around them, are in test_any_body.py and test_site.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest_twisted
from hostilekit import Attacker, Resource, corrupted, corrupted_xml, encode
from twisted.internet.threads import deferToThread
from webkit import Answer

ensure = pytest_twisted.ensureDeferred
REST = "/sipxconfig/rest"
MY = f"{REST}/my"
API = "/sipxconfig/api"
ADMIN = "superadmin"

RING = {"expiration": 18, "type": "If no response", "enabled": True, "number": "203"}
PERIOD = {"scheduledDay": -1, "start": {"hrs": 18, "min": 0}, "end": {"hrs": 22, "min": 30}}
HOURS = {"name": "Evenings", "description": "d", "periods": [PERIOD]}
ADDRESS = {"street": "Weg 1", "city": "Köln", "country": "DE", "state": "NW", "zip": "50667"}
CONTACT = {"jobTitle": "Chef", "emailAddress": "a@b.org", "homeAddress": ADDRESS, "imId": "x"}
ENTRY = {"first-name": "Ada", "last-name": "Park", "number": "1", "contact-information": CONTACT}
WORKING = {"start": 32_400_000, "stop": 64_800_000, "scheduledDay": "Thursday"}
V1_ENTRY = {
    "first_name": "Ada",
    "last_name": "Park",
    "number": "1",
    "contact": {"job_title": "Chef", "home_address": {"city": "Köln"}},
}
CONFERENCE = {
    "name": "standup", "extension": "5001", "owner": "201", "enabled": True, "description": "d",
    "access_code": "1", "moderator_code": "2", "max_members": 3, "moh": "m", "video": True,
}  # fmt: skip
SETTING = {"enabled": True, "description": "d", "accessCode": "1", "maxMembers": 3, "moh": "m"}
GROUP = {
    "name": "trade", "extension": "500", "did": "501", "description": "d", "enabled": True,
    "members": [{"user": "200", "seconds": 5, "type": "at-the-same-time"}], "fallback": "202",
    "voicemail_fallback": True, "follow": True, "fallback_seconds": 7,
}  # fmt: skip
ORBIT = {"name": "lobby", "enabled": True, "extension": "7001", "music": "a.wav", "server": "b.org"}

RESOURCES = [
    Resource(
        "PUT",
        f"{MY}/forward",
        {"call-sequence": {"rings": [RING], "expiration": 20, "withVoicemail": True}},
        ignored=("withVoicemail",),
        xml=b"<call-sequence><rings><ring><expiration>18</expiration><number>203</number></ring>"
        b"</rings><expiration>20</expiration></call-sequence>",
    ),
    Resource(
        "PUT",
        f"{MY}/callfwd",
        {"rings": [RING], "expiration": 20},
    ),
    Resource("POST", f"{MY}/callfwdsched", HOURS),
    Resource("PUT", f"{MY}/callfwdsched/{{schedule}}", HOURS | {"name": "Other"}),
    Resource(
        "POST",
        f"{MY}/phonebook",
        {"phonebook": {"entry": [ENTRY]}},
        xml=b"<phonebook><entry><first-name>A</first-name><last-name>B</last-name>"
        b"<number>1</number></entry></phonebook>",
    ),
    Resource(
        "POST",
        f"{MY}/phonebook/entry/0",
        {"entry": ENTRY | {"number": "2"}},
        xml=b"<entry><first-name>A</first-name><last-name>B</last-name><number>1</number></entry>",
    ),
    Resource(
        "PUT",
        f"{MY}/phonebook/entry/{{entry}}",
        {"entry": ENTRY | {"number": "3"}},
        xml=b"<entry><first-name>A</first-name><last-name>B</last-name><number>1</number></entry>",
    ),
    Resource(
        "PUT",
        f"{MY}/phonebookentry/x-1",
        {
            "pb": {
                "internalId": "x-1",
                "uid": "",
                "userName": "200",
                "vcard": "BEGIN:VCARD\nVERSION:3.0\nN:Park;Ada;;;\nFN:Ada Park\nTEL:1\nEND:VCARD",
            }
        },
        lines=("vcard",),
        ignored=("internalId",),
    ),
    Resource(
        "PUT",
        f"{MY}/contact-information",
        {
            "contact-information": CONTACT
            | {"firstName": "Ann", "lastName": "Lee", "timestamp": 5, "useBranchAddress": False}
            | {"twiterName": "a", "custom1": "c"}
        },
        ignored=("imId",),
        xml=b"<contact-information><firstName>A</firstName></contact-information>",
    ),
    Resource(
        "PUT",
        f"{MY}/conferences/mine",
        {"setting": SETTING},
        xml=b"<setting><enabled>true</enabled></setting>",
    ),
    Resource(
        "PUT",
        f"{MY}/speeddial",
        {"buttons": [{"label": "Ben", "number": "402", "blf": True}], "groupSpeedDial": False},
    ),
    Resource("PUT", f"{MY}/im/prefs", {"statusCallInfo": True, "otpMessage": "m"}),
    Resource("PUT", f"{MY}/imbot/prefs", {"confEnter": True, "vmBegin": False}),
    Resource("PUT", f"{MY}/faxprefs", {"extension": "77", "did": "78"}),
    Resource(
        "PUT",
        f"{MY}/vmprefs",
        {"greeting": "STANDARD", "email": "a@b.org", "altEmail": "c@d.org", "emailFormat": "FULL"},
    ),
    Resource(
        "PUT",
        f"{MY}/voicemail/attendant",
        {"depositVM": True, "operator": "200", "menu": {"1": "201"}, "language": "de"},
    ),
    Resource(
        "PUT",
        "/v1/users/me/forwarding",
        {
            "timer": 20,
            "do_not_disturb": False,
            "time_zone": "Europe/Berlin",
            "rings": [{"number": "203", "seconds": 5, "type": "if-no-response", "enabled": True}],
            "rules": [
                {"when": "busy", "caller": "internal", "action": "forward", "number": "204"}
                | {"seconds": 30, "only_on_holidays": "DE-BY", "enabled": True}
            ],
        },
    ),
    Resource(
        "POST",
        "/v1/users/me/schedules",
        {"name": "Nights", "periods": [{"day": "weekdays", "start": "20:00", "end": "24:00"}]},
        status=201,
    ),
    Resource(
        "PUT",
        "/v1/users/me/schedules/{schedule}",
        {"name": "Days", "periods": [{"day": "weekdays", "start": "20:00", "end": "24:00"}]},
    ),
    Resource(
        "POST",
        "/v1/users/me/forwarding/rehearsal",
        {"from": "+4930123", "at": "2026-12-24T18:00:00+01:00"},
        optional=True,
    ),
    Resource("POST", "/v1/users/me/tokens", {"label": "CRM"}, status=201),
    Resource("POST", "/v1/groups", GROUP, ADMIN, status=201),
    Resource("POST", "/v1/conferences", CONFERENCE, ADMIN, status=201),
    Resource(
        "PUT",
        "/v1/conferences/{conference}",
        CONFERENCE | {"name": "z", "extension": "5002"},
        ADMIN,
    ),
    Resource(
        "POST",
        "/v1/phonebooks",
        {"name": "sales", "description": "d", "members": ["sales"], "consumers": ["sales"]},
        ADMIN,
        status=201,
    ),
    Resource("POST", "/v1/phonebooks/{phonebook}/entries", {"entries": [V1_ENTRY]}, ADMIN),
    Resource("PUT", "/v1/phonebooks/{phonebook}/entries", {"entries": [V1_ENTRY]}, ADMIN),
    Resource(
        "PUT",
        "/v1/user-groups/sales/speed-dial",
        {"buttons": [{"label": "Ben", "number": "402", "blf": True}]},
        ADMIN,
    ),
    Resource(
        "PUT",
        f"{REST}/user",
        {
            "user": {
                "lastName": "Lee",
                "firstName": "Ann",
                "userName": "900",
                "pin": "longenough1",
                "sipPassword": "secret12345",
                "emailAddress": "a@b.org",
                "groups": {"group": [{"id": 1}]},
                "aliases": {"alias": [{"alias": "901"}]},
            }
        },
        ADMIN,
        status=201,
        xml=b"<user><userName>902</userName></user>",
    ),
    Resource(
        "PUT",
        f"{REST}/user/{{user}}",
        {"user": {"lastName": "Lee", "userName": "202", "pin": "longenough1"}},
        ADMIN,
        xml=b"<user><userName>202</userName></user>",
    ),
    Resource(
        "PUT",
        f"{REST}/user-group",
        {"group": {"name": "staff", "description": "d"}},
        ADMIN,
        status=201,
        xml=b"<group><name>staff</name></group>",
    ),
    Resource(
        "PUT",
        f"{REST}/branch",
        {"branch": {"name": "west", "description": "d", "address": ADDRESS, "phoneNumber": "1"}},
        ADMIN,
        status=201,
        xml=b"<branch><name>west</name></branch>",
    ),
    Resource(
        "PUT",
        f"{REST}/permission",
        {"permission": {"label": "Night", "description": "d", "defaultValue": False}},
        ADMIN,
        status=201,
        xml=b"<permission><label>Night</label></permission>",
    ),
    Resource(
        "PUT",
        f"{REST}/user-permission/{{user}}",
        {"user": {"permissions": [{"name": "Mobile", "value": "DISABLE"}]}},
        ADMIN,
    ),
    Resource(
        "PUT",
        f"{REST}/user-group-permission/1",
        {"group": {"permissions": [{"name": "Mobile", "value": "DISABLE"}]}},
        ADMIN,
    ),
    Resource("POST", f"{API}/orbits", ORBIT, ADMIN, xml=b"<Orbit><name>x</name></Orbit>"),
    Resource(
        "PUT",
        f"{API}/orbits/{{orbit}}",
        ORBIT | {"name": "y", "extension": "7002"},
        ADMIN,
        xml=b"<Orbit><name>x</name></Orbit>",
    ),
    Resource(
        "POST",
        f"{API}/schedules",
        {
            "name": "Watch",
            "description": "d",
            "userId": -1,
            "groupId": -1,
            "type": "G",
            "workingTime": {"workingHours": [WORKING | {"enabled": True}]},
        },
        ADMIN,
        ignored=("userId", "groupId"),
    ),
]


async def furnished(house: Any) -> dict[str, Any]:
    """What there is to be changed; the ids by their names."""
    await house.send("POST", f"{MY}/callfwdsched", HOURS | {"name": "First"})
    await house.send("POST", f"{MY}/phonebook/entry/0", {"entry": ENTRY | {"number": "77"}})
    found = await house.get(f"{MY}/phonebook", Accept="application/json")
    await house.send(
        "POST", "/v1/conferences", {"name": "mine", "extension": "5009", "owner": "200"}, ADMIN
    )
    book = await house.send("POST", "/v1/phonebooks", {"name": "partners"}, ADMIN)
    orbit = await house.send(
        "POST", f"{API}/orbits", ORBIT | {"name": "x", "extension": "7099"}, ADMIN
    )
    schedules = await house.get(f"{MY}/callfwdsched")
    conferences = await house.get("/v1/conferences", ADMIN)
    return {
        "schedule": schedules.json[0]["scheduleId"],
        "entry": next(e["id"] for e in found.json["phonebook"] if e["number"] == "77"),
        "conference": conferences.json["conferences"][0]["id"],
        "phonebook": book.json["id"],
        "orbit": orbit.json,
        "user": house.user("202").id,
    }


def said(answer: Answer) -> tuple[str, str]:
    """The place that an answer names, and its sentence."""
    if answer.headers["Content-Type"] != "text/xml":
        return answer.json.get("field") or "", answer.json["detail"]
    # What administrators' resources answer with has no member for the place (contract 4.0).
    found = re.search(rb"<additionalMessage>(.*)</additionalMessage>", answer.body)
    told = "" if found is None else found[1].decode()
    return re.split("[ :]", told)[0], told


def attack(house: Any, resource: Resource, path: str) -> list[str]:
    """What has gone wrong."""
    cases = [(name, field, "application/json", body) for name, field, body in corrupted(resource)]
    if resource.xml:
        cases += [
            (f"XML with {name}", None, "text/xml", body)
            for name, body in corrupted_xml(resource.xml)
        ]
    attacker, wrong = Attacker(house), []
    try:
        before = attacker.stored()
        bodies = [(kind, body) for _, _, kind, body in cases]
        answers = attacker.send(resource.how, path, resource.user, bodies)
        if attacker.stored() != before:
            wrong.append("something was stored")
        for (name, field, _, _), answer in zip(cases, answers, strict=True):
            place, told = said(answer)
            if answer.status not in (400, 422) or not told.isprintable():
                wrong.append(f"{name}: {answer.status} {answer.body!r}")
            elif field is not None and place != field:
                wrong.append(f"{name}: named {place}: {told}")
        good = [("application/json", encode(resource.good))]
        (answer,) = attacker.send(resource.how, path, resource.user, good)
        if answer.status != resource.status:
            wrong.append(f"the good document: {answer.status} {answer.body!r}")
    finally:
        attacker.close()
    return [f"{resource.how} {path}: {each}" for each in wrong]


@ensure
async def test_a_document_of_which_one_thing_is_wrong_is_refused_by_its_place(house: Any) -> None:
    ids = await furnished(house)
    wrong: list[str] = []
    for resource in RESOURCES:
        path = resource.path.format(**ids)
        wrong += await deferToThread(attack, house, resource, path)
    assert not wrong, "\n".join(wrong)
