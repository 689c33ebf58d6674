"""linphone as the user's phone and as the other one, with itself and with baresip: real media."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from daemon import Daemon, until
from telephones import Phones

PAIRS = [("linphone", "linphone"), ("linphone", "baresip"), ("baresip", "linphone")]


@pytest.fixture(params=PAIRS, ids="-".join)
def phones(make_phones: Callable[..., Phones], request: pytest.FixtureRequest) -> Phones:
    """A's phone answers by itself, B's when it is told to."""
    return make_phones(request.param)


@pytest.mark.parametrize("holder", ["a", "b"])
def test_click_to_call_hold_resume_and_hang_up(phones: Phones, holder: str) -> None:
    call = phones.bridged()
    phone = phones.a if holder == "a" else phones.b
    phones.hold(holder)
    phone.resume()
    phones.talk()
    phone.hang_up()
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["who"] == ("caller" if holder == "a" else "callee")
    assert not record["media_mismatch"]


def test_callee_declines(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.hang_up()
    phones.are_free()
    cause = phones.client.wait_state(call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) in (("callee", 486), ("callee", 603))


def test_user_hangs_up_while_the_other_rings(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.a.hang_up()
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "caller"


def test_direct_call(daemon: Daemon, phones: Phones) -> None:
    phones.a.dial(f"sip:{phones.b_name}@{daemon.domain}")
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.accept()
    phones.talk()
    phones.b.hang_up()
    phones.are_free()
