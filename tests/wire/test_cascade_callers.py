"""Whoever calls: users, gateways, trusted peers, guests, click-to-calls; what is said of him."""

from __future__ import annotations

from daemon import free_port, until
from forwarding import (
    House,
    also,
    connected,
    in_vain,
    invites,
    moment,
    refuses,
    takes,
    then,
    told,
    wait_for_ringing,
)
from roles import joined, picked_up
from steps import answer, expect, has, hung_up, invited, lacks, receive

OUTSIDE = "+4917"
GUEST = "127.0.0.46"


def own_phone_busy_then_one_more(house: House, *checks: str) -> tuple[str, str]:
    """A user whose own phone is busy, and the one behind it, who is called so.

    Gives both numbers.
    """
    callee, one = house.users(2)
    house.sequence(callee, then(one, 3))
    callee.start(refuses(486))
    one.start(takes(one, *checks, has(f"<sip:{callee.user}@example.test>;reason=", "Diversion")))
    return callee.user, one.user


# -- callers from outside --------------------------------------------------------------------------


def test_a_caller_whom_a_trusted_peer_vouches_for_is_forwarded(house: House) -> None:
    number, _ = own_phone_busy_then_one_more(house, has(r"<sip:[+]4917@example\.test>", "From"))
    house.outsider(house.peer, OUTSIDE, number, connected())
    house.finish()


def test_a_trusted_peer_calls_for_a_user_too(house: House) -> None:
    caller = house.user(registered=False)
    number, _ = own_phone_busy_then_one_more(house, has(f"<sip:{caller.user}@", "From"))
    house.outsider(house.peer, caller.user, number, connected(), domain="example.test")
    house.finish()
    assert house.client(caller).calls()[0]["number"] == number


def test_the_number_that_a_gateway_calls_is_mapped_to_that_of_a_user(house: House) -> None:
    """One gateway calls 49305001 and the other one 030001 for 5001."""
    for gateway, prefix, strip in ((house.trunk, "4930", 0), (house.plain, "030", 1)):
        number, _ = own_phone_busy_then_one_more(house, has("<sip:[+]4917@", "From"))
        house.outsider(gateway, OUTSIDE, prefix + number[strip:], connected())
        house.finish()


def test_what_a_gateway_calls_and_nobody_has_goes_to_the_number_that_is_set_for_that(
    house: House,
) -> None:
    one, reception = house.user(), house.user(registered=False, aliases=["reception"])
    house.sequence(reception, then(one))
    one.start(takes(one))
    house.outsider(house.plain, OUTSIDE, "0309999", connected())
    house.finish()
    unknown = "49309999"
    house.outsider(house.trunk, OUTSIDE, unknown, told(house.trunk, unknown, 404))
    house.finish()


def test_a_caller_from_outside_reaches_numbers_outside_by_what_a_user_has_set_alone(
    house: House,
) -> None:
    callee = house.user()
    house.sequence(callee, then("0712345", 3))
    callee.start(refuses(486))
    house.trunk.start(takes(house.trunk, has("^INVITE sip:[+]49712345@")))
    house.outsider(house.peer, OUTSIDE, callee.user, connected())
    house.finish()
    for number in ("0712345", "0033123"):
        house.outsider(house.peer, OUTSIDE, number, told(house.peer, number, 403))
        house.finish()
    assert len(invites(house.trunk)) == 1


# -- guests ----------------------------------------------------------------------------------------


def test_a_guest_is_forwarded_where_guests_are_let_in(lenient_house: House) -> None:
    house = lenient_house
    guest = house.part("guest", GUEST, free_port())
    number, _ = own_phone_busy_then_one_more(house, has("<sip:alice@example.test>", "From"))
    house.outsider(guest, "alice", number, connected())
    house.finish()
    callee = house.user(registered=False)
    house.sequence(callee, then("0712345", 3))
    house.trunk.start(takes(house.trunk))
    house.outsider(guest, "alice", callee.user, connected())
    house.finish()
    for outside in ("0712345", "112"):
        house.outsider(guest, "alice", outside, told(guest, outside, 403))
        house.finish()


def test_a_guest_is_asked_for_a_password_elsewhere(house: House) -> None:
    guest = house.part("guest", GUEST, free_port())
    callee = house.user()
    house.outsider(guest, "alice", callee.user, expect(401), guest.refused(callee.user))
    house.finish()
    assert not invites(callee)


# -- what a number outside is told -----------------------------------------------------------------


def test_a_gateway_that_wants_it_is_told_who_calls_and_who_has_sent_the_call_on(
    house: House,
) -> None:
    caller, a, b = house.users(3)
    house.sequence(a, then(b, 9))
    house.settings(b, rules=[{"number": "0712345", "seconds": 9}])
    a.start(refuses(486))
    at = "@127[.]0[.]0[.]41"
    by_a, by_b = (f"<sip:[+]4930{phone.user}{at}" for phone in (a, b))
    house.trunk.start(
        takes(
            house.trunk,
            has(f"<sip:[+]4930{caller.user}{at}>", "From"),
            has(f"{by_b}>;reason=unconditional, {by_a}>;reason=no-answer", "Diversion"),
            has(
                f"{by_a}>;index=1, {by_b};cause=408>;index=1.1;mp=1, "
                f"<sip:[+]49712345{at};cause=302>;index=1.1.1;mp=1.1",
                "History-Info",
            ),
        )
    )
    caller.dial(a.user, connected())
    house.finish()
    assert not invites(b)


def test_another_gateway_sees_the_one_who_pays(house: House) -> None:
    caller, a = house.user(), house.user(registered=False)
    house.sequence(a, then("7654", 9))
    seen = has(f"<sip:030{a.user}@", "From"), lacks("Diversion|History-Info"), lacks(caller.user)
    house.plain.start(takes(house.plain, *seen))
    caller.dial(a.user, connected())
    house.finish()


def test_a_caller_who_hides_is_hidden_from_everybody_on_the_way(house: House) -> None:
    caller, a, b = house.users(3)
    house.sequence(a, then(b), then("0712345", 9))
    hidden = has("anonymous@anonymous.invalid>", "From"), has("id", "Privacy")
    a.start(in_vain(*hidden, lacks(f"sip:{caller.user}@")))
    b.start(refuses(486))
    house.trunk.start(takes(house.trunk, *hidden, lacks(caller.user)))
    caller.dial(a.user, connected(), headers=("Privacy: id",))
    house.finish()


# -- the dial policy -------------------------------------------------------------------------------


def test_a_number_that_its_user_may_no_longer_call_is_passed_over(house: House) -> None:
    """It is his permission that counts, whatever the caller may."""
    caller, one = house.user(permissions=["InternationalDialing"]), house.user()
    callee = house.user(permissions=["InternationalDialing"])
    house.sequence(callee, then("0033123", 9), then(one))
    callee.start(refuses(486))
    house.trunk.start(refuses(486))
    one.start(takes(one))
    caller.dial(callee.user, connected())
    house.finish()
    house.daemon.admin("user.set", {"name": callee.user, "change": {"permissions": []}})
    callee.start(refuses(486))
    one.start(takes(one))
    caller.dial(callee.user, connected())
    house.finish()
    assert len(invites(house.trunk)) == 1


def test_no_call_is_sent_on_to_an_emergency_number(house: House) -> None:
    caller, a = house.users(2)
    a.start(
        invited(), answer(302, f"Contact: <sip:112@{house.daemon.domain}>"), receive("ACK")
    )  # fmt: skip
    caller.dial(a.user, told(caller, a.user, 403))
    house.finish()
    group = house.group(also(a), fallback="112")
    a.start(refuses(486))
    caller.dial(group, told(caller, group, 486))
    house.finish()
    assert not invites(house.trunk)


# -- click-to-call ---------------------------------------------------------------------------------


def test_click_to_call_rings_the_own_phone_and_then_the_cascade_of_whom_it_is_for(
    house: House,
) -> None:
    """The user's own forwarding has no part in it."""
    a, callee, one, other = house.users(4)
    house.sequence(a, also(other))
    house.sequence(callee, then(one, 3))
    a.start(picked_up(a), joined(a, one), hung_up())
    callee.start(in_vain(has(f"m=audio {a.media} ", "body")))
    one.start(takes(one, has(f"m=audio {a.media} ", "body"), after=200))
    answered = house.client(a).call(callee.user, wait=True)
    assert answered.status == 200
    record = house.client(a).record(answered.call)
    assert (record["number"], record["reached"]) == (callee.user, one.user)
    assert moment(a, "SIP/2.0 200") < moment(callee, "INVITE") < moment(one, "INVITE")
    assert not invites(other)
    house.client(a).ask("DELETE", f"/v1/calls/{answered.call}")
    house.finish()


def test_click_to_call_to_a_user_of_whom_nobody_answers_tells_why(house: House) -> None:
    a, callee, one = house.users(3)
    house.sequence(callee, then(one))
    a.start(picked_up(a), hung_up(has("cause=486", "Reason")))
    callee.start(refuses(486))
    one.start(in_vain())
    answered = house.client(a).call(callee.user, wait=True)
    assert answered.status == 502
    assert (answered.json()["leg"], answered.json()["code"]) == ("callee", 486)
    house.finish()


def test_a_caller_who_hangs_up_his_click_to_call_silences_the_cascade(house: House) -> None:
    a, callee, one, two = house.users(4)
    house.sequence(callee, then(one, 9), then(two))
    a.start(picked_up(a) + hung_up())
    callee.start(refuses(486))
    one.start(in_vain())
    call = house.client(a).call(callee.user).call
    wait_for_ringing(one)
    record = house.client(a).record
    until(lambda: record(call)["ringing"] == [one.user], "the record to tell who rings")
    house.client(a).ask("DELETE", f"/v1/calls/{call}")
    house.finish()
    assert not invites(two)
