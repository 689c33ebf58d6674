"""How a cascade ends (contract 9.6): in the voicemail box of the called user, or with a refusal."""

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
    ringing,
    takes,
    then,
    told,
)
from sipp import Phone
from steps import answered, hang_up, has, pause


def box_of(house: House, owner: Phone, *checks: str) -> None:
    """The voicemail box of that user takes the call."""
    box = house.voicemail
    box.start(takes(box, has(f"^INVITE sip:{owner.user}@"), *checks, ringing=False))


@pytest.mark.parametrize("rings", ["none", "all disabled"])
def test_without_numbers_the_own_phone_rings_then_voicemail_answers(
    house: House, rings: str
) -> None:
    caller, one = house.users(2)
    callee = house.user(voicemail=True)
    house.sequence(callee, *([] if rings == "none" else [then(one, enabled=False)]))
    callee.start(in_vain())
    box_of(house, callee, has(f"<sip:{callee.user}@example.test>;reason=no-answer", "Diversion"))
    caller.dial(callee.user, connected(house.voicemail))
    house.finish()
    assert about(rang(callee), 1)
    assert about(moment(house.voicemail, "INVITE") - moment(callee, "INVITE"), 1)
    assert house.client(caller).calls()[0]["reached"] == f"voicemail of {callee.user}"


def test_voicemail_answers_behind_the_last_number_and_is_that_of_the_user_who_was_called(
    house: House,
) -> None:
    """The box of whom he forwards to never answers for him."""
    caller = house.user()
    callee, one = house.user(voicemail=True), house.user(voicemail=True)
    house.sequence(callee, then(one))
    house.sequence(one, timer=9)
    callee.start(in_vain())
    one.start(in_vain())
    box_of(house, callee)
    caller.dial(callee.user, connected(house.voicemail))
    house.finish()
    assert about(rang(one), 1)
    assert len(invites(house.voicemail)) == 1


def test_somebody_who_answers_is_not_followed_by_voicemail(house: House) -> None:
    caller, one = house.users(2)
    callee = house.user(voicemail=True)
    house.sequence(callee, then(one, 3))
    callee.start(refuses(486))
    one.start(takes(one))
    caller.dial(callee.user, connected(one))
    house.finish()
    assert not house.voicemail.messages()


def test_voicemail_answers_at_once_where_there_is_nobody_to_ring(house: House) -> None:
    caller, callee = house.user(), house.user(registered=False, voicemail=True)
    box_of(house, callee)
    caller.dial(callee.user, connected(house.voicemail))
    house.finish()
    assert moment(house.voicemail, "INVITE") - moment(caller, "INVITE") < SOON


def test_without_voicemail_the_caller_is_told_that_nobody_answers(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee)
    callee.start(in_vain())
    caller.dial(callee.user, told(caller, callee.user, 408))
    house.finish()
    house.sequence(callee, then(one))
    callee.start(refuses(404))
    one.start(in_vain())
    caller.dial(callee.user, told(caller, callee.user, 408))
    house.finish()


def test_without_voicemail_the_caller_is_told_that_the_user_is_busy(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee)
    callee.start(refuses(486))
    caller.dial(callee.user, told(caller, callee.user, 486))
    house.finish()
    house.sequence(callee, then(one))
    callee.start(refuses(486))
    one.start(in_vain())
    caller.dial(callee.user, told(caller, callee.user, 486))
    house.finish()


def test_voicemail_that_is_out_of_order_leaves_the_best_of_the_responses(house: House) -> None:
    caller, callee = house.user(), house.user(voicemail=True)
    house.sequence(callee)
    callee.start(refuses(486))
    house.voicemail.start(refuses(503))
    caller.dial(callee.user, told(caller, callee.user, 486))
    house.finish()


def test_with_voicemail_is_shown_and_not_taken(house: House) -> None:
    for voicemail in (False, True):
        callee = house.user(registered=False, voicemail=voicemail)
        house.sequence(callee)  # which says that he has none
        answer = house.client(callee).ask("GET", "/sipxconfig/rest/my/forward")
        assert f"<withVoicemail>{str(voicemail).lower()}</withVoicemail>".encode() in answer.body


def test_a_call_may_ask_for_the_own_phone_alone_or_for_no_voicemail(house: House) -> None:
    """As sipXcom's own parts do (contract 9.1)."""
    one, callee = house.user(), house.user(voicemail=True)
    house.sequence(callee, then(one))
    callee.start(in_vain())
    box_of(house, callee)
    house.outsider(
        house.peer, "+4917", callee.user,
        ringing() + answered() + pause(100) + hang_up(),
        flags=";sipx-userforward=false",
    )  # fmt: skip
    house.finish()
    assert not messages(one, "INVITE")
    callee.start(in_vain())
    one.start(in_vain())
    caller = house.peer
    refused = ringing() + told(caller, callee.user, 408)
    house.outsider(caller, "+4917", callee.user, refused, flags=";sipx-noroute=Voicemail")
    house.finish()
    assert len(invites(house.voicemail)) == 1
