"""``sipxd user``: accounts, through the running daemon or, when none runs, in the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.markup import escape
from rich.table import Table

from sipxd.call.record import ClickFlow
from sipxd.cli.accounts import carry_out
from sipxd.cli.common import config_option, console, read_secret
from sipxd.config import Config

_Command = TypeVar("_Command", bound=Callable[..., object])

_SECRETS = {"pin": "PIN", "sip_password": "SIP password"}
_LISTS = {"alias": "aliases", "group": "groups", "permission": "permissions"}
_AS_CONFIGURED = "configured"
_HELP_PIN = "PIN for HTTPS and the portal; - reads it from standard input"
_HELP_PERMISSION = (
    "What he may call: InternationalDialing, sip-address, or what a [[route]] asks for"
)
_HELP_SIP = "Password of the phones; - reads it from standard input"


@click.group()
def user() -> None:
    """Add, show, change and delete users."""


def _profile(command: _Command) -> _Command:
    """The options that add and set have in common."""
    for option in (
        click.option(
            "--flow",
            type=click.Choice([*map(str, ClickFlow), _AS_CONFIGURED]),
            callback=lambda _ctx, _parameter, flow: "" if flow == _AS_CONFIGURED else flow,
            help=f"How his click-to-calls are set up; {_AS_CONFIGURED}: as [call] flow says.",
        ),
        click.option(
            "--voicemail/--no-voicemail",
            default=None,
            help="Whether calls for him may end in a voicemail box, where there is one.",
        ),
        click.option("--email", metavar="E", help="Mail address."),
        click.option("--last-name", metavar="L"),
        click.option("--first-name", metavar="F"),
    ):
        command = option(command)
    return command


@user.command()
@click.argument("name")
@click.option("--pin", metavar="PIN", help=f"{_HELP_PIN}; left out, it is generated and printed.")
@click.option(
    "--sip-password", metavar="PW", help=f"{_HELP_SIP}; left out, it is generated and printed."
)
@_profile
@click.option("--alias", "aliases", metavar="A", multiple=True, help="A further number or name.")
@click.option("--group", "groups", metavar="G", multiple=True, help="A group that he belongs to.")
@click.option(
    "--permission", "permissions", metavar="P", multiple=True, help=f"{_HELP_PERMISSION}."
)
@click.option("--admin", is_flag=True, help="May act for every user.")
@config_option
def add(config: Config, **given: Any) -> None:
    """Add the user NAME, normally a number such as 200."""
    _read_secrets(given)
    answer = carry_out(config, "user.add", _present(given))
    console.print(f"user {given['name']} added", markup=False)
    _print_generated(answer)


@user.command("set")
@click.argument("name")
@click.option("--pin", metavar="PIN", help=f"{_HELP_PIN}.")
@click.option("--sip-password", metavar="PW", help=f"{_HELP_SIP}.")
@click.option("--rename", metavar="NAME", help="The new user name.")
@_profile
@click.option("--alias", "aliases", metavar="A", multiple=True, help="Replaces all aliases.")
@click.option("--no-alias", is_flag=True, help="Remove all aliases.")
@click.option("--group", "groups", metavar="G", multiple=True, help="Replaces all groups.")
@click.option("--no-group", is_flag=True, help="Leave all groups.")
@click.option(
    "--permission",
    "permissions",
    metavar="P",
    multiple=True,
    help=f"{_HELP_PERMISSION}. Replaces all permissions.",
)
@click.option("--no-permission", is_flag=True, help="Take all permissions away.")
@click.option("--admin/--no-admin", default=None, help="May act for every user.")
@click.option("--enable/--disable", "enabled", default=None, help="May log in and register.")
@config_option
def set_(config: Config, name: str, rename: str | None, **given: Any) -> None:
    """Change what is given of the user NAME; the rest stays."""
    _read_secrets(given)
    cleared = {option: given.pop(f"no_{option}") for option in _LISTS}
    changes = _present({"name": rename, **given})
    for option, key in _LISTS.items():
        if cleared[option] and key in changes:
            raise click.UsageError(f"--{option} and --no-{option} exclude each other")
        if cleared[option]:
            changes[key] = []
    if not changes:
        raise click.UsageError("nothing to change; see: sipxd user set --help")
    carry_out(config, "user.set", {"name": name, "change": changes})
    console.print(f"user {name} changed", markup=False)


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def delete(config: Config, name: str, yes: bool) -> None:
    """Delete the user NAME with his registrations."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete user {name} with his registrations?", abort=True)
    carry_out(config, "user.delete", {"name": name})
    console.print(f"user {name} deleted", markup=False)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@config_option
def list_(config: Config, as_json: bool) -> None:
    """List all users."""
    users = carry_out(config, "user.list", {})
    if as_json:
        click.echo(json.dumps(users, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("User", "Name", "Aliases", "Groups", "E-mail", ""):
        table.add_column(column)
    for each in users:
        cells = (
            each["name"],
            f"{each['first_name']} {each['last_name']}".strip(),
            ", ".join(each["aliases"]),
            ", ".join(each["groups"]),
            each["email"],
            _marks(each),
        )
        table.add_row(*map(escape, cells))
    console.print(table)


@user.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@config_option
def show(config: Config, name: str, as_json: bool) -> None:
    """Show the user NAME, or the user with the alias NAME."""
    shown = carry_out(config, "user.show", {"name": name})
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "User": shown["name"],
        "First name": shown["first_name"],
        "Last name": shown["last_name"],
        "E-mail": shown["email"],
        "Aliases": ", ".join(shown["aliases"]),
        "Groups": ", ".join(shown["groups"]),
        "Permissions": ", ".join(shown["granted"]),
        "Flow": shown["flow"],
        "": _marks(shown),
    }
    for label, value in rows.items():
        if value:
            table.add_row(f"[bold]{label}[/]", escape(value))
    console.print(table)


def _marks(shown: dict[str, Any]) -> str:
    marks = {
        "administrator": shown["admin"],
        "disabled": not shown["enabled"],
        "no voicemail": not shown["voicemail"],
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _read_secrets(given: dict[str, Any]) -> None:
    """Replace ``-`` by lines of standard input, the PIN's first."""
    for key, what in _SECRETS.items():
        given[key] = read_secret(given[key], what)


def _present(given: dict[str, Any]) -> dict[str, Any]:
    """What was given on the command line."""
    return {key: value for key, value in given.items() if value is not None and value != ()}


def _print_generated(answer: dict[str, Any]) -> None:
    generated = {key: answer["generated"].get(key) for key in _SECRETS}
    for key, secret in generated.items():
        if secret:
            console.print(f"{_SECRETS[key]}: {secret}", markup=False)
    if any(generated.values()):
        console.print("Note them now: they are not shown again.", style="dim")
