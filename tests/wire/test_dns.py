"""Gateways and the PBX by name: DNS of the test's own says where they are."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import Daemon, free_port, until
from sipp import Phone, Sipp, wait_until_bound
from steps import (
    answer,
    answered,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    pause,
    receive,
    reply,
    scenario,
    sdp,
)

FIRST, SECOND = "127.0.0.41", "127.0.0.42"

ZONE = """
pbx.lab.test                  NAPTR 10 10 s SIP+D2U _sip._udp.pbx.lab.test
_sip._udp.pbx.lab.test        SRV 1 1 {first} first.lab.test
_sip._udp.pbx.lab.test        SRV 2 1 {second} second.lab.test
_sip._udp.six.lab.test        SRV 1 1 {six} six-host.lab.test
_sip._udp.refused.lab.test    SRV 1 1 {second} nowhere.lab.test
first.lab.test                A 127.0.0.41
second.lab.test               A 127.0.0.42
six-host.lab.test             AAAA ::1
"""

_names = itertools.count(4301)


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("first", "second", "six", "dns")}


@pytest.fixture(scope="module")
def names(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A name server with the zone; its address."""
    zone = tmp_path_factory.mktemp("dns") / "zone"
    zone.write_text(ZONE.format(**ports))
    process = subprocess.Popen(
        [sys.executable, "-m", "sipxd.testing.nameserver", str(ports["dns"]), str(zone)]
    )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", ports["dns"])) == 0

    until(listens, "the name server")
    yield f"127.0.0.1:{ports['dns']}"
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def named(make_daemon: Callable[..., Daemon], names: str) -> Daemon:
    port = free_port()
    daemon = make_daemon(
        sip__dns=[names],
        sip__listen=[f"udp:127.0.0.1:{port}", f"udp:[::1]:{port}"],
        sip__outbound_proxy="sip:pbx.lab.test",
        gateway=[
            {"name": "six", "uri": "sip:six.lab.test", "health_check": 0},
            {"name": "refused", "uri": "sip:refused.lab.test", "health_check": 0},
        ],
        route=[
            {"pattern": "06.", "gateways": ["six"], "strip": 1, "prepend": "+49"},
            {"pattern": "07.", "gateways": ["refused"], "strip": 1, "prepend": "+49"},
        ],
        call__home=["+49"],
    )
    daemon.sip_port = port
    daemon.start()
    return daemon


@pytest.fixture
def phone(named: Daemon, tmp_path: Path) -> Iterator[Phone]:
    made = Phone(tmp_path, named, named.add_user(str(next(_names)))).register()
    yield made
    made.stop()
    client = named.client(made.user)
    client.hang_up_all()
    until(lambda: not client.live_calls(), "no call to be left")


def pbx(phone: Phone, host: str, port: int, name: str) -> Sipp:
    """A server that takes one call, which the caller ends."""
    media = free_port()
    run = Sipp(
        phone.directory / name,
        scenario(
            invited(has("m=audio", "body")), answer(180), answer(200, body=sdp(media)),
            receive("ACK"), hung_up(),
        ),
        port=port,
        host=host,
    )  # fmt: skip
    if ":" not in host:
        wait_until_bound(port, run)
    return run


def connected(phone: Phone, number: str) -> Sipp:
    """The phone calls, is answered, and hangs up."""
    ringing = expect(180, optional=True) + answered()
    return phone.dial(number, ringing, pause(100), hang_up())


def test_the_server_that_srv_puts_first_takes_the_call(phone: Phone, ports: dict[str, int]) -> None:
    first = pbx(phone, FIRST, ports["first"], "first")
    connected(phone, "8001").finish()
    first.finish()
    assert "INVITE sip:8001@" in first.messages()


def test_a_dead_server_is_passed_over_for_the_next(phone: Phone, ports: dict[str, int]) -> None:
    second = pbx(phone, SECOND, ports["second"], "second")
    connected(phone, "8002").finish(20)
    second.finish()
    # Everything of the dialog went to the server that took it, the ACK and the BYE too.
    assert "BYE sip:" in second.messages()


def test_a_host_that_has_only_ipv6_is_reached(phone: Phone, ports: dict[str, int]) -> None:
    six = pbx(phone, "::1", ports["six"], "six")
    try:
        connected(phone, "069").finish()
        six.finish()
    finally:
        six.stop()
    assert "[::1]" in six.messages()


def test_a_name_that_leads_nowhere_ends_the_call_soon(phone: Phone) -> None:
    phone.dial("079", expect(503) + phone.refused("079")).finish(10)


def test_click_to_call_goes_by_name_too(named: Daemon, phone: Phone, ports: dict[str, int]) -> None:
    first = pbx(phone, FIRST, ports["first"], "clicked")
    phone.start(
        invited(),
        answer(180),
        answer(200, body=sdp(phone.media)),
        receive("ACK"),
        receive("INVITE"),
        reply(200, body=sdp(phone.media, version=2)),
        receive("ACK"),
        pause(100),
        hang_up(),
    )
    result = named.client(phone.user).call("8003", wait=True)
    assert result.status == 200, result.body
    phone.finish()
    first.finish()
