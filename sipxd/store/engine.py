"""Opening the database, and bringing its tables up to date.

Everything here blocks; the daemon calls it before it serves, the command line without a daemon.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sipxd.errors import ConfigError

BUSY_TIMEOUT = 5.0
"""Seconds that SQLite waits for another process (a ``sipxd`` command) to finish its write."""


def create_engine(url: str, *, read_only: bool = False, size: int = 1) -> sa.Engine:
    """An engine of at most ``size`` connections to ``url``.

    SQLite: write-ahead log, every commit on the disk before it returns, foreign keys enforced, and
    a writer takes its lock at BEGIN, so that what it has read is still true when it writes.
    ``read_only`` engines refuse writes.  Raises ConfigError where the URL or its driver is wrong.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    options: dict[str, Any] = {"pool_size": size, "max_overflow": 0, "hide_parameters": True}
    if url.startswith("postgresql"):
        options["pool_pre_ping"] = True  # a restarted server costs no failed call
        if read_only:
            options["execution_options"] = {"postgresql_readonly": True}
    else:
        options["connect_args"] = {"timeout": BUSY_TIMEOUT}
    try:
        engine = sa.create_engine(url, **options)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the database needs the Python package {error.name}; "
            "install it with: pip install 'sipxd[postgresql]'",
            field="database.url",
        ) from None
    except sa.exc.ArgumentError:
        raise ConfigError("database.url is not a database URL", field="database.url") from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, read_only)
    return engine


def _prepare_sqlite(engine: sa.Engine, read_only: bool) -> None:
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver shall not guess where transactions begin
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begin)


def _sqlite_path(url: str) -> Path | None:
    """The file that ``url`` names, or None where it is no SQLite URL."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def migrate(url: str) -> None:
    """Create the database or bring it up to date; nothing happens where it is up to date.

    A SQLite file is readable for its owner alone; its journals get the same mode.  Raises
    ConfigError where the database cannot be reached or written.
    """
    path = _sqlite_path(url)
    try:
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        engine = create_engine(url)
        try:
            _upgrade(engine)
        finally:
            engine.dispose()
    except OSError as error:
        raise ConfigError(f"the database {path} cannot be written: {error.strerror}") from None
    except sa.exc.DBAPIError as error:
        raise _unreachable(error) from None


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command

    with engine.begin() as connection:
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check(url: str) -> None:
    """Raise ConfigError unless the database exists and has exactly the tables of this release."""
    path = _sqlite_path(url)
    if path is not None and not path.exists():
        raise ConfigError(f"there is no database {path}; run sipxd init")
    engine = create_engine(url, read_only=True)
    try:
        with engine.begin() as connection:
            current = _revision(connection)
    except sa.exc.DBAPIError as error:
        raise _unreachable(error) from None
    finally:
        engine.dispose()
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic_config())
    if current == scripts.get_current_head():
        return
    if current is None or current in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigError("the database is not up to date; run sipxd init")
    raise ConfigError("the database was made by a newer release of sipxd; install that one")


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _alembic_config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sipxd:store/migrations")
    config.set_main_option("path_separator", "os")
    return config


def _unreachable(error: sa.exc.DBAPIError) -> ConfigError:
    reason = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    return ConfigError(f"the database cannot be used: {reason}", field="database.url")
