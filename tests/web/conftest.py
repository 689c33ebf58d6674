"""A live HTTPS door on the loopback address, before services that keep everything in memory."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from sipxd.call.numbers import clean_number
from sipxd.call.record import CallKind, CallRecord, CallState, Cause, Side
from sipxd.config import Config
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound, Overloaded, TooManyGuesses, Unauthorized
from sipxd.service.calls import parse_flow
from sipxd.web.site import build_site
from sipxd.web.tls import load_context, make_self_signed


class MemoryAccounts:
    """Users 200, 201 (PIN: the name twice) and the administrator "superadmin"."""

    def __init__(self) -> None:
        self.users = {
            "200": User(1, "200", aliases=("ben",)),
            "201": User(2, "201"),
            "zoë": User(4, "zoë"),
            "superadmin": User(3, "superadmin", admin=True),
        }
        self.sources: list[str] = []

    def find(self, name_or_alias: str) -> User | None:
        for user in self.users.values():
            if name_or_alias == user.name or name_or_alias in user.aliases:
                return user
        return None

    async def authenticate(self, name: str, pin: str, source: str) -> User:
        self.sources.append(source)
        if name == "guesser":
            raise TooManyGuesses("Wait before the next attempt.", retry_after=60)
        user = self.find(name)
        if user is None or pin != user.name * 2:
            raise Unauthorized("The user name or the PIN is wrong.")
        return user


class MemoryCalls:
    """Calls that go the way their number says: 486 is busy, 408 a time-out, 0000 stays silent."""

    def __init__(self) -> None:
        self.records: dict[str, CallRecord] = {}
        self.gate: defer.Deferred[None] | None = None
        self.cancelled = 0
        self.completed = 0

    async def click_to_call(
        self, user: User, number: str, *, source: str, flow: str | None = None
    ) -> CallRecord:
        cleaned = str(clean_number(number))
        chosen = parse_flow("offer" if flow is None else flow)
        if cleaned == "110":
            raise Forbidden("Emergency numbers are not called this way.")
        if cleaned == "999999":
            raise NotFound("No route leads to this number.", field="number")
        if cleaned == "503":
            raise Overloaded("The daemon is busy.", retry_after=2)
        if cleaned == "500":
            raise RuntimeError("a secret in a defect")
        if self.gate is not None:
            await self.gate
        for record in self.records.values():
            if (record.user, record.number) == (user.name, cleaned) and record.ended is None:
                return record
        count = len(self.records)
        record = CallRecord(
            id=f"{count:024x}",
            kind=CallKind.CLICK,
            user=user.name,
            number=cleaned,
            state=CallState.CALLER,
            started=1_700_000_000.25 + count,
            flow=chosen,
        )
        self.records[record.id] = record
        self.completed += 1
        return record

    async def outcome(self, call_id: str) -> CallRecord:
        record = self.records[call_id]
        if record.number == "0000":
            try:
                await defer.Deferred()
            except defer.CancelledError:
                self.cancelled += 1
                raise
        if record.number in ("404", "408", "486", "487", "604"):
            cause = Cause("callee", Side.FAR, int(record.number), f"It says {record.number}.")
            record = attrs.evolve(
                record, state=CallState.ENDED, ended=record.started + 2, cause=cause
            )
        else:
            record = attrs.evolve(record, state=CallState.BRIDGED, bridged=record.started + 2)
        self.records[call_id] = record
        return record

    async def find(self, call_id: str) -> CallRecord:
        if call_id not in self.records:
            raise NotFound("There is no such call.")
        return self.records[call_id]

    async def hang_up(self, call_id: str, *, by: str) -> CallRecord:
        record = await self.find(call_id)
        if record.ended is None:
            cause = Cause("api", None, 200, f"Ended by {by}.")
            record = attrs.evolve(
                record, state=CallState.ENDED, ended=record.started + 3, cause=cause
            )
            self.records[call_id] = record
        return record

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]:
        newest_first = [
            record
            for record in reversed(self.records.values())
            if (user is None or record.user == user) and (before is None or record.id < before)
        ]
        return newest_first[:limit]


@attrs.frozen
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def basic(user: str | None) -> dict[str, str]:
    if user is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{user * 2}".encode()).decode()}


class Door:
    """The site under test and ways to knock at it; ``clock`` drives its time-outs."""

    def __init__(self, site: Any, port: Any, pem: str, clock: task.Clock) -> None:
        self.site = site
        self.port = port.getHost().port
        self.clock = clock
        self.accounts = MemoryAccounts()
        self.calls = MemoryCalls()
        self.ready = True
        self.pem = pem
        self.tls = ssl.create_default_context(cafile=pem)

    def request_in_thread(
        self, method: str, path: str, user: str | None, body: Any, headers: dict[str, str]
    ) -> Answer:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=10, context=self.tls
        )
        try:
            connection.request(method, path, body, {**basic(user), **headers})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def request(
        self,
        method: str,
        path: str,
        user: str | None = "200",
        body: Any = None,
        **headers: str,
    ) -> defer.Deferred[Answer]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return deferToThread(self.request_in_thread, method, path, user, body, named)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the reactor run until ``condition`` holds; at most 5 s."""
        for _ in range(500):
            if condition():
                return
            await task.deferLater(reactor, 0.01)
        raise AssertionError("waited 5 s in vain")

    def connect(self) -> ssl.SSLSocket:
        """A TLS connection; in a thread only."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1")

    def raw(self, data: bytes) -> defer.Deferred[bytes]:
        """Send these bytes and read until the server closes."""
        return deferToThread(self.raw_in_thread, data)

    def raw_in_thread(self, data: bytes) -> bytes:
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection: ssl.SSLSocket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except (ssl.SSLError, ConnectionError):
        pass
    return received


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    certificate_pem, key_pem = make_self_signed(["localhost", "127.0.0.1"])
    (folder / "certificate.pem").write_bytes(certificate_pem)
    (folder / "private_key.pem").write_bytes(key_pem)
    return folder / "certificate.pem", folder / "private_key.pem"


@pytest_twisted.async_yield_fixture
async def door(certificate: tuple[Path, Path], tmp_path: Path) -> Any:
    config = Config(domain="example.org", state_dir=tmp_path)
    clock = task.Clock()
    clock.advance(1_700_000_000)
    accounts, calls = MemoryAccounts(), MemoryCalls()
    holder: list[Door] = []
    site = build_site(config, accounts, calls, lambda: holder[0].ready, reactor=clock)
    port = reactor.listenSSL(0, site, load_context(*certificate), interface="127.0.0.1")
    door = Door(site, port, str(certificate[0]), clock)
    door.accounts, door.calls = accounts, calls
    holder.append(door)
    yield door
    await port.stopListening()
    for channel in list(site.waiting):
        channel.forceAbortClient()
    clock.advance(60)
    await task.deferLater(reactor, 0.02)
