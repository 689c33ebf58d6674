"""/user (4.2)."""

from __future__ import annotations

from typing import Any

import pytest_twisted
from manage import ADMIN, REST, compact, made, metadata, result, xml

ensure = pytest_twisted.ensureDeferred

BEN = """\
<user>
  <id>{id}</id>
  <lastName>Ortiz</lastName>
  <firstName>Ben</firstName>
  <userName>402</userName>
  <pin></pin>
  <sipPassword></sipPassword>
  <emailAddress>ben@example.org</emailAddress>
  <groups>
    <group><id>{group}</id><name>field-team</name><description>On the road</description></group>
  </groups>
  <branch><id>1</id><name>Harbour</name><description>Port office</description></branch>
  <aliases>
    <alias><alias>benjamin</alias></alias>
  </aliases>
</user>
"""


def ben(**changes: Any) -> dict[str, Any]:
    wanted = {
        "lastName": "Ortiz",
        "firstName": "Ben",
        "userName": "402",
        "pin": "",
        "sipPassword": "",
        "emailAddress": "ben@example.org",
        "groups": [],
        "aliases": [{"alias": "benjamin"}],
    }
    return {"user": wanted | changes}


async def team(house: Any) -> int:
    await made(house, "branch", {"branch": {"name": "Harbour", "description": "Port office"}})
    return await made(
        house, "user-group", {"group": {"name": "field-team", "description": "On the road"}}
    )


@ensure
async def test_a_user_is_made_and_read_in_both_forms(house) -> None:
    group = await team(house)
    document = BEN.format(id=777, group=group).replace("<pin></pin>", "<pin>pin-402</pin>")
    answer = await house.request("PUT", f"{REST}/user", ADMIN, document.encode())
    assert answer.status == 201, answer
    user = house.user("402")
    assert user.id != 777
    assert compact(answer) == result("SUCCESS_CREATED", "Created", f"<id>{user.id}</id>")
    assert (user.aliases, user.groups, user.branch) == (("benjamin",), ("field-team",), 1)
    read = await house.get(f"{REST}/user/{user.id}", ADMIN)
    assert compact(read) == xml(BEN.format(id=user.id, group=group))
    as_json = await house.get(f"{REST}/user/{user.id}", ADMIN, Accept="application/json")
    assert as_json.json == {
        "user": {
            "id": user.id,
            "lastName": "Ortiz",
            "firstName": "Ben",
            "userName": "402",
            "pin": "",
            "sipPassword": "",
            "emailAddress": "ben@example.org",
            "groups": [{"id": group, "name": "field-team", "description": "On the road"}],
            "branch": {"id": 1, "name": "Harbour", "description": "Port office"},
            "aliases": [{"alias": "benjamin"}],
        }
    }
    user = await house.app.accounts.authenticate("402", "pin-402", "127.0.0.1")
    assert user.name == "402"


@ensure
async def test_lists_in_json_may_have_the_name_of_their_items_around(house) -> None:
    aliases = {"alias": [{"alias": "a1"}, {"alias": "a2"}]}
    number = await made(house, "user", ben())
    for groups in ([{"id": 1}], {"group": [{"id": 1}]}, {"group": {"id": 1, "name": "whatever"}}):
        await house.send("PUT", f"{REST}/user/{number}", ben(), ADMIN)
        assert house.user("402").groups == ()
        body = ben(groups=groups, aliases=aliases)
        await house.send("PUT", f"{REST}/user/{number}", body, ADMIN)
        assert house.user("402").groups == ("sales",)
        assert house.user("402").aliases == ("a1", "a2")


@ensure
async def test_a_change_replaces_all_but_secrets_that_are_empty_or_absent(house) -> None:
    group = await team(house)
    number = await made(
        house,
        "user",
        ben(
            groups=[{"id": group}, {"id": 1}],
            branch={"id": 1},
            pin="first-pin",
            sipPassword="first-sip",
        ),
    )
    for body in (ben(lastName="Ortiz-Ek"), {"user": {"userName": "402"}}):
        answer = await house.send("PUT", f"{REST}/user/{number}", body, ADMIN)
        assert answer.status == 200, answer
        assert compact(answer) == result("SUCCESS_UPDATED", "Updated", f"<id>{number}</id>")
    user = house.user("402")
    assert (user.groups, user.branch, user.aliases) == ((), None, ())
    assert (user.last_name, user.email) == ("", "")
    assert house.app.accounts.sip_password(user) == "first-sip"
    assert (await house.app.accounts.authenticate("402", "first-pin", "127.0.0.1")).id == number
    read = await house.get(f"{REST}/user/{number}", ADMIN)
    assert b"emailAddress" not in read.body
    assert b"<groups/>" in read.body
    assert b"<aliases/>" in read.body


@ensure
async def test_a_new_name_takes_a_new_pin(house) -> None:
    number = await made(house, "user", ben(pin="first-pin"))
    refused = await house.send("PUT", f"{REST}/user/{number}", ben(userName="403"), ADMIN)
    assert refused.status == 409
    assert compact(refused) == result(
        "ERROR_UPDATE_FAILED",
        "Update failed",
        f"<id>{number}</id><additionalMessage>A new userName needs a new pin in the same request"
        "</additionalMessage>",
    )
    renamed = await house.send(
        "PUT", f"{REST}/user/{number}", ben(userName="403", pin="other-pin"), ADMIN
    )
    assert renamed.status == 200
    assert house.user("403").id == number


BROKEN = (
    ({"userName": ""}, "ERROR_VALIDATION_FAILED", "UserName: Cannot be empty"),
    ({"userName": "4 02"}, "ERROR_VALIDATION_FAILED", "must have 1 to 64 characters"),
    ({"pin": "123"}, "ERROR_VALIDATION_FAILED", "pin must have 4 to"),
    ({"emailAddress": "x"}, "ERROR_VALIDATION_FAILED", "ann@example.org"),
    ({"userName": 402}, "ERROR_VALIDATION_FAILED", "user.userName must be a string"),
    ({"groups": "sales"}, "ERROR_VALIDATION_FAILED", "user.groups must be an array"),
    ({"groups": [{}]}, "ERROR_VALIDATION_FAILED", "user.groups[0].id is missing"),
    ({"groups": [{"id": 99}]}, "FAILED", "no user group with the id 99"),
    ({"branch": {"id": 99}}, "FAILED", "no branch with the id 99"),
    ({"userName": "200"}, "FAILED", "already the name or alias of another user"),
    ({"aliases": [{"alias": "ben"}]}, "FAILED", "already the name or alias of another user"),
    ({"aliases": [{"alias": "5001"}]}, "FAILED", "the name or number of a conference"),
)


@ensure
async def test_what_breaks_a_rule_is_told_and_nothing_is_stored(house) -> None:
    conference = {"name": "standup", "extension": "5001"}
    await house.send("POST", "/v1/conferences", conference, ADMIN)
    number = await made(house, "user", ben(userName="411", aliases=[]))
    for changes, code, text in BROKEN:
        for path, operation in (("user", "CREATE"), (f"user/{number}", "UPDATE")):
            body = ben(**({"pin": "good-pin"} | changes))
            answer = await house.send("PUT", f"{REST}/{path}", body, ADMIN)
            assert 400 <= answer.status < 500, answer
            wanted = code if code.startswith("ERROR") else f"ERROR_{operation}_{code}"
            assert f"<code>{wanted}</code>".encode() in answer.body, answer
            assert text.encode() in answer.body, answer
    assert house.app.accounts.find("402") is None
    assert house.user("411").last_name == "Ortiz"


@ensure
async def test_the_list_has_everybody_but_superadmin(house) -> None:
    answer = await house.get(f"{REST}/user", ADMIN)
    entries = "".join(
        f"<user><id>{user.id}</id><lastName/><firstName/><userName>{user.name}</userName><pin/>"
        f"<sipPassword/>{groups}{aliases}</user>"
        for user, groups, aliases in (
            (
                house.user("200"),
                "<groups/>",
                "<aliases><alias><alias>ben</alias></alias></aliases>",
            ),
            (
                house.user("201"),
                "<groups><group><id>1</id><name>sales</name></group></groups>",
                "<aliases/>",
            ),
            (house.user("202"), "<groups/>", "<aliases/>"),
        )
    )
    assert compact(answer) == xml(f"<user>{metadata(3)}<users>{entries}</users></user>")


PARTS = (
    ("ids=3,2", ["201", "200"]),
    ("ids=1", ["superadmin"]),
    ("branch=1", ["202"]),
    ("branch=7", []),
    ("sortby=userName&sortdir=reverse", ["202", "201", "200"]),
    ("sortby=userName&sortdir=reverse&page=2&pagesize=2", ["200"]),
)


@ensure
async def test_lists_are_told_in_part(house) -> None:
    await made(house, "branch", {"branch": {"name": "Harbour"}})
    there = {"user": {"userName": "202", "branch": {"id": 1}}}
    await house.send("PUT", f"{REST}/user/{house.user('202').id}", there, ADMIN)
    for query, names in PARTS:
        answer = await house.get(f"{REST}/user?{query}", ADMIN, Accept="application/json")
        assert [user["userName"] for user in answer.json["user"]["users"]] == names


@ensure
async def test_filters_that_make_no_sense_are_told(house) -> None:
    for query, code, data in (
        ("ids=2,x", "ERROR_ID_INVALID", "<additionalMessage>x</additionalMessage>"),
        ("ids=", "ERROR_ID_INVALID", "<additionalMessage></additionalMessage>"),
        ("ids=2,99", "ERROR_OBJECT_NOT_FOUND", "<id>99</id>"),
        ("branch=x", "ERROR_ID_INVALID", "<additionalMessage>Branch:x</additionalMessage>"),
    ):
        answer = await house.get(f"{REST}/user?{query}", ADMIN)
        assert answer.status == 400
        assert f"<code>{code}</code>".encode() in answer.body
        assert data.encode() in answer.body


@ensure
async def test_a_deleted_user_is_gone_and_superadmin_stays(house) -> None:
    number = house.user("200").id
    answer = await house.request("DELETE", f"{REST}/user/{number}", ADMIN)
    assert answer.status == 200
    assert compact(answer) == result("SUCCESS_DELETED", "Deleted", f"<id>{number}</id>")
    assert house.app.accounts.find("200") is None
    admin = house.user(ADMIN).id
    kept = await house.request("DELETE", f"{REST}/user/{admin}", ADMIN)
    assert kept.status == 403
    assert b"<code>ERROR_DELETE_FAILED</code>" in kept.body
    renamed = await house.send("PUT", f"{REST}/user/{admin}", ben(pin="new-pin-1"), ADMIN)
    assert renamed.status == 403
    assert b"<code>ERROR_UPDATE_FAILED</code>" in renamed.body
    assert house.user(ADMIN).admin
