"""Session descriptions: read without loss, and read right."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip import sdp
from sipxd.sip.sdp import Direction, SdpError, parse

PHONE = (
    b"v=0\r\n"
    b"o=- 1188340656 1188340656 IN IP4 192.0.2.10\r\n"
    b"s=-\r\n"
    b"c=IN IP4 192.0.2.10\r\n"
    b"t=0 0\r\n"
    b"a=tool:baresip 1.0.0\r\n"
    b"m=audio 20002 RTP/AVP 0 8 96 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:96 opus/48000/2\r\n"
    b"a=fmtp:96 stereo=1;sprop-stereo=1\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\n"
    b"a=rtcp:20003\r\n"
    b"a=sendrecv\r\n"
    b"a=label:1\r\n"
    b"a=ssrc:3512563152 cname:sip:alice@example.test\r\n"
    b"a=ptime:20\r\n"
)
ODD = (
    b"v=0\r\no=caf\xe9 1 1 IN IP6 2001:db8::1\r\n"
    b"s=\xff\xfe\r\nt=0 0\r\na=inactive\r\nz=unknown \r\n"
    b"m=audio 3456 RTP/SAVP 0\r\nc=IN IP6 2001:db8::2\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20 UNENCRYPTED_SRTCP\r\na=crypto:x\r\n"
    b"m=video 3227/2 RTP/AVP 31\r\nc=IN IP4 224.2.1.1/127/3\r\na=recvonly\r\n"
    b"m=image 0 udptl t38\r\na=T38FaxVersion:0\r\nm=application 9 TCP/MSRP *\r\n"
)


@pytest.mark.parametrize("body", [PHONE, ODD])
def test_comes_out_as_it_went_in(body: bytes) -> None:
    assert parse(body).encode() == body
    assert parse(body.replace(b"\r\n", b"\n")).encode() == body
    assert parse(body.removesuffix(b"\r\n")).encode() == body
    assert parse(body + b"\r\n\r\n").encode() == body


VALUES = st.binary(max_size=40).map(
    lambda value: value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
)
LINES = st.one_of(
    st.tuples(
        st.sampled_from([b"a=", b"c=", b"o=", b"b=", b"s=", b"i=", b"x=", b"==", b"\xff="]), VALUES
    ),
    st.tuples(
        st.just(b"m="), st.sampled_from([b"audio 9 RTP/AVP 0", b"video 0/2 RTP/AVP", b"x 1 y z "])
    ),
).map(b"".join)


@given(st.lists(LINES, max_size=30), st.sampled_from([b"\r\n", b"\n"]), st.booleans())
def test_any_line_shaped_text_comes_out_with_canonical_ends(
    lines: list[bytes], end: bytes, ended: bool
) -> None:
    lines = [b"v=0", *lines]
    description = parse(end.join(lines) + (end if ended else b""))
    assert description.encode() == b"".join(line + b"\r\n" for line in lines)
    assert parse(description.encode()) == description
    for index, media in enumerate(description.media):
        assert description.direction(index) in Direction
        assert list(media.payloads) == list(dict.fromkeys(media.formats))
        description.address(index)
        assert not media.disabled().active


@given(
    st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda text: b"v=0\n" + text))
)
def test_bytes_of_any_kind_are_read_or_refused(body: bytes) -> None:
    try:
        description = parse(body)
    except SdpError:
        return
    assert parse(description.encode()) == description


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"hello",
        b"o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n",
        b"v=1\r\n",
        b"v=0\r\nnothing\r\n",
        b"v=0\r\na=stray\rcr\r\n",
        b"v=0\r\r\n",
        b"v=0\r\na=nul\0\r\n",
        b"v=0\r\nm=audio\r\n",
        b"v=0\r\nm=audio 9\r\n",
        b"v=0\r\nm=audio x RTP/AVP 0\r\n",
        b"v=0\r\nm=audio -1 RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 9/ RTP/AVP 0\r\n",
        b"v=0\r\nm=audio \xb2 RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 9/x RTP/AVP 0\r\n",
        b"v=0\r\n" + b"m=audio 9 RTP/AVP 0\r\n" * (sdp.MAX_MEDIA + 1),
        b"v=0\r\n" + b"a=\r\n" * sdp.MAX_LINES,
        b"v=0\r\na=" + b"x" * sdp.MAX_BYTES,
    ],
)
def test_what_cannot_be_represented_is_refused(body: bytes) -> None:
    with pytest.raises(SdpError):
        parse(body)


def test_reads_the_m_line() -> None:
    audio, video, image, message = parse(ODD).media
    assert (audio.kind, audio.port, audio.ports, audio.protocol) == ("audio", 3456, 1, "RTP/SAVP")
    assert (video.port, video.ports, video.formats) == (3227, 2, ("31",))
    assert (image.active, image.formats) == (False, ("t38",))
    assert message.formats == ("*",)


def test_direction_is_the_section_s_then_the_session_s_then_both_ways() -> None:
    description = parse(ODD)
    assert description.direction(0) is Direction.INACTIVE
    assert description.direction(1) is Direction.RECVONLY
    assert parse(b"v=0\nm=audio 9 RTP/AVP 0\n").direction(0) is Direction.SENDRECV


def test_address_is_the_section_s_then_the_session_s() -> None:
    description = parse(ODD)
    assert description.address(0) == "2001:db8::2"
    assert description.address(1) == "224.2.1.1"
    assert description.address(2) is None
    assert parse(PHONE).address(0) == "192.0.2.10"
    assert parse(PHONE).media[0].address is None


def test_payloads_know_static_types_and_rtpmap() -> None:
    assert parse(PHONE).media[0].payloads == {
        "0": "PCMU/8000",
        "8": "PCMA/8000",
        "96": "OPUS/48000/2",
        "101": "TELEPHONE-EVENT/8000",
    }
    bare = parse(b"v=0\nm=audio 9 RTP/AVP 18 97 8\na=rtpmap:8 pcma/8000/1\n")
    assert bare.media[0].payloads == {"18": "G729/8000", "97": "97", "8": "PCMA/8000"}


def test_crypto_lines_are_read_and_broken_ones_left_out() -> None:
    (crypto,) = parse(ODD).media[0].crypto
    assert (crypto.tag, crypto.suite) == ("1", "AES_CM_128_HMAC_SHA1_80")
    assert crypto.keys == "inline:abc|2^20"


def test_attributes_are_found_with_and_without_value() -> None:
    audio = parse(PHONE).media[0]
    assert audio.has("sendrecv") and audio.has("rtcp")
    assert not audio.has("rtc")


@pytest.mark.parametrize(
    ("one", "reverse"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive",) * 2,
    ],
)
def test_directions_turn_round(one: str, reverse: str) -> None:
    assert Direction(one).reversed == reverse


def test_directions_limit_each_other() -> None:
    both, send, receive, none = Direction
    assert both.limited_to(send) is send
    assert send.limited_to(receive) is none
    assert receive.limited_to(both) is receive
    assert none.limited_to(both) is none


def test_time_grows_with_the_text_only() -> None:
    def cpu(count: int) -> float:
        body = b"v=0\r\n" + b"m=audio 9 RTP/AVP " + b"0 " * count + b"\r\na=" + b":" * count
        best = 1.0
        for _ in range(5):
            start = time.process_time()
            parse(body)
            best = min(best, time.process_time() - start)
        return best

    assert cpu(8_000) < max(4 * cpu(4_000), 0.002)
