"""What phones and numbers of a cascade answer, and what the caller is told in the end."""

from __future__ import annotations

import pytest
from forwarding import (
    SOON,
    House,
    about,
    connected,
    in_vain,
    invites,
    messages,
    moment,
    rang,
    refuses,
    rings,
    takes,
    then,
    told,
)
from sipp import Phone
from steps import (
    answer,
    answered,
    cancelled,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    pause,
    receive,
    sdp,
)

CHALLENGE = 'WWW-Authenticate: Digest realm="example.test", nonce="n1", qop="auth"'


def test_whatever_is_refused_the_next_one_rings_at_once(house: House) -> None:
    """6xx, too: that ends a search elsewhere, and here its own branch only."""
    codes = (302, 401, 404, 407, 480, 486, 503, 600, 603)
    caller, callee, last = house.users(3)
    others = house.users(len(codes) - 1)
    house.sequence(callee, *(then(phone, 9) for phone in (*others, last)), timer=9)
    for phone, code in zip((callee, *others), codes, strict=True):
        challenge = (CHALLENGE,) if code in (401, 407) else ()
        phone.start(refuses(code, *challenge))
    last.start(takes(last))
    caller.dial(callee.user, connected(last))
    house.finish()
    assert moment(last, "INVITE") - moment(callee, "INVITE") < 2 * SOON
    for phone in (callee, *others):
        assert len(invites(phone)) == 1  # no challenge is answered


BEST = (
    ((486, 404), 486),
    ((404, 480), 480),
    ((404, 503), 404),
    ((603, 480), 603),
    ((500, 600), 500),
    ((503, 606), 503),
    ((488, 404), 488),
    ((401, 404), 403),
    ((407, 503), 403),
    ((302, 503), 480),
)


def test_the_caller_is_told_the_best_of_the_responses(house: House) -> None:
    caller, one = house.users(2)
    two = house.phone_of(one.user)
    for turn, (codes, code) in enumerate(BEST):
        phones = (one, two) if turn % 2 else (two, one)
        for phone, refusal in zip(phones, codes, strict=True):
            phone.start(refuses(refusal, *((CHALLENGE,) if refusal in (401, 407) else ())))
        caller.dial(one.user, told(caller, one.user, code))
        house.finish()


def test_a_time_out_says_more_than_that_there_is_nobody(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one))
    callee.start(refuses(404))
    one.start(in_vain())
    caller.dial(callee.user, told(caller, callee.user, 408))
    house.finish()


# -- redirections ----------------------------------------------------------------------------------


def redirects(house: House, *contacts: str, after: int = 0) -> str:
    """The phone rings so many milliseconds and redirects to other numbers."""
    listed = ", ".join(f"<sip:{contact}" for contact in contacts)
    contact = f"Contact: {listed.replace('@', f'@{house.daemon.domain}>')}"
    begin = rings() + pause(after) if after else invited()
    return begin + answer(302, contact) + receive("ACK")


def test_a_redirection_is_followed_in_the_time_that_is_left(house: House) -> None:
    caller, callee, one, two = house.users(4)
    house.sequence(callee, then(two), timer=2)
    callee.start(redirects(house, f"{one.user}@", after=1000))
    one.start(in_vain(has(f"<sip:{callee.user}@example.test>;reason=deflection", "Diversion")))
    two.start(takes(two))
    caller.dial(callee.user, connected(two))
    house.finish()
    assert about(rang(one), 1)
    assert about(moment(two, "INVITE") - moment(callee, "INVITE"), 2)


def test_contacts_of_a_redirection_are_tried_by_their_q_under_the_policy_of_its_user(
    house: House,
) -> None:
    caller = house.user(permissions=["InternationalDialing"])
    callee = house.user()
    callee.start(redirects(house, "0712345@;q=0.5", "0033123@;q=0.9", "7654321@;q=0.7"))
    house.plain.start(refuses(486))
    takes_it = takes(house.trunk, has("^INVITE sip:.49712345@"))
    house.trunk.start(takes_it)
    caller.dial(callee.user, connected(house.trunk))
    house.finish()
    assert len(invites(house.trunk)) == 1  # he himself may not call abroad
    assert moment(house.plain, "INVITE") < moment(house.trunk, "INVITE")


def test_a_redirection_that_leads_nowhere_is_followed_by_the_next_stage(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one, 9), timer=9)
    callee.start(redirects(house, "89898989@"))
    one.start(takes(one))
    caller.dial(callee.user, connected(one))
    house.finish()
    assert moment(one, "INVITE") - moment(callee, "INVITE") < SOON


# -- phones that do not do what they should --------------------------------------------------------


def test_early_media_and_then_nothing_is_cancelled_at_its_time(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, then("0712345"), then(one))
    callee.start(refuses(480))
    trunk = house.trunk
    trunk.start(invited() + answer(183, body=sdp(trunk.media)) + cancelled())
    one.start(takes(one, after=100))
    caller.dial(
        callee.user, expect(183, has(f"m=audio {trunk.media} ", "body")), expect(180),
        answered(has(f"m=audio {one.media} ", "body")), pause(100), hang_up(),
    )  # fmt: skip
    house.finish()
    assert about(rang(trunk), 1)
    tags = [tag_of(caller, first) for first in ("SIP/2.0 183", "SIP/2.0 180", "SIP/2.0 200 OK")]
    assert tags[0] != tags[1] == tags[2]


def test_what_rings_alone_and_plays_something_may_be_left_ringing(lenient_house: House) -> None:
    """As sipXcom does it; here where it is configured so."""
    house = lenient_house
    caller, callee, one = house.users(3)
    house.sequence(callee, then("0712345", 1), then(one))
    callee.start(refuses(480))
    trunk = house.trunk
    trunk.start(
        invited() + answer(183, body=sdp(trunk.media)) + pause(1500)
        + answer(200, body=sdp(trunk.media)) + receive("ACK") + hung_up()
    )  # fmt: skip
    caller.dial(callee.user, connected(trunk))
    house.finish()
    assert not invites(one)


def tag_of(phone: Phone, first: str) -> str:
    """The To-tag of the last such response."""
    return messages(phone, first)[-1][1].partition("\nTo:")[2].partition(";tag=")[2].split()[0]


def test_a_phone_that_says_nothing_is_passed_over_and_cancelled_once_it_speaks(
    house: House,
) -> None:
    """Before a provisional response no CANCEL may be sent (RFC 3261 section 9.1)."""
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one, 3))
    callee.start(invited() + pause(1700) + answer(180) + cancelled())
    one.start(takes(one, after=200))
    caller.dial(callee.user, connected(one, lasting=700))
    house.finish()
    assert about(moment(one, "INVITE") - moment(callee, "INVITE"), 1)


@pytest.mark.parametrize("number", ["112", "0900123", "0033123"])
def test_a_number_that_may_not_be_forwarded_to_cannot_be_stored(house: House, number: str) -> None:
    callee = house.user(registered=False)
    refused = house.try_sequence(callee, then(number))
    assert refused.status == 403
    assert b"rings" in refused.body
