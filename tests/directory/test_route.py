"""Patterns of routes: what they match, and that they say what is wrong with them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.directory.route import Route, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "number", "matches"),
    [
        ("112", "112", True),
        ("112", "1123", False),
        ("112", "11", False),
        ("0.", "0", False),
        ("0.", "01", True),
        ("0.", "0" * 33, True),
        ("0!", "0", True),
        ("0!", "1", False),
        (".", "", False),
        ("!", "", True),
        (".", "ann", False),
        ("+49.", "+4930", True),
        ("+49.", "004930", False),
        ("XZN", "012", True),
        ("XZN", "002", False),
        ("XZN", "011", False),
        ("*9[135-7*]", "*96", True),
        ("*9[135-7*]", "*9*", True),
        ("*9[135-7*]", "*94", False),
        ("#1", "#1", True),
        ("X", "\u0663", False),
    ],
)
def test_a_pattern_matches(pattern: str, number: str, matches: bool) -> None:
    assert parse_pattern(pattern).matches(number) is matches


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("", "1 to 128"),
        ("1" * 129, "1 to 128"),
        ("1" * 40, "longer than any number"),
        ("0Y", "holds 'Y'"),
        ("0.1", "holds '.'"),
        ("[12", r"\[ without \]"),
        ("[]", "between"),
        ("[5-2]", "range"),
        ("[1-]", "range"),
        ("[1-*]", "range"),
        ("[a]", "between"),
        ("(a+)+", "holds"),
    ],
)
def test_a_mistake_in_a_pattern_is_named(pattern: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_pattern(pattern)


@given(st.text(alphabet="0189XZN[]-.!*#+a", max_size=60), st.text("0189*#+", max_size=40))
def test_any_text_is_a_pattern_or_a_mistake(pattern: str, number: str) -> None:
    try:
        parsed = parse_pattern(pattern)
    except ValueError:
        return
    assert parsed.matches(number) in (True, False)


def test_matching_costs_what_the_number_is_long() -> None:
    pattern = parse_pattern("[0-9]" * 20 + ".")
    start = time.process_time()
    assert not pattern.matches("1" * 1_000_000 + "x")
    assert time.process_time() - start < 0.5


def test_a_number_is_rewritten() -> None:
    assert Route("0.", ("a",), strip=1, prepend="+49").rewritten("030123") == "+4930123"


@pytest.mark.parametrize("gateways", [(), ("a", "a"), tuple("abcdefghijk")])
def test_a_route_names_its_gateways_once(gateways: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="1 to 10 gateways"):
        Route("0.", gateways)
