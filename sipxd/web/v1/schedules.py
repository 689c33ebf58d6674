"""``/v1/users/{name}/schedules``: the weekly times at which rings and rules hold."""

from __future__ import annotations

import enum
from typing import Annotated, Any
from urllib.parse import quote

import attrs
from klein import Klein
from msgspec import Meta
from twisted.web.server import Request

from sipxd.directory.schedule import MAX_PERIODS, Period, Schedule
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound, Unprocessable
from sipxd.web.auth import Authenticator, shield
from sipxd.web.conditions import insists_on, tagged_answer
from sipxd.web.negotiate import (
    JSON,
    empty_answer,
    encode_json,
    json_answer,
    read_json,
    require_json_accepted,
)
from sipxd.web.services import Accounts, Forwardings
from sipxd.web.v1.owner import find_owner
from sipxd.web.v1.values import Text, read_id

PATH = "/v1/users/<name>/schedules"

Clock = Annotated[str, Meta(pattern=r"\A(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z")]


class Day(enum.StrEnum):
    """On which days a period holds, in the order of their numbers from -2."""

    WEEKEND = "weekend"
    WEEKDAYS = "weekdays"
    EVERY_DAY = "every-day"
    SUNDAY = "sunday"
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"


_DAYS = dict(enumerate(Day, start=-2))
_NUMBERS = {day: number for number, day in _DAYS.items()}


@attrs.frozen
class NewPeriod:
    """A member of ``periods``."""

    day: Day
    start: Clock
    end: Clock


@attrs.frozen
class NewSchedule:
    """The body of ``POST`` and ``PUT``."""

    name: Text
    periods: Annotated[list[NewPeriod], Meta(max_length=MAX_PERIODS)]
    description: Text = ""


def add_schedules_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, forwardings: Forwardings
) -> None:
    """Add the collection and its members."""

    @app.route(PATH, methods=["GET"])
    async def get_schedules(request: Request, name: str) -> bytes:
        user = await owner(request, name)
        schedules = [schedule_document(each) for each in forwardings.schedules_of(user)]
        return json_answer(request, 200, {"schedules": schedules})

    @app.route(PATH, methods=["POST"])
    async def post_schedule(request: Request, name: str) -> bytes:
        user = await owner(request, name)
        new = read_json(request, NewSchedule)
        try:
            schedule = await shield(
                forwardings.add_schedule(user, new.name, new.description, _periods(new))
            )
        except Unprocessable as error:
            raise _in_our_words(error) from None
        place = f"/v1/users/{quote(user.name, safe='')}/schedules/{schedule.id}"
        request.setHeader(b"Location", place.encode("ascii"))
        return told(request, 201, schedule)

    @app.route(PATH + "/<schedule_id>", methods=["GET"])
    async def get_schedule(request: Request, name: str, schedule_id: str) -> bytes:
        user = await owner(request, name)
        return told(request, 200, visible(user, schedule_id))

    @app.route(PATH + "/<schedule_id>", methods=["PUT"])
    async def put_schedule(request: Request, name: str, schedule_id: str) -> bytes:
        user = await owner(request, name)
        present = own(user, schedule_id)
        same = to_match(request, present)
        new = read_json(request, NewSchedule)
        try:
            schedule = await shield(
                forwardings.change_schedule(
                    user, present.id, new.name, new.description, _periods(new), if_same=same
                )
            )
        except Unprocessable as error:
            raise _in_our_words(error) from None
        return told(request, 200, schedule)

    @app.route(PATH + "/<schedule_id>", methods=["DELETE"])
    async def delete_schedule(request: Request, name: str, schedule_id: str) -> bytes:
        user = await owner(request, name)
        present = own(user, schedule_id)
        same = to_match(request, present)
        await shield(forwardings.delete_schedule(user, present.id, if_same=same))
        return empty_answer(request, 204)

    async def owner(request: Request, name: str) -> User:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        return find_owner(accounts, asking, name)

    def visible(user: User, text: str) -> Schedule:
        number = read_id(text, "schedule")
        for schedule in forwardings.schedules_of(user):
            if schedule.id == number:
                return schedule
        raise NotFound("There is no schedule with this id.")

    def own(user: User, text: str) -> Schedule:
        schedule = visible(user, text)
        if schedule.user_id != user.id:
            raise Forbidden("The schedule of a group is changed where the group is.")
        return schedule

    def told(request: Request, status: int, schedule: Schedule) -> bytes:
        body = encode_json(schedule_document(schedule))
        return tagged_answer(request, status, body, JSON, schedule.id)

    def to_match(request: Request, present: Schedule) -> Schedule | None:
        body = encode_json(schedule_document(present))
        return present if insists_on(request, body, present.id) else None


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """A schedule as it is told; ``group`` is null for one of the user's own."""
    return {
        "id": schedule.id,
        "name": schedule.name,
        "description": schedule.description,
        "group": schedule.group,
        "periods": [
            {
                "day": _DAYS[period.day],
                "start": _clock(period.start),
                "end": _clock(period.end),
            }
            for period in schedule.periods
        ],
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _periods(new: NewSchedule) -> list[Period]:
    return [
        Period(_NUMBERS[period.day], _minutes(period.start), _minutes(period.end))
        for period in new.periods
    ]


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _in_our_words(error: Unprocessable) -> Unprocessable:
    """The service speaks of the day as sipXcom does."""
    return Unprocessable(
        error.detail.replace("scheduledDay", "day"),
        field=error.field and error.field.replace("scheduledDay", "day"),
    )
