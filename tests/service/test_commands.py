"""The commands of the admin socket, on real accounts in a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from sipxd.call.record import CallKind, CallRecord, CallState
from sipxd.call.rehearsal import Rehearsal
from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.directory.schedule import Period, Schedule
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.accounts import Accounts
from sipxd.service.commands import make_commands
from sipxd.service.gateways import GatewayStatus
from sipxd.service.import_users import Importer
from sipxd.service.phones import Phones
from sipxd.service.vault import Vault
from sipxd.store.engine import migrate
from sipxd.store.store import Store


def record(call_id: str, state: CallState = CallState.CALLER) -> CallRecord:
    return CallRecord(call_id, CallKind.CLICK, "200", "201", state, 1_700_000_000.0)


@attrs.define
class Calls:
    """Calls without telephones."""

    known: dict[str, CallRecord] = attrs.field(factory=dict)
    asked: list[tuple[str, str, str, str | None]] = attrs.field(factory=list)
    observers: list[Callable[[CallRecord], None]] = attrs.field(factory=list)

    async def click_to_call(
        self, user: User, number: str, *, source: str, flow: str | None = None
    ) -> CallRecord:
        self.asked.append((user.name, number, source, flow))
        return record("c1")

    def live(self) -> list[CallRecord]:
        return [each for each in self.known.values() if each.state is not CallState.ENDED]

    async def find(self, call_id: str) -> CallRecord:
        if call_id not in self.known:
            raise NotFound(f"there is no call {call_id}")
        return self.known[call_id]

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]:
        return list(self.known.values())[:limit]

    def subscribe(self, callback: Callable[[CallRecord], None]) -> Callable[[], None]:
        self.observers.append(callback)
        return lambda: self.observers.remove(callback)

    def change(self, changed: CallRecord) -> None:
        self.known[changed.id] = changed
        for observer in list(self.observers):
            observer(changed)


@attrs.define
class Daemon:
    """The commands, and what stands behind them."""

    accounts: Accounts
    calls: Calls
    phones: Phones
    importer: Importer
    events: list[Any] = attrs.field(factory=list)

    async def ask(self, command: str, /, **arguments: Any) -> Any:
        commands = make_commands(
            self.accounts,
            self.calls,
            self.phones,
            NoGateways(),
            Settings(),
            Rehearser(),
            self.importer,
        )
        return await commands[command](arguments, self.events.append)


class Settings:
    """Everybody has stored the same."""

    default_timer = 30

    def of(self, user: User) -> Forwarding:
        return Forwarding(rings=(Ring("4711", schedule=7),))

    def has_voicemail(self, user: User) -> bool:
        return True

    def schedules_of(self, user: User) -> list[Schedule]:
        return [Schedule(7, "Office", (Period(-1, 480, 1020),), user_id=user.id)]


class Rehearser:
    """Every rehearsal tells who was asked for."""

    async def rehearse(self, user: User, caller: str | None, at: float | None) -> Rehearsal:
        return Rehearsal(at or 0.0, caller or "", (), f"{user.name} is called.")


class NoGateways:
    """Gateways, of which there is one that is not found."""

    def all(self) -> list[GatewayStatus]:
        return [GatewayStatus("one", "sip:gw", (), "ill", "", "Nobody knows gw.")]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    url = f"sqlite:///{tmp_path}/sipxd.sqlite"
    migrate(url)
    store = Store.open(url, reactor, 100)
    vault = Vault.create(tmp_path / "secret.key")
    accounts = pytest_twisted.blockon(Deferred.fromCoroutine(Accounts.load(store, vault, reactor)))
    importer = Importer(store, accounts, tmp_path, reactor)
    yield Daemon(accounts, Calls(), Phones(store), importer)
    accounts.close()
    pytest_twisted.blockon(Deferred.fromCoroutine(store.close()))


@pytest_twisted.ensureDeferred
async def test_users_are_added_shown_changed_listed_and_deleted(daemon: Daemon) -> None:
    added = await daemon.ask("user.add", name="200", aliases=["ann"], pin="4711")
    assert added["user"]["name"] == "200"
    assert added["generated"]["pin"] is None
    assert added["generated"]["sip_password"]
    changed = await daemon.ask("user.set", name="ann", change={"email": "ann@b.test"})
    assert changed == added["user"] | {"email": "ann@b.test"}
    assert await daemon.ask("user.show", name="ann") == changed
    assert await daemon.ask("user.list") == [changed]
    await daemon.ask("user.delete", name="200")
    assert await daemon.ask("user.list") == []


@pytest_twisted.ensureDeferred
async def test_a_call_is_made_for_the_user_whom_an_alias_names(daemon: Daemon) -> None:
    await daemon.ask("user.add", name="200", aliases=["ann"], pin="4711")
    answer = await daemon.ask("call", user="ann", number="201")
    assert (answer["id"], answer["state"]) == ("c1", "ringing-caller")
    assert daemon.calls.asked == [("200", "201", "admin socket", None)]


@pytest.mark.parametrize(
    ("command", "arguments", "error", "says"),
    [
        ("user.add", {}, BadInput, "missing required field `name`"),
        ("user.add", {"name": "200", "pni": "1234"}, BadInput, "unknown argument 'pni'"),
        ("user.add", {"name": 200}, BadInput, r"\$.name"),
        ("user.add", {"name": "2 00"}, BadInput, "user name"),
        ("user.set", {"name": "200", "change": {"nmae": ""}}, BadInput, "unknown argument 'nmae'"),
        ("user.set", {"name": "200", "change": {}}, NotFound, "no user '200'"),
        ("user.show", {"name": "x" * 5000}, NotFound, "no user"),
        ("user.delete", {"name": "200"}, NotFound, "no user '200'"),
        ("call", {"user": "200", "number": "201"}, NotFound, "no user '200'"),
        ("calls", {"limit": 0}, BadInput, "limit"),
        ("calls", {"limit": 10_000}, BadInput, "limit"),
        ("calls.watch", {"call": "nothing"}, NotFound, "no call nothing"),
        ("status", {"more": True}, BadInput, "unknown argument"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_makes_no_sense_is_refused_with_a_sentence(
    daemon: Daemon, command: str, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        await daemon.ask(command, **arguments)
    assert not daemon.calls.observers


@pytest_twisted.ensureDeferred
async def test_the_rules_of_accounts_hold_here_too(daemon: Daemon) -> None:
    await daemon.ask("user.add", name="superadmin", admin=True, pin="4711")
    with pytest.raises(Forbidden):
        await daemon.ask("user.delete", name="superadmin")


@pytest_twisted.ensureDeferred
async def test_a_watcher_sees_the_calls_under_way_and_every_change(daemon: Daemon) -> None:
    daemon.calls.change(record("c1"))
    daemon.calls.change(record("c0", CallState.ENDED))
    watching = Deferred.fromCoroutine(daemon.ask("calls.watch"))
    daemon.calls.change(record("c2"))
    daemon.calls.change(record("c1", CallState.BRIDGED))
    seen = [(event["id"], event["state"]) for event in daemon.events]
    assert seen == [("c1", "ringing-caller"), ("c2", "ringing-caller"), ("c1", "bridged")]
    watching.addErrback(lambda failure: failure.trap(CancelledError) and None)
    watching.cancel()
    await watching
    assert not daemon.calls.observers


@pytest_twisted.ensureDeferred
async def test_a_watcher_of_one_call_sees_no_other(daemon: Daemon) -> None:
    daemon.calls.change(record("c1"))
    watching = Deferred.fromCoroutine(daemon.ask("calls.watch", call="c1"))
    daemon.calls.change(record("c2"))
    daemon.calls.change(record("c1", CallState.ENDED))
    assert [event["id"] for event in daemon.events] == ["c1", "c1"]
    watching.addErrback(lambda failure: failure.trap(CancelledError) and None)
    watching.cancel()
    await watching


@pytest_twisted.ensureDeferred
async def test_calls_and_status_tell_what_there_is(daemon: Daemon) -> None:
    for number in range(5):
        daemon.calls.change(record(f"c{number}"))
    assert len(await daemon.ask("calls", limit=3)) == 3
    assert (await daemon.ask("status"))["calls"] == 5


async def test_gateways_are_told_as_they_are(daemon: Daemon) -> None:
    (state,) = await daemon.ask("gateways")
    assert (state["name"], state["health"]) == ("one", "ill")


@pytest_twisted.ensureDeferred
async def test_forwarding_is_shown_with_all_that_belongs_to_it(daemon: Daemon) -> None:
    await daemon.ask("user.add", name="200", aliases=["ann"], pin="4711")
    shown = await daemon.ask("forward.show", name="ann")
    assert (shown["user"], shown["default_timer"], shown["voicemail"]) == ("200", 30, True)
    assert shown["forwarding"]["rings"][0]["number"] == "4711"
    assert shown["schedules"][0]["name"] == "Office"


@pytest_twisted.ensureDeferred
async def test_a_call_is_rehearsed_for_the_user_whom_an_alias_names(daemon: Daemon) -> None:
    await daemon.ask("user.add", name="200", aliases=["ann"], pin="4711")
    told = await daemon.ask("forward.rehearse", name="ann", caller="0171", at=7.0)
    assert (told["caller"], told["at"], told["answer"]) == ("0171", 7.0, "200 is called.")
    with pytest.raises(NotFound):
        await daemon.ask("forward.rehearse", name="nobody")
