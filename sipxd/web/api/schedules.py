"""``/sipxconfig/api/schedules/``: the schedules of users, of groups, and general ones (8.4)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.schedule import MAX_PERIODS, MINUTES, Period, Schedule
from sipxd.errors import BadInput, NotFound
from sipxd.web.api.base import (
    API,
    BIGGEST,
    administrator,
    id_answer,
    list_answer,
    number,
    object_answer,
    read_object,
)
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import JSON, empty_answer
from sipxd.web.services import Accounts, Forwardings

PATH = f"{API}/schedules"
MEMBERS = ("name", "description", "userId", "groupId", "type", "workingTime")
PERIOD_MEMBERS = ("enabled", "start", "stop", "scheduledDay")

NONE = -1
"""The id of nobody."""
USER, GENERAL, GROUP = "S", "G", "U"
_TYPES = {USER: "user", GENERAL: "general", GROUP: "group"}
"""The types in JSON, and in XML."""
_DAYS = {
    -2: "Weekend",
    -1: "Weekdays",
    0: "Every_day",
    1: "Sunday",
    2: "Monday",
    3: "Tuesday",
    4: "Wednesday",
    5: "Thursday",
    6: "Friday",
    7: "Saturday",
}
"""As JSON has them; XML has them in capital letters."""
_NUMBERS = {name.upper(): day for day, name in _DAYS.items()}

_DAY = 86_400
_SECOND = datetime.timedelta(seconds=1)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def add_schedules_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, forwardings: Forwardings
) -> None:
    """Add the lists, the schedules and their periods."""

    async def told(request: Request, schedules: Iterable[Schedule]) -> bytes:
        groups = await forwardings.user_groups()
        documents = [(schedule, groups) for schedule in schedules]
        return await list_answer(request, "Schedules", "Schedule", documents, _document)

    def present(schedule_id: str) -> Schedule:
        schedule = forwardings.schedule(number(schedule_id, "schedule"))
        if schedule is None:
            raise NotFound(f"There is no schedule {schedule_id}.")
        return schedule

    @app.route(f"{PATH}/general", methods=["GET"])
    async def get_general(request: Request) -> bytes:
        await administrator(authenticator, request)
        every = forwardings.every_schedule()
        return await told(request, (each for each in every if _type(each) == GENERAL))

    @app.route(f"{PATH}/group", methods=["GET"])
    async def get_of_groups(request: Request) -> bytes:
        await administrator(authenticator, request)
        every = forwardings.every_schedule()
        return await told(request, (each for each in every if _type(each) == GROUP))

    @app.route(f"{PATH}/group/<group_id>", methods=["GET"])
    async def get_of_group(request: Request, group_id: str) -> bytes:
        await administrator(authenticator, request)
        group = (await forwardings.user_groups()).get(number(group_id, "user group"))
        if group is None:
            raise NotFound(f"There is no user group {group_id}.")
        every = forwardings.every_schedule()
        return await told(request, (each for each in every if each.group == group))

    @app.route(f"{PATH}/user/<user_id>/<which>", methods=["GET"])
    async def get_of_user(request: Request, user_id: str, which: str) -> bytes:
        await administrator(authenticator, request)
        user = accounts.by_id(number(user_id, "user with the id"))
        if user is None or which not in ("all", "personal"):
            raise NotFound(f"There is no user with the id {user_id}, or no such list of his.")
        usable = forwardings.schedules_of(user)
        own = [schedule for schedule in usable if schedule.user_id == user.id]
        return await told(request, usable if which == "all" else own)

    @app.route(PATH, methods=["POST"])
    async def post_schedule(request: Request) -> bytes:
        await administrator(authenticator, request)
        document = read_object(request, "Schedule", MEMBERS)
        user_id, group = _read_owner(document, await forwardings.user_groups())
        if user_id is not None and accounts.by_id(user_id) is None:
            path = document.path_to("userId")
            raise BadInput(f"{path}: there is no user with the id {user_id}.", field=path)
        new = attrs.evolve(_read(document, Schedule(0, "", ())), user_id=user_id, group=group)
        made = await shield(forwardings.add_any_schedule(new))
        return id_answer(request, made.id)

    @app.route(f"{PATH}/<schedule_id>", methods=["GET"])
    async def get_schedule(request: Request, schedule_id: str) -> bytes:
        await administrator(authenticator, request)
        thing = (present(schedule_id), await forwardings.user_groups())
        return object_answer(request, "Schedule", thing, _document)

    @app.route(f"{PATH}/<schedule_id>", methods=["PUT"])
    async def put_schedule(request: Request, schedule_id: str) -> bytes:
        await administrator(authenticator, request)
        schedule_number = present(schedule_id).id
        document = read_object(request, "Schedule", MEMBERS)
        groups = await forwardings.user_groups()

        def change(old: Schedule) -> Schedule:
            _refuse_other_owner(document, old, groups)
            return _read(document, old)

        await shield(forwardings.change_any_schedule(schedule_number, change))
        return id_answer(request, schedule_number)

    @app.route(f"{PATH}/<schedule_id>", methods=["DELETE"])
    async def delete_schedule(request: Request, schedule_id: str) -> bytes:
        await administrator(authenticator, request)
        await shield(forwardings.delete_any_schedule(present(schedule_id).id))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<schedule_id>/period", methods=["POST"])
    async def post_period(request: Request, schedule_id: str) -> bytes:
        await administrator(authenticator, request)
        schedule_number = present(schedule_id).id
        period = _read_period(read_object(request, "workingHours", PERIOD_MEMBERS))

        def append(old: Schedule) -> Schedule:
            return attrs.evolve(old, periods=(*old.periods, period))

        await shield(forwardings.change_any_schedule(schedule_number, append))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<schedule_id>/period/<index>", methods=["DELETE"])
    async def delete_period(request: Request, schedule_id: str, index: str) -> bytes:
        await administrator(authenticator, request)
        place = number(index, "period")

        def remove(old: Schedule) -> Schedule:
            if not 0 < place < len(old.periods):
                raise NotFound(
                    f"There is no period {place} that can be deleted: they count from 0, and the "
                    "first one stays."
                )
            return attrs.evolve(old, periods=old.periods[:place] + old.periods[place + 1 :])

        await shield(forwardings.change_any_schedule(present(schedule_id).id, remove))
        return empty_answer(request, 200)


# What is told


def _type(schedule: Schedule) -> str:
    if schedule.user_id is not None:
        return USER
    return GENERAL if schedule.group is None else GROUP


def _owner(schedule: Schedule, groups: Mapping[int, str]) -> dict[str, int]:
    """The ids of the owner."""
    of_group = (group_id for group_id, name in groups.items() if name == schedule.group)
    return {
        "userId": NONE if schedule.user_id is None else schedule.user_id,
        "groupId": next(of_group, NONE),
    }


def _document(thing: tuple[Schedule, Mapping[int, str]], form: bytes) -> dict[str, Any]:
    schedule, groups = thing
    kind = _type(schedule)
    return {
        "id": schedule.id,
        "name": schedule.name,
        "description": schedule.description,
        **_owner(schedule, groups),
        "type": kind if form == JSON else _TYPES[kind],
        "workingTime": {"workingHours": [_hours(period, form) for period in schedule.periods]},
    }


def _hours(period: Period, form: bytes) -> dict[str, Any]:
    day = _DAYS[period.day]
    return {
        "enabled": period.enabled,
        "start": _time(period.start, form),
        "stop": _time(period.end, form),
        "scheduledDay": day if form == JSON else day.upper(),
    }


def _time(minutes: int, form: bytes) -> int | str:
    if form == JSON:
        return minutes * 60_000
    return f"{_EPOCH + datetime.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


# What is given


def _read(document: Node, old: Schedule) -> Schedule:
    """``old`` with what the document has. Raises BadInput."""
    periods = old.periods
    if document.member("workingTime") is not None:
        nodes = document.list("workingTime", "workingHours", MAX_PERIODS)
        periods = tuple(_read_period(node) for node in nodes)
    return attrs.evolve(
        old,
        name=document.text("name", old.name),
        description=document.text("description", old.description),
        periods=periods,
    )


def _read_owner(document: Node, groups: Mapping[int, str]) -> tuple[int | None, str | None]:
    """Whose a new schedule is: the user's id, the group's name. Raises BadInput."""
    document.needed("type")
    kind = _read_type(document, "")
    if kind == USER:
        document.needed("userId")
        return document.number("userId", NONE, 1, BIGGEST), None
    if kind == GROUP:
        document.needed("groupId")
        group_id = document.number("groupId", NONE, 1, BIGGEST)
        if group_id not in groups:
            path = document.path_to("groupId")
            raise BadInput(f"{path}: there is no user group with the id {group_id}.", field=path)
        return None, groups[group_id]
    return None, None


def _refuse_other_owner(document: Node, old: Schedule, groups: Mapping[int, str]) -> None:
    """Raise BadInput where the document gives the schedule to somebody else."""
    given = {
        name: document.number(name, present, NONE, BIGGEST)
        for name, present in _owner(old, groups).items()
    }
    if given != _owner(old, groups) or _read_type(document, _type(old)) != _type(old):
        raise BadInput(
            "A schedule stays with its owner: leave type, userId and groupId as they are, or make "
            "another schedule."
        )


def _read_type(document: Node, default: str) -> str:
    """`USER`, `GENERAL` or `GROUP`, however it is written."""
    member = document.member("type")
    if member is None:
        return default
    text = member.as_text().lower()
    for kind, name in _TYPES.items():
        if text in (kind.lower(), name):
            return kind
    raise member.refusal(f"must be S (user), U (group) or G (general), not {member.shown()}")


def _read_period(node: Node) -> Period:
    day = node.needed("scheduledDay")
    name = day.as_text().upper().replace(" ", "_")
    if name not in _NUMBERS:
        raise day.refusal(f"must be one of {', '.join(_DAYS.values())}, not {day.shown()}")
    start, stop = _read_time(node.needed("start")), _read_time(node.needed("stop"))
    return Period(_NUMBERS[name], start, stop, node.flag("enabled", True))


def _read_time(node: Node) -> int:
    """Minutes since midnight: of milliseconds or a dateTime, whose day does not matter."""
    milliseconds = node.as_number()
    try:
        if milliseconds is not None:
            return _minutes(datetime.timedelta(milliseconds=milliseconds) // _SECOND)
        given = datetime.datetime.fromisoformat(node.as_text())
        if given.tzinfo is None:
            given = given.replace(tzinfo=datetime.UTC)
        return _minutes((given - _EPOCH) // _SECOND)
    except (ValueError, OverflowError):
        raise node.refusal(
            "must be a time: milliseconds since midnight, or as 1970-01-01T17:30:00Z"
        ) from None


def _minutes(seconds: int) -> int:
    """Of a time since the epoch; a day later is the end of the day, and not its beginning."""
    return MINUTES if seconds == _DAY else seconds % _DAY // 60
