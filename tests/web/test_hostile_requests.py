"""What is somebody else's, ids that are none, and files that programs would run or cannot read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import pytest_twisted
from hostilekit import Attacker, request
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher

ensure = pytest_twisted.ensureDeferred
REST = "/sipxconfig/rest"
MY = f"{REST}/my"
API = "/sipxconfig/api"
V1 = "/v1/users"
ADMIN = "superadmin"
ENTRY = {"entry": {"first-name": "Ada", "last-name": "Park", "number": "77"}}
CARD = "BEGIN:VCARD\nVERSION:3.0\nN:Park;Ada;;;\nFN:Ada Park\nTEL:1\nEND:VCARD"
PERIOD = {"scheduledDay": -1, "start": {"hrs": 8, "min": 0}, "end": {"hrs": 9, "min": 0}}


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


async def belongings(house: Any) -> dict[str, Any]:
    """What the user 201 has; the ids by their names. The user 200 has a phonebook too."""
    for user in ("200", "201"):
        await house.send("POST", f"{MY}/phonebook/entry/0", ENTRY, user)
    found = await house.get(f"{MY}/phonebook", "201", Accept="application/json")
    hours = {"name": "Mine", "description": "", "periods": [PERIOD]}
    await house.send("POST", f"{MY}/callfwdsched", hours, "201")
    conference = {"name": "of201", "extension": "5001", "owner": "201"}
    await house.send("POST", "/v1/conferences", conference, ADMIN)
    token = await house.send("POST", f"{V1}/me/tokens", {"label": "CRM"}, "201")
    schedules = await house.get(f"{MY}/callfwdsched", "201")
    return {
        "entry": next(each["id"] for each in found.json["phonebook"] if each["number"] == "77"),
        "schedule": schedules.json[0]["scheduleId"],
        "token": token.json["id"],
        "user": house.user("201").id,
    }


FOREIGN = [
    ("PUT", f"{MY}/phonebook/entry/{{entry}}", ENTRY, 403),
    ("DELETE", f"{MY}/phonebook/entry/{{entry}}", None, 403),
    ("GET", f"{MY}/phonebook/entry/{{entry}}", None, 404),
    ("PUT", f"{MY}/phonebookentry/1", {"pb": {"vcard": CARD, "userName": "201"}}, 403),
    ("PUT", f"{MY}/phonebookentry/1", {"pb": {"vcard": CARD, "uid": "{entry}"}}, 403),
    ("DELETE", f"{MY}/phonebookentry/{{entry}}", None, 403),
    ("PUT", f"{MY}/callfwdsched/{{schedule}}", {"name": "x", "periods": [PERIOD]}, 404),
    ("DELETE", f"{MY}/callfwdsched/{{schedule}}", None, 404),
    ("GET", f"{MY}/conferences/of201", None, 403),
    ("PUT", f"{MY}/conferences/of201", {"setting": {"enabled": False}}, 403),
    ("GET", f"{MY}/conference/of201/lock", None, 403),
    ("DELETE", f"{V1}/me/tokens/{{token}}", None, 404),
    ("GET", f"{V1}/201/forwarding", None, 404),
    ("PUT", f"{V1}/201/forwarding", {"rings": [], "rules": []}, 404),
    ("POST", f"{V1}/201/forwarding/rehearsal", {}, 404),
    ("POST", f"{V1}/201/schedules", {"name": "x", "periods": []}, 404),
    ("DELETE", f"{V1}/201/schedules/{{schedule}}", None, 404),
    ("POST", f"{REST}/avatar/201", b"", 403),
    ("GET", f"{MY}/redirect/cdr/201", None, 401),
    ("GET", f"{REST}/user/{{user}}", None, 403),
    ("PUT", f"{REST}/user/{{user}}", {"user": {"userName": "201"}}, 403),
    ("DELETE", f"{REST}/user/{{user}}", None, 403),
    ("PUT", f"{REST}/user-permission/{{user}}", {"user": {"permissions": []}}, 403),
    ("GET", f"{REST}/phonebook", None, 403),
    ("GET", "/v1/phonebooks", None, 403),
    ("GET", "/v1/conferences", None, 403),
    ("DELETE", f"{API}/registrations/user/201", None, 403),
]


@ensure
async def test_what_is_somebody_elses_is_refused_and_stays(house: Any) -> None:
    ids = await belongings(house)
    attacker = Attacker(house)

    def attack() -> list[str]:
        before, wrong = attacker.stored(), []
        for how, path, body, status in FOREIGN:
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent = b"" if body is None else sent.replace(b"{entry}", str(ids["entry"]).encode())
            (answer,) = attacker.send(how, path.format(**ids), "200", [("application/json", sent)])
            if answer.status != status:
                wrong.append(f"{how} {path}: {answer.status} {answer.body!r}")
            if attacker.stored() != before:
                wrong.append(f"{how} {path}: something was stored")
                before = attacker.stored()
        return wrong

    wrong = await deferToThread(attack)
    attacker.close()
    assert not wrong, "\n".join(wrong)


ODD = (
    "%FF", "%C0%AF", "%00", "%0D%0AX:%20y", "..%2F..%2Fetc", "%F0%9F%98%80", "%D9%A1", "-1", "0",
    "1.0", "1e3", "+1", "%201", "99999999999999999999", "9223372036854775808", "null", "'%22%3B--",
    "a" * 300, "%EF%BF%BF", "%E2%80%AE", "%ED%A0%80", "%2F", "1%2F2", "1;x=y", "*",
)  # fmt: skip
"""In the place of an id or a name."""
NO_UTF8 = ("%FF", "%C0%AF", "%ED%A0%80")
KNOWN = {200, 201, 204, 302, 400, 401, 403, 404, 405, 406, 409, 410, 415, 417, 422, 501, 502, 745}


def routes(house: Any) -> list[tuple[str, str]]:
    """Method and path of everything whose path has a variable part."""
    site = house.app.web_ports[0].factory.wrappedFactory
    return sorted(
        (how, re.sub(r"<(?:\w+:)?\w+>", "{}", rule.rule))
        for rule in site.resource._app.url_map.iter_rules()
        if "<" in rule.rule and "password" not in rule.rule  # that of the one who asks
        for how in rule.methods & {"GET", "PUT", "POST", "DELETE"}
    )


@ensure
async def test_an_id_that_is_none_is_refused_and_leaves_no_traceback(
    house: Any, errors: list[Any]
) -> None:
    await belongings(house)
    attacker = Attacker(house)
    found = routes(house)
    assert len(found) > 100

    def attack() -> list[str]:
        wrong = []
        for how, path in found:
            places = [path.replace("{}", odd) for odd in ODD]
            answers = attacker.exchange([request(how, place, ADMIN) for place in places])
            for place, odd, answer in zip(places, ODD, answers, strict=True):
                known = {400} if odd in NO_UTF8 else KNOWN
                if answer.status not in known or b"Traceback" in answer.body:
                    wrong.append(f"{how} {place}: {answer.status} {answer.body!r}")
        return wrong

    wrong = await deferToThread(attack)
    attacker.close()
    assert not wrong, "\n".join(wrong)
    assert not errors


HEADER = "First Name,Last Name,Number,Job Title\n"
FILES = [
    ("text/csv", HEADER.encode() + b"=1+1,Park,77,x", "line 2, First Name"),
    ("text/csv", HEADER.encode() + b"Ada,\"@SUM(1)\",77,x", "line 2, Last Name"),
    ("text/csv", HEADER.encode() + b"Ada,Park,+cmd|' /C calc'!A0,x", "line 2, Number"),
    ("text/csv", HEADER.encode() + b"Ada,Park,77,-2+3+cmd|' /C calc'!A0", "line 2, Job Title"),
    ("text/csv", HEADER.encode() + b"Ada,Park,77,'\t=1", "line 2, Job Title"),
    ("text/csv", HEADER.encode() + b"Ada,Park,7\x007,x", None),
    ("text/csv", HEADER.encode() + b"Ada,Park,7\x077,x", "line 2, Number"),
    ("text/csv", HEADER.encode() + b"Ada,Park,\"7\n7\",x", "line 3, Number"),
    ("text/csv", HEADER.encode() + b"Ada,P\xe4rk,77,x", None),
    ("text/csv; charset=x-klingon", HEADER.encode() + b"Ada,Park,77,x", None),
    ("text/csv; charset=us-ascii", HEADER.encode() + "Ada,Pärk,77,x".encode(), None),
    ("text/csv", b"\xff\xfe" + HEADER.encode("utf-16-le") + b"\x41", None),
    ("text/csv", b"\xff\xfe\x00\xd8\x41\x00", None),
    ("text/csv", HEADER.encode() + b"Ada,Park,77", "line 2"),
    ("text/csv", HEADER.encode() + b"Ada,Park,77,x,y", "line 2"),
    ("text/csv", HEADER.encode() + b"Ada,Park,\"77,x\n", "line 2"),
    ("text/csv", HEADER.encode() + b"Ada,Park,\"7\"7,x\n", "line 2"),
    ("text/csv", HEADER.encode() + b",,77,x\n", "line 2, First Name"),
    ("text/csv", HEADER.encode() + b"Ada,Park,,x\n", "line 2, Number"),
    ("text/csv", HEADER.encode() + b"Ada,Park,77,%b\n" % (b"x" * 300), "line 2, Job Title"),
    ("text/csv", HEADER.encode() + b"Ada,Park,77,%b\n" % (b"x" * 200_000), "line 2"),
    ("text/csv", b"First Name,Last Name,Number,Salary\nAda,Park,77,1", "line 1"),
    ("text/csv", b"First Name,Last Name,Number,number\nAda,Park,77,1", "line 1"),
    ("text/csv", b"Ada,Park,77\n", "line 1"),
    ("text/csv", b"", None),
    ("text/csv", b"\xef\xbb\xbf", None),
    ("text/csv", HEADER.encode() + b"Ada,Park,77,x\n" * 10_001, None),
    ("text/x-vcard", CARD.replace("TEL:1", "TEL:1\x07").encode(), None),
    ("text/x-vcard", CARD.replace("END:VCARD", "").encode(), None),
    ("text/x-vcard", CARD.replace("3.0", "2.1").encode(), "line 6"),
    ("text/x-vcard", CARD.replace("TEL", "TEL;ENCODING=b").encode(), "line 5"),
    ("text/x-vcard", CARD.replace("TEL:1", "TEL" + ";X=a" * 2_000 + ":1").encode(), "line 5"),
    ("text/x-vcard", CARD.replace("TEL:1", "TEL:").encode(), "card 1, number"),
    ("text/x-vcard", b"BEGIN:VCARD\n" * 1000, "line 2"),
    ("text/x-vcard", CARD.encode("utf-16-be"), None),
]  # fmt: skip
"""Files of which something cannot be right; the place that the answer names."""


@ensure
async def test_a_file_that_cannot_be_right_is_refused_by_its_place(
    house: Any, errors: list[Any]
) -> None:
    book = await house.send("POST", "/v1/phonebooks", {"name": "partners"}, ADMIN)
    own = f"{MY}/phonebook"
    shared = f"/v1/phonebooks/{book.json['id']}/entries"
    attacker = Attacker(house)

    def attack() -> list[str]:
        wrong = []
        before = attacker.stored()
        for how, path, user in (("POST", own, "200"), ("PUT", shared, ADMIN)):
            answers = attacker.send(how, path, user, [(kind, body) for kind, body, _ in FILES])
            for (kind, body, field), answer in zip(FILES, answers, strict=True):
                if len(body) > 100_000 and path == shared and field is None:
                    continue  # there is room for more
                told = answer.json if answer.status == 400 else {"detail": "", "field": None}
                if not told["detail"].isprintable() or not told["detail"]:
                    wrong.append(f"{how} {path} {kind} {body[:90]!r}: {answer}")
                elif field is not None and told.get("field") != field:
                    wrong.append(f"{how} {path} {kind} {body[:90]!r}: {told}")
            if path == own and attacker.stored() != before:
                wrong.append(f"{how} {path}: something was stored")
        return wrong

    wrong = await deferToThread(attack)
    attacker.close()
    assert not wrong, "\n".join(wrong)
    assert not errors


@ensure
async def test_no_spreadsheet_runs_what_is_told_of_an_entry(house: Any) -> None:
    entry = {"first-name": "=1+1", "last-name": "@SUM(1)", "number": "+cmd|' /C calc'!A0"}
    for number in (entry["number"], "+49 (30) 1-2"):
        sent = {"entry": entry | {"number": number}}
        assert (await house.send("POST", f"{MY}/phonebook/entry/0", sent)).status == 200
    told = await house.get(f"{MY}/phonebook", Accept="text/plain")
    lines = [line for line in told.body.decode().splitlines() if "1+1" in line]
    starts = [line.split(",")[:3] for line in lines]
    harmless = ['"\'=1+1"', '"\'@SUM(1)"']
    assert sorted(starts) == sorted(
        [[*harmless, "\"'+cmd|' /C calc'!A0\""], [*harmless, '"+49 (30) 1-2"']]
    )
    # What is told is taken back as it was.
    await house.request("DELETE", f"{MY}/phonebook")
    file = "\n".join([told.body.decode().splitlines()[0], *lines]).encode()
    back = await house.request("POST", f"{MY}/phonebook", body=file, Content_Type="text/plain")
    assert back.status == 200, back
    again = await house.get(f"{MY}/phonebook", Accept="text/plain")
    assert sorted(again.body.splitlines()) == sorted(told.body.splitlines())
