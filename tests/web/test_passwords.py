"""PUT /my/portal/password/{password} and /my/voicemail/pin/{pin} (3.13): no log has them."""

from __future__ import annotations

import base64
import io

import pytest
import pytest_twisted
import sqlalchemy as sa
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher

from sipxd.log import observer
from sipxd.service.vault import pin_matches
from sipxd.store.schema import users

ensure = pytest_twisted.ensureDeferred
MY = "/sipxconfig/rest/my"
PASSWORD = f"{MY}/portal/password"
PIN = f"{MY}/voicemail/pin"


def login(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def may_log_in(house, password: str, name: str = "200") -> bool:
    answer = await house.get(f"{MY}/keepalive", None, Authorization=login(name, password))
    return answer.status == 200


async def voicemail_pin(house, name: str = "200") -> str:
    query = sa.select(users.c.voicemail_pin).where(users.c.id == house.user(name).id)
    return await house.app.store.read("pin", lambda connection: connection.scalar(query))


@ensure
@pytest.mark.parametrize(
    ("sent", "password"),
    [
        ("eightcha", "eightcha"),
        ("eightcha/", "eightcha"),  # a slash after any path is ignored
        ("a%2Fb%3Fc%23d%25e", "a/b?c#d%e"),
        ("eight%2Fcha%2F", "eight/cha/"),
        ("with%20blanks%20in", "with blanks in"),
        ("plus+plus", "plus+plus"),
        ("%C3%A4%C3%B6%C3%BC%E2%82%AC1234", "äöü€1234"),
        ("secret.json", "secret.json"),
        ("..%2F..%2Fmy%2Ftime", "../../my/time"),
    ],
)
async def test_the_portal_password_is_what_stands_in_the_path(house, sent, password):
    answer = await house.request("PUT", f"{PASSWORD}/{sent}")  # no body is needed
    assert (answer.status, answer.body) == (200, b"")
    assert await may_log_in(house, password)
    assert not await may_log_in(house, "200200")
    assert await may_log_in(house, "202202", "202")


@ensure
async def test_the_voicemail_pin_is_kept_as_a_hash(house):
    assert await voicemail_pin(house) == ""
    answer = await house.request("PUT", f"{PIN}/1234", body=b" ")
    assert (answer.status, answer.body) == (200, b"")
    kept = await voicemail_pin(house)
    assert kept.startswith("$argon2id$")
    assert pin_matches(kept, "1234") and not pin_matches(kept, "4321")
    assert await may_log_in(house, "200200")
    assert await voicemail_pin(house, "202") == ""
    # It stays where the user is changed.
    await house.request("PUT", f"{PASSWORD}/eightcha")
    assert await voicemail_pin(house) == kept


TOO_SHORT = "Password must be at least 8 characters long"
TOO_SHORT_PIN = "Voicemail PIN must be at least 4 characters long"


@ensure
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"{PASSWORD}/seven77", TOO_SHORT),
        (f"{PASSWORD}/", TOO_SHORT),
        (PASSWORD, TOO_SHORT),
        (f"{PASSWORD}/%E2%82%AC%E2%82%AC%E2%82%AC", TOO_SHORT),  # nine bytes, three characters
        (f"{PIN}/123", TOO_SHORT_PIN),
        (f"{PIN}/", TOO_SHORT_PIN),
        (f"{PASSWORD}/eight%00cha", "Bad Request"),
        (f"{PASSWORD}/{'a' * 129}", "Bad Request"),
        (f"{PIN}/12%0A34", "Bad Request"),
        (f"{PASSWORD}/eightch%FF", "Bad Request"),
    ],
)
async def test_what_is_too_short_or_unreadable_changes_nothing(house, path, reason):
    def status_line() -> tuple[int, str]:
        connection = house.connection()
        connection.request("PUT", path, headers={"Authorization": login("200", "200200")})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, response.reason

    assert await deferToThread(status_line) == (400, reason)
    assert await may_log_in(house, "200200")
    assert await voicemail_pin(house) == ""


@ensure
@pytest.mark.parametrize("path", [PASSWORD, PIN])
async def test_nothing_but_put_is_there_and_nobody_but_the_user_may(house, path):
    for method in ("GET", "POST", "DELETE"):
        answer = await house.request(method, f"{path}/longenough")
        assert (answer.status, answer.headers["Allow"]) == (405, "PUT")
    assert (await house.request("PUT", f"{path}/longenough", None)).status == 401


@ensure
async def test_a_private_key_changes_no_password(house):
    key = await house.app.tokens.make_key(house.user("200"))
    path = f"/sipxconfig/rest/private/{key}"
    assert (await house.request("PUT", f"{path}/portal/password/longenough", None)).status == 403
    assert await may_log_in(house, "200200")
    assert (await house.request("PUT", f"{path}/voicemail/pin/2468", None)).status == 200
    assert pin_matches(await voicemail_pin(house), "2468")


@pytest.fixture
def log():
    """What the daemon would write to its log at level debug."""
    stream = io.StringIO()
    to_stream = observer(stream, LogLevel.debug)
    globalLogPublisher.addObserver(to_stream)
    yield stream
    globalLogPublisher.removeObserver(to_stream)


@ensure
@pytest.mark.parametrize("path", [PASSWORD, PIN])
@pytest.mark.parametrize(
    "secret", ["Geheimnis77", "Geheimnis%20mit%20Leerzeichen", "Geheimnis%2Fgross%27%22"]
)
async def test_no_log_has_a_secret_of_the_path_whatever_becomes_of_it(
    house, log, monkeypatch, path, secret
):
    async def defect(*arguments, **named):
        raise RuntimeError("a defect")

    monkeypatch.setattr(house.app.accounts, "change", defect)
    answer = await house.request("PUT", f"{path}/{secret}")
    assert answer.status == 500 and b"Geheimnis" not in answer.body, answer
    monkeypatch.undo()
    for method, where, user in (
        ("GET", path, "200"),
        ("PUT", path, None),
        ("PUT", f"/{path}", "200"),
        ("PUT", path, "200"),
    ):
        answer = await house.request(method, f"{where}/{secret}", user)
        assert b"Geheimnis" not in answer.body
    assert answer.status == 200
    assert "request failed" in log.getvalue()
    for hidden in ("Geheimnis", "Leerzeichen", "gross"):
        assert hidden not in log.getvalue()
