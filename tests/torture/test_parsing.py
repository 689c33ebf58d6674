"""What the parser and the validator make of the torture messages."""

from __future__ import annotations

import pytest
from messages import CASES, DROPPED, Case

from sipxd.sip.headers import parse_name_addr, split_list
from sipxd.sip.message import ParseError, Request, parse_message
from sipxd.sip.uri import parse_uri
from sipxd.sip.validate import validate_request, validate_response


def case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def request(name: str) -> Request:
    message = parse_message(case(name).wire)
    assert isinstance(message, Request)
    return message


def verdict(octets: bytes) -> int | None:
    try:
        message = parse_message(octets)
    except ParseError:
        return DROPPED
    if isinstance(message, Request):
        refusal = validate_request(message)
        return None if refusal is None else refusal.status
    return None if validate_response(message) is None else DROPPED


def test_all_messages_are_there() -> None:
    assert sum(each.rfc == "rfc4475" for each in CASES) == 49
    assert sum(each.rfc == "rfc5118" for each in CASES) == 12
    assert len({str(each) for each in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_message_gets_what_it_is_owed(case: Case) -> None:
    assert verdict(case.wire) == case.status


@pytest.mark.parametrize("case", [case for case in CASES if case.status is None], ids=str)
def test_what_is_in_order_survives_writing_and_reading(case: Case) -> None:
    message = parse_message(case.wire)
    again = parse_message(message.encode())
    fixed = [(name, value) for name, value in message.headers if name != "Content-Length"]
    assert [entry for entry in again.headers if entry[0] != "Content-Length"] == fixed
    assert again.body == message.body


def test_a_tortuous_invite_is_read_right() -> None:
    message = request("wsinv")
    assert message.uri == "sip:vivekg@chair-dnrc.example.com;unknownparam"
    assert (message.to_tag, message.from_tag) == ("1918181833n", "98asjd8")
    assert message.cseq == (9, "INVITE")
    assert (message.via.transport, message.via.host) == ("UDP", "192.0.2.2")
    assert message.via.branch == "390skdjuw"
    assert len(message.values("Via")) == 3
    assert parse_name_addr(message.require("From")).display == 'J Rosenberg \\"'
    assert parse_name_addr(message.require("Contact")).display == 'Quoted string ""'
    assert message.get("Subject") == ""
    assert message.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert len(message.body) == 150


def test_unusual_characters_are_read_right() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    uri = parse_uri(message.uri)
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert uri.host == "example.com"
    to = parse_name_addr(message.require("To"))
    assert to.display == "BEL:\a NUL: DEL:\x7f"  # a NUL is read as nothing
    assert parse_uri(to.uri).user == uri.user
    assert message.from_tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"


def test_escapes_are_resolved_in_users_alone() -> None:
    assert parse_uri(request("esc01").uri).user_text == "sips:user@example.com"
    assert request("esc02").method == "RE%47IST%45R"
    assert parse_name_addr(request("escnull").require("To")).uri == (
        "sip:null-%00-null@example.com"
    )
    contacts = request("escnull").values("Contact")
    assert contacts == ["<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"]


def test_semicolons_in_a_user_part_are_no_parameters() -> None:
    uri = parse_uri(request("semiuri").uri)
    assert uri.user_text == "user;par=u@example.net"
    assert not uri.parameters


def test_a_datagram_ends_where_its_length_says() -> None:
    message = request("dblreq")
    assert message.method == "REGISTER"
    assert message.body == b""


def test_long_values_are_read_whole() -> None:
    message = request("longreq")
    assert len(message.values("Via")) == 34
    assert len(message.require("To")) == 486
    assert len(message.from_tag or "") == 155
    assert len(split_list(message.require("Contact"))) == 1


def test_addresses_of_ipv6_are_read_right() -> None:
    assert parse_uri(request("port-ambiguous").uri).port is None
    assert parse_uri(request("port-unambiguous").uri).port == 5070
    assert parse_uri(request("ipv6-bug-abnf-3-colons").uri).host == "[2001:db8::192.0.2.1]"
    assert request("ipv4-mapped-ipv6").via.port == 19823


def test_the_archive_of_rfc_5118_is_read_with_its_own_line_ends() -> None:
    for each in CASES:
        # Those with a body say lengths that fit neither kind of line end.
        if each.rfc == "rfc5118" and b"\nv=0" not in each.octets:
            assert verdict(each.octets) == each.status, each.name
