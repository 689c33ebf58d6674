"""SOAP messages, as tests write them down."""

from __future__ import annotations

import re
from typing import Any

from webkit import Answer

SERVICES = "/sipxconfig/services"
ADMIN = "superadmin"
NS = "http://www.sipfoundry.org/2007/08/21/ConfigService"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_LAYOUT = re.compile(r">\s+<")


def envelope(body: str, namespace: str = ENVELOPE) -> bytes:
    """An envelope with the prefixes c, of the services, and xsi."""
    return (
        f'<e:Envelope xmlns:e="{namespace}" xmlns:c="{NS}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


async def ask(
    house: Any, service: str, body: str | bytes, user: str | None = ADMIN, **headers: str
) -> Answer:
    """Send a body, or a whole envelope as bytes."""
    document = body if isinstance(body, bytes) else envelope(body)
    named = {"Content_Type": "text/xml", "SOAPAction": '""', **headers}
    answer: Answer = await house.request("POST", f"{SERVICES}/{service}", user, document, **named)
    return answer


async def told(house: Any, service: str, body: str | bytes) -> str:
    """What is in the body of the answer, without its layout."""
    answer = await ask(house, service, body)
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    return inside(answer)


def inside(answer: Answer) -> str:
    """What is in the Body."""
    text = _LAYOUT.sub("><", answer.body.decode())
    found = re.fullmatch(
        r".*<soapenv:Body(?:/>|>(.*)</soapenv:Body>)</soapenv:Envelope>", text, re.S
    )
    assert found, text
    return found[1] or ""


async def fault(house: Any, service: str, body: str | bytes) -> str:
    """The sentence of the fault that is the answer."""
    answer = await ask(house, service, body)
    assert answer.status == 500, answer
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    found = re.match(
        r"<soapenv:Fault><faultcode>(.*)</faultcode><faultstring>(.*)</faultstring>"
        r"<detail><(\w+):hostname xmlns:\3=.*>example.org</\3:hostname></detail></soapenv:Fault>",
        inside(answer),
    )
    assert found, answer
    assert found[1] == "soapenv:Server.userException"
    return found[2]
