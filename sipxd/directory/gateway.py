"""The gateway: a provider, a trunk or another PBX that takes calls to the world outside.

A gateway is configured, not stored: the class is the section ``[[gateway]]`` of the configuration
file, and its validators are what that file is checked by.
"""

from __future__ import annotations

import re
from typing import Any

import attrs

MAX_NUMBER = 32
"""Most characters of a number, and of what may be put in front of one."""
MAX_SECRET = 128

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}+")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+")
_URI = re.compile(
    r"(sips?):(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}+)(?::([0-9]{1,5}))?"
    r"(?:;transport=(udp|tcp|tls))?"
)
_ACCOUNT = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,128}+")
_PREFIX = re.compile(r"\+?[0-9*#]{0,32}+")
_FIXED = re.compile(r"\+?[0-9*#]{1,32}+")

USER, ACCOUNT, NONE = "user", "account", "none"
"""Whose number is shown: that of the user who calls, the gateway's user name, or nobody's."""
NOT_PRIVATE, PRIVATE, ANONYMOUS = "none", "id", "anonymous"
"""How a caller is hidden: not at all, by asking for it (RFC 3323), or by no From of his too."""


def is_dialled(number: str) -> bool:
    """Whether it is a number made of digits, ``*`` and ``#``, not a name."""
    return _FIXED.fullmatch(number) is not None


# -- validators ----------------------------------------------------------------------------------


def matching(pattern: re.Pattern[str], rule: str, *, empty: bool = False) -> Any:
    """A validator: the text matches ``pattern``, which ``rule`` puts into words."""

    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        if not (pattern.fullmatch(value) or (empty and not value)):
            raise ValueError(f"{attribute.name} must be {rule}, not {value[:80]!r}")

    return check


def within(low: int, high: int) -> Any:
    """A validator: the number is from ``low`` to ``high``."""

    def check(_: object, attribute: attrs.Attribute[int], value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} must be from {low} to {high}, not {value}")

    return check


def _check_uri(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    match = _URI.fullmatch(value)
    if match is None or not (match[2].startswith("[") or _HOST.fullmatch(match[2])):
        raise ValueError(
            f"{attribute.name} must read sip:HOST, sip:HOST:PORT or sips:HOST, with "
            f";transport=tcp behind it where needed, not {value[:80]!r}"
        )
    if match[3] and not 0 < int(match[3]) < 65536:
        raise ValueError(f"{attribute.name} has a port that is no number from 1 to 65535")


def _check_secret(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if len(value) > MAX_SECRET or not value.isprintable():
        raise ValueError(
            f"{attribute.name} must have at most {MAX_SECRET} characters, all printable"
        )


def _check_realm(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if len(value) > 200 or not value.isprintable() or '"' in value or "\\" in value:
        raise ValueError(
            f"{attribute.name} must have at most 200 printable characters, no quote, no backslash"
        )


def _shown(*words: str) -> Any:
    """A validator: one of ``words``, or a number."""

    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in words and not is_dialled(value):
            raise ValueError(
                f"{attribute.name} must be {', '.join(words)} or a number such as +4930123456, "
                f"not {value[:80]!r}"
            )

    return check


def _one_of(*words: str) -> Any:
    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in words:
            raise ValueError(
                f"{attribute.name} must be one of {', '.join(words)}, not {value[:80]!r}"
            )

    return check


prefix = matching(_PREFIX, f"at most {MAX_NUMBER} digits, * and #, a + in front allowed")
"""A validator: what may be put in front of a number."""


# -- the type ------------------------------------------------------------------------------------


@attrs.frozen
class Gateway:
    """One gateway. Times are in seconds."""

    name: str = attrs.field(validator=matching(_NAME, "1 to 64 characters of A-Z a-z 0-9 - _ ."))
    uri: str = attrs.field(validator=_check_uri)
    """Where its requests go; its host is found by DNS (RFC 3263)."""
    domain: str = attrs.field(
        default="", validator=matching(_HOST, "a host name, or empty", empty=True)
    )
    username: str = attrs.field(
        default="",
        validator=matching(_ACCOUNT, "a user part of a SIP address, or empty", empty=True),
    )
    password: str = attrs.field(default="", validator=_check_secret, repr=False)
    realm: str = attrs.field(default="", validator=_check_realm)
    register: bool = False
    expires: int = attrs.field(default=3600, validator=within(60, 86_400))
    called_strip: int = attrs.field(default=0, validator=within(0, MAX_NUMBER))
    called_prepend: str = attrs.field(default="", validator=prefix)
    caller_strip: int = attrs.field(default=0, validator=within(0, MAX_NUMBER))
    caller_prepend: str = attrs.field(default="", validator=prefix)
    caller_id: str = attrs.field(default=USER, validator=_shown(USER, ACCOUNT))
    asserted_identity: str = attrs.field(default=NONE, validator=_shown(NONE, USER, ACCOUNT))
    privacy: str = attrs.field(
        default=NOT_PRIVATE, validator=_one_of(NOT_PRIVATE, PRIVATE, ANONYMOUS)
    )
    diversion: bool = False
    history_info: bool = False
    health_check: int = attrs.field(default=60, validator=within(0, 3600))
    patience: int = attrs.field(default=5, validator=within(1, 32))
    incoming_strip: int = attrs.field(default=0, validator=within(0, MAX_NUMBER))
    incoming_prepend: str = attrs.field(default="", validator=prefix)
    incoming: str = attrs.field(
        default="", validator=matching(_ACCOUNT, "a user or a number, or empty", empty=True)
    )

    def __attrs_post_init__(self) -> None:
        if self.password and not self.username:
            raise ValueError("username is missing beside the password")
        if self.register and not self.username:
            raise ValueError("username is missing; a registration needs one")
        if ACCOUNT in (self.caller_id, self.asserted_identity) and not self.username:
            raise ValueError("username is missing; it is what the caller shall be shown as")

    @property
    def transport(self) -> str:
        """``udp``, ``tcp`` or ``tls`` where ``uri`` says it; empty where DNS does."""
        match = self._parts
        return "tls" if match[1] == "sips" else match[4] or ""

    @property
    def domain_or_host(self) -> str:
        """What stands behind the @ in addresses of this gateway."""
        return self.domain or self._parts[2]

    @property
    def _parts(self) -> re.Match[str]:
        match = _URI.fullmatch(self.uri)
        assert match is not None
        return match

    @property
    def realm_or_domain(self) -> str:
        """The one realm for which the password is used."""
        return self.realm or self.domain_or_host

    def called(self, number: str) -> str:
        """A number that is called, as this gateway wants it."""
        return self.called_prepend + number[self.called_strip :]

    def incoming_number(self, number: str) -> str:
        """The number that a call from this gateway is for, as it is known in the house."""
        if not is_dialled(number):
            return number
        return self.incoming_prepend + number[self.incoming_strip :]

    def caller(self, number: str) -> str:
        """The number of a caller, as this gateway wants it; a name stays as it is."""
        if not is_dialled(number):
            return number
        return self.caller_prepend + number[self.caller_strip :]
