"""``sipxd phones``: what kinds of phones have refused, and how to have them asked again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from sipxd.cli.accounts import carry_out
from sipxd.cli.common import config_option, console, load
from sipxd.config import Config

_SENTENCES = {
    "offerless": "a call without a session description (they are offered one)",
    "refer": "to call a number that they are referred to (flow offer is used)",
}


@click.group(invoke_without_command=True)
@click.option("--config", "path", metavar="FILE", type=click.Path(path_type=Path), hidden=True)
@click.pass_context
def phones(context: click.Context, path: Path | None) -> None:
    """Show and clear what phones have refused; without a command, show it.

    It is remembered by what phones call themselves (User-Agent), and not tried with them again.
    Clear it when a phone has learned better, for example after a change of its settings.
    """
    if context.invoked_subcommand is None:
        _show(carry_out(load(path), "phones.list", {}))


@phones.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@config_option
def list_(config: Config, as_json: bool) -> None:
    """List what is remembered."""
    known = carry_out(config, "phones.list", {})
    if as_json:
        click.echo(json.dumps(known, indent=2))
    else:
        _show(known)


def _show(known: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Phone", "Since", "Refuses"):
        table.add_column(column)
    for each in known:
        since = time.strftime("%F %T", time.localtime(each["noted"]))
        refused = _SENTENCES.get(each["refuses"], each["refuses"])
        table.add_row(*map(escape, (each["user_agent"], since, refused)))
    console.print(table)


@phones.command()
@click.argument("user_agent", required=False)
@config_option
def clear(config: Config, user_agent: str | None) -> None:
    """Forget what is remembered of phones that call themselves USER_AGENT, or of all."""
    count = carry_out(config, "phones.clear", {"user_agent": user_agent})
    console.print(f"forgotten: {count}", markup=False)
