"""``sipxd phone`` as a process, against the server as a process."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipxd.cli.main import main

SIPXD = str(Path(sys.executable).with_name("sipxd"))
PASSWORD = "secret-of-phones"


@pytest.fixture(scope="module")
def tls_port() -> int:
    """The server's port for TLS."""
    return free_udp_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tls_port: int) -> Iterator[str]:
    """HOST:PORT of a running server that knows 200 and 201."""
    directory = tmp_path_factory.mktemp("server")
    config = directory / "sipxd.toml"
    port = free_udp_port()

    def sipxd(*arguments: str) -> None:
        done = CliRunner().invoke(main, [*arguments, "--config", str(config)])
        assert done.exit_code == 0, done.output

    state = str(directory / "state")
    sipxd("init", "--domain", "example.test", "--state-dir", state, "--admin-password", "topsecret")
    for name in ("200", "201"):
        sipxd("user", "add", name, "--pin", "12345678", "--sip-password", PASSWORD)
    config.write_text(
        f'{config.read_text()}[web]\nlisten = ["127.0.0.1:0"]\nmetrics_listen = ""\n'
        f'[sip]\nlisten = ["udp:127.0.0.1:{port}", "tcp:127.0.0.1:{port}", '
        f'"tls:127.0.0.1:{tls_port}"]\n'
    )
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([SIPXD, "run", "--config", str(config)], stdout=log, stderr=log)
    try:
        until((directory / "state" / "admin.sock").exists, 30)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(20) == 0, (directory / "log").read_text()


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class PhoneProcess:
    """A running ``sipxd phone`` and what it has said."""

    def __init__(self, path: Path, *arguments: str, password: str = PASSWORD) -> None:
        self._output = path
        with path.open("w") as output:
            self.process = subprocess.Popen(
                [SIPXD, "phone", *arguments, "--password", "-"],
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(f"{password}\n")
        self.process.stdin.close()

    def said(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it has said so."""
        try:
            until(lambda: text in self.said(), 15)
        except AssertionError:
            raise AssertionError(f"waited for {text!r} in vain:\n{self.said()}") from None

    def interrupt(self) -> None:
        """Press Ctrl-C; it must end in peace."""
        self.process.send_signal(signal.SIGINT)
        try:
            assert self.process.wait(10) == 0, self.said()
        finally:
            self.process.kill()
            self.process.wait()
        assert "Traceback" not in self.said()


@pytest.fixture
def phones(server: str, tmp_path: Path) -> Iterator[Phones]:
    phones = Phones(server, tmp_path)
    yield phones
    for each in phones.all:
        if each.process.poll() is None:
            each.interrupt()  # takes its registration back: the next test finds none


class Phones:
    """Starts phones of the module's server."""

    def __init__(self, server: str, directory: Path) -> None:
        self.all: list[PhoneProcess] = []
        self._server = server
        self._directory = directory

    def start(self, *arguments: str, registered: bool = True) -> PhoneProcess:
        path = self._directory / f"phone-{len(self.all)}"
        phone = PhoneProcess(path, *arguments, "--server", self._server)
        self.all.append(phone)
        if registered:
            phone.wait_for("is registered")
        return phone


def run(*arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SIPXD, "phone", *arguments, "--password", "-"],
        input=f"{password}\n", capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def sentence_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that failed as it should."""
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("sipxd: ")
    return line


def test_one_phone_calls_the_other(phones: Phones) -> None:
    callee = phones.start("201", "--answer-after", "0.2")
    caller = phones.start("200", "--call", "201", "--hang-up-after", "0.3")
    caller.wait_for("200 hears that 201 rings (180)")
    caller.wait_for("200 is talking to 201")
    caller.wait_for("200 hangs up on 201")
    callee.wait_for("201 was hung up")
    heard = re.findall(r"^\d\d:\d\d:\d\d\.\d{3}  201 (.+)$", callee.said(), re.MULTILINE)
    assert heard[1:] == [
        "is registered",
        "rings: 200 is calling",
        "answers",
        "is talking to 200",
        "was hung up",
    ]
    assert PASSWORD not in callee.said() + caller.said()
    caller.interrupt()
    assert caller.said().endswith("200 is no longer registered\n")


def test_a_busy_phone_is_reported_to_the_caller(phones: Phones) -> None:
    callee = phones.start("201", "--busy")
    caller = phones.start("200", "--call", "201")
    caller.wait_for("200 does not reach 201: 486")
    callee.wait_for("201 refuses the call with 486")


def test_ctrl_c_gives_up_the_call_that_rings(phones: Phones) -> None:
    callee = phones.start("201", "--no-answer")
    caller = phones.start("200", "--call", "201")
    callee.wait_for("201 rings")
    caller.interrupt()
    callee.wait_for("201 stops ringing: the caller has given up")


def test_a_wrong_password_is_one_sentence(server: str) -> None:
    done = run("200", "--server", server, password="not-this-one")
    assert "the server refuses user 200 with this password (403)" in sentence_of(done)
    assert "not-this-one" not in done.stdout + done.stderr


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        assert f"no answer from {server}" in sentence_of(run("200", "--server", server))


def test_a_taken_port_is_one_sentence(server: str) -> None:
    done = run("200", "--server", server, "--listen", server)
    sentence = sentence_of(done)
    assert f"cannot listen on udp:{server}" in sentence
    assert "choose another port with --listen" in sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a b", "--server", "127.0.0.1:5060"), "the user name 'a b' may have"),
        (("200", "--server", "host.invalid"), "there is no host host.invalid"),
        (("200", "--server", "127.0.0.1", "--call", "201;x"), "may not contain"),
        (("200", "--server", "127.0.0.1", "--call", "201@a.org"), "leave out @a.org"),
        (("200", "--server", "127.0.0.1", "--listen", "[::1]:0"), "use the same IP version"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in sentence_of(run(*arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--server", "127.0.0.1:x"),
        ("--server", ":5060"),
        ("--server", "127.0.0.1", "--busy", "--decline"),
        ("--server", "127.0.0.1", "--no-answer", "--answer-after", "2"),
        ("--server", "127.0.0.1", "--listen", "here:5060"),
        ("--server", "127.0.0.1", "--answer-after", "-1"),
    ],
)
def test_unusable_options_are_usage_errors(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, ["phone", "200", "--password", "x", *arguments])
    assert done.exit_code == 2, done.output


def test_a_phone_speaks_tcp(phones: Phones, server: str) -> None:
    answering = phones.start("201", "--transport", "tcp", "--hang-up-after", "0.3")
    answering.wait_for("201 is registered")
    calling = phones.start("200", "--transport", "tcp", "--call", "201")
    calling.wait_for("200 is talking to 201")
    calling.wait_for("200 was hung up")


def test_over_tls_a_certificate_that_nobody_vouches_for_is_refused(
    server: str, tls_port: int
) -> None:
    done = subprocess.run(
        [SIPXD, "phone", "200", "--server", f"127.0.0.1:{tls_port}", "--transport", "tls",
         "--password", PASSWORD],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
    assert "no connection to 127.0.0.1" in done.stderr
