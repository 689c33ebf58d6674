"""The cascade by the contract's table (9.3): who rings when, and for how long."""

from __future__ import annotations

import datetime

from forwarding import (
    SOON,
    House,
    about,
    also,
    beaten,
    connected,
    in_vain,
    messages,
    moment,
    rang,
    refuses,
    takes,
    then,
    told,
)
from steps import answered, expect, hang_up, has, pause, register


def test_the_own_phone_rings_for_its_seconds_then_two_at_once_of_whom_one_answers(
    house: House,
) -> None:
    caller, callee, one, two = house.users(4)
    house.sequence(callee, then(one, 3), also(two, 3))
    callee.start(in_vain())
    one.start(beaten())
    two.start(takes(two, after=300))
    caller.dial(callee.user, connected(two))
    house.finish()
    assert about(rang(callee), 1)
    started = moment(one, "INVITE")
    assert abs(moment(two, "INVITE") - started) < 0.1
    assert about(started - moment(callee, "INVITE"), 1)
    record = house.client(caller).calls()[0]
    assert (record["number"], record["reached"]) == (callee.user, two.user)


def test_the_first_numbers_may_ring_together_with_the_own_phone(house: House) -> None:
    caller, callee, one, two = house.users(4)
    house.sequence(callee, also(one), also(two), timer=3)
    callee.start(beaten())
    one.start(beaten())
    two.start(takes(two, after=300))
    caller.dial(callee.user, connected(two))
    house.finish()
    started = [moment(phone, "INVITE") for phone in (callee, one, two)]
    assert max(started) - min(started) < 0.1


def test_each_rings_for_its_own_seconds_and_the_slowest_ends_the_stage(house: House) -> None:
    caller, callee, one, two, last = house.users(5)
    house.sequence(callee, also(one, 2), also(two, 1), then(last))
    for phone in (callee, one, two):
        phone.start(in_vain())
    last.start(takes(last))
    caller.dial(callee.user, connected(last))
    house.finish()
    assert about(rang(callee), 1)
    assert about(rang(one), 2)
    assert about(rang(two), 1)
    assert about(moment(last, "INVITE") - moment(callee, "INVITE"), 2)


def test_a_branch_that_fails_leaves_the_others_of_its_stage_ringing(house: House) -> None:
    caller, callee, one, two = house.users(4)
    house.sequence(callee, also(one), then(two), timer=5)
    callee.start(refuses(603))
    one.start(in_vain())
    two.start(takes(two))
    caller.dial(callee.user, connected(two))
    house.finish()
    assert about(rang(one), 1)
    assert about(moment(two, "INVITE") - moment(one, "INVITE"), 1)


def test_a_stage_whose_phones_have_all_failed_is_over_at_once(house: House) -> None:
    caller, callee, one, two = house.users(4)
    house.sequence(callee, also(one, 9), then(two), timer=9)
    callee.start(refuses(486, ringing=True))
    one.start(refuses(480))
    two.start(takes(two))
    caller.dial(callee.user, connected(two))
    house.finish()
    assert moment(two, "INVITE") - moment(callee, "INVITE") < SOON


def test_without_a_phone_of_his_own_the_next_one_rings_at_once(house: House) -> None:
    caller, one, callee = house.user(), house.user(), house.user(registered=False)
    house.sequence(callee, then(one, 9), timer=9)
    one.start(takes(one))
    caller.dial(callee.user, connected(one))
    house.finish()
    assert moment(one, "INVITE") - moment(caller, "INVITE") < SOON


def test_without_a_phone_of_his_own_the_first_numbers_still_ring_first(house: House) -> None:
    caller, one, two = house.users(3)
    callee = house.user(registered=False)
    house.sequence(callee, also(one), then(two), timer=9)
    one.start(in_vain())
    two.start(takes(two))
    caller.dial(callee.user, connected(two))
    house.finish()
    assert about(rang(one), 1)


def test_what_is_disabled_or_empty_does_not_ring_and_takes_no_time(house: House) -> None:
    caller, callee, off, on = house.users(4)
    house.sequence(callee, then(off, 9, enabled=False), then("", 9), then(on))
    callee.start(in_vain())
    on.start(takes(on))
    caller.dial(callee.user, connected(on))
    house.finish()
    assert about(moment(on, "INVITE") - moment(callee, "INVITE"), 1)
    assert not messages(off, "INVITE")


def test_a_number_whose_schedule_does_not_hold_is_left_out_and_its_companion_stays_behind(
    house: House,
) -> None:
    """What rings together with it does not move up to the own phone (contract 9.2)."""
    caller, callee, off, on = house.users(4)
    today = datetime.datetime.now(datetime.UTC)
    other_day = (today + datetime.timedelta(days=3)).strftime("%A").lower()
    period = {"day": other_day, "start": "00:00", "end": "24:00"}
    schedule = {"name": "another day", "periods": [period]}
    made = house.client(callee).ask("POST", "/v1/users/me/schedules", schedule)
    house.settings(callee, then(off, schedule=made.json()["id"]), also(on), time_zone="UTC")
    callee.start(in_vain())
    on.start(takes(on))
    caller.dial(callee.user, connected(on))
    house.finish()
    assert about(moment(on, "INVITE") - moment(callee, "INVITE"), 1)
    assert not messages(off, "INVITE")


def test_phones_of_one_user_ring_by_their_q_values_and_before_his_rings_only_where_those_say_so(
    house: House,
) -> None:
    """A ring in second place has 0.9: it comes before a phone that registered with 0.5."""
    caller, callee, one = house.users(3)
    second = house.phone_of(callee.user, registered=False)
    steps = register(callee.user, house.daemon.sip_password(callee.user), house.daemon.domain)
    q = steps.replace(";transport=udp>", ";transport=udp>;q=0.5")
    second.start(q, request_uri=house.daemon.domain).finish()
    house.sequence(callee, then(one))
    callee.start(in_vain())
    one.start(in_vain())
    second.start(takes(second))
    caller.dial(callee.user, connected(second))
    house.finish()
    assert about(moment(one, "INVITE") - moment(callee, "INVITE"), 1)
    assert about(moment(second, "INVITE") - moment(one, "INVITE"), 1)


def test_the_caller_is_told_of_every_phone_that_rings(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one))
    callee.start(in_vain())
    one.start(takes(one, after=200))
    caller.dial(callee.user, expect(180), expect(180), answered(), pause(100), hang_up())
    house.finish()
    first, second = (at for at, _ in messages(caller, "SIP/2.0 180"))
    assert about(second - first, 1)


def test_the_caller_may_shorten_the_time_for_all(house: House) -> None:
    """By Expires (RFC 3261 section 13.3.1); voicemail comes then, too."""
    caller, one = house.users(2)
    callee = house.user(voicemail=True)
    house.sequence(callee, then(one, 9), timer=1)
    callee.start(in_vain())
    one.start(in_vain())
    house.voicemail.start(takes(house.voicemail, has(f"INVITE sip:{callee.user}@")))
    caller.dial(callee.user, connected(house.voicemail), headers=("Expires: 2",))
    house.finish()
    assert about(rang(one), 1)


def test_all_together_ring_no_longer_than_is_configured_and_then_comes_voicemail(
    lenient_house: House,
) -> None:
    house = lenient_house
    caller, one, two = house.users(3)
    callee = house.user(voicemail=True)
    house.sequence(callee, then(one, 9), then(two), timer=1)
    callee.start(in_vain())
    one.start(in_vain())
    house.voicemail.start(takes(house.voicemail))
    caller.dial(callee.user, connected(house.voicemail))
    house.finish()
    assert about(rang(one), 2)
    assert not messages(two, "INVITE")


def test_a_user_who_has_neither_phone_nor_number_is_not_found(house: House) -> None:
    caller, one, callee = house.user(), house.user(), house.user(registered=False)
    house.sequence(callee, then(one, enabled=False))
    caller.dial(callee.user, told(caller, callee.user, 404))
    house.finish()
    assert not messages(one, "INVITE")
