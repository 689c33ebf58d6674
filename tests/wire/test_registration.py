"""Phones that register, with SIPp: digest, several phones, wrong passwords."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable

from daemon import Daemon
from roles import Pair, answered_by, joined, picked_up
from sipp import Phone
from steps import hang_up, hung_up, pause, register_refused

from sipxd.sip import digest
from sipxd.sip.message import Response, parse_message

TRIES = 15
SAME_TIME = 0.05
"""Seconds by which the answers to a known and an unknown user may differ in the median."""


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


def _guess(daemon: Daemon, user: str, source: str) -> tuple[list[list[str]], float]:
    """A wrong password: the statuses and headers of both answers, and the seconds they took."""
    uri, more, seen = f"sip:{daemon.domain}", "", []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(5)
        phone.bind((source, 0))
        phone.connect(("127.0.0.1", daemon.sip_port))
        here, tag = f"{source}:{phone.getsockname()[1]}", time.time_ns()
        started = time.monotonic()
        for number in (1, 2):
            head = (
                f"REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{tag}{number}\r\n"
                f"From: <sip:{user}@{daemon.domain}>;tag={tag}\r\nTo: <sip:{user}@{daemon.domain}>"
                f"\r\nCall-ID: {tag}\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:{user}@{here}>\r\n{more}Content-Length: 0\r\n\r\n"
            )
            phone.send(head.encode())
            answer = parse_message(phone.recv(65_535))
            assert isinstance(answer, Response)
            names = [name for name, _ in answer.headers]
            seen.append([f"{answer.status} {answer.reason}", *names, repr(answer.body)])
            if number == 1:
                offered = digest.parse_challenges(answer.get_all("WWW-Authenticate"))[0]
                value = digest.authorize(offered, "REGISTER", uri, user, "wrong", nc=1, cnonce="c")
                more = f"Authorization: {value}\r\n"
        return seen, time.monotonic() - started


def test_guesses_do_not_tell_known_and_unknown_users_apart(
    daemon: Daemon, new_user: Callable[[], str]
) -> None:
    times: dict[str, list[float]] = {new_user(): [], "nobody": []}
    answers = []
    for n in range(TRIES):
        for kind, (user, taken) in enumerate(times.items(), 1):
            answer, seconds = _guess(daemon, user, f"127.90.{kind}.{n + 1}")
            answers.append(answer)
            taken.append(seconds)
    assert [each[0][:3] for each in answers[0]] == ["401", "403"]
    assert all(answer == answers[0] for answer in answers)
    known, unknown = map(statistics.median, times.values())
    assert abs(known - unknown) < SAME_TIME


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
