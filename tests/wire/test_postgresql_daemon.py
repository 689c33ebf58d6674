"""A daemon whose database is PostgreSQL: what is stored over HTTPS is there after a kill."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from daemon import ADMIN_PASSWORD, Daemon
from documents import documents

from sipxd.store import users
from sipxd.store.engine import create_engine


def test_every_kind_of_document_is_stored_and_survives_a_kill(
    make_daemon: Callable[..., Daemon], database: str
) -> None:
    daemon = make_daemon(database__url=database)
    # Again, now that the configuration names the database.
    daemon.command(
        "init", "--domain", daemon.domain, "--state-dir", str(daemon.state_dir),
        "--admin-password", ADMIN_PASSWORD,
    )  # fmt: skip
    daemon.start()
    names = (str(number) for number in itertools.count(201))
    found = documents(daemon, lambda: daemon.add_user(next(names)))
    for version, document in enumerate(found, 1):
        client = document.ask()
        document.put(client, version)
        assert document.version(client) == version
    # PostgreSQL takes no NUL, and no number beyond its own: neither gets there.
    administrator = daemon.client("superadmin")
    for path in (
        "/sipxconfig/rest/phonebook/%00",
        "/v1/user-groups/%00/speed-dial",
        "/sipxconfig/rest/my/pagedphonebook?filter=%00",
        "/sipxconfig/rest/my/search/phonebook?query=%00",
        "/v1/phonebooks/99999999999999999999",
        "/v1/phonebooks/9999999999",
        "/sipxconfig/rest/my/phonebook/entry/999999999999999",
        "/sipxconfig/rest/branch/999999999",
        "/sipxconfig/api/cdrs/history?limit=99999999999&offset=99999999999",
    ):
        answer = administrator.ask("GET", path)
        assert answer.status in (200, 400, 404), (path, answer)
    daemon.kill()
    engine = create_engine(database, read_only=True)
    with engine.begin() as connection:
        assert len(users.every(connection)) > len(found) // 2  # it is there that they are
    engine.dispose()
    daemon.start()
    for version, document in enumerate(found, 1):
        assert document.version(document.ask()) == version
    # The server of the database ends with the tests, perhaps before the other daemons do.
    daemon.wait_until_idle()
    daemon.stop()
