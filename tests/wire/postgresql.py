"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

_numbers = itertools.count(1)


@contextmanager
def running() -> Iterator[str]:
    """A server on a Unix socket; gives its URL, with ``{}`` for the name of the database."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    home = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
    data = home / "data"
    _as_postgres(str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "sipxd")
    options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
    _as_postgres(*control, "-l", str(home / "log"), "-o", options, "start")
    try:
        yield f"postgresql://sipxd@/{{}}?host={home}"
    finally:
        _as_postgres(*control, "-m", "immediate", "stop")
        shutil.rmtree(home)


def empty_database(server: str) -> str:
    """Make a database; gives its URL."""
    return _create(server, "")


def _create(server: str, like: str) -> str:
    name = f"t{next(_numbers)}"
    engine = sa.create_engine(
        server.format("postgres").replace("postgresql:", "postgresql+psycopg:"),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} {like}")
    engine.dispose()
    return server.format(name)


def copied_database(server: str, template: str) -> str:
    """Make a database as that with the URL ``template``, which nobody may use; gives its URL."""
    return _create(server, f"TEMPLATE {urlsplit(template).path[1:]}")


def _as_postgres(*command: str) -> None:
    """Run a command of PostgreSQL, which refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, timeout=60)
