"""Imports of users, on real accounts in a real database: all are taken in, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
import sqlalchemy as sa
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from sipxd.directory.call_group import CallGroup
from sipxd.directory.user import User
from sipxd.directory.users_csv import Problem, UserRow
from sipxd.errors import BadInput, Conflict, NotFound, StoreFailed, Unauthorized
from sipxd.service.account_changes import SUPERADMIN, list_users
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.service.import_users import (
    Imported,
    Importer,
    Prepared,
    broken_rules,
    check,
    store,
    write_rows,
)
from sipxd.service.vault import Vault, hash_pin
from sipxd.store import call_groups, imports
from sipxd.store.engine import create_engine, migrate
from sipxd.store.schema import arriving_users
from sipxd.store.store import Store
from sipxd.store.users import StoredUser


@attrs.define
class Site:
    """A daemon as far as an import needs it."""

    url: str
    vault: Vault
    store: Store
    accounts: Accounts
    importer: Importer
    told: list[int] = attrs.field(factory=list)

    def row(self, name: str, line: int = 2, pin: str | None = None, **given: Any) -> Prepared:
        """A line of the file."""
        sealed = self.vault.seal(f"sip-{name}")
        pin_hash = None if pin is None else hash_pin(pin)
        return Prepared(line, name, UserChange(**given), pin_hash, sealed)

    async def take_in(self, *rows: Prepared, update: bool = False) -> Imported:
        return await self.importer.store(rows, update, self.told.append)

    async def names(self) -> list[str]:
        """Who is there, in memory; the same are stored."""
        stored = await self.store.read("test", list_users)
        assert [user.name for user in stored] == [user.name for user in self.accounts.all()]
        assert stored == self.accounts.all()
        return [user.name for user in stored]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path}/sipxd.sqlite"
    migrate(url)
    store = Store.open(url, reactor, 100)
    vault = Vault.create(tmp_path / "secret.key")
    accounts = pytest_twisted.blockon(Deferred.fromCoroutine(Accounts.load(store, vault, reactor)))
    yield Site(url, vault, store, accounts, Importer(store, accounts, tmp_path, reactor))
    accounts.close()
    pytest_twisted.blockon(Deferred.fromCoroutine(store.close()))


@pytest_twisted.ensureDeferred
async def test_users_are_there_at_once_with_all_that_was_said_of_them(site: Site) -> None:
    done = await site.take_in(
        site.row("200", pin="47110815", first_name="Ann", aliases=("ann",), groups=("sales",)),
        site.row("201", admin=True, enabled=False, voicemail=False),
        site.row("202", permissions=frozenset({"InternationalDialing"})),
    )
    assert done == Imported(added=3)
    assert await site.names() == ["200", "201", "202"]
    ann = await site.accounts.authenticate("ann", "47110815", "192.0.2.1")
    assert (ann.name, ann.first_name, ann.groups) == ("200", "Ann", ("sales",))
    assert site.accounts.sip_password(ann) == "sip-200"
    second, third = site.accounts.find("201"), site.accounts.find("202")
    assert second is not None and third is not None
    assert (second.admin, second.enabled, second.voicemail) == (True, False, False)
    assert "InternationalDialing" in third.permissions


@pytest_twisted.ensureDeferred
async def test_who_was_given_no_pin_cannot_log_in(site: Site) -> None:
    await site.take_in(site.row("200"))
    for pin in ("", "200", "sip-200"):
        with pytest.raises(Unauthorized):
            await site.accounts.authenticate("200", pin, "192.0.2.1")
    await site.accounts.change("200", UserChange(pin="47110815"))
    await site.accounts.authenticate("200", "47110815", "192.0.2.1")


@pytest_twisted.ensureDeferred
async def test_many_come_in_parts_and_how_many_is_told(site: Site) -> None:
    rows = [site.row(str(number)) for number in range(1000, 1250)]
    assert await site.take_in(*rows) == Imported(added=250)
    assert site.told == [50, 100, 150, 200, 250]
    assert len(await site.names()) == 250


@pytest_twisted.ensureDeferred
async def test_others_have_their_turn_between_the_parts(site: Site) -> None:
    await site.take_in(site.row("900"))
    order: list[str] = []
    others: list[Deferred[None]] = []

    async def change() -> None:
        await site.accounts.change("900", UserChange(email="a@x.test"))
        order.append("other")

    def tell(done: int) -> None:
        order.append(str(done))
        if done == 50:
            others.append(Deferred.fromCoroutine(change()))

    await site.importer.store([site.row(str(n)) for n in range(1000, 1150)], False, tell)
    assert order == ["50", "other", "100", "150"]
    assert len(await site.names()) == 151


@pytest_twisted.ensureDeferred
async def test_a_name_that_somebody_takes_in_between_ends_it_and_nothing_is_left(
    site: Site,
) -> None:
    rows = [site.row(str(number)) for number in range(1000, 1300)]
    taken: list[Deferred[Any]] = []

    def tell(done: int) -> None:
        if done == 100:
            group = CallGroup(0, "sales", "1250")
            write = site.store.write("group", lambda c: call_groups.add(c, group))
            taken.append(Deferred.fromCoroutine(write))

    with pytest.raises(Conflict, match="1250 is already"):
        await site.importer.store(rows, False, tell)
    await taken[0]
    assert await site.names() == []
    rest = [row for row in rows if row.name != "1250"]
    assert await site.take_in(*rest) == Imported(added=299)


@pytest_twisted.ensureDeferred
async def test_a_database_that_fails_in_between_has_nobody_of_it(site: Site) -> None:
    engine = create_engine(site.url)
    with engine.begin() as connection:
        # Stands for a full disk: at the 150th user.
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON arriving_users WHEN NEW.user_id = 150 "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    engine.dispose()
    with pytest.raises((StoreFailed, sa.exc.DBAPIError)):
        await site.take_in(*(site.row(str(number)) for number in range(1000, 1300)))
    assert await site.names() == []
    left = await site.store.read("test", lambda c: c.execute(sa.select(arriving_users)).all())
    assert left == []


@pytest_twisted.ensureDeferred
async def test_after_a_crash_half_an_import_is_nobody_and_its_names_are_free(site: Site) -> None:
    half = [
        StoredUser(User(0, str(number)), "hash", site.vault.seal("x"))
        for number in range(1000, 1150)
    ]
    await site.store.write("half", lambda connection: imports.add(connection, half))
    accounts = await Accounts.load(site.store, site.vault, reactor)
    assert accounts.all() == []
    accounts.close()
    await site.importer.tidy()
    await site.accounts.add(NewUser(name="1000", pin="47110815"))
    assert await site.names() == ["1000"]


@pytest_twisted.ensureDeferred
async def test_a_second_import_at_the_same_time_is_refused(site: Site) -> None:
    first = Deferred.fromCoroutine(site.take_in(site.row("200")))
    with pytest.raises(Conflict, match="another import"):
        await site.take_in(site.row("201"))
    assert await first == Imported(added=1)
    assert await site.names() == ["200"]


@pytest_twisted.ensureDeferred
async def test_whom_nobody_knows_yet_cannot_be_changed_or_deleted(site: Site) -> None:
    asked: list[Deferred[Any]] = []

    def tell(done: int) -> None:
        for change in (
            site.accounts.change("1000", UserChange(email="a@x.test")),
            site.accounts.delete("1000"),
        ):
            asked.append(Deferred.fromCoroutine(change))

    rows = [site.row(str(number)) for number in range(1000, 1150)]
    await site.importer.store(rows, False, tell)
    for each in asked[:2]:
        with pytest.raises(NotFound):
            await each


# -- those who are there already -------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_who_is_there_already_is_refused_and_with_update_changed(site: Site) -> None:
    await site.take_in(site.row("200", pin="47110815", first_name="Ann", email="ann@x.test"))
    rows = (
        site.row("200", 2, email="new@x.test", aliases=("ann",)),
        site.row("201", 3, pin="11112222"),
    )
    refused = await site.take_in(*rows)
    assert refused.problems == (
        Problem(2, "name", "there is already a user 200; with --update he is changed"),
    )
    assert await site.names() == ["200"]
    assert await site.take_in(*rows, update=True) == Imported(added=1, changed=1)
    assert await site.names() == ["200", "201"]
    ann = await site.accounts.authenticate("ann", "47110815", "192.0.2.1")
    assert (ann.first_name, ann.email) == ("Ann", "new@x.test")


@pytest_twisted.ensureDeferred
async def test_an_update_that_says_nothing_new_changes_nobody(site: Site) -> None:
    row = site.row("200", first_name="Ann", groups=("a",))
    await site.take_in(row)
    again = attrs.evolve(row, sip_password=None)
    assert await site.take_in(again, update=True) == Imported()


@pytest_twisted.ensureDeferred
async def test_secrets_are_replaced_where_the_file_has_them(site: Site) -> None:
    await site.take_in(site.row("200", pin="47110815"))
    sealed = site.vault.seal("another")
    row = Prepared(2, "200", UserChange(), hash_pin("11112222"), sealed)
    assert await site.take_in(row, update=True) == Imported(changed=1)
    user = await site.accounts.authenticate("200", "11112222", "192.0.2.1")
    assert site.accounts.sip_password(user) == "another"
    with pytest.raises(Unauthorized):
        await site.accounts.authenticate("200", "47110815", "192.0.2.1")


@pytest_twisted.ensureDeferred
async def test_observers_are_told_of_those_who_were_changed(site: Site) -> None:
    await site.take_in(site.row("200"))
    seen: list[tuple[str, str | None]] = []
    site.accounts.observe(
        lambda before, after: seen.append((before.email, after.email if after else None))
    )
    await site.take_in(site.row("200", email="a@x.test"), site.row("201"), update=True)
    assert seen == [("", "a@x.test")]


# -- what is wrong ---------------------------------------------------------------------------------


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    """The user 100, who is also zoe, superadmin, and the hunt group 500."""
    url = f"sqlite:///{tmp_path / 'b.sqlite'}"
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        rows = [
            Prepared(2, "100", UserChange(aliases=("zoe",)), "hash", b"x"),
            Prepared(3, SUPERADMIN, UserChange(admin=True), "hash", b"x"),
        ]
        assert store(connection, rows, False, lambda _: None).added == 2
        call_groups.add(connection, CallGroup(0, "sales", "500", did="+4930"))
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "change", "field", "rule"),
    [
        ("zoe", {}, "name", "zoe is already a name of the user 100; choose another"),
        ("500", {}, "name", "500 is the name or number of a hunt group; choose another"),
        ("200", {"aliases": ("+4930",)}, "aliases", "+4930 is the name or number of a hunt group"),
        ("200", {"aliases": ("x", "zoe")}, "aliases", "zoe is already a name of the user 100"),
        ("200", {"aliases": ("100",)}, "aliases", "100 is already a name of the user 100"),
        (SUPERADMIN, {"admin": False}, "name", "superadmin cannot be renamed, disabled or demoted"),
        (SUPERADMIN, {"enabled": False}, "name", "superadmin cannot be"),
    ],
)
def test_what_contradicts_what_is_stored_is_told_and_nothing_is_stored(
    connection: sa.Connection, name: str, change: dict[str, Any], field: str, rule: str
) -> None:
    before = list_users(connection)
    rows = [Prepared(2, "300", UserChange()), Prepared(7, name, UserChange(**change))]
    (problem,) = store(connection, rows, True, lambda _: None).problems
    assert (problem.line, problem.field) == (7, field)
    assert problem.rule.startswith(rule)
    assert list_users(connection) == before


def test_all_that_contradicts_is_told_at_once(connection: sa.Connection) -> None:
    rows = [
        Prepared(2, "100", UserChange(aliases=("500",))),
        Prepared(3, "zoe", UserChange()),
        Prepared(4, "200", UserChange(aliases=("sales",))),
    ]
    found = check(connection, rows, update=False)
    assert [(each.line, each.field) for each in found.problems] == [
        (2, "aliases"),
        (2, "name"),
        (3, "name"),
        (4, "aliases"),
    ]
    assert found.existing == {"100"}


def test_a_user_keeps_his_own_names(connection: sa.Connection) -> None:
    row = Prepared(2, "100", UserChange(aliases=("zoe", "new")))
    assert store(connection, [row], True, lambda _: None) == Imported(changed=1)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"name": "200", "aliases": ("a",), "pin": "4711"}, []),
        ({"name": "2 00"}, ["name"]),
        ({"name": "200", "email": "x", "pin": "1", "flow": "magic"}, ["email", "pin", "flow"]),
        ({"name": "200", "sip_password": "x" * 129, "first_name": "x\x00"}, None),
        ({"name": "200", "groups": ("a/b",), "permissions": ("ä",)}, ["groups", "permissions"]),
        ({"name": "200", "aliases": ("200",)}, ["aliases"]),
        ({"name": "200", "aliases": ("a", "a")}, ["aliases"]),
    ],
)
def test_every_value_that_breaks_a_rule_is_told(
    values: dict[str, Any], fields: list[str] | None
) -> None:
    problems = broken_rules(UserRow(5, values))
    expected = ["sip_password", "first_name"] if fields is None else fields
    assert [problem.field for problem in problems] == expected
    assert all(problem.line == 5 and problem.rule for problem in problems)


# -- the file that is handed over ------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_what_is_written_is_read_again(site: Site, tmp_path: Path) -> None:
    rows = [
        site.row("200", pin="47110815", aliases=("ä",), permissions=frozenset({"b", "a"})),
        Prepared(3, "201", UserChange(admin=False), ha1=b"\x00\xff"),
    ]
    (tmp_path / "import-0123456789abcdef.jsonl").write_bytes(write_rows(rows))
    assert await site.importer.read("import-0123456789abcdef.jsonl") == rows


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../import-0123456789abcdef.jsonl", "secret.key", "import-x.jsonl"]
)
@pytest_twisted.ensureDeferred
async def test_no_other_file_is_read(site: Site, name: str) -> None:
    with pytest.raises(BadInput, match="no file of an import"):
        await site.importer.read(name)


@pytest.mark.parametrize("content", [b"{}\n", b"not json\n", b'{"line": "x"}\n', None])
@pytest_twisted.ensureDeferred
async def test_a_file_that_is_none_is_refused(
    site: Site, tmp_path: Path, content: bytes | None
) -> None:
    name = "import-0123456789abcdef.jsonl"
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read"):
        await site.importer.read(name)
