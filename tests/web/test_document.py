"""Reading a document member by member; what is wrong is named by its path, in both forms."""

from __future__ import annotations

import enum

import pytest

from sipxd.errors import BadInput
from sipxd.web.document import JsonNode, XmlNode
from sipxd.xml import parse_xml


class Colour(enum.StrEnum):
    RED = "Red"
    BLUE = "Dark blue"


def xml(text):
    return XmlNode("r", parse_xml(text.encode()))


def refused(ask, node) -> BadInput:
    with pytest.raises(BadInput) as caught:
        ask(node)
    assert caught.value.detail.endswith(".")
    return caught.value


ASK = {
    "number": lambda node: node.number("n", None, 1, 999),
    "id": lambda node: node.number("n", None, -1, 999),
    "flag": lambda node: node.flag("n", True),
    "choice": lambda node: node.choice("n", Colour.RED),
    "text": lambda node: node.text("n", longest=5),
    "list": lambda node: node.list("n", "item", 2),
}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "<r/>", None),
        ("number", "<r><n>\n  007 </n></r>", 7),
        ("id", "<r><n>-1</n></r>", -1),
        ("flag", "<r/>", True),
        ("flag", "<r><n>false</n></r>", False),
        ("flag", "<r><n>True</n></r>", True),
        ("choice", "<r/>", Colour.RED),
        ("choice", "<r><n> Dark blue </n></r>", Colour.BLUE),
        ("text", "<r/>", ""),
        ("text", "<r><n/></r>", ""),
        ("text", "<r><!-- x --><m>1</m><m>2</m><n a='b'> a b </n></r>", "a b"),
    ],
)
def test_xml_is_read(kind, text, value) -> None:
    assert ASK[kind](xml(text)) == value


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("number", {}, None),
        ("number", {"n": None}, None),
        ("number", {"n": 999}, 999),
        ("id", {"n": -1}, -1),
        ("flag", {"n": False}, False),
        ("choice", {"n": "Dark blue"}, Colour.BLUE),
        ("text", {"n": "a b"}, "a b"),
        ("text", {"n": ""}, ""),
    ],
)
def test_json_is_read(kind, value, read) -> None:
    assert ASK[kind](JsonNode("r", value)) == read


WHOLE = "must be a whole number from 1 to 999, not"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        *(
            ("number", f"<r><n>{given}</n></r>", f"r/n {WHOLE} '{given}'.")
            for given in ("abc", "", "0", "1000", "-1", "+1", "1.0", "1_0", "1e2", "9" * 30)
        ),
        ("number", "<r><n>٢</n></r>", f"r/n {WHOLE} '\\u0662'."),
        ("number", "<r><n><a/></n></r>", f"r/n {WHOLE} elements."),
        ("number", "<r><n>1</n><n>1</n></r>", "r/n is there 2 times."),
        ("number", f"<r><n>{'9' * 5000}</n></r>", f"r/n {WHOLE} '{'9' * 40}...'."),
        ("flag", "<r><n>yes</n></r>", "r/n must be true or false, not 'yes'."),
        ("flag", "<r><n>1</n></r>", "r/n must be true or false, not '1'."),
        ("flag", "<r><n/></r>", "r/n must be true or false, not ''."),
        ("flag", "<r><n><a/></n></r>", "r/n must be true or false, not elements."),
        ("choice", "<r><n>red</n></r>", "r/n must be 'Red' or 'Dark blue', not 'red'."),
        ("text", "<r><n>123456</n></r>", "r/n may have at most 5 characters, not 6."),
        ("text", "<r><n>a\nb</n></r>", "r/n may not contain the character U+000A."),
        ("text", "<r><n>a&#127;</n></r>", "r/n may not contain the character U+007F."),
        ("text", "<r><n>a<b/></n></r>", "r/n must be text without elements in it."),
        ("text", "<r>words<n/></r>", "r must hold elements, not 'words'."),
        ("list", "<r/>", "r/n is missing."),
        ("list", "<r><n>words</n></r>", "r/n must hold elements, not 'words'."),
        ("list", "<r><n><Item/></n></r>", "r/n must hold elements item."),
        ("list", "<r><n><item/><item/><item/></n></r>", "r/n may hold at most 2, not 3."),
    ],
)
def test_wrong_xml_is_named(kind, text, said) -> None:
    error = refused(ASK[kind], xml(text))
    assert error.detail == said
    assert error.field == said.partition(" ")[0]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("number", {"n": "5"}, f"r.n {WHOLE} '5'."),
        ("number", {"n": 5.0}, f"r.n {WHOLE} 5.0."),
        ("number", {"n": True}, f"r.n {WHOLE} true."),
        ("number", {"n": 0}, f"r.n {WHOLE} 0."),
        ("number", {"n": []}, f"r.n {WHOLE} an array."),
        ("number", {"n": {}}, f"r.n {WHOLE} an object."),
        ("flag", {"n": "true"}, "r.n must be true or false, not 'true'."),
        ("flag", {"n": 1}, "r.n must be true or false, not 1."),
        ("choice", {"n": 1}, "r.n must be a string."),
        ("text", {"n": 402}, "r.n must be a string."),
        ("text", {"n": "a\0"}, "r.n may not contain the character U+0000."),
        ("list", {"n": None}, "r.n is missing."),
        ("list", {"n": "words"}, "r.n must be an array."),
        ("list", {"n": {"Item": []}}, "r.n must hold item, or be an array."),
        ("list", {"n": {"item": 1}}, "r.n.item must be an array."),
        ("list", [], "r must be an object."),
    ],
)
def test_wrong_json_is_named(kind, value, said) -> None:
    error = refused(ASK[kind], JsonNode("r", value))
    assert error.detail == said
    assert error.field == said.partition(" ")[0]


def test_items_know_their_places() -> None:
    nodes = xml("<r><n><x/><item/><item/></n></r>").list("n", "item", 9)
    assert [node.path for node in nodes] == ["r/n/item[1]", "r/n/item[2]"]
    for value in ([1, 2], {"item": [1, 2]}):
        nodes = JsonNode("", {"n": value}).list("n", "item", 9)
        assert [node.path.removeprefix("n.item").removeprefix("n") for node in nodes] == [
            "[0]",
            "[1]",
        ]
    assert len(JsonNode("", {"n": {"item": {}}}).list("n", "item", 9)) == 1
    for empty in ([], {}, {"item": []}):
        assert JsonNode("", {"n": empty}).list("n", "item", 9) == []
    assert xml("<r><n/></r>").list("n", "item", 9) == []


def test_a_document_without_a_root_is_named_too() -> None:
    assert refused(ASK["text"], JsonNode("", [])).detail == "The body must be an object."
