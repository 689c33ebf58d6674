"""What the commands share: the consoles, ``--config``, secrets kept off the command line."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console

from sipxd import config
from sipxd.config import Config
from sipxd.errors import BadInput, ConfigError

# A pipe has no width; what reads it shall get whole lines.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

_Command = TypeVar("_Command", bound=Callable[..., object])


def config_option(command: _Command) -> _Command:
    """Give a command ``--config FILE``; it gets the loaded configuration as ``config``."""
    return click.option(
        "--config",
        "config",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=lambda _ctx, _parameter, path: load(path),
        help="Configuration file.  [default: $SIPXD_CONFIG, else /etc/sipxd/sipxd.toml]",
    )(command)


def load(path: Path | None) -> Config:
    """The configuration in the file, or in the default one. Raises ConfigError."""
    return config.load(path or config.default_path())


def read_secret(value: str | None, what: str) -> str | None:
    """A secret as given; ``-`` stands for the next line of standard input.

    Raises BadInput when that line is missing.
    """
    if value != "-":
        return value
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise BadInput(f"standard input ends before the line with the {what}")
    return line


def become_owner(directory: Path) -> None:
    """As root, go on as the user to whom the directory belongs.

    Files that root made in the state directory could not be opened by the daemon: SQLite makes
    its journals even for a reader.  Raises ConfigError where this user could not run sipxd at all.
    """
    if os.geteuid() != 0 or not directory.is_dir():
        return
    status = directory.stat()
    if status.st_uid == 0:
        return
    try:
        os.initgroups(pwd.getpwuid(status.st_uid).pw_name, status.st_gid)
    except KeyError:
        os.setgroups([status.st_gid])
    os.setgid(status.st_gid)
    os.setuid(status.st_uid)
    if not os.access(os.__file__, os.R_OK):
        raise ConfigError(
            f"{directory} belongs to a user who cannot read {os.__file__}; install sipxd where he "
            "can, for example in /opt/sipxd"
        )
