"""``sipxd forward``: what a user wants done with his calls, and what that comes to."""

from __future__ import annotations

import datetime
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from sipxd.cli.common import config_option, console
from sipxd.cli.daemon import Daemon
from sipxd.config import Config
from sipxd.errors import BadInput

WIDTH = 30
"""Characters of the line on which the seconds are drawn."""

Plain = dict[str, Any]


@click.group()
def forward() -> None:
    """Show what becomes of the calls for a user."""


@forward.command()
@click.argument("user")
@config_option
def show(config: Config, user: str) -> None:
    """Show what USER wants done with his calls."""
    with Daemon.needed(config) as daemon:
        known = daemon.ask("forward.show", name=user)
    settings, schedules = known["forwarding"], {s["id"]: s["name"] for s in known["schedules"]}
    timer = settings["timer"] or known["default_timer"]
    _undisturbed(settings)
    if settings["rules"]:
        console.print(_rules(settings["rules"], schedules))
        console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Call sequence", "Number", "Seconds", "When"):
        table.add_column(column, justify="right" if column == "Seconds" else "left")
    table.add_row("First", f"the phones of {escape(known['user'])}", str(timer), "")
    for ring in settings["rings"]:
        when = _schedule(ring, schedules) if ring["enabled"] else "never: it is switched off"
        number = ring["number"] or "(none)"
        texts = (ring["type"], number, str(ring["seconds"]), when)
        table.add_row(*map(escape, texts), style="" if ring["enabled"] else "dim")
    if known["voicemail"]:
        table.add_row("In the end", "voicemail", "", "")
    console.print(table)


def _undisturbed(settings: Plain) -> None:
    if settings["do_not_disturb"]:
        until = settings["do_not_disturb_until"]
        console.print(f"Do not disturb{'' if until is None else f', until {_clock(until)}'}.\n")


def _rules(rules: list[Plain], schedules: dict[int, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Rule", "Caller", "What", "When"):
        table.add_column(column)
    for rule in rules:
        what = rule["action"]
        if what == "forward":
            what = f"forward to {rule['number']} for {rule['seconds']} s"
        when = [_schedule(rule, schedules)]
        if rule["until"] is not None:
            when.append(f"until {_clock(rule['until'])}")
        if rule["only_on_holidays"]:
            when.append(f"on holidays of {rule['only_on_holidays']}")
        if rule["not_on_holidays"]:
            when.append(f"not on holidays of {rule['not_on_holidays']}")
        if not rule["enabled"]:
            when = ["never: it is switched off"]
        texts = (rule["when"], rule["caller"], what, ", ".join(filter(None, when)))
        table.add_row(*map(escape, texts), style="" if rule["enabled"] else "dim")
    return table


def _schedule(each: Plain, schedules: dict[int, str]) -> str:
    schedule = schedules.get(each["schedule"])
    return "" if schedule is None else f"schedule {schedule}"


@forward.command()
@click.argument("user")
@click.option("--from", "caller", metavar="NUMBER", help="Who calls.  [default: nobody known]")
@click.option("--at", metavar="TIME", help="When, as 2026-12-24T18:00.  [default: now]")
@config_option
def rehearse(config: Config, user: str, caller: str | None, at: str | None) -> None:
    """Tell who would ring when somebody calls USER and nobody answers. Nothing rings."""
    when = None if at is None else _seconds(at)
    with Daemon.needed(config) as daemon:
        told = daemon.ask("forward.rehearse", name=user, caller=caller, at=when)
    who = told["caller"] or "an unknown number"
    console.print(f"A call for {user} from {who}, {_clock(told['at'])}:\n", markup=False)
    if told["steps"]:
        console.print(_timeline(told["steps"]))
        console.print()
    console.print(told["answer"], markup=False)
    for finding in told["findings"]:
        where = f"{finding['where']}: " if finding["where"] else ""
        console.print(f"! {where}{finding['sentence']}", style="yellow", markup=False)


def _timeline(steps: list[Plain]) -> Table:
    last = max(step["begins"] if step["ends"] is None else step["ends"] for step in steps)
    scale = WIDTH / last if last else 0.0
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Seconds", justify="right", no_wrap=True)
    table.add_column("Rings", no_wrap=True)
    table.add_column("For", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("")
    for step in steps:
        begins, ends = step["begins"], step["ends"]
        start = round(begins * scale)
        if ends is None:
            seconds, bar = f"{begins:g}", "▶"
        else:
            seconds = f"{begins:g} to {ends:g}"
            bar = "━" * max(1, round(ends * scale) - start)
        what = f"phone of {step['number']}" if step["kind"] == "phone" else step["number"]
        whom = " → ".join((*step["via"], step["whom"]))
        texts = (seconds, what, whom, " " * start + bar, step["note"])
        table.add_row(*map(escape, texts))
    return table


def _clock(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).strftime("%F %H:%M")


def _seconds(text: str) -> float:
    """A point in time, of this machine's time zone where it names none. Raises BadInput."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise BadInput(f"--at is a time as 2026-12-24T18:00, not {text[:80]!r}") from None
