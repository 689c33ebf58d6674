"""What one leg said, was sent, and holds."""

from __future__ import annotations

import json
import random

import pytest
from legkit import DTLS, sdp

from sipxd.sip.leg_media import LegMedia, readable
from sipxd.sip.media import CannotHold
from sipxd.sip.sdp import parse

OFFER = sdp(4000)
SECURE = sdp(4000, media="RTP/SAVP 0").replace(
    b"a=sendrecv", b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40
)


def media() -> LegMedia:
    return LegMedia("192.0.2.1", random.Random(1).randbytes)


def version(body: bytes) -> int:
    origin = parse(body).origin
    assert origin is not None
    return int(origin.split()[2])


def session(body: bytes) -> str:
    origin = parse(body).origin
    assert origin is not None
    return origin.split()[1]


def test_each_body_of_a_leg_has_its_own_origin_whose_version_rises_with_changes() -> None:
    leg = media()
    first, same, other = (leg.present(sdp(port)) for port in (5000, 5000, 5002))
    assert first == same
    assert version(other) == version(first) + 1
    assert session(other) == session(first)


def test_an_offer_counts_when_it_is_answered() -> None:
    leg = media()
    first = leg.present(sdp(5000))
    assert leg.last_sent is None
    assert leg.heard(OFFER)
    assert leg.last_sent == first
    leg.present(sdp(5002))
    leg.refused()
    assert leg.last_sent == first
    assert leg.heard(sdp(4002))
    assert leg.last_sent == first


def test_an_answer_counts_at_once() -> None:
    leg = media()
    assert leg.heard_offer(OFFER)
    assert leg.present(sdp(5000)) == leg.last_sent


@pytest.mark.parametrize("body", [b"nonsense", sdp(0), b"v=0\r\n"])
def test_an_answer_without_media_or_sense_does_not_count(body: bytes) -> None:
    leg = media()
    leg.present(sdp(5000))
    assert not leg.heard(body)
    assert leg.last_heard is None
    assert leg.last_sent is None


def test_an_offer_that_was_dropped_was_never_made() -> None:
    leg = media()
    leg.heard_offer(OFFER)
    leg.present(sdp(5000))
    leg.heard_offer(sdp(4002))
    leg.dropped()
    assert leg.last_heard == OFFER
    leg.dropped()
    assert leg.last_heard == OFFER
    assert not leg.heard_offer(b"nonsense")


def test_an_offer_that_says_nothing_new_has_its_answer() -> None:
    leg = media()
    assert leg.answer_again(OFFER) is None
    leg.heard_offer(OFFER)
    answer = leg.present(sdp(5000))
    assert leg.answer_again(OFFER) == answer
    assert leg.answer_again(sdp(4002)) is None
    assert leg.last_heard == OFFER


def test_a_held_answer_has_ports_and_no_media() -> None:
    leg = media()
    leg.heard_offer(OFFER)
    held = parse(leg.held_answer())
    assert (held.media[0].port, str(held.direction(0))) == (9, "inactive")
    assert held.address(0) == "192.0.2.1"


@pytest.mark.parametrize(("agent", "keys"), [("Linphonec/5", 1), ("baresip v1.0.0", 0)])
def test_a_held_answer_gives_a_key_only_to_phones_that_replace_it(agent: str, keys: int) -> None:
    leg = media()
    leg.peer_agent = agent
    leg.heard_offer(SECURE)
    assert len(parse(leg.held_answer()).media[0].crypto) == keys


def test_what_cannot_be_held_can_be_refused() -> None:
    leg = media()
    leg.heard_offer(DTLS)
    with pytest.raises(CannotHold):
        leg.held_answer()
    assert parse(leg.refused_answer()).media[0].port == 0


def test_without_an_open_offer_there_is_still_something_to_say() -> None:
    leg = media()
    assert parse(leg.held_answer()).media[0].port == 9
    leg.heard(OFFER)
    assert leg.refused_answer() == leg.last_sent


def test_only_what_can_be_read_is_readable() -> None:
    assert readable(None) is None
    assert readable(b"nonsense") is None
    assert readable(OFFER) == parse(OFFER)


def test_media_survive_storage_as_json_also_with_odd_octets() -> None:
    leg = media()
    odd = OFFER.replace(b"s=-", b"s=\xff\xe4")
    leg.heard_offer(odd)
    leg.present(sdp(5000))
    leg.peer_agent = "phone/1"
    other = LegMedia("192.0.2.1", random.Random(2).randbytes)
    other.restore(json.loads(json.dumps(leg.to_plain())))
    assert (other.last_sent, other.last_heard) == (leg.last_sent, odd)
    assert other.peer_agent == "phone/1"
    assert other.present(sdp(5002)) == leg.present(sdp(5002))
