"""Tokens and private keys: made, used, listed, revoked; and what a private key may not do."""

from __future__ import annotations

import pytest_twisted

ensure = pytest_twisted.ensureDeferred
TOKENS = "/v1/users/me/tokens"
KEY = "/v1/users/me/private-key"
JSON = {"Content-Type": "application/json"}


@ensure
async def test_a_token_is_shown_once_and_does_what_the_pin_does(door):
    made = await door.request("POST", TOKENS, body=b'{"label":"CRM"}', **JSON, user="201")
    assert made.status == 201
    document = made.json
    assert (document["label"], document["made"]) == ("CRM", "2023-11-14T22:13:20.000Z")
    bearer = {"Authorization": f"Bearer {document['token']}"}
    listed = await door.request("GET", TOKENS, user=None, **bearer)
    assert listed.json == {"tokens": [{k: document[k] for k in ("id", "label", "made")}]}
    assert (await door.request("PUT", "/call/200", user=None, **bearer)).status == 200
    gone = await door.request("DELETE", made.headers["Location"], user=None, **bearer)
    assert gone.status == 204
    assert (await door.request("GET", TOKENS, user=None, **bearer)).status == 401


@ensure
async def test_a_token_belongs_to_one_user_alone(door):
    made = await door.request("POST", TOKENS, body=b'{"label":"CRM"}', **JSON, user="201")
    assert (await door.request("GET", TOKENS, user="200")).json == {"tokens": []}
    other = await door.request("DELETE", made.headers["Location"], user="200")
    assert other.status == 404


@ensure
async def test_a_token_nobody_has_is_refused_with_a_challenge(door):
    answer = await door.request("GET", TOKENS, user=None, Authorization="Bearer nonsense")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert (await door.request("POST", TOKENS, body=b'{"label":""}', **JSON)).status == 400
    assert (await door.request("POST", TOKENS, body=b'{"label":7}', **JSON)).status == 400


@ensure
async def test_a_private_key_in_the_path_stands_for_its_user_and_his_own_data(door):
    key = (await door.request("POST", KEY, user="201")).json["private_key"]
    assert len(key) == 32
    path = f"/sipxconfig/rest/private/{key}"
    assert (await door.request("GET", f"{path}/forward", user=None)).status == 200
    called = await door.request("PUT", f"{path}/call/200", user=None)
    assert called.status == 200
    record = door.calls.records[called.headers["Location"].rpartition("/")[2]]
    assert record.user == "201"
    assert (await door.request("DELETE", KEY, user="201")).status == 204
    refused = await door.request("GET", f"{path}/forward", user=None)
    assert refused.status == 401


@ensure
async def test_a_private_key_is_no_way_to_what_is_not_the_users_own(door):
    for path in (
        "/sipxconfig/rest/private",
        "/sipxconfig/rest/private/",
        "/v1/private/" + "k" * 32,
    ):
        assert (await door.request("GET", path, user=None)).status == 404
    for rest in ("", "/", "/no-such-thing", "/../user"):
        answer = await door.request("GET", f"/sipxconfig/rest/private/{'k' * 32}{rest}", user=None)
        assert answer.status in (400, 404)
