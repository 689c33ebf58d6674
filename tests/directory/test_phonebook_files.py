"""Phonebooks as CSV and as vCards, as other programs write and read them."""

from __future__ import annotations

import contextlib
import time

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipxd.directory.branch import Address
from sipxd.directory.file_text import decode_file
from sipxd.directory.phonebook import Entry
from sipxd.directory.phonebook_csv import LONG, SHORT, read_csv, write_csv
from sipxd.directory.profile import ADDRESSES, Contact
from sipxd.directory.vcard import V3, V4, read_card, read_cards, write_cards
from sipxd.errors import BadInput

WORDS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\x85"
    ),
    max_size=20,
)
PLACES = st.builds(Address, **{field.name: WORDS for field in attrs.fields(Address)})
TOLD = [field.name for field in attrs.fields(Contact) if field.name not in ("im_display_name",
        "did_number", "avatar", "branch_address", "email_address", "alternate_email_address",
        "im_id", "alternate_im_id")]  # fmt: skip
CONTACTS = st.builds(
    Contact,
    email_address=st.sampled_from(["", "a@b.org"]),
    **{name: PLACES if name in ADDRESSES else WORDS for name in TOLD},
)
ENTRIES = st.builds(
    Entry, st.just(0), WORDS.filter(bool), WORDS.filter(bool), WORDS.filter(bool), CONTACTS
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ENTRIES, max_size=3))
def test_what_is_written_as_csv_is_read_back(entries: list[Entry]) -> None:
    told = write_csv(entries, LONG)
    unsaid = {"branch_address", "im_display_name", "did_number", "avatar"}
    for entry, back in zip(entries, read_csv(decode_file(told)), strict=True):
        assert attrs.evolve(back, contact=entry.contact) == entry
        for field in attrs.fields(Contact):
            if field.name in unsaid:
                continue
            kept, wanted = (getattr(each.contact, field.name) for each in (back, entry))
            if field.name == "home_address":  # it has no column for an office
                wanted = attrs.evolve(wanted, office_designation="")
            assert kept == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, max_size=2), st.sampled_from([V3, V4]))
def test_what_is_written_as_vcards_is_read_back(entries: list[Entry], version: str) -> None:
    # A number may look like a URI there, and is read as one.
    entries = [attrs.evolve(each, number=f"+{index}") for index, each in enumerate(entries)]
    back = read_cards(decode_file(write_cards(entries, version)))
    for entry, read in zip(entries, back, strict=True):
        assert (read.first_name, read.last_name) == (entry.first_name, entry.last_name)
        assert read.number == entry.number
        assert read.contact.job_title == entry.contact.job_title
        assert read.contact.home_address == entry.contact.home_address
        assert read.contact.email_address == entry.contact.email_address


ANYTHING = st.binary(max_size=200) | st.text(max_size=200).map(
    lambda text: text.encode("utf-8", "replace")
)
READERS = [
    (b"", read_csv),
    (b"First Name,Last Name,Number\n", read_csv),
    (b"", read_cards),
    (b"BEGIN:VCARD\nVERSION:4.0\n", read_cards),
]


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_no_file_is_a_defect(content: bytes) -> None:
    for begin, read in READERS:
        try:
            read(decode_file(begin + content))
        except BadInput as error:
            assert error.detail.isprintable()


def test_columns_may_stand_in_any_order_with_any_separator() -> None:
    text = 'number; LAST  NAME ;First name;Home city\r\n\'=1;Park;Ada;"Köln;\r\nDeutz"\r\n\r\n'
    with pytest.raises(BadInput, match=r"line 3"):
        read_csv(text)
    (entry,) = read_csv(text.replace("\r\nDeutz", " Deutz"))
    assert (entry.first_name, entry.last_name, entry.number) == ("Ada", "Park", "=1")
    assert entry.contact.home_address == Address(city="Köln; Deutz")


@pytest.mark.parametrize(
    "content",
    [
        "Zoë,Übel,1".encode("utf-8-sig"),
        "Zoë,Übel,1".encode("utf-16"),
        ("\ufeff" + "Zoë,Übel,1").encode("utf-16-be"),
    ],
)
def test_a_byte_order_mark_says_the_encoding(content: bytes) -> None:
    assert decode_file(content) == decode_file(content, "iso-8859-1") == "Zoë,Übel,1"


def test_a_charset_that_is_named_is_believed_and_none_is_guessed() -> None:
    assert decode_file("Zoë €".encode("cp1252"), "Windows-1252") == "Zoë €"
    assert decode_file("Zoë".encode("latin-1"), '"ISO-8859-1"') == "Zoë"
    with pytest.raises(BadInput, match="UTF-8 at byte 2"):
        decode_file("Zoë".encode("latin-1"))


def test_what_looks_like_a_formula_is_text_for_a_spreadsheet() -> None:
    entry = Entry(0, "=1+1", "'=x", "-49 (30) 1", Contact(job_title="@x", location="\u202e"))
    told = write_csv([entry], LONG).decode().splitlines()[1]
    assert told.startswith('"\'=1+1","\'\'=x","-49 (30) 1","\'@x"')
    assert write_csv([entry], SHORT).decode().splitlines()[1] == '"\'=1+1","\'\'=x","-49 (30) 1"'
    (back,) = read_csv(write_csv([entry], LONG).decode())
    assert back == entry


FOREIGN = """\
BEGIN:VCARD
VERSION:3.0
PRODID:-//Some telephone//EN
item1.TEL;type=CELL;type=pref:+1 555
 0142
item1.X-ABLabel:_$!<Mobile>!$_
TEL;TYPE=home:tel:+15550143;ext=5
FN:Ada Mary Park
N:Park;Ada;Mary;Dr.;
ORG:Example Org\\, Ltd;Ops;Night
ADR;TYPE=HOME:;;4 Quay\\nRoad;Harbourton;EX;00042;Example
EMAIL;TYPE=INTERNET:ada@example.org
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD
NOTE:a\\, b
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Ben
TEL;VALUE=uri;PREF=1;TYPE="voice,work":tel:+15550144
IMPP:xmpp:ben@example.org
END:VCARD
"""


def test_cards_of_other_programs_are_understood() -> None:
    ada, ben = read_cards(FOREIGN.replace("\n", "\r\n"))
    assert (ada.first_name, ada.last_name) == ("Ada", "Park")
    assert ada.contact.home_phone_number == "+15550143"
    assert (ada.contact.company_name, ada.contact.job_dept) == ("Example Org, Ltd", "Ops")
    assert ada.contact.home_address == Address(
        "4 Quay Road", "Harbourton", "Example", "EX", "00042"
    )
    assert ada.contact.email_address == "ada@example.org"
    assert ada.number == ada.contact.cell_phone_number == "+1 5550142"
    assert (ben.first_name, ben.last_name, ben.number) == ("Ben", "", "+15550144")
    assert ben.contact.im_id == "ben@example.org"
    with pytest.raises(BadInput, match="not several"):
        read_card(FOREIGN)


@pytest.mark.parametrize(
    "line",
    [
        "TEL" + ";A=b" * 1000 + ":1",
        "TEL" + ";A=" + "b," * 1500 + ":1",
        'TEL;A="' + "b" * 4000 + ":1",
        "ADR:" + ";" * 4000,
        "N:" + "\\" * 4000,
        "TEL;A=" + "," * 4000,
        " " * 4000 + "x",
    ],
)
def test_no_line_takes_long(line: str) -> None:
    begin = time.process_time()
    with contextlib.suppress(BadInput):
        read_cards(f"BEGIN:VCARD\nVERSION:3.0\n{line}\nEND:VCARD")
    assert time.process_time() - begin < 1
