"""/my/contact-information (contract 3.11) and /avatar (3.18)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from manage import ADMIN, REST, compact, made, xml

ensure = pytest_twisted.ensureDeferred
PATH = f"{REST}/my/contact-information"
JSON = {"Accept": "application/json"}
FRESH = """\
<contact-information>
  <homeAddress/>
  <officeAddress/>
  <branchAddress/>
  <imId/>
  <useBranchAddress>false</useBranchAddress>
  <salutation>None</salutation>
  <timestamp>0</timestamp>
  <enabled>true</enabled>
  <ldapManaged>false</ldapManaged>
</contact-information>
"""
TEXTS = (
    "authAccountName", "jobTitle", "jobDept", "companyName", "assistantName", "location",
    "cellPhoneNumber", "homePhoneNumber", "assistantPhoneNumber", "faxNumber", "didNumber",
    "imDisplayName", "alternateImId", "twiterName", "linkedinName", "facebookName", "xingName",
    "avatar", "custom1", "custom2", "custom3", "firstName", "lastName",
)  # fmt: skip
ADDRESS = {
    "street": "4 Quay Road",
    "city": "Harbourton",
    "country": "EX",
    "state": "E",
    "zip": "00042",
    "officeDesignation": "Pier",
}
ORDER = (
    "authAccountName jobTitle jobDept companyName assistantName location homeAddress officeAddress "
    "branchAddress cellPhoneNumber homePhoneNumber assistantPhoneNumber faxNumber didNumber imId "
    "imDisplayName alternateImId emailAddress alternateEmailAddress useBranchAddress branchName "
    "manager salutation employeeId twiterName linkedinName facebookName xingName timestamp avatar "
    "enabled ldapManaged lastImportedDate disabledDate custom1 custom2 custom3 firstName lastName"
)
FULL = {
    **{name: f"the {name} é" for name in TEXTS},
    "homeAddress": ADDRESS,
    "officeAddress": {"city": "Port"},
    "emailAddress": "ben@example.org",
    "alternateEmailAddress": "ben@home.org",
    "useBranchAddress": True,
    "timestamp": 1_700_000_000_000,
}
KEPT = {
    "imId": "other",
    "salutation": "Dr",
    "manager": "Ada",
    "employeeId": "7",
    "enabled": False,
    "lastImportedDate": "x",
    "disabledDate": "y",
    "ldapManaged": True,
    "branchName": "z",
    "branchAddress": {"city": "nowhere"},
}
"""What a user cannot change."""


async def told(house: Any, user: str = "200") -> dict[str, Any]:
    """The members of the document in JSON."""
    answer = await house.get(PATH, user, **JSON)
    assert (answer.status, list(answer.json)) == (200, ["contact-information"])
    document: dict[str, Any] = answer.json["contact-information"]
    return document


@ensure
async def test_what_nobody_has_set_is_absent_but_for_the_addresses_and_flags(house: Any) -> None:
    assert compact(await house.get(PATH)) == xml(FRESH)
    document = await told(house)
    assert document == {
        "homeAddress": {}, "officeAddress": {}, "branchAddress": {}, "imId": "",
        "useBranchAddress": False, "salutation": "None", "timestamp": 0, "enabled": True,
        "ldapManaged": False,
    }  # fmt: skip


@ensure
async def test_everything_comes_back_in_sipxcoms_order(house: Any) -> None:
    answer = await house.send("PUT", PATH, {"contact-information": FULL | KEPT})
    assert (answer.status, answer.body) == (200, b"")
    document = await told(house)
    assert list(document) == [name for name in ORDER.split() if name in document]
    assert document == FULL | {
        "imId": "", "branchAddress": {}, "salutation": "None", "enabled": True,
        "ldapManaged": False,
    }  # fmt: skip
    user = house.user("200")
    assert (user.first_name, user.email) == ("the firstName é", "ben@example.org")
    # What is told may be sent back as it is, in both forms.
    before = compact(await house.get(PATH))
    assert (await house.request("PUT", PATH, body=before)).status == 200
    assert compact(await house.get(PATH)) == before
    assert await told(house) == document


@ensure
async def test_what_a_document_does_not_have_becomes_unset(house: Any) -> None:
    await house.send("PUT", PATH, {"contact-information": FULL})
    body = b"<contact-information><jobTitle>Chef</jobTitle></contact-information>"
    assert (await house.request("PUT", PATH, body=body)).status == 200
    after = xml(FRESH).replace(
        b"<contact-information>", b"<contact-information><jobTitle>Chef</jobTitle>"
    )
    assert compact(await house.get(PATH)) == after
    assert house.user("200").first_name == ""


@ensure
async def test_the_branch_is_told_and_the_account_of_instant_messages(house: Any) -> None:
    branch = {"branch": {"name": "Harbour", "address": ADDRESS}}
    number = await made(house, "branch", branch)
    user = {"userName": "200", "branch": {"id": number}, "aliases": [{"alias": "ben"}]}
    path = f"{REST}/user/{house.user('200').id}"
    assert (await house.send("PUT", path, {"user": user}, ADMIN)).status == 200
    await house.app.settings.change(house.user("200"), {"im/im-account": "1"})
    document = await told(house)
    assert (document["branchName"], document["branchAddress"]) == ("Harbour", ADDRESS)
    assert document["imId"] == "200"
    assert (await house.send("PUT", PATH, {"contact-information": {}})).status == 200
    assert await told(house) == document


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"contact-information":{"emailAddress":"x"}}', "contact-information.emailAddress"),
        (b'{"contact-information":{"homeAddress":"x"}}', "contact-information.homeAddress"),
        (b'{"contact-information":{"timestamp":-1}}', "contact-information.timestamp"),
        (b'{"contact-information":[]}', "contact-information"),
        (b"<contact-information><lastName><x/></lastName></contact-information>",
         "/contact-information/lastName"),
        (b"<contact-information><jobTitle>a</jobTitle><jobTitle>b</jobTitle></contact-information>",
         "/contact-information/jobTitle"),
        (b"", None),
    ],
)  # fmt: skip
@ensure
async def test_what_is_wrong_is_named_and_nothing_changes(
    house: Any, body: Any, field: Any
) -> None:
    await house.send("PUT", PATH, {"contact-information": FULL})
    before = await told(house)
    answer = await house.request("PUT", PATH, body=body)
    assert (answer.status, answer.field) == (400, field)
    assert await told(house) == before


@ensure
async def test_it_is_ones_own_and_nothing_but_get_and_put_is_there(house: Any) -> None:
    await house.send("PUT", PATH, {"contact-information": FULL})
    assert compact(await house.get(PATH, "201")) == xml(FRESH)
    assert (await house.get(PATH, None)).status == 401
    for method in ("POST", "DELETE"):
        assert (await house.request(method, PATH)).status == 405
    assert (await house.get(PATH, Accept="text/html")).status == 406


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def form(*files: bytes) -> dict[str, Any]:
    """A form of a web page with these files."""
    head = b'--b\r\nContent-Disposition: form-data; name="f%d"; filename="x.png"\r\n\r\n'
    parts = [head % number + file + b"\r\n" for number, file in enumerate(files)]
    return {
        "body": b"".join(parts) + b"--b--\r\n",
        "Content_Type": "multipart/form-data; boundary=b",
    }


@ensure
async def test_a_picture_is_for_everybody_and_set_by_its_owner_or_an_administrator(house) -> None:
    path = f"{REST}/avatar/200"
    assert (await house.get(path, None)).status == 404
    assert (await house.request("POST", path, None, **form(PNG))).status == 401
    for user, status in (("201", 403), ("200", 200), (ADMIN, 200)):
        picture = PNG + user.encode()
        assert (await house.request("POST", path, user, **form(picture))).status == status
        if status == 200:
            for name in ("200", "ben"):
                answer = await house.get(f"{REST}/avatar/{name}", None)
                assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
                assert answer.body == picture
    for files, status in (((), 417), ((PNG, PNG), 417), ((b"GIF89a",), 400)):
        assert (await house.request("POST", path, **form(*files))).status == status
    assert (await house.request("POST", path, body=PNG, Content_Type="image/png")).status == 417
    assert (await house.request("POST", f"{REST}/avatar/no", ADMIN, **form(PNG))).status == 404
    assert (await house.get(path, None)).body == PNG + ADMIN.encode()
