"""Resources of sub-systems that are not there, and what becomes of a session of the portal."""

from __future__ import annotations

import re

import pytest
import pytest_twisted
from lxml import etree

from sipxd.web.rest.absent import ABSENT, REST

ensure = pytest_twisted.ensureDeferred
MY = f"{REST}/my"


@ensure
@pytest.mark.parametrize("absent", ABSENT, ids=lambda absent: absent.path)
async def test_each_names_its_sub_system_to_those_who_may_ask(house, absent):
    path = re.sub(r"<path:\w+>", "200/inbox", f"{REST}/{absent.path}")
    path = re.sub(r"<\w+>", "1", path)
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = await house.request(method, path, "superadmin", b" ")
        if method not in absent.methods:
            assert answer.status == 405
            continue
        assert (answer.status, answer.field) == (501, None)
        assert answer.json["detail"] == absent.sentence + "."
        assert (await house.request(method, path, None, b" ")).status == 401
        expected = 501 if absent.of_users else 403
        assert (await house.request(method, path, "200", b" ")).status == expected


@ensure
async def test_another_service_to_be_redirected_to_is_not_there(house):
    assert (await house.get(f"{MY}/redirect/other/200")).status == 404


@ensure
async def test_the_portal_is_told_the_log_in_with_the_password_that_it_used(house):
    answer = await house.get(f"{MY}/logindetailsunite", Accept="application/json")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    expected = {
        "userName": "200",
        "imId": "",
        "ldapImAuth": False,
        "sipPassword": "secret-200",
        "pin": "200200",
        "im-locations": [],
        "wrtc-locations": [],
    }
    assert answer.json == {"login-details": expected}
    assert list(answer.json["login-details"]) == list(expected)
    answer = await house.get(f"{MY}/logindetailsunite")
    told = etree.fromstring(answer.body, etree.XMLParser(remove_blank_text=True))
    assert etree.tostring(told) == (
        b"<login-details><userName>200</userName><imId/><ldapImAuth>false</ldapImAuth>"
        b"<sipPassword>secret-200</sipPassword><pin>200200</pin><im-locations/><wrtc-locations/>"
        b"</login-details>"
    )
    key = await house.app.tokens.make_key(house.user("200"))
    path = f"{REST}/private/{key}/logindetailsunite"
    answer = await house.get(path, None, Accept="application/json")
    assert "pin" not in answer.json["login-details"]  # none was used
    assert (await house.get(f"{MY}/logindetailsunite", None)).status == 401


@ensure
async def test_who_logs_out_of_the_portal_is_sent_to_its_first_page(house):
    answer = await house.get(f"{MY}/logoutunite")
    assert (answer.status, answer.headers["Location"], answer.body) == (302, "/", b"")
    assert answer.headers["Connection"] == "close"
    assert (await house.get(f"{MY}/logoutunite", None)).status == 401
