"""The daemon under test: set up by its own commands, run as a process, asked over its own doors."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

SIPXD = Path(sys.executable).with_name("sipxd")
TWISTD = Path(sys.executable).with_name("twistd")
ADMIN_PASSWORD = "wire-admin-Secret-77"

GAUGES = (
    "sipxd_calls_live",
    "sipxd_legs_live",
    'sipxd_sip_transactions{side="client"}',
    'sipxd_sip_transactions{side="server"}',
    "sipxd_timers",
    "sipxd_store_queue_length",
)
"""What must be back at zero when all calls are over."""

_given: list[int] = []
"""The port behind the one that was given last."""


def _own_ports() -> range:
    """Ports below those that the system hands out, in a part that no other test process looks at.

    Looking whether a port is free opens it for a moment: were the parts not disjoint, one process
    would now and then look while a phone of another opens the very same port.
    """
    first, last = 10_000, 32_000
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    which = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = (last - first) // processes
    return range(first + which * width, first + (which + 1) * width)


def free_port(width: int = 1) -> int:
    """A port such that it and the following ones, `width` in all, are free for UDP and TCP.

    They lie below the ports that the system hands out by itself, and go round: one that was given
    is not given again before all the others.
    """
    own = _own_ports()
    first = _given.pop() if _given else random.choice(own)
    for _ in own:
        if first + width > own.stop:
            first = own.start
        if all(_is_free(port) for port in range(first, first + width)):
            _given.append(first + width)
            return first
        first += 1
    raise AssertionError(f"there are no {width} free ports in a row in {own}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def until(
    condition: Callable[[], object], what: str, timeout: float = 10, every: float = 0.02
) -> None:
    """Ask again and again until the condition holds; fails with `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(every)


@attrs.frozen
class Answer:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def call(self) -> str:
        """The id of the call that the Location names."""
        location = self.headers["Location"]
        assert location, f"no Location in {self.status} {self.body!r}"
        assert location.startswith("/v1/calls/"), location
        return location.removeprefix("/v1/calls/")


class Client:
    """One HTTPS connection, kept open between requests; without a user it has no credentials."""

    def __init__(self, port: int, user: str, password: str, source: str = "127.0.0.1") -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=60, context=context, source_address=(source, 0)
        )
        self.headers: dict[str, str] = {}
        """Sent with every request."""
        if user:
            self.log_in(user, password)

    def log_in(self, user: str, password: str) -> None:
        """From now on ask as this user, over the same connection."""
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request. A `body` that is not bytes goes as JSON."""
        if body is not None and not isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            self._connection.request(method, path, body, {**self.headers, **headers})
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise

    def call(self, number: str, *, wait: bool = False, flow: str = "") -> Answer:
        """Click-to-call, by the flow that is configured or by this one."""
        query = [*(("wait=bridged",) if wait else ()), *((f"flow={flow}",) if flow else ())]
        return self.ask("PUT", f"/call/{number}" + ("?" + "&".join(query) if query else ""))

    def record(self, call: str) -> dict[str, Any]:
        """The record of a call."""
        answer = self.ask("GET", f"/v1/calls/{call}")
        assert answer.status == 200, (answer.status, answer.body)
        record: dict[str, Any] = answer.json()
        return record

    def calls(self) -> list[dict[str, Any]]:
        """The records of the user's calls, newest first."""
        answer = self.ask("GET", "/v1/calls")
        assert answer.status == 200, (answer.status, answer.body)
        records: list[dict[str, Any]] = answer.json()["calls"]
        return records

    def live_calls(self) -> list[str]:
        """The ids of the user's calls that have not ended."""
        return [record["id"] for record in self.calls() if record["state"] != "ended"]

    def hang_up_all(self) -> None:
        """End what is left, so that one failed test does not spoil the next ones."""
        for call in self.live_calls():
            self.ask("DELETE", f"/v1/calls/{call}")

    def wait_state(self, call: str, state: str, timeout: float = 10) -> dict[str, Any]:
        """Wait until the call's record shows the state; returns the record."""
        record: dict[str, Any] = {}

        def there() -> bool:
            record.update(self.record(call))
            return record["state"] == state

        try:
            until(there, f"state {state}", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; the record is {record}") from None
        return record


class Daemon:
    """A sipxd with its own state directory and ports."""

    domain = "example.test"

    def __init__(
        self, directory: Path, *, transports: Iterable[str] = ("udp",), **options: Any
    ) -> None:
        """`transports`: ``udp`` and ``tcp``, on the same port.
        `options` are settings, with ``__`` between section and key: ``call__ring_timeout=3``; a
        list of dictionaries makes a section for each: ``gateway=[{...}]``."""
        self.directory = directory
        self.config = directory / "sipxd.toml"
        self.state_dir = directory / "state"
        self.web_port, self.sip_port, self.metrics_port = (free_port() for _ in range(3))
        self._secrets: dict[str, tuple[str, str]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = directory / "log"
        directory.mkdir(parents=True, exist_ok=True)
        self.command(
            "init", "--domain", self.domain, "--state-dir", str(self.state_dir),
            "--admin-password", ADMIN_PASSWORD,
        )  # fmt: skip
        settings = tomllib.loads(self.config.read_text())
        for name, value in {
            "web__listen": [f"127.0.0.1:{self.web_port}"],
            "web__metrics_listen": f"127.0.0.1:{self.metrics_port}",
            "sip__listen": [f"{each}:127.0.0.1:{self.sip_port}" for each in transports],
            # All phones, and all that plays tricks, come from one address here.
            "limits__source_requests": 100_000,
            **options,
        }.items():
            section, _, key = name.rpartition("__")
            (settings.setdefault(section, {}) if section else settings)[key] = value
        self.config.write_text(_toml(settings))

    @property
    def sip_address(self) -> str:
        """Where its phones register."""
        return f"127.0.0.1:{self.sip_port}"

    def command(self, *arguments: str, within: float = 60) -> str:
        """Run a ``sipxd`` command, for so many seconds at most; returns what it printed."""
        done = subprocess.run(
            [str(SIPXD), *arguments, "--config", str(self.config)],
            capture_output=True, text=True, timeout=within, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"sipxd {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    # Its life

    def start(self, *command: str) -> None:
        """Start it, by ``sipxd run`` or the command given, and wait until it is ready."""
        command = command or (str(SIPXD), "run", "--config", str(self.config))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            until(self._is_ready, "the daemon to be ready", 30)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the daemon ended:\n{self.log()}"
        try:
            return Client(self.web_port, "", "").ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it as an operator would; it must go in peace."""
        assert self._process is not None
        assert self._process.poll() is None, f"the daemon ended by itself:\n{self.log()[-5000:]}"
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("SIGTERM did not stop the daemon within 20 s") from None
        # twistd ends every service by the signal itself, after stopping it in order.
        orderly = -signal.SIGTERM if TWISTD.name in str(self._process.args) else 0
        assert status == orderly, f"exit status {status}:\n{self.log()[-5000:]}"
        assert "Traceback" not in self.log(), self.log()

    def wait_until_idle(self) -> None:
        """Wait until nothing of any call is left; what is lingers for 64*T1 = 32 s by the RFC, an
        INVITE that nobody answered for twice as long."""
        left: dict[str, float] = {}

        def idle() -> bool:
            left.clear()
            left.update(self.left_open())
            return not left

        try:
            # Not more often: questions use memory too, and one test measures that.
            until(idle, "the daemon to be idle", 90, every=1)
        except AssertionError:
            raise AssertionError(f"left open after 70 s: {left}") from None

    def is_running(self) -> bool:
        """It was started and has not been stopped."""
        return self._process is not None and self._process.returncode is None

    def kill(self) -> None:
        """End it whatever it is doing."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    def rss(self) -> int:
        """Resident memory in bytes."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def metrics(self) -> dict[str, float]:
        """Every sample of its metrics, by name and labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            assert answer.status == 200
            text = answer.read().decode()
        finally:
            connection.close()
        return {
            name: float(value)
            for name, value in re.findall(r"^([^#\s][^ ]*(?:\{.*\})?) (\S+)$", text, re.MULTILINE)
        }

    def left_open(self) -> dict[str, float]:
        """What of any call is still open: the gauges that are not zero."""
        samples = self.metrics()
        return {name: samples[name] for name in GAUGES if samples[name]}

    # Its users

    def add_user(self, name: str, **more: Any) -> str:
        """Create a user of the running daemon; returns the name."""
        pin, password = f"pin-{name}-Kx4", f"sip-{name}-Qz9"
        self.admin("user.add", {"name": name, "pin": pin, "sip_password": password, **more})
        self._secrets[name] = pin, password
        return name

    def know_user(self, name: str, pin: str, password: str) -> None:
        """Remember the secrets of a user created in another way."""
        self._secrets[name] = pin, password

    def sip_password(self, name: str) -> str:
        return self._secrets[name][1]

    def pin(self, name: str) -> str:
        return self._secrets[name][0]

    def secrets(self) -> list[str]:
        """Every PIN and password that must never be written down."""
        return [ADMIN_PASSWORD, *(secret for pair in self._secrets.values() for secret in pair)]

    def client(self, name: str, source: str = "127.0.0.1") -> Client:
        """An HTTPS connection of a user."""
        password = ADMIN_PASSWORD if name == "superadmin" else self.pin(name)
        return Client(self.web_port, name, password, source)

    def admin(self, command: str, arguments: dict[str, Any]) -> Any:
        """One command over the admin socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.state_dir / "admin.sock"))
            line = json.dumps({"command": command, "arguments": arguments})
            connection.sendall(line.encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        assert "result" in answer, answer
        return answer["result"]


def _toml(settings: dict[str, Any]) -> str:
    """The settings as TOML; strings, numbers and lists are written alike in JSON and TOML."""

    def lines(values: dict[str, Any]) -> list[str]:
        return [f"{key} = {json.dumps(value)}" for key, value in values.items()]

    plain: dict[str, Any] = {}
    sections: list[str] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            sections += [f"[{name}]", *lines(value)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                sections += [f"[[{name}]]", *lines(each)]
        else:
            plain[name] = value
    return "\n".join(lines(plain) + sections) + "\n"
