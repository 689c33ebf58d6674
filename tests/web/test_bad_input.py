"""Good documents of which one thing is wrong: each is refused by its place, and nothing is stored.

Other bodies, and what is wrong around them, are in test_any_body.py and test_site.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest_twisted
from hostile_documents import ADMIN, API, ENTRY, HOURS, MY, ORBIT, PHONE, RESOURCES, REST, WORKING
from hostilekit import Attacker, Resource, corrupted, corrupted_xml, encode
from twisted.internet.threads import deferToThread
from webkit import Answer

ensure = pytest_twisted.ensureDeferred


WITHOUT_DOCUMENT = """
PUT /call/<text:number>
PUT /sipxconfig/api/my/user
PUT /sipxconfig/api/my/user/<path:rest>
PUT /sipxconfig/api/orbits/<orbit_id>/settings/<path:path>
PUT /sipxconfig/api/userGroups/<name>/<any(up,down):direction>
PUT /sipxconfig/api/userGroups/<name>/settings/<path:path>
POST /sipxconfig/api/users/<name>/groups/<group>
PUT /sipxconfig/api/users/<name>/settings/<path:path>
PUT /sipxconfig/api/users/upload/settings/<path:path>
PUT /sipxconfig/rest/auto-attendant/<attendant>/special
PUT /sipxconfig/rest/auto-attendant/livemode/<code>
PUT /sipxconfig/rest/auto-attendant/specialmode
POST /sipxconfig/rest/avatar/<name>
PUT /sipxconfig/rest/call/<text:number>
PUT /sipxconfig/rest/my/call/<text:number>
PUT /sipxconfig/rest/my/callfwdsched
PUT /sipxconfig/rest/my/conferences
PUT /sipxconfig/rest/my/mailbox/<name>/preferences/activegreeting/<greeting>
POST /sipxconfig/rest/my/phonebook/googleImport
PUT /sipxconfig/rest/my/phonebook/showContactsOnPhone/<value>
PUT /sipxconfig/rest/my/portal/password/<hidden>
POST /sipxconfig/rest/my/redirect/callcontroller/<calling>/<called>
PUT /sipxconfig/rest/my/voicemail/operator
PUT /sipxconfig/rest/my/voicemail/operator/<operator>
PUT /sipxconfig/rest/my/voicemail/pin/<hidden>
PUT /sipxconfig/rest/user-group-permission
PUT /sipxconfig/rest/user-permission
POST /v1/users/me/private-key
"""
"""What takes no body, a text, or a file."""


@ensure
async def test_there_is_a_good_document_for_everything_that_takes_one(house: Any) -> None:
    site = house.app.web_ports[0].factory.wrappedFactory
    missing = []
    for rule in site.resource._app.url_map.iter_rules():
        path = re.sub(r"<(?:[^<>]+:)?\w+>", "[^/]+", rule.rule)
        if ".absent." in rule.endpoint or path.startswith("/sipxconfig/services/"):
            continue  # nothing is read there, or SOAP, which has tests of its own
        for how in rule.methods & {"PUT", "POST", "PATCH"}:
            known = any(
                resource.how == how and re.fullmatch(path, resource.path) for resource in RESOURCES
            )
            if not known and f"{how} {rule.rule}" not in WITHOUT_DOCUMENT.splitlines():
                missing.append(f"{how} {rule.rule}")
    assert not missing, "they belong into hostile_documents.py, or take none"


async def furnished(house: Any) -> dict[str, Any]:
    """What there is to be changed; the ids by their names."""

    async def made(path: str, body: Any, user: str = ADMIN, how: str = "POST") -> Any:
        answer = await house.send(how, path, body, user)
        assert answer.status in (200, 201), (path, answer)
        if answer.headers["Content-Type"] == "text/xml":
            found = re.search(rb"<id>([0-9]+)</id>", answer.body)
            return {"id": found and found[1].decode()}
        return answer.json if answer.body else None

    await made(f"{MY}/callfwdsched", HOURS | {"name": "First"}, "200")
    await made(f"{MY}/phonebook/entry/0", {"entry": ENTRY | {"number": "77"}}, "200")
    conference = {"name": "mine", "extension": "5009", "owner": "200"}
    group = {"name": "h0", "extension": "598", "members": []}
    await made(f"{REST}/permission", {"permission": {"label": "Dusk"}}, how="PUT")
    general = {"name": "G", "type": "G", "workingTime": {"workingHours": [WORKING]}}
    entries = await house.get(f"{MY}/phonebook", Accept="application/json")
    schedules = await house.get(f"{MY}/callfwdsched")
    return {
        "schedule": schedules.json[0]["scheduleId"],
        "entry": next(e["id"] for e in entries.json["phonebook"] if e["number"] == "77"),
        "conference": (await made("/v1/conferences", conference))["id"],
        "phonebook": (await made("/v1/phonebooks", {"name": "partners"}))["id"],
        "orbit": await made(f"{API}/orbits", ORBIT | {"name": "x", "extension": "7099"}),
        "general": await made(f"{API}/schedules", general),
        "hunt": (await made("/v1/groups", group))["id"],
        "group": (await made(f"{REST}/user-group", {"group": {"name": "s"}}, how="PUT"))["id"],
        "branch": (await made(f"{REST}/branch", {"branch": {"name": "n"}}, how="PUT"))["id"],
        "phone": await made(f"{API}/phones", PHONE | {"serialNo": "0004f2000002"}),
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
    large = RESOURCES.index(resource) % 8 == 0  # the parser is the same one everywhere
    cases = [
        (name, field, "application/json", body)
        for name, field, body in corrupted(resource, large=large)
    ]
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
