"""Phonebooks as CSV (contract 3.5, 3.6): with 3 columns, or with 27.

Every value is quoted, as sipXcom does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from sipxd.directory import csv_cells
from sipxd.directory.branch import Address
from sipxd.directory.phonebook import Entry
from sipxd.directory.phonebook_rules import check
from sipxd.directory.profile import Contact
from sipxd.errors import BadInput

SHORT = {"First name": "first_name", "Last name": "last_name", "Number": "number"}
LONG = {
    "First Name": "first_name",
    "Last Name": "last_name",
    "Number": "number",
    "Job Title": "job_title",
    "Job Department": "job_dept",
    "Company Name": "company_name",
    "Assistant Name": "assistant_name",
    "Cell Phone Number": "cell_phone_number",
    "Home Phone Number": "home_phone_number",
    "Assistant Phone Number": "assistant_phone_number",
    "Fax Number": "fax_number",
    "Im Id": "im_id",
    "Alternate Im Id": "alternate_im_id",
    "Location": "location",
    "Home city": "home_address.city",
    "Home country": "home_address.country",
    "Home state": "home_address.state",
    "Home street": "home_address.street",
    "Home Zip/Postal code": "home_address.zip",
    "Office city": "office_address.city",
    "Office country": "office_address.country",
    "Office State": "office_address.state",
    "Office Street": "office_address.street",
    "Office Zip/Postal code": "office_address.zip",
    "Office designation": "office_address.office_designation",
    "Office Mail": "email_address",
    "Alternate Office Mail": "alternate_email_address",
}
"""The columns, and where their values are in an entry."""

_BY_TITLE = {title.lower(): path for title, path in LONG.items()}


def write_csv(entries: Iterable[Entry], columns: dict[str, str]) -> bytes:
    """The header, and a line for each entry; ``columns`` is SHORT or LONG."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    paths = [path.split(".") for path in columns.values()]
    for entry in entries:
        writer.writerow([csv_cells.to_cell(_value(entry, path)) for path in paths])
    return text.getvalue().encode("utf-8", "replace")


def read_csv(text: str) -> list[Entry]:
    """The entries in a file with a header: any of LONG's columns in any order, in any case.

    The separator is a comma, or a semicolon where the header has it.  Raises BadInput, naming the
    line and the column.
    """
    lines = csv_cells.reader(text)
    try:
        header: list[str] = next(lines, [])
        paths = _columns(header)
        return [_entry(cells, header, paths, lines.line_num) for cells in lines if any(cells)]
    except csv.Error as error:
        line = lines.line_num
        raise BadInput(f"line {line} is no CSV: {error}", field=f"line {line}") from None


def _columns(header: list[str]) -> list[list[str]]:
    titles = [" ".join(title.split()).lower() for title in header]
    for title in titles:
        if title not in _BY_TITLE:
            raise BadInput(
                f"line 1 is no header: there is no column {title[:40]!a}; the first ones are "
                "First Name, Last Name, Number",
                field="line 1",
            )
        if titles.count(title) > 1:
            raise BadInput(f"line 1 has the column {title!a} twice", field="line 1")
    for needed in ("First Name", "Last Name", "Number"):
        if needed.lower() not in titles:
            raise BadInput(f"line 1 is no header: the column {needed} is missing", field="line 1")
    return [_BY_TITLE[title].split(".") for title in titles]


def _entry(cells: list[str], header: list[str], paths: list[list[str]], line: int) -> Entry:
    if len(cells) != len(paths):
        raise BadInput(
            f"line {line} has {len(cells)} values, and the header {len(paths)}",
            field=f"line {line}",
        )
    names: dict[str, str] = {}
    texts: dict[str, Any] = {}
    addresses: dict[str, dict[str, str]] = {}
    for cell, path, title in zip(cells, paths, header, strict=True):
        value = csv_cells.from_cell(cell)
        if value is None:
            raise _at(line, title, csv_cells.RULE)
        if not value:
            continue
        if len(path) == 2:
            addresses.setdefault(path[0], {})[path[1]] = value
        elif path[0] in SHORT.values():
            names[path[0]] = value
        else:
            texts[path[0]] = value
    texts |= {name: Address(**parts) for name, parts in addresses.items()}
    names = {name: names.get(name, "") for name in SHORT.values()}
    try:
        return check(Entry(0, contact=Contact(**texts), **names), strict=False)
    except BadInput as error:
        title = next((title for title, path in LONG.items() if path == error.field), "")
        raise type(error)(f"line {line}: {error.detail}", field=f"line {line}, {title}") from None


def _at(line: int, title: str, rule: str) -> BadInput:
    shown = " ".join(title.split())
    return BadInput(f"line {line}, {shown} {rule}", field=f"line {line}, {shown}")


def _value(entry: Entry, path: list[str]) -> str:
    value: object = entry if path[0] in SHORT.values() else entry.contact
    for name in path:
        value = getattr(value, name)
    return str(value)
