"""Malformed messages: the daemon answers what comes next, and sends nothing to a third party."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from daemon import Daemon
from malformed import malformed
from stranger import Stranger

SOURCE = "127.44.76.1"
DECOY = "127.44.76.9"
WITHIN = 1.0


class Decoy:
    """An address that others name; it hears what is sent there over UDP and TCP."""

    def __init__(self) -> None:
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind((DECOY, 5060))
        self._connections = socket.create_server((DECOY, 5060))
        self._datagrams.setblocking(False)
        self._connections.setblocking(False)
        self.address = f"{DECOY}:5060"

    def heard(self) -> object:
        """What has come, or None."""
        for receive in (lambda: self._datagrams.recv(65_535), self._connections.accept):
            try:
                return receive()
            except BlockingIOError:
                continue
        return None

    def close(self) -> None:
        self._datagrams.close()
        self._connections.close()


@pytest.fixture
def decoy() -> Iterator[Decoy]:
    made = Decoy()
    yield made
    made.close()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(
        tmp_path_factory.mktemp("malformed"),
        transports=("udp", "tcp"),
        limits__source_requests=1_000_000,
    )
    daemon.start()
    daemon.add_user("201")
    yield daemon
    try:
        daemon.wait_until_idle()
        daemon.stop()
    finally:
        daemon.kill()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_malformed_messages_stop_nothing_and_reach_nobody_else(
    target: Daemon, decoy: Decoy, transport: str
) -> None:
    server = ("127.0.0.1", target.sip_port)
    with Stranger(server, SOURCE, 5060) as stranger:
        messages = malformed(f"{SOURCE}:5060", decoy.address, target.domain)
        assert len(messages) >= 150
        slowest, answers = 0.0, 0
        for name, data in messages.items():
            started = time.monotonic()
            try:
                if transport == "udp":
                    stranger.send(data)
                else:
                    stranger.stream(data)
                others = stranger.alive(WITHIN)
            except AssertionError as error:
                raise AssertionError(f"after {name}: {error}") from None
            slowest = max(slowest, time.monotonic() - started)
            assert decoy.heard() is None, name
            answers += len(others)
            # What is answered is answered as a refusal, or as an OPTIONS.
            for answer in others:
                assert answer.startswith(b"SIP/2.0 "), (name, answer)
                assert answer[8:9] in b"3456" or b" OPTIONS\r\n" in answer, (name, answer)
        assert slowest < WITHIN
        # Over TCP the answers went over connections that had ended.
        assert answers > len(messages) / 2 if transport == "udp" else answers == 0
    time.sleep(0.2)
    assert decoy.heard() is None
    assert "Traceback" not in target.log()
    assert target.metrics()["sipxd_calls_live"] == 0
