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
from typing import Any, get_type_hints

import attrs
import msgspec

from sipxd.errors import ConfigError

DEFAULT_PATH = Path("/etc/sipxd/sipxd.toml")

TYPE_NAMES = {
    "int": "a whole number",
    "str": "a text in quotes",
    "array": "a list in brackets",
    "object": "a section",
}

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
SIP_URI = re.compile(r"sips?:[!-~]{1,250}")
EMERGENCY_NUMBER = re.compile(r"[0-9*#]{1,32}")


@attrs.frozen
class ListenAddress:
    """Where to listen: ``transport`` is ``udp`` (SIP) or ``tcp`` (HTTP); port 0: a free one."""

    transport: str
    host: str
    """An IP address, without brackets."""
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """``HOST:PORT`` for HTTP; HOST is an IP address, IPv6 in brackets. Raises ValueError."""
    host, port = _split_port(text)
    if port is None:
        raise ValueError(f"{text!r} has no port; write HOST:PORT, for example 0.0.0.0:8443")
    return ListenAddress("tcp", _ip_address(text, host), port)


def parse_sip_listen(text: str) -> ListenAddress:
    """``udp:HOST:PORT``; HOST is an IP address, IPv6 in brackets. Raises ValueError."""
    transport, colon, rest = text.partition(":")
    if transport != "udp" or not colon:
        raise ValueError(f"{text!r} must read udp:HOST:PORT, for example udp:0.0.0.0:5060")
    host, port = _split_port(rest)
    if port is None:
        raise ValueError(f"{text!r} has no port; write udp:HOST:PORT, for example {text}:5060")
    return ListenAddress("udp", _ip_address(text, host), port)


def _split_port(text: str) -> tuple[str, int | None]:
    """Host (brackets kept away) and port, or None where no port is given."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} has unpaired brackets; write [IPv6 address]:PORT")
        digits = rest[1:] if rest else None
    else:
        host, colon, tail = text.partition(":")
        if ":" in tail:
            raise ValueError(f"{text!r} has an IPv6 address that needs brackets, as in [::1]:5060")
        digits = tail if colon else None
    if digits is None:
        return host, None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535):
        raise ValueError(f"{text!r} has a port that is no number from 0 to 65535")
    return host, int(digits)


def _ip_address(text: str, host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(
            f"{text!r} must name an IP address to listen on (0.0.0.0 or [::] for all), not {host!r}"
        ) from None


# -- validators: attrs hands over (instance, attribute, value) -----------------------------------


def _between(low: int, high: int) -> Any:
    def check(_: object, attribute: attrs.Attribute[int], value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} must be from {low} to {high}, not {value}")

    return check


def _each(rule: Any, at_least: int = 0) -> Any:
    """Apply ``rule`` (raises ValueError) to every entry of a list without repetitions."""

    def check(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
        if len(value) < at_least:
            raise ValueError(f"{attribute.name} must have at least {at_least} entry")
        if len(set(value)) != len(value):
            raise ValueError(f"{attribute.name} names an entry twice")
        for entry in value:
            try:
                rule(entry)
            except ValueError as error:
                raise ValueError(f"{attribute.name}: {error}") from None

    return check


def _network(text: str) -> None:
    ipaddress.ip_network(text)


def _emergency_number(text: str) -> None:
    if not EMERGENCY_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number of 1 to 32 digits, * and #")


def _host(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not HOST_NAME.fullmatch(text):
            raise ValueError(f"{text!r} is neither a host name nor an IP address") from None


def _check_domain(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    try:
        _host(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None


def _check_advertise(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        try:
            host, port = _split_port(value)
            _host(host)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}") from None
        if port == 0:
            raise ValueError(f"{attribute.name} must not have port 0")


def _check_realm(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if len(value) > 200 or not value.isprintable() or '"' in value or "\\" in value:
        raise ValueError(
            f"{attribute.name} must have at most 200 printable characters, no quote, no backslash"
        )


def _check_sip_uri(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not (SIP_URI.fullmatch(value) and not set(value) & set('<>"\\')):
        raise ValueError(f"{attribute.name} must be a SIP URI such as sip:tone@pbx.example.org")


def _check_metrics_listen(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        try:
            parse_listen(value)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}") from None


def _check_state_dir(_: object, attribute: attrs.Attribute[Path], value: Path) -> None:
    if not value.is_absolute():
        raise ValueError(f"{attribute.name} must be an absolute path, not {str(value)!r}")


def _check_database_url(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not value.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise ValueError(  # the value may hold a password, so it is not repeated
            f"{attribute.name} must start with postgresql:// or sqlite://// (an absolute path), "
            "or be empty for the file in state_dir"
        )


# -- sections ------------------------------------------------------------------------------------


@attrs.frozen
class Database:
    """Where accounts, registrations and call records are kept."""

    url: str = attrs.field(default="", validator=_check_database_url)


@attrs.frozen
class Web:
    """The HTTPS door and the metrics listener."""

    listen: tuple[str, ...] = attrs.field(
        default=("0.0.0.0:8443",), validator=_each(parse_listen, at_least=1)
    )
    certificate: str = ""
    private_key: str = ""
    metrics_listen: str = attrs.field(default="127.0.0.1:9464", validator=_check_metrics_listen)

    @property
    def addresses(self) -> tuple[ListenAddress, ...]:
        """``listen``, parsed."""
        return tuple(parse_listen(entry) for entry in self.listen)

    @property
    def metrics_address(self) -> ListenAddress | None:
        """``metrics_listen``, parsed; None where switched off."""
        return parse_listen(self.metrics_listen) if self.metrics_listen else None


@attrs.frozen
class Sip:
    """The SIP side."""

    listen: tuple[str, ...] = attrs.field(
        default=("udp:0.0.0.0:5060",), validator=_each(parse_sip_listen, at_least=1)
    )
    advertise: str = attrs.field(default="", validator=_check_advertise)
    realm: str = attrs.field(default="", validator=_check_realm)
    trusted_peers: tuple[str, ...] = attrs.field(default=(), validator=_each(_network))

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

    ring_timeout: int = attrs.field(default=30, validator=_between(1, 999))
    ringback: str = attrs.field(default="", validator=_check_sip_uri)
    busy_tone: str = attrs.field(default="", validator=_check_sip_uri)
    emergency: tuple[str, ...] = attrs.field(
        default=("110", "112", "911", "999"), validator=_each(_emergency_number)
    )
    session_expires: int = attrs.field(default=1800, validator=_between(90, 86_400))


@attrs.frozen
class Limits:
    """Bounds of everything that grows with traffic. What is beyond a bound is refused."""

    calls: int = attrs.field(default=5000, validator=_between(1, 1_000_000))
    transactions: int = attrs.field(default=100_000, validator=_between(100, 10_000_000))
    bindings_per_user: int = attrs.field(default=10, validator=_between(1, 100))
    store_queue: int = attrs.field(default=10_000, validator=_between(100, 1_000_000))
    user_calls_pending: int = attrs.field(default=3, validator=_between(1, 100_000))
    user_calls_per_minute: int = attrs.field(default=10, validator=_between(1, 1_000_000))
    parallel_branches: int = attrs.field(default=20, validator=_between(1, 100))
    http_body: int = attrs.field(default=1_048_576, validator=_between(1024, 104_857_600))
    http_header: int = attrs.field(default=16_384, validator=_between(1024, 1_048_576))
    http_connections: int = attrs.field(default=1000, validator=_between(1, 100_000))


@attrs.frozen
class Config:
    """The whole configuration."""

    domain: str = attrs.field(validator=_check_domain)
    state_dir: Path = attrs.field(default=Path("/var/lib/sipxd"), validator=_check_state_dir)
    database: Database = attrs.field(factory=Database)
    web: Web = attrs.field(factory=Web)
    sip: Sip = attrs.field(factory=Sip)
    call: Call = attrs.field(factory=Call)
    limits: Limits = attrs.field(factory=Limits)

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


def _sentence(message: str) -> ConfigError:
    """Put msgspec's "Expected `int`, got `str` - at `$.call.ring_timeout`" into our words."""
    what, _, where = message.partition(" - at `$")
    path = where.strip("`").lstrip(".")
    expected = re.fullmatch(r"Expected `(\w+)[^`]*`, got `(\w+)`", what)
    if expected:
        wanted = TYPE_NAMES.get(expected[1], expected[1])
        return ConfigError(f"{path} must be {wanted}", field=path)
    # A validator's sentence begins with the option's name; the path is that of its section.
    option = what.split(" ", 1)[0].rstrip(":")
    if path.rsplit(".", 1)[-1] == option or path == "state_dir":
        return ConfigError(what if what.startswith(path) else f"{path} {what}", field=path)
    prefix = f"{path}." if path else ""
    return ConfigError(f"{prefix}{what}", field=f"{prefix}{option}")
