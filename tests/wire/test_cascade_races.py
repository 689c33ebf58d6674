"""What crosses on the wire while a cascade rings: answers, our CANCEL, the caller's CANCEL."""

from __future__ import annotations

from forwarding import (
    SOON,
    House,
    also,
    connected,
    in_vain,
    invites,
    messages,
    moment,
    ringing,
    rings,
    takes,
    then,
)
from sipp import Phone
from steps import (
    answer,
    cancel,
    cancel_received,
    cancelled,
    expect,
    goto,
    hang_up,
    hung_up,
    invited,
    keep,
    label,
    note,
    pause,
    receive,
    reply,
    request,
    sdp,
)


def answers_though_cancelled(phone: Phone) -> str:
    """The answer crosses the CANCEL, and is taken and hung up."""
    return (
        rings() + cancel_received() + answer(200, body=sdp(phone.media)) + receive("ACK")
        + hung_up()
    )  # fmt: skip


def nothing(milliseconds: int) -> str:
    """The caller hears of nobody who rings for so long."""
    return expect(180, within=milliseconds, otherwise="nothing") + label("nothing")


# -- two who answer --------------------------------------------------------------------------------


def test_of_two_who_answer_at_the_same_moment_one_is_kept(house: House) -> None:
    caller, callee, one, two = house.users(4)
    house.sequence(callee, then(one, 5), also(two, 5))
    callee.start(in_vain())
    for phone in (one, two):
        phone.start(
            invited(), answer(200, body=sdp(phone.media)), receive("ACK"),
            receive("BYE", within=500, otherwise="kept"), goto("end"),
            label("kept"), note(f"{phone.media}"), receive("BYE"), label("end"), reply(200),
        )  # fmt: skip
    caller.dial(callee.user, connected(lasting=1000))
    house.finish()
    (kept,) = one.notes() + two.notes()
    ok = [text for _, text in messages(caller, "SIP/2.0 200") if "m=audio" in text]
    assert f"m=audio {kept} " in ok[0]


def test_who_answers_after_his_time_is_let_go_and_the_next_one_is_joined(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one, 3))
    callee.start(answers_though_cancelled(callee))
    one.start(takes(one, after=200))
    caller.dial(callee.user, connected(one))
    house.finish()
    assert moment(callee, "BYE") - moment(callee, "CANCEL") < SOON


def test_who_answers_after_somebody_else_is_let_go(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, also(one, 3), timer=3)
    callee.start(answers_though_cancelled(callee))
    one.start(takes(one, after=200))
    caller.dial(callee.user, connected(one, lasting=300))
    house.finish()


# -- a caller who hangs up -------------------------------------------------------------------------


def test_caller_hangs_up_while_the_own_phone_rings(house: House) -> None:
    caller, one = house.users(2)
    callee = house.user(voicemail=True)
    house.sequence(callee, then(one), timer=9)
    callee.start(in_vain())
    caller.dial(callee.user, expect(180), pause(100), caller.cancels(callee.user))
    house.finish()
    assert not invites(one) + invites(house.voicemail)


def test_caller_hangs_up_while_the_second_stage_rings(house: House) -> None:
    caller, one, two, three = house.users(4)
    callee = house.user(voicemail=True)
    house.sequence(callee, then(one, 9), also(two, 9), then(three))
    for phone in (callee, one, two):
        phone.start(in_vain())
    caller.dial(callee.user, expect(180), expect(180), expect(180), caller.cancels(callee.user))
    house.finish()
    assert not invites(three) + invites(house.voicemail)


def test_caller_hangs_up_while_the_next_one_is_looked_up(house: House) -> None:
    """The DNS server does not answer: there is no leg yet."""
    caller, one = house.users(2)
    callee = house.user(registered=False, permissions=["sip-address"])
    house.sequence(callee, then("bob@far.example", 9), then(one))
    caller.dial(callee.user, nothing(300), caller.cancels(callee.user))
    house.finish()
    assert not invites(one)


def test_caller_hangs_up_while_voicemail_rings(house: House) -> None:
    caller, callee = house.user(), house.user(registered=False, voicemail=True)
    house.voicemail.start(in_vain())
    caller.dial(callee.user, expect(180), pause(100), caller.cancels(callee.user))
    house.finish()


def test_caller_hangs_up_before_the_phone_has_said_anything(house: House) -> None:
    """He has his 487 at once; the phone gets its CANCEL once it may (RFC 3261 section 9.1)."""
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one), timer=9)
    callee.start(invited() + pause(400) + answer(180) + cancelled())
    caller.dial(callee.user, nothing(100), caller.cancels(callee.user))
    house.finish()
    assert not invites(one)
    assert moment(caller, "SIP/2.0 487") < moment(callee, "SIP/2.0 180")


def test_caller_hangs_up_and_the_answer_crosses_it(house: House) -> None:
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one, 9))
    callee.start(in_vain())
    one.start(answers_though_cancelled(one))
    caller.dial(callee.user, expect(180), expect(180), caller.cancels(callee.user))
    house.finish()


def test_caller_hangs_up_after_the_answer_and_before_he_has_seen_it(house: House) -> None:
    """His CANCEL comes too late to change anything (RFC 3261 section 9.2): BYE has to follow."""
    caller, callee, one = house.users(3)
    house.sequence(callee, then(one, 9))
    callee.start(in_vain())
    one.start(takes(one))
    late = cancel(house.daemon.domain, callee.user)
    late = late[: late.index("<recv")] + expect(200)
    dialog = keep("remote", ".*", "To"), keep("target", "sip:[^>]*", "Contact")
    caller.dial(
        callee.user, ringing(), expect(200, *dialog), late, request("ACK"), hang_up()
    )  # fmt: skip
    house.finish()
