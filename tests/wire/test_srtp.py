"""Encrypted speech (SDES-SRTP, RFC 4568) between phones that sipxd joins: the keys are theirs.

Packets that cannot be decrypted flow like others, so the phones' own logs are the witnesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from telephones import Phones

ENCRYPTING = re.compile(r"SRTP is Enabled|media_stream_set_srtp_recv_key")
# RTCP is not looked for: the other phone's last packet may come when the key is gone.
UNDECRYPTED = re.compile(r"failed to decrypt RTP |srtp_unprotect\(\) failed")
FEW = 5
"""Packets that may come before the key that they need, by another way; a wrong key makes 50 a
second."""

PAIRS = [
    pytest.param(("baresip", "baresip"), ("srtp", "srtp"), id="baresip-offering"),
    pytest.param(("baresip", "baresip"), ("srtp-mand", "srtp-mand"), id="baresip-demanding"),
    pytest.param(("linphone", "linphone"), ("srtp", "srtp"), id="linphone"),
    pytest.param(("linphone", "baresip"), ("srtp", "srtp-mand"), id="linphone-baresip"),
    pytest.param(("baresip", "linphone"), ("srtp-mand", "srtp"), id="baresip-linphone"),
]


def _talk_hold_talk(phones: Phones, flow: str = "offer") -> None:
    """A whole call with a hold in it, and each phone could read what the other sent."""
    call = phones.bridged(flow)
    phones.hold("b")
    phones.b.resume()
    phones.talk()
    phones.a.hang_up()
    phones.are_free()
    assert not phones.client.wait_state(call, "ended")["media_mismatch"]
    for phone in (phones.a, phones.b):
        assert len(UNDECRYPTED.findall(phone.trace())) <= FEW, phone.trace()[-5_000:]


@pytest.mark.parametrize("flow", ["offer", "offerless", "refer"])
@pytest.mark.parametrize(("kinds", "encryptions"), PAIRS)
def test_both_talk_encrypted(
    make_phones: Callable[..., Phones],
    kinds: tuple[str, str],
    encryptions: tuple[str, str],
    flow: str,
) -> None:
    phones = make_phones(kinds, encryptions=encryptions)
    _talk_hold_talk(phones, flow)
    assert ENCRYPTING.search(phones.a.trace())
    assert ENCRYPTING.search(phones.b.trace())


@pytest.mark.parametrize("encryptions", [("srtp", "none"), ("none", "srtp")], ids="-".join)
def test_who_offers_encryption_talks_plainly_with_who_has_none(
    make_phones: Callable[..., Phones], encryptions: tuple[str, str]
) -> None:
    _talk_hold_talk(make_phones(encryptions=encryptions))
