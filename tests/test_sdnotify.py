"""The notify protocol, met over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from sipxd.sdnotify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        address = str(tmp_path / "notify")
        receiver.bind(address)
        receiver.setblocking(False)
        yield address, receiver


def test_states_arrive(manager: tuple[str, socket.socket]) -> None:
    address, receiver = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready("listening on udp:0.0.0.0:5060,\nall well")
    notifier.stopping()
    assert receiver.recv(1000) == b"READY=1\nSTATUS=listening on udp:0.0.0.0:5060, all well"
    assert receiver.recv(1000) == b"STOPPING=1"


def test_abstract_addresses_work() -> None:
    name = f"sipxd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.setblocking(False)
        Notifier.from_environment({"NOTIFY_SOCKET": "@" + name}).alive()
        assert receiver.recv(1000) == b"WATCHDOG=1"


def test_outside_systemd_nothing_is_sent() -> None:
    notifier = Notifier.from_environment({})
    notifier.ready("x")
    notifier.stopping()
    assert notifier.watchdog_interval is None


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "gone"), None).ready("x")


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_taken_only_when_meant(
    environment: dict[str, str], interval: float | None
) -> None:
    assert Notifier.from_environment(environment, pid=7).watchdog_interval == interval


def test_signs_of_life_follow_the_probe(manager: tuple[str, socket.socket]) -> None:
    address, receiver = manager
    clock = Clock()
    healthy = True

    async def probe() -> None:
        if not healthy:
            raise RuntimeError("the database does not answer")

    stop = Notifier(address, 10.0).watch(probe, clock)
    assert receiver.recv(1000) == b"WATCHDOG=1"
    clock.advance(5)
    assert receiver.recv(1000) == b"WATCHDOG=1"
    healthy = False
    clock.advance(5)
    with pytest.raises(BlockingIOError):
        receiver.recv(1000)
    healthy = True
    clock.advance(5)
    assert receiver.recv(1000) == b"WATCHDOG=1"
    stop()
    stop()
    assert not clock.getDelayedCalls()


def test_without_a_watchdog_nothing_is_probed(manager: tuple[str, socket.socket]) -> None:
    async def probe() -> None:
        raise AssertionError

    Notifier(manager[0], None).watch(probe, Clock())()
