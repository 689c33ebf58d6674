"""CallGroupService, ParkOrbitService, PhoneService, TestService (11.4)."""

from __future__ import annotations

import re
from typing import Any

import pytest_twisted
from soapkit import NS, fault, told
from test_soap_users import by, edit

from sipxd.service.permissions import Permissions
from sipxd.service.telephones import Telephones
from sipxd.web.soap.system import TestService as Resets

ensure = pytest_twisted.ensureDeferred

SERIAL = "0004f2a1b2c3"


def ring(user: str, kind: str = "delayed", seconds: int = 15, position: int = 7) -> str:
    return (
        f"<rings><expiration>{seconds}</expiration><type>{kind}</type>"
        f"<position>{position}</position><userName>{user}</userName></rings>"
    )


def group(*rings: str, name: str = "shop", extension: str = "700") -> str:
    return (
        f"<c:AddCallGroup><callGroup><name>{name}</name><extension>{extension}</extension>"
        f"<description>Selling</description><enabled>true</enabled>{''.join(rings)}</callGroup>"
        "</c:AddCallGroup>"
    )


@ensure
async def test_a_hunt_group_is_added_told_and_removed(house):
    added = group(ring("200"), ring("201", "immediate", 20))
    assert await told(house, "CallGroupService", added) == ""
    live = house.app.call_groups.find("700")
    assert [member.user for member in live.members] == ["200", "201"]
    listed = await told(house, "CallGroupService", "")
    assert listed == (
        f'<c:GetCallGroupsResponse xmlns:c="{NS}"><callGroups><callGroup><name>shop</name>'
        "<extension>700</extension><description>Selling</description><enabled>true</enabled>"
        f"{ring('200', position=0)}{ring('201', 'immediate', 20, 1)}</callGroup></callGroups>"
        "</c:GetCallGroupsResponse>"
    )
    for name, left in (("nothing", 1), ("", 1), ("700", 0)):
        removed = f"<c:RemoveCallGroup><callGroup>{name}</callGroup></c:RemoveCallGroup>"
        assert await told(house, "CallGroupService", removed) == ""
        assert len(house.app.call_groups.all()) == left


@ensure
async def test_a_hunt_group_that_cannot_be_is_told(house):
    await told(house, "CallGroupService", group(ring("200")))
    for added, word in (
        (group(ring("999"), name="b", extension="701"), "Cannot find user with userName: 999"),
        (group(ring(""), name="b", extension="701"), "null or empty userName"),
        (group(ring("200", "later"), name="b", extension="701"), "delayed or immediate"),
        (group(ring("200", seconds=0), name="b", extension="701"), "rings[0].expiration must be"),
        (group(ring("200"), name="b", extension="701").replace(">15<", ">soon<"), "whole number"),
        (group(ring("200"), extension="701"), "shop is already"),
        (group(ring("200"), name="b"), "700 is already"),
        (group(ring("200"), name="b", extension="200"), "200 is already"),
    ):
        sentence = await fault(house, "CallGroupService", added)
        assert word in sentence, sentence
    assert len(house.app.call_groups.all()) == 1


@ensure
async def test_park_orbits_are_added_and_told(house):
    def orbit(name: str, extension: str) -> str:
        inner = f"<name>{name}</name><extension>{extension}</extension>"
        return f"<c:AddParkOrbit><parkOrbit>{inner}</parkOrbit></c:AddParkOrbit>"

    for name, extension in (("b", "7002"), ("a", "7001")):
        assert await told(house, "ParkOrbitService", orbit(name, extension)) == ""
    listed = await told(house, "ParkOrbitService", "<getParkOrbits/>")
    assert re.findall("<name>(.)</name>", listed) == ["b", "a"]
    assert "is already" in await fault(house, "ParkOrbitService", orbit("c", "7001"))
    assert "is already" in await fault(house, "ParkOrbitService", orbit("a", "7003"))


def phone(serial: str = "00:04:F2:A1:B2:C3", model: str = "polycom550") -> str:
    return (
        f"<c:AddPhone><phone><serialNumber>{serial}</serialNumber><modelId>{model}</modelId>"
        "<description>Front desk</description><groups>lobby</groups>"
        "<lines><userId>200</userId><uri>x</uri></lines><deviceVersion>3.2</deviceVersion></phone>"
        "</c:AddPhone>"
    )


async def phones(house: Any, search: str = "") -> str:
    found = await told(house, "PhoneService", f"<c:FindPhone>{search}</c:FindPhone>")
    return found.removeprefix(f'<c:FindPhoneResponse xmlns:c="{NS}"><phones>').removesuffix(
        "</phones></c:FindPhoneResponse>"
    )


def manage(*instructions: str) -> str:
    return f"<c:ManagePhone>{by('bySerialNumber', SERIAL)}{''.join(instructions)}</c:ManagePhone>"


@ensure
async def test_telephones_are_stored_and_found(house):
    assert await told(house, "PhoneService", phone()) == ""
    document = (
        f"<user><serialNumber>{SERIAL}</serialNumber><modelId>polycom550</modelId>"
        "<description>Front desk</description><groups>lobby</groups>"
        "<deviceVersion>3.2</deviceVersion></user>"
    )
    assert await phones(house) == document
    assert await phones(house, by("bySerialNumber", "00-04-f2-A1-B2-C3")) == document
    assert await phones(house, by("byGroup", "lobby")) == document
    assert "<user>" not in await phones(house, by("byGroup", "attic"))
    assert "<user>" not in await phones(house, "<search/>")
    for added, word in (
        (phone(model="banana"), "phone model doesn&apos;t exist: banana"),
        (phone("12:34"), "12 hexadecimal digits, not &apos;12:34&apos;"),
        (phone("0 " * 400_000), "12 hexadecimal digits"),
        (phone(), "already a telephone"),
    ):
        sentence = await fault(house, "PhoneService", added)
        assert word in sentence.replace("'", "&apos;"), sentence


@ensure
async def test_telephones_are_given_lines_and_change(house):
    await told(house, "PhoneService", phone())
    external = (
        "<addExternalLine><userId>77</userId><displayName>Far</displayName><password>x</password>"
        "<registrationServer>far.example.net</registrationServer></addExternalLine>"
    )
    line = "<addLine><userId>200</userId><uri/></addLine>"
    await told(house, "PhoneService", manage(line, external, edit("description", "Back door")))
    found = await phones(house)
    assert "<description>Back door</description>" in found
    assert (
        "<lines><userId>200</userId><uri>&lt;sip:200@example.org&gt;</uri></lines>"
        '<lines><userId>77</userId><uri>"Far"&lt;sip:77@far.example.net&gt;</uri></lines>'
    ) in found
    await told(house, "PhoneService", manage("<removeLineByUserId>77</removeLineByUserId>"))
    assert "far.example.net" not in await phones(house)
    await told(
        house,
        "PhoneService",
        manage("<addGroup>attic</addGroup>", "<removeGroup>lobby</removeGroup>"),
    )
    assert "<groups>attic</groups>" in await phones(house)
    await house.app.accounts.delete("200")
    assert "<lines>" not in await phones(house)  # his line has gone with him
    for instruction in ("<restart>true</restart>", "<generateProfiles>true</generateProfiles>"):
        assert "no part of sipxd" in await fault(house, "PhoneService", manage(instruction))
    assert "no user" in await fault(house, "PhoneService", manage(line.replace("200", "999")))
    await told(house, "PhoneService", manage("<deletePhone>true</deletePhone>"))
    assert "<user>" not in await phones(house)


@ensure
async def test_resets_are_refused_but_in_test_mode(house):
    everything = "".join(
        f"<{part}>true</{part}>"
        for part in ("callGroup", "parkOrbit", "permission", "phone", "user", "superAdmin")
    )
    body = f"<c:ResetServices>{everything}</c:ResetServices>"
    assert "[web] soap_test_service" in await fault(house, "TestService", body)
    assert len(house.app.accounts.all()) == 4


@ensure
async def test_in_test_mode_each_part_is_reset_that_is_said_and_superadmin_stays(house):
    app = house.app
    permissions, telephones = Permissions(app.store, app.accounts), Telephones(app.store)
    await told(house, "PhoneService", phone())
    await told(house, "CallGroupService", group(ring("200")))
    await permissions.add("Satellite", "", default=False)
    resets = Resets(True, app.accounts, app.call_groups, app.park_orbits, permissions, telephones)
    nothing = dict.fromkeys(("callGroup", "parkOrbit", "permission", "phone", "user", "superAdmin"))
    await resets.reset(nothing | {"phone": True})
    assert await telephones.all() == []
    assert len(app.call_groups.all()) == 1
    await resets.reset(nothing | {"permission": True, "parkOrbit": True, "user": True})
    assert all(permission.name != "perm_1" for permission in await permissions.all())
    assert app.call_groups.all() == []
    assert [user.name for user in app.accounts.all()] == ["superadmin"]
