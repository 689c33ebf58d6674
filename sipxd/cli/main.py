"""The ``sipxd`` command itself: where its commands are, and how its errors look.

Commands are imported when they are used, so that ``sipxd user list`` does not load a SIP stack.
"""

from __future__ import annotations

import importlib
import keyword
from typing import IO, Any

import click

from sipxd import __version__
from sipxd.cli.common import errors
from sipxd.errors import SipxdError

COMMANDS = {
    "init": "sipxd.cli.init",
    "run": "sipxd.cli.run",
    "check": "sipxd.cli.check",
    "user": "sipxd.cli.user",
    "import": "sipxd.cli.import_users",
    "call": "sipxd.cli.call",
    "calls": "sipxd.cli.calls",
    "forward": "sipxd.cli.forward",
    "phones": "sipxd.cli.phones",
    "phone": "sipxd.cli.phone",
    "gateways": "sipxd.cli.gateways",
    "demo": "sipxd.cli.demo",
}
"""Name of each command and the module that defines it, as a click command of the same name."""


class _Failure(click.ClickException):
    """An expected error: one sentence on standard error, exit status 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        errors.print(f"sipxd: {self.message}", style="red", markup=False, highlight=False)


class _Commands(click.Group):
    """Finds the commands in COMMANDS, and renders the errors that sipxd raises on purpose."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        attribute = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SipxdError as error:
            raise _Failure(error.detail) from error


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sipxd")
def main() -> None:
    """Click-to-call and call forwarding for SIP telephones."""
