"""``/my/callfwd``: the call sequence with schedules; ``/my/callfwdsched``: these (3.3, 3.4).

Both are JSON only and without a root member, and write null for what is not set (1.7 b).
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from klein import Klein
from twisted.logger import Logger
from twisted.web.server import Request

from sipxd.directory.forwarding import MAX_RINGS, Forwarding, Ring
from sipxd.directory.schedule import MAX_PERIODS, Period, Schedule
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound, Unprocessable
from sipxd.web.auth import Authenticator, shield
from sipxd.web.conditions import insists_on, set_tag, tagged_answer, version_to_match
from sipxd.web.document import Node
from sipxd.web.negotiate import (
    JSON,
    empty_answer,
    encode_json,
    json_answer,
    read_plain,
    require_json_accepted,
    require_json_sent,
)
from sipxd.web.rest.forward import change_sequence, read_ring, ring_document
from sipxd.web.services import Forwardings

log = Logger()

SEQUENCE = "/sipxconfig/rest/my/callfwd"
SCHEDULES = "/sipxconfig/rest/my/callfwdsched"

_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_BIGGEST = 10**18
_WEEK = range(-2, 8)


def add_callfwd_routes(app: Klein, authenticator: Authenticator, forwardings: Forwardings) -> None:
    """Add the sequence, the schedules and their members."""

    def told(user: User, forwarding: Forwarding) -> bytes:
        timer = forwardings.default_timer if forwarding.timer is None else forwarding.timer
        rings = [ring_document(ring) | {"scheduleId": ring.schedule} for ring in forwarding.rings]
        return encode_json({"rings": rings, "withVM": user.voicemail, "expiration": timer})

    @app.route(SEQUENCE, methods=["GET"])
    async def get_callfwd(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        forwarding = forwardings.of(user)
        return tagged_answer(request, 200, told(user, forwarding), JSON, forwarding.version)

    @app.route(SEQUENCE, methods=["PUT"])
    async def put_callfwd(request: Request) -> bytes:
        user = await authenticator.user(request)
        version = version_to_match(request, forwardings.of(user).version)
        document = read_plain(request)
        nodes = document.list("rings", "ring", MAX_RINGS)
        rings = _known_schedules(user, tuple(_read_scheduled_ring(node) for node in nodes))
        forwarding = await change_sequence(forwardings, user, document, nodes, rings, version)
        set_tag(request, told(user, forwarding), forwarding.version)
        return empty_answer(request, 200)

    @app.route(SCHEDULES, methods=["GET"])
    async def get_schedules(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        return json_answer(request, 200, _documents(user))

    @app.route(SCHEDULES, methods=["POST"])
    async def post_schedule(request: Request) -> bytes:
        user = await authenticator.user(request)
        # Whatever looks like JSON will do, but not from a browser, which says where the page is
        # from: one elsewhere can make it post a form in the user's name.
        if request.requestHeaders.hasHeader(b"origin"):
            require_json_sent(request)
        name, description, periods = _read_schedule(read_plain(request))
        await shield(forwardings.add_schedule(user, name, description, periods))
        return empty_answer(request, 200)

    @app.route(SCHEDULES, methods=["PUT", "DELETE"])
    async def without_id(request: Request) -> bytes:
        await authenticator.user(request)
        raise _no_id()

    @app.route(SCHEDULES + "/<schedule_id>", methods=["GET"])
    async def get_schedule(request: Request, schedule_id: str) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        if not _ID.fullmatch(schedule_id):
            return json_answer(request, 200, _documents(user))
        for schedule in forwardings.schedules_of(user):
            if schedule.id == int(schedule_id):
                body = encode_json(schedule_document(schedule))
                return tagged_answer(request, 200, body, JSON, schedule.id)
        raise NotFound("There is no schedule with this id.")

    @app.route(SCHEDULES + "/<schedule_id>", methods=["PUT"])
    async def put_schedule(request: Request, schedule_id: str) -> bytes:
        user = await authenticator.user(request)
        present = _own(user, schedule_id)
        same = _to_match(request, present)
        name, description, periods = _read_schedule(read_plain(request))
        await shield(
            forwardings.change_schedule(user, present.id, name, description, periods, if_same=same)
        )
        return empty_answer(request, 200)

    @app.route(SCHEDULES + "/<schedule_id>", methods=["DELETE"])
    async def delete_schedule(request: Request, schedule_id: str) -> bytes:
        user = await authenticator.user(request)
        present = _own(user, schedule_id)
        same = _to_match(request, present)
        await shield(forwardings.delete_schedule(user, present.id, if_same=same))
        return empty_answer(request, 200)

    def _known_schedules(user: User, rings: tuple[Ring, ...]) -> tuple[Ring, ...]:
        """The rings, where those with a schedule that he may not use ring always (3.3)."""
        known = {None, *(schedule.id for schedule in forwardings.schedules_of(user))}
        unknown = {ring.schedule for ring in rings} - known
        if unknown:
            log.warn(
                "user {user} gave a ring the schedule {schedule}, which is not there: it rings "
                "always",
                user=user.name,
                schedule=min(unknown, key=str),
            )
        return tuple(
            attrs.evolve(ring, schedule=None) if ring.schedule in unknown else ring
            for ring in rings
        )

    def _documents(user: User) -> list[dict[str, Any]]:
        return [schedule_document(schedule) for schedule in forwardings.schedules_of(user)]

    def _own(user: User, text: str) -> Schedule:
        if not _ID.fullmatch(text):
            raise _no_id()
        for schedule in forwardings.schedules_of(user):
            if schedule.id == int(text) and schedule.user_id == user.id:
                return schedule
        raise NotFound("You have no schedule of your own with this id.")

    def _to_match(request: Request, present: Schedule) -> Schedule | None:
        body = encode_json(schedule_document(present))
        return present if insists_on(request, body, present.id) else None


def _no_id() -> Forbidden:
    return Forbidden("Name the schedule: its number follows the path.")


def _read_scheduled_ring(node: Node) -> Ring:
    schedule = node.number("scheduleId", None, -_BIGGEST, _BIGGEST)
    return attrs.evolve(read_ring(node), schedule=schedule)


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """A schedule as sipXcom tells it."""
    return {
        "scheduleId": schedule.id,
        "name": schedule.name,
        "description": schedule.description,
        "periods": [
            {
                "scheduledDay": period.day,
                "start": _time_document(period.start),
                "end": _time_document(period.end),
            }
            for period in schedule.periods
        ],
    }


def _time_document(minutes: int) -> dict[str, int]:
    hours, rest = divmod(minutes, 60)
    return {"hrs": hours, "min": rest}


def _read_schedule(document: Node) -> tuple[str, str, list[Period]]:
    """Name, description and periods. Raises BadInput, and Unprocessable where none is there."""
    name, description = document.text("name"), document.text("description")
    if document.member("periods") is None:
        raise Unprocessable("periods must hold at least one.", field="periods")
    nodes = document.list("periods", "period", MAX_PERIODS)
    return name, description, [_read_period(node) for node in nodes]


def _read_period(node: Node) -> Period:
    day = node.number("scheduledDay", 0, _WEEK.start, _WEEK.stop - 1)
    return Period(day, _read_time(node, "start"), _read_time(node, "end"))


def _read_time(node: Node, name: str) -> int:
    time = node.needed(name)
    hours = time.number("hrs", 0, 0, 24)
    return hours * 60 + time.number("min", 0, 0, 59)
