"""CSV that goes to and comes from spreadsheets.

A spreadsheet would run a value that looks like a formula: it is written with an apostrophe before
it, which spreadsheets know as "this is text", and read back without.  Numbers such as +15550123 are
no formulas, and stay as they are.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

_FORMULA = re.compile(r"'*(?:[=@\t\r]|[+-](?![0-9 ()./*#-]*$))")

RULE = "looks like a formula, which a spreadsheet would run; begin it with an apostrophe where it \
is meant"


def to_cell(value: str) -> str:
    """``value`` as it is written."""
    return "'" + value if _FORMULA.match(value) else value


def from_cell(cell: str) -> str | None:
    """What was written, without blanks around it; None: it looks like a formula."""
    value = cell.strip()
    if not _FORMULA.match(value):
        return value
    return value[1:] if value.startswith("'") else None


def reader(text: str) -> Any:
    """A `csv.reader` of ``text``, whose separator is a semicolon where the header has more of them
    than commas."""
    start = text.split("\n", 1)[0]
    separator = ";" if start.count(";") > start.count(",") else ","
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
