"""Foreign SOAP clients, each of which reads and writes messages in its own way.

SOAP::Lite for Perl, the stubs of Axis 1.4 for Java and Node's package soap do what users and hunt
groups need, and have to be told the same. zeep, which holds all that it is told against the WSDL,
runs every operation.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from daemon import Daemon
from foreign_soap import Port, Program, Zeep, services
from zeep.exceptions import Fault

USERS = {"perl": "5201", "java": "5202", "node": "5203"}
GROUPS = {"perl": "5301", "java": "5302", "node": "5303"}
MEMBERS = ("5211", "5212")

USER_LINES = """\
realm example.test
user {name} Ortiz Ben {name}@example.org {name}-a,{name}-b field-team
found 1
user {name} Ortiz Ben {name}@example.org {name}-a,{name}-b field-team
found 1
refused Server.userException *{name}*
user {name} Møller & Søn <Ltd> Ben {name}@example.org {name}-c night-shift
found 1
refused Server.userException *shoeSize*
found 0
"""
"""Added, found by name and by a part of an alias, added again, changed, changed wrongly, deleted;
a star stands for anything."""

GROUP_LINES = """\
refused Server.userException *Cannot find user with userName: nobody-{name}
found 0
group group-{name} {name} Sales & Støtte true
ring 0 5211 delayed 20
ring 1 5212 immediate 21
found 1
refused Server.userException *{name}*
found 0
"""
"""Added with a member who does not exist, added, added again, removed."""


@pytest.fixture(scope="module", params=["perl", "java", "node"])
def program(
    request: pytest.FixtureRequest,
    soap_daemon: Daemon,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Program]:
    """A language and the client in it."""
    language: str = request.param
    return language, Program(language, soap_daemon, tmp_path_factory.mktemp(language))


def assert_lines(told: list[str], expected: str) -> None:
    patterns = expected.splitlines()
    assert len(told) == len(patterns), "\n".join(told)
    for line, pattern in zip(told, patterns, strict=True):
        assert fnmatchcase(line, pattern), f"not {pattern!r}: {line!r}"


def test_users_are_added_found_changed_and_deleted(
    soap_daemon: Daemon, program: tuple[str, Program]
) -> None:
    language, client = program
    name = USERS[language]
    soap_daemon.know_user(name, f"pin-of-{name}", f"sip-of-{name}")  # neither may be logged
    assert_lines(client.run("users", name), USER_LINES.format(name=name))


def test_soap_1_2_is_answered_in_soap_1_2(soap_daemon: Daemon, tmp_path: Path) -> None:
    soap_daemon.know_user("5204", "pin-of-5204", "sip-of-5204")
    expected = USER_LINES.format(name="5204").replace("Server.userException", "Sender")
    client = Program("node", soap_daemon, tmp_path, version="1.2")
    assert_lines(client.run("users", "5204"), expected)


@pytest.fixture(scope="module")
def members(soap_daemon: Daemon) -> tuple[str, ...]:
    """Users who are in hunt groups."""
    return tuple(soap_daemon.add_user(name) for name in MEMBERS)


def test_hunt_groups_are_added_listed_and_removed(
    program: tuple[str, Program], members: tuple[str, ...]
) -> None:
    language, client = program
    name = GROUPS[language]
    assert_lines(client.run("groups", name, *members), GROUP_LINES.format(name=name))


# zeep

SERVICES = (
    "UserService",
    "PermissionService",
    "CallGroupService",
    "ParkOrbitService",
    "PhoneService",
    "SystemService",
    "TestService",
)


@pytest.fixture(scope="module")
def zeep(soap_daemon: Daemon) -> Zeep:
    """The services as zeep sees them."""
    return Zeep(soap_daemon)


def values(found: Any) -> list[dict[str, Any]]:
    """The members of objects of zeep."""
    return [{name: each[name] for name in each} for each in found]


def refused(port: Port, operation: str, **members: Any) -> str:
    """The sentence of the fault that an operation ends with."""
    with pytest.raises(Fault) as caught:
        port(operation, **members)
    assert caught.value.code == "soapenv:Server.userException"
    sentence: str = caught.value.message
    return sentence


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_gives_the_wsdl_of_all_with_the_address_that_was_asked(
    soap_daemon: Daemon, service: str
) -> None:
    ports = Zeep(soap_daemon, service).client.wsdl.services["ConfigImplService"].ports
    addresses = {name: port.binding_options["address"] for name, port in ports.items()}
    assert addresses == {name: f"{services(soap_daemon)}/{name}" for name in SERVICES}


def test_zeep_is_told_the_domain(soap_daemon: Daemon, zeep: Zeep) -> None:
    system = zeep["SystemService"]
    domain = system("systemInfo")
    assert (domain.name, domain.realm, domain.aliases) == (soap_daemon.domain,) * 2 + ([],)
    assert not system.unused()


def test_zeep_runs_every_operation_on_users(zeep: Zeep) -> None:
    users = zeep["UserService"]
    user = {
        "userName": "5221",
        "lastName": "Ortiz",
        "firstName": "Ben",
        "sipPassword": "sip-of-5221",
        "aliases": ["ben", "ortiz"],
        "emailAddress": "ben@example.org",
        "groups": ["field-team"],
    }
    users("addUser", user=user, pin="pin-of-5221", vmpin="4711")
    (found,) = users.all("findUser", search={"byUserName": "5221"})
    assert (found.pintoken, found.sipPassword, found.branchName) == (None, None, None)
    assert {name: found[name] for name in user if name != "sipPassword"} == {
        name: value for name, value in user.items() if name != "sipPassword"
    }
    assert "LocalDialing" in found.permissions
    names = [each.userName for each in users.all("findUser")]
    assert {"superadmin", "5221"} <= set(names)
    assert users.all("findUser", search={}) == []
    assert "5221" in refused(users, "addUser", user=user, pin="pin-of-5221", vmpin="")

    edit = [{"property": "firstName", "value": "Zoë"}, {"property": "emailAddress", "value": None}]
    users("manageUser", search={"byUserName": "5221"}, edit=edit, addGroup="night-shift")
    (found,) = users.all("findUser", search={"byGroup": "night-shift"})
    assert (found.userName, found.firstName, found.emailAddress) == ("5221", "Zoë", None)
    assert set(found.groups) == {"field-team", "night-shift"}
    users("manageUser", search={"byUserName": "5221"}, deleteUser=True)
    assert users.all("findUser", search={"byUserName": "5221"}) == []
    assert not users.unused()


def test_zeep_runs_every_operation_on_permissions(zeep: Zeep) -> None:
    permissions = zeep["PermissionService"]
    made = {"name": "ignored", "label": "Überseegespräche", "defaultValue": True}
    permissions("addPermission", permission=made)
    search = {"byLabel": made["label"]}
    (found,) = permissions.all("findPermission", search=search)
    assert (found.defaultValue, found.builtIn, found.type) == (True, False, "CALL")
    assert any(each.builtIn for each in permissions.all("findPermission"))
    edit = [{"property": "defaultValue", "value": "false"}]
    permissions("managePermission", search={"byName": found.name}, edit=edit)
    (found,) = permissions.all("findPermission", search=search)
    assert found.defaultValue is False
    assert made["label"] in refused(permissions, "addPermission", permission=made)
    permissions("managePermission", search=search, deletePermission=True)
    assert permissions.all("findPermission", search=search) == []
    assert not permissions.unused()


def test_zeep_runs_every_operation_on_hunt_groups(zeep: Zeep, members: tuple[str, ...]) -> None:
    groups = zeep["CallGroupService"]
    rings = [
        {"expiration": 20, "type": "delayed", "position": 0, "userName": members[1]},
        {"expiration": 15, "type": "immediate", "position": 1, "userName": members[0]},
    ]
    group = {
        "name": "sales",
        "extension": "5321",
        "description": "Sales",
        "enabled": False,
        "rings": rings,
    }
    groups("addCallGroup", callGroup=group)
    (found,) = (each for each in groups.all("getCallGroups") if each.name == "sales")
    assert (found.extension, found.description, found.enabled) == ("5321", "Sales", False)
    assert values(found.rings) == rings
    groups("removeCallGroup", callGroup="sales")
    assert "sales" not in [each.name for each in groups.all("getCallGroups")]
    assert not groups.unused()


def test_zeep_runs_every_operation_on_park_orbits(zeep: Zeep) -> None:
    orbits = zeep["ParkOrbitService"]
    for name, extension in (("south", "5421"), ("north", "5422")):
        orbits("addParkOrbit", parkOrbit={"name": name, "extension": extension, "enabled": True})
    found = orbits.all("getParkOrbits")
    assert [(each.name, each.extension, each.enabled) for each in found] == [
        ("south", "5421", True),
        ("north", "5422", True),
    ]
    again = {"name": "south", "extension": "5423"}
    assert "south" in refused(orbits, "addParkOrbit", parkOrbit=again)
    assert not orbits.unused()


def test_zeep_runs_every_operation_on_telephones(zeep: Zeep, members: tuple[str, ...]) -> None:
    phones = zeep["PhoneService"]
    search = {"bySerialNumber": "00:04:F2:00:00:21"}
    phone = {"serialNumber": "0004f2000021", "modelId": "polycom335", "groups": ["lobby"]}
    phones("addPhone", phone=phone)
    edit = [{"property": "description", "value": "by the door"}]
    line = {"userId": members[0], "uri": ""}
    external = {"userId": "77", "displayName": "Far", "registrationServer": "pbx.example.org"}
    phones("managePhone", search=search, edit=edit, addLine=line, addExternalLine=external)
    (found,) = phones.all("findPhone", search=search)
    assert (found.serialNumber, found.modelId) == ("0004f2000021", "polycom335")
    assert (found.description, found.groups) == ("by the door", ["lobby"])
    assert values(found.lines) == [
        {"userId": members[0], "uri": f"<sip:{members[0]}@example.test>"},
        {"userId": "77", "uri": '"Far"<sip:77@pbx.example.org>'},
    ]
    assert "provisioning" in refused(phones, "managePhone", search=search, restart=True)
    phones("managePhone", search=search, removeLineByUserId=members[0], addGroup="hall")
    (found,) = phones.all("findPhone", search={"byGroup": "hall"})
    assert [each.userId for each in found.lines] == ["77"]
    phones("managePhone", search=search, deletePhone=True)
    assert phones.all("findPhone") == []
    assert not phones.unused()


def test_zeep_resets_a_test_system(zeep: Zeep) -> None:
    """Last: nobody but superadmin is left."""
    reset = zeep["TestService"]
    zeep["ParkOrbitService"]("addParkOrbit", parkOrbit={"name": "west", "extension": "5424"})
    everything = ("callGroup", "parkOrbit", "permission", "phone", "user")
    reset("resetServices", **dict.fromkeys(everything, True))
    assert [each.userName for each in zeep["UserService"].all("findUser")] == ["superadmin"]
    assert zeep["ParkOrbitService"].all("getParkOrbits") == []
    assert zeep["CallGroupService"].all("getCallGroups") == []
    assert not reset.unused()
