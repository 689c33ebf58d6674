"""Phonebooks as vCards: versions 3.0 (RFC 2426) and 4.0 (RFC 6350), in and out, by vobject.

A card has what the CSV with 27 columns has.  Before vobject sees a line it is held against the
grammar here, and what is not used (photos, notes) is dropped: the pattern of vobject takes a time
that doubles with each comma of a line that does not fit, and it decodes binary values.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sipxd.directory.branch import Address
from sipxd.directory.phonebook import Entry
from sipxd.directory.phonebook_rules import check
from sipxd.directory.profile import NOWHERE, Contact
from sipxd.errors import BadInput

V3 = "3.0"
V4 = "4.0"

_USED = {"N", "FN", "TEL", "EMAIL", "ADR", "ORG", "TITLE", "IMPP", "X-ASSISTANT", "X-LOCATION"}
_NAME = r"[A-Za-z0-9_-]++"
_VALUE = r'(?:"[^"]*+"|[^";:,]*+)'
_LINE = re.compile(
    rf"(?:{_NAME}\.)?(?P<name>{_NAME})"
    rf"(?P<parameters>(?:;{_NAME}(?:={_VALUE}(?:,{_VALUE})*+)?)*+):(?P<value>.*+)"
)
_FOLD = re.compile(r"(?:\r\n|\r|\n)[ \t]")
_END = re.compile(r"\r\n|\r|\n")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MOST = 4096
"""Characters of a line that is used; the texts in it are shorter."""

_OTHER_NUMBERS = {
    "fax_number": ("fax",),
    "assistant_phone_number": ("x-assistant", "assistant"),
    "cell_phone_number": ("cell",),
    "home_phone_number": ("home",),
}
"""Which types say that a number is not the one to call first."""


# -- in -------------------------------------------------------------------------------------------


def read_cards(text: str) -> list[Entry]:
    """The entries of all cards in a file. Raises BadInput, naming the card or the line."""
    return [_entry(card, number) for number, card in enumerate(_cards(text), 1)]


def read_card(text: str) -> Entry:
    """The entry of the one card in ``text``. Raises BadInput where there is none, or another."""
    cards = list(itertools.islice(_cards(text), 2))
    if len(cards) != 1:
        raise BadInput(f"there must be one vCard, not {'none' if not cards else 'several'}")
    return _entry(cards[0], 1)


def _cards(text: str) -> Iterator[Any]:
    """The cards as vobject reads them."""
    from vobject.base import VObjectError, readOne  # takes 50 ms, so not before it is needed

    lines: list[str] | None = None
    version = ""
    for number, line in enumerate(_END.split(_FOLD.sub("", text)), 1):
        if not line.strip():
            continue
        parsed = _LINE.fullmatch(line)
        if parsed is None:
            raise _at(number, "is no line of a vCard")
        name, value = parsed["name"].upper(), parsed["value"].strip()
        if name == "BEGIN":
            if lines is not None or value.upper() != "VCARD":
                raise _at(number, "begins something else than a vCard of its own")
            lines, version = [], ""
        elif lines is None:
            raise _at(number, "is outside of BEGIN:VCARD and END:VCARD")
        elif name == "END":
            if version not in (V3, V4):
                raise _at(number, f"ends a card that is no vCard {V3} or {V4}; export it as such")
            try:
                yield readOne("\r\n".join(["BEGIN:VCARD", *lines, "END:VCARD"]))
            except (VObjectError, ValueError) as error:
                raise _at(number, f"ends a card that cannot be read: {error!a:.100}") from None
            lines = None
        elif name == "VERSION":
            version = value
        elif name in _USED:
            if len(line) > _MOST:
                raise _at(number, f"has more than {_MOST} characters")
            if "ENCODING" in parsed["parameters"].upper():
                raise _at(number, "is encoded; write plain text")
            lines.append(line)
    if lines is not None:
        raise BadInput("the last card has no END:VCARD")


def _entry(card: Any, number: int) -> Entry:
    contact: dict[str, Any] = {
        "job_title": _text(card, "title"),
        "assistant_name": _text(card, "x-assistant"),
        "location": _text(card, "x-location"),
    }
    lists = (
        ("org", ("company_name", "job_dept")),
        ("email", ("email_address", "alternate_email_address")),
        ("impp", ("im_id", "alternate_im_id")),
    )
    for name, fields in lists:
        found = card.contents.get(name, [])
        values = found[0].value if name == "org" and found else [line.value for line in found]
        for field, value in zip(fields, values, strict=False):
            contact[field] = _SCHEME.sub("", _flat(value), count=1) if name == "impp" else value
    contact = {field: _flat(value) for field, value in contact.items()}
    contact |= _numbers(card) | _addresses(card)
    number_to_call = contact.pop("number", "")
    try:
        entry = Entry(0, *_names(card), number_to_call, Contact(**contact))
        return check(entry, strict=False)
    except BadInput as error:
        place = f"card {number}"
        raise type(error)(f"{place}: {error.detail}", field=f"{place}, {error.field}") from None


def _names(card: Any) -> tuple[str, str]:
    """First and last name; of what has no name in parts, the whole as it is written."""
    found = card.contents.get("n", [])
    if found:
        first_name, last_name = _flat(found[0].value.given), _flat(found[0].value.family)
        if first_name or last_name:
            return first_name, last_name
    first_name, _, last_name = _text(card, "fn").partition(" ")
    return first_name, last_name.strip()


def _numbers(card: Any) -> dict[str, str]:
    """The numbers, by the fields of an entry; ``number`` is the one to call first."""
    numbers: dict[str, str] = {}
    first = False
    for line in card.contents.get("tel", []):
        types = _types(line)
        value = _flat(line.value)
        if value.lower().startswith("tel:"):
            value = value[4:].partition(";")[0]
        kinds = (kind for kind, words in _OTHER_NUMBERS.items() if not types.isdisjoint(words))
        kind = next(kinds, "number")
        preferred = kind == "number" and not first and ("pref" in types or "PREF" in line.params)
        first = first or preferred
        if preferred or kind not in numbers:
            numbers[kind] = value
    for kind in ("cell_phone_number", "home_phone_number"):
        if "number" not in numbers and kind in numbers:
            numbers["number"] = numbers[kind]
    return numbers


def _addresses(card: Any) -> dict[str, Address]:
    found: dict[str, Address] = {}
    for line in card.contents.get("adr", []):
        kind = "home_address" if "home" in _types(line) else "office_address"
        if kind not in found:
            given = line.value
            found[kind] = Address(
                street=_flat(given.street),
                city=_flat(given.city),
                country=_flat(given.country),
                state=_flat(given.region),
                zip=_flat(given.code),
                office_designation=_flat(given.extended),
            )
    return found


def _types(line: Any) -> set[str]:
    given = [*line.params.get("TYPE", []), *line.singletonparams]
    return {word for text in given for word in text.lower().split(",")}


def _text(card: Any, name: str) -> str:
    found = card.contents.get(name, [])
    return _flat(found[0].value) if found else ""


def _flat(value: Any) -> str:
    """A value in one line; what has several is written with blanks between them."""
    text = value if isinstance(value, str) else " ".join(value)
    return " ".join(text.split())


def _at(line: int, rule: str) -> BadInput:
    # Folded lines count as one here, which is near enough.
    return BadInput(f"line {line} {rule}", field=f"line {line}")


# -- out ------------------------------------------------------------------------------------------


def write_cards(entries: Iterable[Entry], version: str) -> bytes:
    """A card for each entry; ``version`` is V3 or V4."""
    # Escaped and folded by vobject, but without its objects, which take 1 ms for each card.
    from vobject.base import foldOneLine

    text = io.StringIO()
    for entry in entries:
        for line in ("BEGIN:VCARD", f"VERSION:{version}", *_lines(entry, version), "END:VCARD"):
            foldOneLine(text, line)
    return text.getvalue().encode("utf-8", "replace")


def _lines(entry: Entry, version: str) -> Iterator[str]:
    contact = entry.contact
    first = ";TYPE=work,voice,pref" if version == V3 else ";PREF=1;TYPE=work,voice"
    name = f"{entry.first_name} {entry.last_name}".strip() or entry.number
    yield _line("FN", name)
    yield _line("N", entry.last_name, entry.first_name, "", "", "")
    yield _line(f"TEL{first}", entry.number)
    for property_name, value in (
        ("TEL;TYPE=cell", contact.cell_phone_number),
        ("TEL;TYPE=home", contact.home_phone_number),
        ("TEL;TYPE=work,fax", contact.fax_number),
        ("TEL;TYPE=x-assistant", contact.assistant_phone_number),
        ("TITLE", contact.job_title),
        ("EMAIL", contact.email_address),
        ("EMAIL", contact.alternate_email_address),
        ("X-ASSISTANT", contact.assistant_name),
        ("X-LOCATION", contact.location),
        ("IMPP", contact.im_id and f"xmpp:{contact.im_id}"),
        ("IMPP", contact.alternate_im_id and f"xmpp:{contact.alternate_im_id}"),
    ):
        if value:
            yield _line(property_name, value)
    if contact.job_dept:
        yield _line("ORG", contact.company_name, contact.job_dept)
    elif contact.company_name:
        yield _line("ORG", contact.company_name)
    for kind, place in (("home", contact.home_address), ("work", contact.office_address)):
        if place != NOWHERE:
            parts = (place.street, place.city, place.state, place.zip, place.country)
            yield _line(f"ADR;TYPE={kind}", "", place.office_designation, *parts)


def _line(property_name: str, *values: str) -> str:
    from vobject.base import backslashEscape

    return f"{property_name}:{';'.join(map(backslashEscape, values))}"
