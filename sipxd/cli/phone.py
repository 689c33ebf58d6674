"""``sipxd phone``: a scripted telephone that registers and says what happens to it."""

from __future__ import annotations

import random
import re
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from sipxd.cli.common import read_secret
from sipxd.errors import BadInput, ConfigError, SipxdError

if TYPE_CHECKING:
    from sipxd.config_values import ListenAddress
    from sipxd.net.listeners import Listener
    from sipxd.net.sip_tls import SipTls
    from sipxd.sip.flow import Flow
    from sipxd.sip.stream import Broken
    from sipxd.testing.phone import Behaviour, Phone

ANSWER_TIME = 5.0
"""Seconds for the answer to the first REGISTER, which is sent four times meanwhile."""
CONNECTIONS = 100
"""Most connections of a phone over TCP or TLS."""
LEAVE_TIME = 2.0
"""Seconds for hanging up, and again for taking the registration back, at the end."""
_NAME = re.compile(r"[A-Za-z0-9_.!~*'+-]{1,64}")
_SECONDS = click.FloatRange(0, 86_400)


def _server(_: object, __: object, text: str) -> tuple[str, int | None]:
    """Host and, where given, port of ``HOST[:PORT]``."""
    from sipxd.sip.headers import HeaderError, split_host_port

    try:
        host, port = split_host_port(text)
    except HeaderError as error:
        raise click.BadParameter(f"{error}; write HOST:PORT, an IPv6 address in brackets") from None
    if not host or port == 0:
        raise click.BadParameter("write HOST:PORT, for example 192.0.2.1:5060")
    return host.strip("[]"), port


def _listen(_: object, __: object, text: str | None) -> ListenAddress | None:
    from sipxd.config_values import parse_listen

    try:
        return parse_listen(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("name")
@click.option(
    "--server", metavar="HOST:PORT", required=True, callback=_server, help="Where to register."
)
@click.option(
    "--password",
    metavar="PW",
    required=True,
    help="SIP password of the user; - reads it from standard input.",
)
@click.option(
    "--domain",
    metavar="D",
    help="The part behind the @ in the user's SIP address.  [default: the server's IP address, "
    "which sipxd takes for its own domain]",
)
@click.option(
    "--transport",
    type=click.Choice(["udp", "tcp", "tls"]),
    default="udp",
    show_default=True,
    help="How to speak with the server.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Over TLS: the certificates to believe, as PEM.  [default: the system's own]",
)
@click.option(
    "--answer-after", metavar="S", type=_SECONDS, help="Ring so many seconds.  [default: 1]"
)
@click.option("--busy", is_flag=True, help="Refuse every call with 486.")
@click.option("--decline", is_flag=True, help="Refuse every call with 603.")
@click.option("--no-answer", is_flag=True, help="Ring until the caller gives up.")
@click.option("--late-answer", is_flag=True, help="Answer a CANCEL with the 200 of the call.")
@click.option("--refuse-offerless", is_flag=True, help="Refuse an INVITE without SDP with 488.")
@click.option("--early-media", is_flag=True, help="Ring with 183 and SDP instead of 180.")
@click.option(
    "--hang-up-after", metavar="S", type=_SECONDS, help="Hang up so many seconds after the answer."
)
@click.option("--call", "number", metavar="NUMBER", help="Call this number once registered.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_listen,
    help="Own IP address and port, 0 for a free one.  [default: a free port]",
)
def phone(
    name: str,
    server: tuple[str, int | None],
    password: str,
    domain: str | None,
    transport: str,
    ca: Path | None,
    number: str | None,
    listen: ListenAddress | None,
    **behaviour: Any,
) -> None:
    """Be a telephone of the user NAME until Ctrl-C.

    It signals like a real one, but has no sound: it registers, rings and answers, and says what
    happens. Without options it answers every call after one second.
    """
    from sipxd.cli import foreground

    wanted = _behaviour(**behaviour)
    if not _NAME.fullmatch(name):
        raise BadInput(f"the user name {name[:80]!r} may have letters, digits and - _ . ! ~ * ' +")
    called = None if number is None else _called(number)
    if password == "-" and sys.stdin.isatty():
        # To log in is not to choose a password: asked once.
        password = click.prompt("SIP password", hide_input=True, err=True)
    secret = read_secret(password, "SIP password") or ""
    host, port = server[0], server[1] or (5061 if transport == "tls" else 5060)
    address = _resolve(host, port)
    at = f"[{address}]" if ":" in address else address
    account = Account(name, secret, domain or at, address, port, transport, host, ca)
    sys.exit(foreground.run(lambda reactor: _run(reactor, account, wanted, called, listen)))


@attrs.frozen
class Account:
    """Whose phone it is, and where it registers: ``host`` is an IP address without brackets.

    Over TLS the server's certificate must carry ``server_name`` and come from one of ``ca``.
    """

    name: str
    password: str = attrs.field(repr=False)
    domain: str
    host: str
    port: int
    transport: str = "udp"
    server_name: str = ""
    ca: Path | None = None


def _behaviour(
    *, answer_after: float | None, busy: bool, decline: bool, no_answer: bool, **rest: Any
) -> Behaviour:
    from sipxd.testing.phone import Behaviour

    if busy + decline + no_answer + (answer_after is not None) > 1:
        raise click.UsageError(
            "--answer-after, --busy, --decline and --no-answer exclude each other"
        )
    seconds = 1.0 if answer_after is None else answer_after
    refuse = 486 if busy else 603 if decline else 0
    return Behaviour(answer_after=None if no_answer else seconds, refuse=refuse, **rest)


def _called(number: str) -> str:
    from sipxd.call.numbers import clean_number, uri_user

    cleaned = clean_number(number)
    if cleaned.host is not None:
        raise BadInput(f"--call takes a number of the own domain; leave out @{cleaned.host}")
    return uri_user(cleaned.user)


def _resolve(host: str, port: int) -> str:
    """The first IP address of ``host``. Raises ConfigError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise ConfigError(f"there is no host {host}; correct --server") from None
    return str(found[0][4][0])


def open_phone(
    reactor: Any,
    account: Account,
    behaviour: Behaviour,
    listen: ListenAddress | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Phone, Listener]:
    """A phone and its transport, open; not registered yet. Raises ConfigError."""
    from sipxd.config_values import ListenAddress
    from sipxd.testing.phone import Phone

    ipv6 = ":" in account.host
    if listen is None:
        listen = ListenAddress(account.transport, "::" if ipv6 else "0.0.0.0", 0)
    elif (":" in listen.host) != ipv6:
        raise ConfigError(
            f"--listen {listen.host} cannot reach {account.host}: use the same IP version"
        )
    ears = _Ears()
    transport = _transport(reactor, account, listen, ears)
    try:
        transport.listen()
    except ConfigError as error:
        # The sentence was made for the daemon's configuration.
        raise ConfigError(error.detail.replace("in [sip] listen", "with --listen")) from None
    opened = ears.phone = Phone(
        account.name,
        account.password,
        domain=account.domain,
        server=transport.flow_to(account.host, account.port, account.server_name),
        clock=reactor,
        random=random.SystemRandom(),
        behaviour=behaviour,
        media_port=2 * random.randrange(8_000, 30_000),
        tell=tell,
    )
    opened.attach(transport)
    return opened, transport


class _Ears:
    """Hands on to the phone's stack what its transport hears: the transport is there first."""

    phone: Phone

    def receive(self, data: bytes, flow: Flow) -> None:
        """One message has come in."""
        self.phone.stack.receive(data, flow)

    def misframed(self, broken: Broken, flow: Flow) -> None:
        """What came cannot be divided into messages."""
        self.phone.stack.misframed(broken, flow)

    def flow_closed(self, flow: Flow) -> None:
        """A connection has ended, or could not be opened."""
        self.phone.stack.flow_closed(flow)


def _transport(reactor: Any, account: Account, listen: ListenAddress, ears: _Ears) -> Listener:
    from collections import Counter

    from sipxd.net.connections import Connections
    from sipxd.net.stream import StreamTransport
    from sipxd.net.udp import UdpTransport

    if account.transport == "udp":
        return UdpTransport(reactor, listen.host, listen.port, ears.receive)
    tls = _tls(account) if account.transport == "tls" else None
    connections = Connections(reactor, CONNECTIONS, Counter())
    return StreamTransport(reactor, listen.host, listen.port, ears, connections, tls=tls)


def _tls(account: Account) -> SipTls:
    """TLS with a certificate that nobody has to believe: a phone is known by its password."""
    from twisted.internet.ssl import PrivateCertificate

    from sipxd.net.sip_tls import SipTls
    from sipxd.web.tls import make_self_signed

    own = PrivateCertificate.loadPEM(b"".join(make_self_signed([account.name])))
    return SipTls(own.options(), account.ca)


async def _run(
    reactor: Any,
    account: Account,
    behaviour: Behaviour,
    number: str | None,
    listen: ListenAddress | None,
) -> int:
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.logger import LogLevel, globalLogBeginner

    from sipxd import log
    from sipxd.net.address import format_address

    warnings = log.observer(sys.stderr, LogLevel.warn)
    globalLogBeginner.beginLoggingTo([warnings], redirectStandardIO=False, discardBuffer=True)

    def tell(text: str) -> None:
        now = time.time()
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03}"
        with suppress(OSError):  # nobody may read any more
            click.echo(f"{stamp}  {account.name} {log.escape(text)}")

    server = format_address(account.host, account.port)
    scripted, transport = open_phone(reactor, account, behaviour, listen, tell)
    try:
        try:
            tell(f"registers at {server} from {transport.sent_by(account.host)}")
        except OSError as error:
            raise SipxdError(f"{server} cannot be reached: {error.strerror}") from None
        await register(scripted, server, reactor, account.transport)
        if number is not None:
            tell(f"calls {number}")
            scripted.call(number)
        try:
            await Deferred()
        except CancelledError:
            await _leave(scripted, reactor)
        return 0
    finally:
        scripted.timers.stop()
        await transport.close()


async def register(phone: Phone, server: str, reactor: Any, transport: str = "udp") -> None:
    """Register. Raises SipxdError with a sentence."""
    from twisted.internet.defer import TimeoutError as TookTooLong

    from sipxd.testing.phone import NotRegistered

    phone.register()
    try:
        await phone.registered.addTimeout(ANSWER_TIME, reactor)
    except TookTooLong:
        raise SipxdError(
            f"no answer from {server}: check --server, that sipxd listens there for "
            f"{transport.upper()}, and that no firewall is between"
        ) from None
    except NotRegistered as error:
        if error.status in (401, 403):
            raise SipxdError(
                f"the server refuses user {phone.name} with this password ({error.status}): check "
                "the user name, the SIP password (it is not the PIN) and --domain"
            ) from None
        if error.status == 503 and transport != "udp":
            raise SipxdError(
                f"no connection to {server}: check --server and that sipxd listens there for "
                f"{transport.upper()}; the line above says what happened"
            ) from None
        raise SipxdError(
            f"the server does not register user {phone.name}: it answered {error.status}"
        ) from None


async def _leave(phone: Phone, reactor: Any) -> None:
    """Hang up, and take the registration back, as far as the server answers in time."""
    from twisted.internet.defer import TimeoutError as TookTooLong
    from twisted.internet.task import deferLater

    for call in phone.live_calls:
        call.hang_up()
    end = reactor.seconds() + LEAVE_TIME
    while phone.live_calls and reactor.seconds() < end:
        await deferLater(reactor, 0.02)
    phone.register(0)
    with suppress(TookTooLong):  # it runs out by itself
        await phone.left.addTimeout(LEAVE_TIME, reactor)
