"""Transfers with SIPp phones: REFER to a number and to a dialog, and INVITE with Replaces."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from baresip import Baresip
from daemon import Daemon, until
from linphone import Linphone
from roles import Pair
from sipp import Phone
from steps import (
    OFFERLESS,
    answer,
    answered,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    note,
    pause,
    receive,
    reply,
    request,
    sdp,
)
from telephones import Phones, Telephone


@pytest.fixture
def third(new_user: Callable[[], str], make_phone: Callable[[str], Phone]) -> Phone:
    """A phone of a third user."""
    return make_phone(new_user()).register()


def _told(status: int, state: str) -> str:
    """A NOTIFY tells how the transfer goes."""
    return receive(
        "NOTIFY",
        has("^ *refer;id=[0-9]+", "Event"),
        has(state, "Subscription-State"),
        has("message/sipfrag", "Content-Type"),
        has(f"SIP/2.0 {status} ", "body"),
    ) + reply(200)


def _refers(to: str, *headers: str) -> str:
    return request("REFER", f"Refer-To: {to}", *headers) + expect(202)


def _takes_media_of(phone: Phone, other: Phone, version: int = 2) -> str:
    """The phone is offered the media of another one, and takes it."""
    return (
        receive("INVITE", has(f"m=audio {other.media} ", "body"))
        + reply(200, body=sdp(phone.media, version=version))
        + receive("ACK")
    )


def _picks_up(phone: Phone, other: Phone) -> str:
    return (
        invited(has(f"m=audio {other.media} ", "body"))
        + answer(180)
        + answer(200, body=sdp(phone.media))
        + receive("ACK")
    )


def _reached(phone: Phone) -> str:
    """Our call is answered."""
    return expect(180, optional=True) + answered()


def test_blind_transfer_by_the_caller(pair: Pair, third: Phone) -> None:
    a, b = pair.caller, pair.callee
    b.start(_picks_up(b, a), _takes_media_of(b, third), hung_up())
    third.start(
        invited(has(f"m=audio {b.media} ", "body"), has(f"sip:{a.user}@", "Referred-By")),
        answer(180),
        answer(200, body=sdp(third.media)),
        receive("ACK"),
        pause(300),
        hang_up(),
    )
    a.dial(
        b.user,
        _reached(a),
        _refers(f"<sip:{third.user}@{a.daemon.domain}>"),
        _told(100, "active"),
        _told(180, "active"),
        _told(200, "terminated"),
        hung_up(has("transferred", "Reason")),
    )
    third.finish()
    pair.finish()


def test_blind_transfer_by_the_callee(pair: Pair, third: Phone) -> None:
    a, b = pair.caller, pair.callee
    b.start(
        _picks_up(b, a),
        pause(100),
        _refers(f"<sip:{third.user}@{a.daemon.domain}>"),
        _told(100, "active"),
        _told(180, "active"),
        _told(200, "terminated"),
        hung_up(),
    )
    third.start(_picks_up(third, a), hung_up())
    a.dial(b.user, _reached(a), _takes_media_of(a, third), pause(300), hang_up())
    third.finish()
    pair.finish()


def test_the_transferring_phone_hangs_up_without_waiting(pair: Pair, third: Phone) -> None:
    a, b = pair.caller, pair.callee
    b.start(_picks_up(b, a), _takes_media_of(b, third), hung_up())
    third.start(_picks_up(third, b), pause(300), hang_up())
    a.dial(
        b.user,
        _reached(a),
        _refers(f"<sip:{third.user}@{a.daemon.domain}>", "Refer-Sub: false"),
        hang_up(),
    )
    third.finish()
    pair.finish()


@pytest.mark.parametrize(
    ("number", "status"), [("99999", 404), ("112", 403), ("someone@elsewhere.example", 403)]
)
def test_a_target_that_may_not_be_called_leaves_the_call(
    pair: Pair, number: str, status: int
) -> None:
    a, b = pair.caller, pair.callee
    b.start(_picks_up(b, a), hung_up())
    uri = number if "@" in number else f"{number}@{a.daemon.domain}"
    a.dial(
        b.user,
        _reached(a),
        _refers(f"<sip:{uri}>"),
        _told(100, "active"),
        _told(status, "terminated"),
        pause(200),
        hang_up(),
    )
    pair.finish()


def test_a_busy_target_leaves_the_call(pair: Pair, third: Phone) -> None:
    a, b = pair.caller, pair.callee
    b.start(_picks_up(b, a), hung_up())
    third.start(invited(), answer(486), receive("ACK"))
    a.dial(
        b.user,
        _reached(a),
        _refers(f"<sip:{third.user}@{a.daemon.domain}>"),
        _told(100, "active"),
        _told(486, "terminated"),
        pause(200),
        hang_up(),
    )
    third.finish()
    pair.finish()


def test_replaces_of_an_unknown_dialog_is_481(pair: Pair, third: Phone) -> None:
    a, b = pair.caller, pair.callee
    b.start(_picks_up(b, a), hung_up())
    uri = f"sip:{third.user}@{a.daemon.domain}?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2"
    a.dial(
        b.user,
        _reached(a),
        _refers(f"<{uri}>"),
        _told(100, "active"),
        _told(481, "terminated"),
        pause(200),
        hang_up(),
    )
    pair.finish()


def _dialog_noted() -> str:
    """Write down what names this call's dialog: its Call-ID and both tags."""
    return note("[call_id] [$remote] [pid]-[call_number]")


def _replaces(phone: Phone) -> str:
    """The Replaces that names the dialog that the phone has written down."""
    until(lambda: bool(phone.notes()), "the dialog to be known")
    call_id, *_, to, from_tag = phone.notes()[-1].split()
    to_tag = to.partition(";tag=")[2]
    return f"{call_id};to-tag={to_tag};from-tag={from_tag}"


def test_attended_transfer(
    daemon: Daemon, pair: Pair, third: Phone, make_phone: Callable[[str], Phone]
) -> None:
    """A's two lines are two sockets of the same user: the dialogs are what matters."""
    a, b = pair.caller, pair.callee
    line = make_phone(a.user)
    third.start(
        _picks_up(third, line),
        receive("INVITE", OFFERLESS)
        + reply(200, body=sdp(third.media, version=2))
        + receive("ACK", has(f"m=audio {b.media} ", "body")),
        hung_up(),
    )
    line.dial(
        third.user,
        _reached(line),
        _dialog_noted(),
        hung_up(has("transferred", "Reason")),
    )
    escaped = _replaces(line).replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
    b.start(_picks_up(b, a), _takes_media_of(b, third), pause(300), hang_up())
    a.dial(
        b.user,
        _reached(a),
        _refers(f"<sip:{third.user}@{daemon.domain}?Replaces={escaped}>"),
        _told(100, "active"),
        _told(200, "terminated"),
        hung_up(),
    )
    line.finish()
    third.finish()
    pair.finish()


def test_an_invite_takes_the_place_of_another_phone_of_the_user(
    pair: Pair, make_phone: Callable[[str], Phone]
) -> None:
    a, b = pair.caller, pair.callee
    desk = make_phone(a.user)
    b.start(_picks_up(b, a), _takes_media_of(b, desk), hung_up())
    a.dial(b.user, _reached(a), _dialog_noted(), hung_up(has("transferred", "Reason")))
    headers = (f"Replaces: {_replaces(a)}", "Require: replaces")
    desk.dial(b.user, _reached(desk), pause(200), hang_up(), headers=headers)
    desk.finish()
    pair.finish()


@pytest.mark.parametrize(
    ("replaces", "status"),
    [
        ("nothing;to-tag=1;from-tag=2", 481),
        ("{};early-only", 486),
        ("{};to-tag=again", 400),
    ],
)
def test_what_cannot_be_replaced(
    pair: Pair, make_phone: Callable[[str], Phone], replaces: str, status: int
) -> None:
    a, b = pair.caller, pair.callee
    desk = make_phone(a.user)
    b.start(_picks_up(b, a), hung_up())
    a.dial(b.user, _reached(a), _dialog_noted(), pause(1200), hang_up())
    header = f"Replaces: {replaces.format(_replaces(a))}"
    desk.dial(b.user, expect(status), desk.refused(b.user), headers=(header,))
    desk.finish()
    pair.finish()


def test_nobody_takes_the_place_of_another_user(pair: Pair, third: Phone) -> None:
    a, b = pair.caller, pair.callee
    b.start(_picks_up(b, a), hung_up())
    a.dial(b.user, _reached(a), _dialog_noted(), pause(1200), hang_up())
    header = f"Replaces: {_replaces(a)}"
    third.dial(b.user, expect(403), third.refused(b.user), headers=(header,))
    third.finish()
    pair.finish()


# -- telephones written by others --------------------------------------------------------------


@pytest.fixture
def talkers(
    daemon: Daemon, make_phones: Callable[..., Phones], start_telephone: Callable[..., Telephone]
) -> Callable[[str], tuple[Phones, Telephone, str]]:
    """Two telephones of a kind that talk to each other, and a baresip that answers by itself."""

    def make(kind: str) -> tuple[Phones, Telephone, str]:
        phones = make_phones((kind, "baresip"), answers=("auto", "auto"))
        name = daemon.add_user(f"{phones.b_name}9")
        other = start_telephone(
            "baresip",
            name,
            daemon.domain,
            registrar=daemon.sip_address,
            password=daemon.sip_password(name),
        )
        phones.a.dial(f"sip:{phones.b_name}@{daemon.domain}")
        phones.talk()
        return phones, other, name

    return make


def test_baresip_transfers_and_the_other_two_talk(
    daemon: Daemon, talkers: Callable[[str], tuple[Phones, Telephone, str]]
) -> None:
    phones, other, name = talkers("baresip")
    assert isinstance(phones.a, Baresip)
    phones.a.command("transfer", f"sip:{name}@{daemon.domain}")
    until(phones.a.has_no_call, "the transferring phone to be free")
    attrs.evolve(phones, a=other).talk()
    phones.b.hang_up()
    until(other.has_no_call, "the other phone to be free")
    assert "202 Accepted" in phones.a.trace()


def test_baresip_hangs_up_itself_when_its_transfer_fails(
    daemon: Daemon, talkers: Callable[[str], tuple[Phones, Telephone, str]]
) -> None:
    phones, other, _ = talkers("baresip")
    assert isinstance(phones.a, Baresip)
    phones.a.command("transfer", f"sip:99999@{daemon.domain}")
    until(lambda: "SIP/2.0 404 Not Found" in phones.a.trace(), "the failure to be told")
    phones.are_free()
    assert other.has_no_call()


def test_linphone_transfers_and_the_other_two_talk(
    daemon: Daemon, talkers: Callable[[str], tuple[Phones, Telephone, str]]
) -> None:
    phones, other, name = talkers("linphone")
    assert isinstance(phones.a, Linphone)
    phones.a.command(f"transfer 1 sip:{name}@{daemon.domain}")
    until(phones.a.has_no_call, "the transferring phone to be free")
    attrs.evolve(phones, a=other).talk()
    other.hang_up()
    phones.are_free()


def test_linphone_connects_two_calls_of_its_own(
    daemon: Daemon, talkers: Callable[[str], tuple[Phones, Telephone, str]]
) -> None:
    phones, other, name = talkers("linphone")
    assert isinstance(phones.a, Linphone)
    phones.a.hold()
    phones.a.dial(f"sip:{name}@{daemon.domain}")
    until(lambda: "StreamsRunning" in phones.a.command("calls"), "the consultation")
    phones.a.command("transfer 1 --to-call 2")
    until(phones.a.has_no_call, "the transferring phone to be free")
    attrs.evolve(phones, a=other).talk()
    assert "Replaces=" in phones.a.trace()
    phones.b.hang_up()
    until(other.has_no_call, "the other phone to be free")
