"""The values that options of the configuration have: addresses, and the rules they must keep."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from pathlib import Path
from typing import Any

import attrs

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
SIP_URI = re.compile(r"sips?:[!-~]{1,250}")
ORIGIN = re.compile(
    r"https?://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?|https?://\[[0-9a-f:]+\](?::[0-9]{1,5})?"
)
PLUGIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
EMERGENCY_NUMBER = re.compile(r"[0-9*#]{1,32}")
DIAL_PREFIX = re.compile(r"\+[0-9*#]{0,31}|[0-9*#]{1,32}")


@attrs.frozen
class ListenAddress:
    """Where to listen: ``transport`` is ``udp``, ``tcp`` or ``tls``; port 0: a free one."""

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
    """``udp:HOST:PORT``, ``tcp:…`` or ``tls:…``; HOST is an IP address, IPv6 in brackets.

    Raises ValueError.
    """
    transport, colon, rest = text.partition(":")
    if transport not in ("udp", "tcp", "tls") or not colon:
        raise ValueError(
            f"{text!r} must read udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT, for example "
            "udp:0.0.0.0:5060"
        )
    host, port = _split_port(rest)
    if port is None:
        usual = 5061 if transport == "tls" else 5060
        raise ValueError(f"{text!r} has no port; write HOST:PORT, for example {text}:{usual}")
    return ListenAddress(transport, _ip_address(text, host), port)


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


def between(low: int, high: int) -> Any:
    """A validator: the number is from ``low`` to ``high``."""

    def check(_: object, attribute: attrs.Attribute[int], value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} must be from {low} to {high}, not {value}")

    return check


def each(rule: Any, at_least: int = 0) -> Any:
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


def network(text: str) -> None:
    ipaddress.ip_network(text)


def emergency_number(text: str) -> None:
    if not EMERGENCY_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number of 1 to 32 digits, * and #")


def dial_prefix(text: str) -> None:
    if not DIAL_PREFIX.fullmatch(text):
        raise ValueError(f"{text!r} is no beginning of a number: digits, * and #, a + in front")


def _host(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not HOST_NAME.fullmatch(text):
            raise ValueError(f"{text!r} is neither a host name nor an IP address") from None


def check_domain(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    try:
        _host(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None


def check_advertise(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        try:
            host, port = _split_port(value)
            _host(host)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}") from None
        if port == 0:
            raise ValueError(f"{attribute.name} must not have port 0")


def check_realm(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if len(value) > 200 or not value.isprintable() or '"' in value or "\\" in value:
        raise ValueError(
            f"{attribute.name} must have at most 200 printable characters, no quote, no backslash"
        )


def check_sip_uri(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not (SIP_URI.fullmatch(value) and not set(value) & set('<>"\\')):
        raise ValueError(f"{attribute.name} must be a SIP URI such as sip:tone@pbx.example.org")


def check_voicemail_uri(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """As for every SIP URI; ``{user}`` stands for the user name."""
    check_sip_uri(_, attribute, value.replace("{user}", "user"))
    if value.replace("{user}", "").count("{"):
        raise ValueError(f"{attribute.name} knows {{user}} only between braces, not {value!r}")


def plugin(text: str) -> str:
    """The name of a plug-in. Raises ValueError."""
    if not PLUGIN.fullmatch(text):
        raise ValueError(f"a plug-in has a name such as lunch, not {text[:80]!r}")
    return text


def origin(text: str) -> str:
    """An origin as browsers tell it (RFC 6454). Raises ValueError."""
    if not ORIGIN.fullmatch(text):
        raise ValueError(f"an origin is like https://crm.example.org, not {text[:80]!r}")
    return text


def check_time_zone(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """A name of the time zone database, or empty."""
    if not value:
        return
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{attribute.name} must be a time zone such as Europe/Berlin, not {value[:80]!r}"
        ) from None


def check_outbound_proxy(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """As for every SIP URI; a user part would name somebody at the proxy, not the proxy."""
    check_sip_uri(_, attribute, value)
    if "@" in value:
        raise ValueError(f"{attribute.name} must not have a user part; write sip:HOST:PORT")


def dns_server(text: str) -> None:
    """An IP address, or ``ADDRESS:PORT``. Raises ValueError."""
    host, port = _split_port(text if text.count(":") < 2 or "[" in text else f"[{text}]")
    _ip_address(text, host)
    if port == 0:
        raise ValueError(f"{text!r} must not have port 0")


def one_of(*words: str) -> Any:
    """A validator: the value is one of ``words``."""

    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in words:
            raise ValueError(f"{attribute.name} must be one of {', '.join(words)}, not {value!r}")

    return check


def one_of_numbers(*numbers: int) -> Any:
    """A validator: the value is one of ``numbers``."""

    def check(_: object, attribute: attrs.Attribute[int], value: int) -> None:
        if value not in numbers:
            known = " or ".join(map(str, numbers))
            raise ValueError(f"{attribute.name} must be {known}, not {value}")

    return check


def check_metrics_listen(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        try:
            parse_listen(value)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}") from None


def check_state_dir(_: object, attribute: attrs.Attribute[Path], value: Path) -> None:
    if not value.is_absolute():
        raise ValueError(f"{attribute.name} must be an absolute path, not {str(value)!r}")


def check_database_url(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not value.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise ValueError(  # the value may hold a password, so it is not repeated
            f"{attribute.name} must start with postgresql:// or sqlite://// (an absolute path), "
            "or be empty for the file in state_dir"
        )
