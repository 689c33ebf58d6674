"""Ways to ask for the resources of /sipxconfig/api."""

from __future__ import annotations

from typing import Any

from lxml import etree

API = "/sipxconfig/api"
ADMIN = "superadmin"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def flat(body: bytes) -> str:
    """A document of XML without its declaration and its layout."""
    assert body.startswith(DECLARATION), body
    blank = etree.XMLParser(remove_blank_text=True)
    return etree.tostring(etree.fromstring(body, blank)).decode()


async def json_of(house: Any, path: str, user: str = ADMIN) -> Any:
    answer = await house.get(f"{API}/{path}", user)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), answer
    return answer.json


async def xml_of(house: Any, path: str, user: str = ADMIN) -> str:
    answer = await house.get(f"{API}/{path}", user, Accept="text/xml")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml"), answer
    return flat(answer.body)


async def made(house: Any, path: str, value: Any) -> int:
    """The id of what was made of ``value``."""
    answer = await house.send("POST", f"{API}/{path}", value, ADMIN)
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return int(answer.body)
