"""SOAP envelopes, 1.1 and 1.2: taken apart, and put around answers and faults."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Awaitable, Callable

import attrs

from sipxd.errors import BadInput
from sipxd.web.soap.schema import NAMESPACE, Description
from sipxd.web.soap.values import XSI, Values, around, escaped, write
from sipxd.xml import Element, parse_in_turns

AT_ONCE = 1000
"""Elements that are written in one go; so many take some milliseconds."""


class Version(enum.Enum):
    """What a client speaks, and what it is answered."""

    SOAP_11 = ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8")
    SOAP_12 = ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8")

    @property
    def namespace(self) -> str:
        """That of its envelope."""
        return self.value[0]

    @property
    def content_type(self) -> bytes:
        """What an answer says that it is."""
        return self.value[1].encode("ascii")


class Code(enum.Enum):
    """What kind of fault it is, in both versions."""

    SENDER = ("Server.userException", "Sender")
    """The request cannot be done as it is; Axis, and so sipXcom, says Server to all of these."""
    RECEIVER = ("Server.generalException", "Receiver")
    MUST_UNDERSTAND = ("MustUnderstand", "MustUnderstand")
    VERSION = ("VersionMismatch", "VersionMismatch")


class Fault(Exception):
    """The answer is a fault; ``sentence`` says what is wrong."""

    def __init__(self, sentence: str, code: Code = Code.SENDER, kind: str = "BadInput") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.kind = kind


@attrs.frozen
class Message:
    """A request: its version, and the one element in its body, where there is one."""

    version: Version
    element: Element | None


async def read_message(document: bytes, turn: Callable[[], Awaitable[None]]) -> Message:
    """The request that a document is. Raises `Fault`.

    It may be a large one: ``turn`` is awaited now and then while it is read.
    """
    try:
        envelope = await parse_in_turns(document, turn)
    except BadInput as error:
        raise Fault(error.detail) from None
    if envelope.name != "Envelope":
        raise Fault(f"The root must be an Envelope, not {envelope.name[:40]!a}.")
    for version in Version:
        if version.namespace == envelope.namespace:
            return Message(version, _body(envelope))
    raise Fault("The Envelope is neither one of SOAP 1.1 nor of SOAP 1.2.", Code.VERSION)


def _body(envelope: Element) -> Element | None:
    bodies = [each for each in envelope.children if each.name == "Body"]
    for header in envelope.children:
        if header.name == "Header" and any(
            each.marked("mustUnderstand") for each in header.children
        ):
            raise Fault("There is a header that must be understood: none is.", Code.MUST_UNDERSTAND)
    if len(bodies) != 1:
        raise Fault(f"The Envelope must have one Body, not {len(bodies)}.")
    body = bodies[0]
    if body.namespace != envelope.namespace:
        raise Fault("The Body must be in the namespace of the Envelope.")
    if len(body.children) > 1:
        raise Fault(f"The Body must have one element, not {len(body.children)}.")
    if body.text.strip():
        raise Fault("The Body must have an element, not text.")
    return body.children[0] if body.children else None


async def write_answer(
    version: Version,
    description: Description,
    output: str | None,
    values: Values,
    turn: Callable[[], Awaitable[None]],
) -> bytes:
    """The envelope around the global element ``output``; None: its body is empty.

    A list may be long: ``turn`` is awaited now and then while it is written.
    """
    if output is None:
        return _envelope(version, b"")
    inside = around(f"c:{output}", write(description, output, values), f' xmlns:c="{NAMESPACE}"')
    parts = []
    while pieces := list(itertools.islice(inside, AT_ONCE)):
        parts.append("".join(pieces).encode())
        if len(pieces) == AT_ONCE:
            await turn()
    return _envelope(version, b"".join(parts))


def write_fault(version: Version, fault: Fault, host: str) -> bytes:
    """The envelope around a fault."""
    sentence = escaped(f"{fault.kind}: {fault.sentence}")
    name = f'<h:hostname xmlns:h="http://xml.apache.org/axis/">{escaped(host)}</h:hostname>'
    if version is Version.SOAP_11:
        inside = (
            f"<faultcode>soapenv:{fault.code.value[0]}</faultcode>"
            f"<faultstring>{sentence}</faultstring><detail>{name}</detail>"
        )
    else:
        inside = (
            f"<soapenv:Code><soapenv:Value>soapenv:{fault.code.value[1]}</soapenv:Value>"
            f'</soapenv:Code><soapenv:Reason><soapenv:Text xml:lang="en">{sentence}</soapenv:Text>'
            f"</soapenv:Reason><soapenv:Detail>{name}</soapenv:Detail>"
        )
    return _envelope(version, f"<soapenv:Fault>{inside}</soapenv:Fault>".encode())


def _envelope(version: Version, body: bytes) -> bytes:
    begin = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<soapenv:Envelope xmlns:soapenv="{version.namespace}" xmlns:xsi="{XSI}"><soapenv:Body>'
    )
    return b"".join((begin.encode(), body, b"</soapenv:Body></soapenv:Envelope>"))
