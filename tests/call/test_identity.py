"""Who calls, as gateways, phones and the PBX are told it."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.call.effects import Identity
from sipxd.call.identity import (
    HIDE,
    NOBODY,
    Caller,
    caller_of,
    diversion,
    history_info,
    own_phone,
    through_gateway,
    through_proxy,
    wants_privacy,
    within_house,
)
from sipxd.call.numbers import Number
from sipxd.call.plan import Diverted, Passage, Reason
from sipxd.call.policy import outsider
from sipxd.directory.gateway import Gateway
from sipxd.directory.user import User
from sipxd.sip.headers import NameAddr, parameter, parse_name_addr, split_list
from sipxd.sip.message import Header, Request
from sipxd.sip.uri import parse_uri

ANN = Caller("201", 'Ann "A" Lee')
BY_202 = (Diverted("202", Reason.UNKNOWN),)
SENT_ON = Caller("+4917", "Zoe", outside=True, diverted=BY_202)
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
        ({"diversion": True, "caller_prepend": "9"}, Caller("201", diverted=BY_202),
         "<sip:9201@sip.example.net>",
         {"Diversion": "<sip:9202@sip.example.net>;reason=unknown"}),
        ({"diversion": True}, Caller("201"), "<sip:201@sip.example.net>", {}),
        ({"caller_prepend": "9"}, SENT_ON, "<sip:9202@sip.example.net>", {}),
        ({"history_info": True, "caller_prepend": "9"}, SENT_ON,
         '"Zoe" <sip:+4917@sip.example.net>',
         {"History-Info": "<sip:9202@sip.example.net>;index=1, "
          "<sip:0%231@sip.example.net;cause=404>;index=1.1;mp=1"}),
        ({"history_info": True, "diversion": True}, SENT_ON,
         '"Zoe" <sip:+4917@sip.example.net>',
         {"Diversion": "<sip:202@sip.example.net>;reason=unknown",
          "History-Info": "<sip:202@sip.example.net>;index=1, "
          "<sip:0%231@sip.example.net;cause=404>;index=1.1;mp=1"}),
        ({"history_info": True}, Caller("201"), "<sip:201@sip.example.net>", {}),
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


TOLD = (
    ("Diversion", "<sip:202@example.org>;reason=unknown"),
    (
        "History-Info",
        "<sip:202@example.org>;index=1, <sip:203@example.org;cause=404>;index=1.1;mp=1",
    ),
)


def test_a_phone_here_is_told_who_sent_the_call_on_even_where_the_caller_hides() -> None:
    shown = within_house(SENT_ON, "example.org", "sip:203@example.org")
    assert shown.identity.from_ == '"Zoe" <sip:+4917@example.org>'
    assert shown.headers == TOLD
    hidden = Caller("+4917", "Zoe", private=True, outside=True, diverted=BY_202)
    shown = within_house(hidden, "example.org", "sip:203@example.org")
    assert (shown.identity.from_, shown.headers) == (NOBODY, (HIDE, *TOLD))


def test_the_pbx_is_shown_the_user_of_the_credentials_always() -> None:
    hidden = through_proxy(SECRET, "example.org", "sip:202@example.org")
    assert hidden.identity.from_ == '"Ann Lee" <sip:201@example.org>'
    assert hidden.headers == (HIDE,)
    sent_on = through_proxy(SENT_ON, "example.org", "sip:203@example.org")
    assert sent_on.identity.from_ == '"Zoe" <sip:202@example.org>'
    assert sent_on.headers == TOLD
    nameless = Caller("+4917", outside=True, diverted=BY_202)
    shown = through_proxy(nameless, "example.org", "sip:203@example.org")
    assert shown.identity.from_ == '"+4917" <sip:202@example.org>'


def test_the_pbx_is_shown_whose_credentials_it_gets_where_that_is_somebody_else() -> None:
    caller = Caller("+4917", outside=True)
    shown = through_proxy(caller, "example.org", "sip:203@example.org", "203")
    assert shown.identity.from_ == '"+4917" <sip:203@example.org>'
    assert not shown.headers


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


# -- who has sent a call on ----------------------------------------------------------------------

THRICE = (
    Diverted("202", Reason.BUSY),
    Diverted("*98#", Reason.NO_ANSWER),
    Diverted("204", Reason.UNCONDITIONAL),
)


def test_diversion_tells_who_sent_the_call_on_the_last_one_first() -> None:
    assert diversion(THRICE, "example.org") == (
        "Diversion",
        "<sip:204@example.org>;reason=unconditional, "
        "<sip:*98%23@example.org>;reason=no-answer, "
        "<sip:202@example.org>;reason=user-busy",
    )


def test_history_info_tells_the_way_of_the_call_the_first_one_first() -> None:
    assert history_info(THRICE, "example.org", "sip:+4917@example.net;user=phone") == (
        "History-Info",
        "<sip:202@example.org>;index=1, "
        "<sip:*98%23@example.org;cause=486>;index=1.1;mp=1, "
        "<sip:204@example.org;cause=408>;index=1.1.1;mp=1.1, "
        "<sip:+4917@example.net;user=phone;cause=302>;index=1.1.1.1;mp=1.1.1",
    )


@pytest.mark.parametrize(
    ("reason", "word", "cause"),
    [
        (Reason.UNCONDITIONAL, "unconditional", "302"),
        (Reason.NO_ANSWER, "no-answer", "408"),
        (Reason.BUSY, "user-busy", "486"),
        (Reason.DO_NOT_DISTURB, "do-not-disturb", "486"),
        (Reason.UNAVAILABLE, "unavailable", "503"),
        (Reason.DEFLECTION, "deflection", "480"),
        (Reason.UNKNOWN, "unknown", "404"),
    ],
)
def test_every_reason_has_a_word_and_a_cause(reason: Reason, word: str, cause: str) -> None:
    by = (Diverted("202", reason),)
    (said,) = read(diversion(by, "example.org"))
    assert parameter(said.parameters, "reason") == word
    _, target = read(history_info(by, "example.org", "sip:203@example.org"))
    assert parameter(parse_uri(target.uri).parameters, "cause") == cause


def test_what_is_told_of_the_way_of_a_call_can_be_read_again() -> None:
    said = read(diversion(THRICE, "example.org"))
    assert [parse_uri(one.uri).user_text for one in said] == ["204", "*98#", "202"]
    way = read(history_info(THRICE, "example.org", "sip:+4917@example.net"))
    assert [parse_uri(one.uri).user_text for one in way] == ["202", "*98#", "204", "+4917"]
    indices = [parameter(one.parameters, "index") for one in way]
    assert indices == ["1", "1.1", "1.1.1", "1.1.1.1"]
    assert [parameter(one.parameters, "mp") for one in way] == [None, *indices[:-1]]
    causes = [parameter(parse_uri(one.uri).parameters, "cause") for one in way]
    assert causes == [None, "486", "408", "302"]


def test_a_gateway_is_told_all_who_sent_the_call_on_by_numbers_that_it_knows() -> None:
    caller = Caller("+4917", outside=True, diverted=THRICE)
    shown = through_gateway(
        gateway(diversion=True, history_info=True, caller_prepend="+4930"), caller, "0170"
    )
    headers = dict(shown.headers)
    said = read(("Diversion", headers["Diversion"]))
    assert [parse_uri(one.uri).user_text for one in said] == ["+4930204", "+4930*98#", "+4930202"]
    way = read(("History-Info", headers["History-Info"]))
    assert [parse_uri(one.uri).user_text for one in way][2:] == ["+4930204", "0170"]


def test_who_sent_a_call_on_last_pays_for_it() -> None:
    caller = Caller("+4917", outside=True, diverted=THRICE)
    assert (caller.sent_on_by, caller.payer) == ("204", "204")
    assert (ANN.sent_on_by, ANN.payer) == ("", "201")


def test_the_caller_of_a_passage_is_known_by_number_and_name() -> None:
    ann = User(1, "201", "Ann", "Lee")
    assert caller_of(Passage(ann), private=True) == Caller("201", "Ann Lee", private=True)
    zoe = outsider("+4917", "Zoe")
    passage = Passage(zoe, diverted=BY_202)
    assert caller_of(passage, private=False) == SENT_ON


def test_whoever_calls_is_not_told_to_have_sent_his_own_call_on() -> None:
    passage = Passage(User(1, "202"), diverted=THRICE)
    assert [one.by for one in caller_of(passage, private=False).diverted] == ["*98#", "204"]


def read(header: Header) -> list[NameAddr]:
    """What stands in a header, by our own parsers."""
    return [parse_name_addr(value) for value in split_list(header[1])]
