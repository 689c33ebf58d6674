"""Users in a CSV file: its columns, and what each of its lines says.

A cell that is empty says nothing.  What breaks a rule is collected, not raised, so that one reading
of the file tells all that is wrong with it.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping
from typing import Any

import attrs

from sipxd.directory import csv_cells
from sipxd.errors import BadInput

COLUMNS = {
    "name": "the user name, normally the extension",
    "first_name": "",
    "last_name": "",
    "email": "",
    "aliases": "further numbers and names",
    "groups": "",
    "permissions": "such as InternationalDialing",
    "pin": "for HTTPS and the portal",
    "sip_password": "of the phones",
    "enabled": "yes or no",
    "admin": "yes or no",
    "voicemail": "yes or no",
    "flow": "of click-to-calls",
}
"""The columns, and what is to be said about them. Only the first one is needed."""

MAX_ROWS = 100_000

_SWITCHES = {"enabled", "admin", "voicemail"}
_TEXTS = {"first_name", "last_name", "email"}
_BOOLEANS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_SIPXCOM = {
    "user_name": "name",
    "user_alias": "aliases",
    "alias": "aliases",
    "email_address": "email",
    "e_mail": "email",
    "user_group": "groups",
    "group": "groups",
    "permission": "permissions",
}
"""Columns that sipXcom, and people, call otherwise."""
_BETWEEN = {
    "aliases": re.compile(r"[\s,;]"),
    "permissions": re.compile(r"[\s,;]"),
    "groups": re.compile(r"[,;]"),  # there may be blanks in their names
}
"""What separates the values of a list."""


@attrs.frozen
class Problem:
    """What is wrong with a line of the file; ``rule`` says how it has to be."""

    line: int
    field: str
    rule: str


@attrs.frozen
class UserRow:
    """What a line says about a user: by column a text, a tuple of texts, or true or false."""

    line: int
    values: Mapping[str, Any] = attrs.field(repr=False)  # secrets are among them

    @property
    def name(self) -> str:
        """The user name."""
        return str(self.values["name"])


def read_users(text: str, *, skip_unknown: bool = False) -> tuple[list[UserRow], list[Problem]]:
    """The lines of the file, and what is wrong with them.

    ``skip_unknown``: columns of other programs are passed over, else refused.  Raises BadInput
    where it cannot be read any further.
    """
    lines = csv_cells.reader(text)
    rows: list[UserRow] = []
    problems: list[Problem] = []
    try:
        columns = _columns(next(lines, []), skip_unknown)
        line = lines.line_num + 1
        for cells in lines:
            if len(rows) >= MAX_ROWS:
                raise BadInput(f"the file has more than {MAX_ROWS} users; import it in parts")
            if any(cell.strip() for cell in cells):
                row = _row(line, columns, cells, problems)
                if row is not None:
                    rows.append(row)
            line = lines.line_num + 1
    except csv.Error as error:
        raise BadInput(f"line {lines.line_num} is no CSV: {error}") from None
    _find_doubles(rows, problems)
    return rows, problems


def _columns(header: list[str], skip_unknown: bool) -> list[str | None]:
    columns: list[str | None] = []
    for title in header:
        plain = re.sub(r"[\s-]+", "_", title.strip().lower())
        column = _SIPXCOM.get(plain, plain)
        if column in COLUMNS:
            if column in columns:
                raise BadInput(f"line 1 has the column {title[:40]!a} twice; rename or remove one")
            columns.append(column)
        elif skip_unknown:
            columns.append(None)
        else:
            near = difflib.get_close_matches(plain, COLUMNS, 1)
            meant = f"did you mean {near[0]}? The columns are" if near else "the columns are"
            raise BadInput(
                f"line 1: there is no column {title[:40]!a}; {meant} {', '.join(COLUMNS)}; "
                "--skip-unknown passes over all others"
            )
    if "name" not in columns:
        raise BadInput("line 1 is no header: it has to name the columns, and one of them is name")
    return columns


def _row(
    line: int, columns: list[str | None], cells: list[str], problems: list[Problem]
) -> UserRow | None:
    if len(cells) != len(columns):
        rule = f"the line has {len(cells)} values, and the header {len(columns)}"
        problems.append(Problem(line, "", f"{rule}; quote values that have a separator in them"))
        return None
    values: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column is None or not cell.strip():
            continue
        value, rule = _value(column, cell)
        if rule:
            problems.append(Problem(line, column, rule))
        else:
            values[column] = value
    if "name" not in values:
        problems.append(Problem(line, "name", "the user has no name; give him one"))
        return None
    return UserRow(line, values)


def _value(column: str, cell: str) -> tuple[Any, str]:
    """What the cell says, or the rule that it breaks."""
    if column in _BETWEEN:
        parts = (part.strip() for part in _BETWEEN[column].split(cell))
        return tuple(filter(None, parts)), ""
    if column in _SWITCHES:
        switched = _BOOLEANS.get(cell.strip().lower())
        return switched, "" if switched is not None else f"{column} must be yes or no"
    if column in _TEXTS:
        text = csv_cells.from_cell(cell)
        return text, csv_cells.RULE if text is None else ""
    # Blanks around secrets come from the program that wrote the file.
    return cell.strip(), ""


def _find_doubles(rows: list[UserRow], problems: list[Problem]) -> None:
    first: dict[str, int] = {}
    for row in rows:
        for column, names in (("name", (row.name,)), ("aliases", row.values.get("aliases", ()))):
            for name in names:
                line = first.setdefault(name, row.line)
                if line != row.line:
                    rule = f"{name[:80]!r} is in line {line} already; choose another"
                    problems.append(Problem(row.line, column, rule))
