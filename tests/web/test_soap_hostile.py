"""What SOAP clients send that is odd, or hostile: read as it was meant, or a fault, never half."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

import pytest_twisted
from soapkit import NS, ask, envelope, fault, inside, told
from twisted.internet.threads import deferToThread

ensure = pytest_twisted.ensureDeferred

FIND = "<c:FindUser><search><byUserName>200</byUserName></search></c:FindUser>"
FOUND = "<userName>200</userName>"
ZOE = "<c:AddUser><user><userName>%s</userName><lastName>Zoë</lastName></user><pin/></c:AddUser>"
DECLARED = '<?xml version="1.0" encoding="%s"?>'


def encoded(body: str, coding: str, declared: str = "") -> bytes:
    """An envelope in another encoding."""
    head = DECLARED % declared if declared else ""
    return (head + envelope(body).decode()).encode(coding)


@ensure
async def test_layout_comments_instructions_and_sections_change_nothing(house):
    for body in (
        "<!-- c --><?pi x?>" + FIND + "<?pi y?>",
        FIND.replace("200", "<!-- c -->2<?pi 0?>0<![CDATA[0]]>"),
        FIND.replace("200", "&#50;&#x30;0"),
        FIND.replace("<search>", "\r\n\t <search xml:space='preserve'>\n "),
        FIND.replace("<c:FindUser>", f"<c:FindUser a='{'x' * 500_000}'>"),
        FIND.replace("c:", "d:").replace("<d:FindUser", f"<d:FindUser xmlns:d='{NS}'", 1),
    ):
        assert FOUND in await told(house, "UserService", body), body[:200]


@ensure
async def test_every_encoding_that_is_declared_is_understood(house):
    for name, document in (
        ("401", encoded(ZOE % "401", "utf-8-sig")),
        ("402", encoded(ZOE % "402", "utf-16")),
        ("403", encoded(ZOE % "403", "latin-1", "ISO-8859-1")),
        ("404", encoded(ZOE % "404", "cp1252", "windows-1252")),
        ("405", encoded(ZOE % "405", "utf-16", "utf-16")),
    ):
        assert await told(house, "UserService", document) == ""
        assert house.user(name).last_name == "Zoë"
    for document, word in (
        (encoded(ZOE % "406", "latin-1"), "not well-formed"),
        (encoded(ZOE % "406", "utf-8", "us-ascii"), "not well-formed"),
        (encoded(ZOE % "406", "utf-8", "x-nothing"), "not well-formed"),
        (encoded(ZOE % "406", "utf-8", "utf-16"), "not well-formed"),
        (encoded(ZOE % "4&#1;6", "utf-8"), "not well-formed"),
        (encoded(ZOE % "4&#xFFFE;6", "utf-8"), "not well-formed"),
        (encoded(ZOE % "4&nbsp;6", "utf-8"), "not well-formed"),
    ):
        assert word in await fault(house, "UserService", document)
    assert house.app.accounts.find("406") is None


@ensure
async def test_the_document_says_what_it_is_whatever_the_content_type_says(house):
    for form in (
        "",
        "application/soap+xml",
        "text/xml; charset=iso-8859-1",
        "x" * 200,
        "text/html",
    ):
        answer = await ask(house, "UserService", FIND, Content_Type=form)
        assert (answer.status, FOUND in inside(answer)) == (200, True), form
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"


@ensure
async def test_nothing_where_something_is_needed_is_told(house):
    nil = "xsi:nil='true'"
    for operation, members, word in (
        ("AddUser", f"<user {nil}/><pin/>", "user"),
        ("AddUser", f"<user><userName {nil}/></user><pin/>", "userName"),
        ("AddUser", "<user><userName/></user><pin/>", "userName"),
        ("AddUser", f"<user><userName>x</userName></user><pin {nil}/>", "pin"),
        ("ManageUser", f"<edit><property {nil}/></edit>", "property"),
        ("RemoveCallGroup", f"<callGroup {nil}/>", "callGroup"),
        ("AddCallGroup", "<callGroup><name/></callGroup>", "name"),
        ("AddParkOrbit", "<parkOrbit><name/></parkOrbit>", "name"),
        ("AddPermission", "<permission><name/></permission>", "Label"),
        ("AddPhone", "<phone><serialNumber/><modelId/></phone>", "serialNumber"),
        ("AddPhone", f"<phone {nil}/>", "phone"),
    ):
        service = re.sub("Add|Manage|Remove", "", operation) + "Service"
        body = f"<c:{operation}>{members}</c:{operation}>"
        assert word in await fault(house, service, body), body
    members = "".join(
        f"<{name} {nil}/>"
        for name in ("pintoken", "firstName", "aliases", "groups", "permissions", "branchName")
    )
    bare = (
        f"<c:AddUser xsi:nil='0'><user><userName>407</userName>{members}</user><pin/></c:AddUser>"
    )
    assert await told(house, "UserService", bare) == ""
    assert (house.user("407").aliases, house.user("407").groups) == ((), ())


@ensure
async def test_what_is_too_much_is_told_and_not_stored(house):
    def many(name: str) -> str:
        return "".join(f"<{name}>{number}</{name}>" for number in range(5_000))

    user = "<c:AddUser><user><userName>408</userName>%s</user><pin/></c:AddUser>"
    edits = "".join(
        f"<edit><property>aliases</property><value>a{number}</value></edit>"
        for number in range(3_900)
    )
    ring = "<rings><expiration>9</expiration><type>delayed</type><userName>200</userName></rings>"
    for service, body, word in (
        ("UserService", user % many("aliases"), "50 aliases"),
        ("UserService", user % many("groups"), "50 groups"),
        ("UserService", user % f"<lastName>{'x' * 1_000_000}</lastName>", "lastName must have"),
        ("UserService", f"<c:ManageUser>{edits}</c:ManageUser>", "50 aliases"),
        ("CallGroupService", "<c:AddCallGroup><callGroup><name>g</name><extension>7</extension>"
         f"{ring * 2_000}</callGroup></c:AddCallGroup>", "200 members"),
        ("PhoneService", "<c:AddPhone><phone><serialNumber>000000000001</serialNumber><modelId>snom"
         f"</modelId><description>{'x' * 300}</description></phone></c:AddPhone>",
         "description must have"),
    ):  # fmt: skip
        assert word in await fault(house, service, body)
    assert house.app.accounts.find("408") is None
    assert house.user("200").aliases == ("ben",)
    assert house.app.call_groups.all() == []


@ensure
async def test_a_body_of_ten_megabytes_is_a_fault_however_it_comes_and_nothing_is_stored(house):
    head = b"POST /sipxconfig/services/UserService HTTP/1.1\r\nHost: x\r\n"
    for more in (
        b"Content-Length: 10485760\r\n\r\n" + b"a" * 10_485_760,
        b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"a" * 65_536 + b"\r\n") * 160,
    ):
        told = await deferToThread(raw, house, head + more)
        status, _, rest = told.partition(b"\r\n")
        assert status == b"HTTP/1.1 500 Internal Server Error", told[:300]
        assert b"Content-Type: text/xml; charset=utf-8" in rest
        assert (
            b"<faultcode>soapenv:Server.userException</faultcode><faultstring>BadInput: "
            b"The body is larger than 1048576 bytes.</faultstring>"
        ) in rest
    elsewhere = head.replace(b"services/UserService", b"rest/user")
    told = await deferToThread(raw, house, elsewhere + b"Content-Length: 10485760\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413 ")
    assert len(house.app.accounts.all()) == 4


def raw(house: Any, data: bytes) -> bytes:
    """What is answered to these bytes, as far as the server takes them."""
    with house.tls.wrap_socket(
        socket.create_connection(("127.0.0.1", house.port), timeout=10),
        server_hostname="127.0.0.1",
    ) as connection:
        with contextlib.suppress(OSError):  # it closes before all of it is sent
            connection.sendall(data)
        told = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65_536):
                told += piece
        return told
