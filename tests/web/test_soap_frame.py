"""The frame of the SOAP services: envelopes, faults, the WSDL (11.1)."""

from __future__ import annotations

import pytest_twisted
from lxml import etree
from soapkit import ADMIN, ENVELOPE, NS, SERVICES, ask, envelope, fault, inside, told

from sipxd.web.soap.schema import load

ensure = pytest_twisted.ensureDeferred

ALL = (
    "CallGroupService",
    "ParkOrbitService",
    "PermissionService",
    "PhoneService",
    "TestService",
    "UserService",
    "SystemService",
)
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
FIND = "<c:FindUser><search><byUserName>200</byUserName></search></c:FindUser>"
FOUND = "<users><user><userName>200</userName>"
INFO = (
    f'<c:SystemInfo xmlns:c="{NS}"><domain><name>example.org</name><realm>example.org</realm>'
    "</domain></c:SystemInfo>"
)


@ensure
async def test_each_service_has_the_whole_wsdl_with_the_addresses_of_the_host_that_was_asked(house):
    documents = set()
    for service in ALL:
        path = f"{SERVICES}/{service}?wsdl"
        assert (await house.get(path, None)).status == 401
        assert (await house.get(path, "200")).status == 403
        answer = await house.get(path, ADMIN, Host="pbx.example.org:4711")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
        documents.add(answer.body)
    (document,) = documents
    root = etree.fromstring(document)
    assert (root.get("name"), root.get("targetNamespace")) == ("ConfigService", NS)
    wsdl = "{http://schemas.xmlsoap.org/wsdl/}"
    ports = root.findall(f"{wsdl}service[@name='ConfigImplService']/{wsdl}port")
    assert {port.get("name"): port[0].get("location") for port in ports} == {
        service: f"https://pbx.example.org:4711/sipxconfig/services/{service}" for service in ALL
    }
    strange = await house.get(f"{SERVICES}/UserService?WSDL", ADMIN, Host='x"><evil/>')
    assert strange.status == 400 or b"evil" not in strange.body
    assert (await house.get(f"{SERVICES}/UserService", ADMIN)).status == 405


@ensure
async def test_services_are_for_administrators(house):
    for service in ALL:
        assert (await ask(house, service, "", None)).status == 401
        assert (await ask(house, service, "", "200")).status == 403
    assert (await ask(house, "NoService", "")).status == 404


@ensure
async def test_children_come_in_any_order_with_any_prefix_or_none(house):
    for body in (
        FIND,
        FIND.replace("FindUser", "findUser"),
        f'<FindUser xmlns="{NS}"><search><byUserName>200</byUserName></search></FindUser>',
        "<c:FindUser><c:search><c:byUserName>200</c:byUserName></c:search></c:FindUser>",
        "<FindUser><search><byUserName>200</byUserName></search></FindUser>",
        "<c:FindUser><search><byGroup xsi:nil='true'/><byUserName>200</byUserName></search>"
        "</c:FindUser>",
        "<c:FindUser xmlns:x='urn:x' x:y='1'><search xsi:type='x:z'>\n <byUserName>200</byUserName>"
        "</search></c:FindUser>",
    ):
        assert FOUND in await told(house, "UserService", body), body


@ensure
async def test_operations_without_parts_are_known_by_their_endpoint(house):
    for body in (
        "",
        "<systemInfo/>",
        "<c:SystemInfo/>",
        "<c:systemInfo></c:systemInfo>",
        "<systemInfoRequest></systemInfoRequest>",
        f'<SystemInfo xmlns="{NS}" xsi:nil="true"/>',
    ):
        assert await told(house, "SystemService", body) == INFO, body
    for body in ("", "<getCallGroups/>", "<c:GetCallGroups/>"):
        groups = await told(house, "CallGroupService", body)
        assert (
            groups
            == f'<c:GetCallGroupsResponse xmlns:c="{NS}"><callGroups/></c:GetCallGroupsResponse>'
        )
    for body in ("", "<getParkOrbits/>", "<c:GetParkOrbits/>"):
        assert "<parkOrbits/>" in await told(house, "ParkOrbitService", body)


@ensure
async def test_an_envelope_of_soap_1_2_is_answered_in_1_2(house):
    answer = await ask(house, "UserService", envelope(FIND, SOAP_12), Accept="text/plain")
    assert (answer.status, answer.headers["Content-Type"]) == (
        200,
        "application/soap+xml; charset=utf-8",
    )
    assert SOAP_12.encode() in answer.body
    assert FOUND in inside(answer)
    refused = await ask(house, "UserService", envelope("<c:Nothing/>", SOAP_12))
    assert refused.status == 400
    assert "<soapenv:Value>soapenv:Sender</soapenv:Value>" in inside(refused)
    assert "has no operation" in inside(refused)


@ensure
async def test_what_is_no_request_is_told_in_a_fault(house):
    deep = "<x>" * 40 + "</x>" * 40
    for body, word in (
        (b"", "not well-formed"),
        (b"hello", "not well-formed"),
        (b"<!DOCTYPE x><x/>", "DOCTYPE"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "DOCTYPE"),
        (b"<x/>", "must be an Envelope"),
        (envelope("").replace(b"Body", b"Corpse"), "must have one Body, not 0"),
        (envelope("").replace(b"</e:Envelope>", b"<e:Body/></e:Envelope>"), "one Body, not 2"),
        (envelope(FIND + FIND), "one element, not 2"),
        (envelope("text"), "not text"),
        (envelope(""), "the element of an operation"),
        (
            envelope("<c:Nothing/>"),
            "UserService has no operation &apos;Nothing&apos;; it has addUser, find",
        ),
        (envelope("<c:FindUser xmlns:c='urn:ConfigService'/>"), "in the namespace"),
        (envelope("<c:FindUser><search xmlns='urn:x'/></c:FindUser>"), "FindUser/search is in the"),
        (envelope("<c:FindUser>200</c:FindUser>"), "FindUser must hold elements"),
        (envelope("<c:FindUser><search/><search/></c:FindUser>"), "search is there 2 times"),
        (
            envelope("<c:FindUser><search xsi:nil='1'><byGroup>a</byGroup></search></c:FindUser>"),
            "FindUser/search is nil and must be empty",
        ),
        (
            envelope("<c:FindUser><serach/></c:FindUser>"),
            "no element &apos;serach&apos;; it has search",
        ),
        (envelope("<c:AddUser><pin>x</pin></c:AddUser>"), "AddUser/user is missing"),
        (envelope("<c:AddUser><user/></c:AddUser>"), "AddUser/user/userName is missing"),
        (envelope("<c:ManageUser><deleteUser>yes</deleteUser></c:ManageUser>"), "true or false"),
        (envelope("<c:ManageUser><addGroup><x/></addGroup></c:ManageUser>"), "without elements"),
        (envelope(f"<c:FindUser>{deep}</c:FindUser>"), "nests deeper"),
        (envelope(f"<c:FindUser>{'<x/>' * 30_000}</c:FindUser>"), "more than"),
    ):
        sentence = await fault(house, "UserService", body)
        assert word in sentence.replace("'", "&apos;"), (body[:200], sentence)


@ensure
async def test_versions_and_headers_that_are_not_understood_have_codes_of_their_own(house):
    for document in (envelope(FIND, "urn:soap"), b"<Envelope/>"):
        strange = await ask(house, "UserService", document)
        assert (strange.status, "soapenv:VersionMismatch" in inside(strange)) == (500, True)
    header = b'<e:Header><x e:mustUnderstand="1"/><y/></e:Header><e:Body>'
    answer = await ask(house, "UserService", envelope(FIND).replace(b"<e:Body>", header))
    assert (answer.status, "soapenv:MustUnderstand" in inside(answer)) == (500, True)
    header = b'<e:Header><x e:mustUnderstand="0"/></e:Header><e:Body>'
    answer = await ask(house, "UserService", envelope(FIND).replace(b"<e:Body>", header))
    assert answer.status == 200


@ensure
async def test_answers_are_what_the_wsdl_says(house):
    member = "<rings><expiration>9</expiration><type>delayed</type><userName>200</userName></rings>"
    await told(
        house,
        "CallGroupService",
        f"<c:AddCallGroup><callGroup><name>g</name><extension>700</extension>{member}</callGroup>"
        "</c:AddCallGroup>",
    )
    orbit = "<name>o</name><extension>701</extension>"
    await told(
        house,
        "ParkOrbitService",
        f"<c:AddParkOrbit><parkOrbit>{orbit}</parkOrbit></c:AddParkOrbit>",
    )
    phone = (
        "<serialNumber>0004f2000001</serialNumber><modelId>polycom550</modelId><groups>a</groups>"
    )
    await told(house, "PhoneService", f"<c:AddPhone><phone>{phone}</phone></c:AddPhone>")
    schema = load().strict
    for service, body in (
        ("UserService", "<c:FindUser/>"),
        ("UserService", "<c:FindUser><search/></c:FindUser>"),
        ("PermissionService", "<c:FindPermission/>"),
        ("PhoneService", "<c:FindPhone/>"),
        ("CallGroupService", ""),
        ("ParkOrbitService", ""),
        ("SystemService", ""),
    ):
        answer = await ask(house, service, body)
        document = etree.fromstring(answer.body)
        assert document.tag == f"{{{ENVELOPE}}}Envelope"
        schema.assertValid(document[0][0])
