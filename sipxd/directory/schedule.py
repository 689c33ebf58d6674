"""The schedule: weekly periods at which a ring or a rule of a user holds (contract 3.4, 9.7).

Times are those on the wall of the user's time zone, so that daylight saving needs no care.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import attrs

WEEKEND, WEEKDAYS, EVERY_DAY = -2, -1, 0
SUNDAY, SATURDAY = 1, 7
MINUTES = 24 * 60
MAX_PERIODS = 100
MAX_NAME = 255

# Half a surrogate pair is no character: no database would take it.
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,255}+")


class BadSchedule(ValueError):
    """A rule for schedules is broken; ``path`` names the member, ``rule`` says how."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path} {rule}")
        self.path = path
        self.rule = rule


@attrs.frozen
class Period:
    """From ``start`` to ``end``, both included, in minutes since midnight.

    ``day``: -2 the weekend, -1 the weekdays, 0 every day, 1 Sunday to 7 Saturday.
    """

    day: int
    start: int
    end: int
    enabled: bool = True
    """Told as it was given, and nothing else: sipXcom looks at it for auto attendants only."""

    @property
    def days(self) -> range | tuple[int, ...]:
        """The days of the week that ``day`` means, 1 Sunday to 7 Saturday."""
        match self.day:
            case -2:
                return (SUNDAY, SATURDAY)
            case -1:
                return range(SUNDAY + 1, SATURDAY)
            case 0:
                return range(SUNDAY, SATURDAY + 1)
            case day:
                return (day,)

    def holds(self, day: int, minute: int) -> bool:
        """Whether it holds at ``minute`` of a ``day`` of the week."""
        return self.start <= minute <= self.end and day in self.days


@attrs.frozen
class Schedule:
    """A named set of periods, of the user ``user_id``, of the user group ``group``, or general."""

    id: int
    name: str
    periods: tuple[Period, ...]
    description: str = ""
    user_id: int | None = None
    group: str | None = None

    def holds(self, day: int, minute: int) -> bool:
        """Whether it holds at ``minute`` of a ``day`` (1 Sunday to 7 Saturday)."""
        return any(period.holds(day, minute) for period in self.periods)


def check_schedule(name: str, description: str, periods: Sequence[Period]) -> None:
    """Raise BadSchedule for the first rule that a schedule of a user breaks."""
    if not name.strip() or not _PRINTABLE.fullmatch(name):
        raise BadSchedule("name", f"must have 1 to {MAX_NAME} characters, none of them a control")
    if not _PRINTABLE.fullmatch(description):
        raise BadSchedule(
            "description", f"must have at most {MAX_NAME} characters, none of them a control"
        )
    if not 0 < len(periods) <= MAX_PERIODS:
        raise BadSchedule("periods", f"must be 1 to {MAX_PERIODS} periods")
    for index, period in enumerate(periods):
        where = f"periods[{index}]"
        if not WEEKEND <= period.day <= SATURDAY:
            raise BadSchedule(
                f"{where}.scheduledDay",
                "must be -2 (weekend), -1 (weekdays), 0 (every day) or 1 (Sunday) to 7 (Saturday)",
            )
        if not 0 <= period.start < period.end <= MINUTES:
            raise BadSchedule(where, "must start before it ends, both from 00:00 to 24:00")
    for (one, first), (two, second) in combinations(enumerate(periods), 2):
        together = set(first.days) & set(second.days)
        if together and first.start <= second.end and second.start <= first.end:
            raise BadSchedule(f"periods[{two}]", f"overlaps with periods[{one}]")
