"""/auto-attendant (4.8)."""

from __future__ import annotations

import pytest_twisted
from manage import ADMIN, REST, compact, xml

ensure = pytest_twisted.ensureDeferred
PATH = f"{REST}/auto-attendant"


def listed(special: str) -> bytes:
    rows = "".join(
        f"<autoAttendant><name>{name}</name><systemId>{system_id}</systemId>"
        f"<specialSelected>{'true' if system_id == special else 'false'}</specialSelected>"
        "</autoAttendant>"
        for name, system_id in (("Operator", "operator"), ("After hours", "afterhour"))
    )
    return xml(f"<autoAttendants>{rows}</autoAttendants>")


@ensure
async def test_one_attendant_is_the_special_one(house) -> None:
    assert compact(await house.get(PATH, ADMIN)) == listed("")
    assert (await house.request("PUT", f"{PATH}/afterhour/special", ADMIN)).status == 204
    assert compact(await house.get(PATH, ADMIN)) == listed("afterhour")
    assert (await house.request("PUT", f"{PATH}/operator/special/", ADMIN)).status == 204
    assert compact(await house.get(PATH, ADMIN)) == listed("operator")
    as_json = await house.get(PATH, ADMIN, Accept="application/json")
    assert as_json.json == {
        "autoAttendants": [
            {"name": "Operator", "systemId": "operator", "specialSelected": True},
            {"name": "After hours", "systemId": "afterhour", "specialSelected": False},
        ]
    }
    unknown = await house.request("PUT", f"{PATH}/xcf-7/special", ADMIN)
    assert (unknown.status, unknown.field) == (400, "attendant")
    assert (await house.request("DELETE", f"{PATH}/operator/special", ADMIN)).status == 204
    assert compact(await house.get(PATH, ADMIN)) == listed("")


@ensure
async def test_the_special_one_stays_while_special_mode_is_on(house) -> None:
    mode = f"{PATH}/specialmode"
    off = xml("<specialAttendant><specialMode>false</specialMode></specialAttendant>")
    assert compact(await house.get(mode, ADMIN)) == off
    await house.request("PUT", f"{PATH}/operator/special", ADMIN)
    assert (await house.request("PUT", mode, ADMIN)).status == 204
    on = await house.get(mode, ADMIN, Accept="application/json")
    assert on.json == {"specialAttendant": {"specialMode": True}}
    assert (await house.request("DELETE", f"{PATH}/operator/special", ADMIN)).status == 409
    assert compact(await house.get(PATH, ADMIN)) == listed("operator")
    assert (await house.request("DELETE", mode, ADMIN)).status == 204
    assert (await house.request("DELETE", f"{PATH}/operator/special", ADMIN)).status == 204


@ensure
async def test_who_records_prompts_may_set_them_but_for_live_attendants(house) -> None:
    assert (await house.get(PATH, "200")).status == 403
    number = house.user("200").id
    prompts = {"permissions": [{"name": "RecordSystemPrompts", "value": "ENABLE"}]}
    await house.send("PUT", f"{REST}/user-permission/{number}", prompts, ADMIN)
    assert (await house.get(PATH, "200")).status == 200
    assert (await house.request("PUT", f"{PATH}/specialmode", "200")).status == 204
    assert (await house.request("PUT", f"{PATH}/livemode/77", "200")).status == 403
    assert (await house.request("PUT", f"{PATH}/livemode/77", ADMIN)).status == 404
