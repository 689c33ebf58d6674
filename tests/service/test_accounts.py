"""Accounts: the rules, the table in memory, and log-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
import sqlalchemy as sa
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import Clock, deferLater

from sipxd.errors import (
    BadInput,
    ConfigError,
    Conflict,
    Forbidden,
    NotFound,
    Overloaded,
    SipxdError,
    TooManyGuesses,
    Unauthorized,
)
from sipxd.service import logins
from sipxd.service.account_changes import (
    SUPERADMIN,
    change_user,
    create_user,
    delete_user,
    ensure_superadmin,
    find_user,
    list_users,
)
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.service.vault import Vault, pin_matches
from sipxd.store import users
from sipxd.store.engine import create_engine, migrate
from sipxd.store.store import Store

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'a.sqlite'}"
    migrate(url)
    return url


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "key")


@pytest.fixture
def connection(url: str) -> Iterator[sa.Connection]:
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


# -- the rules, without a daemon ------------------------------------------------------------------


def test_a_new_user_is_stored_with_his_secrets(connection: sa.Connection, vault: Vault) -> None:
    new = NewUser(
        name="200",
        first_name="Ann",
        email="ann@example.org",
        aliases=("ann",),
        groups=("sales",),
        permissions=frozenset({"sip-address"}),
        pin="1234",
        sip_password="secret",
    )
    user, generated = create_user(connection, vault, new)
    assert (generated.pin, generated.sip_password) == (None, None)
    assert find_user(connection, "ann") == user
    assert list_users(connection) == [user]
    stored = users.by_name(connection, "200")
    assert stored is not None
    assert stored.user == user
    assert pin_matches(stored.pin_hash, "1234")
    assert vault.unseal(stored.sip_password) == "secret"


def test_secrets_left_out_are_made_and_told_once(connection: sa.Connection, vault: Vault) -> None:
    _, generated = create_user(connection, vault, NewUser(name="200"))
    stored = users.by_name(connection, "200")
    assert stored is not None
    assert generated.pin is not None and pin_matches(stored.pin_hash, generated.pin)
    assert vault.unseal(stored.sip_password) == generated.sip_password
    assert generated.pin not in repr(generated)


def test_a_taken_name_is_a_conflict(connection: sa.Connection, vault: Vault) -> None:
    create_user(connection, vault, NewUser(name="200", aliases=("ann",)))
    with pytest.raises(Conflict, match="ann is already"):
        create_user(connection, vault, NewUser(name="201", aliases=("ann",)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a b"),
        ("name", "200@example.org"),
        ("name", "200\r\nX: y"),
        ("name", "2;00"),
        ("name", "å"),
        ("name", "x" * 65),
        ("aliases", ("a b",)),
        ("aliases", ("a", "a")),
        ("aliases", ("200",)),
        ("aliases", tuple(str(n) for n in range(51))),
        ("first_name", "x" * 129),
        ("last_name", "a\nb"),
        ("email", "ann"),
        ("email", "ann@exa mple.org"),
        ("email", f"a@{'x' * 300}"),
        ("groups", ("a,b",)),
        ("groups", tuple(str(n) for n in range(51))),
        ("permissions", ("nøt",)),
        ("pin", "123"),
        ("pin", "12\x0034"),
        ("pin", "x" * 129),
        ("pin", ""),
        ("sip_password", "abc"),
        ("sip_password", "abc\r\ndef"),
        ("flow", "magic"),
    ],
)
def test_what_breaks_a_rule_is_named(
    connection: sa.Connection, vault: Vault, field: str, value: Any
) -> None:
    with pytest.raises(BadInput) as caught:
        NewUser(**({"name": "200"} | {field: value}))
    assert caught.value.field == field
    assert len(caught.value.detail) < 250
    create_user(connection, vault, NewUser(name="200"))
    with pytest.raises(BadInput) as caught:
        change_user(connection, vault, "200", UserChange(**{field: value}))
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["200", "a", "A-Z_.!~*'+9", "x" * 64])
def test_a_name_is_a_sip_user_part(name: str) -> None:
    assert NewUser(name=name).name == name


def test_a_change_leaves_the_rest(connection: sa.Connection, vault: Vault) -> None:
    user, generated = create_user(connection, vault, NewUser(name="200", aliases=("ann",)))
    changed = change_user(connection, vault, "ann", UserChange(first_name="Ann", enabled=False))
    assert changed == attrs.evolve(user, first_name="Ann", enabled=False)
    stored = users.by_name(connection, "200")
    assert stored is not None
    assert stored.user == changed
    assert generated.pin is not None and pin_matches(stored.pin_hash, generated.pin)
    assert vault.unseal(stored.sip_password) == generated.sip_password

    change_user(
        connection,
        vault,
        "200",
        UserChange(name="300", aliases=(), pin="9999", sip_password="new!"),
    )
    stored = users.by_name(connection, "300")
    assert stored is not None and users.by_name(connection, "ann") is None
    assert pin_matches(stored.pin_hash, "9999")
    assert vault.unseal(stored.sip_password) == "new!"


def test_nobody_can_be_neither_changed_nor_deleted(connection: sa.Connection, vault: Vault) -> None:
    for name in ("200", "x" * 10_000):
        with pytest.raises(NotFound):
            change_user(connection, vault, name, UserChange(first_name="x"))
        with pytest.raises(NotFound):
            delete_user(connection, name)
        with pytest.raises(NotFound):
            find_user(connection, name)


def test_superadmin_is_made_once_and_stays(connection: sa.Connection, vault: Vault) -> None:
    pin = ensure_superadmin(connection, vault, None)
    assert pin is not None
    assert ensure_superadmin(connection, vault, "another") is None
    stored = users.by_name(connection, SUPERADMIN)
    assert stored is not None and stored.user.admin and pin_matches(stored.pin_hash, pin)
    for change in (UserChange(name="root"), UserChange(admin=False), UserChange(enabled=False)):
        with pytest.raises(Forbidden):
            change_user(connection, vault, SUPERADMIN, change)
    with pytest.raises(Forbidden):
        delete_user(connection, SUPERADMIN)
    assert change_user(connection, vault, SUPERADMIN, UserChange(email="a@b", admin=True)).admin


def test_superadmin_takes_the_password_given(connection: sa.Connection, vault: Vault) -> None:
    assert ensure_superadmin(connection, vault, "chosen") is None
    stored = users.by_name(connection, SUPERADMIN)
    assert stored is not None and pin_matches(stored.pin_hash, "chosen")


# -- the daemon's table ---------------------------------------------------------------------------


class Mixed:
    """The real reactor's threads with a clock of our own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.seconds = self.clock.seconds
        self.callLater = self.clock.callLater

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


@pytest.fixture
def time() -> Mixed:
    return Mixed()


@pytest.fixture
def load(url: str, vault: Vault, time: Mixed) -> Iterator[Callable[[], Deferred[Accounts]]]:
    store = Store.open(url, reactor, 1000)  # type: ignore[arg-type]
    loaded: list[Accounts] = []

    async def load_one() -> Accounts:
        accounts = await Accounts.load(store, vault, time)
        loaded.append(accounts)
        return accounts

    yield lambda: Deferred.fromCoroutine(load_one())
    for accounts in loaded:
        accounts.close()
    pytest_twisted.blockon(Deferred.fromCoroutine(store.close()))


Load = Callable[[], Deferred[Accounts]]


@pytest_twisted.ensureDeferred
async def test_changes_are_seen_at_once_and_after_a_restart(load: Load) -> None:
    accounts = await load()
    ann, generated = await accounts.add(NewUser(name="200", aliases=("ann",)))
    bob, _ = await accounts.add(NewUser(name="201", sip_password="bobs"))
    assert accounts.find("ann") == accounts.find("200") == ann
    assert accounts.sip_password(ann) == generated.sip_password
    assert accounts.all() == [ann, bob]

    changed = await accounts.change("ann", UserChange(name="300", aliases=("x",)))
    assert accounts.find("200") is accounts.find("ann") is None
    assert accounts.find("x") == changed
    taken, _ = await accounts.add(NewUser(name="ann"))

    await accounts.delete("201")
    assert accounts.find("201") is None
    with pytest.raises(NotFound):
        accounts.sip_password(bob)

    again = await load()
    assert again.all() == accounts.all() == [changed, taken]
    assert again.sip_password(changed) == generated.sip_password


@pytest_twisted.ensureDeferred
async def test_a_refused_change_leaves_the_table(load: Load) -> None:
    accounts = await load()
    ann, _ = await accounts.add(NewUser(name="200"))
    bob, _ = await accounts.add(NewUser(name="201"))
    with pytest.raises(Conflict):
        await accounts.change("201", UserChange(name="200"))
    with pytest.raises(Conflict):
        await accounts.add(NewUser(name="202", aliases=("200",)))
    with pytest.raises(BadInput):
        await accounts.change("201", UserChange(pin="1"))
    with pytest.raises(NotFound):
        await accounts.delete("999")
    assert accounts.all() == [ann, bob]


@pytest_twisted.ensureDeferred
async def test_the_key_of_another_database_is_named(url: str, load: Load, tmp_path: Path) -> None:
    await (await load()).add(NewUser(name="200"))
    store = Store.open(url, reactor, 1000)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="key file"):
        await Accounts.load(store, Vault.create(tmp_path / "other"), reactor)
    await store.close()


# -- log-in ---------------------------------------------------------------------------------------


async def refusal(
    accounts: Accounts, name: str, pin: str, time: Mixed, source: str = HERE
) -> tuple[type[SipxdError], float, str]:
    """Why a log-in is refused, after how many seconds, and in which words."""
    begin = time.seconds()
    attempt = Deferred.fromCoroutine(accounts.authenticate(name, pin, source))
    wait: Deferred[None] = Deferred()

    def look() -> None:
        if attempt.called:
            wait.callback(None)
            return
        if time.clock.getDelayedCalls():
            time.clock.advance(0.5)
        reactor.callLater(0.001, look)  # type: ignore[attr-defined]

    look()
    await wait
    with pytest.raises(SipxdError) as caught:
        await attempt
    return type(caught.value), time.seconds() - begin, caught.value.detail


@pytest_twisted.ensureDeferred
async def test_name_or_alias_and_pin_let_in(load: Load) -> None:
    accounts = await load()
    ann, _ = await accounts.add(NewUser(name="200", aliases=("ann",), pin="1234"))
    assert await accounts.authenticate("200", "1234", HERE) == ann
    assert await accounts.authenticate("ann", "1234", THERE) == ann


@pytest_twisted.ensureDeferred
async def test_wrong_unknown_and_disabled_look_the_same(
    load: Load, time: Mixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = await load()
    await accounts.add(NewUser(name="200", pin="1234"))
    await accounts.add(NewUser(name="201", pin="1234", enabled=False))
    checked: list[str] = []
    monkeypatch.setattr(
        logins, "pin_matches", lambda known, pin: checked.append(pin) or pin_matches(known, pin)
    )
    answers = {
        await refusal(accounts, name, pin, time)
        for name, pin in (("200", "4321"), ("201", "1234"), ("nobody", "1234"), ("x" * 9999, "1"))
    }
    assert answers == {(Unauthorized, 0.0, logins.WRONG)}
    assert len(checked) == 4  # each costs one check


@pytest.mark.parametrize("name", ["200", "nobody"])
@pytest_twisted.ensureDeferred
async def test_guesses_are_slowed_then_refused_then_allowed_again(
    load: Load, time: Mixed, name: str
) -> None:
    accounts = await load()
    ann, _ = await accounts.add(NewUser(name="200", pin="1234"))
    answers = [await refusal(accounts, name, "wrong", time) for _ in range(10)]
    assert [kind for kind, _, _ in answers] == [Unauthorized] * 10
    assert [delay for _, delay, _ in answers] == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]
    kind, delay, _ = await refusal(accounts, name, "1234", time)
    assert (kind, delay) == (TooManyGuesses, 0)
    assert await accounts.authenticate("200", "1234", THERE) == ann
    time.clock.advance(60)
    assert await accounts.authenticate("200", "1234", HERE) == ann


@pytest_twisted.ensureDeferred
async def test_an_alias_gives_no_further_guesses(load: Load, time: Mixed) -> None:
    accounts = await load()
    await accounts.add(NewUser(name="200", aliases=("ann",), pin="1234"))
    for name in ("200", "ann") * 5:
        await refusal(accounts, name, "wrong", time)
    assert (await refusal(accounts, "ann", "wrong", time))[0] is TooManyGuesses


@pytest_twisted.ensureDeferred
async def test_guesses_made_side_by_side_are_counted_one_by_one(load: Load, time: Mixed) -> None:
    accounts = await load()
    await accounts.add(NewUser(name="200", pin="1234"))
    attempts = [
        Deferred.fromCoroutine(accounts.authenticate("200", f"wrong{n}", HERE)) for n in range(15)
    ]
    late = attempts[-1]
    with pytest.raises(TooManyGuesses):
        await late  # the last of the queue
    await deferLater(reactor, 0)  # type: ignore[arg-type]  # out of the stack of those before it
    time.clock.advance(10)
    results = await DeferredList(attempts[:-1], consumeErrors=True)
    kinds = [failure.type for _, failure in results]
    assert kinds == [Unauthorized] * 10 + [TooManyGuesses] * 4


@pytest_twisted.ensureDeferred
async def test_a_right_pin_is_remembered_for_a_minute(
    load: Load, time: Mixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = await load()
    await accounts.add(NewUser(name="200", pin="1234"))
    checks = 0

    def counted(known: str, pin: str) -> bool:
        nonlocal checks
        checks += 1
        return pin_matches(known, pin)

    monkeypatch.setattr(logins, "pin_matches", counted)
    side_by_side = [
        Deferred.fromCoroutine(accounts.authenticate("200", "1234", HERE)) for _ in range(5)
    ]
    await DeferredList(side_by_side, fireOnOneErrback=True)
    assert checks == 1
    for _ in range(3):  # use keeps it
        time.clock.advance(50)
        await accounts.authenticate("200", "1234", HERE)
    assert checks == 1
    time.clock.advance(61)
    await accounts.authenticate("200", "1234", HERE)
    assert checks == 2
    for _ in range(20):  # but not for ever
        time.clock.advance(50)
        await accounts.authenticate("200", "1234", HERE)
    assert checks == 3


@pytest_twisted.ensureDeferred
async def test_what_is_remembered_cannot_be_guessed_at(load: Load, time: Mixed) -> None:
    accounts = await load()
    await accounts.add(NewUser(name="200", pin="1234"))
    await accounts.authenticate("200", "1234", THERE)
    for _ in range(10):
        await refusal(accounts, "200", "wrong", time)
    assert (await refusal(accounts, "200", "1234", time))[0] is TooManyGuesses


@pytest_twisted.ensureDeferred
async def test_a_changed_pin_and_a_disabled_user_count_at_once(load: Load, time: Mixed) -> None:
    accounts = await load()
    await accounts.add(NewUser(name="200", pin="1234"))
    await accounts.authenticate("200", "1234", HERE)
    await accounts.change("200", UserChange(pin="5678"))
    assert (await refusal(accounts, "200", "1234", time))[0] is Unauthorized
    await accounts.authenticate("200", "5678", HERE)
    await accounts.change("200", UserChange(enabled=False))
    assert (await refusal(accounts, "200", "5678", time))[0] is Unauthorized
    await accounts.change("200", UserChange(enabled=True))
    await accounts.authenticate("200", "5678", HERE)
    await accounts.delete("200")
    assert (await refusal(accounts, "200", "5678", time))[0] is Unauthorized


@pytest_twisted.ensureDeferred
async def test_too_many_waiting_log_ins_are_refused(
    load: Load, time: Mixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "MAX_WAITING", 1)
    accounts = await load()
    ann, _ = await accounts.add(NewUser(name="200", pin="1234"))
    first = Deferred.fromCoroutine(accounts.authenticate("200", "1234", HERE))
    assert (await refusal(accounts, "200", "1234", time, THERE))[0] is Overloaded
    assert await first == ann


@pytest_twisted.ensureDeferred
async def test_the_memory_of_right_pins_is_bounded(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "MAX_REMEMBERED", 2)
    accounts = await load()
    for name in ("200", "201", "202"):
        await accounts.add(NewUser(name=name, pin="1234"))
        await accounts.authenticate(name, "1234", HERE)
    assert len(accounts._logins._remembered) == 2
