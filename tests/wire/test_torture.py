"""The torture messages of RFC 4475 and RFC 5118 against the daemon, over UDP and TCP.

They are sent as they are, without rport: answers over UDP go to the port that Via names, at the
address that they came from.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from daemon import Daemon
from messages import CASES, Case
from stranger import Stranger

from sipxd.sip.headers import HeaderError
from sipxd.sip.message import ParseError, Request, parse_message


class ExampleCom(Daemon):
    """The registrar of the domain that most of the messages are about."""

    domain = "example.com"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = ExampleCom(
        tmp_path_factory.mktemp("torture"),
        transports=("udp", "tcp"),
        limits__source_requests=1_000_000,
    )
    daemon.start()
    yield daemon
    try:
        daemon.wait_until_idle()
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture(scope="module")
def stranger(target: Daemon) -> Iterator[Stranger]:
    ports = {port for case in CASES if (port := _port(case)) is not None} - {5060}
    with Stranger(("127.0.0.1", target.sip_port), "127.44.75.1", 5060, *ports) as made:
        yield made


def _port(case: Case) -> int | None:
    """The port that the answer goes to, where Via names one."""
    try:
        message = parse_message(case.wire)
        return message.via.port if isinstance(message, Request) else None
    except (HeaderError, ParseError):
        return None


def _check(case: Case, statuses: list[int], allowed: tuple[int, ...]) -> None:
    if allowed:
        assert len(statuses) == 1, f"section {case.section}: {statuses}"
        assert statuses[0] in allowed, f"section {case.section}: {statuses}"
    else:
        assert not statuses, f"section {case.section}: {statuses}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_datagram_is_answered_as_the_rfc_says(stranger: Stranger, case: Case) -> None:
    _check(case, stranger.statuses(case.wire), case.answers)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_message_of_a_stream_is_answered_as_the_rfc_says(
    stranger: Stranger, case: Case
) -> None:
    allowed = case.answers if case.stream is None else case.stream
    statuses = stranger.stream_statuses(case.wire)
    if case.name == "dblreq":
        # The INVITE behind the REGISTER has two octets more than it says, which are line ends.
        assert len(statuses) == 2
        statuses.pop()
    _check(case, statuses, allowed)


def test_all_of_it_in_one_datagram_is_one_message(stranger: Stranger, target: Daemon) -> None:
    assert stranger.statuses(b"".join(case.wire for case in CASES)[:60_000]) == [481]
    assert "Traceback" not in target.log()
    assert target.metrics()["sipxd_sip_malformed_total"] >= 1
