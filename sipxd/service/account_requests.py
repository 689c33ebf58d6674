"""What may be asked about a user: the rules, each with the field that breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from sipxd.call.record import ClickFlow
from sipxd.directory.permission import ADMIN, VOICEMAIL
from sipxd.errors import BadInput
from sipxd.service.vault import MAX_SECRET

MAX_NAME = 64
MAX_ALIASES = 50
MAX_GROUPS = 50
MAX_PERMISSIONS = 100
MIN_SECRET = 4
SAME = (
    "name",
    "first_name",
    "last_name",
    "email",
    "aliases",
    "groups",
    "enabled",
    "flow",
)
"""What users and the requests about them have in common."""

_NAME = re.compile(r"[A-Za-z0-9_.!~*'+-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FORBIDDEN = frozenset(",/")
"""They part names in lists and in paths."""
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,189}")


def check_name(what: str, value: str, field: str) -> None:
    """Raise BadInput unless ``value`` may be the name of a user or a hunt group."""
    if not _NAME.fullmatch(value):
        raise BadInput(
            f"the {what} {value[:80]!r} must have 1 to {MAX_NAME} characters "
            "of A-Z a-z 0-9 - _ . ! ~ * ' +",
            field=field,
        )


def check_label(value: str, field: str) -> None:
    """Raise BadInput unless ``value`` may be the name of a permission."""
    if not _LABEL.fullmatch(value):
        raise BadInput(
            f"{value[:80]!r} in {field} must have 1 to 64 characters of A-Z a-z 0-9 - _ .",
            field=field,
        )


def check_group_name(value: str, field: str) -> None:
    """Raise BadInput unless ``value`` may be the name of a user group."""
    fits = 0 < len(value) <= MAX_NAME and value.isprintable() and value == value.strip()
    if not fits or not _FORBIDDEN.isdisjoint(value):
        raise BadInput(
            f"{value[:80]!a} in {field} must have 1 to {MAX_NAME} printable characters, "
            "no comma and no slash among them, and no blank at either end",
            field=field,
        )


def _check_name(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    check_name("user name", value, attribute.name)


def _check_aliases(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if len(value) > MAX_ALIASES or len(set(value)) != len(value):
        raise BadInput(
            f"a user may have {MAX_ALIASES} aliases, all different", field=attribute.name
        )
    for alias in value:
        check_name("alias", alias, attribute.name)


def _check_text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if len(value) > 128 or not value.isprintable():
        raise BadInput(
            f"{attribute.name} must have at most 128 printable characters", field=attribute.name
        )


def _check_email(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not (_EMAIL.fullmatch(value) and value.isprintable()):
        raise BadInput(
            f"{attribute.name} must be an address such as ann@example.org, or empty",
            field=attribute.name,
        )


def _check_labels(limit: int, check_one: Callable[[str, str], None]) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if len(value) > limit or len(set(value)) != len(value):
            raise BadInput(
                f"a user may have {limit} {attribute.name}, all different", field=attribute.name
            )
        for label in value:
            check_one(label, attribute.name)

    return check


def _check_secret(_: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not (MIN_SECRET <= len(value) <= MAX_SECRET and value.isprintable()):
        raise BadInput(
            f"{attribute.name} must have {MIN_SECRET} to {MAX_SECRET} printable characters",
            field=attribute.name,
        )


def _check_flow(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and value not in set(ClickFlow):
        raise BadInput(
            f"{attribute.name} must be one of {', '.join(ClickFlow)}, or empty for the configured",
            field=attribute.name,
        )


@attrs.frozen(kw_only=True)
class NewUser:
    """A user to be made; secrets left out are generated. Raises BadInput naming the field."""

    name: str = attrs.field(validator=_check_name)
    first_name: str = attrs.field(default="", validator=_check_text)
    last_name: str = attrs.field(default="", validator=_check_text)
    email: str = attrs.field(default="", validator=_check_email)
    aliases: tuple[str, ...] = attrs.field(default=(), converter=tuple, validator=_check_aliases)
    groups: tuple[str, ...] = attrs.field(
        default=(), converter=tuple, validator=_check_labels(MAX_GROUPS, check_group_name)
    )
    permissions: frozenset[str] = attrs.field(
        default=frozenset(),
        converter=frozenset,
        validator=_check_labels(MAX_PERMISSIONS, check_label),
    )
    admin: bool = False
    enabled: bool = True
    flow: str = attrs.field(default="", validator=_check_flow)
    voicemail: bool = True
    branch: int | None = None
    """The id of a branch."""
    pin: str | None = attrs.field(default=None, validator=_check_secret, repr=False)
    sip_password: str | None = attrs.field(default=None, validator=_check_secret, repr=False)
    voicemail_pin: str | None = attrs.field(default=None, validator=_check_secret, repr=False)
    """That of his voicemail box; None: there is none."""

    def __attrs_post_init__(self) -> None:
        if self.name in self.aliases:
            raise BadInput("a user's own name cannot be his alias as well", field="aliases")

    @property
    def granted(self) -> frozenset[str]:
        """The permissions that he himself is granted."""
        return self.permissions | ({ADMIN} if self.admin else frozenset())

    @property
    def denied(self) -> frozenset[str]:
        """The permissions that he himself is denied."""
        return frozenset() if self.voicemail else frozenset({VOICEMAIL})


@attrs.frozen(kw_only=True)
class UserChange:
    """What shall become different; None leaves as it is."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    aliases: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    permissions: frozenset[str] | None = None
    admin: bool | None = None
    enabled: bool | None = None
    flow: str | None = None
    voicemail: bool | None = None
    branch: int | None = None
    """The id of a branch; 0: none."""
    joins: tuple[str, ...] = ()
    """Groups that he comes into, whichever he is in; as ``leaves``, in the place of ``groups``."""
    leaves: tuple[str, ...] = ()
    values: Mapping[str, bool | None] | None = None
    """Permissions of which shall hold what is said here, None: what holds for his groups."""
    pin: str | None = attrs.field(default=None, repr=False)
    sip_password: str | None = attrs.field(default=None, repr=False)
    voicemail_pin: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Generated:
    """The secrets that were made because none were given; shown once and never again."""

    pin: str | None = attrs.field(default=None, repr=False)
    sip_password: str | None = attrs.field(default=None, repr=False)
