"""Phones that register, with SIPp: digest, several phones, wrong passwords."""

from __future__ import annotations

from collections.abc import Callable

from daemon import Daemon
from roles import Pair, answered_by, joined, picked_up
from sipp import Phone
from steps import hang_up, hung_up, pause, register_refused


def test_wrong_password_and_unknown_user_are_refused_alike(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> None:
    user = new_user()
    phones = [make_phone(name) for name in (user, "nobody")]
    for phone in phones:
        phone.start(
            register_refused(phone.user, "wrong", daemon.domain), request_uri=daemon.domain
        ).finish()
    known, unknown = (
        [line for line in phone.messages().splitlines() if line.startswith("SIP/2.0")]
        for phone in phones
    )
    assert known == unknown
    assert "200" not in "".join(known)
    assert daemon.client(user).call("100").status == 404


def test_phone_that_unregisters_is_not_called_any_more(pair: Pair) -> None:
    pair.caller.register(expires=0)
    answer = pair.client.call(pair.callee.user)
    assert answer.status == 404, answer.body


def test_registering_twice_is_one_phone(pair: Pair) -> None:
    """A phone that starts again has a new Call-ID, and is still the same contact."""
    a, b = pair.caller, pair.callee
    b.register()
    a.start(picked_up(a), joined(a, b), hung_up())
    b.start(answered_by(b, a), pause(200), hang_up())
    pair.call()
    pair.finish()
