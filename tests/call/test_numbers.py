"""What may be dialled, and what is refused with a sentence."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipxd.call.numbers import Number, clean_number, uri_user
from sipxd.errors import BadInput


@pytest.mark.parametrize(
    ("text", "user", "host"),
    [
        ("201", "201", None),
        ("+4930123456", "+4930123456", None),
        ("9.9-86(406)9[99]", "9986406999", None),
        ("+49 (30) 123-45", "+493012345", None),
        ("{1}2", "12", None),
        ("\t201 ", "201", None),
        ("*4", "*4", None),
        ("#31#201", "#31#201", None),
        ("ben", "ben", None),
        ("Ben_O'Hara!~*+", "Ben_O'Hara!~*+", None),
        ("ben.smith", "bensmith", None),
        ("ben@example.org", "ben", "example.org"),
        ("b.e.n@PBX-1.example.org", "ben", "pbx-1.example.org"),
        ("201@xn--bcher-kva.xn--p1ai", "201", "xn--bcher-kva.xn--p1ai"),
        ("1" * 32, "1" * 32, None),
        ("+" + "1" * 32, "+" + "1" * 32, None),
        ("a" * 64, "a" * 64, None),
    ],
)
def test_a_number_is_cleaned(text: str, user: str, host: str | None) -> None:
    assert clean_number(text) == Number(user, host)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("[]-..", "empty"),
        ("@example.org", "empty"),
        ("201\r\nX: 1", "U+000D"),
        ("201\n", "U+000A"),
        ("201;phone-context=x", "U+003B"),
        ("201?Replaces=1", "U+003F"),
        ("<201>", "U+003C"),
        ("201\x00", "U+0000"),
        ("201\x0b", "U+000B"),
        ("sip:201", "U+003A"),
        ("201%23", "U+0025"),
        ("a/b", "U+002F"),
        ("a&b", "U+0026"),
        ("201,202", "U+002C"),
        ("200€", "U+20AC"),
        ("٢٠١", "U+0662"),
        ("２０１", "U+FF12"),
        ("201\u00a0", "U+00A0"),
        ("201\ud800", "U+D800"),
        ("+", "beginning"),
        ("1+2", "beginning"),
        ("++49", "beginning"),
        ("a#b", "#"),
        ("1" * 33, "at most 32"),
        ("a" * 65, "at most 64"),
        ("1" * 10_240, "at most 32"),
        ("123*we@sip", "host name"),
        ("201@", "host name"),
        ("201@example.org.", "host name"),
        ("201@-example.org", "host name"),
        ("201@exam ple.org", "host name"),
        ("201@example.org@evil.example", "host name"),
        ("201@example.org;lr", "host name"),
        ("201@example.org\r\n", "host name"),
        ("201@example.org:5060", "host name"),
        ("201@192.0.2.1", "host name"),
        ("201@" + "a." * 127 + "org", "host name"),
    ],
)
def test_anything_else_is_refused_with_its_rule(text: str, rule: str) -> None:
    with pytest.raises(BadInput) as caught:
        clean_number(text)
    assert rule in caught.value.detail
    assert caught.value.field == "number"
    assert caught.value.detail.isascii()
    assert caught.value.detail.isprintable()


@given(st.text() | st.text("0123456789*#+abcXYZ_!~'[](){}-. @\r\n;", max_size=80))
@example("201\n")
@example("ben@example.org\n")
def test_whatever_is_accepted_holds_allowed_characters_only(text: str) -> None:
    try:
        number = clean_number(text)
    except BadInput:
        return
    assert set(number.user) <= set(
        "0123456789*#+_!~'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    )
    assert 1 <= len(number.user) <= 64
    if number.host is not None:
        assert set(number.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert len(number.host) <= 253
    assert clean_number(str(number)) == number


def test_a_hash_is_escaped_in_a_uri_and_nothing_else_is() -> None:
    assert uri_user("#31#+49*_!~'x") == "%2331%23+49*_!~'x"
    assert re.fullmatch(r"[^#]*", uri_user("###"))


@pytest.mark.parametrize("unit", ["+", "0", "a", "201@a.", "201@a-", "#", "[", "1@"])
def test_the_cost_grows_no_faster_than_the_input(unit: str) -> None:
    def cost(size: int) -> float:
        text = unit * (size // len(unit)) + "\x00"
        best = float("inf")
        for _ in range(5):
            start = time.process_time()
            for _ in range(20):
                with pytest.raises(BadInput):
                    clean_number(text)
            best = min(best, time.process_time() - start)
        return best

    assert cost(64 * 1024) <= 3 * max(cost(32 * 1024), 1e-4)
