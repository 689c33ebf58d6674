"""Long lists come in pages: ``?limit=`` and ``?cursor=``, the ``next`` of an earlier answer."""

from __future__ import annotations

import re

from twisted.web.server import Request

from sipxd.errors import BadInput
from sipxd.web.negotiate import parameter

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

_LIMIT = re.compile(r"[0-9]{1,3}", re.ASCII)


def read_limit(request: Request) -> int:
    """How many to tell at most. Raises BadInput."""
    text = parameter(request, "limit")
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise BadInput(f"limit is a number from 1 to {MAX_LIMIT}.", field="limit")
    return int(text)


def read_cursor(request: Request, form: re.Pattern[str]) -> str | None:
    """Behind which one to begin; ``form`` is that of an id. Raises BadInput."""
    text = parameter(request, "cursor")
    if text is not None and not form.fullmatch(text):
        raise BadInput("cursor is the value of next in an earlier answer.", field="cursor")
    return text
