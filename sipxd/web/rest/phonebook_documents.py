"""Entries of phonebooks and contact information, as sipXcom's documents have them (3.6, 3.8)."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.web.server import Request

from sipxd.directory import phonebook_csv as csv
from sipxd.directory import vcard
from sipxd.directory.branch import Address
from sipxd.directory.file_text import decode_file
from sipxd.directory.phonebook import Entry
from sipxd.directory.phonebook_rules import InvalidEmail, NameMissing, check
from sipxd.directory.profile import ADDRESSES, NOTHING, NOWHERE, Contact
from sipxd.service.phonebooks import Parse
from sipxd.web.document import Node
from sipxd.web.negotiate import JSON, XML, choose, media_type, read_file, write_document
from sipxd.web.problems import PhrasedBadInput
from sipxd.xml import Items

TEXT = b"text/plain"
CSV = b"text/comma-separated-values"
NEW_CSV = b"text/csv"
VCARD_3 = b"text/x-vcard"
VCARD_4 = b"text/vcard"
FILES = (TEXT, NEW_CSV, CSV, VCARD_3, VCARD_4)
"""Forms of a phonebook that programs other than sipXcom's clients read, too."""

CONTACT = "contact-information"
ENTRY_MEMBERS = ("first-name", "last-name", "number", CONTACT)
_NAMES = {"first_name": "first-name", "last_name": "last-name", "number": "number"}
_PHRASES = {
    NameMissing: b"First Name / Last Name / Number cannot be Null",
    InvalidEmail: b"Invalid Email Address",
}


def wire_name(name: str) -> str:
    """What sipXcom calls a member: ``home_address`` is ``homeAddress``."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


CONTACT_NAMES = [(field.name, wire_name(field.name)) for field in attrs.fields(Contact)]
ADDRESS_NAMES = [(field.name, wire_name(field.name)) for field in attrs.fields(Address)]


# -- out ------------------------------------------------------------------------------------------


def contact_document(contact: Contact) -> dict[str, Any]:
    """Contact information, members in sipXcom's order; what is not known is None."""
    document: dict[str, Any] = {}
    for name, wire in CONTACT_NAMES:
        value = getattr(contact, name)
        if name in ADDRESSES:
            document[wire] = None if value == NOWHERE else address_document(value)
        else:
            document[wire] = value or None
    return document


def address_document(address: Address) -> dict[str, Any]:
    """An address; what is not known is None."""
    return {wire: getattr(address, name) or None for name, wire in ADDRESS_NAMES}


def entry_document(entry: Entry, *, with_id: bool = True) -> dict[str, Any]:
    """An entry; its id is text."""
    return {
        "id": str(entry.id) if with_id else None,
        "first-name": entry.first_name,
        "last-name": entry.last_name,
        "number": entry.number,
        # Long lists are mostly of entries about which nothing else is known.
        CONTACT: {} if entry.contact is NOTHING else contact_document(entry.contact),
    }


def write_entries(form: bytes, entries: list[Entry], columns: dict[str, str] = csv.LONG) -> bytes:
    """Entries in any form that a phonebook has; ``columns`` are those of CSV."""
    if form in (XML, JSON):
        documents = [entry_document(entry) for entry in entries]
        return write_document(form, "phonebook", Items("entry", documents))
    if form in (VCARD_3, VCARD_4):
        return vcard.write_cards(entries, vcard.V3 if form == VCARD_3 else vcard.V4)
    return csv.write_csv(entries, columns)


def choose_form(request: Request, *offers: bytes) -> tuple[bytes, bytes]:
    """The form of the answer that the client likes best, and what the answer says that it is."""
    form = choose(request, *offers)
    return form, form + b"; charset=utf-8" if form == TEXT else form


# -- in -------------------------------------------------------------------------------------------


def read_entry(node: Node) -> Entry:
    """The entry that ``node`` describes. Raises BadInput, with sipXcom's phrase."""
    given = node.member(CONTACT)
    entry = Entry(
        0,
        node.text("first-name"),
        node.text("last-name"),
        node.text("number"),
        Contact() if given is None else read_contact(given),
    )
    try:
        return check(entry)
    except (NameMissing, InvalidEmail) as error:
        name = _NAMES.get(error.field or "")
        path = node.path_to(name or CONTACT)
        if name is None and given is not None:
            path = given.path_to("emailAddress")
        raise PhrasedBadInput(
            f"{path}: {error.detail}.", field=path, phrase=_PHRASES[type(error)]
        ) from None


def read_contact(node: Node) -> Contact:
    """The contact information that ``node`` describes. Raises BadInput."""
    values: dict[str, Any] = {}
    for name, wire in CONTACT_NAMES:
        if name not in ADDRESSES:
            values[name] = node.text(wire)
        elif (given := node.member(wire)) is not None:
            values[name] = Address(**{part: given.text(at) for part, at in ADDRESS_NAMES})
    return Contact(**values)


def read_file_entries(request: Request) -> Parse | None:
    """How to read a body that is CSV or vCards; None where it is neither.

    What is called text/plain, as sipXcom calls its CSV, is looked at.  Raises BadInput.
    """
    kind = media_type(request)
    if kind not in FILES:
        return None
    body, charset = read_file(request)
    text = decode_file(body, charset)
    start = text.lstrip()[:11].upper()
    if kind == TEXT and start[:1] in ("<", "{", "["):
        content: Any = request.content
        content.seek(0)  # to be read again, as a document
        return None
    if kind in (VCARD_3, VCARD_4) or start == "BEGIN:VCARD":
        return lambda: vcard.read_cards(text)
    return lambda: csv.read_csv(text)
