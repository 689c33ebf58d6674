"""/phonebook, /my/phonebook, its search and its pages, held against contract 3.5 to 3.7 and 3.9."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from manage import ADMIN, REST, compact, made, xml

ensure = pytest_twisted.ensureDeferred
MY = f"{REST}/my"
OWN = f"{MY}/phonebook"
CSV = "text/comma-separated-values"
LONG = (
    '"First Name","Last Name","Number","Job Title","Job Department","Company Name",'
    '"Assistant Name","Cell Phone Number","Home Phone Number","Assistant Phone Number",'
    '"Fax Number","Im Id","Alternate Im Id","Location","Home city","Home country","Home state",'
    '"Home street","Home Zip/Postal code","Office city","Office country","Office State",'
    '"Office Street","Office Zip/Postal code","Office designation","Office Mail",'
    '"Alternate Office Mail"\n'
)
DANA = {
    "first-name": "Dana",
    "last-name": "Kerr",
    "number": "+15550123",
    "contact-information": {"companyName": "Kerr Ltd", "emailAddress": "dana@kerr.com"},
}


async def name(house: Any, user: str, first: str, last: str, **more: str) -> None:
    """Give a user his names."""
    document = {"contact-information": {"firstName": first, "lastName": last, **more}}
    assert (await house.send("PUT", f"{MY}/contact-information", document, user)).status == 200


@pytest_twisted.async_yield_fixture
async def people(house: Any) -> Any:
    """Users with names, and the shared phonebook "partners", which the group sales sees."""
    await name(house, "200", "Ben", "Ortiz", jobTitle="Dispatcher", emailAddress="ben@example.org")
    await name(house, "201", "Ada", "Park")
    await name(house, "202", "Cleo", "Marsh")
    new = {"name": "partners", "members": ["sales"], "consumers": ["sales"]}
    book = await house.send("POST", "/v1/phonebooks", new, ADMIN)
    entries = [
        {"first_name": "Zoë", "last_name": "Übel", "number": "9001"},
        {"first_name": "Eve", "last_name": 'O"Neil', "number": "9000"},
        {"first_name": "Ada", "last_name": "Park", "number": "201"},  # who is a member, too
    ]
    path = f"/v1/phonebooks/{book.json['id']}/entries"
    assert (await house.send("PUT", path, {"entries": entries}, ADMIN)).status == 200
    yield house


@ensure
async def test_a_shared_phonebook_is_csv_ordered_by_number_and_names(people: Any) -> None:
    body = (
        '"First name","Last name","Number"\n'
        '"Ada","Park","201"\n'
        '"Eve","O""Neil","9000"\n'
        '"Zoë","Übel","9001"\n'
    )
    for accept, told in ((None, CSV), ("*/*", CSV), (CSV, CSV), ("text/csv", "text/csv")):
        headers = {} if accept is None else {"Accept": accept}
        answer = await people.get(f"{REST}/phonebook/partners", ADMIN, **headers)
        assert (answer.status, answer.headers["Content-Type"]) == (200, told)
        assert answer.body.decode() == body


@ensure
async def test_a_shared_phonebook_is_told_as_xml_too(people: Any) -> None:
    answer = await people.get(f"{REST}/phonebook/partners/", ADMIN, Accept="text/xml")
    entries = [("Ada", "Park", "201"), ("Eve", 'O"Neil', "9000"), ("Zoë", "Übel", "9001")]
    rows = "".join(
        f"<entry><first-name>{first}</first-name><last-name>{last}</last-name>"
        f"<number>{number}</number></entry>"
        for first, last, number in entries
    )
    assert compact(answer) == xml(f"<phonebook>{rows}</phonebook>")


@ensure
async def test_the_list_of_shared_phonebooks_has_their_names_as_attributes(people: Any) -> None:
    await people.send("POST", "/v1/phonebooks", {"name": "a & b"}, ADMIN)
    await people.send("POST", f"{OWN}/entry/0", {"entry": DANA})
    answer = await people.get(f"{REST}/phonebook", ADMIN)
    told = '<phonebooks><phonebook name="a &amp; b"/><phonebook name="partners"/></phonebooks>'
    assert compact(answer) == xml(told)  # private ones are nobody's business
    assert (await people.get(f"{REST}/phonebook", ADMIN, Accept="application/json")).status == 406


@pytest.mark.parametrize(
    ("user", "path", "status"),
    [
        ("200", "", 403),
        ("200", "/partners", 403),
        (ADMIN, "/nobody", 404),
        (ADMIN, "/privatePhonebook_1", 404),
        (None, "/partners", 401),
    ],
)
@ensure
async def test_shared_phonebooks_are_for_administrators(people, user, path, status) -> None:
    await people.send("POST", f"{OWN}/entry/0", {"entry": DANA})
    assert (await people.get(f"{REST}/phonebook{path}", user)).status == status


@ensure
async def test_a_user_sees_his_own_entries_his_groups_phonebooks_and_everybody_else(people) -> None:
    assert (await people.send("POST", OWN, {"phonebook": {"entry": DANA}}, "201")).status == 200
    told = (await people.get(OWN, "201", Accept="application/json")).json
    assert list(told) == ["phonebook"]
    assert [
        (each["id"] == "-1", each["first-name"], each["number"]) for each in told["phonebook"]
    ] == [
        (False, "Dana", "+15550123"),
        (True, "Ben", "200"),
        (False, "Ada", "201"),
        (True, "Cleo", "202"),
        (False, "Eve", "9000"),
        (False, "Zoë", "9001"),
    ]
    assert told["phonebook"][0] == {"id": told["phonebook"][0]["id"], **DANA}
    assert told["phonebook"][1]["contact-information"] == {
        "jobTitle": "Dispatcher",
        "emailAddress": "ben@example.org",
    }
    # 202 is in no group: neither another's entries nor that phonebook are his.
    other = (await people.get(OWN, "202", Accept="application/json")).json["phonebook"]
    assert [each["first-name"] for each in other] == ["Ben", "Ada"]


@ensure
async def test_the_own_phonebook_is_told_as_xml_as_long_as_nothing_else_is_said(people) -> None:
    entry = (
        "<entry><first-name>Dana</first-name><last-name>Kerr</last-name><number>+15550123</number>"
        "<contact-information><companyName>Kerr Ltd</companyName>"
        "<emailAddress>dana@kerr.com</emailAddress></contact-information></entry>"
    )
    sent = f"<phonebook>{entry}</phonebook>".encode()
    assert (await people.request("POST", OWN, body=sent)).status == 200  # curl's default type
    rows = [entry.replace("<entry>", "<entry><id>4</id>")]
    for first, last, number in (("Ada", "Park", 201), ("Cleo", "Marsh", 202)):
        rows.append(
            f"<entry><id>-1</id><first-name>{first}</first-name><last-name>{last}</last-name>"
            f"<number>{number}</number><contact-information/></entry>"
        )
    told = compact(await people.get(OWN))
    assert told == xml(f"<phonebook>{''.join(rows)}</phonebook>")


@ensure
async def test_the_own_phonebook_is_csv_with_27_columns(people: Any) -> None:
    await people.send("POST", OWN, {"phonebook": [DANA]})
    answer = await people.get(OWN, Accept="text/plain")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    header, dana, *_ = answer.body.decode().splitlines(keepends=True)
    assert header == LONG
    assert dana == (
        '"Dana","Kerr","+15550123","","","Kerr Ltd",' + '"",' * 19 + '"dana@kerr.com",""\n'
    )


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("text/plain", LONG.encode()),
        ("text/x-vcard", b""),
        ("application/json", b'{"phonebook":[]}'),
        ("text/xml", b"<phonebook/>\n"),
    ],
)
@ensure
async def test_an_empty_phonebook_is_no_error_in_any_form(house, accept, body) -> None:
    for other in ("201", "202"):
        await house.app.accounts.delete(other)
    answer = await house.get(OWN, Accept=accept)
    assert (answer.status, answer.body) == (200, body)


@ensure
async def test_vcards_that_are_told_are_taken_back_as_they_were(people: Any) -> None:
    home = {"street": "4 Quay; Road", "city": "Harbourton", "country": "EX", "zip": "00042"}
    contact = {
        "jobTitle": "Chef, the", "jobDept": "Kitchen", "companyName": "Kerr\\Ltd", "imId": "dk",
        "assistantName": "Bo", "location": "Pier", "homeAddress": home, "faxNumber": "+1",
        "officeAddress": {"city": "Port", "officeDesignation": "P1"}, "cellPhoneNumber": "+2",
        "homePhoneNumber": "+3", "assistantPhoneNumber": "+4", "alternateImId": "dk2",
        "emailAddress": "dana@kerr.com", "alternateEmailAddress": "d@kerr.com",
    }  # fmt: skip
    dana = DANA | {"contact-information": contact, "last-name": "Ä" * 90}
    for kind in ("text/x-vcard", "text/vcard", "text/plain"):
        assert (await people.send("POST", OWN, {"phonebook": [dana]})).status == 200
        told = await people.get(OWN, Accept=kind)
        assert max(map(len, told.body.splitlines())) <= 80 or kind == "text/plain"
        assert (await people.request("DELETE", OWN)).status == 200
        back = await people.request("POST", OWN, body=told.body, Content_Type=kind)
        assert back.status == 200, back
        own = (await people.get(OWN, Accept="application/json")).json["phonebook"]
        (kept,) = (each for each in own if each["first-name"] == "Dana")
        del kept["id"]
        assert kept == dana, kind
        assert (await people.request("DELETE", OWN)).status == 200  # also where there is none
        assert (await people.request("DELETE", OWN)).status == 200


SEARCHES = {
    "da": ["Dana"],
    "KERR": ["Dana"],
    "%2B1555": ["Dana"],
    "900": ["Eve", "Zoë"],
    "%C3%9CB": ["Zoë"],
    "ben": ["Ben"],  # by alias and by name, once
    "2": ["Ben", "Ada", "Cleo"],  # Ada, who searches, is in the shared phonebook
    "neil": [],
    "%25": [],
    "": ["Dana", "Ben", "Ada", "Cleo", "Eve", "Zoë"],
}


@ensure
async def test_a_search_is_for_beginnings_in_any_case(people: Any) -> None:
    await people.send("POST", OWN, {"phonebook": [DANA]}, "201")
    for query, found in SEARCHES.items():
        path = f"{MY}/search/phonebook?query={query}&more=1"
        told = (await people.get(path, "201", Accept="application/json")).json["phonebook"]
        assert [each["first-name"] for each in told] == found, query
        assert (await people.get(path, "201")).headers["Content-Type"] == "text/xml"


EVERYBODY = ["Dana", "Ben", "Ada", "Cleo", "Eve", "Zoë"]
PAGES = [
    ("?start=0&end=2", 6, (0, 2), ["Dana", "Ben"]),
    ("?end=4&start=2", 6, (2, 4), ["Ada", "Cleo"]),
    ("?start=4&end=99", 6, (4, 6), ["Eve", "Zoë"]),
    ("?start=9&end=99", 6, (6, 6), []),
    ("", 6, (0, 6), EVERYBODY),
    ("?start=0&end=9&filter=NEIL", 1, (0, 1), ["Eve"]),
    ("?start=0&end=9&filter=kerr.com", 1, (0, 1), ["Dana"]),
    ("?start=0&end=9&filter=EXAMPLE.org", 1, (0, 1), ["Ben"]),
    ("?start=0&end=9&filter=null", 6, (0, 6), EVERYBODY),
    ("?start=0&end=9&filter=_", 0, (0, 0), []),
]


@ensure
async def test_a_page_says_where_it_stands(people: Any) -> None:
    await people.send("POST", OWN, {"phonebook": [DANA]}, "201")
    for query, size, rows, found in PAGES:
        path = f"{MY}/pagedphonebook{query}"
        told = (await people.get(path, "201", Accept="application/json")).json["phonebook"]
        entries = told.pop("entries")
        assert [each["first-name"] for each in entries] == found, query
        assert told == {
            "size": 6,
            "filtered-size": size,
            "start-row": rows[0],
            "end-row": rows[1],
            "show-on-phone": "true",
            "google-domain": "example.org",
        }, query
        assert all("contact-information" in each and "id" in each for each in entries)


@ensure
async def test_a_page_in_xml_has_its_members_in_order(people: Any) -> None:
    answer = await people.get(f"{MY}/pagedphonebook?start=0&end=1", "202")
    assert compact(answer) == xml(
        "<phonebook><size>2</size><filtered-size>2</filtered-size><start-row>0</start-row>"
        "<end-row>1</end-row><show-on-phone>n/a</show-on-phone>"
        "<google-domain>example.org</google-domain><entries><entry><id>-1</id>"
        "<first-name>Ben</first-name><last-name>Ortiz</last-name><number>200</number>"
        "<contact-information><jobTitle>Dispatcher</jobTitle>"
        "<emailAddress>ben@example.org</emailAddress></contact-information></entry></entries>"
        "</phonebook>"
    )


@pytest.mark.parametrize("query", ["start=-1&end=2", "start=x&end=2", "start=0&end=1&end=2"])
@ensure
async def test_rows_that_are_none_are_400(house: Any, query: str) -> None:
    assert (await house.get(f"{MY}/pagedphonebook?{query}")).status == 400


@ensure
async def test_who_leaves_a_group_sees_its_phonebook_no_more(people: Any) -> None:
    group = (await people.get("/sipxconfig/api/userGroups/sales", ADMIN)).json["id"]
    assert await made(people, "user-group", {"group": {"name": "other"}}) != group
    before = (await people.get(OWN, "201", Accept="application/json")).json["phonebook"]
    await people.request("DELETE", "/sipxconfig/api/users/201/groups/sales", ADMIN)
    after = (await people.get(OWN, "201", Accept="application/json")).json["phonebook"]
    assert {each["first-name"] for each in before} - {each["first-name"] for each in after} == {
        "Ada", "Eve", "Zoë",
    }  # fmt: skip
