"""Making the database, checking it, and how its connections are set."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sipxd.errors import ConfigError
from sipxd.store.engine import check, create_engine, migrate
from sipxd.store.schema import metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sqlite"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def execute(path: Path, statement: str) -> None:
    engine = create_engine(url(path))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_steps_make_the_tables_of_the_schema(path: Path) -> None:
    migrate(url(path))
    engine = create_engine(url(path))
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        made = sa.inspect(connection)
        for table in metadata.tables.values():
            names = {index["name"] for index in made.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= names
    engine.dispose()


def test_making_it_again_changes_nothing(path: Path) -> None:
    migrate(url(path))
    execute(path, "INSERT INTO dialogs VALUES ('a', 'b', '{}')")
    migrate(url(path))
    check(url(path))
    engine = create_engine(url(path))
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM dialogs").scalar() == 1
    engine.dispose()


def test_the_file_and_its_journals_are_for_their_owner_alone(path: Path) -> None:
    migrate(url(path))
    engine = create_engine(url(path))
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO dialogs VALUES ('a', 'b', '{}')")
        files = list(path.parent.iterdir())
        assert len(files) == 3  # with -wal and -shm
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    engine.dispose()


def test_commits_reach_the_disk_and_foreign_keys_hold(path: Path) -> None:
    migrate(url(path))
    for read_only in (False, True):
        engine = create_engine(url(path), read_only=read_only)
        with engine.begin() as connection:

            def pragma(name: str, connection: sa.Connection = connection) -> object:
                return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

            assert pragma("journal_mode") == "wal"
            assert pragma("synchronous") == 2
            assert pragma("foreign_keys") == 1
            assert pragma("busy_timeout") == 5000
        engine.dispose()


def test_a_read_only_connection_refuses_writes(path: Path) -> None:
    migrate(url(path))
    engine = create_engine(url(path), read_only=True)
    with pytest.raises(sa.exc.OperationalError, match="readonly"), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO dialogs VALUES ('a', 'b', '{}')")
    engine.dispose()


def test_a_missing_database_is_not_made_by_looking(path: Path) -> None:
    with pytest.raises(ConfigError, match="run sipxd init"):
        check(url(path))
    assert not path.exists()


def test_an_empty_database_needs_init(path: Path) -> None:
    path.touch()
    with pytest.raises(ConfigError, match="run sipxd init"):
        check(url(path))


def test_a_database_of_a_newer_release_is_refused(path: Path) -> None:
    migrate(url(path))
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer release"):
        check(url(path))


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    for act in (check, migrate):
        with pytest.raises(ConfigError, match="not a database"):
            act(url(path))


def test_a_folder_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        migrate(f"sqlite:///{tmp_path / 'none' / 'a.sqlite'}")


def test_what_is_no_database_url_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"database\.url"):
        create_engine("nonsense")
