"""What sipXcom's resources for administrators answer with, as tests write it down."""

from __future__ import annotations

import re
from typing import Any

from webkit import Answer

REST = "/sipxconfig/rest"
ADMIN = "superadmin"
_LAYOUT = re.compile(rb">\s+<")
_EMPTY = re.compile(rb"<(\w+)></\1>")


def xml(text: str) -> bytes:
    """A document without its layout."""
    return _without_layout(text.encode())


def compact(answer: Answer) -> bytes:
    """The XML that was answered, without its layout."""
    assert answer.headers["Content-Type"] == "text/xml", answer
    return _without_layout(answer.body)


def _without_layout(document: bytes) -> bytes:
    return _EMPTY.sub(rb"<\1/>", _LAYOUT.sub(b"><", document.strip()))


def result(code: str, message: str, data: str = "") -> bytes:
    """The common result document (4.0)."""
    told = f"<data>{data}</data>" if data else ""
    return xml(f"<response><code>{code}</code><message>{message}</message>{told}</response>")


def metadata(total: int, page: int = 1, pages: int = 1, size: int | None = None) -> str:
    """What lists begin with (4.1)."""
    return (
        f"<metadata><totalResults>{total}</totalResults><currentPage>{page}</currentPage>"
        f"<totalPages>{pages}</totalPages>"
        f"<resultsPerPage>{total if size is None else size}</resultsPerPage></metadata>"
    )


async def made(house: Any, path: str, value: Any) -> int:
    """The id of what is made by a PUT."""
    answer = await house.send("PUT", f"{REST}/{path}", value, ADMIN)
    assert answer.status == 201, answer
    found = re.search(rb"<id>(\d+)</id>", answer.body)
    assert found, answer
    return int(found[1])
