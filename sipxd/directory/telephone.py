"""Telephones as sipXcom's clients describe them (contract 11.2); none is provisioned from here."""

from __future__ import annotations

import re

import attrs

MAX_LINES = 32
MAX_SERIAL = 64
"""Characters of a serial number as people write it."""
MAKERS = (
    "aastra",
    "alcatel",
    "audiocodes",
    "avaya",
    "bria",
    "cisco",
    "clearone",
    "counterpath",
    "fanvil",
    "gigaset",
    "grandstream",
    "gtek",
    "hitachi",
    "htek",
    "ipdialog",
    "isphone",
    "jitsi",
    "karel",
    "lg",
    "linksys",
    "mitel",
    "nortel",
    "panasonic",
    "polycom",
    "snom",
    "swissvoice",
    "unidata",
    "yealink",
    "zultys",
)
"""With what the models that there are begin. What follows is the maker's."""

_MODEL = re.compile(rf"(?:{'|'.join(MAKERS)})[A-Za-z0-9_+.-]{{0,40}}", re.IGNORECASE)
_SERIAL = re.compile(r"[0-9a-f]{12}")
_NO_DIGIT = re.compile(r"[^0-9a-f]")


@attrs.frozen
class Line:
    """A line: of a user here, or registered elsewhere."""

    user_id: int | None = None
    """The user here; None: the line is external."""
    name: str = ""
    """The user name at the other server."""
    uri: str = ""
    """The address at the other server, with the name that is shown."""


@attrs.frozen
class Telephone:
    """A telephone; ``serial`` is unique: twelve hexadecimal digits in small letters."""

    id: int
    serial: str
    model: str
    description: str = ""
    version: str = ""
    groups: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


def serial_of(text: str) -> str:
    """A serial number without what people write between its digits; any other text as it is."""
    if len(text) > MAX_SERIAL:
        return text
    digits = _NO_DIGIT.sub("", text.lower())
    return digits if is_serial(digits) else text


def is_serial(serial: str) -> bool:
    """Whether that is a serial number, as ``serial_of`` gives it."""
    return _SERIAL.fullmatch(serial) is not None


def is_model(model: str) -> bool:
    """Whether there is such a model."""
    return _MODEL.fullmatch(model) is not None


def address(shown: str, user: str, server: str) -> str:
    """The address of a line, with the name that is shown."""
    shown = shown.replace('"', "")
    return f'"{shown}"<sip:{user}@{server}>' if shown else f"<sip:{user}@{server}>"
