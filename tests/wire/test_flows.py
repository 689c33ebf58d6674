"""The other ways to set up a click-to-call, between telephones that others wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from daemon import until
from telephones import Phones

PAIRS = [
    ("baresip", "baresip"),
    ("baresip", "linphone"),
    ("linphone", "baresip"),
    ("linphone", "linphone"),
]


@pytest.fixture(params=PAIRS, ids="-".join)
def phones(make_phones: Callable[..., Phones], request: pytest.FixtureRequest) -> Phones:
    """A's phone answers by itself, B's when it is told to."""
    return make_phones(request.param)


@pytest.mark.parametrize("flow", ["offerless", "refer", "auto"])
def test_both_talk_hold_and_hang_up(phones: Phones, flow: str) -> None:
    call = phones.bridged(flow)
    phones.hold("b")
    phones.b.resume()
    phones.talk()
    phones.a.hang_up()
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["who"] == "caller"
    assert not record["media_mismatch"]


@pytest.mark.parametrize("flow", ["offerless", "refer"])
def test_callee_declines(phones: Phones, flow: str) -> None:
    call = phones.client.call(phones.b_name, flow=flow).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.hang_up()
    phones.are_free()
    cause = phones.client.wait_state(call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) in (("callee", 486), ("callee", 603))


@pytest.mark.parametrize("flow", ["offerless", "refer"])
def test_user_hangs_up_while_the_other_rings(phones: Phones, flow: str) -> None:
    call = phones.client.call(phones.b_name, flow=flow).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.a.hang_up()
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "caller"
