"""What is done to good documents before they are sent, and what has to become of that."""

from __future__ import annotations

import copy
import http.client
import json
import socket
import sqlite3
from collections.abc import Iterator
from typing import IO, Any

import attrs
from webkit import Answer, basic

AT_ONCE = 40
"""Requests that are sent without waiting for an answer."""
RAW = "raw:"
"""Before a text that is written into JSON as it is."""


@attrs.frozen
class Resource:
    """Something that takes a document: where, from whom, and a good one."""

    how: str
    path: str
    good: Any
    user: str = "200"
    ignored: tuple[str, ...] = ()
    """Members that are not looked at."""
    lines: tuple[str, ...] = ()
    """Texts that may have any number of lines."""
    xml: bytes = b""
    """The good document as XML; empty: it takes JSON only."""
    status: int = 200
    optional: bool = False
    """There may be no body."""


def places(value: Any, path: str = "") -> Iterator[tuple[str, list[Any], Any]]:
    """Every value inside ``value``: its path, the keys that lead to it, and the value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inner:
        name = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}".lstrip(".")
        yield name, [key], each
        if isinstance(each, dict | list):
            for deeper, keys, found in places(each, name):
                yield deeper, [key, *keys], found


def replaced(document: Any, keys: list[Any], value: Any) -> Any:
    """``document`` with another value at a place."""
    changed = copy.deepcopy(document)
    place = changed
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return changed


def encode(document: Any) -> bytes:
    """As JSON; lone halves of surrogate pairs are escapes."""
    text = json.dumps(document)
    while (at := text.find(f'"{RAW}')) >= 0:
        end = text.index('"', at + 1)
        text = text[:at] + text[at + 1 + len(RAW) : end] + text[end + 1 :]
    return text.encode()


def doubled(document: Any, keys: list[Any]) -> bytes:
    """As JSON, with one member there twice."""
    mark = "a member that is there twice"
    place = copy.deepcopy(document)
    inner = place
    for key in keys[:-1]:
        inner = inner[key]
    value = inner[keys[-1]]
    inner[mark] = value
    return encode(place).replace(json.dumps(mark).encode(), json.dumps(keys[-1]).encode())


WRONG: dict[type, list[Any]] = {
    str: [123, True, ["x"], {"x": 1}, "a\0b", "a\x85b", "a\nb", "\ud800", "a" * 300],
    bool: ["yes", 1, [True], {"x": True}],
    int: ["x", True, 1.5, [1], 10**30, -(10**17), "raw:NaN", "raw:Infinity", "raw:1e999"],
    list: ["x", 5, True],
    dict: ["x", 5, True],
}
"""Instead of a value of that type."""


def corrupted(resource: Resource, *, large: bool) -> Iterator[tuple[str, str | None, bytes]]:
    """What is wrong, the place that the answer has to name (None: none), and the body.

    ``large``: bodies that are wrong by their size too, which take their time.
    """
    for path, keys, value in places(resource.good):
        if set(keys) & set(resource.ignored):
            continue
        for wrong in WRONG[type(value)]:
            if keys[-1] in resource.lines and isinstance(wrong, str):
                continue
            # What is no JSON at all has no place.
            no_json = isinstance(wrong, str) and wrong.startswith((RAW, "\ud800"))
            named = None if no_json else path
            yield f"{path} = {wrong!r:.40}", named, encode(replaced(resource.good, keys, wrong))
        if isinstance(keys[-1], str):
            yield f"{path} twice", path, doubled(resource.good, keys)
    text = encode(resource.good)
    for name, body in (
        *((("nothing", b""),) if not resource.optional else ()),
        ("blanks", b" \r\n"),
        ("an array", b"[1]"),
        ("a number", b"5"),
        ("a text", b'"x"'),
        ("null", b"null"),
        ("half of it", text[: len(text) // 2]),
        ("something behind it", text + b"}"),
        ("UTF-16", text.decode().encode("utf-16")),
        ("Latin-1", text[:-1] + b',"x":"\xe4"}'),
        ("zero bytes", text.replace(b":", b":\0", 1)),
        ("a comment", text.replace(b"{", b"{/* x */", 1)),
        ("40 levels", b'{"x":' * 40 + b"1" + b"}" * 40),
        *((("100,000 levels", b"[" * 100_000),) if large else ()),
        *((("60,000 values", b'{"x":[' + b"1," * 60_000 + b"1]}"),) if large else ()),
    ):
        yield name, None, body


def corrupted_xml(document: bytes) -> Iterator[tuple[str, bytes]]:
    """What is wrong with a document, and the body."""
    root = document[1 : document.index(b">")]
    inner = document[len(root) + 2 :]
    yield from (
        ("a DOCTYPE", b"<!DOCTYPE x><" + root + b">" + inner),
        (
            "an entity from a file",
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><' + root + b">&e;" + inner,
        ),
        ("an entity that nobody has declared", b"<" + root + b">&e;" + inner),
        ("a control character", b"<" + root + b">&#1;" + inner),
        ("half a pair", b"<" + root + b">&#xD800;" + inner),
        ("text at its root", b"<" + root + b">x" + inner),
        ("no end", document[:-3]),
        ("two roots", document + b"<x/>"),
        ("bytes that are not UTF-8", b"<" + root + b"><x>\xff</x>" + inner),
        ("an encoding that nobody knows", b'<?xml version="1.0" encoding="x"?>' + document),
        ("40 levels", b"<" + root + b">" + b"<x>" * 40 + b"</x>" * 40 + inner),
        ("30,000 elements", b"<" + root + b">" + b"<x/>" * 30_000 + inner),
    )


class Attacker:
    """Sends many requests at once, and knows whether anything was stored.

    What waits for answers is for a thread only.
    """

    def __init__(self, house: Any) -> None:
        self._house = house
        path = house.app.config.database_url.removeprefix("sqlite:///")
        self._database = sqlite3.connect(path, check_same_thread=False)

    def stored(self) -> int:
        """A number that changes with every change of the database."""
        return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def send(self, how: str, path: str, user: str, bodies: list[tuple[str, bytes]]) -> list[Answer]:
        """The answers to requests with these media types and bodies, in their order."""
        return self.exchange([request(how, path, user, kind, body) for kind, body in bodies])

    def exchange(self, requests: list[bytes]) -> list[Answer]:
        """The answers to these requests, in their order.

        Each waits for none: that is what the daemon has to bear, and it saves most of the time.
        """
        plain = socket.create_connection(("127.0.0.1", self._house.port), timeout=20)
        answers: list[Answer] = []
        with (
            self._house.tls.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
            connection.makefile("rb") as received,
        ):
            for start in range(0, len(requests), AT_ONCE):
                some = requests[start : start + AT_ONCE]
                connection.sendall(b"".join(some))
                answers += [_answer(received) for _ in some]
        return answers

    def close(self) -> None:
        self._database.close()


def request(
    how: str, path: str, user: str, kind: str = "application/json", body: bytes = b""
) -> bytes:
    """A request as it goes over the wire; ``kind`` is its media type."""
    lines = [f"{how} {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in basic(user).items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def _answer(received: IO[bytes]) -> Answer:
    status = int(received.readline().split()[1])
    headers = http.client.parse_headers(received)
    return Answer(status, headers, received.read(int(headers["Content-Length"] or 0)))
