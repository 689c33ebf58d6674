"""What users and hunt groups want done with a call, at the moment when it comes in.

The live settings, the clock and the calendar in; the plans of `sipxd.call.forward` out.
"""

from __future__ import annotations

import datetime
import functools
import zoneinfo
from collections.abc import Callable
from typing import Protocol

import attrs
from twisted.logger import Logger

from sipxd.call.effects import Target
from sipxd.call.forward import Moment, Situated, group_plan, total_seconds, user_plan
from sipxd.call.plan import NOT_PARKED, Leaf, Passage, Plan
from sipxd.directory.call_group import CallGroup
from sipxd.directory.forwarding import Forwarding
from sipxd.directory.park_orbit import ParkOrbit
from sipxd.directory.schedule import Schedule
from sipxd.directory.user import User

_log = Logger()


class Settings(Protocol):
    """What plans need of `sipxd.service.forwardings.Forwardings`."""

    @property
    def default_timer(self) -> int: ...

    def of(self, user: User) -> Forwarding: ...

    def schedule(self, schedule_id: int) -> Schedule | None: ...


class Groups(Protocol):
    """What plans need of `sipxd.service.call_groups.CallGroups`."""

    def find(self, name: str) -> CallGroup | None: ...


class Orbits(Protocol):
    """What plans need of `sipxd.service.park_orbits.ParkOrbits`."""

    def find(self, number: str) -> ParkOrbit | None: ...


class Users(Protocol):
    """What plans need of the accounts."""

    def find(self, name_or_alias: str) -> User | None: ...


@attrs.frozen
class Wish:
    """What a call itself asks for (contract 9.1)."""

    follow: bool = True
    """Whether the callee's forwarding is followed (``sipx-userforward``); whom he rejects is never
    let through."""
    voicemail: bool = True
    """Whether it may end in a voicemail box (``sipx-noroute``)."""
    only_voicemail: bool = False
    regardless: bool = False
    """Whether nothing that he has set counts: he is in that call already."""


ANYTHING = Wish()
"""Whatever the callee wants."""


class Plans:
    """Makes the plans. ``time_zone`` is that of users who have set none; empty: the machine's."""

    def __init__(
        self,
        users: Users,
        settings: Settings,
        groups: Groups,
        orbits: Orbits,
        *,
        time_zone: str = "",
        is_holiday: Callable[[str, datetime.date], bool],
    ) -> None:
        self._users = users
        self._settings = settings
        self._groups = groups
        self._orbits = orbits
        self._time_zone = time_zone
        self._is_holiday = is_holiday

    def knows(self, name: str) -> bool:
        """Whether there is a user, a hunt group or a park orbit of that name or alias."""
        return any(each.find(name) for each in (self._users, self._groups, self._orbits))

    def group(self, name: str) -> CallGroup | None:
        """The hunt group that is reached by ``name``, unless it is switched off."""
        group = self._groups.find(name)
        return group if group is not None and group.enabled else None

    def of_user(
        self,
        user: User,
        own: tuple[tuple[float, Target], ...],
        voicemail: Leaf | None,
        passage: Passage,
        wish: Wish,
    ) -> Plan:
        """Whom a call for ``user`` rings, whose phones are ``own``, each with its q value."""
        settings = self._settings.of(user)
        if wish.only_voicemail:
            last = () if voicemail is None else (voicemail,)
            return Plan((), passage, last=last, refusal=(480, "No voicemail"))
        situated = Situated(
            user.name,
            Forwarding() if wish.regardless else settings,
            own,
            self._timer(settings),
            Moment.of(passage.at, self._zone(settings.time_zone)),
            voicemail,
            self._settings.schedule,
            self._is_holiday,
        )
        return user_plan(situated, passage, follow=wish.follow)

    def of_orbit(self, number: str, passage: Passage) -> Plan | None:
        """What a call for a park orbit comes to: nothing parks it. None: it is for none."""
        if self._orbits.find(number) is None:
            return None
        return Plan((), passage, refusal=(480, NOT_PARKED))

    def of_group(self, group: CallGroup, passage: Passage) -> Plan:
        """Whom a call for ``group`` rings."""
        return group_plan(group, passage, self._total)

    def _timer(self, settings: Forwarding) -> float:
        return float(settings.timer or self._settings.default_timer)

    def _total(self, name: str) -> float | None:
        user = self._users.find(name)
        if user is None:
            return None
        settings = self._settings.of(user)
        return total_seconds(settings, self._timer(settings))

    def _zone(self, name: str) -> datetime.tzinfo | None:
        """The time zone of that name, else the configured one; None: that of the machine."""
        return _time_zone(name) or _time_zone(self._time_zone)


@functools.lru_cache(1024)
def _time_zone(name: str) -> datetime.tzinfo | None:
    """Read from the disk once; None for an empty name, and where the machine has lost it since."""
    if not name:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        _log.warn("the time zone {name} is not known any more", name=name)
        return None
