"""``sipxd check``: would the daemon start as configured? Every obstacle at once, not the first."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from sipxd.cli.common import become_owner, config_option, console
from sipxd.cli.daemon import Daemon
from sipxd.config import Config
from sipxd.config_values import ListenAddress
from sipxd.errors import ConfigError, SipxdError


@click.command()
@config_option
def check(config: Config) -> None:
    """Check configuration, certificate, database and ports, and say what is wrong.

    Ends with status 1 when anything would keep the daemon from starting.
    """
    failed = False
    console.print("[green]ok[/]     configuration")
    running = _running(config)
    become_owner(config.state_dir)
    for name, examine in _examinations(config, running is not None):
        try:
            examine()
        except SipxdError as error:
            failed = True
            console.print(f"[red]wrong[/]  {name}: ", end="")
            console.print(error.detail, markup=False)
        else:
            console.print(f"[green]ok[/]     {name}")
    console.print(running or "sipxd is not running", markup=False)
    sys.exit(1 if failed else 0)


def _running(config: Config) -> str | None:
    """A sentence about the daemon that runs with this configuration; None when none runs."""
    daemon = Daemon.find(config)
    if daemon is None:
        return None
    with daemon:
        status = daemon.ask("status")
    return f"sipxd {status['version']} is running: process {status['pid']}, {status['calls']} calls"


def _examinations(config: Config, running: bool) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "state directory", lambda: _check_state_dir(config)
    yield "certificate", lambda: _check_certificate(config)
    if any(address.transport == "tls" for address in config.sip.addresses):
        yield "certificate for SIP", lambda: _check_sip_certificate(config)
    yield "database", lambda: _check_database(config)
    if running:
        return  # it has the ports
    metrics = config.web.metrics_address
    for address in (*config.web.addresses, *config.sip.addresses, *([metrics] if metrics else [])):
        yield str(address), lambda address=address: _check_port(address)  # type: ignore[misc]


def _check_state_dir(config: Config) -> None:
    if not os.access(config.state_dir, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"{config.state_dir} is missing or not writable for this user; run sipxd init, or see "
            "to whom it belongs"
        )


def _check_certificate(config: Config) -> None:
    from sipxd.web.tls import load_context

    load_context(config.certificate_path, config.private_key_path)
    _check_expiry(config.certificate_path)


def _check_sip_certificate(config: Config) -> None:
    from sipxd.web.tls import load_sip_tls

    load_sip_tls(config)
    _check_expiry(config.sip_certificate_path)


def _check_expiry(path: Path) -> None:
    from cryptography import x509

    certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise ConfigError(
            f"{path} has expired on {certificate.not_valid_after_utc:%Y-%m-%d}; "
            "renew it, or delete it and its key and run sipxd init"
        )


def _check_database(config: Config) -> None:
    from sipxd.service.account_changes import SUPERADMIN
    from sipxd.service.vault import Vault
    from sipxd.store import engine, users

    engine.check(config.database_url)
    vault = Vault.open(config.key_path)
    database = engine.create_engine(config.database_url, read_only=True)
    try:
        with database.begin() as connection:
            superadmin = users.by_name(connection, SUPERADMIN)
    finally:
        database.dispose()
    if superadmin is None:
        raise ConfigError(f"{SUPERADMIN} is missing; run sipxd init")
    vault.unseal(superadmin.sip_password)


def _check_port(address: ListenAddress) -> None:
    kind = socket.SOCK_DGRAM if address.transport == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise ConfigError(
                f"cannot be bound ({error.strerror}); stop what uses it, or choose another"
            ) from None
