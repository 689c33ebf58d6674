"""``/v1/calls``: begin calls, look at them, end them.

A user sees and ends his own calls, an administrator all.  Somebody else's call is 404 and not 403,
so that ids cannot be probed.  Times are RFC 3339 in UTC.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.call.record import CallRecord
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound
from sipxd.web.auth import Authenticator, address, shield
from sipxd.web.negotiate import (
    empty_answer,
    json_answer,
    parameter,
    read_json,
    require_json_accepted,
)
from sipxd.web.services import Accounts, Calls
from sipxd.web.v1.paging import read_cursor, read_limit
from sipxd.web.v1.values import timestamp

_CALL_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@attrs.frozen
class NewCall:
    """The body of ``POST /v1/calls``."""

    number: str
    user: str | None = None
    flow: str | None = None


def add_calls_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, calls: Calls
) -> None:
    """Add the collection and its members."""

    @app.route("/v1/calls", methods=["GET"])
    async def get_calls(request: Request) -> bytes:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        limit = read_limit(request)
        before = read_cursor(request, _CALL_ID)
        owner = _owner_asked_for(request, asking)
        records = await calls.history(user=owner, before=before, limit=limit + 1)
        shown = records[:limit]
        next_cursor = shown[-1].id if len(records) > limit else None
        document = {"calls": [call_document(record) for record in shown], "next": next_cursor}
        return json_answer(request, 200, document)

    @app.route("/v1/calls", methods=["POST"])
    async def post_call(request: Request) -> bytes:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        new = read_json(request, NewCall)
        caller = _caller(new, asking)
        record = await shield(
            calls.click_to_call(caller, new.number, source=address(request), flow=new.flow)
        )
        request.setHeader(b"Location", b"/v1/calls/" + record.id.encode("ascii"))
        return json_answer(request, 201, call_document(record))

    @app.route("/v1/calls/<call_id>", methods=["GET"])
    async def get_call(request: Request, call_id: str) -> bytes:
        asking = await authenticator.user(request)
        require_json_accepted(request)
        return json_answer(request, 200, call_document(await visible(asking, call_id)))

    @app.route("/v1/calls/<call_id>", methods=["DELETE"])
    async def delete_call(request: Request, call_id: str) -> bytes:
        asking = await authenticator.user(request)
        await visible(asking, call_id)
        await shield(calls.hang_up(call_id, by=asking.name))
        return empty_answer(request, 204)

    async def visible(asking: User, call_id: str) -> CallRecord:
        if _CALL_ID.fullmatch(call_id):
            record = await calls.find(call_id)
            if asking.admin or record.user == asking.name:
                return record
        raise NotFound("There is no call with this id.")

    def _caller(new: NewCall, asking: User) -> User:
        if new.user is None or new.user == asking.name or new.user in asking.aliases:
            return asking
        if not asking.admin:
            raise Forbidden("Only an administrator begins calls for others.", field="user")
        other = accounts.find(new.user)
        if other is None:
            raise NotFound("There is no user with this name.", field="user")
        return other


def call_document(record: CallRecord) -> dict[str, Any]:
    """A call as it is told; members that are not known yet are null."""
    cause = record.cause
    return {
        "id": record.id,
        "kind": record.kind,
        "user": record.user,
        "number": record.number,
        "state": record.state,
        "started": timestamp(record.started),
        "answered": timestamp(record.answered),
        "bridged": timestamp(record.bridged),
        "ended": timestamp(record.ended),
        "cause": None
        if cause is None
        else {
            "who": cause.who,
            "leg": cause.leg,
            "code": cause.code,
            "sentence": cause.sentence,
        },
        "media_mismatch": record.media_mismatch,
        "flow": record.flow,
        "ringing": record.ringing,
        "reached": record.reached or None,
    }


def _owner_asked_for(request: Request, asking: User) -> str | None:
    """Whose calls; ``None``: everybody's."""
    owner = parameter(request, "user")
    if asking.admin:
        return owner
    if owner not in (None, asking.name):
        raise Forbidden("Only an administrator looks at the calls of others.", field="user")
    return asking.name
