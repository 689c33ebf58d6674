"""Rules beyond the call sequence: for some callers, some situations, a time; and changes."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from forwarding import (
    SOON,
    House,
    about,
    also,
    connected,
    in_vain,
    invites,
    moment,
    rang,
    refuses,
    takes,
    then,
    told,
    wait_for_ringing,
)
from sipp import Phone
from steps import has


def forward(to: str | Phone, seconds: int = 3, **more: Any) -> dict[str, Any]:
    """A rule that forwards."""
    return {"number": to if isinstance(to, str) else to.user, "seconds": seconds, **more}


def in_an_hour(hours: int) -> str:
    """RFC 3339."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# -- do not disturb --------------------------------------------------------------------------------


def test_who_does_not_want_to_be_disturbed_is_not_rung_nor_forwarded(house: House) -> None:
    caller, callee, one = house.users(3)
    house.settings(callee, then(one), do_not_disturb=True)
    caller.dial(callee.user, told(caller, callee.user, 486))
    house.finish()
    assert not invites(callee) + invites(one)


def test_callers_of_who_does_not_want_to_be_disturbed_get_his_voicemail_or_his_rule_for_busy(
    house: House,
) -> None:
    caller, one = house.users(2)
    callee = house.user(voicemail=True)
    house.settings(callee, do_not_disturb=True, do_not_disturb_until=in_an_hour(1))
    house.voicemail.start(takes(house.voicemail, has(f"^INVITE sip:{callee.user}@")))
    caller.dial(callee.user, connected(house.voicemail))
    house.finish()
    house.settings(callee, do_not_disturb=True, rules=[forward(one, when="busy")])
    one.start(takes(one, has("reason=do-not-disturb", "Diversion")))
    caller.dial(callee.user, connected(one))
    house.finish()
    assert not invites(callee)


def test_do_not_disturb_ends_by_itself(house: House) -> None:
    caller, callee = house.users(2)
    house.settings(callee, do_not_disturb=True, do_not_disturb_until=in_an_hour(-1))
    callee.start(takes(callee))
    caller.dial(callee.user, connected(callee))
    house.finish()


# -- who calls -------------------------------------------------------------------------------------


def test_rules_tell_callers_apart(house: House) -> None:
    """Each of them goes somewhere else, and only the last one rings the user's own phone."""
    caller, callee, internal, friend = house.users(4)
    house.settings(
        callee,
        rules=[
            {"caller": "anonymous", "action": "reject"},
            forward(internal, caller="internal"),
            forward(friend, caller="0049 (17)"),
        ],
        timer=3,
    )
    internal.start(takes(internal, has("reason=unconditional", "Diversion")))
    caller.dial(callee.user, connected(internal))
    house.finish()
    caller.dial(callee.user, told(caller, callee.user, 433), headers=("Privacy: id",))
    house.finish()
    friend.start(takes(friend))
    house.outsider(house.peer, "+4917", callee.user, connected(friend))
    house.finish()
    callee.start(takes(callee))
    house.outsider(house.peer, "+4918", callee.user, connected(callee))
    house.finish()
    assert [len(invites(phone)) for phone in (callee, internal, friend)] == [1, 1, 1]


def test_a_rule_may_send_everybody_to_voicemail_or_away(house: House) -> None:
    caller, callee = house.user(), house.user(voicemail=True)
    house.settings(callee, rules=[{"action": "voicemail"}])
    house.voicemail.start(takes(house.voicemail))
    caller.dial(callee.user, connected(house.voicemail))
    house.finish()
    house.settings(callee, rules=[{"action": "reject"}])
    caller.dial(callee.user, told(caller, callee.user, 603))
    house.finish()
    assert not invites(callee)
    assert len(invites(house.voicemail)) == 1


def test_a_rule_that_has_ended_by_itself_or_is_switched_off_is_none(house: House) -> None:
    caller, callee, one = house.users(3)
    house.settings(callee, rules=[forward(one, until=in_an_hour(-1)), forward(one, enabled=False)])
    callee.start(takes(callee))
    caller.dial(callee.user, connected(callee))
    house.finish()
    assert not invites(one)


# -- what has become of his phones -----------------------------------------------------------------

SITUATIONS = (
    ("busy", 486, "user-busy"),
    ("busy", 603, "user-busy"),
    ("no-answer", 0, "no-answer"),
    ("not-registered", 480, "unavailable"),
)


@pytest.mark.parametrize(("when", "code", "reason"), SITUATIONS)
def test_a_rule_for_the_situation_of_his_phones_takes_the_place_of_the_sequence(
    house: House, when: str, code: int, reason: str
) -> None:
    caller, callee, normal, special, wrong = house.users(5)
    others = {each for each, _, _ in SITUATIONS} - {when}
    rules = [forward(wrong, when=other) for other in sorted(others)]
    house.settings(callee, then(normal), rules=[*rules, forward(special, when=when)])
    callee.start(refuses(code) if code else in_vain())
    special.start(takes(special, has(f"reason={reason}", "Diversion")))
    caller.dial(callee.user, connected(special))
    house.finish()
    assert not invites(normal) + invites(wrong)


def test_a_rule_for_who_has_no_phone_registered_holds_at_once(house: House) -> None:
    caller, normal, special = house.users(3)
    callee = house.user(registered=False)
    rule = forward(special, when="not-registered")
    house.settings(callee, then(normal), rules=[rule], timer=9)
    special.start(takes(special))
    caller.dial(callee.user, connected(special))
    house.finish()
    assert moment(special, "INVITE") - moment(caller, "INVITE") < SOON


# -- changes ---------------------------------------------------------------------------------------


def test_a_change_holds_for_the_next_call_and_a_call_that_rings_keeps_its_plan(
    house: House,
) -> None:
    caller, callee, before, after = house.users(4)
    house.sequence(callee, then(before, 3))
    callee.start(in_vain())
    before.start(takes(before))
    first = caller.dial(callee.user, connected(before))
    wait_for_ringing(callee)
    house.sequence(callee, then(after, 3), timer=9)
    first.finish()
    house.finish()
    assert about(rang(callee), 1)
    callee.start(refuses(486))
    after.start(takes(after))
    caller.dial(callee.user, connected(after))
    house.finish()
    assert len(invites(before)) == 1


def test_whom_a_call_is_sent_on_to_is_asked_in_that_moment_what_he_wants(house: House) -> None:
    """So what he changes while the first phone rings counts, as do phones that he switches on."""
    caller, callee, two = house.users(3)
    one = house.user(registered=False)
    house.sequence(callee, also(two, 1), then(one, 3))
    callee.start(in_vain())
    two.start(in_vain())
    caller.dial(callee.user, connected())
    wait_for_ringing(callee, two)
    one.register().start(takes(one))
    house.finish()
