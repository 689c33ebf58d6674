"""A user at the moment when he is called, for the tests: phones, settings, a clock on the wall."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sipxd.call.effects import Target
from sipxd.call.forward import Moment, Situated, user_plan
from sipxd.call.plan import Branch, Leaf, Passage
from sipxd.directory.forwarding import Forwarding, Ring, RingType
from sipxd.directory.schedule import WEEKDAYS, Period, Schedule
from sipxd.directory.user import User

BERLIN = ZoneInfo("Europe/Berlin")
DELAYED, TOGETHER = RingType.IF_NO_RESPONSE, RingType.AT_THE_SAME_TIME
INSIDE = Passage(User(1, "100", aliases=("ann", "+49301100")), "100")
"""A call by a user of the house."""
BOX = Leaf(Target("sip:box@x", label="box"))
OFFICE = Schedule(7, "Office", (Period(WEEKDAYS, 9 * 60, 17 * 60),))


def delayed(number: str = "n", seconds: int = 30, **rest: Any) -> Ring:
    return Ring(number, seconds, DELAYED, **rest)


def together(number: str = "n", seconds: int = 30, **rest: Any) -> Ring:
    return Ring(number, seconds, TOGETHER, **rest)


def at(text: str) -> Moment:
    """A time on the wall in Berlin, unless it says where."""
    moment = datetime.datetime.fromisoformat(text)
    return Moment.of(moment.replace(tzinfo=moment.tzinfo or BERLIN).timestamp(), BERLIN)


MONDAY = at("2026-11-23T10:00")


def situated(
    *rings: Ring,
    phones: tuple[float, ...] = (1.0,),
    settings: Forwarding | None = None,
    **rest: Any,
) -> Situated:
    """User 200, with phones of those q values, which ring 20 seconds."""
    own = tuple(
        (q, Target(f"sip:{n}@x", user="200", label=f"phone {n}")) for n, q in enumerate(phones)
    )
    rest = {"moment": MONDAY, "schedule": {7: OFFICE}.get} | rest
    return Situated("200", settings or Forwarding(rings=rings), own, 20.0, **rest)


def who(branch: Branch) -> str:
    """The label of a phone, or the number."""
    return branch.target.label if isinstance(branch, Leaf) else branch.number


def planned(user: Situated, passage: Passage = INSIDE) -> list[list[str]]:
    """The stages of his plan, in short."""
    return [[who(branch) for branch in stage] for stage in user_plan(user, passage).stages]
