"""Resources of /sipxconfig/api whose sub-systems are not there (8.7)."""

from __future__ import annotations

import pytest
import pytest_twisted
from apikit import ADMIN, API

ensure = pytest_twisted.ensureDeferred


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("pagegroups", "paging server"),
        ("pagegroups/1/settings/general", "paging server"),
        ("phones/models", "provisioning"),
        ("phones/0004f2a1b2c3/sendProfile/restart", "provisioning"),
        ("phoneGroups/1", "provisioning"),
        ("gateways", "[[gateway]]"),
        ("rules/1", "[[route]]"),
        ("servers", "cluster"),
        ("dns", "cluster"),
        ("ftp", "cluster"),
        ("proxy/settings/x/y", "[sip]"),
        ("registrar", "[sip]"),
        ("restserver", "[web]"),
        ("ivr", "[voicemail]"),
        ("moh", "music on hold"),
        ("mwi", "message waiting"),
        ("imbot", "instant messaging"),
        ("saa", "shared appearance"),
        ("cdrs/settings", "call records"),
        ("cdrs/settings/a/b", "call records"),
        ("cdrs/reports/table", "reports"),
        ("orbits/prompts", "park server"),
        ("ws", "web socket"),
    ],
)
@ensure
async def test_a_resource_that_is_not_there_names_its_sub_system(house, path, named):
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = await house.send(method, f"{API}/{path}", {}, ADMIN)
        assert answer.status == 501 and named in answer.json["detail"]
        assert (await house.send(method, f"{API}/{path}", {}, "200")).status == 403
        assert (await house.send(method, f"{API}/{path}", {}, None)).status == 401


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("my/moh", "music on hold"),
        ("my/moh/settings/a", "music on hold"),
        ("my/greetings/standard", "voicemail server"),
        ("my/ws", "web socket"),
    ],
)
@ensure
async def test_what_is_not_there_for_users_names_its_sub_system(house, path, named):
    for method in ("GET", "PUT"):
        answer = await house.send(method, f"{API}/{path}", {}, "200")
        assert answer.status == 501 and named in answer.json["detail"]
        assert (await house.send(method, f"{API}/{path}", {}, None)).status == 401
