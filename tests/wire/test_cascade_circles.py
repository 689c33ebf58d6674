"""Forwarding that leads back to where it came from is refused, or cut after a few INVITEs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from forwarding import (
    PEER,
    SOON,
    TRUNK,
    House,
    Site,
    also,
    connected,
    in_vain,
    invites,
    moment,
    refuses,
    ringing,
    takes,
    then,
    told,
)
from reflector import Reflector
from sipp import Phone
from steps import answer, expect, invited, receive

MakeReflector = Callable[..., Reflector]


@pytest.fixture
def reflect(house: House, site: Site, tmp_path: Path) -> Iterator[MakeReflector]:
    """Put a Kamailio in the place of a gateway or a trusted peer."""
    made: list[Reflector] = []

    def make(
        leads: Mapping[str, Sequence[str]], host: str = TRUNK, forgets: Sequence[str] = ()
    ) -> Reflector:
        directory, sipxd = tmp_path / "reflector", house.daemon.sip_port
        made.append(Reflector(directory, host, site.ports[host], sipxd, leads, forgets))
        return made[-1]

    yield make
    for reflector in made:
        reflector.stop()


def refused_within(house: House, caller: Phone, number: str, code: int, seconds: float) -> None:
    """The caller is told the code in that time, and nothing is left of the call."""
    started = time.monotonic()
    caller.dial(number, told(caller, number, code))
    house.finish()
    assert time.monotonic() - started < seconds


# -- when it is stored -----------------------------------------------------------------------------


def test_a_circle_is_refused_when_it_is_stored(house: House) -> None:
    a, b, c = (house.user(registered=False, aliases=[f"also{n}circle"]) for n in range(3))
    house.sequence(a, then(b))
    house.sequence(b, then("also2circle"))
    for number in (a.user, "also0circle", c.user, f"{a.user}@example.test"):
        refused = house.try_sequence(c, then(number))
        assert refused.status == 400, number
        assert b"circle" in refused.body
    group = house.group(then(a))
    assert house.try_sequence(c, then(group)).status == 400
    assert house.try_sequence(c, then(group, enabled=False)).status == 200


# -- when it comes about in spite of that ----------------------------------------------------------


def test_a_phone_that_redirects_back_makes_no_circle(house: House) -> None:
    """The next stage rings at once, and the first phone does not ring again."""
    caller, a, b, c = house.users(4)
    house.sequence(a, then(b, 9), then(c))
    a.start(refuses(486))
    there = f"Contact: <sip:{a.user}@{house.daemon.domain}>"
    b.start(invited(), answer(302, there), receive("ACK"))
    c.start(takes(c))
    caller.dial(a.user, connected(c))
    house.finish()
    assert len(invites(a)) == 1
    assert moment(c, "INVITE") - moment(a, "INVITE") < SOON


def test_a_circle_that_an_alias_makes_later_is_cut(house: House) -> None:
    caller, a, b, c = house.users(4)
    alias = f"9{b.user}"
    house.sequence(a, then(alias, 9), then(c))
    house.sequence(b, then(a, 9))
    house.daemon.admin("user.set", {"name": b.user, "change": {"aliases": [alias]}})
    a.start(refuses(486))
    b.start(refuses(486))
    c.start(takes(c))
    caller.dial(a.user, connected(c))
    house.finish()
    assert len(invites(a)) == len(invites(b)) == 1


def test_two_ways_to_the_same_user_ring_him_once(house: House) -> None:
    caller, a, b, c = house.users(4)
    house.sequence(a, also(b), also(c), timer=1)
    house.sequence(b, also(c), timer=9)
    for phone in (a, b, c):
        phone.start(in_vain())
    caller.dial(a.user, told(caller, a.user, 408))
    house.finish()
    assert len(invites(c)) == 1


def test_a_gateway_that_sends_the_call_back_makes_no_circle(
    house: House, reflect: MakeReflector
) -> None:
    caller, a, b = house.users(3)
    house.sequence(a, then("0711", 9), then(b))
    reflector = reflect({"+49711": [a.user]})
    a.start(refuses(486))
    b.start(takes(b))
    caller.dial(a.user, connected(b))
    house.finish()
    assert reflector.invites == 1
    assert len(invites(a)) == 1
    assert moment(b, "INVITE") - moment(a, "INVITE") < SOON


def test_a_gateway_that_forgets_where_a_call_has_been_is_stopped_by_max_forwards(
    house: House, reflect: MakeReflector
) -> None:
    caller, a = house.user(), house.user(registered=False)
    house.sequence(a, then("0711", 9), timer=9)
    reflector = reflect({"+49711": [a.user]}, forgets=("X-sipxd-Path",))
    refused_within(house, caller, a.user, 483, 10)
    assert reflector.invites == 35  # it is counted here and there


@pytest.mark.parametrize(("users", "most"), [(2, 12), (3, 30)])
def test_users_whose_numbers_outside_all_lead_back_to_them_are_no_bomb(
    house: House, reflect: MakeReflector, users: int, most: int
) -> None:
    """RFC 5393 section 3: without a check every round has twice the INVITEs of the one before."""
    caller = house.user()
    victims = [house.user(registered=False) for _ in range(users)]
    for n, victim in enumerate(victims):
        ways = [also(f"071{(n + step) % users}", 9) for step in (1, 2)]
        house.sequence(victim, *ways, timer=9)
    reflector = reflect({f"+4971{n}": [victim.user] for n, victim in enumerate(victims)})
    refused_within(house, caller, victims[0].user, 482, 20)
    assert users <= reflector.invites <= most


def test_a_bomb_through_a_gateway_that_forgets_is_bounded_by_what_users_may_be_sending_on(
    house: House, reflect: MakeReflector
) -> None:
    caller = house.user()
    victims = [house.user(registered=False) for _ in range(2)]
    for n, victim in enumerate(victims):
        ways = [also(f"071{(n + step) % 2}", 9) for step in (1, 2)]
        house.sequence(victim, *ways, timer=9)
    leads = {f"+4971{n}": [victim.user] for n, victim in enumerate(victims)}
    reflector = reflect(leads, forgets=("X-sipxd-Path",))
    either = expect(500, optional=True, goto="9") + expect(483) + '<label id="9"/>'
    begun = time.monotonic()
    caller.dial(victims[0].user, ringing() + either + caller.refused(victims[0].user))
    house.finish()
    assert time.monotonic() - begun < 20
    # Each of the two may be sending 50 calls on, two ways each; what is refused makes room again.
    assert reflector.invites <= 500


def test_users_whose_phones_all_send_everything_back_to_both_are_no_bomb(
    house: House, reflect: MakeReflector, site: Site
) -> None:
    """A PBX, trusted, has registered for them, and is not told where a call has been."""
    caller = house.user()
    victims = [house.user(registered=False) for _ in range(2)]
    for victim in victims:
        house.part(victim.user, PEER, site.ports[PEER]).register()
        house.sequence(victim, timer=9)
    names = [victim.user for victim in victims]
    reflector = reflect({names[0]: names, names[1]: names[::-1]}, PEER)
    refused_within(house, caller, names[0], 482, 20)
    assert reflector.invites <= 35  # Max-Forwards
