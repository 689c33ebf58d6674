"""Users who forward to users who forward, hunt groups, and many telephones at the same time."""

from __future__ import annotations

from forwarding import (
    SOON,
    House,
    about,
    also,
    beaten,
    connected,
    in_vain,
    invites,
    moment,
    rang,
    refuses,
    takes,
    then,
    told,
)
from steps import (
    answer,
    cancelled,
    goto,
    has,
    hung_up,
    invited,
    label,
    look,
    pause,
    receive,
    sdp,
)

# -- forwarding within forwarding ------------------------------------------------------------------


def test_the_forwarding_of_whom_a_call_is_forwarded_to_is_followed_three_deep(
    house: House,
) -> None:
    caller, a, b, c, d = house.users(5)
    house.sequence(a, then(b, 9))
    house.sequence(b, then(c, 9))
    house.sequence(c, then(d, 9))
    a.start(in_vain())
    b.start(in_vain())
    c.start(refuses(486))
    who = ", ".join(f"<sip:{by.user}@example.test>;reason=no-answer" for by in (c, b, a))
    d.start(takes(d, has(who, "Diversion"), has(f"<sip:{caller.user}@example.test>", "From")))
    caller.dial(a.user, connected(d))
    house.finish()
    assert about(moment(b, "INVITE") - moment(a, "INVITE"), 1)
    assert about(moment(d, "INVITE") - moment(b, "INVITE"), 1)


def test_what_is_nested_has_no_more_time_than_the_leg_that_it_is_in(house: House) -> None:
    caller, a, b, c, d = house.users(5)
    house.sequence(a, then(b, 2), then(d))
    house.sequence(b, then(c, 9))
    a.start(refuses(486))
    b.start(in_vain())
    c.start(in_vain())
    d.start(takes(d))
    caller.dial(a.user, connected(d))
    house.finish()
    assert about(rang(c), 1)
    assert about(moment(d, "INVITE") - moment(b, "INVITE"), 2)


def test_a_nested_cascade_that_has_failed_ends_its_branch_and_not_the_others(house: House) -> None:
    caller, a, b, c, d = house.users(5)
    house.sequence(a, then(b, 9), also(d, 2))
    house.sequence(b, then(c, 9))
    a.start(refuses(486))
    b.start(refuses(480))
    c.start(refuses(603))
    d.start(takes(d, after=500))
    caller.dial(a.user, connected(d))
    house.finish()
    assert moment(c, "INVITE") - moment(a, "INVITE") < SOON


def test_an_answer_in_one_nested_cascade_silences_the_other(house: House) -> None:
    caller, a, b, c, d = house.users(5)
    house.sequence(a, also(b, 9), also(c, 9), timer=9)
    house.sequence(c, also(d, 9), timer=9)
    for phone in (a, b, c):
        phone.start(beaten())
    d.start(takes(d, after=300))
    caller.dial(a.user, connected(d))
    house.finish()


# -- hunt groups -----------------------------------------------------------------------------------


def test_a_group_rings_its_members_and_what_they_forward_to_only_where_it_says_so(
    house: House,
) -> None:
    caller, a, b, c = house.users(4)
    house.sequence(a, then(c), timer=9)
    for follow in (False, True):
        group = house.group(then(a), then(b), follow=follow)
        a.start(refuses(486) if follow else in_vain())
        if follow:
            c.start(in_vain())
        b.start(takes(b, has(f"<sip:{group}@example.test>;reason=", "Diversion")))
        caller.dial(group, connected(b))
        house.finish()
    assert len(invites(c)) == 1


def test_a_group_falls_back_to_a_number_or_to_the_voicemail_of_its_last_member(
    house: House,
) -> None:
    caller, a = house.users(2)
    b = house.user(voicemail=True)
    for more in ({"fallback": "0712345"}, {"voicemail_fallback": True}):
        group = house.group(also(a), also(b), follow=False, **more)
        a.start(refuses(486))
        b.start(refuses(486))
        last = house.trunk if "fallback" in more else house.voicemail
        called = "[+]49712345" if "fallback" in more else b.user
        last.start(takes(last, has(f"^INVITE sip:{called}@"), ringing=False))
        caller.dial(group, connected(last))
        house.finish()


def test_a_group_that_is_switched_off_does_not_exist(house: House) -> None:
    caller, a = house.users(2)
    group = house.group(then(a), enabled=False)
    caller.dial(group, told(caller, group, 404))
    house.finish()
    assert not invites(a)


# -- many at the same time -------------------------------------------------------------------------


def test_twenty_ring_at_once_one_answers_and_nineteen_fall_silent(house: House) -> None:
    caller, callee = house.user(), house.user(registered=False)
    house.sequence(callee, *(also(f"08{n}", 9) for n in range(10, 30)), timer=9)
    trunk = house.trunk
    trunk.start(
        invited(look("chosen", "^INVITE sip:.49817@")), answer(180), goto("it", test="chosen"),
        cancelled(has("SIP;cause=200", "Reason")), goto("end"),
        label("it"), pause(700), answer(200, body=sdp(trunk.media)), receive("ACK"), hung_up(),
        label("end"), pause(1),
        calls=20,
    )  # fmt: skip
    caller.dial(callee.user, connected(trunk))
    house.finish()
    assert len(invites(trunk)) == 20
    assert trunk.messages().count("\nSIP/2.0 487") == 19
    assert house.client(caller).calls()[0]["reached"] == "0817"


def test_of_twenty_five_at_once_no_more_than_twenty_ring(house: House) -> None:
    caller, callee = house.user(), house.user(registered=False)
    house.sequence(callee, *(also(f"08{n}") for n in range(10, 35)))
    house.trunk.start(in_vain(), calls=20)
    caller.dial(callee.user, told(caller, callee.user, 408))
    house.finish()
    assert len(invites(house.trunk)) == 20
