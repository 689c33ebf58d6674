"""Header values: names, lists, parameters, addresses, Via, numbers."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.headers import (
    HeaderError,
    NameAddr,
    Via,
    canonical_name,
    format_parameters,
    parameter,
    parse_cseq,
    parse_name_addr,
    parse_number,
    parse_parameters,
    parse_via,
    quote,
    split_host_port,
    split_list,
    tag_of,
    unquote,
)

WILD = st.lists(
    st.sampled_from(
        [*'abc <>;,="\\:/[]@*', "tag", "SIP/2.0/UDP", "sip:a", "ſ", "\u212a", "\udcff"]
    ),
    max_size=30,
).map("".join)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("v", "Via"), ("CALL-id", "Call-ID"), ("L", "Content-Length"), ("X-Own", "X-Own")],
)
def test_names_get_their_usual_spelling(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(HeaderError):
        canonical_name(name)


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", []),
        (",,", []),
        ("a", ["a"]),
        ("a , b,c", ["a", "b", "c"]),
        ('"a,b" <sip:x,y>;p="1,2", <sip:z>', ['"a,b" <sip:x,y>;p="1,2"', "<sip:z>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
    ],
)
def test_lists_are_split_outside_quotes_and_angle_brackets(value: str, members: list[str]) -> None:
    assert split_list(value) == members


def test_a_list_with_an_open_quote_is_refused() -> None:
    with pytest.raises(HeaderError):
        split_list('a, "b')


def test_two_contacts_with_quoted_parameters_are_two() -> None:
    assert len(split_list('"A" <sip:a>;x="1", "B" <sip:b>;x="2"')) == 2


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", ()),
        (";lr", (("lr", None),)),
        ("; A = b ;c=", (("a", "b"), ("c", ""))),
        (';q="x;y";;z', (("q", '"x;y"'), ("z", None))),
        (";TAG=AbC;rport", (("tag", "AbC"), ("rport", None))),
    ],
)
def test_parameters(text: str, parameters: tuple[tuple[str, str | None], ...]) -> None:
    assert parse_parameters(text) == parameters


@pytest.mark.parametrize("text", ["x;a", ";=b", ";a b=c", ';a="b', ";\u212a=1"])
def test_broken_parameters_are_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_parameters(text)


def test_a_parameter_without_value_is_told_from_a_missing_one() -> None:
    parameters = parse_parameters(";lr;a=1;a=2")
    assert parameter(parameters, "lr") == ""
    assert parameter(parameters, "a") == "1"
    assert parameter(parameters, "b") is None
    assert format_parameters(parameters) == ";lr;a=1;a=2"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("<sip:a@b>", NameAddr("sip:a@b")),
        ("sip:a@b;tag=1", NameAddr("sip:a@b", "", (("tag", "1"),))),
        ("<sip:a@b;tag=no>;tag=1", NameAddr("sip:a@b;tag=no", "", (("tag", "1"),))),
        ("Alice B <sip:a>", NameAddr("sip:a", "Alice B")),
        ("Jürgen <sip:a>", NameAddr("sip:a", "Jürgen")),
        (r'"A \"x\" <\\" <sip:a>', NameAddr("sip:a", 'A "x" <\\')),
        ('"a>b" <sip:a>;x="c>d"', NameAddr("sip:a", "a>b", (("x", '"c>d"'),))),
        ('""<sip:a>', NameAddr("sip:a")),
        ("<sip:a>;tag=1;x=<y>", NameAddr("sip:a", "", (("tag", "1"), ("x", "<y>")))),
    ],
)
def test_addresses(value: str, address: NameAddr) -> None:
    assert parse_name_addr(value) == address
    assert parse_name_addr(f"  {value} ") == address
    assert parse_name_addr(str(address)) == address
    assert tag_of(value) == address.tag


@pytest.mark.parametrize(
    "value",
    ["", '"a', '"a" sip:b', "<sip:a", "sip:a,b", "sip:a?b=c", "a,b <sip:c>", "a\x01 <sip:c>"],
)
def test_broken_addresses_are_refused(value: str) -> None:
    with pytest.raises(HeaderError):
        parse_name_addr(value)


@pytest.mark.parametrize(
    ("value", "via"),
    [
        ("SIP/2.0/UDP a.example.com", Via("UDP", "a.example.com", None, ())),
        (
            "SIP/2.0/tcp A:5070;branch=z9hG4bKx",
            Via("TCP", "a", 5070, (("branch", "z9hG4bKx"),)),
        ),
        (
            "SIP / 2.0 / UDP first.example.com: 4000;ttl=16",
            Via("UDP", "first.example.com", 4000, (("ttl", "16"),)),
        ),
        ("SIP/2.0/UDP host :5060", Via("UDP", "host", 5060, ())),
        ("sip/2.0/UDP [::1]:5062", Via("UDP", "[::1]", 5062, ())),
        ("SIP/2.0/UDP [2001:db8::9];rport", Via("UDP", "[2001:db8::9]", None, (("rport", None),))),
    ],
)
def test_via(value: str, via: Via) -> None:
    assert parse_via(value) == via


def test_a_via_of_another_version_can_be_answered() -> None:
    assert parse_via("SIP/7.0/UDP host").version == "7.0"


def test_sent_by_is_host_and_port() -> None:
    assert parse_via("SIP/2.0/UDP A:5070").sent_by == "a:5070"
    assert parse_via("SIP/2.0/UDP A").sent_by == "a"


@pytest.mark.parametrize(
    "value",
    [
        *("", ";branch=x", "SIP/2.0/UDP", "UDP host", "SIP/ö/UDP host", "HTTP/2.0/UDP host"),
        *("SIP/2.0/UDP host:x", "SIP/2.0/UDP host:70000", "SIP/2.0/UDP [::1", "SIP/2.0/UDP [::1]x"),
        *("SIP 2.0 UDP host", "SIP/2.0/ſ host", "SIP/2.0/UDP höst", "SIP/2.0/UDP :5060"),
    ],
)
def test_broken_via_is_refused(value: str) -> None:
    with pytest.raises(HeaderError):
        parse_via(value)


@pytest.mark.parametrize("port", ["", "-1", "65536", "5060x", "٣", "000000"])
def test_a_port_is_a_number_up_to_65535(port: str) -> None:
    with pytest.raises(HeaderError):
        split_host_port(f"host:{port}")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", "0x1", "٣", "256", "9" * 21, "1.0"])
def test_only_digits_up_to_the_maximum_are_a_number(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_number(text, 255)
    assert parse_number(" 255 ", 255) == 255


def test_cseq() -> None:
    assert parse_cseq("4711  INVITE") == (4711, "INVITE")
    for value in ("", "1", "INVITE 1", "1 IN VITE", "2147483648 INVITE", "1 IN(V"):
        with pytest.raises(HeaderError):
            parse_cseq(value)


def test_a_display_name_full_of_escapes_costs_time_in_proportion() -> None:
    assert parse_name_addr('"' + '\\"' * 4000 + '" <sip:a>').display == '"' * 4000


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_quoting_and_unquoting_are_opposites(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.text(max_size=30))
def test_a_quoted_string_holds_no_control_character(text: str) -> None:
    assert not any(c < " " or c == "\x7f" for c in quote(text))


@given(WILD)
def test_wild_values_raise_nothing_but_header_errors(value: str) -> None:
    for read in (split_list, parse_parameters, parse_name_addr, parse_via, parse_cseq):
        with contextlib.suppress(HeaderError):
            read(value)
    unquote(value)


@given(WILD)
def test_the_cheap_tag_is_the_true_one(value: str) -> None:
    try:
        address = parse_name_addr(value)
    except HeaderError:
        tag_of(value)
        return
    assert tag_of(value) == address.tag


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from(["sip:a@b", "sip:a@b;x=1", "tel:1"]),
    st.lists(st.tuples(st.sampled_from(["tag", "x"]), st.sampled_from([None, "1", '"q;>"']))),
)
def test_addresses_survive_writing_and_reading(
    display: str, uri: str, parameters: list[tuple[str, str | None]]
) -> None:
    address = NameAddr(uri, display, tuple(parameters))
    assert parse_name_addr(str(address)) == address
