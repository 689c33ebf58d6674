"""UserService and PermissionService (11.4)."""

from __future__ import annotations

import re
from typing import Any

import pytest_twisted
import sqlalchemy as sa
from soapkit import ADMIN, NS, fault, told

from sipxd.service.vault import pin_matches
from sipxd.store.schema import users

ensure = pytest_twisted.ensureDeferred

BEN = (
    "<userName>402</userName><pintoken>ignored</pintoken><lastName>Ortiz</lastName>"
    "<firstName>Ben</firstName><sipPassword>secret-402</sipPassword><aliases>benny</aliases>"
    "<aliases>4402</aliases><emailAddress>ben@example.org</emailAddress>"
    "<groups>field-team</groups><permissions>InternationalDialing</permissions>"
    "<branchName>Harbour</branchName>"
)


def adding(user: str = BEN, more: str = "<pin>pin-402</pin><vmpin>4711</vmpin>") -> str:
    return f"<c:AddUser><user>{user}</user>{more}</c:AddUser>"


def managing(search: str, *instructions: str) -> str:
    return f"<c:ManageUser><search>{search}</search>{''.join(instructions)}</c:ManageUser>"


def edit(name: str, value: str | None) -> str:
    told = "<value xsi:nil='true'/>" if value is None else f"<value>{value}</value>"
    return f"<edit><property>{name}</property>{told}</edit>"


async def harbour(house: Any) -> None:
    branch = {"branch": {"name": "Harbour"}}
    answer = await house.send("PUT", "/sipxconfig/rest/branch", branch, ADMIN)
    assert answer.status == 201


async def names(house: Any, search: str) -> list[str]:
    found = await told(house, "UserService", f"<c:FindUser>{search}</c:FindUser>")
    return re.findall("<userName>([^<]*)</userName>", found)


def by(kind: str, text: str) -> str:
    return f"<search><{kind}>{text}</{kind}></search>"


@ensure
async def test_a_user_is_added_and_found(house):
    await harbour(house)
    assert await told(house, "UserService", adding()) == ""
    user = house.user("402")
    found = await told(house, "UserService", f"<c:FindUser>{by('byUserName', '402')}</c:FindUser>")
    permissions = "".join(f"<permissions>{each}</permissions>" for each in sorted(user.permissions))
    assert "InternationalDialing" not in permissions  # what comes with him is ignored
    assert found == (
        f'<c:FindUserResponse xmlns:c="{NS}"><users><user><userName>402</userName>'
        '<pintoken xsi:nil="true"/><lastName>Ortiz</lastName><firstName>Ben</firstName>'
        '<sipPassword xsi:nil="true"/><aliases>benny</aliases><aliases>4402</aliases>'
        f"<emailAddress>ben@example.org</emailAddress><groups>field-team</groups>{permissions}"
        "<branchName>Harbour</branchName></user></users></c:FindUserResponse>"
    )
    accounts = house.app.accounts
    assert (await accounts.authenticate("402", "pin-402", "127.0.0.1")).id == user.id
    assert accounts.sip_password(user) == "secret-402"
    mailbox = sa.select(users.c.voicemail_pin).where(users.c.id == user.id)
    assert pin_matches(await house.app.store.read("test", lambda c: c.scalar(mailbox)), "4711")


@ensure
async def test_old_clients_leave_out_what_was_added_later(house):
    old = "<userName>402</userName><aliases>benny</aliases>"
    assert await told(house, "UserService", adding(old, "<pin>pin-402</pin>")) == ""
    assert house.user("402").aliases == ("benny",)


@ensure
async def test_who_cannot_be_added_is_told_and_not_there(house):
    for user, more, word in (
        (BEN, "", "no branch"),
        (BEN.replace("Harbour", "").replace("402<", "200<", 1), "", "already the name"),
        (BEN.replace("Harbour", "").replace("4402", "ben"), "", "already the name"),
        (BEN.replace("Harbour", "").replace("402<", "4 2<", 1), "", "userName: the user name"),
        (BEN.replace("Harbour", "").replace("ben@example.org", "ben"), "", "emailAddress must be"),
        (BEN.replace("Harbour", "").replace("Ortiz", "O&#9;z"), "", "lastName must have"),
        (BEN.replace("Harbour", ""), "<vmpin>1</vmpin>", "vmpin must have 4 to"),
    ):
        sentence = await fault(house, "UserService", adding(user, f"<pin>pin-402</pin>{more}"))
        assert word in sentence, sentence
    assert house.app.accounts.find("402") is None


@ensure
async def test_users_are_found_by_the_first_criterion_that_is_there(house):
    await told(house, "UserService", adding(BEN.replace("<branchName>Harbour</branchName>", "")))
    everybody = ["200", "201", "202", "402", "superadmin"]
    for search, found in (
        ("", everybody),
        ("<search xsi:nil='true'/>", []),
        ("<search/>", []),
        (by("byUserName", "200"), ["200"]),
        (by("byUserName", "ben"), []),  # an alias
        (by("byUserName", "nobody"), []),
        (by("byFuzzyUserNameOrAlias", "BEN"), ["200", "402"]),
        (by("byFuzzyUserNameOrAlias", "tiz"), ["402"]),
        (by("byFuzzyUserNameOrAlias", "20"), ["200", "201", "202"]),
        (by("byGroup", "sales"), ["201"]),
        (by("byGroup", "nobody"), []),
        (by("byUserName", "200").replace("</s", "<byGroup>sales</byGroup></s"), ["200"]),
    ):
        if "nil" in search:
            found = everybody
        assert await names(house, search) == found, search


@ensure
async def test_everybody_found_is_changed(house):
    await harbour(house)
    for name in ("402", "403"):
        user = f"<userName>{name}</userName><groups>sales</groups><lastName>X</lastName>"
        await told(house, "UserService", adding(user, "<pin>pin-4711</pin>"))
    search = "<byFuzzyUserNameOrAlias>40</byFuzzyUserNameOrAlias>"
    assert (
        await told(
            house,
            "UserService",
            managing(
                search,
                edit("lastName", "Ortiz"),
                edit("firstName", None),
                edit("pintoken", "new-pin-1"),
                edit("permissions", "InternationalDialing"),
                "<addGroup>brand-new</addGroup><removeGroup>sales</removeGroup>",
                "<updateBranch>Harbour</updateBranch>",
            ),
        )
        == ""
    )
    for name in ("402", "403"):
        user = house.user(name)
        assert (user.last_name, user.groups, user.branch) == ("Ortiz", ("brand-new",), 1)
        assert "InternationalDialing" not in user.permissions
        assert await house.app.accounts.authenticate(name, "new-pin-1", "127.0.0.1")
    assert house.user("201").groups == ("sales",)
    one = "<byUserName>402</byUserName>"
    aliases = managing(one, edit("aliases", "a1"), edit("aliases", "a2"), edit("userName", "404"))
    await told(house, "UserService", aliases)
    assert house.user("404").aliases == ("a1", "a2")
    nothing = managing(
        one.replace("402", "404"), edit("aliases", None), "<updateBranch>X</updateBranch>"
    )
    await told(house, "UserService", nothing)
    assert (house.user("404").aliases, house.user("404").branch) == ((), 1)
    twice = managing(one.replace("402", "404"), *(edit("aliases", each) for each in ("b", "", "b")))
    await told(house, "UserService", twice)
    assert house.user("404").aliases == ("b",)
    sentence = await fault(house, "UserService", managing(search, edit("shoesize", "44")))
    assert "there is no property" in sentence
    for sentence in (
        await fault(
            house, "UserService", managing(search, edit("lastName", "Y"), edit("pintoken", "1"))
        ),
    ):
        assert "pin must have" in sentence
    assert house.user("403").last_name == "Ortiz"


@ensure
async def test_everybody_may_be_deleted_but_superadmin(house):
    # What else is asked for is not looked at; clients that hold to the WSDL send some edit.
    deleting = f"<c:ManageUser>{edit('', '')}<deleteUser>true</deleteUser></c:ManageUser>"
    await told(house, "UserService", deleting)
    assert await names(house, "") == ["superadmin"]


@ensure
async def test_permissions_are_added_found_and_managed(house):
    added = (
        "<c:AddPermission><permission><name>x</name><label>Satellite</label>"
        "<description>Dear</description><defaultValue>true</defaultValue></permission>"
        "</c:AddPermission>"
    )
    assert await told(house, "PermissionService", added) == ""
    assert "label Satellite is taken" in await fault(house, "PermissionService", added)

    async def found(search: str) -> str:
        answer = await told(
            house, "PermissionService", f"<c:FindPermission>{search}</c:FindPermission>"
        )
        return answer.removeprefix(
            f'<c:FindPermissionResponse xmlns:c="{NS}"><permissions>'
        ).removesuffix("</permissions></c:FindPermissionResponse>")

    satellite = (
        "<permission><name>perm_1</name><label>Satellite</label><description>Dear</description>"
        "<defaultValue>true</defaultValue><type>CALL</type><builtIn>false</builtIn></permission>"
    )
    assert await found(by("byName", "perm_1")) == satellite
    assert await found(by("byLabel", "Satellite")) == satellite
    assert "<builtIn>true</builtIn>" in await found(by("byName", "Voicemail"))
    assert (await found("")).count("<permission>") > 15
    assert (await found("<search/>")).endswith("<permissions/></c:FindPermissionResponse>")

    def manage(search: str, *more: str) -> str:
        return f"<c:ManagePermission>{search}{''.join(more)}</c:ManagePermission>"

    change = edit("label", "Space"), edit("defaultValue", "false")
    await told(house, "PermissionService", manage("", *change))  # of all: the others stay
    assert await found(by("byName", "perm_1")) == satellite.replace("Satellite", "Space").replace(
        "<defaultValue>true", "<defaultValue>false"
    )
    assert "<label>Voicemail</label>" in await found(by("byName", "Voicemail"))
    wrong = manage("", edit("defaultValue", "perhaps"))
    assert "true or false" in await fault(house, "PermissionService", wrong)
    deleting = manage("", edit("", ""), "<deletePermission>1</deletePermission>")
    await told(house, "PermissionService", deleting)
    assert "perm_1" not in await found("")
    assert "Voicemail" in await found("")
