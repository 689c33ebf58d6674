"""Public holidays of countries and their parts, as ``DE`` or ``DE-BY`` (ISO 3166)."""

from __future__ import annotations

import datetime
from functools import lru_cache

from sipxd.directory.forwarding import HOLIDAYS


class Holidays:
    """What the package ``holidays`` knows.

    It is big, and imported when the first of these is made: at start, and not while somebody calls.
    """

    def __init__(self) -> None:
        _is_known("DE")

    def is_known(self, place: str) -> bool:
        """Whether the holidays of ``place`` are known."""
        return HOLIDAYS.fullmatch(place) is not None and _is_known(place)

    def is_holiday(self, place: str, day: datetime.date) -> bool:
        """Whether ``day`` is a public holiday in ``place``; never where that is not known."""
        return self.is_known(place) and day in _days(place, day.year)


@lru_cache(1024)
def _is_known(place: str) -> bool:
    import holidays

    country, _, part = place.partition("-")
    try:
        holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        return False
    return True


@lru_cache(1024)
def _days(place: str, year: int) -> frozenset[datetime.date]:
    import holidays

    country, _, part = place.partition("-")
    days = holidays.country_holidays(country, subdiv=part or None, years=year, expand=False)
    return frozenset(day for day in days if day.year == year)
