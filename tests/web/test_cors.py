"""Web pages of configured origins may use the doors, others may not (contract 1.3.7)."""

from __future__ import annotations

import pytest_twisted

ensure = pytest_twisted.ensureDeferred
CRM = "https://crm.example.org"


@ensure
async def test_a_preflight_of_a_configured_origin_is_answered_without_credentials(door):
    asked = {"Origin": CRM, "Access-Control-Request-Method": "PUT"}
    for path in ("/sipxconfig/rest/my/forward", "/v1/calls", "/call/200", "/nowhere"):
        answer = await door.request("OPTIONS", path, user=None, **asked)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == CRM
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        methods = answer.headers["Access-Control-Allow-Methods"]
        assert methods == "DELETE, HEAD, GET, PATCH, POST, PUT"
        assert answer.headers["Access-Control-Max-Age"] == "3600"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@ensure
async def test_answers_to_it_may_be_read_by_the_page_errors_too(door):
    for user, status in (("201", 200), (None, 401)):
        answer = await door.request("GET", "/v1/calls", user=user, Origin=CRM)
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == CRM
        assert "Origin" in ",".join(answer.headers.get_all("Vary"))


@ensure
async def test_other_origins_and_no_origin_are_told_nothing(door):
    for origin in ("https://evil.example.org", "null", f"{CRM}.evil.org", CRM.upper()):
        answer = await door.request("GET", "/v1/calls", user="201", Origin=origin)
        assert answer.headers["Access-Control-Allow-Origin"] is None
    plain = await door.request("GET", "/v1/calls", user="201")
    assert plain.headers["Access-Control-Allow-Origin"] is None
