"""The parts of ``sipxd demo``: a server and phones in one directory, and the screen of ladders."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from rich.console import Console
from rich.text import Text

from sipxd.cli.common import console
from sipxd.errors import SipxdError

if TYPE_CHECKING:
    from sipxd.app import App
    from sipxd.call.record import CallRecord
    from sipxd.config import Config
    from sipxd.net.listeners import Listener
    from sipxd.sip.flow import Flow
    from sipxd.testing.phone import Phone

CALLER, CALLEE = "200", "201"
COLLEAGUES = ("202", "203")
USERS = (CALLER, CALLEE, *COLLEAGUES)
PATIENCE = 15.0
"""Seconds for each step of a call; on a busy machine it may take a while."""
PLAIN_WIDTH = 80
"""Columns where the output is no terminal."""

_CONFIGURATION = """\
# Written by "sipxd demo". Port 0 stands for any free one.
domain = "demo.example"
state_dir = {directory}
[web]
listen = ["127.0.0.1:0"]
metrics_listen = ""
[sip]
listen = ["udp:127.0.0.1:0"]
"""


@attrs.frozen
class Secrets:
    """What the demo's users log in with."""

    pin: dict[str, str] = attrs.field(repr=False)
    sip_password: dict[str, str] = attrs.field(repr=False)


class Demo:
    """What is running: the server and the phones."""

    def __init__(self, app: App, secrets: Secrets) -> None:
        self.app = app
        self.secrets = secrets
        self.phones: dict[str, Phone] = {}
        self._transports: list[Listener] = []

    @property
    def sip_port(self) -> int:
        """The server's port for SIP over UDP."""
        return self.app.sip.open[0].port

    def url(self, path: str, user: str = CALLER) -> str:
        """A URL of the server with the user's credentials in it, as for curl."""
        return f"https://{user}:{self.secrets.pin[user]}@127.0.0.1:{self.web_port}{path}"

    @property
    def web_port(self) -> int:
        """The server's port for HTTPS."""
        port: int = self.app.web_ports[0].getHost().port  # type: ignore[attr-defined]
        return port

    async def add_phone(self, reactor: Any, name: str, answer_after: float | None) -> None:
        """Register a phone that answers after so many seconds, or never. Raises SipxdError."""
        from sipxd.cli.phone import Account, open_phone, register
        from sipxd.config_values import ListenAddress
        from sipxd.testing.phone import Behaviour

        password = self.secrets.sip_password[name]
        account = Account(name, password, self.app.config.domain, "127.0.0.1", self.sip_port)
        listen = ListenAddress("udp", "127.0.0.1", 0)
        behaviour = Behaviour(answer_after=answer_after)
        self.phones[name], transport = open_phone(reactor, account, behaviour, listen)
        self._transports.append(transport)
        await register(self.phones[name], f"127.0.0.1:{self.sip_port}", reactor)

    async def ask(
        self, reactor: Any, method: str, path: str, user: str = CALLER, body: bytes | None = None
    ) -> Any:
        """The answer to an HTTPS request of ``user``. Raises SipxdError for any but 200.

        Trusts the demo's own certificate and no other.
        """
        from treq.client import HTTPClient
        from twisted.internet.ssl import Certificate, trustRootFromCertificates
        from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseFailed

        pem = self.app.config.certificate_path.read_bytes()
        trust = trustRootFromCertificates([Certificate.loadPEM(pem)])
        client = HTTPClient(Agent(reactor, BrowserLikePolicyForHTTPS(trust)))
        url = f"https://127.0.0.1:{self.web_port}{path}"
        asking = client.request(method, url, auth=(user, self.secrets.pin[user]), data=body)
        try:
            answer = await asking.addTimeout(PATIENCE, reactor)
        except ResponseFailed as error:
            raise SipxdError(f"the server did not answer {method} {path}: {error}") from None
        if answer.code != 200:
            raise SipxdError(f"{method} {path} was answered {answer.code}: {await answer.text()}")
        return answer

    async def all_quiet(self, reactor: Any) -> None:
        """Wait until no leg is left, on the phones as on the server. Raises TimeoutError."""
        from twisted.internet.defer import TimeoutError as TookTooLong
        from twisted.internet.task import deferLater

        end = reactor.seconds() + PATIENCE
        table, phones = self.app.table, self.phones.values()
        while table.calls or table.leg_count or any(phone.live_calls for phone in phones):
            if reactor.seconds() > end:
                raise TookTooLong
            await deferLater(reactor, 0.02)

    async def stop(self) -> None:
        """End every call, then close everything."""
        await self.app.stop()
        for phone in self.phones.values():
            phone.timers.stop()
        for transport in self._transports:
            await transport.close()


class Screen:
    """Draws the ladders while the calls go on, each with a head and an end."""

    def __init__(self, demo: Demo) -> None:
        from sipxd.testing.ladder import Drawing, Ladder

        self._demo = demo
        self._ladder = Ladder(CALLER, CALLEE)
        width = console.width if console.is_terminal else PLAIN_WIDTH
        self._drawing = Drawing(CALLER, CALLEE, width, plain=not is_fancy(console))
        self._start = 0.0
        self._states: dict[str, str] = {}
        self.draws = True
        self.explains = False
        """Whether each call is shown with its way to be ended; the first one runs by itself."""
        demo.app.stack.trace = self._traced
        demo.app.calls.subscribe(self._changed)

    def _traced(self, direction: str, data: bytes, flow: Flow) -> None:
        if not self.draws:
            return
        step = self._ladder.read(direction, data, f"{flow.host}:{flow.port}", time.monotonic())
        if step is not None:
            self._print(self._drawing.step(step, self._start))

    def note(self, text: str, style: str = "bold") -> None:
        """A line between the messages."""
        self._print(self._drawing.note(text, time.monotonic(), self._start, style))

    def _changed(self, record: CallRecord) -> None:
        from sipxd.call.record import CallState

        if not self.draws or self._states.get(record.id) == record.state:
            return
        if record.id not in self._states:
            self._begin(record)
        self._states[record.id] = record.state
        if record.state is CallState.BRIDGED:
            self.note("bridged", "bold green")
        elif record.state is CallState.ENDED:
            del self._states[record.id]
            cause = record.cause
            code = f"{cause.code} " if cause is not None and cause.code != 200 else ""
            why = f" by {cause.who}: {code}{cause.sentence}" if cause is not None else ""
            self.note(f"ended{why}")

    def _begin(self, record: CallRecord) -> None:
        if not self._states:
            self._start = time.monotonic()
        if self.explains:
            self._print(Text(f"\nCall {record.id}: {record.user} calls {record.number}", "bold"))
            self._print(Text("To hang up:"))
            hang_up = self._demo.url(f"/v1/calls/{record.id}", record.user)
            self._print(command(f"curl -k -X DELETE {hang_up}"))
        self._print(Text(""))
        self._print(self._drawing.heading())

    def _print(self, text: Text) -> None:
        """Called by the stack, which must not hear of a terminal that is gone."""
        try:
            console.print(text, soft_wrap=True)
        except (OSError, SystemExit):  # the latter is rich's answer to a broken pipe
            self._demo.app.stack.trace = None
            signal.raise_signal(signal.SIGTERM)


def say(text: str) -> None:
    """A paragraph, with rich's markup, in lines that are not too long to read."""
    console.print(text, width=min(console.width, 100) if console.is_terminal else PLAIN_WIDTH)


def command(text: str) -> Text:
    """A command line to copy."""
    return Text(f"  {text}", "cyan")


def is_fancy(console: Console) -> bool:
    """Whether line-drawing characters can be shown."""
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and console.encoding.lower().startswith("utf")
    )


def prepare(directory: Path) -> tuple[Config, Secrets]:
    """What ``sipxd init`` and ``sipxd user add`` would make. Blocks for a second."""
    from sipxd import config as configuration
    from sipxd.service.account_changes import create_user, ensure_superadmin
    from sipxd.service.account_requests import NewUser
    from sipxd.service.vault import Vault, generate_password, generate_pin
    from sipxd.store.engine import create_engine, migrate
    from sipxd.web.tls import make_self_signed

    path = directory / "sipxd.toml"
    path.write_text(_CONFIGURATION.format(directory=json.dumps(str(directory))), encoding="utf-8")
    config = configuration.load(path)
    with progress("making a certificate") as done:
        certificate, key = make_self_signed(["127.0.0.1", "localhost"])
        config.certificate_path.write_bytes(certificate)
        config.private_key_path.touch(0o600)
        config.private_key_path.write_bytes(key)
        done("certificate made, signed by itself")
    secrets = Secrets(
        {name: generate_pin() for name in USERS}, {name: generate_password() for name in USERS}
    )
    with progress("making the database") as done:
        migrate(config.database_url)
        vault = Vault.create(config.key_path)
        engine = create_engine(config.database_url)
        try:
            with engine.begin() as connection:
                ensure_superadmin(connection, vault, generate_password())
                for name in USERS:
                    new = NewUser(
                        name=name, pin=secrets.pin[name], sip_password=secrets.sip_password[name]
                    )
                    create_user(connection, vault, new)
        finally:
            engine.dispose()
        done(f"database made, with the users {', '.join(USERS)}")
    return config, secrets


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show that something is being done; it gets what says how it was done."""
    finished: list[str] = []
    fancy = is_fancy(console)
    with console.status(what, spinner="dots" if fancy else "line"):
        yield finished.append
    mark = "[green]✔[/]" if fancy else "[green]ok[/]"
    for text in finished:
        console.print(f"  {mark}  {text}", soft_wrap=True)
