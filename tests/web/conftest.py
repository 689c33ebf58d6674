"""Live HTTPS doors on the loopback address: one before calls in memory, one of a whole daemon."""

from __future__ import annotations

import shutil
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from sipxd.app import App
from sipxd.call.numbers import clean_number
from sipxd.call.record import CallKind, CallRecord, CallState, Cause, Side
from sipxd.config import Config, Web, parse
from sipxd.directory.schedule import Period, Schedule
from sipxd.directory.user import User
from sipxd.errors import (
    BadInput,
    Forbidden,
    NotFound,
    Overloaded,
    TooManyGuesses,
    Unauthorized,
)
from sipxd.service.account_changes import create_user, ensure_superadmin
from sipxd.service.account_requests import NewUser
from sipxd.service.attendants import Attendants
from sipxd.service.branches import Branches
from sipxd.service.call_controller import CallController
from sipxd.service.call_log import CallLog
from sipxd.service.calls import parse_flow
from sipxd.service.permissions import Permissions
from sipxd.service.phonebooks import Phonebooks
from sipxd.service.private_phonebooks import PrivatePhonebooks
from sipxd.service.profiles import Profiles
from sipxd.service.setting_values import SettingValues
from sipxd.service.settings import Settings
from sipxd.service.telephones import Lines, Telephones
from sipxd.service.user_groups import UserGroups
from sipxd.service.vault import Vault
from sipxd.store.engine import create_engine, migrate
from sipxd.store.schedules import add as add_schedule
from sipxd.store.tokens import Token
from sipxd.testing.office import Office
from sipxd.web.services import Services
from sipxd.web.site import build_site
from sipxd.web.tls import load_context, make_self_signed

# Helpers lie beside the tests, which are no package.
sys.path.append(str(Path(__file__).parent))

from phonekit import phones  # noqa: F401, a fixture
from webkit import Client


class MemoryAccounts:
    """Users 200, 201 (PIN: the name twice) and the administrator "superadmin"."""

    def __init__(self) -> None:
        self.users = {
            "200": User(1, "200", aliases=("ben",)),
            "201": User(2, "201", groups=("sales",)),
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


class MemoryTokens:
    """Tokens by their text; the private key of 201 is 32 times k."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._accounts = accounts
        self.tokens: dict[str, Token] = {}
        self.keys = {"k" * 32: "201", "a" * 32: "superadmin"}

    def user_of(self, token: str) -> User:
        for secret, kept in self.tokens.items():
            if secret == token:
                return next(u for u in self._accounts.users.values() if u.id == kept.user_id)
        raise Unauthorized("the token is not known")

    def user_of_key(self, key: str) -> User:
        if key not in self.keys:
            raise Unauthorized("the private key is not known")
        return self._accounts.users[self.keys[key]]

    def of(self, user: User) -> list[Token]:
        return [token for token in self.tokens.values() if token.user_id == user.id]

    async def make(self, user: User, label: str) -> tuple[str, Token]:
        if not label:
            raise BadInput("label must have 1 to 100 characters", field="label")
        secret = f"secret-{len(self.tokens)}"
        self.tokens[secret] = Token(f"{len(self.tokens):064}", user.id, label, 1_700_000_000.0)
        return secret, self.tokens[secret]

    async def revoke(self, user: User, token_id: str) -> None:
        for secret, token in self.tokens.items():
            if token.id == token_id and token.user_id == user.id:
                del self.tokens[secret]
                return
        raise NotFound("no such token", field="id")

    async def make_key(self, user: User) -> str:
        key = f"{user.name:x>32}"
        self.keys[key] = user.name
        return key

    async def revoke_key(self, user: User) -> None:
        self.keys = {key: name for key, name in self.keys.items() if name != user.name}


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


class Door(Client):
    """A site before calls and users in memory; ``clock`` drives its time-outs."""

    def __init__(self, site: Any, port: Any, pem: str, clock: task.Clock) -> None:
        super().__init__(port.getHost().port, pem)
        self.site = site
        self.clock = clock
        self.accounts = MemoryAccounts()
        self.calls = MemoryCalls()
        self.ready = True

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


@pytest.fixture(scope="session")
def office() -> Office:
    """What is behind the resources that are tried in `house`; nothing is stored here."""
    return Office()


@pytest_twisted.async_yield_fixture
async def door(certificate: tuple[Path, Path], office: Office, tmp_path: Path) -> Any:
    web = Web(cors_origins=("https://crm.example.org",))
    config = Config(domain="example.org", state_dir=tmp_path, web=web)
    clock = task.Clock()
    clock.advance(1_700_000_000)
    accounts, calls = MemoryAccounts(), MemoryCalls()
    holder: list[Door] = []
    groups = UserGroups(office.store, office.accounts, office.forwardings)
    permissions = Permissions(office.store, office.accounts)
    settings = Settings(office.store, office.accounts)
    services = Services(
        config,
        accounts,
        MemoryTokens(accounts),
        calls,
        CallLog("example.org", office.calls, office.accounts, office.store, office.time),
        CallController(office.calls, office.transfers, office.time),
        office.forwardings,
        office.call_groups,
        office.rehearsals,
        registrations=office.registrations,
        park_orbits=office.park_orbits,
        phonebooks=Phonebooks(office.store, office.accounts, everyone=True),
        private_phonebooks=PrivatePhonebooks(office.store),
        profiles=Profiles(office.store, office.accounts),
        settings=settings,
        conferences=office.conferences,
        user_groups=groups,
        branches=Branches(office.store, office.accounts),
        permissions=permissions,
        setting_values=SettingValues(
            office.accounts, office.forwardings, settings, permissions, groups
        ),
        attendants=Attendants(office.store),
        telephones=Telephones(office.store),
        lines=Lines(office.accounts, "example.org"),
        ready=lambda: holder[0].ready,
    )
    site = build_site(services, reactor=clock)
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


class House(Client):
    """The whole daemon. Users 200 "ben", 201 (in the group sales), 202, and superadmin."""

    def __init__(self, app: App, pem: str) -> None:
        port: Any = app.web_ports[0].getHost()
        super().__init__(port.port, pem)
        self.app = app
        self.office_hours = app.forwardings.schedules_of(self.user("201"))[0].id
        """The id of a schedule that the group sales has."""

    def user(self, name: str) -> User:
        user = self.app.accounts.find(name)
        assert user is not None
        return user


CONFIGURATION = """\
domain = "example.org"
state_dir = "{state_dir}"
[web]
listen = ["127.0.0.1:0"]
callcontroller_listen = ["127.0.0.1:0"]
metrics_listen = ""
[sip]
listen = ["udp:127.0.0.1:0"]
[call]
ring_timeout = 20
[voicemail]
uri = "sip:{{user}}@voicemail.example.net"
"""


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Path:
    """A state directory as the daemon finds it, to be copied."""
    folder = tmp_path_factory.mktemp("state")
    for file in certificate:
        shutil.copy(file, folder)
    config = parse(CONFIGURATION.format(state_dir=folder))
    vault = Vault.create(config.key_path)
    migrate(config.database_url)
    engine = create_engine(config.database_url)
    with engine.begin() as connection:
        ensure_superadmin(connection, vault, "superadmin" * 2)
        for name, more in (
            ("200", {"aliases": ("ben",)}),
            ("201", {"groups": ("sales",), "voicemail": False}),
            ("202", {}),
        ):
            new = NewUser(name=name, pin=name * 2, sip_password=f"secret-{name}", **more)
            create_user(connection, vault, new)
        add_schedule(connection, Schedule(0, "Office", (Period(-1, 480, 1020),), group="sales"))
    engine.dispose()
    return folder


@pytest_twisted.async_yield_fixture
async def house(state: Path, tmp_path: Path) -> Any:
    folder = tmp_path / "state"
    shutil.copytree(state, folder)
    app = App.build(parse(CONFIGURATION.format(state_dir=folder)), reactor)
    await app.start()
    yield House(app, str(folder / "certificate.pem"))
    await app.stop()
