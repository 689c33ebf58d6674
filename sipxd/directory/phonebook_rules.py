"""What an entry of a phonebook must be like (contract 3.8)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from sipxd.directory.phonebook import Entry
from sipxd.directory.profile import ADDRESSES, TEXTS
from sipxd.errors import BadInput

MAX_TEXT = 255
"""Characters of each text."""

_EMAIL = re.compile(r"[A-Za-z0-9_.+-]++@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9]{2,4}", re.ASCII)
_ANY_EMAIL = re.compile(r"[^\s@]++@[^\s@]++")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class NameMissing(BadInput):
    """A name or the number is empty."""


class InvalidEmail(BadInput):
    """The e-mail address is none."""


def check(entry: Entry, *, strict: bool = True) -> Entry:
    """``entry``, where no rule is broken; else BadInput, whose field is like ``first_name``.

    Not ``strict``, for lists that other programs have written: one of the names is enough, and an
    e-mail address may have a long top label.
    """
    missing = [name for name in ("first_name", "last_name") if not getattr(entry, name)]
    if not strict and len(missing) == 1:
        missing = []
    for name in (*missing, *(() if entry.number else ("number",))):
        raise NameMissing(f"{name} must not be empty", field=name)
    email = entry.contact.email_address
    if email and not (_EMAIL if strict else _ANY_EMAIL).fullmatch(email):
        raise InvalidEmail("the e-mail address is none", field="email_address")
    for name, text in _texts(entry):
        if len(text) > MAX_TEXT:
            raise BadInput(f"{name} may have at most {MAX_TEXT} characters", field=name)
        if strange := _CONTROL.search(text):
            code = f"U+{ord(strange[0]):04X}"
            raise BadInput(f"{name} may not contain the character {code}", field=name)
    return entry


def _texts(entry: Entry) -> Iterator[tuple[str, str]]:
    for name in ("first_name", "last_name", "number", "internal_id"):
        yield name, getattr(entry, name)
    for name in TEXTS:
        yield name, getattr(entry.contact, name)
    for name in ADDRESSES:
        for part, text in attrs.asdict(getattr(entry.contact, name)).items():
            yield f"{name}.{part}", text
