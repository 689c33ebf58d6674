"""Carries out commands about what is stored: the daemon does it when it runs, else the database.

A daemon has users and phones in memory, so that a change behind its back would not be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from sipxd.cli.common import become_owner
from sipxd.cli.daemon import Daemon
from sipxd.config import Config
from sipxd.service import account_changes
from sipxd.service.account_requests import NewUser
from sipxd.service.commands import Changed, Forgotten, Named, Nothing, created, decode, plain
from sipxd.service.vault import Vault
from sipxd.store import phones
from sipxd.store.engine import check, create_engine


def carry_out(config: Config, command: str, arguments: dict[str, Any]) -> Any:
    """The result of a ``user.`` or ``phones.`` command. Raises SipxdError with a sentence."""
    daemon = Daemon.find(config)
    if daemon is not None:
        with daemon:
            return daemon.ask(command, **arguments)
    become_owner(config.state_dir)
    check(config.database_url)
    vault = Vault.open(config.key_path)
    engine = create_engine(config.database_url)
    try:
        with engine.begin() as connection:
            return _IN_DATABASE[command](connection, vault, arguments, config.digest_realm)
    finally:
        engine.dispose()


def _add(connection: sa.Connection, vault: Vault, arguments: dict[str, Any], realm: str) -> Any:
    return created(
        *account_changes.create_user(connection, vault, decode(NewUser, arguments), realm)
    )


def _list(connection: sa.Connection, _: Vault, arguments: dict[str, Any], realm: str) -> Any:
    return plain(account_changes.list_users(connection))


def _show(connection: sa.Connection, _: Vault, arguments: dict[str, Any], realm: str) -> Any:
    return plain(account_changes.find_user(connection, decode(Named, arguments).name))


def _set(connection: sa.Connection, vault: Vault, arguments: dict[str, Any], realm: str) -> Any:
    asked = decode(Changed, arguments)
    return plain(account_changes.change_user(connection, vault, asked.name, asked.change, realm))


def _delete(connection: sa.Connection, _: Vault, arguments: dict[str, Any], realm: str) -> Any:
    return plain(account_changes.delete_user(connection, decode(Named, arguments).name))


def _list_phones(connection: sa.Connection, _: Vault, arguments: dict[str, Any], realm: str) -> Any:
    decode(Nothing, arguments)
    return plain(sorted(phones.every(connection), key=lambda each: each.user_agent))


def _clear_phones(
    connection: sa.Connection, _: Vault, arguments: dict[str, Any], realm: str
) -> Any:
    return phones.clear(connection, decode(Forgotten, arguments).user_agent)


_IN_DATABASE: dict[str, Callable[[sa.Connection, Vault, dict[str, Any], str], Any]] = {
    "user.add": _add,
    "user.list": _list,
    "user.show": _show,
    "user.set": _set,
    "user.delete": _delete,
    "phones.list": _list_phones,
    "phones.clear": _clear_phones,
}
