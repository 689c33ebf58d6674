"""``sipxd gateways``: where gateways are, whether they are well, our registrations there."""

from __future__ import annotations

import click
from rich.markup import escape
from rich.table import Table

from sipxd.cli.common import config_option, console
from sipxd.cli.daemon import Daemon
from sipxd.config import Config

_STYLES = {"well": "green", "ill": "red"}


@click.command()
@config_option
def gateways(config: Config) -> None:
    """Show the gateways: their addresses, their health, and whether sipxd is registered there."""
    with Daemon.needed(config) as daemon:
        states = daemon.ask("gateways")
    if not states:
        console.print("There are no gateways; the configuration has no \\[\\[gateway]].")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Name", "Address", "Health", "Registration"):
        table.add_column(heading, no_wrap=True)
    table.add_column("What is wrong")
    for state in states:
        where = ", ".join(state["addresses"]) or state["uri"]
        texts = (
            state["name"],
            where,
            state["health"],
            state["registration"] or "none",
            state["sentence"],
        )
        table.add_row(*map(escape, texts), style=_STYLES.get(state["health"]))
    console.print(table)
