"""``sipxd run``: the daemon in the foreground."""

from __future__ import annotations

import sys

import click

from sipxd.cli.common import config_option
from sipxd.config import Config


@click.command()
@config_option
def run(config: Config) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C.

    Does the same as `twistd -n sipxd --config FILE`.
    """
    from sipxd import tap

    sys.exit(tap.run(config))
