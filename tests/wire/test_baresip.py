"""Two baresip phones, registered over UDP: real media, counted on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from daemon import Daemon, until
from telephones import ENOUGH, Phones


@pytest.fixture
def phones(make_phones: Callable[..., Phones], request: pytest.FixtureRequest) -> Phones:
    """A's phone answers by itself, B's when it is told to (other ways by parameter)."""
    return make_phones(answers=getattr(request, "param", ("auto", "manual")))


@pytest.mark.parametrize("phones", [("manual", "manual")], indirect=True)
def test_users_phone_rings_first_then_the_other_and_both_talk(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.a.is_ringing, "the user's phone to ring")
    assert phones.b.has_no_call()
    phones.a.accept()
    until(phones.b.is_ringing, "the other phone to ring")
    phones.client.wait_state(call, "ringing-callee")
    phones.are_silent()
    phones.b.accept()
    phones.talk()
    phones.client.wait_state(call, "bridged")
    phones.a.hang_up()
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["who"] == "caller"
    assert not record["media_mismatch"]


@pytest.mark.parametrize("holder", ["a", "b"])
def test_hold_and_resume(phones: Phones, holder: str) -> None:
    phones.bridged()
    phone = phones.a if holder == "a" else phones.b
    phone.hold()
    phones.are_silent()
    assert phones.a.is_in_call()
    assert phones.b.is_in_call()
    phone.resume()
    phones.talk()
    phone.hang_up()
    phones.are_free()


def test_callee_hangs_up(phones: Phones) -> None:
    call = phones.bridged()
    phones.b.hang_up()
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "callee"


def test_delete_hangs_both_up(phones: Phones) -> None:
    call = phones.bridged()
    assert phones.client.ask("DELETE", f"/v1/calls/{call}").status // 100 == 2
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "api"


def test_callee_declines(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.hang_up()
    phones.are_free()
    cause = phones.client.wait_state(call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) == ("callee", 486)


@pytest.mark.parametrize("phones", [("auto", "early")], indirect=True)
def test_early_media_then_answer(phones: Phones) -> None:
    """A sends to B's early media already; baresip as B sends only from its answer on."""
    call = phones.client.call(phones.b_name).call
    until(lambda: phones.flows()[0] >= ENOUGH, "A's media to B's early session")
    phones.client.wait_state(call, "ringing-callee")
    phones.b.accept()
    phones.talk()
    phones.a.hang_up()
    phones.are_free()


@pytest.mark.parametrize("by", ["a", "b"])
def test_direct_call(daemon: Daemon, phones: Phones, by: str) -> None:
    phones.a.dial(f"sip:{phones.b_name}@{daemon.domain}")
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.accept()
    phones.talk()
    phones.b.hold()
    phones.are_silent()
    phones.b.resume()
    phones.talk()
    (phones.a if by == "a" else phones.b).hang_up()
    phones.are_free()
