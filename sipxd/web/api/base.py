"""What all resources of ``/sipxconfig/api`` have in common (contract 8.1).

A document is told as JSON without a root and with its nulls, or as XML with a declaration and
without them.  What differs between the two in a document is the resource's business: it is given
the form.  What was made or changed is answered with its id, as text.

Routes are added without a slash at their end: then the router knows them with one, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import Any

from twisted.web.server import Request

from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound
from sipxd.web.auth import Authenticator
from sipxd.web.document import Node
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    encode_json,
    in_turns,
    parameter,
    plain,
    read_document,
)
from sipxd.web.problems import HttpProblem, answer
from sipxd.web.services import Accounts
from sipxd.xml import write_xml

API = "/sipxconfig/api"
TEXT = b"text/plain; charset=utf-8"
MAX_TEXT = 65_536
"""Bytes of a body that is text."""
BIGGEST = 2**31 - 1
"""The biggest id, and the biggest offset in a list."""

SUFFIXES = {b".json": JSON, b".xml": XML}
_PLACE = [b"sipxconfig", b"api"]
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain")

Row = Callable[[Any, bytes], dict[str, Any]]
"""Makes a document, for the form, of a thing."""


def without_suffix(path: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """The path without ``.json`` or ``.xml`` at its end, and the form that this asks for.

    Other paths than those of ``/sipxconfig/api`` stay as they are.
    """
    if path[:2] == _PLACE:
        for suffix, form in SUFFIXES.items():
            if path[-1].endswith(suffix):
                return [*path[:-1], path[-1].removesuffix(suffix)], form
    return path, None


# Who asks


async def administrator(authenticator: Authenticator, request: Request) -> User:
    """The administrator who sent the request; raises Unauthorized, TooManyGuesses, Forbidden.

    Raises HttpProblem (415) for a POST that a form of a web page elsewhere may have sent in his
    name: a browser tells the origin, and asks first before it sends another Content-Type.
    """
    user = await authenticator.administrator(request)
    if request.method == b"POST" and request.requestHeaders.hasHeader(b"origin"):
        header = request.getHeader(b"content-type") or b""
        if header.partition(b";")[0].strip().lower() in (b"", *_FORMS):
            raise HttpProblem(415, "Send it with Content-Type: application/json, or text/xml.")
    return user


# What is asked for


def number(text: str, what: str) -> int:
    """An id in a path. Raises NotFound: there is nothing with an id that is no number."""
    if not _NUMBER.fullmatch(text) or int(text) > BIGGEST:
        raise NotFound(f"There is no {what} {text[:40]!r}.")
    return int(text)


def count(request: Request, name: str) -> int | None:
    """A query parameter that is a number from 0. Raises BadInput."""
    text = parameter(request, name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > BIGGEST:
        raise BadInput(f"{name} is a number from 0 to {BIGGEST}.", field=name)
    return int(text)


def page(request: Request) -> slice:
    """Which part of a list is asked for: ``start`` and ``limit`` count only together."""
    start, limit = count(request, "start"), count(request, "limit")
    if start is None or limit is None:
        return slice(None)
    return slice(start, start + limit)


def find_user(accounts: Accounts, text: str) -> User:
    """The user of that name or alias, or else with that id. Raises NotFound.

    The name counts first, because it is what people type, and may look like somebody's id.
    """
    user = accounts.find(text)
    if user is None and _NUMBER.fullmatch(text):
        user = accounts.by_id(int(text))
    if user is None:
        raise NotFound(f"There is no user {text[:80]!r}.")
    return user


def read_object(request: Request, root: str, members: Container[str]) -> Node:
    """The body of a POST or PUT, XML or JSON, whatever its root is called. Raises BadInput."""
    return read_document(request, root, members)


def read_text(request: Request) -> str:
    """The body of a PUT whose value is the text as it stands. Raises BadInput."""
    body: bytes = request.content.read(MAX_TEXT + 1)  # type: ignore[union-attr]
    if len(body) > MAX_TEXT:
        raise BadInput(f"The value has more than {MAX_TEXT} bytes.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput("The value is not UTF-8.") from None


# What is answered


def choose_form(request: Request) -> bytes:
    """`JSON` or `XML`: what the suffix of the path says, else Accept, else JSON.

    Raises HttpProblem (406).
    """
    form: bytes | None = getattr(request, "form", None)
    return choose(request, JSON, XML) if form is None else form


def object_answer(request: Request, root: str, thing: Any, document: Row) -> bytes:
    """Answer with ``document`` of one thing; ``root`` is what XML has around it."""
    form = choose_form(request)
    body = _write(form, root, document(thing, form))
    return answer(request, 200, body if form == JSON else _DECLARATION + body, form)


async def list_answer(
    request: Request, root: str, item: str, things: Iterable[Any], document: Row
) -> bytes:
    """Answer with ``document`` of each thing: in XML each an element ``item`` of ``root``, in JSON
    an array that is called as ``root``, with a small letter.

    A list may be long: calls are attended to while it is written.
    """
    form = choose_form(request)

    def write(thing: Any) -> bytes:
        return _write(form, item, document(thing, form))

    written = await in_turns(request, things, write)
    if form == JSON:
        name = root[0].lower() + root[1:]
        return answer(request, 200, b'{"%b":[%b]}' % (name.encode(), b",".join(written)), JSON)
    name = f"<{root}>\n%b</{root}>\n" if written else f"<{root}/>\n%b"
    return answer(request, 200, _DECLARATION + name.encode() % b"".join(written), XML)


def id_answer(request: Request, number: int) -> bytes:
    """Answer with the id of what was made or changed."""
    return text_answer(request, 200, str(number))


def text_answer(request: Request, status: int, text: str) -> bytes:
    """Answer with a text."""
    return answer(request, status, text.encode("utf-8", "replace"), TEXT)


def _write(form: bytes, root: str, value: Any) -> bytes:
    return encode_json(plain(value, nulls=True)) if form == JSON else write_xml(root, value)
