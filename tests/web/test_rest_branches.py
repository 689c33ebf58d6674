"""/branch and /user-group (4.5, 4.6), and the pages and orders of lists (4.1)."""

from __future__ import annotations

from typing import Any

import pytest_twisted
from manage import ADMIN, REST, compact, made, metadata, result, xml

ensure = pytest_twisted.ensureDeferred

HARBOUR = """\
<branch>
  <id>1</id>
  <name>Harbour</name>
  <description>Port office</description>
  <address>
    <id>1</id>
    <street>4 Quay Road</street>
    <city>Harbourton</city>
    <country>Example</country>
    <state>EX</state>
    <zip>00042</zip>
    <officeDesignation>Pier</officeDesignation>
  </address>
  <phoneNumber>+15550177</phoneNumber>
  <faxNumber>+15550178</faxNumber>
</branch>
"""
HARBOUR_JSON = {
    "id": 1,
    "name": "Harbour",
    "description": "Port office",
    "address": {
        "id": 1,
        "street": "4 Quay Road",
        "city": "Harbourton",
        "country": "Example",
        "state": "EX",
        "zip": "00042",
        "officeDesignation": "Pier",
    },
    "phoneNumber": "+15550177",
    "faxNumber": "+15550178",
}
FIELD_TEAM = """\
<group>
  <id>{id}</id>
  <name>field-team</name>
  <description>On the road</description>
  <branch><id>1</id><name>Harbour</name><address><id>1</id></address></branch>
</group>
"""


@ensure
async def test_a_branch_is_made_read_changed_and_deleted_in_xml(house) -> None:
    created = await house.request("PUT", f"{REST}/branch", ADMIN, HARBOUR.encode())
    assert created.status == 201
    assert compact(created) == result("SUCCESS_CREATED", "Created", "<id>1</id>")
    assert compact(await house.get(f"{REST}/branch/1", ADMIN)) == xml(HARBOUR)
    moved = HARBOUR.replace("4 Quay Road", "5 Quay Road").replace("<faxNumber>+15550178", "<x>")
    moved = moved.replace("</faxNumber>", "</x>")
    updated = await house.request("PUT", f"{REST}/branch/1/", ADMIN, moved.encode())
    assert updated.status == 200
    assert compact(updated) == result("SUCCESS_UPDATED", "Updated", "<id>1</id>")
    read = compact(await house.get(f"{REST}/branch/1", ADMIN))
    assert b"<street>5 Quay Road</street>" in read
    assert b"faxNumber" not in read
    deleted = await house.request("DELETE", f"{REST}/branch/1", ADMIN)
    assert deleted.status == 200
    assert compact(deleted) == result("SUCCESS_DELETED", "Deleted", "<id>1</id>")
    listed = await house.get(f"{REST}/branch", ADMIN)
    assert compact(listed) == xml(f"<branch>{metadata(0)}<branches></branches></branch>")


@ensure
async def test_a_branch_is_made_and_read_in_json(house) -> None:
    created = await house.send("PUT", f"{REST}/branch", {"branch": HARBOUR_JSON}, ADMIN)
    assert created.status == 201
    read = await house.get(f"{REST}/branch/1", ADMIN, Accept="application/json")
    assert read.json == {"branch": HARBOUR_JSON}
    assert list(read.json["branch"]) == list(HARBOUR_JSON)
    listed = await house.get(f"{REST}/branch", ADMIN, Accept="application/json")
    assert listed.json["branch"]["branches"] == [HARBOUR_JSON]


@ensure
async def test_a_branch_may_be_without_an_address(house) -> None:
    await made(house, "branch", {"branch": {"name": "Nowhere"}})
    read = await house.get(f"{REST}/branch/1", ADMIN)
    assert compact(read) == xml(
        "<branch><id>1</id><name>Nowhere</name><address><id>1</id></address></branch>"
    )


@ensure
async def test_a_name_is_needed_and_may_be_taken_once(house) -> None:
    for path in ("branch", "user-group"):
        await _name_is_needed(house, path)


async def _name_is_needed(house: Any, path: str) -> None:
    empty = await house.send("PUT", f"{REST}/{path}", {"name": ""}, ADMIN)
    assert empty.status == 400
    assert compact(empty) == result(
        "ERROR_VALIDATION_FAILED",
        "Failed input validation",
        "<additionalMessage>Name: Cannot be empty</additionalMessage>",
    )
    await made(house, path, {"x": {"name": "One"}})
    other = await made(house, path, {"x": {"name": "Two"}})
    again = await house.send("PUT", f"{REST}/{path}", {"x": {"name": "One"}}, ADMIN)
    assert again.status == 409
    assert b"<code>ERROR_CREATE_FAILED</code>" in again.body
    renamed = await house.send("PUT", f"{REST}/{path}/{other}", {"x": {"name": "One"}}, ADMIN)
    assert renamed.status == 409
    assert b"<code>ERROR_UPDATE_FAILED</code>" in renamed.body
    assert b"choose another" in renamed.body


KINDS = (
    "user",
    "user-permission",
    "permission",
    "user-group",
    "user-group-permission",
    "branch",
)


@ensure
async def test_an_id_that_is_none_and_one_that_nobody_has_are_told(house) -> None:
    bad = result(
        "ERROR_ID_INVALID", "ID value is invalid", "<additionalMessage>seven</additionalMessage>"
    )
    unknown = result(
        "ERROR_OBJECT_NOT_FOUND", "Could not retrieve object using ID", "<id>4711</id>"
    )
    accept = {"Accept": "application/json"}  # failures are XML nevertheless
    for kind in KINDS:
        if kind == "permission":
            continue
        for method in ("GET", "PUT", *(() if kind.endswith("-permission") else ("DELETE",))):
            body = b"<user/>" if method == "PUT" else None
            for number, document in (("seven", bad), ("4711", unknown)):
                path = f"{REST}/{kind}/{number}"
                answer = await house.request(method, path, ADMIN, body, **accept)
                assert answer.status == 400
                assert compact(answer) == document, (method, path)


@ensure
async def test_what_needs_an_id_says_so(house) -> None:
    for method, kind in (
        ("DELETE", "user"),
        ("DELETE", "branch"),
        ("DELETE", "user-group"),
        ("DELETE", "permission"),
        ("PUT", "user-permission"),
        ("PUT", "user-group-permission"),
    ):
        answer = await house.request(method, f"{REST}/{kind}", ADMIN, b"<user/>")
        assert answer.status == 400
        assert compact(answer) == result("ERROR_MISSING_ID", "ID value missing from request")


@ensure
async def test_these_are_for_administrators_and_know_no_post(house) -> None:
    for kind in KINDS:
        path = f"{REST}/{kind}"
        assert (await house.get(path, None)).status == 401
        assert (await house.get(path, "200")).status == 403
        assert (await house.request("POST", path, ADMIN, b"<x/>")).status == 405


@ensure
async def test_a_user_group_has_the_whole_branch(house) -> None:
    await made(house, "branch", {"branch": {"name": "Harbour"}})
    wanted = {"name": "field-team", "description": "On the road", "branch": {"id": 1}}
    group = await made(house, "user-group", {"userGroup": wanted})
    read = await house.get(f"{REST}/user-group/{group}", ADMIN)
    assert compact(read) == xml(FIELD_TEAM.format(id=group))
    as_json = await house.get(f"{REST}/user-group/{group}", ADMIN, Accept="application/json")
    assert as_json.json["group"]["branch"]["name"] == "Harbour"
    listed = await house.get(f"{REST}/user-group", ADMIN)
    sales = "<group><id>1</id><name>sales</name></group>"
    assert compact(listed) == xml(
        f"<user-group>{metadata(2)}<groups>{sales}"
        f"{FIELD_TEAM.format(id=group)}</groups></user-group>"
    )
    document = "<userGroup><name>field-team</name></userGroup>"
    await house.request("PUT", f"{REST}/user-group/{group}", ADMIN, document.encode())
    read = await house.get(f"{REST}/user-group/{group}", ADMIN)
    assert compact(read) == xml(f"<group><id>{group}</id><name>field-team</name></group>")
    unknown = await house.send(
        "PUT", f"{REST}/user-group", {"group": {"name": "x", "branch": {"id": 9}}}, ADMIN
    )
    assert b"ERROR_CREATE_FAILED" in unknown.body
    assert b"no branch with the id 9" in unknown.body


@ensure
async def test_a_renamed_group_keeps_its_members_and_schedules_and_a_deleted_one_loses_them(
    house,
) -> None:
    renamed = await house.send("PUT", f"{REST}/user-group/1", {"group": {"name": "shop"}}, ADMIN)
    assert renamed.status == 200
    assert house.user("201").groups == ("shop",)
    schedule = house.app.forwardings.schedule(house.office_hours)
    assert schedule.group == "shop"
    assert [each.id for each in house.app.forwardings.schedules_of(house.user("201"))] == [
        schedule.id
    ]
    deleted = await house.request("DELETE", f"{REST}/user-group/1", ADMIN)
    assert deleted.status == 200
    assert house.user("201").groups == ()
    assert house.app.forwardings.schedule(house.office_hours) is None


@ensure
async def test_a_deleted_branch_is_no_longer_that_of_its_users_and_groups(house) -> None:
    branch = await made(house, "branch", {"branch": {"name": "Harbour"}})
    reference = {"branch": {"id": branch}}
    group = await made(house, "user-group", {"group": {"name": "field-team"} | reference})
    user = await made(house, "user", {"user": {"userName": "402"} | reference})
    assert house.user("402").branch == branch
    assert (await house.request("DELETE", f"{REST}/branch/{branch}", ADMIN)).status == 200
    assert house.user("402").branch is None
    for path in (f"user-group/{group}", f"user/{user}"):
        assert b"<branch>" not in (await house.get(f"{REST}/{path}", ADMIN)).body


PAGES = (
    ("", "b C a e D", 1, 1, 5),
    ("?sortby=name&sortdir=forward", "a b C D e", 1, 1, 5),
    ("?sortby=NAME&sortdir=Reverse", "e D C b a", 1, 1, 5),
    ("?sortby=name", "b C a e D", 1, 1, 5),
    ("?sortby=shoesize&sortdir=reverse", "b C a e D", 1, 1, 5),
    ("?page=1&pagesize=2", "b C", 1, 3, 2),
    ("?page=2&pagesize=2", "a e", 2, 3, 2),
    ("?page=9&pagesize=2", "D", 3, 3, 2),
    ("?page=3&pagesize=10", "b C a e D", 1, 1, 10),
    ("?page=0&pagesize=2", "b C a e D", 1, 1, 5),
    ("?page=2", "b C a e D", 1, 1, 5),
    ("?page=two&pagesize=2", "b C a e D", 1, 1, 5),
    ("?page=2&pagesize=2&sortby=name&sortdir=a", "C D", 2, 3, 2),
)


@ensure
async def test_lists_are_told_in_pages_and_in_an_order(house) -> None:
    await house.request("DELETE", f"{REST}/user-group/1", ADMIN)
    for name in ["b", "C", "a", "e", "D"]:
        await made(house, "user-group", {"group": {"name": name}})
    for query, names, page, pages, size in PAGES:
        answer = await house.get(f"{REST}/user-group{query}", ADMIN, Accept="application/json")
        document = answer.json["user-group"]
        assert list(document) == ["metadata", "groups"]
        assert [group["name"] for group in document["groups"]] == names.split(), query
        assert document["metadata"] == {
            "totalResults": 5,
            "currentPage": page,
            "totalPages": pages,
            "resultsPerPage": size,
        }
