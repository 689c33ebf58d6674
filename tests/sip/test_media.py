"""What a leg is shown of the other's media, how it is held, and when it must be told anew."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.media import (
    CannotHold,
    Origin,
    held_answer,
    held_offer,
    is_failed_answer,
    is_hold,
    revived,
    still_valid,
    with_direction,
)
from sipxd.sip.sdp import MAX_MEDIA, Direction, Sdp, SdpError, parse

OURS = Origin(session_id=77, address="192.0.2.1")


def description(*media: str, address: str = "192.0.2.10", session: str = "") -> Sdp:
    """A phone's description; each item of ``media`` is an m-line and more, parted by ``|``."""
    lines = ["v=0", "o=phone 5 6 IN IP4 192.0.2.10", "s=talk", f"c=IN IP4 {address}", "t=0 0"]
    lines += [session] if session else []
    for section in media:
        lines += section.split("|")
    return parse("\r\n".join(lines).encode())


AUDIO = "m=audio 4000 RTP/AVP 0 8"
VIDEO = "m=video 4002 RTP/AVP 96|a=rtpmap:96 H264/90000"
IMAGE = "m=image 4004 udptl t38"
KEY = "inline:" + base64.b64encode(bytes(30)).decode()
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}"


def m_lines(body: bytes | Sdp) -> list[str]:
    read = body if isinstance(body, Sdp) else parse(body)
    return [section.lines[0] for section in read.media]


def no_key(length: int) -> bytes:
    raise AssertionError("no key is asked for")


# -- Origin ---------------------------------------------------------------------------------------


def test_only_the_origin_line_is_replaced() -> None:
    source = description(AUDIO + "|a=rtpmap:0 PCMU/8000|a=x-odd:1", session="a=tool:x")
    _, body = OURS.present(source)
    assert body == source.encode().replace(
        b"o=phone 5 6 IN IP4 192.0.2.10", b"o=- 77 1 IN IP4 192.0.2.1"
    )


def test_an_ipv6_address_of_ours_is_named_as_such() -> None:
    _, body = Origin(1, "2001:db8::5").present(description(AUDIO))
    assert b"o=- 1 1 IN IP6 2001:db8::5\r\n" in body


def test_version_rises_only_when_the_body_changes() -> None:
    first, body = OURS.present(description(AUDIO))
    again, same = first.present(description(AUDIO))
    assert (again, same) == (first, body)
    changed, _ = again.present(description("m=audio 4002 RTP/AVP 0"))
    assert (first.version, changed.version) == (1, 2)


def test_version_does_not_follow_the_far_origin_line() -> None:
    first, body = OURS.present(description(AUDIO))
    source = parse(description(AUDIO).encode().replace(b"o=phone 5 6", b"o=phone 5 9"))
    assert first.present(source) == (first, body)


def test_a_lost_m_line_stays_with_port_0() -> None:
    origin, _ = OURS.present(description(AUDIO, VIDEO))
    _, body = origin.present(description(AUDIO))
    assert m_lines(body) == [AUDIO, "m=video 0 RTP/AVP 96"]


def test_a_surplus_m_line_comes_last() -> None:
    origin, _ = OURS.present(description(VIDEO))
    origin, body = origin.present(description(AUDIO, VIDEO))
    assert m_lines(body) == [VIDEO.partition("|")[0], AUDIO]
    assert origin.layout == ("m=video 0 RTP/AVP 96", "m=audio 0 RTP/AVP 0 8")


def test_m_lines_of_another_type_keep_the_order_and_switch_off() -> None:
    origin, _ = OURS.present(description(AUDIO, VIDEO))
    _, body = origin.present(description(IMAGE))
    assert m_lines(body) == ["m=audio 0 RTP/AVP 0 8", "m=video 0 RTP/AVP 96", IMAGE]


def test_the_way_back_pairs_the_same() -> None:
    """Fax: one leg offers a single image line, the other leg has had audio."""
    fax = description(IMAGE)
    far, _ = OURS.present(description(AUDIO))
    far, shown = far.present(fax)
    assert m_lines(shown) == ["m=audio 0 RTP/AVP 0 8", IMAGE]
    answer = description("m=audio 0 RTP/AVP 0", "m=image 7000 udptl t38")
    _, back = OURS.present(answer, answering=fax)
    assert m_lines(back) == ["m=image 7000 udptl t38"]


def test_an_answer_has_the_offer_s_m_lines() -> None:
    offer = description(VIDEO, AUDIO, "m=audio 0 RTP/AVP 0")
    answer = description("m=audio 5000 RTP/AVP 0", "m=audio 5002 RTP/AVP 0", IMAGE)
    _, body = OURS.present(answer, answering=offer)
    assert m_lines(body) == [
        "m=video 0 RTP/AVP 96",
        "m=audio 5000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
    ]


@pytest.mark.parametrize(
    ("offered", "said", "shown"),
    [
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "recvonly", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
        ("recvonly", "sendrecv", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
    ],
)
def test_an_answer_takes_no_direction_that_the_offer_does_not_give(
    offered: str, said: str, shown: str
) -> None:
    offer = description(f"{AUDIO}|a={offered}")
    for source in (description(f"{AUDIO}|a={said}"), description(AUDIO, session=f"a={said}")):
        _, body = OURS.present(source, answering=offer)
        assert parse(body).direction(0) == shown


def test_a_direction_can_be_laid_over() -> None:
    _, body = OURS.present(description(AUDIO), direction=Direction.INACTIVE)
    assert parse(body).direction(0) is Direction.INACTIVE


def test_a_switched_off_line_has_an_address_where_the_session_has_none() -> None:
    source = parse(b"v=0\nm=audio 9 RTP/AVP 0\nc=IN IP4 192.0.2.9\n")
    origin, _ = OURS.present(description(AUDIO, VIDEO))
    _, body = origin.present(source)
    assert body.endswith(b"m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\n")


def test_m_lines_do_not_grow_without_end() -> None:
    origin = OURS
    with pytest.raises(SdpError):
        for number in range(MAX_MEDIA + 1):
            origin, _ = origin.present(description(f"m=kind{number} 9 RTP/AVP 0"))
    assert len(origin.layout) == MAX_MEDIA


def test_origin_goes_through_plain_data() -> None:
    source = parse(description(AUDIO).encode().replace(b"s=talk", b"s=caf\xe9 \xff"))
    origin, body = OURS.present(source)
    restored = Origin.from_plain(json.loads(json.dumps(origin.to_plain())))
    assert restored == origin
    assert restored.present(source) == (origin, body)
    assert b"s=caf\xe9 \xff\r\n" in body


SECTIONS = st.lists(
    st.tuples(
        st.sampled_from(["audio", "video", "image"]),
        st.sampled_from([0, 4000, 5000]),
        st.sampled_from(["", "|a=sendonly", "|a=inactive"]),
    ).map(lambda part: f"m={part[0]} {part[1]} RTP/AVP 0{part[2]}"),
    max_size=4,
)


@given(st.lists(SECTIONS, max_size=6))
def test_m_lines_are_never_fewer_and_never_reordered(rounds: list[list[str]]) -> None:
    origin, kinds, last = OURS, [], b""
    for sections in rounds:
        source = description(*sections)
        before = origin
        origin, body = origin.present(source)
        shown = [section.kind for section in parse(body).media]
        assert shown[: len(kinds)] == kinds
        assert origin.version == before.version + (body != last)
        active = [section.lines for section in source.media if section.active]
        assert sorted(active) == sorted(s.lines for s in parse(body).media if s.active)
        kinds, last = shown, body


@given(SECTIONS, SECTIONS)
def test_an_answer_always_fits_the_offer(offered: list[str], answered: list[str]) -> None:
    offer = description(*offered)
    _, body = OURS.present(description(*answered), answering=offer)
    shown = parse(body)
    assert [s.kind for s in shown.media] == [s.kind for s in offer.media]
    for index, section in enumerate(shown.media):
        if section.active:
            assert offer.media[index].active
            allowed = offer.direction(index).reversed
            assert shown.direction(index).limited_to(allowed) is shown.direction(index)


# -- held -----------------------------------------------------------------------------------------


def test_held_answer_keeps_m_lines_and_codecs_and_is_inactive() -> None:
    offer = description(
        "m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 opus/48000/2|a=fmtp:96 stereo=1|a=rtcp:4001"
        "|a=sendrecv|a=ssrc:1 cname:x|a=ice-ufrag:x|a=candidate:1 1 UDP 1 192.0.2.10 9 typ host",
        "m=video 0 RTP/AVP 97",
    )
    answer = held_answer(offer, "192.0.2.1", key=no_key)
    assert answer.encode() == (
        b"v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=audio 9 RTP/AVP 0 96\r\n"
        b"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1\r\na=inactive\r\n"
        b"m=video 0 RTP/AVP 97\r\n"
    )


def test_held_answer_to_plain_rtp_has_no_key_even_when_one_is_offered() -> None:
    answer = held_answer(description(f"{AUDIO}|{CRYPTO}"), "192.0.2.1", key=no_key)
    assert not answer.media[0].crypto


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF"])
def test_held_answer_to_srtp_has_one_fresh_key_of_a_known_suite(protocol: str) -> None:
    offer = description(
        f"m=audio 4000 {protocol} 0|a=crypto:1 NEW_SUITE inline:a"
        f"|a=crypto:2 AES_256_CM_HMAC_SHA1_80 inline:b|{CRYPTO}"
    )
    answer = held_answer(offer, "192.0.2.1", key=lambda length: b"k" * length)
    (crypto,) = answer.media[0].crypto
    assert (crypto.tag, crypto.suite) == ("2", "AES_256_CM_HMAC_SHA1_80")
    assert base64.b64decode(crypto.keys.removeprefix("inline:")) == b"k" * 46


def test_held_answer_gives_no_key_to_a_phone_that_never_replaces_one() -> None:
    offer = description(f"m=audio 4000 RTP/SAVP 0|{CRYPTO}")
    answer = held_answer(offer, "192.0.2.1", key=no_key, replaces_keys=False)
    assert m_lines(answer) == ["m=audio 9 RTP/SAVP 0"]
    assert not answer.media[0].crypto


@pytest.mark.parametrize(
    "media",
    [
        "m=audio 4000 UDP/TLS/RTP/SAVPF 111|a=fingerprint:sha-256 AA|a=setup:actpass",
        "m=audio 4000 RTP/SAVPF 111|a=fingerprint:sha-256 AA",
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 NEW_SUITE inline:a",
        "m=audio 0 RTP/AVP 0",
    ],
)
def test_what_needs_dtls_or_has_no_media_cannot_be_held(media: str) -> None:
    with pytest.raises(CannotHold):
        held_answer(description(media), "192.0.2.1", key=no_key)


def test_an_m_line_that_cannot_be_held_is_refused_beside_one_that_can() -> None:
    answer = held_answer(description(AUDIO, IMAGE), "2001:db8::1", key=no_key)
    assert m_lines(answer) == ["m=audio 9 RTP/AVP 0 8", "m=image 0 udptl t38"]
    assert answer.address(0) == "2001:db8::1"


def test_held_offer_is_readable_and_held() -> None:
    offer = held_offer("192.0.2.1")
    assert parse(offer.encode()) == offer
    assert offer.direction(0) is Direction.INACTIVE
    assert {"PCMU/8000", "PCMA/8000"} <= set(offer.media[0].payloads.values())
    assert held_offer("192.0.2.1", Direction.SENDONLY).direction(0) is Direction.SENDONLY


def test_held_bodies_pass_through_an_origin() -> None:
    offer = description(AUDIO, VIDEO)
    origin, body = OURS.present(held_answer(offer, "192.0.2.1", key=no_key), answering=offer)
    assert body.startswith(b"v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\n")
    assert parse(body).direction(1) is Direction.INACTIVE
    _, body = origin.present(description("m=audio 5000 RTP/AVP 0"))
    assert m_lines(body) == ["m=audio 5000 RTP/AVP 0", "m=video 0 RTP/AVP 96"]


# -- questions ------------------------------------------------------------------------------------


def test_an_answer_without_any_port_has_failed() -> None:
    assert is_failed_answer(description("m=audio 0 RTP/AVP 0"))
    assert is_failed_answer(description())
    assert not is_failed_answer(description("m=audio 0 RTP/AVP 0", VIDEO))


@pytest.mark.parametrize(
    ("sdp", "hold"),
    [
        (description(AUDIO), False),
        (description(AUDIO + "|a=sendonly"), True),
        (description(AUDIO + "|a=inactive"), True),
        (description(AUDIO + "|a=recvonly"), False),
        (description(AUDIO, session="a=sendonly"), True),
        (description(AUDIO, address="0.0.0.0"), True),
        (description(AUDIO + "|a=sendonly", "m=video 0 RTP/AVP 96"), True),
        (description(AUDIO + "|a=sendonly", VIDEO), False),
        (description("m=audio 0 RTP/AVP 0|a=inactive"), False),
    ],
)
def test_hold_is_seen(sdp: Sdp, hold: bool) -> None:
    assert is_hold(sdp) is hold


def test_with_direction_sets_every_active_section() -> None:
    sdp = description(
        AUDIO + "|a=sendonly|a=ptime:20", VIDEO, "m=audio 0 RTP/AVP 0", session="a=inactive"
    )
    changed = with_direction(sdp, Direction.RECVONLY)
    assert b"a=sendonly" not in changed.encode() and b"a=inactive" not in changed.encode()
    assert changed.direction(0) is changed.direction(1) is Direction.RECVONLY
    assert changed.media[2].lines == ("m=audio 0 RTP/AVP 0",)


def test_revived_has_no_direction_left() -> None:
    sdp = revived(description(AUDIO + "|a=sendonly", VIDEO, session="a=inactive"))
    assert sdp == description(AUDIO, VIDEO)
    assert not is_hold(sdp)


# -- convergence ----------------------------------------------------------------------------------

PHONE = (
    "m=audio 4000 RTP/AVP 96 0 8 101|a=rtpmap:96 opus/48000/2|a=rtpmap:8 PCMA/8000"
    "|a=rtpmap:101 telephone-event/8000|a=sendrecv"
)
SECURE = f"m=audio 4000 RTP/SAVP 0|{CRYPTO}|a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:other"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (PHONE, PHONE),
        (PHONE, "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000"),
        (PHONE, "m=audio 4000 RTP/AVP 8 0|a=recvonly|a=rtpmap:8 pcma/8000/1|a=ssrc:5 cname:x"),
        ("m=audio 4000 RTP/AVP 0", "m=audio 4000 RTP/AVP 0 8"),
        (SECURE, f"m=audio 4000 RTP/SAVP 0|{CRYPTO.replace('crypto:1', 'crypto:7')}"),
    ],
)
def test_what_makes_no_difference(shown: str, said: str) -> None:
    assert still_valid(description(shown), description(said))


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (PHONE, PHONE.replace("4000", "4002")),
        (PHONE, PHONE.replace("4000", "0")),
        (PHONE, PHONE + "|c=IN IP4 192.0.2.99"),
        (PHONE, PHONE.replace("RTP/AVP", "RTP/AVPF")),
        (PHONE, PHONE.replace("96", "97")),
        (PHONE, "m=audio 4000 RTP/AVP 96|a=rtpmap:96 speex/16000"),
        (PHONE, "m=audio 4000 RTP/AVP 101|a=rtpmap:101 telephone-event/8000"),
        (PHONE, "m=audio 4000 RTP/AVP 9"),
        (PHONE, PHONE + "|" + CRYPTO),
        (PHONE, "m=video 4000 RTP/AVP 96|a=rtpmap:96 opus/48000/2"),
        (SECURE, SECURE.replace("inline:A", "inline:B").replace("inline:other", "inline:new")),
        (SECURE, "m=audio 4000 RTP/SAVP 0"),
    ],
)
def test_what_makes_a_difference(shown: str, said: str) -> None:
    assert not still_valid(description(shown), description(said))


def test_an_m_line_more_or_less_is_a_difference_only_while_it_is_in_use() -> None:
    audio, both = description(AUDIO), description(AUDIO, VIDEO)
    off = description(AUDIO, "m=video 0 RTP/AVP 96")
    assert not still_valid(audio, both)
    assert not still_valid(both, audio)
    assert not still_valid(both, off)
    assert still_valid(audio, off) and still_valid(off, audio)


def test_what_the_far_party_refused_itself_does_not_matter_to_it() -> None:
    both, off = description(AUDIO, VIDEO), description(AUDIO, "m=video 0 RTP/AVP 96")
    assert still_valid(both, off, far=off)
    assert not still_valid(both, off, far=both)


def test_keys_that_the_far_party_did_not_take_up_do_not_matter() -> None:
    offered, plain = description(f"{AUDIO}|{CRYPTO}"), description(AUDIO)
    assert still_valid(offered, plain, far=plain)
    assert not still_valid(offered, plain, far=offered)
    assert not still_valid(offered, plain)


@given(SECTIONS)
def test_a_description_agrees_with_itself(sections: list[str]) -> None:
    sdp = description(*sections)
    assert still_valid(sdp, sdp)
    assert still_valid(sdp, parse(sdp.encode()))
