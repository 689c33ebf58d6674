"""What users want done with the calls for them, and their schedules.

In memory, because every call looks here; loaded at start and written through, so that a change
holds for the next call and survives a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs
import sqlalchemy as sa

from sipxd.call.circles import sent_to
from sipxd.directory.forwarding import Forwarding
from sipxd.directory.holidays import Holidays
from sipxd.directory.schedule import BadSchedule, Period, Schedule, check_schedule
from sipxd.directory.user import User
from sipxd.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unprocessable,
)
from sipxd.service.accounts import Accounts
from sipxd.service.call_groups import CallGroups
from sipxd.service.forwarding_rules import check_forwarding
from sipxd.store import forwardings as stored
from sipxd.store import schedules as stored_schedules
from sipxd.store.store import Store

T = TypeVar("T")

MAX_SCHEDULES = 100
"""Schedules that one user, or one group, may have, and general ones."""

_NEW_USER = Forwarding()


class Forwardings:
    """Forwardings by user id, schedules by their own.

    ``permit`` raises Forbidden where a user may not send calls on to a number.
    ``default_timer`` is in seconds.  Without ``has_voicemail_service`` nobody has voicemail.
    """

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: CallGroups,
        *,
        permit: Callable[[User, str], None],
        default_timer: int,
        has_voicemail_service: bool,
    ) -> None:
        self.permit = permit
        self.holidays = Holidays()
        self._store = store
        self._groups = groups
        self._default_timer = default_timer
        self._has_voicemail_service = has_voicemail_service
        self._forwardings: dict[int, Forwarding] = {}
        self._schedules: dict[int, Schedule] = {}
        groups.join_forwardings(self.of_id)
        accounts.observe(self._user_changed)

    async def load(self) -> None:
        """Take up what was stored before a restart."""

        def read(connection: sa.Connection) -> tuple[dict[int, Forwarding], list[Schedule]]:
            return stored.every(connection), stored_schedules.every(connection)

        self._forwardings, schedules = await self._store.read("forwardings", read)
        self._schedules = {schedule.id: schedule for schedule in schedules}
        for forwarding in self._forwardings.values():
            for rule in forwarding.rules:
                for place in filter(None, (rule.only_on_holidays, rule.not_on_holidays)):
                    self.holidays.is_known(place)  # so that no call waits for the first question

    # -- on the path of a call ---------------------------------------------------------------------

    @property
    def default_timer(self) -> int:
        """Seconds that the phones of a user ring who has set no time."""
        return self._default_timer

    def of(self, user: User) -> Forwarding:
        """What is stored of ``user``; the settings of a new user where nothing is."""
        return self.of_id(user.id)

    def of_id(self, user_id: int) -> Forwarding:
        """The same by the user's id."""
        return self._forwardings.get(user_id, _NEW_USER)

    def has_voicemail(self, user: User) -> bool:
        """Whether a call for ``user`` may end in a voicemail box."""
        return self._has_voicemail_service and user.voicemail

    def schedule(self, schedule_id: int) -> Schedule | None:
        """The schedule with that id, whosever it is."""
        return self._schedules.get(schedule_id)

    # -- changes -----------------------------------------------------------------------------------

    async def change(
        self,
        user: User,
        make: Callable[[Forwarding], Forwarding],
        *,
        if_version: int | None = None,
    ) -> Forwarding:
        """Store what ``make`` makes of the present settings, whole or not at all.

        It holds for the next call, and is committed when this returns.  ``if_version``: only where
        nobody has changed them since that version was read.  What stays as it is gets no new
        version.  Raises BadInput (a rule is broken, a schedule is not his, users would forward in a
        circle), Forbidden (his dial policy), PreconditionFailed, NotFound (he was deleted),
        Overloaded; ``field`` is like ``rings[2].number``.
        """
        async with self._groups.exclusively():
            old = self.of_id(user.id)
            if if_version not in (None, old.version):
                raise PreconditionFailed(
                    "the forwarding has been changed since it was read; read it again"
                )
            made = attrs.evolve(make(old), version=old.version)
            if made == old:
                return old
            self._check(user, old, made)
            new = attrs.evolve(made, version=old.version + 1)
            await self._store.write(
                "forwarding.change",
                lambda connection: stored.replace(connection, user.id, new, after=old.version),
            )
            self._forwardings[user.id] = new
            return new

    def _check(self, user: User, old: Forwarding, new: Forwarding) -> None:
        usable = {schedule.id for schedule in self.schedules_of(user)}
        check_forwarding(new, old, usable, self.holidays)
        if new.rings == old.rings and new.rules == old.rules:
            return
        for field, number in sent_to(new):
            try:
                self.permit(user, number)
            except Forbidden as error:
                raise Forbidden(error.detail, field=field) from None
        circle = self._groups.house.circle_of_user(user, old, new)
        if circle is not None:
            way, field = circle
            raise BadInput(f"calls would go in a circle: {way}; choose another number", field=field)

    # -- schedules ---------------------------------------------------------------------------------

    def schedules_of(self, user: User) -> list[Schedule]:
        """The schedules that his rings may use: his own, then those of his groups, by name each."""
        own = self._own(user)
        groups = [each for each in self._schedules.values() if each.group in user.groups]
        return [
            *sorted(own, key=lambda each: each.name),
            *sorted(groups, key=lambda each: (each.name, each.id)),
        ]

    async def add_schedule(
        self, user: User, name: str, description: str, periods: Sequence[Period]
    ) -> Schedule:
        """Make a schedule of his own. Raises as `add_any_schedule`."""
        new = Schedule(0, name, tuple(periods), description, user_id=user.id)
        return await self.add_any_schedule(new)

    async def change_schedule(
        self,
        user: User,
        schedule_id: int,
        name: str,
        description: str,
        periods: Sequence[Period],
        *,
        if_same: Schedule | None = None,
    ) -> Schedule:
        """Replace one of his own; with ``if_same`` only while it is still that.

        Raises NotFound (it is not his), PreconditionFailed, Unprocessable, Overloaded.
        """

        def change(old: Schedule) -> Schedule:
            self._own_one(user, old, if_same)
            return attrs.evolve(old, name=name, description=description, periods=tuple(periods))

        return await self.change_any_schedule(schedule_id, change)

    async def delete_schedule(
        self, user: User, schedule_id: int, *, if_same: Schedule | None = None
    ) -> None:
        """Delete one of his own; what used it holds always from now on.

        ``if_same`` and errors are those of `change_schedule`.
        """
        await self._delete(schedule_id, lambda old: self._own_one(user, old, if_same))

    # -- schedules of whomever, for administrators -------------------------------------------------

    def every_schedule(self) -> list[Schedule]:
        """The schedules of all users and groups and the general ones, by name."""
        return sorted(self._schedules.values(), key=lambda each: (each.name, each.id))

    async def user_groups(self) -> dict[int, str]:
        """The names of the user groups, by their ids."""
        return await self._store.read("user groups", stored_schedules.groups)

    async def add_any_schedule(self, new: Schedule) -> Schedule:
        """Make a schedule (its id is ignored) of the owner that it names.

        Raises Unprocessable (``field`` names the member), NotFound (he was deleted), Overloaded.
        """
        _check_schedule(new)
        async with self._groups.exclusively():
            owner = (new.user_id, new.group)
            of_owner = [each for each in self._schedules.values() if _owner(each) == owner]
            if len(of_owner) >= MAX_SCHEDULES:
                raise Unprocessable(
                    f"there may be {MAX_SCHEDULES} schedules of one user, of one group, and "
                    "general ones; delete one, or change one"
                )
            return await self._keep("schedule.add", lambda c: stored_schedules.add(c, new))

    async def change_any_schedule(
        self, schedule_id: int, make: Callable[[Schedule], Schedule]
    ) -> Schedule:
        """Store what ``make`` makes of the present schedule, whose owner stays.

        Raises NotFound, Unprocessable, Overloaded, and what ``make`` raises.
        """
        async with self._groups.exclusively():
            new = make(self._any(schedule_id))
            _check_schedule(new)

            def replace(connection: sa.Connection) -> Schedule:
                stored_schedules.replace(connection, new)
                return new

            return await self._keep("schedule.change", replace)

    async def delete_any_schedule(self, schedule_id: int) -> None:
        """Delete a schedule; what used it holds always from now on. Raises NotFound, Overloaded."""
        await self._delete(schedule_id, lambda old: None)

    async def _delete(self, schedule_id: int, check: Callable[[Schedule], None]) -> None:
        """A forwarding that used the schedule gets a new version."""
        async with self._groups.exclusively():
            check(self._any(schedule_id))
            changed = self._without([schedule_id])

            def delete(connection: sa.Connection) -> None:
                stored_schedules.delete(connection, schedule_id)
                _store_changed(connection, changed)

            await self._store.write("schedule.delete", delete)
            del self._schedules[schedule_id]
            self._forwardings |= changed

    async def change_group(
        self, group: str, new: str | None, write: Callable[[sa.Connection], T]
    ) -> T:
        """Store ``write``, by which the user group ``group`` is called ``new``, or is gone (None).

        Its schedules go with it; what used one that is gone holds always from now on.  Raises what
        ``write`` raises, Overloaded.
        """
        async with self._groups.exclusively():
            of_group = [each for each in self._schedules.values() if each.group == group]
            changed = self._without([each.id for each in of_group]) if new is None else {}

            def store(connection: sa.Connection) -> T:
                result = write(connection)
                _store_changed(connection, changed)
                return result

            result = await self._store.write("user group.change", store)
            for schedule in of_group:
                del self._schedules[schedule.id]
                if new is not None:
                    self._schedules[schedule.id] = attrs.evolve(schedule, group=new)
            self._forwardings |= changed
            return result

    def _without(self, schedule_ids: list[int]) -> dict[int, Forwarding]:
        """The forwardings that use one of these schedules, as they are without, by user id."""
        changed = {}
        for user_id, old in self._forwardings.items():
            new = old
            for schedule_id in schedule_ids:
                new = new.without_schedule(schedule_id)
            if new != old:
                changed[user_id] = attrs.evolve(new, version=old.version + 1)
        return changed

    def _any(self, schedule_id: int) -> Schedule:
        schedule = self._schedules.get(schedule_id)
        if schedule is None:
            raise NotFound(f"there is no schedule {schedule_id}", field="schedule")
        return schedule

    def _own(self, user: User) -> list[Schedule]:
        return [each for each in self._schedules.values() if each.user_id == user.id]

    def _own_one(self, user: User, schedule: Schedule, same: Schedule | None) -> None:
        if schedule.user_id != user.id:
            raise NotFound(f"{user.name} has no schedule {schedule.id}", field="schedule")
        if same not in (None, schedule):
            raise PreconditionFailed(
                "the schedule has been changed since it was read; read it again"
            )

    async def _keep(self, name: str, write: Callable[[sa.Connection], Schedule]) -> Schedule:
        try:
            schedule = await self._store.write(name, write)
        except Conflict as error:
            raise Unprocessable(error.detail, field=error.field) from None
        self._schedules[schedule.id] = schedule
        return schedule

    # -- the users ---------------------------------------------------------------------------------

    def _user_changed(self, before: User, after: User | None) -> None:
        """With a user that was deleted the database has lost what was his."""
        if after is None:
            self._forwardings.pop(before.id, None)
            for schedule in self._own(before):
                del self._schedules[schedule.id]


def _store_changed(connection: sa.Connection, changed: dict[int, Forwarding]) -> None:
    for user_id, new in changed.items():
        stored.replace(connection, user_id, new, after=new.version - 1)


def _owner(schedule: Schedule) -> tuple[int | None, str | None]:
    return schedule.user_id, schedule.group


def _check_schedule(schedule: Schedule) -> None:
    try:
        check_schedule(schedule.name, schedule.description, schedule.periods)
    except BadSchedule as error:
        raise Unprocessable(str(error), field=error.path) from None
