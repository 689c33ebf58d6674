"""/permission, /user-permission, /user-group-permission (4.3 to 4.5)."""

from __future__ import annotations

from typing import Any

import pytest_twisted
from manage import ADMIN, REST, compact, metadata, result, xml

from sipxd.directory.permission import BUILT_IN

ensure = pytest_twisted.ensureDeferred

ABROAD = "InternationalDialing"


def setting(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {"permissions": [{"name": name, "value": value, **more}]}


@ensure
async def test_all_permissions_are_listed_by_name(house) -> None:
    answer = await house.get(f"{REST}/permission", ADMIN)
    rows = "".join(
        f"<permission><name>{name}</name><label>{name}</label>"
        f"<defaultValue>{str(each.default).lower()}</defaultValue><type>{each.type}</type>"
        "<builtIn>true</builtIn></permission>"
        for name, each in sorted(BUILT_IN.items())
    )
    assert compact(answer) == xml(
        f"<permissions>{metadata(len(BUILT_IN))}<permissions>{rows}</permissions></permissions>"
    )
    one = await house.get(f"{REST}/permission/LocalDialing", ADMIN, Accept="application/json")
    assert one.json == {
        "permission": {
            "name": "LocalDialing",
            "label": "LocalDialing",
            "defaultValue": True,
            "type": "CALL",
            "builtIn": True,
        }
    }


@ensure
async def test_a_permission_is_made_changed_and_deleted(house) -> None:
    document = (
        "<permission><name>ignored</name><label>Satellite</label><description>Dear</description>"
        "<defaultValue>true</defaultValue><type>VOICEMAIL_SERVER</type></permission>"
    )
    created = await house.request("PUT", f"{REST}/permission", ADMIN, document.encode())
    assert created.status == 201
    named = "<additionalMessage>perm_1</additionalMessage>"
    assert compact(created) == result("SUCCESS_CREATED", "Created", named)
    assert "perm_1" in house.user("200").permissions
    again = await house.request("PUT", f"{REST}/permission", ADMIN, document.encode())
    assert again.status == 409
    assert b"<code>ERROR_CREATE_FAILED</code>" in again.body
    changed = {"permission": {"label": "Satellites", "defaultValue": False}}
    updated = await house.send("PUT", f"{REST}/permission/perm_1", changed, ADMIN)
    assert compact(updated) == result("SUCCESS_UPDATED", "Updated", named)
    assert "perm_1" not in house.user("200").permissions
    read = await house.get(f"{REST}/permission/perm_1", ADMIN)
    assert compact(read) == xml(
        "<permission><name>perm_1</name><label>Satellites</label><defaultValue>false</defaultValue>"
        "<type>CALL</type><builtIn>false</builtIn></permission>"
    )
    number = house.user("200").id
    await house.send("PUT", f"{REST}/user-permission/{number}", setting("perm_1", "ENABLE"), ADMIN)
    assert "perm_1" in house.user("200").permissions
    deleted = await house.request("DELETE", f"{REST}/permission/perm_1", ADMIN)
    assert compact(deleted) == result("SUCCESS_DELETED", "Deleted", named)
    assert "perm_1" not in house.user("200").permissions
    assert "perm_1" not in house.user("200").granted
    gone = await house.get(f"{REST}/permission/perm_1", ADMIN)
    assert gone.status == 400
    assert compact(gone) == result(
        "ERROR_OBJECT_NOT_FOUND", "Could not retrieve object using ID", named
    )


@ensure
async def test_those_that_exist_always_stay_as_they_are(house) -> None:
    for method, code, body in (
        ("PUT", "ERROR_UPDATE_FAILED", b"<permission><label>x</label></permission>"),
        ("DELETE", "ERROR_DELETE_FAILED", None),
    ):
        answer = await house.request(method, f"{REST}/permission/Voicemail", ADMIN, body)
        assert answer.status == 403
        assert f"<code>{code}</code>".encode() in answer.body
        assert b"<string>Voicemail</string>" in answer.body
    empty = await house.send("PUT", f"{REST}/permission", {"permission": {"label": ""}}, ADMIN)
    assert b"Label: Cannot be empty" in empty.body


@ensure
async def test_a_user_has_each_permission_with_its_value_and_default(house) -> None:
    number = house.user("201").id
    answer = await house.get(f"{REST}/user-permission/{number}", ADMIN)
    rows = "".join(
        f"<setting><name>{name}</name><label>{name}</label>"
        f"<value>{'ENABLE' if name in house.user('201').permissions else 'DISABLE'}</value>"
        f"<defaultValue>{str(each.default).lower()}</defaultValue></setting>"
        for name, each in sorted(BUILT_IN.items())
    )
    person = f"<id>{number}</id><lastName/><firstName/><permissions>{rows}</permissions>"
    assert compact(answer) == xml(f"<user>{person}</user>")
    listed = await house.get(f"{REST}/user-permission?ids={number}", ADMIN)
    assert compact(listed) == xml(
        f"<user-permission>{metadata(1)}<users><user>{person}</user></users></user-permission>"
    )
    everybody = await house.get(f"{REST}/user-permission", ADMIN, Accept="application/json")
    assert len(everybody.json["user-permission"]["users"]) == 3


@ensure
async def test_what_is_set_of_a_user_holds_at_once_and_the_rest_stays(house) -> None:
    user = house.user("200")
    path = f"{REST}/user-permission/{user.id}"
    document = (
        f"<user><permissions><setting><name>{ABROAD}</name><value>ENABLE</value></setting>"
        "<setting><name>Voicemail</name><value>DISABLE</value></setting></permissions></user>"
    )
    answer = await house.request("PUT", path, ADMIN, document.encode())
    assert compact(answer) == result("SUCCESS_UPDATED", "Updated", f"<id>{user.id}</id>")
    after = house.user("200")
    assert after.permissions == user.permissions - {"Voicemail"} | {ABROAD}
    assert not after.voicemail
    # What a client reads and sends back whole sets nothing of the user himself.
    read = await house.get(path, ADMIN)
    await house.request("PUT", path, ADMIN, read.body)
    assert house.user("200") == after
    assert (after.granted, after.denied) == ({ABROAD}, {"Voicemail"})


@ensure
async def test_what_is_no_permission_is_told(house) -> None:
    for permissions, code, text in (
        (setting("Flying", "ENABLE"), "ERROR_UPDATE_FAILED", "no permission"),
        (setting(ABROAD, "PERHAPS"), "ERROR_VALIDATION_FAILED", "must be ENABLE or DISABLE"),
        ({"permissions": 7}, "ERROR_VALIDATION_FAILED", "permissions must be an array"),
        ({}, "ERROR_VALIDATION_FAILED", "permissions is missing"),
    ):
        for kind, number in (("user", house.user("200").id), ("user-group", 1)):
            path = f"{REST}/{kind}-permission/{number}"
            answer = await house.send("PUT", path, permissions, ADMIN)
            assert answer.status == 400
            assert f"<code>{code}</code>".encode() in answer.body, answer
            assert text.encode() in answer.body
    assert ABROAD not in house.user("200").permissions


@ensure
async def test_superadmin_stays_an_administrator(house) -> None:
    number = house.user(ADMIN).id
    path = f"{REST}/user-permission/{number}"
    answer = await house.send("PUT", path, setting("superadmin", "DISABLE"), ADMIN)
    assert answer.status == 403
    assert b"<code>ERROR_UPDATE_FAILED</code>" in answer.body
    assert house.user(ADMIN).admin


@ensure
async def test_what_is_set_of_a_group_holds_for_its_members_who_say_nothing(house) -> None:
    path = f"{REST}/user-group-permission/1"
    await house.send("PUT", path, {"group": setting(ABROAD, "ENABLE")}, ADMIN)
    assert ABROAD in house.user("201").permissions
    assert ABROAD not in house.user("200").permissions
    read = await house.get(path, ADMIN, Accept="application/json")
    group = read.json["group"]
    assert (group["id"], group["name"]) == (1, "sales")
    values = {each["name"]: each["value"] for each in group["permissions"]}
    assert values[ABROAD] == "ENABLE"
    assert values["Voicemail"] == "ENABLE"
    # A blank value is that of defaultValue.
    blank = {"group": setting(ABROAD, "", defaultValue=False)}
    answer = await house.send("PUT", path, blank, ADMIN)
    assert compact(answer) == result("SUCCESS_UPDATED", "Updated", "<id>1</id>")
    assert ABROAD not in house.user("201").permissions
    assert (await house.request("DELETE", path, ADMIN)).status == 405
    listed = await house.get(f"{REST}/user-group-permission", ADMIN)
    assert compact(listed).startswith(
        xml(f"<user-group-permission>{metadata(1)}<groups><group><id>1</id><name>sales</name>")
    )


@ensure
async def test_a_member_who_administers_by_his_group_is_one_until_it_is_gone(house) -> None:
    body = {"group": setting("superadmin", "ENABLE")}
    await house.send("PUT", f"{REST}/user-group-permission/1", body, ADMIN)
    assert (await house.get(f"{REST}/user-group", "201")).status == 200
    assert (await house.request("DELETE", f"{REST}/user-group/1", "201")).status == 200
    assert (await house.get(f"{REST}/user-group", "201")).status == 403
