"""Values in SOAP messages: whatever comes is read or refused, and what is written can be read."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from sipxd.errors import BadInput
from sipxd.web.soap.envelope import Version, write_answer
from sipxd.web.soap.schema import NAMESPACE, Member, load
from sipxd.web.soap.users import read_edits
from sipxd.web.soap.values import XSI, Values, around, escaped, read, write
from sipxd.xml import Element, parse_xml

DESCRIPTION = load()
INPUTS = sorted(
    {
        operation.input
        for port in DESCRIPTION.ports.values()
        for operation in port.values()
        if operation.input is not None
    }
)
NAMES = sorted({member.name for kind in DESCRIPTION.types.values() for member in kind})
TEXTS = st.sampled_from(["", " ", "true", " 1 ", "-7", "99999999999", "\0", "\ud800", "a<&b"])
NAMESPACES = st.sampled_from(["", "", NAMESPACE, "urn:x"])
MARKS = st.sampled_from([(), (), (), ("nil",)])


def elements(name: str, children: st.SearchStrategy[list[Element]]) -> st.SearchStrategy[Element]:
    """Elements of that name with such children."""
    pieces = st.lists(TEXTS | st.text(max_size=3), max_size=2)
    return st.builds(Element, st.just(name), children, pieces, NAMESPACES, MARKS)


def anything() -> st.SearchStrategy[Element]:
    """Trees of any elements that the schema knows, and of one that it does not."""
    none: st.SearchStrategy[list[Element]] = st.just([])
    names = st.sampled_from([*NAMES, "x"])
    return st.recursive(
        names.flatmap(lambda name: elements(name, none)),
        lambda inner: names.flatmap(lambda name: elements(name, st.lists(inner, max_size=4))),
        max_leaves=12,
    )


def fitting(kind: str) -> st.SearchStrategy[list[Element]]:
    """Children that are nearly what the schema says of a kind."""
    return st.tuples(*(_fitting(member) for member in DESCRIPTION.types[kind])).map(
        lambda found: [child for children in found for child in children]
    )


def _fitting(member: Member) -> st.SearchStrategy[list[Element]]:
    if member.type in DESCRIPTION.types:
        one = fitting(member.type).map(lambda children: Element(member.name, children))
    else:
        words = {"int": ["7", " -7 ", "7.5"], "boolean": ["true", "0", "TRUE"]}
        texts = words.get(member.type, ["", "402", "a<&\r\n"])
        one = st.sampled_from(texts).map(lambda text: Element(member.name, [], [text]))
    nil = st.just(Element(member.name, marks=("nil",)))
    return st.lists(one | one | one | nil, max_size=3 if member.many else 1)


def expect_read_or_refused(name: str, element: Element) -> bool:
    """Whether it is read; what is read has every member of the schema, each of its type."""
    try:
        values = read(DESCRIPTION, name, element)
    except BadInput as error:
        assert 10 < len(error.detail) < 500
        assert error.detail.isprintable()
        return False
    _expect_typed(name, values)
    expect_valid(name, values)
    return True


def expect_valid(name: str, values: Values) -> None:
    """The values are what the schema of requests says, and are read again as they were read."""
    normal = write(DESCRIPTION, name, without_nils(values))
    text = "".join(around(f"c:{name}", normal, f' xmlns:c="{NAMESPACE}" xmlns:xsi="{XSI}"'))
    DESCRIPTION.requests.assertValid(etree.fromstring(text))
    assert read(DESCRIPTION, name, parse_xml(text.encode())) == without_nils(values)


def without_nils(value: Any) -> Any:
    """``value`` without what is nil in its lists."""
    if isinstance(value, dict):
        return {name: without_nils(each) for name, each in value.items()}
    return [without_nils(x) for x in value if x is not None] if isinstance(value, list) else value


def _expect_typed(kind: str, values: Values) -> None:
    members = DESCRIPTION.types[kind]
    assert list(values) == [member.name for member in members]
    for member in members:
        value = values[member.name]
        for each in value if member.many else [value]:
            if each is None:
                assert member.nillable or not member.needed
            elif member.type in DESCRIPTION.types:
                _expect_typed(member.type, each)
            else:
                assert type(each) is {"int": int, "boolean": bool, "string": str}[member.type]


@pytest.mark.parametrize("name", INPUTS)
def test_trees_of_all_kinds_are_read_or_refused_with_a_sentence(name: str) -> None:
    @settings(derandomize=True, deadline=None, max_examples=40)
    @given(elements(name, st.lists(anything(), max_size=4)))
    def run(element: Element) -> None:
        expect_read_or_refused(name, element)

    run()


@pytest.mark.parametrize("name", INPUTS)
def test_what_is_nearly_right_is_read_or_refused(name: str) -> None:
    seen = set()

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(fitting(name))
    def run(children: list[Element]) -> None:
        seen.add(expect_read_or_refused(name, Element(name, children)))

    run()
    assert True in seen


EDIT = "<edit><property>aliases</property><value>q%d</value></edit>"
NIL = '<groups nil="1"/>'
LARGEST = {
    "edits": ("ManageUser", "".join(EDIT % number for number in range(3_990))),
    "empty edits": ("ManageUser", "<edit><property/><value/></edit>" * 6_600),
    "aliases": ("AddUser", f"<user><userName/>{'<aliases/>' * 19_900}</user><pin/>"),
    "nils": ("AddUser", f"<user><userName/>{NIL * 19_900}</user><pin/>"),
    "one text": ("AddUser", f"<user><userName>{'x' * 1_040_000}</userName></user><pin/>"),
}


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_request_takes_no_longer_than_a_call_can_wait(name: str) -> None:
    kind, inside = LARGEST[name]
    element = parse_xml(f"<{kind}>{inside}</{kind}>".encode())

    def seconds() -> float:
        begun = time.thread_time()
        values = read(DESCRIPTION, kind, element)
        if "edit" in values:
            with contextlib.suppress(BadInput):
                read_edits(values["edit"])
        return time.thread_time() - begun

    assert min(seconds() for _ in range(3)) < 0.05


def test_characters_that_xml_cannot_have_are_replaced_in_answers() -> None:
    assert escaped("a<b>&\"'\r\n\x01\ud800") == "a&lt;b&gt;&amp;\"'&#13;\n\ufffd\ufffd"
    values = {"domain": {"name": "a\0b]]>", "realm": "", "aliases": ()}}
    document = asyncio.run(
        write_answer(
            Version.SOAP_12, DESCRIPTION, "SystemInfo", values, functools.partial(asyncio.sleep, 0)
        )
    )
    assert parse_xml(document).children[0].children[0].children[0].children[0].text == "a\ufffdb]]>"
