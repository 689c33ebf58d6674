"""The configuration file: TOML in, one frozen value out, every mistake named in one sentence.

The options, their names and their defaults are those of the design's section 7.  Unknown keys are
refused, because an option that is silently ignored is worse than one that is missing.  A test
keeps ``etc/sipxd.toml`` in step with the classes below.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_type_hints

import attrs
import msgspec

from sipxd.config_values import (
    ListenAddress,
    between,
    check_advertise,
    check_database_url,
    check_domain,
    check_metrics_listen,
    check_outbound_proxy,
    check_realm,
    check_sip_uri,
    check_state_dir,
    check_time_zone,
    check_voicemail_uri,
    dial_prefix,
    dns_server,
    each,
    emergency_number,
    network,
    one_of,
    one_of_numbers,
    origin,
    parse_listen,
    parse_sip_listen,
    plugin,
)
from sipxd.directory.gateway import Gateway
from sipxd.directory.route import Route
from sipxd.errors import ConfigError

DEFAULT_PATH = Path("/etc/sipxd/sipxd.toml")

FLOWS = ("offer", "offerless", "refer", "auto")
"""How a click-to-call can be set up."""

TYPE_NAMES = {
    "bool": "true or false",
    "int": "a whole number",
    "str": "a text in quotes",
    "array": "a list in brackets",
    "object": "a section",
}

# -- sections ------------------------------------------------------------------------------------


@attrs.frozen
class Database:
    """Where accounts, registrations and call records are kept."""

    url: str = attrs.field(default="", validator=check_database_url)


@attrs.frozen
class Web:
    """The HTTPS door and the metrics listener."""

    listen: tuple[str, ...] = attrs.field(
        default=("0.0.0.0:8443",), validator=each(parse_listen, at_least=1)
    )
    certificate: str = ""
    private_key: str = ""
    metrics_listen: str = attrs.field(default="127.0.0.1:9464", validator=check_metrics_listen)
    digest: bool = False
    callcontroller_listen: tuple[str, ...] = attrs.field(default=(), validator=each(parse_listen))
    plugins: tuple[str, ...] = attrs.field(default=(), validator=each(plugin))
    cors_origins: tuple[str, ...] = attrs.field(default=(), validator=each(origin))
    soap_test_service: bool = False

    @property
    def addresses(self) -> tuple[ListenAddress, ...]:
        """``listen``, parsed."""
        return tuple(parse_listen(entry) for entry in self.listen)

    @property
    def callcontroller_addresses(self) -> tuple[ListenAddress, ...]:
        """``callcontroller_listen``, parsed."""
        return tuple(parse_listen(entry) for entry in self.callcontroller_listen)

    @property
    def metrics_address(self) -> ListenAddress | None:
        """``metrics_listen``, parsed; None where switched off."""
        return parse_listen(self.metrics_listen) if self.metrics_listen else None


@attrs.frozen
class Sip:
    """The SIP side."""

    listen: tuple[str, ...] = attrs.field(
        default=("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tls:0.0.0.0:5061"),
        validator=each(parse_sip_listen, at_least=1),
    )
    advertise: str = attrs.field(default="", validator=check_advertise)
    realm: str = attrs.field(default="", validator=check_realm)
    registrar: bool = True
    outbound_proxy: str = attrs.field(default="", validator=check_outbound_proxy)
    allow_guests: bool = False
    trusted_peers: tuple[str, ...] = attrs.field(default=(), validator=each(network))
    nat_keepalive: int = attrs.field(default=25, validator=between(0, 3600))
    certificate: str = ""
    private_key: str = ""
    ca: str = ""
    dns: tuple[str, ...] = attrs.field(default=(), validator=each(dns_server))

    @property
    def addresses(self) -> tuple[ListenAddress, ...]:
        """``listen``, parsed."""
        return tuple(parse_sip_listen(entry) for entry in self.listen)

    @property
    def trusted_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """``trusted_peers``, parsed."""
        return tuple(ipaddress.ip_network(entry) for entry in self.trusted_peers)


@attrs.frozen
class Call:
    """How calls are made. Times are in seconds."""

    flow: str = attrs.field(default="offer", validator=one_of(*FLOWS))
    caller_leg_from: str = attrs.field(default="auto", validator=one_of("auto", "number", "user"))
    ring_timeout: int = attrs.field(default=30, validator=between(1, 999))
    ring_limit: int = attrs.field(default=180, validator=between(1, 3600))
    early_media_extends: bool = False
    time_zone: str = attrs.field(default="", validator=check_time_zone)
    ringback: str = attrs.field(default="", validator=check_sip_uri)
    busy_tone: str = attrs.field(default="", validator=check_sip_uri)
    emergency: tuple[str, ...] = attrs.field(
        default=("110", "112", "911", "999"), validator=each(emergency_number)
    )
    international: tuple[str, ...] = attrs.field(
        default=("+", "00", "011"), validator=each(dial_prefix)
    )
    home: tuple[str, ...] = attrs.field(default=(), validator=each(dial_prefix))
    forbidden: tuple[str, ...] = attrs.field(default=(), validator=each(dial_prefix))
    session_expires: int = attrs.field(default=1800, validator=between(90, 86_400))


@attrs.frozen
class Voicemail:
    """Where calls end that nobody answers."""

    uri: str = attrs.field(default="", validator=check_voicemail_uri)

    @property
    def host(self) -> str:
        """The host that has the boxes, as far as it can be a name; empty: there are none."""
        return re.split("[:;?]", self.uri.partition("@")[2].lower(), maxsplit=1)[0]


@attrs.frozen
class Phonebook:
    """What phonebooks tell, and how."""

    everyone: bool = True
    duplicate_status: int = attrs.field(default=747, validator=one_of_numbers(409, 747))


@attrs.frozen
class Limits:
    """Bounds of everything that grows with traffic. What is beyond a bound is refused."""

    calls: int = attrs.field(default=5000, validator=between(1, 1_000_000))
    transactions: int = attrs.field(default=100_000, validator=between(100, 10_000_000))
    bindings_per_user: int = attrs.field(default=10, validator=between(1, 100))
    store_queue: int = attrs.field(default=10_000, validator=between(100, 1_000_000))
    sip_connections: int = attrs.field(default=10_000, validator=between(10, 1_000_000))
    source_requests: int = attrs.field(default=50, validator=between(1, 1_000_000))
    ban_seconds: int = attrs.field(default=300, validator=between(1, 86_400))
    user_calls_pending: int = attrs.field(default=3, validator=between(1, 100_000))
    user_calls_per_minute: int = attrs.field(default=10, validator=between(1, 1_000_000))
    user_forwards_pending: int = attrs.field(default=50, validator=between(1, 100_000))
    parallel_branches: int = attrs.field(default=20, validator=between(1, 100))
    http_body: int = attrs.field(default=1_048_576, validator=between(1024, 104_857_600))
    http_header: int = attrs.field(default=16_384, validator=between(1024, 1_048_576))
    http_connections: int = attrs.field(default=1000, validator=between(1, 100_000))


@attrs.frozen
class Config:
    """The whole configuration."""

    domain: str = attrs.field(validator=check_domain)
    state_dir: Path = attrs.field(default=Path("/var/lib/sipxd"), validator=check_state_dir)
    database: Database = attrs.field(factory=Database)
    web: Web = attrs.field(factory=Web)
    sip: Sip = attrs.field(factory=Sip)
    call: Call = attrs.field(factory=Call)
    voicemail: Voicemail = attrs.field(factory=Voicemail)
    phonebook: Phonebook = attrs.field(factory=Phonebook)
    limits: Limits = attrs.field(factory=Limits)
    gateway: tuple[Gateway, ...] = ()
    route: tuple[Route, ...] = ()

    def __attrs_post_init__(self) -> None:
        names = [gateway.name for gateway in self.gateway]
        open_ones = {address.transport for address in self.sip.addresses}
        for index, gateway in enumerate(self.gateway):
            if gateway.transport and gateway.transport not in open_ones:
                raise ValueError(
                    f"gateway[{index}].uri needs an entry {gateway.transport}:HOST:PORT in "
                    "[sip] listen"
                )
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f"gateway[{index}].name is {name!r}, as that of another gateway")
        for index, route in enumerate(self.route):
            for name in route.gateways:
                if name not in names:
                    close = difflib.get_close_matches(name, names, 1)
                    hint = f"did you mean {close[0]!r}?" if close else f"known: {sorted(names)}"
                    raise ValueError(f"route[{index}].gateways names no gateway {name!r}; {hint}")
        if self.voicemail.host == self.domain and not self.sip.outbound_proxy:
            raise ValueError(
                f"voicemail.uri is an address of {self.domain}, which would lead back to sipxd: "
                "name the PBX that has the boxes in [sip] outbound_proxy, or write its own address"
            )

    @property
    def database_url(self) -> str:
        """The database to use: the configured one, else the SQLite file in ``state_dir``."""
        return self.database.url or f"sqlite:///{self.state_dir / 'sipxd.sqlite'}"

    @property
    def certificate_path(self) -> Path:
        """The PEM file of the HTTPS certificate; a relative path counts from ``state_dir``."""
        return self.state_dir / (self.web.certificate or "certificate.pem")

    @property
    def private_key_path(self) -> Path:
        """The PEM file of its key; a relative path counts from ``state_dir``."""
        return self.state_dir / (self.web.private_key or "private_key.pem")

    @property
    def sip_certificate_path(self) -> Path:
        """The PEM file of the certificate that SIP over TLS shows: that of HTTPS by default."""
        return self.state_dir / (self.sip.certificate or self.certificate_path)

    @property
    def sip_private_key_path(self) -> Path:
        """The PEM file of its key."""
        return self.state_dir / (self.sip.private_key or self.private_key_path)

    @property
    def sip_ca_path(self) -> Path | None:
        """The PEM file of those whose certificates are believed; None: the system's own."""
        return self.state_dir / self.sip.ca if self.sip.ca else None

    @property
    def digest_realm(self) -> str:
        """The realm of HTTP Digest; empty: it is switched off."""
        return self.realm_or_domain if self.web.digest else ""

    @property
    def realm_or_domain(self) -> str:
        """The digest realm."""
        return self.sip.realm or self.domain

    @property
    def admin_socket(self) -> Path:
        """The socket over which ``sipxd`` commands reach the daemon."""
        return self.state_dir / "admin.sock"

    @property
    def key_path(self) -> Path:
        """The key that encrypts the SIP passwords in the database."""
        return self.state_dir / "secret.key"


# -- loading -------------------------------------------------------------------------------------


def default_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The configuration file used when none is named: ``SIPXD_CONFIG``, else the one in /etc."""
    return Path(environment.get("SIPXD_CONFIG") or DEFAULT_PATH)


def load(path: Path) -> Config:
    """Read the file at ``path``. Raises ConfigError with one sentence."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path}; 'sipxd init' writes one, "
            "--config names another"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    try:
        return parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.detail}", field=error.field) from None


def parse(text: str) -> Config:
    """The configuration written in ``text`` (TOML). Raises ConfigError with one sentence."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}") from None
    _refuse_unknown(data, Config, "")
    if "domain" not in data:
        raise ConfigError(
            'domain is missing; write for example domain = "example.org"', field="domain"
        )
    try:
        return msgspec.convert(data, Config, dec_hook=_convert_path)
    except msgspec.ValidationError as error:
        raise _sentence(str(error)) from None


def _convert_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError("must be a text in quotes")


def _refuse_unknown(data: Mapping[str, object], kind: type, section: str) -> None:
    """Raise ConfigError for a key that ``kind`` does not have: msgspec would drop it in silence."""
    known = {field.name for field in attrs.fields(kind)}
    hints = get_type_hints(kind)
    for key, value in data.items():
        name = f"{section}{key}"
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {section}{close[0]}?" if close else f"known: {sorted(known)}"
            raise ConfigError(f"there is no option {name}; {hint}", field=name)
        if isinstance(value, dict) and attrs.has(hints[key]):
            _refuse_unknown(value, hints[key], f"{name}.")
        elif isinstance(value, list) and (kinds := get_args(hints[key])) and attrs.has(kinds[0]):
            for index, entry in enumerate(value):
                if isinstance(entry, dict):
                    _refuse_unknown(entry, kinds[0], f"{name}[{index}].")


def _sentence(message: str) -> ConfigError:
    """Put msgspec's "Expected `int`, got `str` - at `$.call.ring_timeout`" into our words."""
    what, _, where = message.partition(" - at `$")
    path = where.strip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", what)
    if missing:
        return ConfigError(f"{path}.{missing[1]} is missing", field=f"{path}.{missing[1]}")
    expected = re.fullmatch(r"Expected `(\w+)[^`]*`, got `(\w+)`", what)
    if expected and expected[1] == "array" and expected[2] == "object":
        return ConfigError(f"{path} must be written [[{path}]], once for each", field=path)
    if expected:
        wanted = TYPE_NAMES.get(expected[1], expected[1])
        return ConfigError(f"{path} must be {wanted}", field=path)
    # A validator's sentence begins with the option's name; the path is that of its section.
    option = what.split(" ", 1)[0].rstrip(":")
    if path.rsplit(".", 1)[-1] == option or path == "state_dir":
        return ConfigError(what if what.startswith(path) else f"{path} {what}", field=path)
    prefix = f"{path}." if path else ""
    return ConfigError(f"{prefix}{what}", field=f"{prefix}{option}")
