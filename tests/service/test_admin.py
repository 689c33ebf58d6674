"""The admin socket: requests, answers, streams, and what a careless or hostile peer meets."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from sipxd.errors import ConfigError, NotFound
from sipxd.service.admin import MAX_BACKLOG, MAX_LINE, AdminSocket, Emit


@attrs.define
class Daemon:
    """An admin socket with commands to try it by."""

    path: Path
    finished: list[str] = attrs.field(factory=list)
    stream_ended: bool = False
    emit: Emit | None = None
    gate: Deferred[None] = attrs.field(factory=Deferred)
    socket: AdminSocket = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.socket = AdminSocket(
            self.path,
            reactor,
            {
                "echo": self.echo,
                "missing": self.missing,
                "broken": self.broken,
                "slow": self.slow,
                "calls.watch": self.watch,
            },
        )

    async def echo(self, arguments: dict[str, Any], emit: Emit) -> Any:
        return arguments

    async def missing(self, arguments: dict[str, Any], emit: Emit) -> Any:
        raise NotFound("there is no user 999", field="name")

    async def broken(self, arguments: dict[str, Any], emit: Emit) -> Any:
        raise ZeroDivisionError("a secret detail")

    async def slow(self, arguments: dict[str, Any], emit: Emit) -> Any:
        await self.gate
        self.finished.append("slow")
        return "slow"

    async def watch(self, arguments: dict[str, Any], emit: Emit) -> Any:
        self.emit = emit
        for number in range(arguments.get("events", 0)):
            emit({"number": number})
        try:
            await Deferred()
        finally:
            self.stream_ended = True


class Client:
    """A peer that speaks bytes; to be used from a thread."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(5)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def send(self, *lines: bytes) -> None:
        self.socket.sendall(b"".join(line + b"\n" for line in lines))

    def line(self) -> Any:
        return json.loads(self.file.readline())

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "admin.sock")
    daemon.socket.start()
    yield daemon
    pytest_twisted.blockon(Deferred.fromCoroutine(daemon.socket.stop()))


def ask(daemon: Daemon, *lines: bytes, answers: int = 1) -> Deferred[list[Any]]:
    def conversation() -> list[Any]:
        client = Client(daemon.path)
        client.send(*lines)
        received = [client.line() for _ in range(answers)]
        client.close()
        return received

    return deferToThread(conversation)


async def until(condition: Any) -> None:
    """Wait until the condition holds, as long as the test itself may last."""
    for _ in range(500):
        if condition():
            return
        pause: Deferred[None] = Deferred()
        reactor.callLater(0.01, pause.callback, None)
        await pause
    raise AssertionError("it never came")


@pytest_twisted.ensureDeferred
async def test_answers_with_the_result(daemon: Daemon) -> None:
    answer = await ask(daemon, b'{"command": "echo", "arguments": {"name": "200"}}')
    assert answer == [{"result": {"name": "200"}}]


@pytest_twisted.ensureDeferred
async def test_an_expected_error_keeps_its_kind_sentence_and_field(daemon: Daemon) -> None:
    (answer,) = await ask(daemon, b'{"command": "missing"}')
    assert answer == {
        "error": {"kind": "not-found", "detail": "there is no user 999", "field": "name"}
    }


@pytest_twisted.ensureDeferred
async def test_a_defect_is_answered_without_its_details(daemon: Daemon) -> None:
    (answer,) = await ask(daemon, b'{"command": "broken"}')
    assert answer["error"]["kind"] == "internal"
    assert "secret" not in answer["error"]["detail"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense", "not a request"),
        (b"[]", "not a request"),
        (b'{"command": 1}', "not a request"),
        (b'{"command": "echo", "arguments": []}', "not a request"),
        (b'{"command": "eco"}', "unknown command 'eco'; known: "),
        (b"\xff\xfe", "not a request"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_malformed_request_is_refused_and_the_next_one_answered(
    daemon: Daemon, line: bytes, says: str
) -> None:
    refused, answered = await ask(daemon, line, b'{"command": "echo"}', answers=2)
    assert refused["error"]["kind"] == "bad-input"
    assert says in refused["error"]["detail"]
    assert answered == {"result": {}}


@pytest_twisted.ensureDeferred
async def test_requests_sent_together_are_answered_in_order(daemon: Daemon) -> None:
    lines = [json.dumps({"command": "echo", "arguments": {"n": n}}).encode() for n in range(1500)]
    answers = await ask(daemon, *lines, answers=1500)
    assert [answer["result"]["n"] for answer in answers] == list(range(1500))


@pytest_twisted.ensureDeferred
async def test_a_line_without_end_is_refused(daemon: Daemon) -> None:
    def conversation() -> tuple[Any, bytes]:
        client = Client(daemon.path)
        client.socket.sendall(b"x" * (MAX_LINE + 1))
        try:
            return client.line(), client.file.read()
        finally:
            client.close()

    refused, rest = await deferToThread(conversation)
    assert refused["error"]["detail"] == f"a request is at most {MAX_LINE} bytes long"
    assert rest == b""


@pytest_twisted.ensureDeferred
async def test_a_command_is_carried_through_when_its_reader_leaves(daemon: Daemon) -> None:
    client = Client(daemon.path)
    client.send(b'{"command": "slow"}')
    await until(lambda: any(each._busy for each in daemon.socket._factory.connections))
    client.close()
    await until(lambda: not daemon.socket._factory.connections)
    daemon.gate.callback(None)
    assert daemon.finished == ["slow"]


@pytest_twisted.ensureDeferred
async def test_a_stream_ends_with_its_reader(daemon: Daemon) -> None:
    client = Client(daemon.path)
    client.send(b'{"command": "calls.watch", "arguments": {"events": 2}}')
    events = await deferToThread(lambda: [client.line(), client.line()])
    assert events == [{"event": {"number": 0}}, {"event": {"number": 1}}]
    client.close()
    await until(lambda: daemon.stream_ended)


@pytest_twisted.ensureDeferred
async def test_a_reader_who_does_not_read_is_disconnected(daemon: Daemon) -> None:
    client = Client(daemon.path)
    client.send(b'{"command": "calls.watch"}')
    await until(lambda: daemon.emit)
    assert daemon.emit
    for _ in range(MAX_BACKLOG + 2):
        daemon.emit({"padding": "x" * 65_536})
    await until(lambda: daemon.stream_ended)
    client.close()


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_misses_nothing(daemon: Daemon) -> None:
    client = Client(daemon.path)
    client.send(b'{"command": "calls.watch"}')
    await until(lambda: daemon.emit)
    assert daemon.emit
    for number in range(MAX_BACKLOG):
        daemon.emit({"number": number, "padding": "x" * 1000})

    def read() -> list[int]:
        return [client.line()["event"]["number"] for _ in range(MAX_BACKLOG)]

    assert await deferToThread(read) == list(range(MAX_BACKLOG))
    client.close()


def test_only_the_owner_may_open_it(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o600


def test_a_second_daemon_is_refused_and_the_first_goes_on(daemon: Daemon) -> None:
    with pytest.raises(ConfigError, match="another sipxd is running"):
        Daemon(daemon.path).socket.start()
    assert daemon.path.is_socket()


@pytest_twisted.ensureDeferred
async def test_a_socket_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    daemon = Daemon(path)
    daemon.socket.start()
    assert await ask(daemon, b'{"command": "echo"}') == [{"result": {}}]
    await daemon.socket.stop()
    assert not path.exists()


def test_a_file_of_another_kind_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="cannot make"):
        Daemon(path).socket.start()
    assert path.read_text() == "mine"


def test_a_state_dir_too_long_for_a_socket_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="107 bytes"):
        Daemon(tmp_path / ("x" * 100) / "admin.sock").socket.start()
