"""Messages out of a stream: any chunking gives the same, and nothing ambiguous is divided."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.message import MAXIMUM_SIZE, parse_message
from sipxd.sip.stream import PING, Broken, Item, StreamFramer


def message(number: int, body: bytes = b"", length: str | None = None) -> bytes:
    said = f"Content-Length: {len(body)}" if length is None else length
    return (
        f"OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK{number}\r\n"
        f"{said}\r\nCSeq: {number} OPTIONS\r\n\r\n"
    ).encode() + body


def feed(stream: bytes, cuts: Sequence[int] = ()) -> list[Item]:
    framer = StreamFramer()
    bounds = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    items: list[Item] = []
    for start, end in itertools.pairwise(bounds):
        items += framer.feed(stream[start:end])
    return items


pieces = st.one_of(
    st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"]),
    st.builds(message, st.integers(0, 9), st.binary(max_size=40)),
    st.builds(message, st.integers(0, 9), st.just(b"\r\n\r\nOPTIONS")),
)
odd = st.one_of(
    pieces,
    st.binary(max_size=8),
    st.builds(
        message,
        st.just(1),
        st.just(b""),
        st.sampled_from(["l: x", "Content-Length: 1\r\nl: 1", "X: y", "l:\r\n 3", "L : 2"]),
    ),
)


@given(st.lists(pieces, max_size=8), st.lists(st.integers(0, 4000), max_size=30))
def test_any_chunking_gives_the_same_messages(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    items = feed(stream, cuts)
    assert items == feed(stream)
    assert [item for item in items if item != PING] == [part for part in parts if part.strip()]


@given(st.lists(odd, max_size=8), st.lists(st.integers(0, 4000), max_size=30))
def test_a_broken_stream_breaks_at_the_same_place_however_it_is_cut(
    parts: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(parts)
    items = feed(stream, cuts)
    assert items == feed(stream)
    assert not any(isinstance(item, Broken) for item in items[:-1])


def test_octet_by_octet_is_as_good_as_all_at_once() -> None:
    stream = message(1, b"v=0\r\n\r\n") + PING + message(2)
    assert feed(stream, range(len(stream))) == [message(1, b"v=0\r\n\r\n"), PING, message(2)]


@pytest.mark.parametrize(
    ("stream", "pings"),
    [(b"\r\n\r\n", 1), (b"\r\n", 0), (b"\r\n\r\n\r\n", 1), (b"\r\n\r\n\r\n\r\n", 2)],
)
def test_two_line_ends_are_a_keep_alive_and_one_alone_is_nothing(stream: bytes, pings: int) -> None:
    assert feed(stream) == [PING] * pings
    assert feed(stream + message(1)) == [*[PING] * pings, message(1)]


@pytest.mark.parametrize("said", ["Content-Length:0", "l: 0", "CONTENT-LENGTH \t:\t0 \t", "L:000"])
def test_every_right_way_to_write_the_length_is_understood(said: str) -> None:
    assert feed(message(1, length=said)) == [message(1, length=said)]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("Subject: no length", "Content-Length is missing"),
        ("Subject: x\r\n l: 4", "Content-Length is missing"),
        ("Content-Length: 4\r\nContent-Length: 4", "not one number"),
        ("Content-Length: 4\r\nl: 0", "not one number"),
        *[
            (f"Content-Length: {value}", "not one number")
            for value in ("", "+4", "-4", "4 4", "4, 4", "0x4", "1_0", "٤", "4;x", "9" * 10)
        ],
        ("Content-Length:\r\n 4", "not one number"),
        ("Content-Length: 4\r\n 4", "not one number"),
        ("Subject: a\nl: 4\r\nContent-Length: 0", "not CRLF"),
        ("Subject: a\rl: 4\r\nContent-Length: 0", "not CRLF"),
    ],
)
def test_a_length_that_could_be_read_in_two_ways_ends_the_stream(said: str, sentence: str) -> None:
    framer = StreamFramer()
    stream = message(1) + message(2, length=said) + b"body" + message(3)
    good, broken = framer.feed(stream)
    assert good == message(1)
    assert isinstance(broken, Broken)
    assert broken.status == 400
    assert sentence in broken.reason
    assert broken.head == message(2, length=said), "so that it can be answered"
    assert framer.feed(message(4)) == [], "nothing is read any more"
    assert not framer.waiting


def test_a_message_may_be_as_large_as_a_datagram_and_no_larger() -> None:
    largest = message(1, b"x" * (MAXIMUM_SIZE - len(message(1, length="Content-Length: 65000"))))
    assert len(largest) == MAXIMUM_SIZE
    assert feed(largest) == [largest]
    parse_message(largest)
    (broken,) = feed(message(1, length="Content-Length: 65535"))
    assert isinstance(broken, Broken)
    assert broken.status == 413


def test_headers_without_end_are_cut_off_at_64_kib() -> None:
    framer = StreamFramer()
    assert framer.feed(b"OPTIONS sip:b@h SIP/2.0\r\n") == []
    for _ in range(MAXIMUM_SIZE // 1024 + 1):
        if items := framer.feed(b"X: " + b"y" * 1019 + b"\r\n"):
            break
    (broken,) = items
    assert isinstance(broken, Broken)
    assert broken.head == b""


def test_only_line_ends_stand_between_messages() -> None:
    for stream in (b"\n", b"\r\r\n", b"\n" + message(1)):
        (broken,) = feed(stream)
        assert isinstance(broken, Broken), stream


def test_whether_a_message_has_begun_is_known() -> None:
    framer = StreamFramer()
    for data, waiting in ((b"\r\n\r\n", False), (b"OPT", True), (message(1)[3:], False)):
        framer.feed(data)
        assert framer.waiting is waiting


def test_a_message_that_dribbles_in_is_not_read_again_and_again() -> None:
    head = b"OPTIONS sip:b@h SIP/2.0\r\n" + b"X: y\r\n" * 9_000
    stream = head + b"Content-Length: 8000\r\n\r\n" + b"\r" * 8_000
    framer = StreamFramer()
    began = time.process_time()
    items = [item for octet in stream for item in framer.feed(bytes([octet]))]
    assert items == [stream]
    assert time.process_time() - began < 1.0
