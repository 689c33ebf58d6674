"""/my/callfwd: the call sequence with schedules, JSON only and without a root (contract 3.3)."""

from __future__ import annotations

import json

import pytest
import pytest_twisted
from twisted.internet import defer
from twisted.logger import globalLogPublisher

ensure = pytest_twisted.ensureDeferred
PATH = "/sipxconfig/rest/my/callfwd"
FORWARD = "/sipxconfig/rest/my/forward"

RING = {"expiration": 18, "type": "If no response", "enabled": True, "number": "402"}
OTHER = {"expiration": 30, "type": "At the same time", "enabled": True, "number": "403"}


def sequence(*rings: dict, **more: object) -> dict:
    return {"rings": list(rings), **more}


def put(house, value, user="201", **headers):
    return house.send("PUT", PATH, value, user, **headers)


@ensure
async def test_a_sequence_with_a_schedule_is_stored_and_told(house):
    rings = [RING | {"scheduleId": house.office_hours}, OTHER | {"scheduleId": None}]
    body = sequence(*rings, withVM=True, expiration=21)
    answer = await put(house, body)
    assert (answer.status, answer.body) == (200, b"")
    told = await house.get(PATH, "201")
    assert told.headers["Content-Type"] == "application/json"
    assert told.json == {"rings": rings, "withVM": False, "expiration": 21}
    assert list(told.json) == ["rings", "withVM", "expiration"]
    assert told.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"]
)
@ensure
async def test_the_body_is_json_whatever_it_is_called(house, content_type):
    body = json.dumps({"expiration": 20, "rings": [RING]}).encode()
    answer = await house.request("PUT", PATH, "201", body, Content_Type=content_type)
    assert answer.status == 200
    assert (await house.get(PATH, "201")).json["rings"] == [RING | {"scheduleId": None}]


@ensure
async def test_what_is_left_out_has_its_default_and_the_timer_stays(house):
    assert (await put(house, sequence(expiration=7))).status == 200
    assert (
        await put(house, {"rings": {"ring": {"number": "403", "x": [1]}}, "y": {}})
    ).status == 200
    assert (await house.get(PATH, "201")).json == {
        "rings": [
            {
                "expiration": 30,
                "type": "If no response",
                "enabled": True,
                "number": "403",
                "scheduleId": None,
            }
        ],
        "withVM": False,
        "expiration": 7,
    }


@ensure
async def test_the_timer_is_that_of_forward(house):
    for seconds in (1, 999):
        assert (await put(house, sequence(expiration=seconds))).status == 200
        told = await house.get(FORWARD, "201")
        assert b"<expiration>%d</expiration>" % seconds in told.body
    assert (await put(house, sequence(expiration=None))).status == 200
    assert (await house.get(PATH, "201")).json["expiration"] == 999


@ensure
async def test_a_schedule_that_is_not_there_means_always_and_is_logged_once(house):
    events: list[dict] = []
    globalLogPublisher.addObserver(events.append)
    try:
        for unknown in (house.office_hours + 1, -1, 0, 10**18):
            # 200 is not in the group whose schedule that is.
            rings = [RING | {"scheduleId": each} for each in (unknown, house.office_hours)]
            assert (await put(house, sequence(*rings), "200")).status == 200
            told = (await house.get(PATH, "200")).json["rings"]
            assert [ring["scheduleId"] for ring in told] == [None, None]
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert len([event for event in events if "schedule" in event]) == 4


BAD = [
    ({"rings": [RING, RING | {"expiration": 0}]}, 400, "rings[1].expiration"),
    ({"rings": [RING | {"expiration": 1000}]}, 400, "rings[0].expiration"),
    ({"rings": [RING | {"expiration": "18"}]}, 400, "rings[0].expiration"),
    ({"rings": [RING | {"type": "Sometimes"}]}, 400, "rings[0].type"),
    ({"rings": [RING | {"enabled": 1}]}, 400, "rings[0].enabled"),
    ({"rings": [RING | {"number": 402}]}, 400, "rings[0].number"),
    ({"rings": [RING, OTHER, RING | {"number": "4/2"}]}, 400, "rings[2].number"),
    ({"rings": [RING, RING | {"number": "+4930123"}]}, 403, "rings[1].number"),
    ({"rings": [RING | {"number": "201"}]}, 400, "rings[0].number"),
    ({"rings": [RING | {"scheduleId": "7"}]}, 400, "rings[0].scheduleId"),
    ({"rings": [RING | {"scheduleId": 1.5}]}, 400, "rings[0].scheduleId"),
    ({"rings": [RING | {"scheduleId": True}]}, 400, "rings[0].scheduleId"),
    ({"rings": [RING | {"scheduleId": 10**40}]}, 400, "rings[0].scheduleId"),
    ({"rings": [RING] * 1001}, 400, "rings"),
    ({"rings": "402"}, 400, "rings"),
    ({"rings": {"Ring": []}}, 400, "rings"),
    ({"rings": {"ring": "402"}}, 400, "rings.ring"),
    ({"rings": [402]}, 400, "rings[0]"),
    ({"rings": None}, 400, "rings"),
    ({"expiration": 20}, 400, "rings"),
    ({"rings": [], "expiration": 0}, 400, "expiration"),
    ({"rings": [], "expiration": 1000}, 400, "expiration"),
    ({"rings": [], "expiration": "20"}, 400, "expiration"),
    (b'{"rings":[],"rings":[]}', 400, "rings"),
    (b'{"rings":[{"number":"1","number":"2"}]}', 400, "rings[0].number"),
    (b"<rings/>", 400, None),
    (b"[]", 400, None),
    (b"null", 400, None),
    (b"", 400, None),
    (b" \n", 400, None),
    (b'{"rings":[{"number":"\xe9"}]}', 400, None),
    (b'{"rings":' + b"[" * 33 + b"]" * 33 + b"}", 400, None),
    (b'{"rings":[' + b"1," * 60_000 + b"1]}", 400, None),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD)
@ensure
async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_stored(house, body, status, field):
    await put(house, sequence(RING | {"scheduleId": house.office_hours}, OTHER, expiration=5))
    before = await house.get(PATH, "201")
    answer = await put(house, body)
    assert (answer.status, answer.field) == (status, field), answer
    assert (field or "") in answer.json["detail"]
    after = await house.get(PATH, "201")
    assert (after.body, after.headers["ETag"]) == (before.body, before.headers["ETag"])


@ensure
async def test_a_body_of_5_megabytes_is_refused(house):
    assert (await put(house, b"[" + b" " * 5_000_000)).status == 413


@ensure
async def test_who_has_read_an_older_version_is_refused(house):
    old = await house.get(PATH, "201")
    forward = await house.get(FORWARD, "201")  # the same version in another form
    assert (await put(house, sequence(RING), If_Match=forward.headers["ETag"])).status == 200
    answer = await put(house, sequence(OTHER), If_Match=old.headers["ETag"])
    assert (answer.status, answer.field) == (412, None)
    assert (await house.get(PATH, "201")).json["rings"] == [RING | {"scheduleId": None}]
    assert (await house.get(PATH, "201", If_None_Match=old.headers["ETag"])).status == 200


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@ensure
async def test_of_two_writers_at_once_through_both_doors_one_wins(house, order):
    for _ in range(5):
        await put(house, sequence())
        tag = (await house.get(PATH, "201")).headers["ETag"]
        bodies = [
            (PATH, sequence(RING | {"scheduleId": house.office_hours}, expiration=33)),
            (FORWARD, sequence(OTHER, expiration=44)),
        ]
        writing = [house.send("PUT", *bodies[which], "201", If_Match=tag) for which in order]
        answers = [answer for _, answer in await defer.DeferredList(writing)]
        assert sorted(answer.status for answer in answers) == [200, 412]
        told = (await house.get(PATH, "201")).json
        ring, seconds = told["rings"][0], told["expiration"]
        assert (ring["number"], ring["scheduleId"], seconds) in (
            ("402", house.office_hours, 33),
            ("403", None, 44),
        )


@ensure
async def test_it_is_told_as_json_only_and_has_two_methods(house):
    assert (await house.get(PATH, Accept="text/xml")).status == 406
    assert (await house.get(PATH, Accept="application/json")).status == 200
    for method in ("POST", "DELETE"):
        answer = await house.request(method, PATH, body=b"{}")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")
    assert (await house.get(PATH + "/")).status == 200
    assert (await house.get(PATH, user=None)).status == 401
    assert (await house.request("OPTIONS", PATH, None)).status == 200
