"""The one XML parser: what it reads, what it refuses, and how long the most hostile bytes take."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.errors import BadInput
from sipxd.xml import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_PARTS,
    SLICE,
    Element,
    Items,
    parse_in_turns,
    parse_xml,
    write_xml,
)

LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 100 + b'">'
    + b"".join(
        b'<!ENTITY %c "%b">' % (name, b"&%c;" % (name - 1) * 10) for name in range(98, 120)
    )
    + b"]><l>&w;</l>"
)  # fmt: skip


def fill(head: bytes, item: bytes, tail: bytes) -> bytes:
    """As many items as the largest document holds."""
    return head + item * ((MAX_BYTES - len(head) - len(tail)) // len(item)) + tail


HOSTILE = {
    "bomb of entities": LAUGHS,
    "quadratic bomb": b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 500_000 + b'">]><l>' + b"&a;" * 99_999,
    "entity of a file": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
    "parameter entity": b'<!DOCTYPE l [<!ENTITY % a SYSTEM "http://127.0.0.1/">%a;]><l/>',
    "DTD elsewhere": b'<!DOCTYPE l SYSTEM "http://127.0.0.1/x.dtd"><l/>',
    "nothing but a DOCTYPE": b"<!DOCTYPE l><l/>",
    "DOCTYPE in UTF-16": '<!DOCTYPE l [<!ENTITY a "x">]><l>&a;</l>'.encode("utf-16"),
    "large DTD": fill(b"<!DOCTYPE l [", b'<!ENTITY a "aaaaaaaaaa">', b"]><l/>"),
    "deep": b"<a>" * (MAX_BYTES // 3),
    "elements": fill(b"<r>", b"<a/>", b"</r>"),
    "names": b"<r>" + b"".join(b"<a%d/>" % n for n in range(100_000)) + b"</r>",
    "texts": fill(b"<r>", b"&amp;", b"</r>"),
    "unknown entity": b"<r>&nbsp;</r>",
    "control character": b"<r>\x01</r>",
    "NUL": b"<r>\0</r>",
    "escaped control character": b"<r>&#1;</r>",
    "escaped surrogate": b"<r>&#xD800;</r>",
    "no UTF-8": b"<r>\xff</r>",
    "declared as UTF-16": b'<?xml version="1.0" encoding="utf-16"?><r/>',
    "declared as something unknown": b'<?xml version="1.0" encoding="x-nothing"?><r/>',
    "declared as ASCII": '<?xml version="1.0" encoding="us-ascii"?><r>ü</r>'.encode(),
    "two roots": b"<r/><r/>",
    "cut off": b"<r><a>",
    "crossed": b"<r><a></r></a>",
    "undeclared prefix in an attribute twice": b'<r a="1" a="2"/>',
    "no XML": b"expiration=20",
    "blank": b" \r\n",
    "empty": b"",
    "too large": b"<r>" + b" " * MAX_BYTES + b"</r>",
}
READ = {
    "attributes": b"<r " + b" ".join(b'a%d=""' % n for n in range(95_000)) + b"/>",
    "comments": fill(b"<r>", b"<!---->", b"</r>"),
    "instructions": fill(b"<r>", b"<?a?>", b"</r>"),
    "escapes in an attribute": fill(b'<r a="', b"&#65;", b'"/>'),
    "one text": fill(b"<r>", b"a", b"</r>"),
    "lines": fill(b"<r>", b"\r\n", b"</r>"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_xml(HOSTILE[name])
    assert 20 < len(caught.value.detail) < 300
    assert caught.value.detail.isprintable()
    assert caught.value.detail.isascii()


@pytest.mark.parametrize("name", [*HOSTILE, *READ])
def test_nothing_takes_longer_than_a_phone_call_can_wait(name: str) -> None:
    document = HOSTILE.get(name) or READ.get(name) or b""

    def seconds() -> float:
        begun = time.process_time()
        try:
            parse_xml(document)
        except BadInput:
            assert name in HOSTILE
        return time.process_time() - begun

    assert min(seconds() for _ in range(3)) < 0.05


def in_turns(document: bytes) -> tuple[Element, int]:
    """What is read in turns, and how many there were."""
    turns = []

    async def turn() -> None:
        turns.append(1)

    return asyncio.run(parse_in_turns(document, turn)), len(turns)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_refused_at_once_is_refused_in_turns_in_the_same_words(name: str) -> None:
    def sentence(parse: Callable[[bytes], object]) -> str:
        with pytest.raises(BadInput) as caught:
            parse(HOSTILE[name])
        return re.sub("[0-9]+", "N", caught.value.detail)

    assert sentence(in_turns) == sentence(parse_xml)


def test_what_is_read_in_turns_is_the_same() -> None:
    item = "<a b='1'>Zoë\r\n&amp;</a>".encode() + b" " * 500
    large = fill(b"<r xmlns='urn:x'>", item, b"</r>   ")
    wide = ("<r>" + "Zoë" * 100_000 + "</r>").encode("utf-16")
    for document in (large, b"<r>Zo</r>", b"\xef\xbb\xbf" + large[:-3], wide):
        root, turns = in_turns(document)
        assert written(root) == written(parse_xml(document))
        assert turns >= len(document) // SLICE


def written(element: Element) -> object:
    """All there is of an element; how its text was cut does not matter."""
    same = element.name, element.namespace, element.marks, element.text
    return (*same, [written(child) for child in element.children])


def test_a_bomb_uses_no_memory() -> None:
    tracemalloc.start()
    try:
        for _ in range(10):
            with pytest.raises(BadInput, match="DOCTYPE"):
                parse_xml(LAUGHS)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_bounds_are_what_they_say() -> None:
    assert parse_xml(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH).name == "a"
    with pytest.raises(BadInput, match=f"deeper than {MAX_DEPTH}"):
        parse_xml(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
    parse_xml(b"<a>" + b"<b/>" * (MAX_PARTS - 1) + b"</a>")
    with pytest.raises(BadInput, match=f"more than {MAX_PARTS}"):
        parse_xml(b"<a>" + b"<b/>" * MAX_PARTS + b"</a>")


def test_names_have_no_namespace_and_texts_are_joined() -> None:
    root = parse_xml(
        b"\r\n<?xml version='1.0' encoding='utf-8'?>\n"
        b"<x:a xmlns:x='urn:x' x:y='z'><!-- c --><?p i?>1&lt;2<x:b/>&#51;<![CDATA[<4]]></x:a>"
    )
    assert (root.name, root.text) == ("a", "1<23<4")
    assert [child.name for child in root.children] == ["b"]


@pytest.mark.parametrize(
    ("coding", "declared"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("latin-1", "<?xml version='1.0' encoding='iso-8859-1'?>"),
    ],
)
def test_characters_are_those_that_were_meant(coding: str, declared: str) -> None:
    assert parse_xml(f"{declared}<r>Zoë</r>".encode(coding)).text == "Zoë"


def test_a_document_is_written_as_sipxcom_writes_it() -> None:
    written = write_xml(
        "r",
        {
            "list": Items("item", [{"n": 1, "on": True}, {"off": False, "none": None}, "x"]),
            "none": Items("item", []),
            "bare": [1, {"n": 2}],
            "nothing": [],
            "text": "a<b>&\"'\r\x01",
            "empty": "",
            "absent": None,
        },
    )
    assert written.decode() == (
        "<r>\n  <list>\n    <item>\n      <n>1</n>\n      <on>true</on>\n    </item>\n"
        "    <item>\n      <off>false</off>\n    </item>\n    <item>x</item>\n  </list>\n"
        "  <none/>\n  <bare>1</bare>\n  <bare>\n    <n>2</n>\n  </bare>\n"
        "  <text>a&lt;b&gt;&amp;\"'&#13;\N{REPLACEMENT CHARACTER}</text>\n"
        "  <empty></empty>\n</r>\n"
    )


@given(st.text())
def test_whatever_is_written_can_be_read(text: str) -> None:
    [child] = parse_xml(write_xml("r", {"t": text})).children
    assert len(child.text) == len(text)
    if text.isprintable():
        assert child.text == text


@given(st.binary(max_size=200) | st.text("<>/&;a!?-[]=\"' x", max_size=60).map(str.encode))
def test_bytes_of_all_kinds_are_read_or_refused(document: bytes) -> None:
    with contextlib.suppress(BadInput):
        parse_xml(document)
