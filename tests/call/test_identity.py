"""Who calls, as gateways, phones and the PBX are told it."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.call.effects import Identity
from sipxd.call.identity import (
    HIDE,
    NOBODY,
    Caller,
    own_phone,
    through_gateway,
    through_proxy,
    wants_privacy,
    within_house,
)
from sipxd.call.numbers import Number
from sipxd.directory.gateway import Gateway
from sipxd.sip.message import Request

ANN = Caller("201", 'Ann "A" Lee')
SENT_ON = Caller("+4917", "Zoe", outside=True, sent_on_by="202")
SECRET = Caller("201", "Ann Lee", private=True)


def gateway(**rules: Any) -> Gateway:
    return Gateway("a", "sip:sip.example.net;transport=tcp", username="acct", **rules)


@pytest.mark.parametrize(
    ("rules", "caller", "from_", "headers"),
    [
        ({}, ANN, '"Ann \\"A\\" Lee" <sip:201@sip.example.net>', {}),
        ({"domain": "example.net"}, Caller("201"), "<sip:201@example.net>", {}),
        ({"caller_prepend": "+4930"}, Caller("201"), "<sip:+4930201@sip.example.net>", {}),
        ({"caller_id": "account"}, ANN, "<sip:acct@sip.example.net>", {}),
        ({"caller_id": "+4930"}, ANN, "<sip:+4930@sip.example.net>", {}),
        ({"caller_id": "account", "caller_prepend": "9", "asserted_identity": "user"},
         Caller("201"), "<sip:acct@sip.example.net>",
         {"P-Asserted-Identity": "<sip:9201@sip.example.net>"}),
        ({"asserted_identity": "+4930"}, Caller("201"), "<sip:201@sip.example.net>",
         {"P-Asserted-Identity": "<sip:+4930@sip.example.net>"}),
        ({"privacy": "id"}, Caller("201"), "<sip:201@sip.example.net>", {"Privacy": "id"}),
        ({"privacy": "anonymous", "asserted_identity": "account"}, ANN, NOBODY,
         {"P-Asserted-Identity": "<sip:acct@sip.example.net>", "Privacy": "id"}),
        ({}, SECRET, NOBODY, {"Privacy": "id"}),
        ({"caller_id": "account"}, SECRET, "<sip:acct@sip.example.net>", {"Privacy": "id"}),
        ({"diversion": True, "caller_prepend": "9"}, SENT_ON,
         '"Zoe" <sip:+4917@sip.example.net>',
         {"Diversion": "<sip:9202@sip.example.net>;reason=unknown"}),
        ({"diversion": True, "caller_prepend": "9"}, Caller("201", sent_on_by="202"),
         "<sip:9201@sip.example.net>",
         {"Diversion": "<sip:9202@sip.example.net>;reason=unknown"}),
        ({"diversion": True}, Caller("201"), "<sip:201@sip.example.net>", {}),
        ({"caller_prepend": "9"}, SENT_ON, "<sip:9202@sip.example.net>", {}),
    ],
)  # fmt: skip
def test_a_gateway_is_shown_what_its_rules_say(
    rules: dict[str, Any], caller: Caller, from_: str, headers: dict[str, str]
) -> None:
    shown = through_gateway(gateway(**rules), caller, "0#1")
    domain = rules.get("domain", "sip.example.net")
    assert shown.identity == Identity(from_, f"<sip:0%231@{domain}>")
    assert dict(shown.headers) == headers


def test_a_call_for_help_tells_where_it_comes_from() -> None:
    shown = through_gateway(gateway(privacy="anonymous"), SECRET, "112", emergency=True)
    assert shown.identity.from_ == '"Ann Lee" <sip:201@sip.example.net>'
    assert not shown.headers


def test_a_phone_here_is_shown_the_caller_unless_he_hides() -> None:
    shown = within_house(ANN, "example.org", "sip:202@example.org")
    assert shown.identity == Identity(
        '"Ann \\"A\\" Lee" <sip:201@example.org>', "<sip:202@example.org>"
    )
    assert not shown.headers
    hidden = within_house(SECRET, "example.org", "sip:202@example.org")
    assert (hidden.identity.from_, hidden.headers) == (NOBODY, (HIDE,))


def test_the_pbx_is_shown_the_user_of_the_credentials_always() -> None:
    hidden = through_proxy(SECRET, "example.org", "sip:202@example.org")
    assert hidden.identity.from_ == '"Ann Lee" <sip:201@example.org>'
    assert hidden.headers == (HIDE,)
    sent_on = through_proxy(SENT_ON, "example.org", "sip:203@example.org")
    assert sent_on.identity.from_ == '"Zoe" <sip:202@example.org>'


@pytest.mark.parametrize(
    ("rule", "proxy", "from_"),
    [
        ("auto", False, "<sip:0301@example.org>"),
        ("auto", True, '"0301" <sip:201@example.org>'),
        ("number", True, "<sip:0301@example.org>"),
        ("user", False, '"0301" <sip:201@example.org>'),
    ],
)
def test_the_own_phone_is_shown_the_number(rule: str, proxy: bool, from_: str) -> None:
    identity = own_phone("201", Number("0301"), "example.org", rule, through_proxy=proxy)
    assert identity == Identity(from_, "<sip:201@example.org>")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("id", True), ("user; ID ;critical", True), ("header", True), ("none", False), ("", False)],
)
def test_a_phone_asks_for_privacy(value: str, wanted: bool) -> None:
    request = Request("INVITE", "sip:a@b", headers=[("Privacy", value)] if value else [])
    assert wants_privacy(request) is wanted
