"""URIs: their parts, their equality, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.sip.uri import MAXIMUM_LENGTH, Uri, UriError, parse_uri, same_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:example.com", Uri("sip", host="example.com")),
        ("SIP:A@Example.com:5070", Uri("sip", "A", host="example.com", port=5070)),
        ("sips:a:pw@b;lr;X=1", Uri("sips", "a", "pw", "b", parameters=(("lr", None), ("x", "1")))),
        ("sip:a@[2001:DB8::1]:5060", Uri("sip", "a", host="[2001:db8::1]", port=5060)),
        ("sip:a@b?Replaces=c%40d", Uri("sip", "a", host="b", headers="Replaces=c%40d")),
        ("sip:a@b?Replaces=c@d", Uri("sip", "a", host="b", headers="Replaces=c@d")),
        ("sip:a;x=?/b@c", Uri("sip", "a;x=?/b", host="c")),
        ("sip:bob@pbx1", Uri("sip", "bob", host="pbx1")),
        ("sip:bob@my_pbx", Uri("sip", "bob", host="my_pbx")),
        ("sip:+491@h;user=phone", Uri("sip", "+491", host="h", parameters=(("user", "phone"),))),
        ("tel:+49-1;phone-context=x", Uri("tel", opaque="+49-1;phone-context=x")),
        ("urn:service:sos", Uri("urn", opaque="service:sos")),
    ],
)
def test_the_parts_of_a_uri(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "sip:", "sip:@b", "sip:a@", "tel:", "1sip:a", "sip:a b@c", "sip:a@b\r\n"),
        *("sip:a@b>", 'sip:"a"@b', "sip:a%2@b", "sip:a@b;x=%zz", "sip:a@b:", "sip:a@b:99999"),
        *("sip:a@-b c", "sip:a@b..c", "sip:a@[::g]", "sip:a@[:::]", "sip:a@[1:2]", "sip:a@b;;x"),
        *("sip:a@ä", "sip:a@" + "b" * 254, "sip:" + "a" * MAXIMUM_LENGTH + "@b", "sip:a@b@c"),
    ],
)
def test_broken_uris_are_refused(text: str) -> None:
    with pytest.raises(UriError):
        parse_uri(text)


def test_the_user_is_shown_without_escapes() -> None:
    assert parse_uri("sip:%23%31@h").user_text == "#1"
    assert parse_uri("sip:h").user_text == ""
    assert parse_uri("tel:+49-1;x=y").user_text == "+49-1"


def test_parameters_are_found_by_their_lower_case_name() -> None:
    uri = parse_uri("sip:h;LR;transport=UDP")
    assert uri.parameter("lr") == ""
    assert uri.parameter("transport") == "UDP"
    assert uri.parameter("maddr") is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ("sip:a@b?x=1&y=2", "sip:a@b?y=2&x=1"),
        ("tel:+49", "TEL:+49"),
    ],
)
def test_equivalent_uris(a: str, b: str) -> None:
    assert same_uri(parse_uri(a), parse_uri(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("sip:ALICE@AtlanTa.CoM", "sip:alice@AtlanTa.CoM"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a@b;x=1", "sip:a@b;x=2"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "tel:a"),
        ("sip:a@b?x=1", "sip:a@b?x=2"),
        ("sip:h", "sip:a@h"),
    ],
)
def test_different_uris(a: str, b: str) -> None:
    assert not same_uri(parse_uri(a), parse_uri(b))


@given(
    st.lists(
        st.sampled_from([*'ab1:@;=?%&[].<>" \\', "sip:", "tel:", "::1", "ſ", "\udcff"]), max_size=25
    ).map("".join)
)
def test_any_text_is_a_uri_or_refused(text: str) -> None:
    for start in ("", "sip:", "sip:a@"):
        try:
            uri = parse_uri(start + text)
        except UriError:
            continue
        assert parse_uri(str(uri)) == uri
        assert same_uri(uri, uri)
