"""The values that several documents of /v1 have in common, with the bounds that msgspec checks."""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from sipxd.directory.forwarding import MAX_NUMBER, MAX_SECONDS, RingType
from sipxd.errors import BadInput, NotFound

Text = Annotated[str, Meta(max_length=MAX_NUMBER, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
"""One line."""
Seconds = Annotated[int, Meta(ge=1, le=MAX_SECONDS)]
Id = Annotated[int, Meta(ge=1, le=2**53)]
Time = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with an offset."""

ID = re.compile(r"[0-9]{1,15}", re.ASCII)
"""Of everything but calls."""
BIGGEST = 2**31 - 1
"""The biggest id that a database gives, or compares with."""
_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class RingKind(enum.StrEnum):
    """`RingType`, as /v1 writes it."""

    IF_NO_RESPONSE = "if-no-response"
    AT_THE_SAME_TIME = "at-the-same-time"

    @property
    def type(self) -> RingType:
        """As the domain has it."""
        return RingType[self.name]

    @classmethod
    def of(cls, type: RingType) -> RingKind:
        """The name of a type."""
        return cls[type.name]


def timestamp(seconds: float | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, from seconds since the epoch."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def seconds_of(time: datetime | None, field: str) -> float | None:
    """Seconds since the epoch. Raises BadInput for a time that cannot be told again."""
    if time is None:
        return None
    seconds = time.timestamp()
    if not 0 <= seconds < _LAST:
        raise BadInput(f"{field} must lie between the years 1970 and 9999.", field=field)
    return seconds


def read_id(text: str, what: str) -> int:
    """The id in a path; raises NotFound where it is none."""
    if not ID.fullmatch(text) or int(text) > BIGGEST:
        raise NotFound(f"There is no {what} with this id.")
    return int(text)
