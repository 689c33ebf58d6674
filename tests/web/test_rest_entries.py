"""Single entries of the own phonebook, and what else is said of it (contract 3.8, 3.9)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from manage import ADMIN, REST, compact, xml
from twisted.internet.threads import deferToThread
from webkit import basic

ensure = pytest_twisted.ensureDeferred
OWN = f"{REST}/my/phonebook"
CARD = f"{REST}/my/phonebookentry"
JSON = {"Accept": "application/json"}
DANA = """\
<entry>
  <first-name>Dana</first-name>
  <last-name>Kerr</last-name>
  <number>+15550123</number>
  <contact-information>
    <companyName>Kerr Ltd</companyName>
    <emailAddress>dana@kerr.com</emailAddress>
  </contact-information>
</entry>
"""
DANA_JSON = {
    "first-name": "Dana",
    "last-name": "Kerr",
    "number": "+15550123",
    "contact-information": {"companyName": "Kerr Ltd", "emailAddress": "dana@kerr.com"},
}
VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Kerr;{first};;;\r\nFN:x\r\nTEL:+15550123\r\nEND:VCARD\r\n"


async def own(house: Any, user: str = "200") -> list[Any]:
    """The entries that a user has himself."""
    told = (await house.get(OWN, user, **JSON)).json["phonebook"]
    return [entry for entry in told if entry["id"] != "-1"]


async def status_line(house: Any, method: str, path: str, body: bytes) -> tuple[int, str]:
    """Status and reason of the answer."""

    def ask() -> tuple[int, str]:
        connection = house.connection()
        connection.request(method, path, body, basic("200"))
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, response.reason

    return await deferToThread(ask)


@ensure
async def test_an_entry_is_made_read_replaced_and_deleted_in_both_forms(house: Any) -> None:
    assert (await house.request("POST", f"{OWN}/entry/anything", body=DANA.encode())).status == 200
    (entry,) = await own(house)
    path = f"{OWN}/entry/{entry['id']}"
    assert compact(await house.get(path)) == xml(DANA)
    assert (await house.get(f"{path}/", **JSON)).json == {"entry": DANA_JSON}
    changed = {"first-name": "Di", "last-name": "Kerr", "number": "5"}
    answer = await house.send("PUT", path, {"entry": changed})
    assert (answer.status, answer.body) == (200, b"")
    read = (await house.get(path, **JSON)).json
    assert read == {"entry": changed | {"contact-information": {}}}
    assert (await house.request("PUT", path, body=DANA.encode())).status == 200
    assert (await house.get(path, **JSON)).json == {"entry": DANA_JSON}
    assert (await house.request("DELETE", path)).status == 200
    assert await own(house) == []
    for method in ("GET", "PUT"):
        answer = await house.send(method, path, {"entry": DANA_JSON})
        assert answer.status == 404, method
    assert (await house.request("DELETE", path)).status == 200  # nothing happens


@ensure
async def test_a_put_where_there_is_no_phonebook_yet_has_no_effect(house: Any) -> None:
    assert (await house.send("PUT", f"{OWN}/entry/1", {"entry": DANA_JSON})).status == 200
    assert await own(house) == []
    for unknown in ("1", "x", "99999999999"):
        assert (await house.get(f"{OWN}/entry/{unknown}")).status == 404


NAMES = (400, "First Name / Last Name / Number cannot be Null")
EMAIL = (400, "Invalid Email Address")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<first-name>Dana</first-name>", "", NAMES),
        ("<last-name>Kerr</last-name>", "<last-name/>", NAMES),
        ("<number>+15550123</number>", "<number> </number>", NAMES),
        ("dana@kerr.com", "dana", EMAIL),
        ("dana@kerr.com", "da na@kerr.com", EMAIL),
        ("dana@kerr.com", "dana@kerr", EMAIL),
        ("dana@kerr.com", "dana@kerr.museum", EMAIL),
        ("dana@kerr.com", "d.a+n_a-1@k-1.kerr.info", (200, "OK")),
        ("dana@kerr.com", "", (200, "OK")),
    ],
)
@ensure
async def test_what_clients_look_for_stands_in_the_status_line(house, old, new, expected) -> None:
    body = DANA.replace(old, new).encode()
    assert await status_line(house, "POST", f"{OWN}/entry/0", body) == expected
    assert len(await own(house)) == (expected[0] == 200)


@ensure
async def test_the_same_names_and_number_twice_are_747(house: Any) -> None:
    twice = (747, "Duplicate Entry")
    for expected in ((200, "OK"), twice):
        assert await status_line(house, "POST", f"{OWN}/entry/0", DANA.encode()) == expected
    other = DANA.replace("Dana", "Dora").encode()
    assert await status_line(house, "POST", f"{OWN}/entry/0", other) == (200, "OK")
    dana, dora = await own(house)
    assert await status_line(house, "PUT", f"{OWN}/entry/{dora['id']}", DANA.encode()) == twice
    # Itself again is nobody twice.
    same = await status_line(house, "PUT", f"{OWN}/entry/{dana['id']}", DANA.encode())
    assert same == (200, "OK")
    assert [entry["first-name"] for entry in await own(house)] == ["Dana", "Dora"]


def card(first: str, **more: str) -> bytes:
    """A body of `PUT /my/phonebookentry/{internalId}`."""
    members = {"internalId": "x", "uid": "", "vcard": VCARD.format(first=first), **more}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in members.items())
    return f"<pb>{inner}</pb>".encode()


@ensure
async def test_an_entry_is_kept_by_the_name_that_a_client_gives_it(house: Any) -> None:
    async def put(path: str, body: bytes, user: str = "200") -> int:
        status: int = (await house.request("PUT", f"{CARD}/{path}", user, body)).status
        return status

    for first in ("Dana", "Dora"):
        assert await put("x-1%20a", card(first, userName="200")) == 200
    (entry,) = await own(house)
    assert (entry["first-name"], entry["number"]) == ("Dora", "+15550123")
    # By its number it is found whatever a client calls it, which it keeps from then on.
    assert await put("y", card("Di", uid=entry["id"], userName="ben")) == 200
    (changed,) = await own(house)
    assert (changed["id"], changed["first-name"]) == (entry["id"], "Di")
    assert await put("z", card("Di", uid="99", userName="200")) == 404
    assert await put("z", card("Di", userName="201")) == 403
    assert await put("z", card("Di", uid=entry["id"], userName="201"), "201") == 403
    assert await put("z", card("Di", userName="nobody"), ADMIN) == 404
    assert await put("a", card("Cleo", userName="202"), ADMIN) == 200
    assert [each["first-name"] for each in await own(house, "202")] == ["Cleo"]
    for path, status in (("nothing", 404), ("y", 200), ("y", 404)):
        assert (await house.request("DELETE", f"{CARD}/{path}")).status == status
    assert await own(house) == []
    assert (await house.get(f"{CARD}/y")).status == 405


@ensure
async def test_an_entry_goes_by_its_number_too(house: Any) -> None:
    await house.request("POST", f"{OWN}/entry/0", body=DANA.encode())
    (entry,) = await own(house)
    await house.request("POST", f"{OWN}/entry/0", "201", DANA.encode())
    assert (await house.request("DELETE", f"{CARD}/{entry['id']}", "201")).status == 403
    assert (await house.request("DELETE", f"{CARD}/{entry['id']}", ADMIN)).status == 200
    assert await own(house) == []


@ensure
async def test_whether_phones_have_it_is_said_without_a_body(house: Any) -> None:
    async def shown() -> str:
        page = await house.get(f"{REST}/my/pagedphonebook", **JSON)
        told: str = page.json["phonebook"]["show-on-phone"]
        return told

    assert await shown() == "n/a"
    for value in ("false", "true"):
        answer = await house.request("PUT", f"{OWN}/showContactsOnPhone/{value}")
        assert (answer.status, answer.body) == (200, b"")
        assert await shown() == value
    assert (await house.request("PUT", f"{OWN}/showContactsOnPhone/maybe")).status == 400
    assert (await house.get(f"{OWN}/showContactsOnPhone/true")).status == 405


@ensure
async def test_the_import_from_google_says_what_to_do_instead(house: Any) -> None:
    body = b"<credentials><account>a</account><password>b</password></credentials>"
    assert await status_line(house, "POST", f"{OWN}/googleImport", body) == (745, "Service Error")
