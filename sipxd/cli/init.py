"""``sipxd init``: what the daemon needs before its first start; nothing is overwritten."""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path
from typing import cast

import attrs
import click

from sipxd import config as configuration
from sipxd.cli.common import become_owner, console, read_secret
from sipxd.config import Config
from sipxd.errors import ConfigError

_CONFIGURATION = """\
# sipxd configuration. What is left out has its default; every option with its default and its
# reason stands in etc/sipxd.toml of the distribution. "sipxd check" tells whether it is sound.
domain = {domain}
state_dir = {state_dir}
"""


@click.command()
@click.option(
    "--config",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file to write.  [default: $SIPXD_CONFIG, else /etc/sipxd/sipxd.toml]",
)
@click.option("--domain", help="The part behind the @ in your users' SIP addresses.")
@click.option(
    "--state-dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where database, certificate and keys go.  [default: /var/lib/sipxd]",
)
@click.option(
    "--admin-password",
    metavar="PW",
    help="Password of superadmin; - reads it from standard input; left out, it is generated.",
)
def init(
    path: Path | None, domain: str | None, state_dir: Path | None, admin_password: str | None
) -> None:
    """Write configuration, database, certificate, key file and the first administrator.

    Running it again changes nothing that exists, and brings the database up to date.
    """
    admin_password = read_secret(admin_password, "password of superadmin")
    path = (path or configuration.default_path()).absolute()
    if not path.exists():
        if domain is None:
            raise click.UsageError(f"there is no {path} yet; say --domain DOMAIN to write it")
        _write_configuration(path, domain, state_dir)
        _say("configuration", path, "written")
        config = configuration.load(path)
    else:
        config = configuration.load(path)
        _say("configuration", path, "exists, kept")
        _tell_differences(config, domain, state_dir)
    _make_state_dir(config.state_dir)
    become_owner(config.state_dir)
    _make_database(config, admin_password)
    _make_certificate(config)


def _say(what: str, where: object, done: str) -> None:
    console.print(f"{what:14} {where}: {done}", markup=False)


def _write_configuration(path: Path, domain: str, state_dir: Path | None) -> None:
    """Write the file whole or not at all, after it has been found sound."""
    directory = (state_dir or cast(Path, attrs.fields(Config).state_dir.default)).absolute()
    # A JSON string is a TOML string as well.
    text = _CONFIGURATION.format(
        domain=json.dumps(domain, ensure_ascii=False),
        state_dir=json.dumps(str(directory), ensure_ascii=False),
    )
    configuration.parse(text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text.encode(), 0o640)
        if os.geteuid() == 0 and directory.is_dir():
            # The daemon's group may read it: a database URL in it may hold a password.
            os.chown(path, -1, directory.stat().st_gid)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _tell_differences(config: Config, domain: str | None, state_dir: Path | None) -> None:
    if domain is not None and domain != config.domain:
        _say("", "domain", f"stays {config.domain}; edit the file to change it")
    if state_dir is not None and state_dir.absolute() != config.state_dir:
        _say("", "state_dir", f"stays {config.state_dir}; edit the file to change it")


def _make_state_dir(directory: Path) -> None:
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True, mode=0o700)
            _say("state_dir", directory, "made")
    except OSError as error:
        raise ConfigError(
            f"state_dir {directory} cannot be made: {error.strerror}; make it for the user that "
            "sipxd runs as, or name another with --state-dir",
            field="state_dir",
        ) from None


def _make_database(config: Config, admin_password: str | None) -> None:
    from sipxd.service.account_changes import SUPERADMIN, ensure_superadmin
    from sipxd.service.vault import Vault
    from sipxd.store import users
    from sipxd.store.engine import check, create_engine, migrate

    try:
        check(config.database_url)
        state = "exists, up to date"
    except ConfigError:
        migrate(config.database_url)
        state = "made or brought up to date"
    engine = create_engine(config.database_url)
    try:
        with engine.begin() as connection:
            _say("database", _without_password(str(engine.url)), state)
            had_key = config.key_path.exists()
            if not had_key and users.by_name(connection, SUPERADMIN) is not None:
                # A new key would not open the passwords that are in the database.
                Vault.open(config.key_path)
            vault = Vault.create(config.key_path)
            _say("key file", config.key_path, "exists, kept" if had_key else "made; back it up")
            existed = users.by_name(connection, SUPERADMIN) is not None
            generated = ensure_superadmin(connection, vault, admin_password, config.digest_realm)
    finally:
        engine.dispose()
    if existed:
        _say("administrator", SUPERADMIN, "exists, password kept")
    elif generated is None:
        _say("administrator", SUPERADMIN, "made")
    else:
        _say("administrator", SUPERADMIN, "made, with the password")
        console.print(f"\n    {generated}\n\nNote it now: it is not shown again.", markup=False)


def _without_password(url: str) -> str:
    """The rendered URL; SQLAlchemy has already put *** in place of the password."""
    return url.removeprefix("sqlite:///")


def _make_certificate(config: Config) -> None:
    from sipxd.web.tls import make_self_signed

    certificate, key = config.certificate_path, config.private_key_path
    if config.web.certificate or config.web.private_key:
        _say("certificate", certificate, "yours, left alone")
    elif certificate.exists() or key.exists():
        _say("certificate", certificate, "exists, kept")
    else:
        hosts = (config.domain, socket.gethostname(), "localhost", "127.0.0.1", "::1")
        certificate_pem, key_pem = make_self_signed(filter(_fits_certificate, hosts))
        try:
            _write(key, key_pem, 0o600)
            _write(certificate, certificate_pem, 0o644)
        except OSError as error:
            raise ConfigError(f"{certificate} cannot be written: {error.strerror}") from None
        _say("certificate", certificate, f"made, signed by itself, for {config.domain}")


def _fits_certificate(host: str) -> bool:
    """Whether the name may stand in a certificate; that of a machine may be anything."""
    return host.isascii() and 0 < len(host) <= 253


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file whole or not at all, and never over another. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, mode)
        os.link(temporary, path)
    finally:
        os.unlink(temporary)
