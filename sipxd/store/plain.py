"""Plain data as JSON text, and back.

What came in over SIP may hold octets that are no UTF-8, which Python keeps as lone surrogates.  In
JSON they are escapes, so that any database takes the text and they come back as they were.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encode(value: Any) -> str:
    """``value`` as JSON."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value))


def decode(text: str) -> Any:
    """What ``encode`` made ``text`` of, as plain data."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
