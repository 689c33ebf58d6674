"""What the sender of a wrong message is owed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.message import Request, Response, respond
from sipxd.sip.validate import validate_request, validate_response

HEADERS = {
    "Via": "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa",
    "Max-Forwards": "70",
    "From": "<sip:200@example.com>;tag=a",
    "To": "<sip:201@example.com>",
    "Call-ID": "call-1",
    "CSeq": "1 INVITE",
    "Contact": "<sip:200@10.0.0.2>",
}


def invite(
    changed: dict[str, str | None] | None = None,
    *more: tuple[str, str],
    method: str = "INVITE",
    uri: str = "sip:201@example.com",
    body: bytes = b"",
    version: str = "SIP/2.0",
) -> Request:
    values = HEADERS | {"CSeq": f"1 {method}"} | (changed or {})
    headers = [(name, value) for name, value in values.items() if value is not None]
    return Request(method, uri, version, headers=[*headers, *more], body=body)


def status(request: Request) -> int | None:
    refusal = validate_request(request)
    return refusal.status if refusal else None


def test_a_right_request_is_owed_nothing() -> None:
    assert status(invite()) is None
    assert status(invite(uri="tel:+491")) is None
    assert status(invite({"Max-Forwards": None})) is None
    assert status(invite(version="sip/2.0")) is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_missing_header_is_named(name: str) -> None:
    refusal = validate_request(invite({name: None}))
    assert refusal is not None
    assert refusal.status == 400
    assert name in refusal.reason


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards"])
def test_a_header_that_stands_twice_is_named(name: str) -> None:
    refusal = validate_request(invite(None, (name, HEADERS[name])))
    assert refusal is not None
    assert refusal.reason.endswith(f"{name} stands twice")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", "SIP/2.0/UDP"),
        ("Via", ","),
        ("Via", "SIP/2.0/UDP a, nonsense"),
        ("From", '"open <sip:a>'),
        ("From", "<a>;tag=1"),
        ("To", "<sip:a@b c>"),
        ("Call-ID", ""),
        ("Call-ID", "a b"),
        ("CSeq", "x INVITE"),
        ("CSeq", "1 BYE"),
        ("CSeq", "2147483648 INVITE"),
        ("Max-Forwards", "256"),
        ("Max-Forwards", "-1"),
        ("Contact", None),
        ("Contact", "<sip:a>, <sip:b>"),
        ("Contact", "*"),
        ("Contact", "<nothing>"),
        ("Contact", '"open'),
        ("Require", '"open, x'),
    ],
)
def test_a_broken_header_is_a_bad_request(name: str, value: str | None) -> None:
    assert status(invite({name: value})) == 400


def test_all_of_a_second_via_line_is_looked_at() -> None:
    assert status(invite(None, ("Via", "nonsense"))) == 400


@pytest.mark.parametrize(
    ("request_", "owed"),
    [
        (invite(version="SIP/3.0"), 505),
        (invite(method="IN<VITE"), 400),
        (invite(uri="sip:a@b c"), 400),
        (invite(uri="sip:a@b?Subject=x"), 400),
        (invite(uri="http://example.com"), 416),
        (invite({"Content-Length": "9"}, body=b"four"), 400),
        (invite({"Content-Length": "9x"}, body=b"four"), 400),
        (invite({"Content-Encoding": "gzip"}), 415),
        (invite({"Content-Type": "text/plain"}, body=b"x"), 415),
        (invite(body=b"x"), 415),
    ],
)
def test_a_wrong_request(request_: Request, owed: int) -> None:
    assert status(request_) == owed


def test_what_cannot_be_supported_is_listed() -> None:
    refusal = validate_request(invite({"Require": "timer, 100rel, bar, foo"}))
    assert refusal is not None
    assert (refusal.status, refusal.headers) == (420, (("Unsupported", "bar, foo"),))


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_not_refused_for_what_they_require(method: str) -> None:
    assert status(invite({"Require": "foo", "Contact": None}, method=method)) is None


def test_a_register_may_remove_every_contact() -> None:
    assert status(invite({"Contact": "*"}, method="REGISTER")) is None
    assert status(invite({"Contact": None}, method="OPTIONS")) is None


def test_a_branch_that_is_only_the_cookie_names_no_transaction() -> None:
    assert status(invite({"Via": "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK"})) == 400


def test_another_version_is_named() -> None:
    other = {"Via": "SIP/7.0/UDP 10.0.0.2;branch=z9hG4bKa"}
    assert status(invite(other, version="SIP/7.0")) == 505
    assert status(invite(other)) == 400


def test_blanks_at_the_end_of_the_request_line_are_refused() -> None:
    assert status(invite(version="SIP/2.0 ")) == 400


def test_only_sip_addresses_are_registered() -> None:
    assert status(invite({"To": "isbn:2983792873"}, method="REGISTER")) == 400
    assert status(invite({"To": "<tel:+491>"}, method="REGISTER")) == 400
    assert status(invite({"To": "<tel:+491>"})) is None


def test_a_caller_must_accept_session_descriptions() -> None:
    assert status(invite({"Accept": "text/plain, application/pidf+xml"})) == 406
    assert status(invite({"Accept": "text/plain, APPLICATION/SDP;q=0.5"})) is None
    assert status(invite({"Accept": "*/*"})) is None
    assert status(invite({"Accept": "text/plain"}, method="OPTIONS")) is None


def test_an_old_caller_may_give_no_contact() -> None:
    old = {"Via": "SIP/2.0/UDP 10.0.0.2", "Contact": None}
    assert status(invite(old)) is None
    assert status(invite({"Contact": None})) == 400
    assert status(invite(old | {"Contact": "<sip:a@b>, <sip:c@d>"})) == 400


def test_responses_are_looked_at_too() -> None:
    answer = respond(invite(), 200, to_tag="b")
    assert validate_response(answer) is None
    assert validate_response(Response(700, "No", headers=answer.headers))
    assert validate_response(Response(99, "No", headers=answer.headers))
    assert validate_response(Response(200, "OK", "SIP/1.0", headers=answer.headers))
    assert validate_response(Response(200, "OK"))


PIECES = st.lists(st.sampled_from([*'<>",;:@ \\', "sip:a", "1", "SIP/2.0/UDP h"]), max_size=12).map(
    "".join
)


@given(
    st.dictionaries(
        st.sampled_from([*HEADERS, "Require", "Content-Length", "Content-Type"]),
        st.none() | PIECES,
    ),
    st.sampled_from(["INVITE", "ACK", "REGISTER", "", "ſ"]),
    st.text(st.sampled_from([*"sip:@a;?[]", "\udcff"]), max_size=10),
)
def test_nothing_wrong_makes_the_validator_raise(
    changed: dict[str, str | None], method: str, uri: str
) -> None:
    request = invite(changed, method=method, uri=uri)
    refusal = validate_request(request)
    assert refusal is None or 400 <= refusal.status < 600
    validate_response(Response(200, "OK", headers=request.headers))
