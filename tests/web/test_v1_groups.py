"""/v1/groups: the hunt groups, for administrators."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import defer

ensure = pytest_twisted.ensureDeferred
PATH = "/v1/groups"
ADMIN = "superadmin"

SALES = {
    "name": "sales-desk",
    "extension": "500",
    "did": "4930500",
    "description": "Sales",
    "enabled": False,
    "follow": False,
    "members": [
        {"user": "200", "seconds": 10, "type": "if-no-response"},
        {"user": "201", "seconds": 999, "type": "at-the-same-time"},
    ],
    "voicemail_fallback": True,
    "fallback": "202",
    "fallback_seconds": 5,
}
SMALL: dict = {"name": "small", "extension": "501", "members": []}


def post(house, value=None, user=ADMIN, **headers):
    return house.send("POST", PATH, SALES if value is None else value, user, **headers)


@ensure
async def test_a_new_group_is_told_and_found_again(house):
    answer = await post(house)
    assert answer.status == 201, answer
    number = answer.json["id"]
    assert answer.json == {"id": number, **SALES}
    assert answer.headers["Location"] == f"{PATH}/{number}"
    told = await house.get(f"{PATH}/{number}", ADMIN)
    assert (told.body, told.headers["ETag"]) == (answer.body, answer.headers["ETag"])
    assert (await house.get(PATH, ADMIN)).json == {"groups": [answer.json], "next": None}


@ensure
async def test_what_is_left_out_has_its_default(house):
    answer = await post(house, SMALL | {"members": [{"user": "ben"}], "unknown": [1]})
    member = {"user": "200", "seconds": 30, "type": "if-no-response"}  # by his alias
    assert answer.json == {
        "id": answer.json["id"],
        **SMALL,
        "members": [member],
        "did": "",
        "description": "",
        "enabled": True,
        "follow": True,
        "voicemail_fallback": False,
        "fallback": "",
        "fallback_seconds": 30,
    }


@ensure
async def test_a_group_is_replaced_and_deleted(house):
    place = (await post(house)).headers["Location"]
    answer = await house.send("PUT", place, SMALL, ADMIN)
    assert (answer.status, answer.json["members"], answer.json["did"]) == (200, [], "")
    assert (await post(house)).status == 201  # the names are free again
    gone = await house.request("DELETE", place, ADMIN)
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "PUT", "DELETE"):
        assert (await house.send(method, place, SMALL, ADMIN)).status == 404


@ensure
async def test_pages_follow_each_other_without_gap(house):
    for count in range(5):
        group = SMALL | {"name": f"g{count}", "extension": f"{600 - count}"}
        assert (await post(house, group)).status == 201
    names, path = [], f"{PATH}?limit=2"
    while path:
        page = (await house.get(path, ADMIN)).json
        assert len(page["groups"]) <= 2
        names += [group["name"] for group in page["groups"]]
        path = page["next"] and f"{PATH}?limit=2&cursor={page['next']}"
    assert names == ["g0", "g1", "g2", "g3", "g4"]
    for query, field in (("limit=0", "limit"), ("limit=x", "limit"), ("cursor=a", "cursor")):
        answer = await house.get(f"{PATH}?{query}", ADMIN)
        assert (answer.status, answer.field) == (400, field)


def member(**changes: object) -> dict:
    return SALES | {"members": [SALES["members"][0], SALES["members"][1] | changes]}


BAD = [
    (member(user="nobody"), 400, "members[1].user"),
    (member(user=201), 400, "members[1].user"),
    (member(user="2\n"), 400, "members[1].user"),
    (member(seconds=0), 400, "members[1].seconds"),
    (member(seconds=1000), 400, "members[1].seconds"),
    (member(seconds="5"), 400, "members[1].seconds"),
    (member(type="If no response"), 400, "members[1].type"),
    (SALES | {"members": [{}]}, 400, "members[0].user"),
    (SALES | {"members": [{"user": "200"}] * 201}, 400, "members"),
    (SALES | {"members": "200"}, 400, "members"),
    (SALES | {"members": ["200"]}, 400, "members[0]"),
    (SALES | {"members": None}, 400, "members"),
    ({"name": "x", "extension": "5"}, 400, "members"),
    ({"name": "x", "members": []}, 400, "extension"),
    ({"extension": "5", "members": []}, 400, "name"),
    (SALES | {"name": ""}, 400, "name"),
    (SALES | {"name": "two words"}, 400, "name"),
    (SALES | {"name": "n" * 65}, 400, "name"),
    (SALES | {"name": "n" * 256}, 400, "name"),
    (SALES | {"extension": "5/5"}, 400, "extension"),
    (SALES | {"extension": 500}, 400, "extension"),
    (SALES | {"extension": "200"}, 409, "extension"),
    (SALES | {"name": "ben"}, 409, "name"),
    (SALES | {"did": "+1 2"}, 400, "did"),
    (SALES | {"enabled": 1}, 400, "enabled"),
    (SALES | {"follow": "yes"}, 400, "follow"),
    (SALES | {"description": "d" * 256}, 400, "description"),
    (SALES | {"description": "a\u202eb"}, 400, "description"),
    (SALES | {"fallback": "no/number"}, 400, "fallback"),
    (SALES | {"fallback_seconds": 0}, 400, "fallback_seconds"),
    (b'{"name":"a","name":"b","extension":"5","members":[]}', 400, "name"),
    (b'{"name":"a","extension":"5","members":[{"user":"200","user":"201"}]}', 400,
     "members[0].user"),
    (b"[]", 400, None),
    (b"", 400, None),
    (b"<x/>", 400, None),
    (b'{"name":"\xfc","extension":"5","members":[]}', 400, None),
    (b'{"name":"a","extension":"5","members":[],"x":' + b"[" * 40 + b"]" * 40 + b"}", 400, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_stored(house, body, status, field):
    await post(house, SMALL)
    place = (await post(house, SALES)).headers["Location"]
    before = (await house.get(PATH, ADMIN)).body
    for method, path in (("POST", PATH), ("PUT", place)):
        answer = await house.send(method, path, body, ADMIN)
        assert (answer.status, answer.field) == (status, field), answer
        assert (await house.get(PATH, ADMIN)).body == before


@ensure
async def test_a_circle_is_refused(house):
    await post(house, SMALL | {"members": [{"user": "200"}]})
    rings = {"rings": [{"number": "501"}], "rules": []}
    answer = await house.send("PUT", "/v1/users/200/forwarding", rings, ADMIN)
    assert (answer.status, answer.field) == (400, "rings[0].number")
    assert "circle" in answer.json["detail"]
    again = SMALL | {"name": "x", "extension": "502", "fallback": "502"}
    answer = await post(house, again)
    assert answer.status == 400
    assert "circle" in answer.json["detail"]


@ensure
async def test_what_is_not_called_json_or_is_too_long_is_refused(house):
    answer = await house.request("POST", PATH, ADMIN, b"{}", Content_Type="text/plain")
    assert (answer.status, answer.headers["Accept"]) == (415, "application/json")
    assert (await post(house, b" " * 5_000_000)).status == 413
    assert (await house.get(PATH, ADMIN, Accept="text/xml")).status == 406


@ensure
async def test_only_administrators_get_in(house):
    place = (await post(house)).headers["Location"]
    for method, path in (
        ("GET", PATH), ("POST", PATH), ("GET", place), ("PUT", place), ("DELETE", place),
        ("GET", PATH + "/999"),
    ):  # fmt: skip
        for user, status in (("200", 403), (None, 401)):
            answer = await house.send(method, path, SMALL, user)
            assert (answer.status, answer.field) == (status, None)
    assert len((await house.get(PATH, ADMIN)).json["groups"]) == 1
    for text in ("0", "x", "%2B1", "9" * 16, "99"):
        for method in ("GET", "PUT", "DELETE"):
            assert (await house.send(method, f"{PATH}/{text}", SMALL, ADMIN)).status == 404


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@ensure
async def test_of_two_writers_at_once_who_have_read_the_same_one_wins(house, order):
    made = await post(house)
    place, tag = made.headers["Location"], made.headers["ETag"]
    for count in range(5):
        bodies = [SALES | {"description": f"{count} {which}"} for which in order]
        writing = [house.send("PUT", place, body, ADMIN, If_Match=tag) for body in bodies]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert sorted(answer.status for answer in answers) == [200, 412]
        winner = next(answer for answer in answers if answer.status == 200)
        told = await house.get(place, ADMIN)
        assert (told.body, told.headers["ETag"]) == (winner.body, winner.headers["ETag"])
        tag = told.headers["ETag"]
    stale = await house.request("DELETE", place, ADMIN, If_Match=made.headers["ETag"])
    assert stale.status == 412
    assert (await house.request("DELETE", place, ADMIN, If_Match=tag)).status == 204


@ensure
async def test_a_name_that_is_taken_is_named_by_the_member_that_has_it(house):
    await post(house, SMALL)
    place = (await post(house)).headers["Location"]
    for member in ("name", "extension", "did"):
        for taken in ("small", "501", "ben"):
            answer = await house.send("PUT", place, SALES | {member: taken}, ADMIN)
            assert (answer.status, answer.field) == (409, member), answer


@ensure
async def test_two_new_groups_at_once_cannot_have_the_same_extension(house):
    writing = [post(house, SMALL | {"name": f"g{count}"}) for count in range(4)]
    answers = [answer for _, answer in await defer.DeferredList(writing)]
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert {answer.field for answer in answers if answer.status == 409} == {"extension"}
