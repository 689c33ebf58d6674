"""/sipxconfig/api/registrations/: which phones are registered here (8.5)."""

from __future__ import annotations

import time
from typing import Any

import attrs
import pytest
import pytest_twisted
from apikit import ADMIN, API, json_of, xml_of

from sipxd.sip.flow import Flow
from sipxd.sip.registrar import Binding
from sipxd.store.bindings import load_all, replace_for_user

ensure = pytest_twisted.ensureDeferred
LISTENER = "udp:127.0.0.1:5060"
DESK = Binding(
    "sip:200@192.0.2.7:5062",
    2_000_000_000.0,
    "desk/1@192.0.2.7",
    1,
    Flow("UDP", LISTENER, "203.0.113.9", 40_000),
    user_agent="Desk Phone 1.0",
)
SOFT = Binding(
    "sip:200@[2001:db8::7]:5060", 2_000_000_000.0, "soft", 1, Flow("UDP", LISTENER, "::1", 5060)
)
DOOR = attrs.evolve(DESK, uri="sip:201@192.0.2.8", call_id="door", user_agent="")


@pytest.fixture
def told() -> list[str]:
    return [
        "uri", "contact", "expires", "primary", "instrument", "regCallId", "identity", "status",
        "secondsToExpire",
    ]  # fmt: skip


async def register(house: Any) -> None:
    """200 has a desk phone and a softphone, 201 one at the door."""

    def store(connection: Any) -> None:
        replace_for_user(connection, house.user("200").id, (DESK, SOFT))
        replace_for_user(connection, house.user("201").id, (DOOR,))

    await house.app.store.write("bindings", store)
    await house.app.registrations.load()


async def call_ids(house: Any, path: str = "") -> list[str]:
    listed = await json_of(house, f"registrations/{path}")
    return [each["regCallId"] for each in listed["registrations"]]


@ensure
async def test_a_registration_is_told_in_json(house, told):
    assert await json_of(house, "registrations") == {"registrations": []}
    await register(house)
    desk, soft, _ = (await json_of(house, "registrations/"))["registrations"]
    assert list(desk) == told
    left = desk.pop("secondsToExpire")
    assert left == pytest.approx(2_000_000_000 - time.time(), abs=5)
    assert desk == {
        "uri": "sip:200@example.org",
        "contact": "<sip:200@192.0.2.7:5062>",
        "expires": 2_000_000_000,
        "primary": "example.org",
        "instrument": "Desk Phone 1.0",
        "regCallId": "desk/1@192.0.2.7",
        "identity": "200@example.org",
        "status": "active",
    }
    assert soft["instrument"] is None


@ensure
async def test_a_registration_is_told_in_xml(house):
    assert await xml_of(house, "registrations") == "<Registrations/>"
    await register(house)
    (seconds,) = {
        str(each["secondsToExpire"])
        for each in (await json_of(house, "registrations/callid/soft"))["registrations"]
    }
    xml = await xml_of(house, "registrations/callid/soft")
    assert xml.replace(str(int(seconds) - 1), seconds) == (
        "<Registrations><Registration><uri>sip:200@example.org</uri>"
        "<contact>&lt;sip:200@[2001:db8::7]:5060&gt;</contact><expires>2000000000</expires>"
        "<primary>example.org</primary><regCallId>soft</regCallId>"
        "<identity>200@example.org</identity><status>active</status>"
        f"<secondsToExpire>{seconds}</secondsToExpire></Registration></Registrations>"
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["desk/1@192.0.2.7", "soft", "door"]),
        ("?start=1&limit=1", ["soft"]),
        ("?start=1", ["desk/1@192.0.2.7", "soft", "door"]),
        ("?limit=1", ["desk/1@192.0.2.7", "soft", "door"]),
        ("?start=9&limit=9", []),
        ("user/200", ["desk/1@192.0.2.7", "soft"]),
        ("user/ben/", ["desk/1@192.0.2.7", "soft"]),
        ("user/ID/", ["desk/1@192.0.2.7", "soft"]),
        ("user/200?start=0&limit=1", ["desk/1@192.0.2.7"]),
        ("user/202", []),
        ("ip/192.0.2.7", ["desk/1@192.0.2.7"]),
        ("ip/203.0.113.9", ["desk/1@192.0.2.7", "door"]),
        ("ip/2001:DB8::7/", ["soft"]),
        ("ip/[2001:db8::7]", ["soft"]),
        ("ip/nonsense", []),
        ("callid/desk/1@192.0.2.7", ["desk/1@192.0.2.7"]),
        ("callid/desk%2F1@192.0.2.7/", ["desk/1@192.0.2.7"]),
        ("callid/other", []),
        ("serialNo/0004f2a1b2c3", []),
        ("server/1", ["desk/1@192.0.2.7", "soft", "door"]),
        ("server/Example.org/", ["desk/1@192.0.2.7", "soft", "door"]),
    ],
)
@ensure
async def test_registrations_are_found_by_what_is_known_of_them(house, path, found):
    await register(house)
    path = path.replace("ID", str(house.user("200").id))
    assert await call_ids(house, path) == found


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("user/200", ["door"]),
        ("user/202", ["desk/1@192.0.2.7", "soft", "door"]),
        ("ip/192.0.2.8", ["desk/1@192.0.2.7", "soft"]),
        ("callid/desk/1@192.0.2.7", ["soft", "door"]),
        ("serialNo/0004f2a1b2c3", ["desk/1@192.0.2.7", "soft", "door"]),
        ("server/1/", []),
    ],
)
@ensure
async def test_what_is_deleted_is_not_registered_any_more(house, path, left):
    await register(house)
    answer = await house.request("DELETE", f"{API}/registrations/{path}", ADMIN)
    assert (answer.status, answer.body) == (200, b"")
    assert await call_ids(house) == left
    stored = await house.app.store.read("bindings", lambda connection: load_all(connection, 0.0))
    assert [b.call_id for each in stored.values() for b in each] == left
    rung = house.app.registrations.of(house.user("200"))
    assert [b.call_id for b in rung] == [name for name in left if name != "door"]


@ensure
async def test_a_registration_that_has_run_out_is_told_as_expired(house):
    soon = attrs.evolve(SOFT, expires_at=time.time() + 0.3)
    await house.app.store.write(
        "bindings", lambda c: replace_for_user(c, house.user("202").id, (soon,))
    )
    await house.app.registrations.load()
    for _ in range(100):
        (each,) = (await json_of(house, "registrations"))["registrations"]
        if each["status"] == "expired":
            break
    assert (each["status"], each["secondsToExpire"]) == ("expired", 0)
    assert house.app.registrations.of(house.user("202")) == ()


@pytest.mark.parametrize("path", ["user/999", "user/999999999999", "server/2", "other/x", "ip"])
@ensure
async def test_what_is_not_there_is_404(house, path):
    for method in ("GET", "DELETE"):
        answer = await house.request(method, f"{API}/registrations/{path}", ADMIN)
        assert answer.status == 404


@pytest.mark.parametrize("query", ["start=-1&limit=1", "start=0&limit=x", "limit=1&limit=2"])
@ensure
async def test_a_page_that_is_none_is_400(house, query):
    answer = await house.get(f"{API}/registrations?{query}", ADMIN)
    assert answer.status == 400 and answer.field in ("start", "limit")


@pytest.mark.parametrize(
    "path", ["", "user/200", "ip/192.0.2.7", "callid/soft", "serialNo/1", "server/1"]
)
@ensure
async def test_registrations_are_for_administrators(house, path):
    await register(house)
    for user, status in ((None, 401), ("200", 403)):
        assert (await house.get(f"{API}/registrations/{path}", user)).status == status
        if path:
            answer = await house.request("DELETE", f"{API}/registrations/{path}", user)
            assert answer.status == status
    assert len(await call_ids(house)) == 3
    assert (await house.request("DELETE", f"{API}/registrations", ADMIN)).status == 405
