"""``sipxd import``: many users from a CSV file, all of them or none.

Whatever takes long is done in this process, with its least urgent threads: the daemon that takes
calls meanwhile gets PINs hashed and passwords sealed.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import attrs
import click
import msgspec
import sqlalchemy as sa
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sipxd.cli.common import become_owner, config_option, console, errors
from sipxd.cli.daemon import Daemon
from sipxd.cli.secrets_file import SecretsFile
from sipxd.config import Config
from sipxd.directory.file_text import decode_file
from sipxd.directory.users_csv import COLUMNS, Problem, UserRow, read_users
from sipxd.errors import BadInput, SipxdError, StoreFailed
from sipxd.service import import_users as service
from sipxd.service.account_changes import seal_ha1
from sipxd.service.account_requests import Generated
from sipxd.service.import_users import Findings, Imported, Prepared, broken_rules, write_rows
from sipxd.service.vault import Vault, generate_password, generate_pin, hash_pin
from sipxd.store.engine import check, create_engine

NICENESS = 19
"""Of the threads that hash: with less, telephones wait longer."""

_NO_ANSWER = (SipxdError.kind, StoreFailed.kind, "internal")
"""Errors after which the users may be there: the daemon ended or says no more, or the database did
not say whether it has stored them."""

_HELP_COLUMNS = "\n".join(
    f"  {name}{': ' + said if said else ''}" for name, said in COLUMNS.items()
)


class _House:
    """Where the users go: to the daemon that runs, else into the database."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def check(self, rows: list[Prepared], update: bool) -> Findings:
        """What keeps the import from being done."""
        daemon = Daemon.find(self._config)
        if daemon is None:
            with self._database() as connection:
                return service.check(connection, rows, update)
        return msgspec.convert(self._ask(daemon, rows, update, True, lambda _: None), Findings)

    def store(self, rows: list[Prepared], update: bool, tell: Callable[[int], None]) -> Imported:
        """Store all of it, or nothing."""
        daemon = Daemon.find(self._config)
        if daemon is None:
            with self._database() as connection:
                return service.store(connection, rows, update, tell)
        return msgspec.convert(self._ask(daemon, rows, update, False, tell), Imported)

    @contextmanager
    def _database(self) -> Iterator[sa.Connection]:
        become_owner(self._config.state_dir)
        check(self._config.database_url)
        engine = create_engine(self._config.database_url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def _ask(
        self,
        daemon: Daemon,
        rows: list[Prepared],
        update: bool,
        only_check: bool,
        tell: Callable[[int], None],
    ) -> Any:
        path = self._config.state_dir / f"import-{secrets.token_hex(8)}.jsonl"
        arguments = {"file": path.name, "update": update, "check": only_check}
        with daemon:
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    if os.geteuid() == 0:  # and the daemon is somebody else, as a rule
                        owner = self._config.state_dir.stat()
                        os.fchown(descriptor, owner.st_uid, owner.st_gid)
                    file.write(write_rows(rows))
                return daemon.follow("user.import", arguments, tell)
            except OSError as error:
                raise SipxdError(f"{path} cannot be written: {error.strerror}") from None
            finally:
                path.unlink(missing_ok=True)


@click.command(
    "import",
    epilog="\b\nColumns, of which only name is needed:\n" + _HELP_COLUMNS,
)
@click.argument("file", type=click.File("rb"))
@click.option("--update", is_flag=True, help="Change users who are there already.")
@click.option(
    "--secrets",
    "secrets_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="New file for the PINs and SIP passwords that are generated, because FILE has none.",
)
@click.option("--no-pins", is_flag=True, help="Generate no PINs: who has none cannot log in.")
@click.option("--check", "only_check", is_flag=True, help="Only say what is wrong.")
@click.option("--skip-unknown", is_flag=True, help="Pass over columns of other programs.")
@click.option("--charset", default="", metavar="NAME", help="As in iso-8859-1.  [default: utf-8]")
@config_option
def import_(
    config: Config,
    file: IO[bytes],
    update: bool,
    secrets_path: Path | None,
    no_pins: bool,
    only_check: bool,
    skip_unknown: bool,
    charset: str,
) -> None:
    """Add the users in the CSV file FILE; - reads standard input.

    All of them are added, or none: whatever is wrong is said, with its line.  A cell that is empty
    says nothing: with --update he keeps what he has. Blanks separate the values of a list.
    """
    rows = _read(file.read(), charset, skip_unknown)
    with SecretsFile.open(secrets_path) as told:
        vault = Vault.open(config.key_path)
        house = _House(config)
        prepared = [Prepared.of(row) for row in rows]
        found = house.check(prepared, update)
        _refuse(found.problems)
        if only_check:
            console.print(f"{len(rows)} users could be imported")
            return
        made = [_generate(row, row.name in found.existing, no_pins) for row in rows]
        told.write((row.name, each) for row, each in zip(rows, made, strict=True))
        with _progress() as progress:
            sealed = _seal(vault, config.digest_realm, rows, made, progress)
            storing = progress.add_task("Storing users", total=len(rows))

            def tell(number: int) -> None:
                progress.update(storing, completed=number)

            # Whoever is interrupted, or gets no answer, may have users with these secrets.
            told.kept = True
            try:
                done = house.store(sealed, update, tell)
            except SipxdError as error:
                told.kept = error.kind in _NO_ANSWER
                if not told.kept:
                    raise
                kept = f"; {secrets_path} is kept for them" if told.count else ""
                raise SipxdError(
                    f"{error.detail}; whether the users are there is seen in sipxd user list{kept}"
                ) from error
            told.kept = not done.problems
        _refuse(done.problems)
    console.print(f"{done.added} users added, {done.changed} changed", markup=False)
    if told.count:
        console.print(f"{secrets_path} has the secrets of {told.count} users", markup=False)


def _read(content: bytes, charset: str, skip_unknown: bool) -> list[UserRow]:
    rows, problems = read_users(decode_file(content, charset), skip_unknown=skip_unknown)
    _refuse([*problems, *(problem for row in rows for problem in broken_rules(row))])
    if not rows:
        raise BadInput("there are no users in the file")
    return rows


def _refuse(problems: Iterable[Problem]) -> None:
    """Say what is wrong, if anything is, and end."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    for problem in ordered:
        where = f"line {problem.line}" + (f", {problem.field}" if problem.field else "")
        errors.print(f"{where}: {problem.rule}", markup=False)
    if ordered:
        lines = len({problem.line for problem in ordered})
        raise BadInput(f"nothing was imported: {len(ordered)} mistakes in {lines} lines")


def _generate(row: UserRow, exists: bool, no_pins: bool) -> Generated:
    """The secrets that a new user needs, and the file has not."""
    return Generated(
        None if exists or no_pins or "pin" in row.values else generate_pin(),
        None if exists or "sip_password" in row.values else generate_password(),
    )


def _seal(
    vault: Vault, realm: str, rows: list[UserRow], made: list[Generated], progress: Progress
) -> list[Prepared]:
    """The users with their secrets, as they are stored."""
    pins = [row.values.get("pin", each.pin) for row, each in zip(rows, made, strict=True)]
    hashing = progress.add_task("Hashing PINs", total=sum(pin is not None for pin in pins))

    def seal(row: UserRow, pin: str | None, generated: Generated) -> Prepared:
        password = row.values.get("sip_password", generated.sip_password)
        prepared = attrs.evolve(
            Prepared.of(row), sip_password=None if password is None else vault.seal(password)
        )
        if pin is None:
            return prepared
        ha1 = seal_ha1(vault, row.name, realm, pin)
        prepared = attrs.evolve(prepared, pin_hash=hash_pin(pin), ha1=ha1)
        progress.advance(hashing)
        return prepared

    # Hashing lets go of the interpreter's lock, so that threads make use of every processor.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), initializer=_be_nice) as threads:
        return list(threads.map(seal, rows, pins, made))


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=errors, disable=not errors.is_terminal)
