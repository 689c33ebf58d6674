"""Lists with metadata, pages and an order, as sipXcom's resources for administrators (4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
from twisted.web.server import Request

from sipxd.web.negotiate import JSON, XML, choose, encode_json, in_turns, plain, write_document
from sipxd.web.problems import answer
from sipxd.xml import write_xml

T = TypeVar("T")

_COUNT = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

Columns = Mapping[str, Callable[[T], str | bool | None]]
"""By what a list may be ordered: names in small letters, and what is compared of a thing."""


@attrs.frozen
class Page:
    """One page of a list; ``size`` is how many things a page has."""

    things: Sequence[Any]
    total: int
    number: int
    pages: int
    size: int

    def metadata(self) -> dict[str, int]:
        """What stands at the beginning of the document."""
        return {
            "totalResults": self.total,
            "currentPage": self.number,
            "totalPages": self.pages,
            "resultsPerPage": self.size,
        }


def ordered(request: Request, things: Sequence[T], columns: Columns[T]) -> list[T]:
    """``things`` as ``sortby`` and ``sortdir`` ask for; as they are where one is missing."""
    column = columns.get(_parameter(request, "sortby").lower())
    direction = _parameter(request, "sortdir")
    if column is None or not direction:
        return list(things)
    known = column

    def key(thing: T) -> str:
        value = known(thing)
        return str(value).lower() if value is not None else ""

    return sorted(things, key=key, reverse=direction.lower() == "reverse")


def paged(request: Request, things: Sequence[Any]) -> Page:
    """The page that ``page`` and ``pagesize`` ask for; all of it where one is no number from 1."""
    number, size = _parameter(request, "page"), _parameter(request, "pagesize")
    total = len(things)
    if not (_COUNT.fullmatch(number) and _COUNT.fullmatch(size)):
        return Page(things, total, 1, 1, total)
    most = int(size)
    pages = max(1, -(-total // most))
    shown = min(int(number), pages)
    return Page(things[(shown - 1) * most : shown * most], total, shown, pages, most)


def object_answer(request: Request, root: str, document: Mapping[str, Any]) -> bytes:
    """Answer with one thing."""
    form = choose(request, XML, JSON)
    return answer(request, 200, write_document(form, root, document), form)


async def list_answer(
    request: Request,
    names: tuple[str, str, str],
    page: Page,
    document: Callable[[Any], dict[str, Any]],
) -> bytes:
    """Answer with a page; ``names`` are those of the root, of the list in it, and of an item.

    A page may be long: calls are attended to while it is written.
    """
    form = choose(request, XML, JSON)
    root, wrapper, item = names

    def write(thing: Any) -> bytes:
        told = document(thing)
        return encode_json(plain(told)) if form == JSON else write_xml(item, told)

    written = await in_turns(request, page.things, write)
    if form == JSON:
        head, body = encode_json(page.metadata()), b",".join(written)
        text = b'{"%b":{"metadata":%b,"%b":[%b]}}'
        return answer(request, 200, text % (root.encode(), head, wrapper.encode(), body), JSON)
    head = write_xml("metadata", page.metadata())
    outer, inner = root.encode(), wrapper.encode()
    text = b"<%b>\n%b<%b>\n%b</%b>\n</%b>\n"
    body = b"".join(written)
    return answer(request, 200, text % (outer, head, inner, body, inner, outer), XML)


def _parameter(request: Request, name: str) -> str:
    """A query parameter as it is, or empty: what makes no sense is ignored here (4.1)."""
    given = request.args.get(name.encode("ascii"), [b""])
    return str(given[0], "utf-8", "replace")
