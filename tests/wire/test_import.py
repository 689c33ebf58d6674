"""Many users at once, while telephones want to be answered; and what is left when that is cut."""

from __future__ import annotations

import csv
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from daemon import ADMIN_PASSWORD, SIPXD, Daemon, until
from roles import answered_by
from sipp import Phone
from steps import answered, expect, hang_up, hung_up, pause
from stranger import Stranger

from sipxd.store.engine import create_engine
from sipxd.store.schema import arriving_users

PATIENCE = 2.0
"""Seconds in which SIP is answered on a busy machine; one that does little else needs 10 ms."""

NAMES = range(20_000, 22_000)


def write_users(directory: Path, numbers: Iterable[int], **columns: str) -> Path:
    """A file of users, whose phones' passwords are those that tests use; ``columns`` for all."""
    path = directory / "users.csv"
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("name", "aliases", "groups", "sip_password", *columns))
        for number in numbers:
            fixed = (number, f"4930{number}", "sales", f"sip-{number}-Qz9")
            lines.writerow((*fixed, *columns.values()))
    return path


def names(daemon: Daemon) -> list[str]:
    return [user["name"] for user in daemon.admin("user.list", {})]


def test_telephones_are_answered_while_users_come_and_those_can_be_called_at_once(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = make_daemon()
    daemon.start()
    here = Phone(tmp_path / "here", daemon, daemon.add_user("100"))
    path = write_users(tmp_path, NAMES)
    rounds = 0
    with (
        ThreadPoolExecutor(1) as other,
        Stranger(("127.0.0.1", daemon.sip_port), "127.0.0.1", 0) as stranger,
    ):
        coming = other.submit(daemon.command, "import", str(path), "--no-pins")
        while not coming.done():
            stranger.alive(PATIENCE)
            started = time.monotonic()
            here.register()
            assert time.monotonic() - started < 5 * PATIENCE  # SIPp's own start is part of it
            rounds += 1
        assert coming.result() == f"{len(NAMES)} users added, 0 changed\n"
    assert rounds
    daemon.know_user("20007", "he-has-no-PIN", "sip-20007-Qz9")
    new = Phone(tmp_path / "new", daemon, "20007").register()
    new.start(answered_by(new, here), hung_up())
    calling = here.dial("493020007", expect(180), answered(), pause(100), hang_up())
    calling.finish()
    new.finish()


@pytest.mark.parametrize("end", [Daemon.kill, Daemon.stop], ids=["crash", "stop"])
def test_half_an_import_is_nobody_and_the_whole_can_be_done_again(
    make_daemon: Callable[..., Daemon], tmp_path: Path, end: Callable[[Daemon], None]
) -> None:
    daemon = make_daemon()
    daemon.start()
    path = write_users(tmp_path, range(20_000, 25_000))
    command = ("import", str(path), "--no-pins")
    process = subprocess.Popen(
        [str(SIPXD), *command, "--config", str(daemon.config)], stderr=subprocess.PIPE, text=True
    )
    until(lambda: arriving(daemon) > 500, "a part of them to be stored", 60, every=0.005)
    end(daemon)
    assert process.wait(60) == 1
    assert "sipxd user list" in process.communicate()[1]
    # Without a daemon nobody is seen, and what is left of them is in nobody's way.
    assert "20000" not in daemon.command("user", "list")
    daemon.start()
    assert names(daemon) == ["superadmin"]
    assert arriving(daemon) == 0
    daemon.command(*command)
    assert len(names(daemon)) == 5_001


def arriving(daemon: Daemon) -> int:
    """How many are stored of an import under way."""
    engine = create_engine(f"sqlite:///{daemon.state_dir}/sipxd.sqlite", read_only=True)
    with engine.begin() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(arriving_users))
    engine.dispose()
    return count or 0


@pytest.mark.parametrize("runs", [True, False], ids=["daemon", "database"])
def test_postgresql_takes_them_as_well(
    make_daemon: Callable[..., Daemon], tmp_path: Path, database: str, runs: bool
) -> None:
    daemon = make_daemon(database__url=database)
    where = ("--domain", daemon.domain, "--state-dir", str(daemon.state_dir))
    daemon.command("init", *where, "--admin-password", ADMIN_PASSWORD)
    if runs:
        daemon.start()
    path = str(write_users(tmp_path, range(1000, 1450), email="a@x.test"))
    assert daemon.command("import", path, "--no-pins") == "450 users added, 0 changed\n"
    path = str(write_users(tmp_path, range(1300, 1500), email="b@x.test", enabled="no"))
    assert daemon.command("import", path, "--no-pins", "--update") == (
        "50 users added, 150 changed\n"
    )
    if not runs:
        daemon.start()
    users = {user["name"]: user for user in daemon.admin("user.list", {})}
    assert len(users) == 501
    assert (users["1000"]["email"], users["1000"]["enabled"]) == ("a@x.test", True)
    assert (users["1300"]["email"], users["1300"]["enabled"]) == ("b@x.test", False)
    assert (users["1499"]["aliases"], users["1499"]["groups"]) == (["49301499"], ["sales"])
