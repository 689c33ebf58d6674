"""What a user may set for the calls to him: the rules, each with the field that breaks it.

What a change leaves as it was is not asked about again: who turns on "do not disturb" shall not be
refused because he has left the group whose schedule one of his rings has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sipxd.call.numbers import clean_number
from sipxd.directory.forwarding import (
    ANONYMOUS,
    EVERYONE,
    INTERNAL,
    MAX_NUMBER,
    MAX_RINGS,
    MAX_RULES,
    MAX_SECONDS,
    Action,
    Forwarding,
    Ring,
    Rule,
    When,
)
from sipxd.directory.holidays import Holidays
from sipxd.errors import BadInput

_TIME_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


def check_forwarding(
    new: Forwarding, old: Forwarding, usable: Collection[int], holidays: Holidays
) -> None:
    """Raise BadInput for the first rule that ``new`` breaks in the place of ``old``.

    ``usable`` are the ids of the schedules that he may use.
    """
    if new.timer is not None:
        check_seconds(new.timer, "timer")
    _check_time(new.do_not_disturb_until, "do_not_disturb_until")
    if new.time_zone != old.time_zone:
        _check_time_zone(new.time_zone)
    if new.rings != old.rings:
        if len(new.rings) > MAX_RINGS:
            raise BadInput(f"there may be at most {MAX_RINGS} rings", field="rings")
        for index, ring in enumerate(new.rings):
            _check_ring(ring, f"rings[{index}]", usable)
    if new.rules != old.rules:
        if len(new.rules) > MAX_RULES:
            raise BadInput(f"there may be at most {MAX_RULES} rules", field="rules")
        for index, rule in enumerate(new.rules):
            _check_rule(rule, f"rules[{index}]", usable, holidays)


def check_seconds(seconds: int, field: str) -> None:
    """Raise BadInput unless a phone or a ring may be given that time."""
    if not 1 <= seconds <= MAX_SECONDS:
        raise BadInput(f"{field} must be 1 to {MAX_SECONDS} seconds", field=field)


def check_number(number: str, field: str) -> None:
    """Raise BadInput unless ``number`` can be dialled."""
    if len(number) > MAX_NUMBER:
        raise BadInput(f"{field} must have at most {MAX_NUMBER} characters", field=field)
    try:
        clean_number(number)
    except BadInput as error:
        raise BadInput(error.detail, field=field) from None


def _check_ring(ring: Ring, where: str, usable: Collection[int]) -> None:
    check_seconds(ring.seconds, f"{where}.seconds")
    if ring.number:
        check_number(ring.number, f"{where}.number")
    _check_schedule(ring.schedule, f"{where}.schedule", usable)


def _check_rule(rule: Rule, where: str, usable: Collection[int], holidays: Holidays) -> None:
    check_seconds(rule.seconds, f"{where}.seconds")
    if rule.caller not in (EVERYONE, INTERNAL, ANONYMOUS):
        check_number(rule.caller, f"{where}.caller")
    if rule.number:
        check_number(rule.number, f"{where}.number")
    elif rule.action == Action.FORWARD:
        raise BadInput(
            "a rule that forwards needs a number; give one, or choose another action",
            field=f"{where}.number",
        )
    if rule.action == Action.REJECT and rule.when != When.ALWAYS:
        raise BadInput(
            "only a rule for always rejects calls; for other situations choose voicemail, or "
            "forward",
            field=f"{where}.action",
        )
    _check_time(rule.until, f"{where}.until")
    _check_schedule(rule.schedule, f"{where}.schedule", usable)
    for name in ("only_on_holidays", "not_on_holidays"):
        place: str = getattr(rule, name)
        if place and not holidays.is_known(place):
            raise BadInput(
                f"no holidays are known of {place[:80]!r}; give a country as in DE, or a part of "
                "one as in DE-BY (ISO 3166)",
                field=f"{where}.{name}",
            )


def _check_time(until: float | None, field: str) -> None:
    if until is not None and not math.isfinite(until):
        raise BadInput(f"{field} must be a time in seconds since 1970", field=field)


def _check_schedule(schedule: int | None, field: str, usable: Collection[int]) -> None:
    if schedule is not None and schedule not in usable:
        raise BadInput(
            f"{schedule} is no schedule of this user or of a group that he is in", field=field
        )


def _check_time_zone(name: str) -> None:
    if not name:
        return
    try:
        if not _TIME_ZONE.fullmatch(name):
            raise ValueError(name)
        ZoneInfo(name)
    # A folder of zones is an OSError, any other file there a ValueError.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            f"the time zone {name[:80]!r} is not known; give one as in Europe/Berlin, or none",
            field="time_zone",
        ) from None
