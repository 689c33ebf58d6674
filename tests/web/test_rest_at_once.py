"""What administrators change at the same time: users and groups never mix (4.2, 4.5)."""

from __future__ import annotations

import pytest_twisted
from manage import ADMIN, REST, made
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred

JSON = {"Accept": "application/json"}
TEXTS = [f"text-{number}" for number in range(6)]


@ensure
async def test_a_user_is_as_one_of_those_who_changed_him_at_once_wanted_him(house) -> None:
    groups = [await made(house, "user-group", {"group": {"name": text}}) for text in TEXTS]
    branches = [await made(house, "branch", {"branch": {"name": text}}) for text in TEXTS]
    number = await made(house, "user", {"user": {"userName": "402"}})
    wanted = [
        {
            "userName": f"402-{text}",
            "pin": f"pin-{text}",
            "lastName": text,
            "firstName": text,
            "emailAddress": f"{text}@example.org",
            "groups": [{"id": group}],
            "branch": {"id": branch},
            "aliases": [{"alias": text}],
        }
        for text, group, branch in zip(TEXTS, groups, branches, strict=True)
    ]
    path = f"{REST}/user/{number}"
    ways = [house.send("PUT", path, {"user": each}, ADMIN) for each in wanted]
    reads = [house.get(path, ADMIN, **JSON) for _ in TEXTS]
    assert {answer.status for answer in await defer.gatherResults(ways)} == {200}
    told = [answer.json["user"] for answer in await defer.gatherResults(reads)]
    last = (await house.get(path, ADMIN, **JSON)).json["user"]
    texts = [each["lastName"] for each in wanted]
    for user in (*told, last):
        if user["lastName"]:
            expected = wanted[texts.index(user["lastName"])]
            told_groups = [{"id": group["id"]} for group in user["groups"]]
            assert told_groups == expected["groups"]
            assert user["branch"]["id"] == expected["branch"]["id"]
            for name in ("userName", "firstName", "emailAddress", "aliases"):
                assert user[name] == expected[name]
    user = house.app.accounts.by_id(number)
    assert (user.name, user.aliases) == (last["userName"], (last["lastName"],))
    assert await house.app.accounts.authenticate(user.name, f"pin-{user.last_name}", "192.0.2.1")


@ensure
async def test_a_user_stays_in_his_groups_whatever_they_are_called(house) -> None:
    group = await made(house, "user-group", {"group": {"name": "field"}})
    number = await made(house, "user", {"user": {"userName": "402", "groups": [{"id": group}]}})
    path = f"{REST}/user/{number}"

    async def rename(text: str) -> None:
        body = {"group": {"name": f"field-{text}", "description": text}}
        answer = await house.send("PUT", f"{REST}/user-group/{group}", body, ADMIN)
        assert answer.status == 200, answer

    async def send_back(text: str) -> None:
        """What clients do who change one thing."""
        read = (await house.get(path, ADMIN, **JSON)).json
        assert [each["id"] for each in read["user"]["groups"]] == [group]
        read["user"]["lastName"] = text
        answer = await house.send("PUT", path, read, ADMIN)
        assert answer.status == 200, answer

    async def in_list() -> None:
        listed = await house.get(f"{REST}/user?ids={number}", ADMIN, **JSON)
        (user,) = listed.json["user"]["users"]
        assert [each["id"] for each in user["groups"]] == [group]

    work = [way(text) for text in TEXTS for way in (rename, send_back)] + [in_list() for _ in TEXTS]
    await defer.gatherResults([defer.Deferred.fromCoroutine(each) for each in work])
    listed = (await house.get(f"{REST}/user-group", ADMIN, **JSON)).json["user-group"]["groups"]
    assert [each["id"] for each in listed] == [1, group]
    assert listed[1]["name"] == f"field-{listed[1]['description']}"
    assert house.user("402").groups == (listed[1]["name"],)


@ensure
async def test_whoever_is_deleted_with_his_group_and_branch_at_once_is_gone(house) -> None:
    group = await made(house, "user-group", {"group": {"name": "field"}})
    branch = await made(house, "branch", {"branch": {"name": "Harbour"}})
    belongs = {"groups": [{"id": group}], "branch": {"id": branch}}
    number = await made(house, "user", {"user": {"userName": "402"} | belongs})
    ways = [
        house.request("DELETE", f"{REST}/user-group/{group}", ADMIN),
        house.send("PUT", f"{REST}/user/{number}", {"user": {"userName": "402"} | belongs}, ADMIN),
        house.request("DELETE", f"{REST}/branch/{branch}", ADMIN),
        house.send("PUT", f"{REST}/user-group/{group}", {"group": {"name": "late"}}, ADMIN),
        house.request("DELETE", f"{REST}/user/{number}", ADMIN),
        house.get(f"{REST}/user", ADMIN),
    ]
    answers = await defer.gatherResults(ways)
    assert {answer.status for answer in answers} <= {200, 400}, answers
    for kind in ("user", "user-group", "branch"):
        listed = (await house.get(f"{REST}/{kind}", ADMIN)).body
        assert b"402" not in listed
        assert b"field" not in listed
        assert b"Harbour" not in listed
