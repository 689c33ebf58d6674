"""What all resources of /sipxconfig/api have in common (8.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from apikit import ADMIN, API, DECLARATION, flat
from twisted.internet import defer
from twisted.web.http_headers import Headers

from sipxd.web.api.base import list_answer
from sipxd.web.negotiate import AT_ONCE, JSON, XML

ensure = pytest_twisted.ensureDeferred
GENERAL = f"{API}/schedules/general"
SCHEDULE = (
    b'{"name": "x", "type": "G", "workingTime": {"workingHours": '
    b'[{"start": 0, "stop": 60000, "scheduledDay": "Monday"}]}}'
)


@pytest.mark.parametrize(
    ("suffix", "accept", "form"),
    [
        ("", None, "application/json"),
        ("/", "*/*", "application/json"),
        ("", "application/json", "application/json"),
        ("", "text/xml", "text/xml"),
        ("/", "application/xml", "text/xml"),
        ("", "application/xml, application/json;q=0.9", "text/xml"),
        (".xml", None, "text/xml"),
        (".xml", "application/json", "text/xml"),
        ("/.xml", "application/json", "text/xml"),
        (".json", "text/xml", "application/json"),
        ("/.json", "text/xml", "application/json"),
    ],
)
@ensure
async def test_the_suffix_of_the_path_counts_more_than_accept(house, suffix, accept, form):
    headers = {} if accept is None else {"Accept": accept}
    answer = await house.get(GENERAL + suffix, ADMIN, **headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, form)
    empty = b'{"schedules":[]}' if form == "application/json" else DECLARATION + b"<Schedules/>\n"
    assert answer.body == empty


@ensure
async def test_what_is_told_in_no_form_that_the_client_takes_is_406(house):
    assert (await house.get(GENERAL, ADMIN, Accept="text/html")).status == 406


@ensure
async def test_suffixes_are_for_these_paths_only(house):
    assert (await house.get("/sipxconfig/rest/my/forward.xml", "200")).status == 404


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "text/plain"])
@ensure
async def test_a_body_is_what_it_looks_like_but_not_from_a_page_elsewhere(house, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    elsewhere = {"Origin": "https://elsewhere.example.net", **headers}
    answer = await house.request("POST", f"{API}/schedules", ADMIN, SCHEDULE, **elsewhere)
    assert answer.status == 415
    answer = await house.request("POST", f"{API}/schedules", ADMIN, SCHEDULE, **headers)
    assert answer.status == 200 and answer.body.isdigit()


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"[1]", b"7", b"<Schedule>", b"<!DOCTYPE x []><Schedule/>", b"\xff", b"x=1"],
)
@ensure
async def test_a_body_that_cannot_be_read_is_400(house, body):
    for method, path in (("POST", "schedules"), ("PUT", f"schedules/{house.office_hours}")):
        answer = await house.request(method, f"{API}/{path}", ADMIN, body)
        assert answer.status == 400


class Turns:
    """A reactor: what is put off without delay happens at its next turn, and not in this one."""

    def __init__(self) -> None:
        self.put_off: list[Callable[[], None]] = []

    def callLater(self, delay: float, function: Callable[..., None], *arguments: Any) -> None:
        assert delay == 0
        self.put_off.append(partial(function, *arguments))

    def turn(self) -> None:
        now, self.put_off = self.put_off, []
        for function in now:
            function()


class Asked:
    """A request at a site with that reactor."""

    def __init__(self, form: bytes, reactor: Turns) -> None:
        self.form = form
        self.site = SimpleNamespace(reactor=reactor)
        self.responseHeaders = Headers()

    def setResponseCode(self, code: int, message: bytes) -> None:
        self.code = code


@pytest.mark.parametrize("form", [JSON, XML])
def test_calls_are_attended_to_while_a_long_list_is_written(form):
    reactor, told = Turns(), []

    def document(number: int, form: bytes) -> dict[str, int]:
        told.append(number)
        return {"id": number}

    things = range(3 * AT_ONCE + 1)
    answer = list_answer(Asked(form, reactor), "Things", "Thing", things, document)
    waiting = defer.Deferred.fromCoroutine(answer)
    bodies: list[bytes] = []
    waiting.addCallback(bodies.append)
    for turn in (1, 2, 3):
        assert (len(told), bodies) == (turn * AT_ONCE, [])
        reactor.turn()
    assert told == list(things)
    if form == JSON:
        assert json.loads(bodies[0]) == {"things": [{"id": number} for number in things]}
    else:
        assert flat(bodies[0]) == "".join(
            ["<Things>", *(f"<Thing><id>{number}</id></Thing>" for number in things), "</Things>"]
        )
