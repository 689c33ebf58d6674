"""``sipxd demo``: a server, scripted phones, a click-to-call and a cascade, to look at.

Everything is real but the sound: server and phones speak SIP over UDP sockets, and the calls are
asked for over HTTPS.  It all lives in one process and a temporary directory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from rich.text import Text

from sipxd.cli.common import console
from sipxd.errors import SipxdError

if TYPE_CHECKING:
    from sipxd.call.record import CallRecord
    from sipxd.cli.demo_parts import Demo, Screen

TALK = 1.0
"""Seconds that the first call is up."""
LATER_TALK = 60.0
"""Seconds after which 201 hangs up in the calls that the user makes, unless he does."""


@click.command()
@click.option("--once", is_flag=True, help="End after one call; status 0 if all went well.")
def demo(once: bool) -> None:
    """Show a click-to-call between scripted phones and a forwarded one, then make your own.

    Needs nothing and leaves nothing behind: everything is in a temporary directory, on free ports
    of 127.0.0.1.
    """
    from sipxd.cli import foreground

    try:
        with tempfile.TemporaryDirectory(prefix="sipxd-demo-") as directory:
            status = foreground.run(lambda reactor: _run(reactor, Path(directory), once))
    except OSError as error:
        raise SipxdError(f"the demo cannot be set up or shown: {error}") from None
    sys.exit(status)


async def _run(reactor: Any, directory: Path, once: bool) -> int:
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.logger import globalLogBeginner

    from sipxd import log
    from sipxd.app import App
    from sipxd.cli.demo_cascade import show_cascade
    from sipxd.cli.demo_parts import (
        CALLEE,
        CALLER,
        COLLEAGUES,
        USERS,
        Demo,
        Screen,
        prepare,
        progress,
    )

    console.print("[bold]sipxd demo[/]: a server, four phones and two calls, all on this machine\n")
    with (directory / "sipxd.log").open("w", encoding="utf-8") as stream:
        globalLogBeginner.beginLoggingTo(
            [log.observer(stream)], redirectStandardIO=False, discardBuffer=True
        )
        config, secrets = prepare(directory)
        demo = Demo(App.build(config, reactor), secrets)
        try:
            with progress("starting the server") as done:
                await demo.app.start()
                done(
                    f"server started: SIP at 127.0.0.1:{demo.sip_port} (UDP), "
                    f"HTTPS at 127.0.0.1:{demo.web_port}"
                )
            with progress("registering the phones") as done:
                await demo.add_phone(reactor, CALLER, 0.6)
                await demo.add_phone(reactor, CALLEE, 1.0)
                for name in COLLEAGUES:
                    await demo.add_phone(reactor, name, None)
                done(f"phones of {', '.join(USERS)} registered")
            screen = Screen(demo)
            status = await _first_call(reactor, demo, screen)
            if not status:
                status = await show_cascade(reactor, demo, screen)
            if once or status:
                return status
            screen.explains = True
            phone = demo.phones[CALLEE]
            phone.behaviour = attrs.evolve(phone.behaviour, hang_up_after=LATER_TALK)
            _explain(demo, directory)
            try:
                await Deferred()
            except CancelledError:
                console.print("\nStopping.")
            return status
        finally:
            await demo.stop()


# -- the first call ------------------------------------------------------------------------------


async def _first_call(reactor: Any, demo: Demo, screen: Screen) -> int:
    """The call that everybody sees; 0 when it was bridged and ended on every leg."""
    from twisted.internet.defer import TimeoutError as TookTooLong
    from twisted.internet.task import deferLater

    from sipxd.cli.demo_parts import CALLEE, CALLER, PATIENCE, command, say

    say(f"\n{CALLER} wants to talk to {CALLEE}, and asks for it over HTTPS:")
    path = f"/call/{CALLEE}"
    console.print(command(f"curl -k -X PUT {demo.url(path)}"), soft_wrap=True)
    try:
        record = await _click(reactor, demo, screen, path)
        problem = _what_is_wrong(demo, record)
        if problem:
            console.print(f"\n{problem}", style="red", markup=False)
            return 1
        between = " and ".join(_media(demo, name) for name in (CALLER, CALLEE))
        say(
            "\nThe two are [green]connected[/]: each phone knows where the other wants its media, "
            f"{between}. Sound goes directly between them, never through sipxd (these scripted "
            f"phones are silent). In a second {CALLEE} hangs up.\n"
        )
        await deferLater(reactor, TALK)
        demo.phones[CALLEE].calls[-1].hang_up()
        await demo.all_quiet(reactor)
        answer = await demo.ask(reactor, "GET", f"/v1/calls/{record.id}")
        return _judge(await answer.json())
    except TookTooLong:
        console.print(f"\nThe call made no progress for {PATIENCE:.0f} s.", style="red")
        return 1


async def _click(reactor: Any, demo: Demo, screen: Screen, path: str) -> CallRecord:
    """Ask for the call, and wait until it is bridged or over. Raises SipxdError."""
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater

    from sipxd.cli.demo_parts import PATIENCE

    answer = await demo.ask(reactor, "PUT", path)
    location = answer.headers.getRawHeaders("Location", [""])[0]
    screen.note(f"HTTPS answers {answer.code}, {location}", "dim")
    outcome = demo.app.calls.outcome(location.rpartition("/")[2])
    record = await Deferred.fromCoroutine(outcome).addTimeout(PATIENCE, reactor)
    await deferLater(reactor, 0)  # those who watch the call are told after those who wait for it
    return record


def _what_is_wrong(demo: Demo, record: CallRecord) -> str:
    """Why the call is not what it should be; empty where it is."""
    from sipxd.call.record import CallState
    from sipxd.cli.demo_parts import CALLEE, CALLER

    if record.state is not CallState.BRIDGED:
        sentence = record.cause.sentence if record.cause is not None else "no cause is known"
        return f"The call was not bridged: {sentence}"
    for name, other in ((CALLER, CALLEE), (CALLEE, CALLER)):
        calls = demo.phones[name].calls
        if not calls or not calls[-1].up:
            return f"The phone of {name} is not in the call."
        media = calls[-1].remote_media
        if media is None or media[2] != "sendrecv" or _media(demo, other) != _at(*media[:2]):
            return f"The phone of {name} does not send to the phone of {other}."
    return ""


def _media(demo: Demo, name: str) -> str:
    """Where a phone wants its media, as it says itself."""
    from sipxd.sip.sdp import parse

    description = parse(demo.phones[name].sdp())
    return _at(description.address(0) or "", description.media[0].port)


def _at(host: str, port: int) -> str:
    return f"{host}:{port}"


def _judge(ended: dict[str, Any]) -> int:
    """Say how the call ended, by its record; the exit status."""
    from sipxd.cli.demo_parts import say

    cause = ended["cause"] or {}
    if ended["state"] != "ended" or ended["bridged"] is None or cause.get("code") != 200:
        console.print("\nThe call did not end as it should:", style="red")
        console.print(Text(f"  {ended}"))
        return 1
    say(
        "\nThe call has [green]ended[/] on both phones; its record says: "
        f'ended by the {cause["who"]}, "{cause["sentence"]}" (SIP code {cause["code"]})'
    )
    return 0


# -- afterwards ----------------------------------------------------------------------------------


def _explain(demo: Demo, directory: Path) -> None:
    """How to go on."""
    from sipxd.cli.demo_parts import CALLEE, CALLER, command

    def show(what: str, line: str) -> None:
        console.print(what)
        console.print(command(line), soft_wrap=True)

    url, back = demo.url(f"/call/{CALLEE}"), demo.url(f"/call/{CALLER}", CALLEE)
    config = directory / "sipxd.toml"
    account = f"--server 127.0.0.1:{demo.sip_port} --password {demo.secrets.sip_password[CALLER]}"
    console.print("\n[bold]Now you[/], from another terminal; your calls are drawn here.\n")
    show(f"Ring {CALLER}, then {CALLEE}, and connect them:", f"curl -k -X PUT {url}")
    show("The same, answered when they are connected:", f"curl -k -X PUT '{url}?wait=bridged'")
    show(f"{CALLEE} calls {CALLER}:", f"curl -k -X PUT {back}")
    show(f"See the calls of {CALLER}:", f"curl -k {demo.url('/v1/calls')}")
    show(
        f"Hang up the call with that id (else {CALLEE} does, after {LATER_TALK:.0f} s):",
        f"curl -k -X DELETE {demo.url('/v1/calls/ID')}",
    )
    show("Watch as the operator of the server:", f"{_program()} calls --watch --config {config}")
    show(
        f"See what would become of a call for {CALLEE} if nobody answered:",
        f"{_program()} forward rehearse {CALLEE} --config {config}",
    )
    show(
        f"Be a second phone of {CALLER} (or enter the same in a softphone on this machine):",
        f"{_program()} phone {CALLER} {account}",
    )
    console.print(
        "(-k: the certificate is signed by itself. The paths of sipXcom, as "
        f"/sipxconfig/rest/call/{CALLEE}, work as well.)",
        style="dim",
    )
    console.print("\n[bold]Where things are[/]\n")
    for name, place in (
        ("directory", directory),
        ("configuration", config),
        ("log", directory / "sipxd.log"),
    ):
        console.print(f"  {name:15}{place}", soft_wrap=True)
    console.print("\nCtrl-C ends the demo and removes all of it.")


def _program() -> str:
    """The command as the user can type it: the path, where he gave one."""
    return sys.argv[0] if "/" in sys.argv[0] else "sipxd"
