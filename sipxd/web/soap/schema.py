"""The WSDL, and what it says of types and operations.

Everything that the services know of messages is read from ``services.wsdl``: the document that
clients are given is the one that their requests are held against.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import resources
from typing import Any

import attrs
from lxml import etree

NAMESPACE = "http://www.sipfoundry.org/2007/08/21/ConfigService"
XSD = "{http://www.w3.org/2001/XMLSchema}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
PATH = "/sipxconfig/services"

LENIENT = ("search", "edit", "vmpin", "position")
"""Members that have to be there by the WSDL, and that clients leave out (contract 11.3, 11.5)."""

_ADDRESS = b"https://localhost/"
"""What the addresses in the document begin with."""


@attrs.frozen
class Member:
    """A local element of a type."""

    name: str
    type: str
    """The name of a complex type, or of a simple one of XML Schema: string, int, boolean."""
    many: bool
    nillable: bool
    needed: bool
    """Whether a request without it is refused."""


@attrs.frozen
class Operation:
    """An operation of a service; elements are global ones, None: the body is empty."""

    name: str
    input: str | None
    output: str | None


@attrs.frozen
class Description:
    """What the WSDL says."""

    document: bytes
    types: Mapping[str, tuple[Member, ...]]
    """The members of complex types, and of global elements, in their order."""
    ports: Mapping[str, Mapping[str, Operation]]
    """The operations of each service, by the name of the element in the body of a request."""
    requests: Any  # etree.XMLSchema, as below
    """What requests have to be, once they are in order: what may be nil may be missing, too."""
    strict: Any
    """What the WSDL says, word for word."""

    @property
    def namespace(self) -> str:
        """That of the global elements."""
        return NAMESPACE

    def wsdl(self, host: str) -> bytes:
        """The document with the addresses of this host."""
        return self.document.replace(_ADDRESS, f"https://{host}/".encode("ascii"))


def load() -> Description:
    """Read the document that lies beside this module."""
    document = resources.files("sipxd.web.soap").joinpath("services.wsdl").read_bytes()
    root: Any = etree.fromstring(document)
    schema: Any = root.find(f"{WSDL}types/{XSD}schema")
    types = {
        each.get("name"): tuple(_member(member) for member in _members(each))
        for each in schema
        if each.tag in (f"{XSD}complexType", f"{XSD}element")
    }
    messages = {
        message.get("name"): next((_local(part.get("element")) for part in message), None)
        for message in root.findall(f"{WSDL}message")
    }
    ports = {
        port.get("name"): _operations(port, messages) for port in root.findall(f"{WSDL}portType")
    }
    lenient = copy.deepcopy(schema)
    for element in lenient.iter(f"{XSD}element"):
        if not _is_needed(element):
            element.set("minOccurs", "0")
    return Description(document, types, ports, etree.XMLSchema(lenient), etree.XMLSchema(schema))


def _operations(port: Any, messages: Mapping[str, str | None]) -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for each in port.findall(f"{WSDL}operation"):
        name = each.get("name")
        came, goes = (each.find(f"{WSDL}{way}").get("message") for way in ("input", "output"))
        operation = Operation(name, messages[_local(came)], messages[_local(goes)])
        # Clients send an element of the operation's name where there shall be none (11.1), and
        # Node one of the message's.
        for element in {
            name,
            name[0].upper() + name[1:],
            f"{name}Request",
            operation.input or name,
        }:
            found[element] = operation
    return found


def _members(kind: Any) -> list[Any]:
    return [
        *kind.iterfind(f".//{XSD}sequence/{XSD}element"),
        *kind.iterfind(f".//{XSD}all/{XSD}element"),
    ]


def _member(element: Any) -> Member:
    name, many = element.get("name"), element.get("maxOccurs") == "unbounded"
    return Member(
        name, _local(element.get("type")), many, _is_nillable(element), _is_needed(element)
    )


def _is_nillable(element: Any) -> bool:
    return bool(element.get("nillable") == "true")


def _is_needed(element: Any) -> bool:
    lenient = _is_nillable(element) or element.get("name") in LENIENT
    return not lenient and element.get("minOccurs") != "0"


def _local(name: str) -> str:
    return name.rpartition(":")[2]
