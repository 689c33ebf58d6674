"""/v1/conferences: the conferences of all users, for administrators."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred
PATH = "/v1/conferences"
ADMIN = "superadmin"

STANDUP = {
    "name": "ops-standup",
    "extension": "5001",
    "owner": "200",
    "enabled": False,
    "description": "Daily ops call",
    "autorecorded": True,
    "access_code": "8642",
    "moderator_code": "97531",
    "quickstart": True,
    "video": True,
    "active_video_only": True,
    "max_members": 12,
    "moh": "FILES_SRC",
    "entry_tone": False,
    "exit_tone": False,
    "name_on_entry": True,
    "name_on_exit": True,
}
BARE = {
    "name": "bare",
    "extension": "5002",
    "owner": None,
    "enabled": True,
    "description": "",
    "autorecorded": False,
    "access_code": "",
    "moderator_code": "",
    "quickstart": False,
    "video": False,
    "active_video_only": False,
    "max_members": 0,
    "moh": "",
    "entry_tone": True,
    "exit_tone": True,
    "name_on_entry": False,
    "name_on_exit": False,
}


def post(house, value=None, user=ADMIN):
    return house.send("POST", PATH, STANDUP if value is None else value, user)


@ensure
async def test_a_new_conference_is_told_and_found_again_also_by_its_owner(house):
    answer = await post(house, STANDUP | {"owner": "ben"})  # by his alias
    assert answer.status == 201, answer
    number = answer.json["id"]
    assert answer.json == {"id": number, **STANDUP}
    assert answer.headers["Location"] == f"{PATH}/{number}"
    told = await house.get(f"{PATH}/{number}", ADMIN)
    assert (told.body, told.headers["ETag"]) == (answer.body, answer.headers["ETag"])
    own = await house.get("/sipxconfig/rest/my/conferences/ops-standup", Accept="application/json")
    assert own.json["setting"]["moderatorCode"] == "97531"
    await house.app.conferences.load()
    assert (await house.get(f"{PATH}/{number}", ADMIN)).body == answer.body


@ensure
async def test_what_is_left_out_has_its_default(house):
    answer = await post(house, {"name": "bare", "extension": "5002", "unknown": 1})
    assert answer.json == {"id": answer.json["id"], **BARE}


@ensure
async def test_pages_lead_to_each_other(house):
    for number in range(5):
        await post(house, {"name": f"c{number}", "extension": f"500{number}"})
    found, cursor = [], ""
    while cursor is not None:
        page = (await house.get(f"{PATH}?limit=2{cursor}", ADMIN)).json
        found += [each["name"] for each in page["conferences"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert found == ["c0", "c1", "c2", "c3", "c4"]
    assert (await house.get(f"{PATH}?limit=0", ADMIN)).field == "limit"
    assert (await house.get(f"{PATH}?cursor=x", ADMIN)).field == "cursor"


@ensure
async def test_a_conference_is_replaced_and_deleted_by_who_has_read_it(house):
    first = await post(house)
    path = first.headers["Location"]
    old = {"If-Match": first.headers["ETag"]}
    changed = await house.send("PUT", path, BARE, ADMIN, **old)
    assert (changed.status, changed.json) == (200, {"id": first.json["id"], **BARE})
    for method in ("PUT", "DELETE"):
        assert (await house.send(method, path, STANDUP, ADMIN, **old)).status == 412
    assert (await house.get(path, ADMIN)).json == changed.json
    gone = await house.request("DELETE", path, ADMIN, If_Match=changed.headers["ETag"])
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "PUT", "DELETE"):
        assert (await house.send(method, path, STANDUP, ADMIN)).status == 404
    assert (await house.get(PATH, ADMIN)).json == {"conferences": [], "next": None}


@ensure
async def test_of_changes_at_the_same_time_one_wins(house):
    first = await post(house)
    path = first.headers["Location"]
    tag = {"If-Match": first.headers["ETag"]}
    sent = [
        house.send("PUT", path, STANDUP | {"description": str(n), "moh": str(n)}, ADMIN, **tag)
        for n in range(4)
    ]
    answers = await defer.gatherResults(sent)
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]
    told = (await house.get(path, ADMIN)).json
    assert told["description"] == told["moh"]


@ensure
@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": ""}, 400, "name"),
        ({"name": "two words"}, 400, "name"),
        ({"name": 1}, 400, "name"),
        ({"extension": "5 001"}, 400, "extension"),
        ({"extension": None}, 400, "extension"),
        ({"owner": "nobody"}, 400, "owner"),
        ({"owner": 1}, 400, "owner"),
        ({"enabled": "yes"}, 400, "enabled"),
        ({"access_code": "1" * 65}, 400, "access_code"),
        ({"description": "a\nb"}, 400, "description"),
        ({"max_members": -1}, 400, "max_members"),
        ({"max_members": 10_001}, 400, "max_members"),
        ({"name": "200"}, 409, "name"),
        ({"extension": "ben"}, 409, "extension"),
        ({"extension": "7001"}, 409, "extension"),
        ({"name": "first"}, 409, "name"),
    ],
)
async def test_what_breaks_a_rule_is_named_and_not_stored(house, change, status, field):
    await house.send("POST", "/sipxconfig/api/orbits", {"name": "o", "extension": "7001"}, ADMIN)
    await post(house, {"name": "first", "extension": "5009"})
    second = await post(house)
    before = (await house.get(PATH, ADMIN)).json
    value = STANDUP | {"name": "n", "extension": "5555"} | change
    for method, path in (("POST", PATH), ("PUT", second.headers["Location"])):
        answer = await house.send(method, path, value, ADMIN)
        assert (answer.status, answer.field) == (status, field), answer
        assert (await house.get(PATH, ADMIN)).json == before


@ensure
async def test_the_name_of_a_conference_is_no_name_for_a_group_or_an_orbit(house):
    await post(house)
    group = {"name": "g", "extension": "5001", "members": []}
    assert (await house.send("POST", "/v1/groups", group, ADMIN)).status == 409
    orbit = {"name": "ops-standup", "extension": "7001"}
    assert (await house.send("POST", "/sipxconfig/api/orbits", orbit, ADMIN)).status == 409


@ensure
async def test_only_administrators_are_let_in(house):
    path = (await post(house)).headers["Location"]
    for user, status in ((None, 401), ("200", 403)):
        for method, where in (
            ("GET", PATH),
            ("POST", PATH),
            ("GET", path),
            ("PUT", path),
            ("DELETE", path),
        ):
            assert (await house.send(method, where, STANDUP, user)).status == status
    assert (await house.get(PATH, ADMIN, Accept="text/xml")).status == 406
    assert (await house.request("POST", PATH, ADMIN, b"{}")).status == 415
    assert (await house.request("PATCH", path, ADMIN)).status == 405
