"""Writes the page of the SOAP services: each service, operation and type, as the WSDL has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree

from sipxd.web.soap.envelope import Version
from sipxd.web.soap.schema import NAMESPACE, WSDL, XSD, Description, Member, Operation, load

PAGE = "soap-api.rst"
FAMILY = "c"
EXAMPLES = {
    "userName": "402", "pintoken": None, "lastName": "Ortiz", "firstName": "Ben",
    "sipPassword": None, "aliases": "benny", "emailAddress": "ben@example.org",
    "groups": "field-team", "permissions": "Voicemail", "branchName": "Harbour",
    "pin": "4711-402", "vmpin": "4711", "byUserName": "402", "byName": "perm_1",
    "bySerialNumber": "0004f2a1b2c3", "callGroup": "shop", "extension": "700",
    "description": "Selling", "expiration": "15", "position": "0", "label": "Satellite",
    "serialNumber": "0004f2a1b2c3", "modelId": "polycom550", "deviceVersion": "3.2",
    "userId": "402", "uri": "<sip:402@example.org>", "property": "description",
    "value": "Front desk", "music": "default.wav", "realm": "example.org",
    "addGroup": "field-team", "updateBranch": "Harbour", "builtIn": "false",
}  # fmt: skip
"""What members have in the examples; what is not here, and need not be there, is left out."""
NAMES = {"Permission": "perm_1", "CallGroup": "shop", "ParkOrbit": "lobby", "Domain": "example.org"}
"""What the member ``name`` of a type has."""
EDITS = {"ManageUser": ("lastName", "Marsh"), "ManagePermission": ("description", "By satellite")}
"""What is edited by the examples of operations, where it is no description of a telephone."""
TYPES = {"Permission": "CALL", "UserRing": "delayed"}
"""What the member ``type`` of a type has."""
RST = """\
The SOAP services
=================

sipXcom's SOAP interface, for clients that were made for it: SOAP 1.1, document/literal, by POST to
``/sipxconfig/services/`` and the name of a service, for administrators. Each service has the whole
WSDL at ``?wsdl``, with the addresses of the host that was asked::

    curl --insecure -u superadmin:PIN https://127.0.0.1:8443/sipxconfig/services/UserService?wsdl

- Elements may come in any order, with or without the namespace; what may be nil may be left out,
  and so may ``search``, ``edit`` and ``vmpin``. Answers are as the WSDL says.
- What cannot be is a fault, with status 500 as SOAP 1.1 wants it, the code
  ``Server.userException``, and a sentence that names the element. Nothing of it is stored then.
  Where a change of many finds one that cannot be changed, those before it stay changed.
- A document of more than 1 MiB is a fault before it is read.
- An envelope of SOAP 1.2 is answered in SOAP 1.2.
- Secrets are taken and never told. A user whose ``pin`` or ``sipPassword`` is empty gets a random
  one that nobody knows; an edit of ``pintoken`` or ``sipPassword`` to nothing leaves what there is.
- What ``pintoken`` is edited to is the PIN from then on. Old Perl samples give it as
  ``md5hex(user:realm:pin)``, as early releases of sipXcom wanted it: those 32 digits are the
  password then, as they stand.
- Where something is deleted, nothing else that the request asks for is looked at. An element that
  is nil must be empty.
- Of users, a search by a part of a name, or by a group, finds the first 1,000.
- Telephones are stored with their lines. Nothing is provisioned from here: ``generateProfiles`` and
  ``restart`` are faults that say so, and the password of an external line is not kept.
- A model of a telephone is known by its maker, with whose name it begins: ``polycom550``.
- Park orbits are stored; who calls one is told that there is no park server (480).
- TestService is refused unless ``[web] soap_test_service`` is on.
- Clients made with Axis 1.4 know hosts by names of the certificate alone: give them a name, not an
  address.

Below, what has a ``?`` may be left out, and what has a ``*`` may be there any number of times.
"""


def value_of(kind: str, member: Member) -> str | None:
    """What a member of ``kind`` has in an example."""
    if member.name == "name":
        return NAMES.get(kind)
    if member.name == "type":
        return TYPES.get(kind)
    if member.type == "boolean":
        return {
            "enabled": "true",
            "defaultValue": "true",
            "builtIn": "false",
            "callGroup": "true",
        }.get(member.name)
    return EXAMPLES.get(member.name)


def fill(description: Description, kind: str, element: Any, *, request: bool) -> None:
    """Put an example of ``kind`` into ``element``; a search asks for one thing alone."""
    for member in description.types[kind]:
        if member.type in description.types:
            if request and not member.needed and member.name not in ("search", "edit", "rings"):
                continue
            child = etree.SubElement(element, member.name)
            fill(description, member.type, child, request=request)
            continue
        value = value_of(kind, member)
        if value is None and member.needed:
            value = "..."
        if value is None or (kind.endswith("Search") and len(element)):
            continue
        etree.SubElement(element, member.name).text = value
    if not request:
        add_nils(description, kind, element)


def add_nils(description: Description, kind: str, element: Any) -> None:
    """In answers, what is nothing is nil."""
    there = {child.tag: child for child in element}
    for child in list(element):
        element.remove(child)
    for member in description.types[kind]:
        if member.name in there:
            element.append(there[member.name])
        elif member.nillable and not member.many:
            child = etree.SubElement(element, member.name)
            child.set("{http://www.w3.org/2001/XMLSchema-instance}nil", "true")


def example(description: Description, name: str | None, *, request: bool) -> Any:
    """An envelope around an example of a global element; None: an empty body."""
    names: Any = {
        "soapenv": Version.SOAP_11.namespace,
        FAMILY: NAMESPACE,
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    }
    space = f"{{{Version.SOAP_11.namespace}}}"
    envelope = etree.Element(f"{space}Envelope", nsmap=names)
    body = etree.SubElement(envelope, f"{space}Body")
    if name is not None:
        element = etree.SubElement(body, f"{{{NAMESPACE}}}{name}")
        fill(description, name, element, request=request)
        for edit in element.iter("edit"):
            if name in EDITS:
                edit[0].text, edit[1].text = EDITS[name]
    etree.cleanup_namespaces(envelope)
    return envelope


def page() -> str:
    """The page as reStructuredText."""
    description = load()
    root: Any = etree.fromstring(description.document)
    lines = RST.splitlines()
    for port in root.findall(f"{WSDL}portType"):
        service = port.get("name")
        lines += ["", service, "-" * len(service), "", _text(port)]
        for operation in port.findall(f"{WSDL}operation"):
            name = operation.get("name")
            lines += ["", name, "~" * len(name), "", _text(operation), ""]
            lines += _parts(description, description.ports[service][name])
            lines += _examples(description, description.ports[service][name])
    lines += ["", "Types", "-----", ""]
    for kind in root.iter(f"{XSD}complexType"):
        if kind.get("name"):
            lines += _type(description, kind)
    return "\n".join(lines) + "\n"


def _parts(description: Description, operation: Operation) -> list[str]:
    """What an operation is given, and what it gives; the examples do not have everything."""
    lines = []
    for title, name in (("It is given", operation.input), ("It gives", operation.output)):
        if name is not None:
            lines += [f"{title} the element ``{name}``:", "", *_members(description, name), ""]
    return lines


def _examples(description: Description, operation: Operation) -> list[str]:
    request = example(description, operation.input, request=True)
    answer = example(description, operation.output, request=False)
    return ["A request::", "", *_indented(request), "", "Its answer::", "", *_indented(answer)]


def _indented(envelope: Any) -> list[str]:
    etree.indent(envelope)
    text = etree.tostring(envelope).decode().replace(" xmlns:", "\n    xmlns:")
    return [f"    {line}" for line in text.splitlines()]


def _type(description: Description, kind: Any) -> list[str]:
    name = kind.get("name")
    lines = ["", name, "~" * len(name), ""]
    text = " ".join((kind.findtext(f"{XSD}annotation/{XSD}documentation") or "").split())
    if text:
        lines += [text, ""]
    return lines + _members(description, name)


def _members(description: Description, name: str) -> list[str]:
    lines = []
    for member in description.types[name]:
        kind = f"`{member.type}`_" if member.type in description.types else member.type
        mark = " ``*``" if member.many else ("" if member.needed else " ``?``")
        lines.append(f"- ``{member.name}`` {kind}{mark}")
    return lines


def _text(element: Any) -> str:
    return " ".join((element.findtext(f"{WSDL}documentation") or "").split())


def write(app: Any) -> None:
    """Write the page where Sphinx is about to read; where it is as it was, it stays."""
    path = Path(app.srcdir) / PAGE
    text = page()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
