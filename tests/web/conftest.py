"""A live HTTPS door on the loopback address, before services that keep everything in memory."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from sipxd.call.numbers import clean_number
from sipxd.call.record import CallKind, CallRecord, CallState, Cause, Side
from sipxd.call.rehearsal import Finding, Rehearsal, Step
from sipxd.config import Config, Web
from sipxd.directory.call_group import CallGroup
from sipxd.directory.forwarding import Forwarding
from sipxd.directory.holidays import Holidays
from sipxd.directory.schedule import BadSchedule, Period, Schedule, check_schedule
from sipxd.directory.user import User
from sipxd.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    Overloaded,
    PreconditionFailed,
    TooManyGuesses,
    Unauthorized,
    Unprocessable,
)
from sipxd.service.calls import parse_flow
from sipxd.service.forwarding_rules import check_forwarding
from sipxd.store.tokens import Token
from sipxd.web.services import Services
from sipxd.web.site import build_site
from sipxd.web.tls import load_context, make_self_signed


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


class MemoryForwardings:
    """Forwardings and schedules; nobody may forward to 0900, and only 200 has voicemail."""

    default_timer = 20

    def __init__(self) -> None:
        self.stored: dict[int, Forwarding] = {}
        self.schedules = {7: Schedule(7, "Office", (Period(-1, 480, 1020),), group="sales")}
        self._holidays = Holidays()

    def of(self, user: User) -> Forwarding:
        return self.stored.get(user.id, Forwarding())

    def has_voicemail(self, user: User) -> bool:
        return user.name == "200"

    async def change(
        self,
        user: User,
        make: Callable[[Forwarding], Forwarding],
        *,
        if_version: int | None = None,
    ) -> Forwarding:
        await task.deferLater(reactor, 0.001)
        old = self.of(user)
        if if_version not in (None, old.version):
            raise PreconditionFailed("it has been changed")
        new = attrs.evolve(make(old), version=old.version + 1)
        check_forwarding(new, old, {each.id for each in self.schedules_of(user)}, self._holidays)
        for index, ring in enumerate(new.rings):
            if ring.number.startswith("0900"):
                raise Forbidden("this may not be dialled", field=f"rings[{index}].number")
        self.stored[user.id] = new
        return new

    def schedules_of(self, user: User) -> list[Schedule]:
        own = [each for each in self.schedules.values() if each.user_id == user.id]
        groups = [each for each in self.schedules.values() if each.group in user.groups]
        return sorted(own, key=lambda each: each.name) + groups

    async def add_schedule(
        self, user: User, name: str, description: str, periods: Sequence[Period]
    ) -> Schedule:
        self._check(user, 0, name, description, periods)
        schedule = Schedule(
            max(self.schedules) + 1, name, tuple(periods), description, user_id=user.id
        )
        self.schedules[schedule.id] = schedule
        return schedule

    async def change_schedule(
        self, user: User, schedule_id: int, name: str, description: str, periods: Sequence[Period]
    ) -> Schedule:
        self._own(user, schedule_id)
        self._check(user, schedule_id, name, description, periods)
        schedule = Schedule(schedule_id, name, tuple(periods), description, user_id=user.id)
        self.schedules[schedule_id] = schedule
        return schedule

    async def delete_schedule(self, user: User, schedule_id: int) -> None:
        self._own(user, schedule_id)
        del self.schedules[schedule_id]

    def _own(self, user: User, schedule_id: int) -> None:
        schedule = self.schedules.get(schedule_id)
        if schedule is None or schedule.user_id != user.id:
            raise NotFound("no such schedule")

    def _check(
        self, user: User, own: int, name: str, description: str, periods: Sequence[Period]
    ) -> None:
        try:
            check_schedule(name, description, periods)
        except BadSchedule as error:
            raise Unprocessable(str(error), field=error.path) from None
        for other in self.schedules_of(user):
            if (other.user_id, other.name) == (user.id, name) and other.id != own:
                raise Unprocessable("the name is taken", field="name")


class MemoryCallGroups:
    """Hunt groups; their members must be users of the house."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self.groups: dict[int, CallGroup] = {}
        self._accounts = accounts

    def all(self) -> list[CallGroup]:
        return sorted(self.groups.values(), key=lambda group: group.extension)

    def get(self, group_id: int) -> CallGroup:
        if group_id not in self.groups:
            raise NotFound("no such group")
        return self.groups[group_id]

    async def add(self, new: CallGroup) -> CallGroup:
        self._check(new)
        group = attrs.evolve(new, id=len(self.groups) + 1, version=1)
        self.groups[group.id] = group
        return group

    async def replace(self, group: CallGroup, *, if_version: int | None = None) -> CallGroup:
        old = self.get(group.id)
        if if_version not in (None, old.version):
            raise PreconditionFailed("it has been changed")
        self._check(group)
        self.groups[group.id] = attrs.evolve(group, version=old.version + 1)
        return self.groups[group.id]

    async def delete(self, group_id: int, *, if_version: int | None = None) -> None:
        if if_version not in (None, self.get(group_id).version):
            raise PreconditionFailed("it has been changed")
        del self.groups[group_id]

    def _check(self, group: CallGroup) -> None:
        for index, member in enumerate(group.members):
            if self._accounts.find(member.user) is None:
                raise BadInput("there is no such user", field=f"members[{index}].user")
        for other in self.groups.values():
            if other.id != group.id and set(other.names) & set(group.names):
                raise Conflict("the name is taken", field="name")


class MemoryRehearsals:
    """Every rehearsal goes the same way."""

    async def rehearse(self, user: User, caller: str | None, at: float | None) -> Rehearsal:
        steps = (
            Step(0, 20, user.name, user.name, kind="phone"),
            Step(20, None, user.name, "*97", (user.name,), 1, "voicemail", "The box."),
        )
        finding = Finding("no-phone", "", "He has no phone.")
        return Rehearsal(
            1_700_000_000.0 if at is None else at, caller or "", steps, "Voicemail.", (finding,)
        )


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
        self.forwardings = MemoryForwardings()
        self.groups = MemoryCallGroups(self.accounts)
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
    web = Web(cors_origins=("https://crm.example.org",))
    config = Config(domain="example.org", state_dir=tmp_path, web=web)
    clock = task.Clock()
    clock.advance(1_700_000_000)
    accounts, calls, forwardings = MemoryAccounts(), MemoryCalls(), MemoryForwardings()
    groups = MemoryCallGroups(accounts)
    holder: list[Door] = []
    services = Services(
        config,
        accounts,
        MemoryTokens(accounts),
        calls,
        forwardings,
        groups,
        MemoryRehearsals(),
        ready=lambda: holder[0].ready,
    )
    site = build_site(services, reactor=clock)
    port = reactor.listenSSL(0, site, load_context(*certificate), interface="127.0.0.1")
    door = Door(site, port, str(certificate[0]), clock)
    door.accounts, door.calls = accounts, calls
    door.forwardings, door.groups = forwardings, groups
    holder.append(door)
    yield door
    await port.stopListening()
    for channel in list(site.waiting):
        channel.forceAbortClient()
    clock.advance(60)
    await task.deferLater(reactor, 0.02)
