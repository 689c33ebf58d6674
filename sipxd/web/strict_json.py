"""JSON bodies, read strictly.

msgspec decodes into attrs classes and names the path of a wrong value.  It lets a repeated member
name pass (the last one wins, and another reader may take the first) and nests as deep as the stack,
so both are refused here.  The reactor waits while a body is read, so its number of values is
bounded too.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

from sipxd.errors import BadInput

MAX_DEPTH = 32
MAX_VALUES = 50_000
"""So many are read in 20 ms."""

_MISSING = re.compile(r"Object missing required field `([a-z_]++)`")
_TWICE = object()
"""The key under which an object has the name of a member that it has twice."""


def decode_json(body: bytes, shape: Any) -> Any:
    """The body as ``shape`` (an attrs class, or Any); unknown members are ignored.

    Raises BadInput, whose field is the path of what is wrong, as in ``rings[2].seconds``.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise BadInput(f"The body has more than {MAX_VALUES} values.")
    try:
        value = msgspec.json.decode(body, type=shape)
        _check(json.loads(body, object_pairs_hook=_object))
    except msgspec.ValidationError as error:
        raise _at_its_place(str(error)) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"The body is not JSON: {_ascii(str(error))}.") from None
    except RecursionError:
        _too_deep()
    return value


def _object(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        members[_TWICE] = next(name for name in names if names.count(name) > 1)
    return members


def _check(root: Any) -> None:
    """Raise BadInput where it nests too deep, or an object has a member twice."""
    level = [root]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                if _TWICE in value:
                    path = _ascii(_path(root, value) + value[_TWICE])
                    raise BadInput(f"{path} is there more than once.", field=path)
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        if not inner:
            return
        level = inner
    _too_deep()


def _path(root: Any, wanted: Any) -> str:
    """The path of an object in ``root``, as its members' names follow it."""
    waiting = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if value is wanted:
            return f"{path}." if path else ""
        if isinstance(value, dict):
            inner = [(f"{path}.{name}" if path else name, each) for name, each in value.items()
                     if name is not _TWICE]  # fmt: skip
        elif isinstance(value, list):
            inner = [(f"{path}[{n}]", each) for n, each in enumerate(value)]
        else:
            inner = []
        waiting.extend(inner)
    return ""


def _too_deep() -> NoReturn:
    raise BadInput(f"The body nests deeper than {MAX_DEPTH} levels.") from None


def _at_its_place(said: str) -> BadInput:
    """The error for "Expected `int`, got `str` - at `$.rings[2].seconds`" and the like."""
    reason, at, path = said.rpartition(" - at `$")
    reason, path = (reason, path.rstrip("`").lstrip(".")) if at else (path, "")
    if found := _MISSING.fullmatch(reason):
        path = f"{path}.{found[1]}" if path else found[1]
        return BadInput(f"{path} is missing.", field=path)
    if " matching regex " in reason:
        reason = "this text has characters, or a form, that cannot be here"
    return BadInput(f"{path or 'The body'}: {_ascii(reason)}.", field=path or None)


def _ascii(said: str) -> str:
    """What a library says of the input, without the input's own control characters."""
    return said[:200].rstrip(".").encode("ascii", "backslashreplace").decode("ascii")
