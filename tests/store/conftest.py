"""An empty database for each test: of SQLite, and again of a real PostgreSQL server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sipxd.store.engine import create_engine, migrate

# The helpers lie beside the tests and are no package.
sys.path.extend(map(str, (Path(__file__).parent, Path(__file__).parent.parent / "wire")))

from postgresql import copied_database, empty_database, running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A server; its URL has ``{}`` for the name of the database."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two databases."""
    return str(request.param)


@pytest.fixture(scope="session")
def templates(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, str]:
    """A database of each kind with its tables, to be copied; made when one is wanted."""

    class Templates(dict[str, str]):
        def __missing__(self, kind: str) -> str:
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'a.sqlite'}"
            else:
                url = empty_database(request.getfixturevalue("postgresql"))
            migrate(url)
            return self.setdefault(kind, url)

    return Templates()


@pytest.fixture
def blank(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database without any table."""
    if kind == "postgresql":
        return empty_database(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path / 'a.sqlite'}"


@pytest.fixture
def database(
    kind: str, templates: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> str:
    """The URL of a database with its tables, and nothing in them."""
    template = templates[kind]
    if kind == "postgresql":
        return copied_database(request.getfixturevalue("postgresql"), template)
    shutil.copy(template.removeprefix("sqlite:///"), tmp_path / "a.sqlite")
    return f"sqlite:///{tmp_path / 'a.sqlite'}"


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """Its engine."""
    engine = create_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in it."""
    with engine.begin() as connection:
        yield connection
