"""In what form a resource is told, and in what form a body is read."""

from __future__ import annotations

import json
import time
from io import BytesIO

import pytest
from twisted.web.http_headers import Headers

from sipxd.errors import BadInput
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    read_document,
    read_plain,
    require_json_accepted,
    write_document,
)
from sipxd.web.problems import HttpProblem
from sipxd.web.strict_json import MAX_VALUES
from sipxd.xml import Items

ROOT = ("r", ("n", "more"))


class FakeRequest:
    """A header and a body."""

    def __init__(self, body: bytes = b"", **headers: str) -> None:
        self.content = BytesIO(body)
        self.responseHeaders = Headers()
        self.requestHeaders = Headers({name.replace("_", "-"): [v] for name, v in headers.items()})

    def getHeader(self, name):
        values = self.requestHeaders.getRawHeaders(name)
        return values[-1] if values else None

    def setHeader(self, name, value) -> None:
        self.responseHeaders.setRawHeaders(name, [value])


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, XML),
        ("", XML),
        ("*/*", XML),
        ("text/xml", XML),
        ("application/xml", XML),
        ("text/*", XML),
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
        ("application/json, text/xml", XML),
        ("application/json, text/xml;q=0.9", JSON),
        ("text/xml;q=0, */*", JSON),
        ("application/xml; q=0.2, application/json; q=0.1", XML),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", XML),
        ("application/json;q=0.5, */*;q=0.1", JSON),
        ("application/json, */*;q=0", JSON),
        ("nonsense, application/json", JSON),
    ],
)
def test_the_client_chooses_the_form(accept, form) -> None:
    request = FakeRequest(**({} if accept is None else {"Accept": accept}))
    assert choose(request, XML, JSON) == form
    assert request.responseHeaders.getRawHeaders("Vary") == ["Accept"]


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/json;q=0.0", ",", "json"])
def test_what_the_client_excludes_is_406(accept) -> None:
    for offers in ((XML, JSON), (JSON,)):
        with pytest.raises(HttpProblem) as caught:
            choose(FakeRequest(Accept=accept), *offers)
        assert caught.value.status == 406
    with pytest.raises(HttpProblem, match="application/json only"):
        require_json_accepted(FakeRequest(Accept="text/xml"))


@pytest.mark.parametrize(
    "content_type",
    [None, "text/xml", "application/xml", "application/x-www-form-urlencoded", "text/plain", "a"],
)
def test_what_is_not_called_json_is_xml_unless_it_looks_otherwise(content_type) -> None:
    named = {} if content_type is None else {"Content_Type": content_type}
    for body in (b" <x><n>1</n></x>", b'\n{"x": {"n": "1"}}', b'\xef\xbb\xbf{"r": {"n": "1"}}'):
        assert read_document(FakeRequest(body, **named), *ROOT).text("n") == "1"


def test_what_is_called_json_is_json() -> None:
    for name in ("application/json", "Application/JSON;charset=utf-8", "application/x+json"):
        with pytest.raises(BadInput, match="not JSON"):
            read_document(FakeRequest(b"<r/>", Content_Type=name), *ROOT)


@pytest.mark.parametrize(
    "body",
    [
        {"r": {"n": "1"}},
        {"other": {"n": "1"}},
        {"n": "1"},
        {"n": "1", "more": {}},
        {"r": {"n": "1"}, "more": {"n": "2"}},
    ],
)
def test_the_root_of_json_may_have_another_name_or_none(body) -> None:
    assert read_document(FakeRequest(json.dumps(body).encode()), *ROOT).text("n") == "1"


def test_a_member_alone_is_no_root() -> None:
    [item] = read_document(FakeRequest(b'{"n": {"item": {}}}'), *ROOT).list("n", "item", 1)
    assert item.path == "n.item[0]"


def test_two_accept_headers_are_one() -> None:
    request = FakeRequest()
    request.requestHeaders.setRawHeaders("accept", ["application/json", "text/xml;q=0.5"])
    assert choose(request, XML, JSON) == JSON


def test_paths_are_those_of_the_document_that_was_sent() -> None:
    bodies = {b"<x/>": "/r/n", b'{"r":{}}': "r.n", b'{"x":{}}': "r.n", b"{}": "n", b'{"x":1}': "n"}
    for body, path in bodies.items():
        with pytest.raises(BadInput) as caught:
            read_document(FakeRequest(body), *ROOT).list("n", "item", 1)
        assert (caught.value.field, caught.value.detail) == (path, f"{path} is missing.")
    with pytest.raises(BadInput, match=r"^r must be an object\.$"):
        read_document(FakeRequest(b'{"r": 1}'), *ROOT).list("n", "item", 1)


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t ", b"\xef\xbb\xbf"])
def test_no_body_is_told_so(body) -> None:
    for read in (
        lambda: read_document(FakeRequest(body), *ROOT),
        lambda: read_plain(FakeRequest(body)),
    ):
        with pytest.raises(BadInput, match="The body is empty"):
            read()


FIVE = {"a": "é", "n": 1, "on": True, "list": Items("item", [{"x": 1, "y": None}]), "no": None}


def test_both_forms_tell_the_same() -> None:
    assert json.loads(write_document(JSON, "r", FIVE)) == {
        "r": {"a": "é", "n": 1, "on": True, "list": [{"x": 1}]}
    }
    for form in (XML, JSON):
        node = read_document(FakeRequest(write_document(form, "r", FIVE)), *ROOT)
        assert (node.text("a"), node.number("n", 0, 1, 1), node.flag("on", False)) == ("é", 1, True)
        [item] = node.list("list", "item", 1)
        assert item.number("x", 0, 1, 1) == 1


@pytest.mark.parametrize(
    "item", [b"{}", b"[]", b'{"":0}', b"1", b'""', b"[[[[[[[[[[[[[[]]]]]]]]]]]]]]", b'"\\u0041"']
)
def test_json_does_not_hold_the_reactor(item) -> None:
    for count in (1_048_000 // (len(item) + 1), MAX_VALUES // 3):
        body = b"[" + b",".join([item] * count) + b"]"

        def seconds(body=body) -> float:
            begun = time.process_time()
            try:
                read_plain(FakeRequest(body))
            except BadInput as error:
                assert "more than" in error.detail
            return time.process_time() - begun

        assert min(seconds() for _ in range(3)) < 0.05
