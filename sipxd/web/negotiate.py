"""What form bodies have, coming and going: JSON, read strictly and written compactly.

msgspec decodes into attrs classes and names the path of a wrong value.  It lets a repeated member
name pass (the last one wins, and another reader may take the first) and nests as deep as the
stack, so both are refused here: bodies are small and rare, a second look costs nothing that
matters.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import msgspec
from twisted.web.server import Request

from sipxd.errors import BadInput
from sipxd.web.problems import HttpProblem, answer

T = TypeVar("T")

JSON = b"application/json"
MAX_DEPTH = 32


def parameter(request: Request, name: str) -> str | None:
    """A query parameter that is given at most once. Raises BadInput."""
    given = request.args.get(name.encode("ascii"))
    if given is None:
        return None
    if len(given) > 1:
        raise BadInput(f"Give {name} once.", field=name)
    try:
        return str(given[0], "utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8.", field=name) from None


def read_json(request: Request, shape: type[T]) -> T:
    """The body as ``shape`` (an attrs class); unknown members are ignored.

    Raises HttpProblem (415) when the body is not called JSON, BadInput when it is not JSON or has
    another shape.
    """
    media_type = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if media_type != JSON and not (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    ):
        raise HttpProblem(
            415, "Send the body as JSON, with Content-Type: application/json.", {b"Accept": JSON}
        )
    body = request.content.read()  # type: ignore[union-attr]
    try:
        value = msgspec.json.decode(body, type=shape)
        _check_depth(json.loads(body, object_pairs_hook=_object))
    except msgspec.ValidationError as error:
        raise BadInput(f"{_ascii(error)}.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"The body is not JSON: {_ascii(error)}.") from None
    except RecursionError:
        _too_deep()
    return value


def require_json_accepted(request: Request) -> None:
    """Raise HttpProblem (406) when the client says that it takes no JSON."""
    accept = request.getHeader(b"accept")
    if not accept:
        return
    for choice in accept.lower().split(b","):
        media_range, *weights = (part.strip() for part in choice.split(b";"))
        if media_range in (JSON, b"application/*", b"*/*") and not any(
            weight.replace(b" ", b"") in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
            for weight in weights
        ):
            return
    raise HttpProblem(406, "This resource is told as application/json only.")


def json_answer(request: Request, status: int, value: object) -> bytes:
    """Answer with ``value`` as JSON."""
    return answer(request, status, msgspec.json.encode(value), JSON)


def empty_answer(request: Request, status: int) -> bytes:
    """Answer without a body."""
    return answer(request, status, b"", b"")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated in one object")
    return members


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return
        level = inner
    _too_deep()


def _too_deep() -> NoReturn:
    raise BadInput(f"The body nests deeper than {MAX_DEPTH} levels.") from None


def _ascii(error: Exception) -> str:
    """What a library says of the input, without the input's own control characters."""
    return str(error)[:200].rstrip(".").encode("ascii", "backslashreplace").decode("ascii")
