"""Reading and writing messages: what is refused, what survives, and that nothing else is raised."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipxd.sip.headers import HeaderError
from sipxd.sip.message import (
    MAXIMUM_HEADERS,
    MAXIMUM_LINE,
    MAXIMUM_SIZE,
    ParseError,
    Request,
    Response,
    parse_message,
    respond,
)

INVITE = (
    b"INVITE sip:201@example.com SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa, SIP/2.0/TCP 10.0.0.3;branch=z9hG4bKb\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.4;branch=z9hG4bKc\r\n"
    b'f: "A ; tag=no" <sip:200@example.com;tag=no>;tag=yes\r\n'
    b"t: <sip:201@example.com>\r\n"
    b"i: call-1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Record-Route: <sip:proxy;lr>\r\n"
    b"X-Own:  kept  \r\n"
    b"c: application/sdp;charset=utf-8\r\n"
    b"l: 4\r\n\r\n"
    b"v=0\n and what the length leaves out"
)


def request(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_a_request_is_read_with_compact_names_lists_and_its_body_cut_to_length() -> None:
    message = request(INVITE)
    assert (message.method, message.uri, message.version) == (
        "INVITE",
        "sip:201@example.com",
        "SIP/2.0",
    )
    assert message.body == b"v=0\n"
    assert message.sdp == b"v=0\n"
    assert message.call_id == "call-1"
    assert message.cseq == (7, "INVITE")
    assert message.via.branch == "z9hG4bKa"
    assert len(message.values("Via")) == 3
    assert message.from_tag == "yes"
    assert message.to_tag is None
    assert message.get("x-own") == "kept"
    assert message.get_all("x-OWN") == ["kept"]


def test_a_response_is_read_with_a_reason_of_any_form() -> None:
    message = parse_message(b"SIP/2.0 486 Besetzt \xc3\xa4 \xff\r\nTo: x\r\n\r\n")
    assert isinstance(message, Response)
    assert message.status == 486
    assert message.encode().startswith(b"SIP/2.0 486 Besetzt \xc3\xa4 \xff\r\n")


def test_folded_lines_become_one() -> None:
    message = request(b"A sip:a SIP/2.0\r\nSubject: one\r\n  two\r\n\tthree\r\nTo: x\r\n\r\n")
    assert message.get("Subject") == "one two three"
    assert message.get("To") == "x"


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_either_line_end_will_do_and_empty_lines_may_come_first(end: bytes) -> None:
    data = end.join([b"", b"", b"A sip:a SIP/2.0", b"To: x", b"From: y", b"", b"body\r\n\r\nmore"])
    message = request(data)
    assert message.headers == [("To", "x"), ("From", "y")]
    assert message.body == b"body\r\n\r\nmore"


@pytest.mark.parametrize("empty", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
def test_the_first_empty_line_ends_the_head_so_that_no_body_is_read_as_headers(
    empty: bytes,
) -> None:
    message = request(b"A sip:a SIP/2.0\r\nTo: x" + empty + b"Route: <sip:evil>\r\n\r\n")
    assert message.headers == [("To", "x")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"hello",
        b"INVITE sip:a\r\n\r\n",
        b"INVITE sip:a HTTP/1.1\r\n\r\n",
        b" sip:a SIP/2.0\r\n\r\n",
        b"SIP/2.0 20 OK\r\n\r\n",
        b"SIP/2.0 \xb2\xb2\xb2 OK\r\n\r\n",
        b"\xc5\xbfIP/2.0 200 OK\r\n\r\n",
        b"A sip:a SIP/2.0\r\nno colon\r\n\r\n",
        b"A sip:a SIP/2.0\r\nbad name: x\r\n\r\n",
        b"A sip:a SIP/2.0\r\n: x\r\n\r\n",
        b"A sip:a SIP/2.0\r\nTo: a\0b\r\n\r\n",
        b"A sip:a SIP/2.0\r\nTo: a\rVia: b\r\n\r\n",
        b"A sip:a SIP/2.0\r\n" + b"To: x\r\n" * (MAXIMUM_HEADERS + 1) + b"\r\n",
        b"A sip:a SIP/2.0\r\nTo: " + b"x" * MAXIMUM_LINE + b"\r\n\r\n",
        b"A sip:" + b"x" * MAXIMUM_LINE + b" SIP/2.0\r\n\r\n",
        b"A sip:a SIP/2.0\r\n\r\n" + b"x" * MAXIMUM_SIZE,
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_message(data)


def test_the_most_headers_that_may_be_are_read() -> None:
    message = parse_message(b"A sip:a SIP/2.0\r\n" + b"To: x\r\n" * MAXIMUM_HEADERS + b"\r\n")
    assert len(message.headers) == MAXIMUM_HEADERS


@pytest.mark.parametrize("value", ["", ",", ", ,", '"', "x", "SIP/2.0/UDP"])
def test_a_broken_via_raises_only_what_it_says(value: str) -> None:
    message = Request("A", "sip:a", headers=[("Via", value)])
    with pytest.raises(HeaderError):
        _ = message.via


def test_a_length_that_is_no_number_leaves_the_body_for_the_validator() -> None:
    assert parse_message(b"A sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\nbody").body == b"body"


def test_a_response_copies_what_it_must_and_tags_to_once() -> None:
    ringing = respond(request(INVITE), 180, to_tag="ours", headers=[("Contact", "<sip:us>")])
    names = [name for name, _ in ringing.headers]
    assert names == ["Via", "Via", "From", "To", "Call-ID", "CSeq", "Record-Route", "Contact"]
    assert ringing.to_tag == "ours"
    assert respond(request(INVITE), 100, to_tag="ours").to_tag is None
    assert respond(request(INVITE), 486, to_tag="ours").get("Record-Route") is None
    tagged = INVITE.replace(b"t: <sip:201@example.com>", b"t: <sip:201@example.com>;tag=theirs")
    assert respond(request(tagged), 200, to_tag="ours").to_tag == "theirs"


@given(st.binary(max_size=600))
@example(b"SIP/2.0 200 OK\r\n\r\n")
def test_any_octets_are_a_message_or_refused(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_message(data)


PIECES = st.lists(
    st.sampled_from(
        [
            *(b"INVITE sip:a@b SIP/2.0", b"SIP/2.0 200 OK", b"\r\n", b"\n", b"\r", b" ", b"\t"),
            *(b"Via: SIP/2.0/UDP h;branch=z9hG4bKx", b"v", b":", b",", b'"', b"<sip:a>", b";"),
            *(b"To", b"From: <sip:a>;tag=1", b"CSeq: 1 INVITE", b"Content-Length: 3", b"\xff"),
            *(b"\0", b"\xc2\x85", b"\x0b", b"Subject: x", b"\\", b"=", b"abc"),
        ]
    ),
    max_size=25,
).map(b"".join)


def _without_length(message: Request | Response) -> list[tuple[str, str]]:
    return [header for header in message.headers if header[0] != "Content-Length"]


@given(PIECES)
def test_what_was_read_is_written_and_read_the_same(data: bytes) -> None:
    try:
        first = parse_message(data)
    except ParseError:
        return
    second = parse_message(first.encode())
    assert second.get_all("Content-Length") == [str(len(first.body))]
    assert _without_length(second) == _without_length(first)
    assert second.body == first.body
    assert second.encode() == parse_message(second.encode()).encode()
    assert second._start_line() == first._start_line()


@given(PIECES)
def test_the_typed_headers_of_any_message_raise_only_header_errors(data: bytes) -> None:
    try:
        message = parse_message(data)
    except ParseError:
        return
    _ = message.from_tag, message.to_tag, message.sdp, message.tokens("Via")
    for name in ("call_id", "cseq", "via"):
        with contextlib.suppress(HeaderError):
            getattr(message, name)


HEADER_VALUE = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs"]),
    max_size=40,
).map(str.strip)


@given(
    st.lists(st.tuples(st.sampled_from(["To", "X-Own", "Via"]), HEADER_VALUE), max_size=5),
    st.binary(max_size=50),
)
def test_a_message_that_we_make_comes_back_equal(
    headers: list[tuple[str, str]], body: bytes
) -> None:
    length = [("Content-Length", str(len(body)))]
    made = Request("INFO", "sip:a@b", headers=headers + length, body=body)
    assert parse_message(made.encode()) == made
    answer = Response(200, "OK", headers=headers + length, body=body)
    assert parse_message(answer.encode()) == answer
