"""``sipxd calls``: the calls under way and the latest ones, once or as they change."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import click
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from sipxd.cli.common import config_option, console
from sipxd.cli.daemon import Daemon
from sipxd.config import Config

SHOWN = 20
"""So many calls fit on a screen."""

Record = dict[str, Any]

_SENTENCES = {
    "ringing-caller": "the caller's phone rings",
    "ringing-callee": "the caller is there; {ringing}",
    "bridged": "connected{reached}",
}


@click.command()
@click.option("--watch", is_flag=True, help="Go on showing them as they change, until Ctrl-C.")
@config_option
def calls(watch: bool, config: Config) -> None:
    """Show the calls under way and the latest that have ended."""
    with Daemon.needed(config) as daemon:
        records = daemon.ask("calls", limit=SHOWN)
        if not watch:
            console.print(_table(records))
        elif console.is_terminal:
            _watch_screen(daemon, records)
        else:
            _watch_lines(daemon)


def _watch_screen(daemon: Daemon, records: list[Record]) -> None:
    known = {record["id"]: record for record in reversed(records)}
    with Live(_table(records), console=console, auto_refresh=False) as live:
        try:
            for record in daemon.stream("calls.watch"):
                known[record["id"]] = record
                _forget(known)
                live.update(_table(reversed(known.values())), refresh=True)
        except KeyboardInterrupt:
            return


def _forget(known: dict[str, Record]) -> None:
    """Keep every call under way and the newest of the others."""
    ended = [call_id for call_id, record in known.items() if record["state"] == "ended"]
    for call_id in ended[: max(0, len(known) - SHOWN)]:
        del known[call_id]


def _watch_lines(daemon: Daemon) -> None:
    """One line for each change: for a pipe or a file."""
    try:
        for record in daemon.stream("calls.watch"):
            who = f"{record['user']} to {record['number']}"
            click.echo(f"{time.strftime('%F %T')} {record['id']} {who}: {show_state(record)}")
    except KeyboardInterrupt:
        return


def show_state(record: Record) -> str:
    """How far the call is, as a sentence."""
    if record["state"] == "ended":
        cause = record.get("cause") or {}
        return f"ended: {cause.get('sentence', 'no cause is known')}"
    ringing, reached = record["ringing"], record["reached"]
    sentence = _SENTENCES.get(str(record["state"]), "")
    return sentence.format(
        ringing=f"{', '.join(ringing)} {'rings' if len(ringing) == 1 else 'ring'}"
        if ringing
        else "the destination rings",
        reached=f" with {reached}" if reached not in ("", record["number"]) else "",
    )


def _table(records: Iterable[Record]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Started", no_wrap=True)
    table.add_column("Call", no_wrap=True)
    table.add_column("User", no_wrap=True)
    table.add_column("Number", no_wrap=True)
    table.add_column("Talk", justify="right")
    table.add_column("State")
    for record in records:
        started = time.strftime("%F %T", time.localtime(record["started"]))
        talk = ""
        if record["bridged"] is not None:
            seconds = int((record["ended"] or time.time()) - record["bridged"])
            talk = f"{seconds // 60}:{seconds % 60:02}"
        style = {"bridged": "green", "ended": "dim"}.get(record["state"], "yellow")
        texts = (started, record["id"], record["user"], record["number"], talk, show_state(record))
        table.add_row(*map(escape, texts), style=style)
    return table
