"""``sipxd check``: names every obstacle, and finds none where there is none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from sipxd.web.tls import make_self_signed

Sipxd = Callable[..., Result]


@pytest.fixture
def taken() -> Iterator[int]:
    """A TCP port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def sound(initialised: Path, configuration: Path) -> Path:
    """The state directory of a configuration whose ports are free."""
    with configuration.open("a") as file:
        file.write('[web]\nlisten = ["127.0.0.1:0"]\nmetrics_listen = ""\n')
        file.write('[sip]\nlisten = ["udp:127.0.0.1:0"]\n')
    return initialised


def test_nothing_wrong(sipxd: Sipxd, sound: Path) -> None:
    done = sipxd("check")
    assert done.exit_code == 0
    assert "wrong" not in done.output
    assert done.output.splitlines()[-1] == "sipxd is not running"


def test_every_obstacle_is_named_at_once(sipxd: Sipxd, sound: Path) -> None:
    (sound / "certificate.pem").unlink()
    (sound / "sipxd.sqlite").unlink()
    done = sipxd("check")
    assert done.exit_code == 1
    wrong = [line for line in done.output.splitlines() if line.startswith("wrong")]
    assert [line.split()[1] for line in wrong] == ["certificate:", "database:"]
    assert all("sipxd init" in line for line in wrong)


def test_a_taken_port(sipxd: Sipxd, initialised: Path, configuration: Path, taken: int) -> None:
    with configuration.open("a") as file:
        file.write(f'[web]\nlisten = ["127.0.0.1:{taken}"]\n')
    done = sipxd("check")
    assert done.exit_code == 1
    assert f"wrong  tcp:127.0.0.1:{taken}: cannot be bound" in done.output


def test_a_certificate_that_has_expired(sipxd: Sipxd, sound: Path) -> None:
    pem, key = make_self_signed(["example.test"], now=datetime(2010, 1, 1, tzinfo=UTC))
    (sound / "certificate.pem").write_bytes(pem)
    (sound / "private_key.pem").write_bytes(key)
    done = sipxd("check")
    assert done.exit_code == 1
    assert "has expired on 2019-12-30" in done.output


def test_what_sip_over_tls_needs(
    sipxd: Sipxd, initialised: Path, configuration: Path, taken: int
) -> None:
    with configuration.open("a") as file:
        file.write('[web]\nlisten = ["127.0.0.1:0"]\nmetrics_listen = ""\n')
        file.write(f'[sip]\nlisten = ["tls:127.0.0.1:0", "tcp:127.0.0.1:{taken}"]\n')
        file.write('certificate = "sip.pem"\nprivate_key = "sip.key"\nca = "ca.pem"\n')
    done = sipxd("check")
    assert f"wrong  tcp:127.0.0.1:{taken}: cannot be bound" in done.output
    assert "wrong  certificate for SIP: The certificate" in done.output
    assert "[sip] certificate" in " ".join(done.output.split())
    pem, key = make_self_signed(["example.test"])
    (initialised / "sip.pem").write_bytes(pem)
    (initialised / "sip.key").write_bytes(key)
    assert "The CA file" in sipxd("check").output
    (initialised / "ca.pem").write_bytes(pem)
    assert "ok     certificate for SIP" in sipxd("check").output


def test_a_key_file_of_another_database(sipxd: Sipxd, sound: Path) -> None:
    (sound / "secret.key").write_bytes(bytes(32))
    done = sipxd("check")
    assert done.exit_code == 1
    assert "does not belong to this database" in done.output


def test_a_running_daemon_is_told_and_its_ports_are_not_tried(sipxd: Sipxd, stand_in: Any) -> None:
    status = {"version": "9.9", "pid": 4711, "calls": 2}
    stand_in.answers["status"] = [{"result": status}]
    done = sipxd("check")
    assert done.output.splitlines()[-1] == "sipxd 9.9 is running: process 4711, 2 calls"
    assert "udp:" not in done.output
