"""The cascade with telephones that someone else wrote, and the media that flows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from baresip import Baresip
from daemon import until
from forwarding import House, also, then
from telephones import Phones

Switch = Callable[..., Baresip]


@pytest.fixture
def switch_on(house: House, start_telephone: Callable[..., Baresip]) -> Iterator[Switch]:
    """Start the telephone of a user."""

    def start(name: str, answer: str = "manual") -> Baresip:
        return start_telephone(
            "baresip", name, house.daemon.domain, registrar=house.daemon.sip_address,
            password=house.daemon.sip_password(name), answer=answer,
        )  # fmt: skip

    yield start


def test_one_rings_then_two_together_one_answers_and_the_other_falls_silent(
    house: House, switch_on: Switch
) -> None:
    users = [house.user(registered=False) for _ in range(4)]
    caller, callee, one, two = (switch_on(each.user) for each in users)
    house.sequence(users[1], then(users[2], 9), also(users[3], 9))
    caller.dial(f"sip:{users[1].user}@{house.daemon.domain}")
    until(callee.is_ringing, "the first phone to ring")
    assert one.has_no_call()
    assert two.has_no_call()
    until(lambda: one.is_ringing() and two.is_ringing(), "the next two to ring")
    assert callee.has_no_call()
    phones = Phones(caller, two, users[3].user, house.client(users[0]))
    two.accept()
    phones.talk()
    until(one.has_no_call, "the other one to fall silent")
    assert re.search(r"^Reason: SIP;cause=200", one.trace(), re.MULTILINE)
    assert "Call completed elsewhere" not in callee.trace()
    two.hang_up()
    phones.are_free()
    house.nothing_is_left()


def test_a_click_to_call_ends_at_the_second_phone_of_the_cascade(
    house: House, switch_on: Switch
) -> None:
    users = [house.user(registered=False) for _ in range(3)]
    caller, callee, one = users
    a, b, c = switch_on(caller.user, "auto"), switch_on(callee.user), switch_on(one.user)
    house.sequence(callee, then(one, 9))
    client = house.client(caller)
    call = client.call(callee.user).call
    until(b.is_ringing, "the first phone to ring")
    until(c.is_ringing, "the next phone to ring")
    c.accept()
    phones = Phones(a, c, one.user, client)
    phones.talk()
    record = client.wait_state(call, "bridged")
    assert record["reached"] == one.user
    assert not record["media_mismatch"]
    a.hang_up()
    phones.are_free()
    house.nothing_is_left()


def test_who_hangs_up_in_the_moment_of_the_answer_leaves_nothing_behind(
    house: House, switch_on: Switch
) -> None:
    """Both at once, ten times: whichever comes first, both phones are free afterwards."""
    users = [house.user(registered=False) for _ in range(3)]
    a, b = switch_on(users[0].user), switch_on(users[2].user)
    house.sequence(users[1], then(users[2], 9))
    for turn in range(10):
        a.dial(f"sip:{users[1].user}@{house.daemon.domain}")
        until(b.is_ringing, "the phone to ring")
        for phone in (a, b) if turn % 2 else (b, a):
            (phone.hang_up if phone is a else phone.accept)()
        until(lambda: a.has_no_call() and b.has_no_call(), "both phones to be free")
        house.nothing_is_left()
