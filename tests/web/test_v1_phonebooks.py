"""/v1/phonebooks: shared phonebooks, and what is in them, for administrators."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

ensure = pytest_twisted.ensureDeferred
PATH = "/v1/phonebooks"
ADMIN = "superadmin"
ADA = {"first_name": "Ada", "last_name": "Park", "number": "9001", "contact": {"fax_number": "7"}}
BEN = {"first_name": "Ben", "last_name": "", "number": "9000", "contact": {}}


async def made(house: Any, **values: Any) -> str:
    """The path of a new phonebook."""
    answer = await house.send("POST", PATH, {"name": "partners", **values}, ADMIN)
    assert answer.status == 201, answer
    location: str = answer.headers["Location"]
    return location


async def entries(house: Any, path: str) -> list[dict[str, Any]]:
    """What is in it, without ids."""
    told = (await house.get(f"{path}/entries", ADMIN)).json["entries"]
    return [{name: value for name, value in each.items() if name != "id"} for each in told]


@ensure
async def test_a_phonebook_is_made_read_replaced_and_deleted(house: Any) -> None:
    path = await made(house, description="d", members=["sales"], consumers=["sales", "new"])
    assert path == f"{PATH}/1"
    told = {"id": 1, "name": "partners", "description": "d", "members": ["sales"]}
    assert (await house.get(path, ADMIN)).json == told | {"consumers": ["sales", "new"]}
    replaced = await house.send("PUT", path, {"name": "clients"}, ADMIN)
    assert (replaced.status, replaced.json) == (
        200,
        {"id": 1, "name": "clients", "description": "", "members": [], "consumers": []},
    )
    assert (await house.request("DELETE", path, ADMIN)).status == 204
    for method in ("GET", "PUT", "DELETE"):
        assert (await house.send(method, path, {"name": "x"}, ADMIN)).status == 404
    assert (await house.get(f"{path}/entries", ADMIN)).status == 404


@ensure
async def test_the_list_comes_in_pages(house: Any) -> None:
    for name in ("c", "a", "b"):
        await made(house, name=name)
    first = (await house.get(f"{PATH}?limit=2", ADMIN)).json
    assert [book["name"] for book in first["phonebooks"]] == ["c", "a"]
    second = (await house.get(f"{PATH}?limit=2&cursor={first['next']}", ADMIN)).json
    assert [book["name"] for book in second["phonebooks"]] == ["b"]
    assert second["next"] is None


@ensure
async def test_entries_are_appended_or_put_in_the_place_of_all(house: Any) -> None:
    path = await made(house)
    for how, given, after in (
        ("POST", [ADA], [ADA]),
        ("POST", [BEN], [ADA, BEN]),
        ("PUT", [BEN], [BEN]),
        ("PUT", [], []),
    ):
        answer = await house.send(how, f"{path}/entries", {"entries": given}, ADMIN)
        assert (answer.status, answer.json) == (200, {"imported": len(given)})
        assert await entries(house, path) == after


@pytest.mark.parametrize("kind", ["text/csv", "text/x-vcard", "text/vcard"])
@ensure
async def test_files_go_out_and_come_in(house: Any, kind: str) -> None:
    path = await made(house)
    await house.send("PUT", f"{path}/entries", {"entries": [ADA, BEN]}, ADMIN)
    file = await house.get(f"{path}/entries", ADMIN, Accept=kind)
    assert file.headers["Content-Type"] == kind
    answer = await house.request("PUT", f"{path}/entries", ADMIN, file.body, Content_Type=kind)
    assert (answer.status, answer.json) == (200, {"imported": 2})
    assert await entries(house, path) == [ADA, BEN]


@pytest.mark.parametrize(
    ("how", "path", "value", "status", "field"),
    [
        ("POST", "", {}, 400, "name"),
        ("POST", "", {"name": ""}, 400, "name"),
        ("POST", "", {"name": "a/b"}, 400, "name"),
        ("POST", "", {"name": "privatePhonebook_1"}, 400, "name"),
        ("POST", "", {"name": "taken"}, 409, "name"),
        ("POST", "", {"name": "x", "members": ["a", "a"]}, 400, "members"),
        ("POST", "/1/entries", {"entries": [ADA, {"number": "1"}]}, 400, "entries[1].first_name"),
        ("POST", "/1/entries", {"entries": [{"first_name": "A"}]}, 400, "entries[0].number"),
        ("POST", "/1/entries", {"entries": [ADA | {"contact": {"email_address": "x"}}]}, 400,
         "entries[0].contact.email_address"),
        ("POST", "/1/entries", {}, 400, "entries"),
        ("GET", "/x", None, 404, None),
    ],
)  # fmt: skip
@ensure
async def test_what_is_wrong_is_named_and_nothing_is_stored(
    house: Any, how: str, path: str, value: Any, status: int, field: str | None
) -> None:
    await made(house, name="taken")
    answer = await house.send(how, PATH + path, value, ADMIN)
    assert answer.status == status, answer
    assert field is None or answer.field == field
    assert len((await house.get(PATH, ADMIN)).json["phonebooks"]) == 1
    assert await entries(house, f"{PATH}/1") == []


@ensure
async def test_they_are_for_administrators(house: Any) -> None:
    await made(house)
    for how, path in (("GET", ""), ("POST", ""), ("PUT", "/1"), ("PUT", "/1/entries")):
        assert (await house.send(how, PATH + path, {"name": "x"})).status == 403
    form = {"Content_Type": "text/plain", "Origin": "https://elsewhere.example"}
    path = f"{PATH}/1/entries"
    assert (await house.request("POST", path, ADMIN, b"x", **form)).status == 415
