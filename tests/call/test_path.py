"""The path of a call: what is read, how it grows, and what is a loop."""

from __future__ import annotations

import pytest

from sipxd.call.numbers import Number
from sipxd.call.path import MAXIMUM, Loop, extend_path, path_headers, read_path, turn_path

OURS = "example.org"


def test_a_path_that_is_written_is_read_again() -> None:
    path = extend_path(extend_path((), Number("*21#"), OURS), Number("bob", "other.example"), OURS)
    assert path_headers(path) == (("X-sipxd-Path", "*21#@example.org, bob@other.example"),)
    assert read_path(["*21#@example.org, bob@other.example"]) == path
    assert read_path(["*21#@example.org", "bob@other.example"]) == path


def test_an_empty_path_is_not_written() -> None:
    assert path_headers(read_path([])) == ()


@pytest.mark.parametrize("again", [Number("Bob"), Number("bob", "example.org")])
def test_a_number_that_was_passed_is_a_loop(again: Number) -> None:
    with pytest.raises(Loop):
        extend_path(("201@example.org", "bob@example.org"), again, OURS)


def test_the_same_number_of_another_domain_is_none() -> None:
    assert len(extend_path(("201@other.example",), Number("201"), OURS)) == 2


def test_the_eleventh_number_is_a_loop() -> None:
    path: tuple[str, ...] = ()
    for number in range(MAXIMUM):
        path = extend_path(path, Number(str(number)), OURS)
    with pytest.raises(Loop):
        extend_path(path, Number("201"), OURS)


def test_a_longer_path_is_read_no_further_and_is_a_loop() -> None:
    path = read_path(f"{number}@example.org" for number in range(100_000))
    assert len(path) == MAXIMUM + 1
    with pytest.raises(Loop):
        extend_path(path, Number("201"), OURS)


@pytest.mark.parametrize(
    "strange",
    [
        "",
        "201",
        "@example.org",
        "a b@c",
        "a@b@c",
        "201@",
        '"x@b',
        f"{'9' * 65}@a",
        f"a@{'b' * 254}",
        "ä@b",
    ],
)
def test_a_path_with_anything_strange_is_none(strange: str) -> None:
    assert read_path(["201@example.org", strange]) == ()


def test_a_transfer_takes_the_place_of_the_number_that_was_called() -> None:
    path = ("300@example.org", "201@example.org")
    assert turn_path(path, Number("400"), OURS) == ("300@example.org", "400@example.org")
    assert turn_path((), Number("400"), OURS) == ("400@example.org",)
    with pytest.raises(Loop):
        turn_path(path, Number("300"), OURS)
