"""Databases of every earlier revision, brought up to date."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory
from old_databases import OLD, expect_everything, make_old

from sipxd.errors import ConfigError
from sipxd.service.account_changes import create_user
from sipxd.service.account_requests import NewUser
from sipxd.service.vault import Vault
from sipxd.store import engine as engine_module
from sipxd.store.engine import check, create_engine, migrate


def test_every_revision_but_the_newest_is_tried() -> None:
    scripts = ScriptDirectory.from_config(engine_module._alembic_config())
    newest_first = [script.revision for script in scripts.walk_revisions()]
    assert newest_first[:0:-1] == list(OLD)


@pytest.mark.parametrize("revision", OLD)
def test_a_database_of_an_earlier_release_keeps_its_rows(
    blank: str, kind: str, revision: str
) -> None:
    engine = create_engine(blank)
    with engine.begin() as connection:
        make_old(connection, revision)
    with pytest.raises(ConfigError, match="not up to date; run sipxd init"):
        check(blank)
    migrate(blank)
    check(blank)
    with engine.begin() as connection:
        expect_everything(connection, revision)
        new, _ = create_user(connection, Vault(bytes(32)), NewUser(name="202", pin="1234567"))
        if kind == "sqlite":
            assert not connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            assert new.id == 3  # ids are given on, never again
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite"])  # which can write down all of it to be compared
@pytest.mark.parametrize("revision", OLD)
def test_an_upgrade_that_fails_leaves_the_database_as_it_was(blank: str, revision: str) -> None:
    engine = create_engine(blank)
    with engine.begin() as connection:
        make_old(connection, revision)
        # Made last, so that everything else has been done when it is in the way.
        connection.exec_driver_sql("CREATE TABLE phonebook_entries (id INTEGER)")
        before = "\n".join(connection.connection.driver_connection.iterdump())
    with pytest.raises(ConfigError, match="phonebook_entries"):
        migrate(blank)
    with engine.begin() as connection:
        after = "\n".join(connection.connection.driver_connection.iterdump())
        assert after == before
        connection.exec_driver_sql("DROP TABLE phonebook_entries")
    migrate(blank)
    with engine.begin() as connection:
        expect_everything(connection, revision)
    engine.dispose()
