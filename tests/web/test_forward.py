"""/my/forward: the call sequence as sipXcom's clients know it, in XML and JSON (contract 3.2)."""

from __future__ import annotations

import json

import attrs
import pytest
import pytest_twisted
from twisted.internet import defer

from sipxd.directory.forwarding import Rule

ensure = pytest_twisted.ensureDeferred
PATH = "/sipxconfig/rest/my/forward"
FORM = "application/x-www-form-urlencoded"
"""What curl calls a body of which it is not told anything else."""

EXAMPLE = b"""\
<call-sequence>
  <rings>
    <ring>
      <expiration>18</expiration>
      <type>If no response</type>
      <enabled>true</enabled>
      <number>402</number>
    </ring>
    <ring>
      <expiration>24</expiration>
      <type>At the same time</type>
      <enabled>false</enabled>
      <number>+15550100</number>
    </ring>
  </rings>
  <expiration>20</expiration>
  <withVoicemail>true</withVoicemail>
</call-sequence>
"""
PLAIN = {
    "call-sequence": {
        "rings": [
            {"expiration": 18, "type": "If no response", "enabled": True, "number": "402"},
            {
                "expiration": 24,
                "type": "At the same time",
                "enabled": False,
                "number": "+15550100",
            },
        ],
        "expiration": 20,
        "withVoicemail": True,
    }
}


def put(house, body, user="200", content_type=FORM, **headers):
    return house.request("PUT", PATH, user, body, Content_Type=content_type, **headers)


def rings(*inner: str) -> bytes:
    items = "".join(f"<ring>{each}</ring>" for each in inner)
    return f"<call-sequence><rings>{items}</rings></call-sequence>".encode()


@ensure
async def test_a_new_user_has_no_rings_and_the_configured_time(house):
    answer = await house.get(PATH)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml")
    assert answer.body == (
        b"<call-sequence>\n  <rings/>\n  <expiration>20</expiration>\n"
        b"  <withVoicemail>true</withVoicemail>\n</call-sequence>\n"
    )
    told = await house.get(PATH, "201", Accept="application/json")
    assert told.headers["Content-Type"] == "application/json"
    assert told.json == {"call-sequence": {"rings": [], "expiration": 20, "withVoicemail": False}}


@ensure
async def test_the_example_is_taken_from_curl_and_told_again_byte_for_byte(house):
    answer = await put(house, EXAMPLE)
    assert (answer.status, answer.body) == (200, b"")
    assert (await house.get(PATH)).body == EXAMPLE
    assert (await house.get(PATH, Accept="application/json")).json == PLAIN


@ensure
async def test_the_example_in_json_is_the_same(house):
    for name, accept in (("application/json", "text/xml"), (FORM, "text/html"), ("text/xml", "*")):
        body = json.dumps(PLAIN).encode()
        answer = await put(house, body, content_type=name, Accept=accept)
        assert (answer.status, answer.body) == (200, b"")
        assert (await house.get(PATH)).body == EXAMPLE
        assert (await put(house, rings())).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0" encoding="UTF-8"?>\r\n' + EXAMPLE,
        b"\xef\xbb\xbf" + EXAMPLE,
        EXAMPLE.decode().encode("utf-16"),
        EXAMPLE.replace(b"call-sequence", b"callsequence"),
        EXAMPLE.replace(b"<ring>", b"<ring><position>7</position><a><b/></a>"),
        EXAMPLE.replace(b"<rings>", b"<rings><!-- c --><?p i?>").replace(b"18", b"\n 18\t"),
        EXAMPLE.replace(b"<expiration>20</expiration>", b""),
        EXAMPLE.replace(b"  <withVoicemail>true</withVoicemail>\n", b""),
        EXAMPLE.replace(b"<withVoicemail>true", b"<withVoicemail>maybe"),
        EXAMPLE.replace(b"true", b"True").replace(b"false", b"FALSE"),
        EXAMPLE.replace(b"<ring>", b'<x:ring xmlns:x="urn:x" y="1">').replace(
            b"</ring>", b"</x:ring>"
        ),
        b"<call-sequence><expiration>20</expiration><rings><ring><number>402</number>"
        b"<enabled>true</enabled><type>If no response</type><expiration>18</expiration></ring>"
        b"<ring><enabled>false</enabled><expiration>24</expiration><number>+15550100</number>"
        b"<type>At the same time</type></ring></rings></call-sequence>",
        json.dumps(PLAIN["call-sequence"]).encode(),
        json.dumps({"callsequence": PLAIN["call-sequence"]}).encode(),
        json.dumps(
            {
                "call-sequence": {
                    "expiration": None,
                    "rings": {"ring": PLAIN["call-sequence"]["rings"]},
                    "more": [1, {}],
                }
            }
        ).encode(),
    ],
)
@ensure
async def test_other_ways_to_write_the_same_are_taken(house, body):
    assert (await put(house, body)).status == 200
    assert (await house.get(PATH)).body == EXAMPLE


@ensure
async def test_what_is_left_out_has_its_default_and_the_timer_stays(house):
    await put(house, EXAMPLE.replace(b"<expiration>20", b"<expiration>999"))
    assert (await put(house, rings("", "<number>203</number>"))).status == 200
    told = (await house.get(PATH, Accept="application/json")).json["call-sequence"]
    ring = {"expiration": 30, "type": "If no response", "enabled": True}
    assert told["rings"] == [ring | {"number": ""}, ring | {"number": "203"}]
    assert told["expiration"] == 999


@pytest.mark.parametrize("number", ["ben", "*97", "+1 (555) 01.00", "201@EXAMPLE.org", "0#1", ""])
@ensure
async def test_a_number_may_be_anything_that_can_be_dialled(house, number):
    answer = await put(
        house, json.dumps({"rings": [{"number": number, "enabled": False}]}).encode()
    )
    assert answer.status == 200, answer
    told = (await house.get(PATH, Accept="application/json")).json["call-sequence"]
    assert told["rings"][0]["number"] == number


@ensure
async def test_a_put_replaces_rings_and_timer_and_leaves_the_rest(house):
    user = house.user("201")
    rule = Rule(number="203")

    def make(old):
        return attrs.evolve(old, rules=(rule,), do_not_disturb=True, time_zone="Europe/Berlin")

    await house.app.forwardings.change(user, make)
    with_schedule = {"rings": [{"number": "202", "scheduleId": house.office_hours}]}
    await house.send("PUT", "/sipxconfig/rest/my/callfwd", with_schedule, "201")
    assert house.app.forwardings.of(user).rings[0].schedule == house.office_hours
    assert (await put(house, rings("<number>202</number>"), "201")).status == 200
    stored = house.app.forwardings.of(user)
    assert [ring.schedule for ring in stored.rings] == [None]
    assert (stored.rules, stored.do_not_disturb, stored.time_zone) == (
        (rule,), True, "Europe/Berlin",
    )  # fmt: skip


@ensure
async def test_a_thousand_rings_are_stored_and_told(house):
    ring = "<expiration>999</expiration><number>203</number><enabled>false</enabled>"
    assert (await put(house, rings(*[ring] * 1000))).status == 200
    assert (await house.get(PATH)).body.count(b"<ring>") == 1000


def xml(ring: str) -> bytes:
    return rings("<number>203</number>", ring)


def plain(ring: dict, **more: object) -> bytes:
    return json.dumps({"call-sequence": {"rings": [{"number": "203"}, ring], **more}}).encode()


AT = "/call-sequence/rings/ring[2]/"
IN = "call-sequence.rings[1]."
LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%b">' % (c, b"&%c;" % (c - 1) * 10) for c in range(98, 107))
    + b"]>"
)
BAD = [
    (xml("<expiration>0</expiration>"), 400, AT + "expiration"),
    (xml("<expiration>1000</expiration>"), 400, AT + "expiration"),
    (xml("<expiration>-1</expiration>"), 400, AT + "expiration"),
    (xml("<expiration>1e2</expiration>"), 400, AT + "expiration"),
    (xml("<expiration>&#x662;</expiration>"), 400, AT + "expiration"),
    (xml("<expiration/>"), 400, AT + "expiration"),
    (xml("<expiration><n>5</n></expiration>"), 400, AT + "expiration"),
    (xml("<expiration>5</expiration><expiration>6</expiration>"), 400, AT + "expiration"),
    (xml("<type>if no response</type>"), 400, AT + "type"),
    (xml("<type>Sometimes</type>"), 400, AT + "type"),
    (xml("<enabled>yes</enabled>"), 400, AT + "enabled"),
    (xml("<number>zw&#246;lf</number>"), 400, AT + "number"),
    (xml("<number>203;transport=tcp</number>"), 400, AT + "number"),
    (xml("<number>sip:203@example.org</number>"), 400, AT + "number"),
    (xml("<number>203@nohost</number>"), 400, AT + "number"),
    (xml("<number>2&#10;0</number>"), 400, AT + "number"),
    (xml("<number>2&#xFFFF;</number>"), 400, None),
    (xml(f"<number>{'5' * 33}</number>"), 400, AT + "number"),
    (xml(f"<number>{'5' * 256}</number>"), 400, AT + "number"),
    (xml("<number>110</number>"), 403, AT + "number"),
    (xml("<number>+4930123</number>"), 403, AT + "number"),
    (xml("<number>ann@elsewhere.net</number>"), 403, AT + "number"),
    (xml("<number>200</number>"), 400, AT + "number"),
    (xml("words"), 400, AT[:-1]),
    (rings().replace(b"/rings>", b"/rings><expiration>0</expiration>"), 400,
     "/call-sequence/expiration"),
    (rings().replace(b"/rings>", b"/rings><expiration>1000</expiration>"), 400,
     "/call-sequence/expiration"),
    (rings(*[""] * 1001), 400, "/call-sequence/rings"),
    (b"<call-sequence><rings>203</rings></call-sequence>", 400, "/call-sequence/rings"),
    (b"<call-sequence><rings><Ring/></rings></call-sequence>", 400, "/call-sequence/rings"),
    (b"<call-sequence><rings/><rings/></call-sequence>", 400, "/call-sequence/rings"),
    (b"<call-sequence/>", 400, "/call-sequence/rings"),
    (b"<call-sequence>203</call-sequence>", 400, "/call-sequence"),
    (b'<!DOCTYPE call-sequence SYSTEM "http://127.0.0.1/x.dtd">' + EXAMPLE, 400, None),
    (b"<!DOCTYPE call-sequence>" + EXAMPLE, 400, None),
    (LAUGHS + EXAMPLE.replace(b"402", b"&j;"), 400, None),
    (b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + EXAMPLE.replace(b"402", b"&x;"),
     400, None),
    (EXAMPLE.replace(b"402", b"&nbsp;"), 400, None),
    (EXAMPLE.replace(b"402", b"40\xe9"), 400, None),
    (b'<?xml version="1.0" encoding="x-none"?>' + EXAMPLE, 400, None),
    (EXAMPLE[:-3], 400, None),
    (EXAMPLE + EXAMPLE, 400, None),
    (b"<a>" * 33 + b"</a>" * 33, 400, None),
    (b"<a>" * 100_000, 400, None),
    (b"expiration=20", 400, None),
    (b"\0" * 99, 400, None),
    (b"", 400, None),
    (b" ", 400, None),
    (plain({"expiration": 0}), 400, IN + "expiration"),
    (plain({"expiration": 1000}), 400, IN + "expiration"),
    (plain({"expiration": "18"}), 400, IN + "expiration"),
    (plain({"expiration": 18.0}), 400, IN + "expiration"),
    (plain({"expiration": True}), 400, IN + "expiration"),
    (plain({"expiration": 10**30}), 400, IN + "expiration"),
    (plain({"type": "if-no-response"}), 400, IN + "type"),
    (plain({"type": 1}), 400, IN + "type"),
    (plain({"enabled": "true"}), 400, IN + "enabled"),
    (plain({"enabled": 1}), 400, IN + "enabled"),
    (plain({"number": 402}), 400, IN + "number"),
    (plain({"number": ["402"]}), 400, IN + "number"),
    (plain({"number": "4\0"}), 400, IN + "number"),
    (plain({"number": "+4930123"}), 403, IN + "number"),
    (plain([]), 400, IN[:-1]),
    (plain({}, expiration=0), 400, "call-sequence.expiration"),
    (plain({}, expiration="20"), 400, "call-sequence.expiration"),
    (b'{"call-sequence":{"rings":[{"number":"1","number":"2"}]}}', 400,
     "call-sequence.rings[0].number"),
    (b'{"call-sequence":{"rings":[],"rings":[]}}', 400, "call-sequence.rings"),
    (b'{"call-sequence":{"rings":"203"}}', 400, "call-sequence.rings"),
    (b'{"call-sequence":{"rings":null}}', 400, "call-sequence.rings"),
    (b'{"call-sequence":{"rings":[' + b"{}," * 1000 + b"{}]}}", 400, "call-sequence.rings"),
    (b'{"call-sequence":[]}', 400, "call-sequence"),
    (b'{"call-sequence":null}', 400, "call-sequence"),
    (b"{}", 400, "rings"),
    (b"[]", 400, None),
    (b"{", 400, None),
    (b'{"call-sequence":{"rings":[{"number":"\xe9"}]}}', 400, None),
    (json.dumps(PLAIN).encode("utf-16"), 400, None),
    (b"[" * 100_000, 400, None),
    (b'{"x":' * 33 + b"1" + b"}" * 33, 400, None),
    (b'{"x":[' + b"1," * 60_000 + b"1]}", 400, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_stored(house, body, status, field):
    await put(house, EXAMPLE)
    before = await house.get(PATH)
    answer = await put(house, body)
    assert (answer.status, answer.field) == (status, field), answer
    if field:
        assert field in answer.json["detail"]
    after = await house.get(PATH)
    assert (after.body, after.headers["ETag"]) == (before.body, before.headers["ETag"])


@ensure
async def test_a_body_of_5_megabytes_is_refused(house):
    answer = await put(house, b"<call-sequence>" + b" " * 5_000_000)
    assert answer.status == 413
    assert answer.field is None


@pytest.mark.parametrize("name", ["application/json", "application/json; charset=latin-1"])
@ensure
async def test_what_is_called_json_must_be_that(house, name):
    for body in (EXAMPLE, b'{"rings":[{"number":"\xfc"}]}'):
        answer = await put(house, body, content_type=name)
        assert (answer.status, answer.field) == (400, None)


@ensure
async def test_the_tag_changes_with_the_content_and_spares_what_is_known(house):
    first = await house.get(PATH)
    same = await house.get(PATH, If_None_Match=first.headers["ETag"])
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    json_too = await house.get(PATH, Accept="application/json", If_None_Match=first.headers["ETag"])
    assert json_too.status == 200
    assert {first.headers["Vary"], json_too.headers["Vary"]} == {"Accept"}
    put_tag = (await put(house, EXAMPLE)).headers["ETag"]
    second = await house.get(PATH, If_None_Match=f'"x", {first.headers["ETag"]}')
    assert (second.status, second.headers["ETag"]) == (200, put_tag)
    weak = await house.get(PATH, If_None_Match=f'W/"a", W/{put_tag}')
    assert weak.status == 304
    assert (await house.get(PATH, If_None_Match="*")).status == 304
    await put(house, EXAMPLE)
    assert (await house.get(PATH)).headers["ETag"] == put_tag  # nothing has changed


@ensure
async def test_who_has_read_an_older_version_is_refused(house):
    old = (await house.get(PATH)).headers["ETag"]
    other_form = (await house.get(PATH, Accept="application/json")).headers["ETag"]
    assert (await put(house, EXAMPLE, If_Match=other_form)).status == 200
    answer = await put(house, rings(), If_Match=old)
    assert (answer.status, answer.json["type"]) == (412, "urn:sipxd:problem:precondition-failed")
    assert (await house.get(PATH)).body == EXAMPLE
    new = (await house.get(PATH)).headers["ETag"]
    for tags in (f"W/{new}", '"x"', '"1"', '"999999999999999999999-00000000"'):
        assert (await put(house, rings(), If_Match=tags)).status == 412
    for tags in ("x", '"', "", f"{new} {new}", "*, *"):
        assert (await put(house, rings(), If_Match=tags)).status == 400
    assert (await house.get(PATH)).body == EXAMPLE
    for tags in ("*", f"{old}, {new}"):
        assert (await put(house, EXAMPLE, If_Match=tags)).status == 200


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@ensure
async def test_of_two_writers_at_once_who_have_read_the_same_one_wins(house, order):
    bodies = [EXAMPLE, plain({"number": "204"})]
    for _ in range(5):
        await put(house, rings())
        tag = (await house.get(PATH)).headers["ETag"]
        writing = [put(house, bodies[which], If_Match=tag) for which in order]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert sorted(answer.status for answer in answers) == [200, 412]
        winner = order[[answer.status for answer in answers].index(200)]
        told = await house.get(PATH)
        assert (told.body == EXAMPLE) == (winner == 0)
        assert told.headers["ETag"] == answers[order.index(winner)].headers["ETag"]


@ensure
async def test_of_two_writers_at_once_without_a_condition_the_last_one_is_stored_whole(house):
    for number in ("204", "205", "206"):
        other = plain({"number": number})
        writing = [put(house, body) for body in (EXAMPLE, other) * 3]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert {answer.status for answer in answers} == {200}
        told = (await house.get(PATH, Accept="application/json")).json["call-sequence"]
        assert [ring["number"] for ring in told["rings"]] in (
            ["402", "+15550100"], ["203", number],
        )  # fmt: skip


@ensure
async def test_a_circle_is_refused_with_the_way_that_it_would_go(house):
    assert (await put(house, rings("<number>201</number>"))).status == 200
    answer = await put(house, rings("<number>202</number>", "<number>ben</number>"), "201")
    assert (answer.status, answer.field) == (400, AT + "number")
    assert "circle" in answer.json["detail"]
    assert b"<rings/>" in (await house.get(PATH, "201")).body


@ensure
async def test_only_get_and_put_are_there_and_a_slash_at_the_end_does_no_harm(house):
    for method in ("POST", "DELETE", "PATCH"):
        answer = await house.request(method, PATH, body=EXAMPLE)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")
    options = await house.request("OPTIONS", PATH, None)
    assert (options.status, options.body) == (200, b"")
    assert (await house.request("PUT", PATH + "/", body=EXAMPLE)).status == 200
    assert (await house.get(PATH + "/")).body == EXAMPLE
    head = await house.request("HEAD", PATH)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(EXAMPLE))
    assert (await house.get(PATH, Accept="text/html")).status == 406


@ensure
async def test_nobody_else_gets_in(house):
    for user in (None, "nobody"):
        for method in ("GET", "PUT"):
            answer = await house.request(method, PATH, user, EXAMPLE)
            assert (answer.status, answer.field) == (401, None)
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    await put(house, EXAMPLE, "superadmin")
    assert b"<rings/>" in (await house.get(PATH)).body  # it is superadmin's own
