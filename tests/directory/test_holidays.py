"""Public holidays of countries and their parts."""

from __future__ import annotations

import datetime
import subprocess
import sys

import pytest

from sipxd.directory.holidays import Holidays

HOLIDAYS = Holidays()


@pytest.mark.parametrize("place", ["DE", "DE-BY", "US-CA", "AT-9", "GB-SCT"])
def test_countries_and_their_parts_are_known(place: str) -> None:
    assert HOLIDAYS.is_known(place)


@pytest.mark.parametrize(
    "place", ["", "de", "XX", "DE-", "DE-XX", "DE-BYBY", "DEU", "DE BY", "DE\n", "Germany"]
)
def test_whatever_else_is_not(place: str) -> None:
    assert not HOLIDAYS.is_known(place)
    assert not HOLIDAYS.is_holiday(place, datetime.date(2026, 1, 1))


@pytest.mark.parametrize(
    ("place", "day", "is_one"),
    [
        ("DE", (2026, 1, 1), True),
        ("DE", (2026, 1, 6), False),
        ("DE-BY", (2026, 1, 6), True),
        ("DE-BY", (2026, 1, 7), False),
        ("DE", (2026, 4, 3), True),  # Good Friday moves
        ("DE", (2027, 4, 3), False),
        ("DE", (2027, 3, 26), True),
        ("US", (2026, 7, 4), True),
    ],
)
def test_a_holiday_of_that_place_is_one_there(
    place: str, day: tuple[int, int, int], is_one: bool
) -> None:
    assert HOLIDAYS.is_holiday(place, datetime.date(*day)) is is_one


@pytest.mark.parametrize("year", [1, 1900, 9999])
def test_far_years_are_no_failure(year: int) -> None:
    assert HOLIDAYS.is_holiday("DE", datetime.date(year, 6, 15)) is False


def test_the_package_is_not_loaded_before_it_is_asked() -> None:
    script = "import sys, sipxd.directory.holidays; sys.exit('holidays' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
