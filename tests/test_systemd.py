"""The unit file under systemd's own check, and the notify protocol with a real socket."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "systemd/sipxd.service"
SIPXD = Path(sys.executable).with_name("sipxd")
TWISTD = Path(sys.executable).with_name("twistd")
PROGRAM = "/opt/sipxd/bin/sipxd"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


class Manager:
    """The service manager's end of the notify protocol."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(30)

    def next(self, *wanted: str) -> str:
        """The next message that begins with one of the wanted words."""
        while True:
            message = self.socket.recv(4096).decode()
            for line in message.splitlines():
                if line.startswith(wanted):
                    return line


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A configuration with ports of its own."""
    path = tmp_path / "sipxd.toml"
    where = ("--config", path, "--state-dir", tmp_path / "state")
    subprocess.run(
        [SIPXD, "init", *where, "--domain", "example.test"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    web, metrics = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    sip = free_port(socket.SOCK_DGRAM)
    with path.open("a") as file:
        file.write(f'\n[web]\nlisten = ["127.0.0.1:{web}"]\n')
        file.write(f'metrics_listen = "127.0.0.1:{metrics}"\n')
        file.write(f'[sip]\nlisten = ["udp:127.0.0.1:{sip}"]\n')
    return path


def listening(configuration: Path) -> list[int]:
    """The TCP ports of the configuration that accept a connection now."""
    ports = [int(port) for port in re.findall(r'127\.0\.0\.1:(\d+)"', configuration.read_text())]
    accepting = []
    for port in ports[:2]:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                accepting.append(port)
    return accepting


@pytest.mark.parametrize("by", ["sipxd run", "twistd"])
def test_systemd_is_told_when_every_port_listens_and_when_it_stops(
    by: str, manager: Manager, configured: Path, tmp_path: Path
) -> None:
    command = {
        "sipxd run": [SIPXD, "run", "--config", configured],
        "twistd": [TWISTD, "-n", "--pidfile=", "sipxd", "--config", configured],
    }[by]
    daemon = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "NOTIFY_SOCKET": str(manager.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert manager.next("READY=") == "READY=1"
        assert len(listening(configured)) == 2
        daemon.send_signal(signal.SIGTERM)
        assert manager.next("STOPPING=") == "STOPPING=1"
        output, _ = daemon.communicate(timeout=20)
    finally:
        daemon.kill()
        daemon.wait()
    assert b"Traceback" not in output
    # twistd passes the signal on, which systemd takes for a clean end as well.
    assert daemon.returncode in ({0} if by == "sipxd run" else {0, -signal.SIGTERM})


@pytest.mark.parametrize("by", ["sipxd run", "twistd"])
def test_a_taken_port_is_one_sentence_and_status_1_and_systemd_is_never_told_ready(
    by: str, manager: Manager, configured: Path, tmp_path: Path
) -> None:
    command = {
        "sipxd run": [SIPXD, "run", "--config", configured],
        "twistd": [TWISTD, "-n", "--pidfile=", "sipxd", "--config", configured],
    }[by]
    port = re.findall(r'127\.0\.0\.1:(\d+)"', configured.read_text())[0]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(port)))
        taken.listen()
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "NOTIFY_SOCKET": str(manager.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("sipxd: ")
    assert port in sentence
    assert "Traceback" not in done.stdout
    manager.socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.next("READY=")


def test_the_unit_is_clean(tmp_path: Path) -> None:
    """Checked with the program where it is here: systemd looks for the file."""
    unit = tmp_path / "sipxd.service"
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(SIPXD)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_runs_unprivileged_and_waits_for_ready() -> None:
    settings = dict(
        line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]\w+=", line)
    )
    assert settings["Type"] == "notify"
    assert settings["User"] == "sipxd"
    assert settings["StateDirectory"] == "sipxd"
    assert settings["NoNewPrivileges"] == "true"
    assert settings["ExecStart"] == f"{PROGRAM} run --config /etc/sipxd/sipxd.toml"
