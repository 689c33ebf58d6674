"""Documents that clients PUT as a whole: how one is made, and what is told of it.

Every member that is text carries the number of its version, so that a document of two versions, or
one of which a part is missing, shows itself.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import attrs
from daemon import Client, Daemon

_MARK = re.compile(rb"7[0-9]{5}7")
_serial = itertools.count(1)


def mark(version: int) -> str:
    """A number that is a version, and can be found again."""
    return f"7{version:05}7"


@attrs.frozen
class Document:
    """A document at ``path``, asked for by one who may write it."""

    path: str
    ask: Callable[[], Client]
    """A connection of such a user."""
    make: Callable[[str], Any]
    """The body of a version, from its mark."""

    def put(self, client: Client, version: int) -> None:
        """Store a version; returns once it is acknowledged."""
        answer = client.ask("PUT", self.path, self.make(mark(version)))
        assert answer.status in (200, 204), (self.path, answer)

    def version(self, client: Client) -> int:
        """The version that is told; fails where it is not one version, or not whole."""
        answer = client.ask("GET", self.path, Accept="application/json")
        assert answer.status == 200, (self.path, answer)
        told = _MARK.findall(answer.body)
        sent = json.dumps(self.make(mark(0))).encode()
        assert len(set(told)) == 1, (self.path, answer.body)
        assert len(told) >= len(_MARK.findall(sent)), (self.path, answer.body)
        return int(told[0][1:-1])


def _ring(text: str) -> dict[str, Any]:
    return {"expiration": 18, "type": "If no response", "enabled": True, "number": text}


def _hours(text: str) -> dict[str, Any]:
    period = {"scheduledDay": -1, "start": {"hrs": 8, "min": 0}, "end": {"hrs": 9, "min": 0}}
    return {"name": text, "description": text, "periods": [period]}


def _person(text: str) -> dict[str, Any]:
    return {
        "firstName": text,
        "lastName": text,
        "jobTitle": text,
        "emailAddress": f"{text}@b.org",
        "alternateEmailAddress": f"{text}@c.org",
        "homeAddress": {"city": text, "street": text},
        "custom1": text,
    }


def _entry(text: str) -> dict[str, Any]:
    contact = {"jobTitle": text, "emailAddress": f"{text}@b.org", "officeAddress": {"city": text}}
    return {
        "first-name": text,
        "last-name": text,
        "number": text,
        "contact-information": contact,
    }


MY = "/sipxconfig/rest/my"
OF_A_USER: dict[str, Callable[[str], Any]] = {
    f"{MY}/forward": lambda text: {"call-sequence": {"rings": [_ring(text)] * 9}},
    f"{MY}/callfwd": lambda text: {"rings": [_ring(text)] * 9, "expiration": 20},
    f"{MY}/speeddial": lambda text: {"buttons": [{"label": text, "number": text}] * 9},
    f"{MY}/contact-information": lambda text: {"contact-information": _person(text)},
    f"{MY}/faxprefs": lambda text: {"extension": text, "did": text},
    f"{MY}/im/prefs": lambda text: {"otpMessage": text},
    f"{MY}/vmprefs": lambda text: {"email": f"{text}@b.org", "altEmail": f"{text}@c.org"},
    f"{MY}/voicemail/attendant": lambda text: {"operator": text, "menu": {"1": text, "#": text}},
    "/v1/users/me/forwarding": lambda text: {
        "rings": [{"number": text}] * 9,
        "rules": [{"when": "busy", "number": text}] * 9,
    },
}
"""What every user has, once."""


def documents(daemon: Daemon, new_user: Callable[[], str]) -> list[Document]:
    """One of each kind, those of users each with a user of his own."""

    def of_user(path: str, make: Callable[[str], Any]) -> Document:
        name = new_user()
        return Document(path, lambda: daemon.client(name), make)

    def of_admin(path: str, make: Callable[[str], Any]) -> Document:
        return Document(path, lambda: daemon.client("superadmin"), make)

    def made(path: str, body: Any, by: str = "superadmin") -> Any:
        answer = daemon.client(by).ask("POST", path, body)
        assert answer.status in (200, 201), (path, answer)
        return answer.json() if answer.body else None

    found = [of_user(path, make) for path, make in OF_A_USER.items()]

    entry_of = new_user()
    made(f"{MY}/phonebook/entry/0", {"entry": _entry("1")}, entry_of)
    own = daemon.client(entry_of).ask("GET", f"{MY}/phonebook", Accept="application/json").json()
    (entry_id,) = (each["id"] for each in own["phonebook"] if each["number"] == "1")
    found.append(
        Document(
            f"{MY}/phonebook/entry/{entry_id}",
            lambda: daemon.client(entry_of),
            lambda text: {"entry": _entry(text)},
        )
    )

    scheduled = new_user()
    made(f"{MY}/callfwdsched", _hours("0"), scheduled)
    listed = daemon.client(scheduled).ask("GET", f"{MY}/callfwdsched").json()
    found.append(
        Document(
            f"{MY}/callfwdsched/{listed[0]['scheduleId']}",
            lambda: daemon.client(scheduled),
            _hours,
        )
    )

    serial = next(_serial)
    owner, name = new_user(), f"standup-{serial}"
    made("/v1/conferences", {"name": name, "extension": f"5{serial:03}", "owner": owner})
    found.append(
        Document(
            f"{MY}/conferences/{name}",
            lambda: daemon.client(owner),
            lambda text: {
                "setting": {"description": text, "accessCode": text, "moderatorCode": text}
            },
        )
    )

    def group(text: str) -> dict[str, Any]:
        return {"name": f"g{serial}-{text}", "extension": f"{serial}{text}", "members": []}

    number = made("/v1/groups", group("0"))["id"]
    found.append(of_admin(f"/v1/groups/{number}", group))
    number = made("/v1/phonebooks", {"name": f"b{serial}"})["id"]
    found.append(
        of_admin(
            f"/v1/phonebooks/{number}/entries",
            lambda text: {
                "entries": [
                    {"first_name": text, "last_name": str(each), "number": text}
                    for each in range(20)
                ]
            },
        )
    )
    number = made("/v1/phonebooks", {"name": f"c{serial}"})["id"]
    found.append(
        of_admin(
            f"/v1/phonebooks/{number}",
            lambda text: {"name": f"{serial}-{text}", "description": text, "members": [text]},
        )
    )

    def orbit(text: str) -> dict[str, Any]:
        return {
            "name": f"o{serial}-{text}",
            "extension": f"*{serial}{text}",
            "music": f"{text}.wav",
        }

    number = made("/sipxconfig/api/orbits", orbit("0"))
    found.append(of_admin(f"/sipxconfig/api/orbits/{number}", orbit))
    found += [of_admin(*each) for each in _managed(daemon, new_user, serial)]
    return found


def _managed(
    daemon: Daemon, new_user: Callable[[], str], serial: int
) -> list[tuple[str, Callable[[str], Any]]]:
    """What administrators manage as sipXcom has it: paths, and how a document is made."""
    client = daemon.client("superadmin")

    def id_of(name: str) -> int:
        told = client.ask("GET", f"/sipxconfig/api/users/{name}", Accept="application/json")
        number: int = told.json()["id"]
        return number

    def made(path: str, body: Any) -> int:
        answer = client.ask("PUT", f"/sipxconfig/rest/{path}", body)
        found = re.search(rb"<id>([0-9]+)</id>", answer.body)
        assert answer.status == 201 and found, answer
        return int(found[1])

    old, new = new_user(), new_user()
    group = made("user-group", {"group": {"name": f"u{serial}"}})
    branch = made("branch", {"branch": {"name": f"b{serial}"}})

    def person(text: str) -> dict[str, Any]:
        return {
            "firstName": text,
            "lastName": text,
            "aliases": [f"a{serial}{text}"],
            "userProfile": {
                "emailAddress": f"{text}@b.org",
                "jobTitle": text,
                "custom1": text,
                "homeAddress": {"city": text},
            },
        }

    return [
        (
            f"/sipxconfig/rest/user/{id_of(old)}",
            lambda text: {
                "user": {
                    "userName": old,
                    "lastName": text,
                    "firstName": text,
                    "emailAddress": f"{text}@b.org",
                    "aliases": {"alias": [{"alias": f"{serial}-{text}"}]},
                }
            },
        ),
        (
            f"/sipxconfig/rest/user-group/{group}",
            lambda text: {"group": {"name": f"{serial}-{text}", "description": text}},
        ),
        (
            f"/sipxconfig/rest/branch/{branch}",
            lambda text: {
                "branch": {
                    "name": f"{serial}-{text}",
                    "description": text,
                    "address": {"city": text, "street": text},
                }
            },
        ),
        (f"/sipxconfig/api/users/{new}", person),
    ]
