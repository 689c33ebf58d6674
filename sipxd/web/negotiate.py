"""What form bodies have, coming and going: JSON and XML, read strictly and written compactly.

A resource of our own API is JSON only: ``read_json`` makes an attrs class of the body, msgspec
names the path of a wrong value.  A resource that sipXcom has in both forms calls ``choose`` for
the form of its answer, ``read_document`` for a body of either form, and ``write_document``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import Any, TypeVar

import msgspec
from twisted.internet.task import deferLater
from twisted.web.server import Request

from sipxd.errors import BadInput
from sipxd.web.document import JsonNode, Node, XmlNode
from sipxd.web.problems import HttpProblem, answer
from sipxd.web.strict_json import decode_json
from sipxd.xml import Items, parse_xml, write_xml

T = TypeVar("T")

JSON = b"application/json"
XML = b"text/xml"

AT_ONCE = 50
"""Things of a list that are written in one go; so many may take 10 ms."""

_NAMES = {JSON: (JSON,), XML: (XML, b"application/xml")}
"""By which names a form may be accepted; ``application/xml`` is told as text/xml (1.5)."""
_WEIGHT = re.compile(rb"q\s*+=\s*+([01](?:\.[0-9]*+)?)")
_CHARSET = re.compile(rb'(?i)charset="?([a-z0-9_:.+-]{1,40}+)')
_BLANK = b"\xef\xbb\xbf \t\r\n"


def parameter(request: Request, name: str) -> str | None:
    """A query parameter that is given at most once. Raises BadInput."""
    given = request.args.get(name.encode("ascii"))
    if given is None:
        return None
    if len(given) > 1:
        raise BadInput(f"Give {name} once.", field=name)
    try:
        text = str(given[0], "utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8.", field=name) from None
    if "\0" in text:  # PostgreSQL takes it in no text
        raise BadInput(f"{name} has the character U+0000.", field=name)
    return text


# The form of the answer


def choose(request: Request, *offers: bytes) -> bytes:
    """The one of the media types offered that the client likes best, the first among equals.

    Raises HttpProblem (406) when it accepts none.
    """
    if len(offers) > 1:
        request.responseHeaders.addRawHeader(b"Vary", b"Accept")
    header = b",".join(request.requestHeaders.getRawHeaders(b"accept", []))
    if not header:
        return offers[0]
    ranges = [_range(choice) for choice in header.lower().split(b",")]
    weights = {offer: _weight(ranges, _NAMES.get(offer, (offer,))) for offer in offers}
    best = max(offers, key=lambda offer: weights[offer])
    if not weights[best]:
        told = " or ".join(offer.decode("ascii") for offer in offers)
        only = " only" if len(offers) == 1 else ""
        raise HttpProblem(406, f"This resource is told as {told}{only}.")
    return best


def require_json_accepted(request: Request) -> None:
    """Raise HttpProblem (406) when the client says that it takes no JSON."""
    choose(request, JSON)


def _range(choice: bytes) -> tuple[bytes, float]:
    name, *parameters = (part.strip() for part in choice.split(b";"))
    for given in parameters:
        if found := _WEIGHT.fullmatch(given):
            return name, float(found[1])
    return name, 1.0


def _weight(ranges: list[tuple[bytes, float]], names: tuple[bytes, ...]) -> float:
    """How much the client likes a form: what its most exact ranges say (RFC 9110 12.5.1)."""
    kinds = tuple(name.partition(b"/")[0] + b"/*" for name in names)
    for exactness in (names, kinds, (b"*/*",)):
        found = [weight for given, weight in ranges if given in exactness]
        if found:
            return max(found)
    return 0.0


# Bodies that come


def read_json(request: Request, shape: type[T], *, optional: bool = False) -> T:
    """The body as ``shape`` (an attrs class); unknown members are ignored.

    ``optional``: no body at all is an empty object.  Raises HttpProblem (415) when the body is not
    called JSON, BadInput when it is not JSON or has another shape.
    """
    body = _body(request)
    if optional and not body:
        return shape()
    require_json_sent(request)
    value: T = decode_json(body, shape)
    return value


def require_json_sent(request: Request) -> None:
    """Raise HttpProblem (415) when the Content-Type does not say that the body is JSON."""
    if not _is_called_json(request):
        raise HttpProblem(
            415, "Send the body as JSON, with Content-Type: application/json.", {b"Accept": JSON}
        )


def _is_called_json(request: Request) -> bool:
    name = media_type(request)
    return name == JSON or (name.startswith(b"application/") and name.endswith(b"+json"))


def read_document(request: Request, root: str, members: Container[str]) -> Node:
    """The body as sipXcom's clients send it: XML or JSON, ``root`` is what is around it all.

    JSON is what is called so or looks so, anything else is XML: curl calls both a form (1.5).  The
    name of the root is not looked at, and in JSON it may be missing, then only ``members`` are
    looked for.  Raises BadInput.
    """
    body = _body(request)
    if not body.strip(_BLANK):
        raise BadInput("The body is empty; send the document.")
    if not _looks_like_json(request, body):
        return XmlNode(f"/{root}", parse_xml(body))
    value = decode_json(body.lstrip(_BLANK), Any)
    if isinstance(value, dict):
        if root in value:
            return JsonNode(root, value[root])
        if len(value) == 1:
            ((name, inner),) = value.items()
            if isinstance(inner, dict) and name not in members:
                return JsonNode(root, inner)
    return JsonNode("", value)


def read_list(request: Request, root: str, item: str, most: int) -> list[Node]:
    """The body where the root itself is a list, of at most ``most`` elements ``item``.

    Raises BadInput.
    """
    document = read_document(request, root, (item,))
    if isinstance(document, JsonNode):
        document = document.inside(root)
    items = document.items(item)
    if len(items) > most:
        raise document.refusal(f"may hold at most {most}, not {len(items)}")
    return items


def read_file(request: Request) -> tuple[bytes, str]:
    """The body of a file, and the charset that its Content-Type names; empty: none.

    Raises BadInput where it is empty.
    """
    body = _body(request)
    if not body.strip(_BLANK):
        raise BadInput("The body is empty; send the file.")
    found = _CHARSET.search(request.getHeader(b"content-type") or b"")
    return body, "" if found is None else found[1].decode("latin-1")


def media_type(request: Request) -> bytes:
    """What the Content-Type says that the body is, in lower case, without parameters."""
    return (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()


def read_plain(request: Request) -> Node:
    """The body of a resource that sipXcom has in JSON only, without a root (1.7 b)."""
    body = _body(request).strip(_BLANK)
    if not body:
        raise BadInput("The body is empty; send JSON.")
    return JsonNode("", decode_json(body, Any))


def _looks_like_json(request: Request, body: bytes) -> bool:
    return _is_called_json(request) or body.lstrip(_BLANK).startswith((b"{", b"["))


def _body(request: Request) -> bytes:
    body: bytes = request.content.read()  # type: ignore[union-attr]
    return body


# Bodies that go


def json_answer(request: Request, status: int, value: object) -> bytes:
    """Answer with ``value`` as JSON."""
    return answer(request, status, encode_json(value), JSON)


def encode_json(value: object) -> bytes:
    """``value`` as JSON."""
    return msgspec.json.encode(value)


def empty_answer(request: Request, status: int) -> bytes:
    """Answer without a body."""
    return answer(request, status, b"", b"")


def write_document(form: bytes, root: str, value: Any) -> bytes:
    """``value`` in sipXcom's XML or the JSON beside it (1.6, 1.7 a); members that are None are left
    out, and a list is written as `sipxd.xml.Items`."""
    if form == XML:
        return write_xml(root, value)
    return encode_json({root: plain(value)})


async def in_turns(
    request: Request, things: Iterable[T], write: Callable[[T], bytes]
) -> list[bytes]:
    """What ``write`` makes of each thing; calls are attended to while a long list is written."""
    written: list[bytes] = []
    for thing in list(things):
        written.append(write(thing))
        if len(written) % AT_ONCE == 0:
            await deferLater(request.site.reactor, 0)  # type: ignore[union-attr]
    return written


def plain(value: Any, *, nulls: bool = False) -> Any:
    """``value`` as JSON has it; members that are None are left out, or with ``nulls`` null."""
    match value:
        case Items():
            return [plain(each, nulls=nulls) for each in value.values]
        case list():
            return [plain(each, nulls=nulls) for each in value]
        case dict():
            return {
                name: plain(each, nulls=nulls)
                for name, each in value.items()
                if nulls or each is not None
            }
        case _:
            return value
