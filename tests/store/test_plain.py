"""Plain data as JSON text."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.store.plain import decode, encode


@pytest.mark.parametrize(
    "value",
    [{"a": [1, None, 2.5, "ü"]}, {"a": b"caf\xe9".decode("utf-8", "surrogateescape"), "b": "ü\0"}],
)
def test_it_comes_back_as_it_was_and_every_database_takes_the_text(value: Any) -> None:
    text = encode(value)
    text.encode()
    assert "\0" not in text
    assert decode(text) == value
