"""Requests of which the last part is refused: nothing of the first part is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from hostilekit import Attacker
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher

ensure = pytest_twisted.ensureDeferred
REST = "/sipxconfig/rest"
MY = f"{REST}/my"
API = "/sipxconfig/api"
ADMIN = "superadmin"
FORM = "multipart/form-data; boundary=b"
GREETING = f"{API}/users/upload/settings/voicemail/mailbox/active-greeting"
TIMER = f"{API}/users/upload/settings/callfwd/timer"


def form(*files: bytes) -> bytes:
    """A form of a web page with these files."""
    head = b'--b\r\nContent-Disposition: form-data; name="f%d"; filename="x"\r\n\r\n'
    parts = [head % number + file + b"\r\n" for number, file in enumerate(files)]
    return b"".join(parts) + b"--b--\r\n"


ENTRY = {"first-name": "Ada", "last-name": "Park", "number": "1"}
CASES: list[tuple[str, str, str, Any, int]] = [
    ("PUT", f"{API}/users/202", ADMIN, {"firstName": "X", "voicemailPin": "1"}, 400),
    ("PUT", f"{API}/users/202", ADMIN, {"firstName": "X", "voicemailPin": "1" * 200}, 400),
    ("PUT", f"{API}/users/202", ADMIN, {"firstName": "X", "branchName": "nowhere"}, 400),
    ("PUT", f"{API}/users/202", ADMIN, {"firstName": "X", "aliases": ["ben"]}, 409),
    ("PUT", f"{API}/users/202", ADMIN, {"userProfile": {"manager": "x"}, "aliases": [""]}, 400),
    ("POST", f"{API}/users", ADMIN, {"userName": "909", "voicemailPin": "1"}, 400),
    ("POST", f"{API}/users", ADMIN, {"userName": "909", "aliases": ["ben"]}, 409),
    (
        "PUT",
        f"{API}/users/superadmin/settings",
        ADMIN,
        {
            "settings": [
                {"path": "callfwd/timer", "value": "33"},
                {"path": "permission/application/superadmin", "value": "DISABLE"},
            ]
        },
        403,
    ),
    (
        "PUT",
        f"{API}/users/202/settings",
        ADMIN,
        {
            "settings": [
                {"path": "im/on-the-phone-message", "value": "away"},
                {"path": "callfwd/timer", "value": "1000"},
            ]
        },
        400,
    ),
    ("PUT", GREETING, ADMIN, form(b"200,standard\r\n201,nonsense\r\n"), 417),
    ("PUT", GREETING, ADMIN, form(b"200,standard\r\n999,standard\r\n"), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33\r\n201,-1\r\n"), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33\r\n201\r\n"), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33\r\n201,\0\r\n"), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33\r\n201,\xff\r\n"), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33\r\n201," + b"1" * 140_000), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33", b"201,33"), 417),
    ("PUT", TIMER, ADMIN, form(*[b"200,33"] * 12), 417),
    ("PUT", TIMER, ADMIN, form(b"200,33")[:-9], 417),
    ("PUT", TIMER, ADMIN, b"200,33", 417),
    ("POST", f"{REST}/avatar/200", "200", form(b"\x89PNG\r\n\x1a\n" + b"x" * 300_000), 400),
    ("POST", f"{REST}/avatar/200", "200", form(b"GIF89a"), 400),
    (
        "POST",
        f"{MY}/phonebook",
        "200",
        {"phonebook": [ENTRY, ENTRY | {"number": "2", "last-name": ""}]},
        400,
    ),
    ("PUT", f"{MY}/vmprefs", "200", {"greeting": "STANDARD", "email": "x"}, 400),
    ("PUT", f"{MY}/vmprefs", "200", {"email": "a@b.org", "altEmail": "x"}, 400),
    (
        "PUT",
        f"{MY}/contact-information",
        "200",
        {"contact-information": {"firstName": "A", "jobTitle": "x", "emailAddress": "y"}},
        400,
    ),
    (
        "PUT",
        f"{REST}/user-permission/{{user}}",
        ADMIN,
        {
            "user": {
                "permissions": [
                    {"name": "Mobile", "value": "DISABLE"},
                    {"name": "nonsense", "value": "ENABLE"},
                ]
            }
        },
        400,
    ),
    (
        "PUT",
        f"{REST}/user/{{user}}",
        ADMIN,
        {"user": {"userName": "202", "lastName": "X", "branch": {"id": 99}}},
        400,
    ),
    (
        "PUT",
        f"{REST}/user/{{user}}",
        ADMIN,
        {"user": {"userName": "202", "lastName": "X", "groups": {"group": [{"id": 99}]}}},
        400,
    ),
]  # fmt: skip


@pytest.fixture
def errors():
    """Log events of level error and above; a client must not be able to cause one."""
    events = []

    def observe(event):
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


@ensure
async def test_what_is_refused_in_its_last_part_is_not_stored_in_its_first(
    house: Any, errors: list[Any]
) -> None:
    attacker, number = Attacker(house), house.user("202").id

    def attack() -> list[str]:
        wrong = []
        for how, path, user, body, status in CASES:
            kind = FORM if isinstance(body, bytes) else "application/json"
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            before = attacker.stored()
            (answer,) = attacker.send(how, path.format(user=number), user, [(kind, sent)])
            name = f"{how} {path} {sent[:90]!r}"
            if answer.status != status:
                wrong.append(f"{name}: {answer.status} {answer.body!r}")
            if attacker.stored() != before:
                wrong.append(f"{name}: something was stored")
        return wrong

    wrong = await deferToThread(attack)
    attacker.close()
    assert not wrong, "\n".join(wrong)
    assert not errors
