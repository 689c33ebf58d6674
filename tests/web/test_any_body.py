"""Whatever is sent to whatever stores something: never a defect, and what is refused is not stored.

Bodies are arbitrary bytes, arbitrary JSON, and good documents of which something has been changed.
"""

from __future__ import annotations

import copy
import http.client
import json
import re

import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher
from webkit import Answer, basic

from sipxd.xml import Items, write_xml

ensure = pytest_twisted.ensureDeferred

RING = {"expiration": 18, "type": "If no response", "enabled": True, "number": "203"}
PERIOD = {"scheduledDay": -1, "start": {"hrs": 18, "min": 0}, "end": {"hrs": 22, "min": 30}}
HOURS = {"enabled": True, "start": 32_400_000, "stop": 64_800_000, "scheduledDay": "Thursday"}
GOOD = [
    {"call-sequence": {"rings": [RING, RING], "expiration": 20, "withVoicemail": True}},
    {"rings": [RING | {"scheduleId": 1}, RING], "expiration": 20, "withVM": True},
    {"name": "Evenings", "description": "d", "periods": [PERIOD, PERIOD | {"scheduledDay": 7}]},
    {
        "timer": 20,
        "do_not_disturb": False,
        "do_not_disturb_until": "2030-01-01T00:00:00Z",
        "time_zone": "Europe/Berlin",
        "rings": [{"number": "203", "seconds": 5, "type": "if-no-response", "enabled": True}],
        "rules": [
            {
                "when": "busy",
                "caller": "internal",
                "action": "forward",
                "number": "204",
                "seconds": 30,
                "until": "2030-01-01T00:00:00+01:00",
                "schedule": 1,
                "only_on_holidays": "DE-BY",
                "not_on_holidays": "US",
            }
        ],
    },
    {"name": "Nights", "periods": [{"day": "weekdays", "start": "20:00", "end": "24:00"}]},
    {
        "name": "sales",
        "extension": "500",
        "did": "501",
        "members": [{"user": "200", "seconds": 5, "type": "at-the-same-time"}],
        "fallback": "202",
        "voicemail_fallback": True,
    },
    {"from": "+4930123", "at": "2026-12-24T18:00:00+01:00"},
    {"number": "203", "user": "200", "flow": "offer"},
    {"label": "CRM"},
    {
        "name": "Watch",
        "userId": -1,
        "groupId": -1,
        "type": "G",
        "workingTime": {"workingHours": [HOURS, HOURS | {"scheduledDay": "Sunday"}]},
    },
    HOURS,
    {"name": "lobby", "enabled": True, "extension": "7001", "music": "a.wav", "server": "b.org"},
    {"name": "standup", "extension": "5001", "owner": "201", "max_members": 3, "video": True},
    {"setting": {"enabled": True, "accessCode": "1", "maxMembers": 3, "moh": "m", "video": True}},
    {"buttons": [{"label": "Ben", "number": "402", "blf": True}], "groupSpeedDial": False},
    {"greeting": "STANDARD", "email": "a@b.org", "altEmail": "", "emailAttachType": "YES"},
    {"statusCallInfo": True, "otpMessage": "m", "confEnter": True, "menu": {"1": "2"}},
]
NAMES = sorted(set(re.findall(r'"([a-zA-Z_-]+)":', json.dumps(GOOD))))
ODD = st.sampled_from(
    [None, True, 0, -1, 1000, 10**19, 10**400, 1e308, "", " ", "\0", "\ud800", "a" * 300, "٣", "DE",
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "../x", "200", "sip:1@b.org", "+", "1@b.c", [],
     {}, [[]], [None]]
).map(copy.deepcopy)  # fmt: skip
VALUES = st.recursive(
    ODD | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value, found):
    """Every container in ``value``."""
    if isinstance(value, dict | list):
        found.append(value)
        for inner in value.values() if isinstance(value, dict) else value:
            places(inner, found)
    return found


@st.composite
def changed(draw):
    """A good document of which one to three members are others, gone, or there more often."""
    document = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places(document, [])))
        if isinstance(place, list):
            place.extend(draw(st.lists(VALUES, max_size=2)) or place * draw(st.integers(0, 5)))
            continue
        name = draw(st.sampled_from([*place, *NAMES[:3]]))
        if draw(st.booleans()):
            place[name] = draw(VALUES)
        else:
            place.pop(name, None)
    return document


def as_xml(document) -> bytes:
    def told(value):
        if isinstance(value, list):
            return Items("ring", [told(each) for each in value])
        if isinstance(value, dict):
            return {name: told(each) for name, each in value.items()}
        return value

    root, inner = next(iter(document.items()), ("r", ""))
    return write_xml(root, told(inner))


DOCUMENTS = (
    VALUES.map(json.dumps).map(str.encode)
    | changed().map(json.dumps).map(str.encode)
    | changed().map(as_xml)
)


@st.composite
def mutilated(draw):
    """A document with some of its bytes gone, or others in their place."""
    body = draw(DOCUMENTS)
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=8)) + body[at + draw(st.integers(0, 8)) :]


BODIES = st.binary(max_size=64) | DOCUMENTS | mutilated()
TYPES = st.sampled_from(
    ["application/json"] * 4
    + ["application/x-www-form-urlencoded", "text/xml", "application/json;charset=utf-16", ""]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "If-Match": st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=8)
        | st.sampled_from(["*", '"0-00000000"', '"1-', 'W/"1"']),
        "Accept": st.sampled_from(["*/*", "application/json", "text/xml", "text/html", ";q="]),
    },
)
MEMBERS = {
    "name": ["me", "201", "nobody", "sales", "perm_1"],
    "id_text": ["1", "3", "x"],
    "schedule_id": ["1", "2", "x"],
    "group_id": ["1", "2"],
    "call_id": ["1" * 24],
    "token_id": ["1"],
    "orbit_id": ["1", "2", "x"],
    "server": ["1", "far.example.org"],
    "conference": ["standup", "other"],
    "conference_id": ["1", "2"],
    "path": ["general/parkTimeout", "general/other"],
    "number": ["203", "+4930", "%00"],
    "calling": ["201", "superadmin"],
}
KNOWN = {200, 201, 204, 400, 401, 403, 404, 405, 406, 409, 412, 415, 417, 422, 429, 745}
EXAMPLES = 12


@pytest.fixture
def errors():
    """Log events of level error and above; a client must not be able to cause one."""
    events = []

    def observe(event):
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def routes(house) -> list[tuple[str, str]]:
    """Method and path of everything that takes a body, with the names of what varies."""
    site = house.app.web_ports[0].factory.wrappedFactory
    rules = site.resource._app.url_map.iter_rules()
    found = {
        (how, rule.rule)
        for rule in rules
        if ".absent." not in rule.endpoint  # which read nothing
        for how in rule.methods & {"PUT", "POST", "PATCH"}
    }
    return sorted((how, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)) for how, path in found)


def stored(house) -> str:
    """Everything that the resources have stored."""
    app = house.app
    users = [house.user(name) for name in ("200", "201", "superadmin")]
    return repr(
        [(app.forwardings.of(user), app.forwardings.schedules_of(user)) for user in users]
        + [app.call_groups.all(), app.forwardings.every_schedule(), app.park_orbits.all()]
        + app.conferences.all()
    )


def check(answer: Answer, house, before: str) -> None:
    if answer.status == 500:  # as SOAP 1.1 wants it
        assert b"<faultcode>soapenv:Server.userException</faultcode>" in answer.body, answer
    else:
        assert answer.status in KNOWN, answer
    if answer.status >= 400:
        if not answer.headers["Content-Type"].startswith("text/xml"):  # sipXcom's documents
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json["status"] == answer.status
            assert answer.json["detail"].isprintable()
        assert stored(house) == before, answer


def try_route(house, how: str, path: str, examples: int) -> set[int]:
    connection = house.connection()
    seen = set()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(body=BODIES, content_type=TYPES, headers=HEADERS, data=st.data())
    def run(body, content_type, headers, data) -> None:
        def some(found: re.Match[str]) -> str:
            return data.draw(st.sampled_from(MEMBERS.get(found[1], ["200"])))

        where = re.sub(r"\{(\w+)\}", some, path)
        user = data.draw(st.sampled_from(["superadmin", "201"]))
        named = {"Content-Type": content_type} if content_type else {}
        named |= {**basic(user), **headers}
        before = stored(house)
        try:
            connection.request(how, where, body, named)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except http.client.HTTPException:
            connection.close()
            raise
        seen.add(answer.status)
        check(answer, house, before)

    run()
    connection.close()
    return seen


@ensure
async def test_no_body_is_a_defect_and_what_is_refused_is_not_stored(house, errors):
    await house.send("POST", "/v1/groups", GOOD[5], "superadmin")
    await house.send("POST", "/v1/users/me/schedules", GOOD[4], "201")
    await house.send("POST", "/sipxconfig/api/orbits", GOOD[11], "superadmin")
    await house.send("POST", "/v1/conferences", GOOD[12], "superadmin")
    found = routes(house)
    assert len(found) >= 18
    for how, path in found:
        seen = await deferToThread(try_route, house, how, path, EXAMPLES)
        assert seen - {401, 405}, (how, path)
    assert not errors
