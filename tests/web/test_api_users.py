"""/sipxconfig/api/users/, /sipxconfig/api/my/user/ and /sipxconfig/api/userGroups/ (8.2, 8.3)."""

from __future__ import annotations

from typing import Any

import pytest_twisted
import sqlalchemy as sa
from apikit import ADMIN, API, json_of, made, xml_of
from twisted.internet import defer

from sipxd.service.vault import pin_matches
from sipxd.store.schema import users

ensure = pytest_twisted.ensureDeferred

BEN = {
    "userName": "402",
    "lastName": "Ortiz",
    "firstName": "Ben",
    "aliases": ["benjamin"],
    "sipPassword": "secret-402",
    "pintoken": "pin-402",
    "voicemailPin": "4711",
    "branchName": "Harbour",
    "userProfile": {
        "userName": "402",
        "emailAddress": "ben@example.org",
        "alternateEmailAddress": "ben@home.example",
        "jobTitle": "Dispatcher",
        "manager": "Ann",
        "homeAddress": {"street": "4 Quay Road"},
        "useBranchAddress": True,
    },
    "groups": [{"name": "field-team"}],
}
MEMBERS = [
    "id",
    "userName",
    "lastName",
    "firstName",
    "aliases",
    "sipPassword",
    "pintoken",
    "voicemailPin",
    "branchName",
    "userProfile",
    "notified",
    "groups",
]


async def ben(house: Any) -> int:
    await house.send("PUT", "/sipxconfig/rest/branch", {"branch": {"name": "Harbour"}}, ADMIN)
    return await made(house, "users/", BEN)


async def status(house: Any, method: str, path: str, value: Any = None, user: str = ADMIN) -> int:
    return (await house.send(method, f"{API}/{path}", value, user)).status


@ensure
async def test_a_user_is_told_as_he_was_given_without_his_secrets(house) -> None:
    number = await ben(house)
    told = await json_of(house, "users/402/")
    assert list(told) == MEMBERS
    profile = told["userProfile"]
    assert list(profile)[:5] == ["userName", "authAccountName", "firstName", "lastName", "jobTitle"]
    assert list(profile)[-2:] == ["userId", "salutationId"]
    names = list(profile)
    at = names.index("alternateEmailAddress")
    assert names[at + 1 : at + 3] == ["emailAddressAliasesSet", "emailAddressAliases"]
    at = names.index("avatar")
    assert names[at + 1 : at + 3] == ["extAvatar", "useExtAvatar"]
    for name in ("emailAddress", "alternateEmailAddress", "jobTitle", "manager"):
        assert profile[name] == BEN["userProfile"][name]  # type: ignore[index]
    assert list(profile["homeAddress"].items()) == [
        ("country", None),
        ("street", "4 Quay Road"),
        ("city", None),
        ("zip", None),
        ("officeDesignation", None),
        ("state", None),
    ]
    assert (profile["useBranchAddress"], profile["userId"]) == (True, str(number))
    told.pop("userProfile")
    assert told == {
        "id": number,
        "userName": "402",
        "lastName": "Ortiz",
        "firstName": "Ben",
        "aliases": ["benjamin"],
        "sipPassword": None,
        "pintoken": None,
        "voicemailPin": None,
        "branchName": "Harbour",
        "notified": False,
        "groups": [
            {"id": 2, "name": "field-team", "description": None, "weight": 2, "count": None}
        ],
    }
    assert house.app.accounts.sip_password(house.user("402")) == "secret-402"
    assert (await house.app.accounts.authenticate("402", "pin-402", "127.0.0.1")).id == number
    query = sa.select(users.c.voicemail_pin).where(users.c.id == number)
    assert pin_matches(await house.app.store.read("test", lambda c: c.scalar(query)), "4711")


@ensure
async def test_a_user_is_told_and_given_in_xml(house) -> None:
    document = (
        "<User><userName>402</userName><lastName>Ortiz</lastName>"
        "<Aliases><Alias>benjamin</Alias></Aliases><pintoken>pin-402</pintoken>"
        "<userProfile><emailAddress>ben@example.org</emailAddress></userProfile>"
        "<Groups><Group><name>sales</name></Group></Groups></User>"
    )
    answer = await house.request(
        "POST", f"{API}/users", ADMIN, document.encode(), Content_Type="text/xml"
    )
    assert answer.status == 200, answer
    told = await xml_of(house, "users/402")
    assert told.startswith(
        f"<User><id>{int(answer.body)}</id><userName>402</userName><lastName>Ortiz</lastName>"
        "<Aliases><Alias>benjamin</Alias></Aliases><userProfile><userName>402</userName>"
    )
    assert "<emailAddress>ben@example.org</emailAddress>" in told
    assert told.endswith(
        "<notified>false</notified><Groups><Group><id>1</id><name>sales</name><weight>1</weight>"
        "</Group></Groups></User>"
    )
    listed = await xml_of(house, "users")
    assert listed.startswith("<Users><User><id>1</id><userName>superadmin</userName>")
    assert listed.count("<userProfile>") == 5


@ensure
async def test_what_a_change_does_not_name_stays_and_groups_are_added(house) -> None:
    number = await ben(house)
    before = await json_of(house, "users/402")
    change = {"firstName": "Benny", "groups": [{"name": "sales"}, {"name": "brand-new"}]}
    answer = await house.send("PUT", f"{API}/users/402", change, ADMIN)
    assert (answer.status, answer.body) == (200, str(number).encode())
    after = await json_of(house, "users/402")
    assert [group["name"] for group in after["groups"]] == ["sales", "field-team", "brand-new"]
    assert after["userProfile"] == before["userProfile"] | {"firstName": "Benny"}
    assert {**after, "groups": 0, "firstName": 0, "userProfile": 0} == {
        **before,
        "groups": 0,
        "firstName": 0,
        "userProfile": 0,
    }
    more = {"aliases": [], "branchName": "", "userProfile": {"jobTitle": "Pilot", "enabled": False}}
    assert await status(house, "PUT", "users/402", more) == 200
    after = await json_of(house, "users/402")
    assert (after["aliases"], after["branchName"]) == ([], None)
    assert after["userProfile"]["jobTitle"] == "Pilot"
    assert after["userProfile"]["manager"] == "Ann"
    assert not house.user("402").enabled
    assert await status(house, "DELETE", "users/402") == 200
    assert await status(house, "GET", "users/402") == 404


@ensure
async def test_lists_are_told_in_part_and_by_address(house) -> None:
    await ben(house)

    async def names(query: str) -> list[str]:
        return [user["userName"] for user in (await json_of(house, f"users{query}"))["users"]]

    assert await names("") == ["superadmin", "200", "201", "202", "402"]
    assert await names("?start=1&limit=2") == ["200", "201"]
    assert await names("?start=1") == ["superadmin", "200", "201", "202", "402"]
    assert await names("?email=BEN@ex") == ["402"]
    assert await names("?email=home.example") == ["402"]
    assert await names("?email=home.example&start=0&limit=2") == []
    assert await names("/email?emailFilter=@example.org") == ["402"]
    assert await names("/email?emailFilter=nobody") == []


@ensure
async def test_users_join_and_leave_groups(house) -> None:
    assert await status(house, "POST", "users/200/groups/walkers") == 200
    assert await status(house, "POST", "users/200/groups/sales") == 200
    groups = (await json_of(house, "users/200/groups"))["groups"]
    assert [(group["name"], group["weight"]) for group in groups] == [("sales", 1), ("walkers", 2)]
    assert await status(house, "DELETE", "users/200/groups/sales") == 200
    assert await status(house, "DELETE", "users/200/groups/sales") == 404
    assert house.user("200").groups == ("walkers",)
    assert await status(house, "DELETE", "users/200/groups") == 200
    assert house.user("200").groups == ()


@ensure
async def test_what_breaks_a_rule_is_told_and_nothing_is_stored(house) -> None:
    await ben(house)
    for path, body, expected, word in (
        ("users", {}, 400, "userName is missing"),
        ("users", {"userName": "4 4"}, 400, "1 to 64 characters"),
        ("users", {"userName": "200"}, 409, "another user"),
        ("users", {"userName": "404", "branchName": "Nowhere"}, 400, "no branch"),
        ("users", {"userName": "404", "groups": [{}]}, 400, "groups[0].name is missing"),
        ("users", {"userName": "404", "userProfile": {"emailAddress": "x"}}, 400, "ann@example"),
        ("users", {"userName": "404", "userProfile": {"jobTitle": 7}}, 400, "userProfile.jobTitle"),
        ("users", {"userName": "404", "groups": [{"name": "a/b"}]}, 400, "no slash"),
    ):
        answer = await house.send("POST", f"{API}/{path}", body, ADMIN)
        assert answer.status == expected, answer
        assert word in answer.json["detail"]
        if body:
            change = {"lastName": "X"} | body
            assert await status(house, "PUT", f"{path}/402", change) == expected
            assert house.user("402").last_name == "Ortiz"
    assert house.app.accounts.find("404") is None
    assert await status(house, "PUT", "users/nobody", {}) == 404
    assert await status(house, "DELETE", "users/superadmin") == 403
    assert await status(house, "GET", "users", user="200") == 403


@ensure
async def test_a_user_sees_himself_and_changes_nothing_here(house) -> None:
    mine = await json_of(house, "my/user/", "200")
    assert mine == await json_of(house, "users/200")
    assert await status(house, "PUT", "my/user", {}, "200") == 403
    assert await status(house, "DELETE", "my/user/settings/callfwd/timer", None, "200") == 403
    portal = await json_of(house, "my/user/settings/user-portal", "200")
    assert [each["path"] for each in portal["settings"]] == [
        "user-portal/clickToCall-chat/clickToCall",
        "user-portal/clickToCall-chat/chat",
        "user-portal/clickToCall-conf/conf",
    ]
    one = await json_of(house, "my/user/settings/im/on-the-phone-message", "200")
    assert (one["value"], one["defaultValue"]) == ("On the phone", "On the phone")


@ensure
async def test_settings_of_every_family_are_put_told_and_reset(house) -> None:
    abroad = "permission/call-handling/InternationalDialing"
    for path, value, told, default in (
        ("callfwd/timer", b"35", "35", "20"),
        ("im/im-account", b"true", "1", "0"),
        (abroad, b"ENABLE", "ENABLE", "DISABLE"),
    ):
        whole = f"users/200/settings/{path}"
        answer = await house.request(
            "PUT", f"{API}/{whole}", ADMIN, value, Content_Type="text/plain"
        )
        assert answer.status == 200, answer
        setting = await json_of(house, whole)
        assert (setting["path"], setting["value"], setting["defaultValue"]) == (path, told, default)
        if path == abroad:
            assert "InternationalDialing" in house.user("200").permissions
        if path == "callfwd/timer":
            assert house.app.forwardings.of(house.user("200")).timer == 35
        assert await status(house, "DELETE", whole) == 200
        assert (await json_of(house, whole))["value"] == default
    assert "InternationalDialing" not in house.user("200").permissions
    listed = (await json_of(house, "users/200/settings"))["settings"]
    values = {each["path"]: each["value"] for each in listed}
    wanted = [
        {"path": abroad, "value": "ENABLE"},
        {"path": "callfwd/timer", "value": "40"},
        {"path": "im/im-account", "value": "1"},
    ]
    assert await status(house, "PUT", "users/200/settings", {"settings": wanted}) == 200
    changed = (await json_of(house, "users/200/settings"))["settings"]
    assert {each["path"]: each["value"] for each in changed} == values | {
        each["path"]: each["value"] for each in wanted
    }
    for path, value, expected in (
        ("callfwd/timer", b"1000", 400),
        ("callfwd/timer", b"soon", 400),
        (abroad, b"perhaps", 400),
        ("im/im-account", b"2", 400),
        ("no/such", b"1", 404),
    ):
        answer = await house.request("PUT", f"{API}/users/200/settings/{path}", ADMIN, value)
        assert answer.status == expected, answer
    partly = [{"path": "im/im-account", "value": "0"}, {"path": "no/such", "value": "1"}]
    assert await status(house, "PUT", "users/200/settings", {"settings": partly}) == 404
    assert (await json_of(house, "users/200/settings/im/im-account"))["value"] == "1"


@ensure
async def test_a_file_sets_a_setting_of_many_users(house) -> None:
    def form(text: str) -> bytes:
        return (
            "--cut\r\nContent-Disposition: form-data; name=file; filename=values.csv\r\n"
            f"Content-Type: text/csv\r\n\r\n{text}\r\n--cut--\r\n"
        ).encode()

    async def upload(text: str) -> Any:
        return await house.request(
            "PUT",
            f"{API}/users/upload/settings/im/im-account",
            ADMIN,
            form(text),
            Content_Type="multipart/form-data; boundary=cut",
        )

    answer = await upload("200,1\r\nben,1\r\n201,1\r\n")
    assert (answer.status, answer.body) == (200, b"upload success")
    for name in ("200", "201"):
        assert (await json_of(house, f"users/{name}/settings/im/im-account"))["value"] == "1"
    for text in ("202,1\r\nnobody,1\r\n", "202\r\n", "202,1,1\r\n", "202,perhaps\r\n"):
        assert (await upload(text)).status == 417
    assert (await json_of(house, "users/202/settings/im/im-account"))["value"] == "0"


@ensure
async def test_groups_are_made_counted_moved_and_deleted(house) -> None:
    walkers = await made(house, "userGroups/", {"name": "walkers", "description": "On foot"})
    riders = await made(house, "userGroups", {"name": "7"})
    assert await json_of(house, "userGroups") == {
        "groups": [
            {"id": 1, "name": "sales", "description": None, "weight": 1, "count": 1},
            {"id": walkers, "name": "walkers", "description": "On foot", "weight": 2, "count": 0},
            {"id": riders, "name": "7", "description": None, "weight": 3, "count": 0},
        ]
    }
    assert await xml_of(house, "userGroups/walkers") == (
        f"<group><id>{walkers}</id><name>walkers</name><description>On foot</description>"
        "<weight>2</weight><count>0</count></group>"
    )
    assert await xml_of(house, f"userGroups/{walkers}") == await xml_of(house, "userGroups/walkers")
    assert (await json_of(house, "userGroups/7"))["id"] == riders
    assert await status(house, "PUT", "userGroups/7/up") == 200
    assert await status(house, "PUT", "userGroups/sales/down") == 200
    order = (await json_of(house, "userGroups"))["groups"]
    assert [group["name"] for group in order] == ["7", "sales", "walkers"]
    assert await status(house, "PUT", "userGroups/sales", {"name": "shop"}) == 200
    assert house.user("201").groups == ("shop",)
    assert await status(house, "DELETE", "userGroups/shop") == 200
    assert house.user("201").groups == ()
    assert await status(house, "GET", "userGroups/shop") == 404
    assert await status(house, "POST", "userGroups", {"name": "walkers"}) == 409
    assert await status(house, "POST", "userGroups", {"name": ""}) == 400


@ensure
async def test_settings_of_a_group_hold_for_members_who_have_set_nothing(house) -> None:
    path = "userGroups/sales/settings/im/on-the-phone-message"
    await house.request("PUT", f"{API}/{path}", ADMIN, b"Selling", Content_Type="text/plain")
    mine = "my/user/settings/im/on-the-phone-message"
    assert (await json_of(house, path))["value"] == "Selling"
    assert (await json_of(house, mine, "201"))["value"] == "Selling"
    assert (await json_of(house, mine, "200"))["value"] == "On the phone"
    abroad = {"path": "permission/call-handling/InternationalDialing", "value": "ENABLE"}
    assert await status(house, "PUT", "userGroups/sales/settings", {"settings": [abroad]}) == 200
    assert "InternationalDialing" in house.user("201").permissions
    assert await status(house, "DELETE", path) == 200
    assert (await json_of(house, mine, "201"))["value"] == "On the phone"
    assert await status(house, "GET", "userGroups/sales/settings/no/such") == 404


@ensure
async def test_a_group_gives_its_members_instant_messages_and_one_of_them_may_decline(
    house,
) -> None:
    async def im_id() -> str:
        return (await json_of(house, "users/201"))["userProfile"]["imId"]

    assert await im_id() == ""
    for path, value, expected in (
        ("userGroups/sales", b"1", "201"),
        ("users/201", b"0", ""),
        ("users/201", b"1", "201"),
    ):
        await house.request("PUT", f"{API}/{path}/settings/im/im-account", ADMIN, value)
        assert await im_id() == expected


@ensure
async def test_nobody_changes_the_group_that_makes_him_an_administrator(house) -> None:
    admin = {"path": "permission/application/superadmin", "value": "ENABLE"}
    await status(house, "PUT", "userGroups/sales/settings", {"settings": [admin]})
    assert await status(house, "GET", "userGroups", user="201") == 200
    assert await status(house, "PUT", "userGroups/sales", {"name": "x"}, "201") == 403
    assert await status(house, "DELETE", "userGroups/sales", user="201") == 403
    assert await status(house, "PUT", "userGroups/sales/down", user="201") == 403
    assert await status(house, "DELETE", "userGroups/sales") == 200


@ensure
async def test_who_joins_and_leaves_several_groups_at_once_is_where_he_was_sent(house) -> None:
    await ben(house)
    names = [f"team-{number}" for number in range(8)]
    ways = [house.send("POST", f"{API}/users/402/groups/{name}", {}, ADMIN) for name in names]
    ways.append(house.send("PUT", f"{API}/users/402", {"groups": [{"name": "crew"}]}, ADMIN))
    assert {answer.status for answer in await defer.gatherResults(ways)} == {200}
    assert set(house.user("402").groups) == {"field-team", "crew", *names}
    ways = [house.send("DELETE", f"{API}/users/402/groups/{name}", {}, ADMIN) for name in names]
    assert {answer.status for answer in await defer.gatherResults(ways)} == {200}
    assert set(house.user("402").groups) == {"field-team", "crew"}


@ensure
async def test_the_pin_of_the_mailbox_is_stored_with_the_rest_or_not_at_all(house) -> None:
    def stored(connection: sa.Connection) -> str:
        return connection.scalar(sa.select(users.c.voicemail_pin).where(users.c.id == ben_id))

    ben_id = house.user("200").id
    for change, expected, changes in (
        ({"voicemailPin": "4711", "userName": "201"}, 409, False),
        ({"voicemailPin": "1", "lastName": "X"}, 400, False),
        ({"voicemailPin": "4711", "lastName": "Ortiz"}, 200, True),
    ):
        before = await house.app.store.read("pin", stored)
        assert await status(house, "PUT", "users/200", change) == expected
        assert (await house.app.store.read("pin", stored) != before) is changes
    assert house.user("200").last_name == "Ortiz"
