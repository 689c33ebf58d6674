"""``/v1/conferences``: the conferences of all users, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from klein import Klein
from msgspec import Meta
from twisted.web.server import Request

from sipxd.directory.conference import MAX_MEMBERS, Conference
from sipxd.errors import BadInput
from sipxd.service.conferences import Conferences
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
from sipxd.web.services import Accounts
from sipxd.web.v1.paging import read_cursor, read_limit
from sipxd.web.v1.values import ID, Text, read_id

PATH = "/v1/conferences"

Members = Annotated[int, Meta(ge=0, le=MAX_MEMBERS)]


@attrs.frozen
class NewConference:
    """The body of ``POST`` and ``PUT``."""

    name: Text
    extension: Text
    owner: Text | None = None
    """The name or an alias of a user."""
    enabled: bool = True
    description: Text = ""
    autorecorded: bool = False
    access_code: Text = ""
    moderator_code: Text = ""
    quickstart: bool = False
    video: bool = False
    active_video_only: bool = False
    max_members: Members = 0
    moh: Text = ""
    entry_tone: bool = True
    exit_tone: bool = True
    name_on_entry: bool = False
    name_on_exit: bool = False


def add_conferences_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, conferences: Conferences
) -> None:
    """Add the collection and its members."""

    @app.route(PATH, methods=["GET"])
    async def get_conferences(request: Request) -> bytes:
        await admit(request)
        limit = read_limit(request)
        after = int(read_cursor(request, ID) or 0)
        found = [each for each in conferences.all() if each.id > after]
        shown = found[:limit]
        next_cursor = str(shown[-1].id) if len(found) > limit else None
        documents = [document(conference) for conference in shown]
        return json_answer(request, 200, {"conferences": documents, "next": next_cursor})

    @app.route(PATH, methods=["POST"])
    async def post_conference(request: Request) -> bytes:
        await admit(request)
        conference = await shield(conferences.add(read(request, 0)))
        request.setHeader(b"Location", f"{PATH}/{conference.id}".encode("ascii"))
        return told(request, 201, conference)

    @app.route(PATH + "/<conference_id>", methods=["GET"])
    async def get_conference(request: Request, conference_id: str) -> bytes:
        await admit(request)
        return told(request, 200, conferences.get(read_id(conference_id, "conference")))

    @app.route(PATH + "/<conference_id>", methods=["PUT"])
    async def put_conference(request: Request, conference_id: str) -> bytes:
        await admit(request)
        present = conferences.get(read_id(conference_id, "conference"))
        new = read(request, present.id)

        def replace(old: Conference) -> Conference:
            check(request, old)
            return new

        return told(request, 200, await shield(conferences.change(present.id, replace)))

    @app.route(PATH + "/<conference_id>", methods=["DELETE"])
    async def delete_conference(request: Request, conference_id: str) -> bytes:
        await admit(request)
        present = conferences.get(read_id(conference_id, "conference"))
        await shield(conferences.delete(present.id, lambda old: check(request, old)))
        return empty_answer(request, 204)

    async def admit(request: Request) -> None:
        await authenticator.administrator(request)
        require_json_accepted(request)

    def read(request: Request, conference_id: int) -> Conference:
        new = attrs.asdict(read_json(request, NewConference))
        name = new.pop("owner")
        owner = None if name is None else accounts.find(name)
        if name is not None and owner is None:
            raise BadInput("owner is no user.", field="owner")
        return Conference(id=conference_id, owner=None if owner is None else owner.id, **new)

    def document(conference: Conference) -> dict[str, Any]:
        owner = None if conference.owner is None else accounts.by_id(conference.owner)
        return attrs.asdict(conference) | {"owner": None if owner is None else owner.name}

    def check(request: Request, old: Conference) -> None:
        insists_on(request, encode_json(document(old)), old.id)

    def told(request: Request, status: int, conference: Conference) -> bytes:
        body = encode_json(document(conference))
        return tagged_answer(request, status, body, JSON, conference.id)
