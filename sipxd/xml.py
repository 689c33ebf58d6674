"""XML, in and out: the one parser of the project, and the writer for sipXcom's documents.

A document becomes a tree of plain values while it is read, so nothing of it can reach for a file, a
network or an entity, and reading ends where a bound is passed.  Nothing that sipXcom's clients send
has a DOCTYPE (sipXcom contract 1.6), so any is refused, before one entity of it is declared.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs
from lxml import etree

from sipxd.errors import BadInput

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_PARTS = 20_000
"""Elements and pieces of text; the largest documents, of 1,000 rings, have 9,000.

The reactor waits while a document is read: so many take 20 ms, and so do the most expensive bytes
that are neither, the attributes.
"""

SLICE = 32_768
"""Bytes that are read in one go where others get their turn."""

_YES = ("true", "1")
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may contain, not even escaped."""


@attrs.define  # not frozen, which would make it twice as slow to make
class Element:
    """An element; of its attributes only those are kept that say yes."""

    name: str
    """Without its namespace."""
    children: list[Element] = attrs.field(factory=list)
    pieces: list[str] = attrs.field(factory=list)
    namespace: str = ""
    marks: tuple[str, ...] = ()
    """The names, without namespace, of attributes that are ``true`` or ``1``."""

    @property
    def text(self) -> str:
        """All characters directly in it."""
        return "".join(self.pieces)

    def marked(self, attribute: str) -> bool:
        """Whether this attribute says yes, as ``xsi:nil="true"`` does."""
        return attribute in self.marks


class _Builder:
    """Takes the events of the parser and builds the tree."""

    def __init__(self) -> None:
        self._open = [Element("")]
        self._parts = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._count()
        if len(self._open) > MAX_DEPTH:
            raise BadInput(f"The document nests deeper than {MAX_DEPTH} elements.")
        namespace, _, name = tag.removeprefix("{").rpartition("}")
        marks = (
            tuple([each.rpartition("}")[2] for each, yes in attributes.items() if yes in _YES])
            if attributes
            else ()
        )
        element = Element(name, [], [], namespace, marks)
        self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, tag: str) -> None:
        self._open.pop()

    def data(self, data: str) -> None:
        self._count()
        self._open[-1].pieces.append(data)

    def doctype(self, name: str, public_id: str | None, system_url: str | None) -> None:
        raise BadInput("A document with a DOCTYPE is not accepted.")

    def close(self) -> Element:
        # Called after a refusal too, when there may be no element yet.
        return self._open[0]

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadInput(f"The document has more than {MAX_PARTS} elements and texts.")


def parse_xml(document: bytes) -> Element:
    """The root of a document, or BadInput with what is wrong and where."""
    text = _checked(document)
    try:
        return _root(etree.fromstring(text, _parser()))
    except etree.XMLSyntaxError as error:
        raise _broken(error) from None


async def parse_in_turns(document: bytes, turn: Callable[[], Awaitable[None]]) -> Element:
    """As ``parse_xml``; ``turn`` is awaited now and then while a large document is read."""
    if len(document) <= SLICE:
        return parse_xml(document)
    text, parser = _checked(document), _parser()
    try:
        for begin in range(0, len(text), SLICE):
            parser.feed(text[begin : begin + SLICE])
            await turn()
        return _root(parser.close())
    except etree.XMLSyntaxError as error:
        raise _broken(error) from None


def _checked(document: bytes) -> bytes:
    if len(document) > MAX_BYTES:
        raise BadInput(f"The document is larger than {MAX_BYTES} bytes.")
    return document.lstrip(b" \t\r\n")


def _parser() -> etree.XMLParser:
    target: Any = _Builder()
    return etree.XMLParser(
        target=target,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )


def _root(parsed: Any) -> Element:
    root: Element = parsed.children[0]
    return root


def _broken(error: etree.XMLSyntaxError) -> BadInput:
    # The parser quotes the document, whose characters go nowhere unseen.
    reason = ascii(error.msg or "it is broken")[1:-1][:200]
    return BadInput(f"The document is not well-formed XML: {reason}.")


@attrs.frozen
class Items:
    """A list to be written: in XML, each value in an element with the name ``item``."""

    item: str
    values: list[Any]


def write_xml(root: str, value: Any, *, namespace: str = "") -> bytes:
    """``value`` as the document of sipXcom contract 1.6: no declaration, indented by two blanks.

    A mapping becomes elements in its order, without those that are None, and attributes of members
    with an @ before their names; of a member that is a ``list`` there is one element for each
    value, and Items become a list with an element around it.
    ``namespace`` is the one that all of it is in.
    """
    element = etree.Element(root, {"xmlns": namespace} if namespace else None)
    _fill(element, value)
    written: bytes = etree.tostring(element, encoding="utf-8", pretty_print=True)
    return written


def _fill(element: Any, value: Any) -> None:
    children: Iterable[tuple[str, Any]]
    match value:
        case Items():
            children = ((value.item, each) for each in value.values)
        case dict():
            children = (
                (name, each)
                for name, given in value.items()
                for each in (given if isinstance(given, list) else (given,))
            )
        case bool():
            element.text = "true" if value else "false"
            return
        case _:
            element.text = FORBIDDEN.sub("\ufffd", str(value))
            return
    for name, each in children:
        if name.startswith("@"):
            element.set(name[1:], FORBIDDEN.sub("\ufffd", str(each)))
        elif each is not None:
            _fill(etree.SubElement(element, name), each)
