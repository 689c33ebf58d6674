"""What is told of calls and log-ins, and calls of two parties, with phones that ring (5, 6)."""

from __future__ import annotations

import re

import pytest
import pytest_twisted
from lxml import etree
from phonekit import hang_up, talk, until
from twisted.internet import task
from webkit import Client

from sipxd.call.record import CallEvent, CallKind, CallRecord, CallState, CallUnit
from sipxd.store.calls import save_units
from sipxd.web.negotiate import AT_ONCE

ensure = pytest_twisted.ensureDeferred
REST = "/sipxconfig/rest"
REDIRECT = f"{REST}/my/redirect"
JSON = {"Accept": "application/json"}
NAMESPACE = "{http://www.sipfoundry.org/sipX/schema/xml/call-status-00-00}"


@ensure
async def test_a_call_under_way_is_told_to_both_of_its_users(house, phones):
    await talk(house, phones)
    for user, direction in (("200", "OUTGOING"), ("201", "INCOMING")):
        answer = await house.request("GET", f"{REST}/my/activecdrs", user)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml")
        cdrs = etree.fromstring(answer.body)
        assert cdrs.tag == "cdrs" and [cdr.tag for cdr in cdrs] == ["cdr"]
        told = {member.tag: member.text for member in cdrs[0]}
        assert list(told) == [
            "from", "from-aor", "to", "to-aor", "route", "direction", "recipient", "internal",
            "type", "start-time", "duration",
        ]  # fmt: skip
        assert (told["from"], told["from-aor"]) == ("200", "<sip:200@example.org>")
        assert (told["to"], told["to-aor"]) == ("201", "<sip:201@example.org>")
        assert (told["direction"], told["recipient"]) == (direction, "201")
        assert (told["internal"], told["type"], told["route"]) == ("true", "Unknown", "INT")
        assert int(told["start-time"]) > 1.7e12 and int(told["duration"]) >= 0
    (cdr,) = (await house.request("GET", f"{REST}/my/activecdrs", "200", **JSON)).json["cdrs"]
    assert cdr["internal"] is True and isinstance(cdr["start-time"], int)
    other = await house.request("GET", f"{REST}/my/activecdrs", "202")
    assert other.body == b"<cdrs/>\n"
    none = await house.request("GET", f"{REST}/my/activecdrs", "202", **JSON)
    assert none.json == {"cdrs": []}
    await hang_up(house, phones)


@ensure
async def test_an_administrator_sees_the_calls_under_way_of_any_user(house, phones):
    await talk(house, phones)
    seen = await house.request("GET", f"{REST}/activecdrs/201", "superadmin", **JSON)
    assert [cdr["direction"] for cdr in seen.json["cdrs"]] == ["INCOMING"]
    assert (await house.request("GET", f"{REST}/activecdrs/201", "200")).status == 403
    for unknown in ("ben", "999"):
        answer = await house.request("GET", f"{REST}/activecdrs/{unknown}", "superadmin")
        assert answer.status == 404
    await hang_up(house, phones)


@ensure
async def test_ended_calls_are_rows_of_the_log(house, phones):
    await talk(house, phones)
    await hang_up(house, phones)
    answer = await house.request("GET", f"{REDIRECT}/cdr/201", "201")
    declaration = b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
    assert answer.status == 200 and answer.body.startswith(declaration)
    (row,) = etree.fromstring(answer.body)
    told = {member.tag: member.text for member in row}
    assert list(told) == [
        "caller_aor", "callee_aor", "callee_contact", "start_time", "duration", "termination",
        "callee_route",
    ]  # fmt: skip
    assert (told["caller_aor"], told["callee_aor"]) == (
        "<sip:200@example.org>",
        "<sip:201@example.org>",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", told["start_time"])
    assert re.fullmatch(
        r"0 years 0 mons 0 days 0 hours 0 mins \d+(\.\d{1,3})? secs", told["duration"]
    )
    assert (told["callee_contact"], told["termination"], told["callee_route"]) == (
        "null",
        "C",
        "INT",
    )
    for query, rows in (("?offset=1", 0), ("?limit=0", 0), ("?fromdate=20200101", 1),
                        ("?fromdate=20990101", 0)):  # fmt: skip
        body = (await house.request("GET", f"{REDIRECT}/cdr/201{query}", "201")).body
        assert len(etree.fromstring(body)) == rows


@ensure
async def test_calls_are_attended_to_while_a_long_log_is_told(house):
    units = [
        CallUnit(
            CallEvent("call.ended", f"c{number}", "200", 1e9),
            CallRecord(f"c{number}", CallKind.CLICK, "200", "203", CallState.ENDED, 1e9 + number,
                       ended=1e9 + number),
        )
        for number in range(3 * AT_ONCE + 1)
    ]  # fmt: skip
    await house.app.store.write("calls", lambda connection: save_units(connection, units))
    turns: list[int] = []
    looking = task.LoopingCall(lambda: turns.append(told[0]))
    told, cdr = [0], house.app.call_log.cdr

    def counted(record):
        told[0] += 1
        return cdr(record)

    house.app.call_log.cdr = counted
    looking.start(0)
    body = (await house.request("GET", f"{REDIRECT}/cdr/200", "200")).body
    looking.stop()
    assert len(etree.fromstring(body)) == len(units)
    assert {AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE} <= set(turns)


@pytest.mark.parametrize(
    "query", ["fromdate=2020", "fromdate=20201301", "limit=-1", "limit=x", "offset=1&offset=2"]
)
@ensure
async def test_a_log_that_cannot_be_asked_for_so_is_400(house, query):
    answer = await house.request("GET", f"{REDIRECT}/cdr/201?{query}", "201")
    assert answer.status == 400 and answer.json["field"] == query.partition("=")[0]


@ensure
async def test_the_log_and_the_call_controller_are_for_the_user_himself(house):
    for method, path in (
        ("GET", "cdr/201"),
        ("GET", "callcontroller/201/200"),
        ("POST", "callcontroller/201/200"),
        ("POST", "callcontroller/200/201?agent=201"),
    ):
        assert (await house.request(method, f"{REDIRECT}/{path}", "200")).status == 401
        assert (await house.request(method, f"{REDIRECT}/{path}", "superadmin")).status == 401


@ensure
async def test_log_in_details_have_the_password_of_the_phones(house):
    answer = await house.request("GET", f"{REST}/my/logindetails", "200")
    assert answer.body == (
        b"<login-details>\n  <userName>200</userName>\n  <imId></imId>\n"
        b"  <ldapImAuth>false</ldapImAuth>\n  <sipPassword>secret-200</sipPassword>\n"
        b"</login-details>\n"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    plain = await house.request("GET", f"{REST}/my/logindetails", "200", **JSON)
    assert plain.json == {
        "login-details": {
            "userName": "200",
            "imId": "",
            "ldapImAuth": False,
            "sipPassword": "secret-200",
        }
    }


@ensure
async def test_time_and_keepalive(house):
    time = await house.request("GET", f"{REST}/my/time", "200")
    assert time.headers["Content-Type"].startswith("text/plain")
    assert re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d [AP]M", time.body.decode())
    alive = await house.request("GET", f"{REST}/my/keepalive", "200")
    assert (alive.status, alive.body) == (200, b"")
    assert (await house.request("GET", f"{REST}/my/keepalive", None)).status == 401


@pytest.mark.parametrize(
    "path",
    ["my/activecdrs", "activecdrs/200", "my/logindetails", "my/time", "my/keepalive",
     "my/redirect/cdr/200"],
)  # fmt: skip
@ensure
async def test_what_is_only_read_knows_no_other_method(house, path):
    for method in ("PUT", "POST", "DELETE"):
        assert (await house.request(method, f"{REST}/{path}", "superadmin", b" ")).status == 405


@ensure
async def test_a_call_of_two_parties_tells_how_it_goes(house, phones):
    path = f"{REDIRECT}/callcontroller/200/201"
    unknown = await house.request("GET", path, "200")
    assert (unknown.status, unknown.body) == (200, b"")
    asked = await house.request("POST", path, "200")
    assert (asked.status, asked.body) == (200, b"")

    def lines(document: bytes) -> list[tuple[str, str]]:
        root = etree.fromstring(document)
        assert root.tag == f"{NAMESPACE}status-lines"
        for status in root:
            names = [member.tag.removeprefix(NAMESPACE) for member in status]
            assert names == ["timestamp", "call-id", "method", "status-line"]
        return [(status[2].text, status[3].text) for status in root]

    await until(lambda: phones["201"].calls and phones["201"].calls[-1].up)
    await until(lambda: next(iter(house.app.table.calls.values())).committed.bridged)
    told = lines((await house.request("GET", path, "200")).body)
    assert told[0] == ("INVITE", "SIP/2.0 100 Trying")
    assert told[-1] == ("NOTIFY", "SIP/2.0 200 OK")
    assert ("INVITE", "SIP/2.0 200 OK") in told
    again = await house.request("POST", f"{path}?sipMethod=invite", "200")
    assert again.status == 406
    error = etree.fromstring(again.body)
    assert [member.tag.removeprefix(NAMESPACE) for member in error] == [
        "error-flag",
        "error-code",
        "error-text",
    ]
    assert (error[0].text, error[1].text) == ("ERROR", "403")
    await hang_up(house, phones)
    assert lines((await house.request("GET", path, "200")).body) == told


@ensure
async def test_dialogs_are_told_in_invite_mode(house, phones):
    path = f"{REDIRECT}/callcontroller/200/201?sipMethod=INVITE"
    assert (await house.request("POST", path, "200")).status == 200
    await until(lambda: phones["201"].calls and phones["201"].calls[-1].up)
    root = etree.fromstring((await house.request("GET", path, "200")).body)
    assert root.tag == f"{NAMESPACE}dialogs"
    assert [member.tag.removeprefix(NAMESPACE) for member in root[0]] == [
        "dialog-id",
        "local-party",
        "remote-party",
        "dialog-state",
    ]
    await hang_up(house, phones)


@ensure
async def test_the_old_port_has_the_call_controller_and_the_log_alone(house, phones):
    old = Client(house.app.web_ports[1].getHost().port, house.pem)
    assert (await old.request("POST", "/callcontroller/200/201", "200")).status == 200
    await until(lambda: phones["201"].calls and phones["201"].calls[-1].up)
    course = await old.request("GET", "/callcontroller/200/201", "200")
    assert b"<status-line>SIP/2.0 200 OK</status-line>" in course.body
    await hang_up(house, phones)
    log = await old.request("GET", "/cdr/200", "200")
    assert log.body.count(b"<Row>") == 1
    assert (await old.request("GET", "/cdr/200", None)).status == 401
    for path in ("/sipxconfig/rest/my/forward", "/v1/calls", "/healthz", "/"):
        assert (await old.request("GET", path, "200")).status == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("sipMethod=options", 406),
        ("action=dance", 400),
        ("action=transfer", 400),
        ("action=transfer&target=202", 406),
        ("timeout=-1", 400),
        ("timeout=soon", 400),
        ("timeout=99999999", 400),
        ("resultCacheTime=-1", 400),
        ("confpin=abc", 400),
        ("subject=a%0d%0ab", 400),
    ],
)
@ensure
async def test_what_the_call_controller_cannot_do_is_refused(house, phones, query, status):
    path = f"{REDIRECT}/callcontroller/200/201?{query}"
    assert (await house.request("POST", path, "200")).status == status
    assert not house.app.table.calls


@ensure
async def test_numbers_that_are_none_and_methods_that_are_not_known(house, phones):
    bad = f"{REDIRECT}/callcontroller/200/%00"
    assert (await house.request("POST", bad, "200")).status == 400
    assert (await house.request("GET", bad, "200")).status == 400
    nobody = f"{REDIRECT}/callcontroller/200/999999"
    assert (await house.request("POST", nobody, "200")).status == 404
    for method in ("PUT", "DELETE"):
        answer = await house.request(method, f"{REDIRECT}/callcontroller/200/201", "200", b" ")
        assert answer.status == 405
    assert (await house.request("GET", f"{REDIRECT}/elsewhere/200", "200")).status == 404
