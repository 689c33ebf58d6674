"""``sipxd call``: a click-to-call from the command line, followed until it is bridged."""

from __future__ import annotations

import sys

import click

from sipxd.call.record import ClickFlow
from sipxd.cli.calls import show_state
from sipxd.cli.common import config_option, console
from sipxd.cli.daemon import Daemon
from sipxd.config import Config


@click.command()
@click.argument("caller", metavar="FROM")
@click.argument("number", metavar="TO")
@click.option(
    "--flow", type=click.Choice(list(map(str, ClickFlow))), help="How it is set up, this time only."
)
@config_option
def call(caller: str, number: str, flow: str | None, config: Config) -> None:
    """Ring the phones of user FROM, then TO, and connect them.

    Ends with status 0 when the two are connected, with 1 when the call ends before. The call goes
    on when this command is interrupted.
    """
    with Daemon.needed(config) as daemon:
        chosen = {} if flow is None else {"flow": flow}
        call_id = daemon.ask("call", user=caller, number=number, **chosen)["id"]
        console.print(f"call {call_id}: {caller} to {number}", markup=False)
        state = None
        for record in daemon.stream("calls.watch", call=call_id):
            if record["state"] != state:
                state = record["state"]
                console.print(show_state(record), markup=False)
            if state in {"bridged", "ended"}:
                break
    sys.exit(0 if state == "bridged" else 1)
