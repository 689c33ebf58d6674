"""What is managed by SOAP is there at every other door, and for telephones, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from daemon import Daemon
from foreign_soap import Zeep
from forwarding import connected, in_vain, takes, told
from roles import Pair, answered_by, joined, picked_up
from sipp import Phone
from steps import expect, hang_up, hung_up, pause, register_refused
from zeep.exceptions import Fault

USER, GROUP, ORBIT = "8101", "8201", "8301"


@pytest.fixture(scope="module")
def zeep(daemon: Daemon) -> Zeep:
    """The services as zeep sees them."""
    return Zeep(daemon)


def test_a_user_made_by_soap_is_called_found_and_changed_by_rest_and_gone_when_soap_deletes_him(
    daemon: Daemon,
    zeep: Zeep,
    new_user: Callable[[], str],
    make_phone: Callable[[str], Phone],
) -> None:
    users, search = zeep["UserService"], {"byUserName": USER}
    pin, password = f"pin-{USER}-Kx4", f"sip-{USER}-Qz9"
    daemon.know_user(USER, pin, password)
    user = {"userName": USER, "lastName": "Ortiz", "firstName": "Ben", "sipPassword": password}
    users("addUser", user=user, pin=pin, vmpin="")

    caller, callee = make_phone(new_user()).register(), make_phone(USER).register()
    caller.start(picked_up(caller), joined(caller, callee), hung_up())
    callee.start(answered_by(callee, caller), pause(100), hang_up())
    pair = Pair(caller, callee, daemon.client(caller.user))
    record = pair.client.wait_state(pair.call(), "ended")
    assert (record["number"], record["cause"]["who"]) == (USER, "callee")
    pair.finish()

    admin, forwarding = daemon.client("superadmin"), f"/v1/users/{USER}/forwarding"
    assert admin.ask("GET", forwarding).status == 200
    assert daemon.client(USER).ask("GET", "/v1/users/me/forwarding").status == 200
    (number,) = (each["id"] for each in listed(daemon) if each["userName"] == USER)
    changed = {"userName": USER, "lastName": "Marsh", "aliases": [{"alias": "cleo"}]}
    assert admin.ask("PUT", f"/sipxconfig/rest/user/{number}", {"user": changed}).status == 200
    (seen,) = users.all("findUser", search=search)
    assert (seen.lastName, seen.aliases) == ("Marsh", ["cleo"])

    users("manageUser", search=search, deleteUser=True)
    refusal = register_refused(USER, password, daemon.domain)
    callee.start(refusal, request_uri=daemon.domain).finish()
    assert pair.client.call(USER).status == 404
    assert daemon.client(USER).ask("GET", "/v1/users/me/forwarding").status == 401
    assert admin.ask("GET", forwarding).status == 404


def listed(daemon: Daemon) -> list[dict[str, Any]]:
    """All users, as sipXcom's REST interface lists them."""
    client = daemon.client("superadmin")
    answer = client.ask("GET", "/sipxconfig/rest/user", Accept="application/json")
    users: list[dict[str, Any]] = answer.json()["user"]["users"]
    return users


def test_a_hunt_group_made_by_soap_takes_the_next_call_and_none_once_it_is_removed(
    zeep: Zeep, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    groups = zeep["CallGroupService"]
    caller, first, second = (make_phone(new_user()).register() for _ in range(3))
    rings = [
        {"expiration": 1, "type": "delayed", "position": 0, "userName": first.user},
        {"expiration": 3, "type": "delayed", "position": 1, "userName": second.user},
    ]
    group = {"name": "sales", "extension": GROUP, "enabled": True, "rings": rings}
    groups("addCallGroup", callGroup=group)
    first.start(in_vain())
    second.start(takes(second))
    caller.dial(GROUP, connected(second))
    for phone in (caller, first, second):
        phone.finish()
    groups("removeCallGroup", callGroup=GROUP)
    caller.dial(GROUP, expect(404), caller.refused(GROUP)).finish()


def test_a_park_orbit_is_known_and_takes_no_call(
    zeep: Zeep, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    orbits = zeep["ParkOrbitService"]
    orbits("addParkOrbit", parkOrbit={"name": "south", "extension": ORBIT})
    caller = make_phone(new_user()).register()
    caller.dial(ORBIT, told(caller, ORBIT, 480)).finish()
    assert "park" in caller.messages()


def test_who_is_no_administrator_is_let_in_by_no_service(
    daemon: Daemon, new_user: Callable[[], str]
) -> None:
    client = daemon.client(new_user())
    path = "/sipxconfig/services/UserService"
    assert client.ask("GET", f"{path}?wsdl").status == 403
    assert client.ask("POST", path, b"<Envelope/>").status == 403
    client.headers.clear()
    assert client.ask("GET", f"{path}?wsdl").status == 401


def test_nothing_is_reset_where_no_one_has_allowed_it(
    zeep: Zeep, new_user: Callable[[], str]
) -> None:
    name = new_user()
    with pytest.raises(Fault, match="soap_test_service"):
        zeep["TestService"]("resetServices", user=True)
    assert zeep["UserService"].all("findUser", search={"byUserName": name})
