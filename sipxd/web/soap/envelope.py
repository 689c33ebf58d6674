"""SOAP envelopes, 1.1 and 1.2: taken apart, and put around answers and faults."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from lxml import etree

from sipxd.errors import BadInput
from sipxd.web.soap.schema import NAMESPACE, Description
from sipxd.web.soap.values import XSI, Values, write
from sipxd.xml import FORBIDDEN, Element, parse_xml

AT_ONCE = 100
"""Items of lists that are written in one go; so many take some milliseconds."""


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


def read_message(document: bytes) -> Message:
    """The request that a document is. Raises `Fault`."""
    try:
        envelope = parse_xml(document)
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
    envelope, body = _envelope(version)
    if output is not None:
        element = etree.SubElement(body, f"{{{NAMESPACE}}}{output}", nsmap={"c": NAMESPACE})
        for number, _ in enumerate(write(description, output, element, values), 1):
            if number % AT_ONCE == 0:
                await turn()
    return _written(envelope)


def write_fault(version: Version, fault: Fault, host: str) -> bytes:
    """The envelope around a fault."""
    envelope, body = _envelope(version)
    prefix = "soapenv"
    element = etree.SubElement(body, f"{{{version.namespace}}}Fault")
    sentence = FORBIDDEN.sub("\ufffd", fault.sentence)
    if version is Version.SOAP_11:
        etree.SubElement(element, "faultcode").text = f"{prefix}:{fault.code.value[0]}"
        etree.SubElement(element, "faultstring").text = f"{fault.kind}: {sentence}"
        detail = etree.SubElement(element, "detail")
    else:
        inside = f"{{{version.namespace}}}"
        code = etree.SubElement(element, f"{inside}Code")
        etree.SubElement(code, f"{inside}Value").text = f"{prefix}:{fault.code.value[1]}"
        reason = etree.SubElement(element, f"{inside}Reason")
        text = etree.SubElement(reason, f"{inside}Text")
        text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        text.text = f"{fault.kind}: {sentence}"
        detail = etree.SubElement(element, f"{inside}Detail")
    etree.SubElement(detail, "{http://xml.apache.org/axis/}hostname").text = host
    return _written(envelope)


def _envelope(version: Version) -> tuple[Any, Any]:
    names: Any = {"soapenv": version.namespace, "xsi": XSI}
    envelope = etree.Element(f"{{{version.namespace}}}Envelope", nsmap=names)
    return envelope, etree.SubElement(envelope, f"{{{version.namespace}}}Body")


def _written(envelope: Any) -> bytes:
    written: bytes = etree.tostring(envelope, encoding="utf-8", xml_declaration=True)
    return written
