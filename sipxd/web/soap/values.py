"""Values in XML, driven by the schema: read with tolerance, held against it, written strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from sipxd.errors import BadInput
from sipxd.web.soap.schema import NAMESPACE, Description, Member
from sipxd.xml import FORBIDDEN, Element

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
"""For what was parsed before, and is written anew."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)

Values = Mapping[str, Any]


def read(description: Description, name: str, element: Element) -> dict[str, Any]:
    """The members of a global element, in whatever order and namespace they came.

    Of a member that may be there many times it is a list; one that is not there, or nil, is None.
    Raises BadInput with the path of what the schema does not know.
    """
    normal = [f'<c:{name} xmlns:c="{NAMESPACE}" xmlns:xsi="{XSI}">']
    values = _read(description, name, element, normal, name)
    normal.append(f"</c:{name}>")
    if not description.requests.validate(etree.fromstring("".join(normal), _PARSER)):
        raise BadInput(_reason(description.requests.error_log[-1]))
    return values


def _read(
    description: Description, kind: str, element: Element, normal: list[str], path: str
) -> dict[str, Any]:
    """The members of an element, which are put into ``normal`` as the schema wants them."""
    members = {member.name: member for member in description.types[kind]}
    if text := element.text.strip():
        raise BadInput(f"{path} must hold elements, not {text[:40]!a}")
    came: dict[str, list[Element]] = {}
    for child in element.children:
        if child.namespace not in ("", NAMESPACE):
            raise BadInput(f"{path}/{child.name[:40]} is in the namespace {child.namespace[:80]!a}")
        if child.name not in members:
            known = ", ".join(members)
            raise BadInput(f"{path} has no element {child.name[:40]!a}; it has {known}")
        came.setdefault(child.name, []).append(child)
    values: dict[str, Any] = {}
    for name, member in members.items():
        found = came.get(name, [])
        if len(found) > 1 and not member.many:
            raise BadInput(f"{path}/{name} is there {len(found)} times")
        if not found and member.needed:
            raise BadInput(f"{path}/{name} is missing")
        place = f"{path}/{name}"
        each = [_one(description, member, child, normal, place) for child in found]
        values[name] = each if member.many else (each[0] if each else None)
    return values


def _one(
    description: Description, member: Member, child: Element, normal: list[str], path: str
) -> Any:
    name = member.name
    if child.marked("nil"):
        if child.children or child.text.strip():
            raise BadInput(f"{path} is nil and must be empty then")
        if member.nillable:
            normal.append(f'<{name} xsi:nil="true"/>')
        return None
    if member.type in description.types:
        normal.append(f"<{name}>")
        values = _read(description, member.type, child, normal, path)
        normal.append(f"</{name}>")
        return values
    if child.children:
        raise BadInput(f"{path} must be text without elements in it")
    text = child.text if member.type == "string" else child.text.strip()
    if text and FORBIDDEN.search(text):
        raise BadInput(f"{path} has a character that no XML document may have")
    normal.append(f"<{name}>{escaped(text)}</{name}>" if text else f"<{name}/>")
    match member.type:
        case "boolean":
            value = {"true": True, "1": True, "false": False, "0": False}.get(text)
            if value is None:
                raise BadInput(f"{path} must be true or false, not {text[:40]!a}")
            return value
        case "int":
            if not _INTEGER.fullmatch(text):
                raise BadInput(f"{path} must be a whole number, not {text[:40]!a}")
            return int(text)
    return text


def _reason(error: Any) -> str:
    """What the schema says, without its namespaces."""
    text = error.message.replace(f"{{{NAMESPACE}}}", "")
    return ascii(text)[1:-1][:300]


def write(description: Description, kind: str, values: Values) -> Iterator[str]:
    """The members of this kind as XML, in the order of the schema.

    A value that is None is nil where it may be, else it is not there.  Comes in pieces, each item
    of a list begins one, so that somebody else may have his turn.
    """
    for member in description.types[kind]:
        value = values.get(member.name)
        if member.many:
            for each in value or ():
                yield from _written(description, member, each)
        elif value is not None:
            yield from _written(description, member, value)
        elif member.nillable:
            yield f'<{member.name} xsi:nil="true"/>'


def _written(description: Description, member: Member, value: Any) -> Iterator[str]:
    name = member.name
    if member.type in description.types:
        yield from around(name, write(description, member.type, value))
        return
    text = ("true" if value else "false") if isinstance(value, bool) else escaped(str(value))
    yield f"<{name}>{text}</{name}>" if text else f"<{name}/>"


def around(name: str, pieces: Iterator[str], attributes: str = "") -> Iterator[str]:
    """An element with these pieces in it; ``attributes`` begin with a blank."""
    first = next(pieces, None)
    if first is None:
        yield f"<{name}{attributes}/>"
        return
    yield f"<{name}{attributes}>{first}"
    yield from pieces
    yield f"</{name}>"


def escaped(text: str) -> str:
    """A text as it stands in an element; what XML cannot have is replaced."""
    return escape(FORBIDDEN.sub("\ufffd", text), {"\r": "&#13;"})
