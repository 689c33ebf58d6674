"""``/v1/groups``: the hunt groups, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from klein import Klein
from msgspec import Meta
from twisted.web.server import Request

from sipxd.directory.call_group import MAX_MEMBERS, CallGroup, Member
from sipxd.directory.forwarding import DEFAULT_SECONDS
from sipxd.errors import Forbidden
from sipxd.web.auth import Authenticator, shield
from sipxd.web.conditions import tagged_answer, version_to_match
from sipxd.web.negotiate import (
    JSON,
    empty_answer,
    encode_json,
    json_answer,
    read_json,
    require_json_accepted,
)
from sipxd.web.services import CallGroups
from sipxd.web.v1.paging import read_cursor, read_limit
from sipxd.web.v1.values import ID, RingKind, Seconds, Text, read_id

PATH = "/v1/groups"


@attrs.frozen
class NewMember:
    """A member of ``members``."""

    user: Text
    seconds: Seconds = DEFAULT_SECONDS
    type: RingKind = RingKind.IF_NO_RESPONSE


@attrs.frozen
class NewGroup:
    """The body of ``POST`` and ``PUT``."""

    name: Text
    extension: Text
    members: Annotated[list[NewMember], Meta(max_length=MAX_MEMBERS)]
    description: Text = ""
    did: Text = ""
    enabled: bool = True
    follow: bool = True
    voicemail_fallback: bool = False
    fallback: Text = ""
    fallback_seconds: Seconds = DEFAULT_SECONDS


def add_groups_routes(app: Klein, authenticator: Authenticator, groups: CallGroups) -> None:
    """Add the collection and its members."""

    @app.route(PATH, methods=["GET"])
    async def get_groups(request: Request) -> bytes:
        await admit(request)
        limit = read_limit(request)
        after = int(read_cursor(request, ID) or 0)
        # By id, so that no page loses one whose extension is changed meanwhile.
        found = sorted((each for each in groups.all() if each.id > after), key=lambda each: each.id)
        shown = found[:limit]
        next_cursor = str(shown[-1].id) if len(found) > limit else None
        documents = [group_document(group) for group in shown]
        return json_answer(request, 200, {"groups": documents, "next": next_cursor})

    @app.route(PATH, methods=["POST"])
    async def post_group(request: Request) -> bytes:
        await admit(request)
        group = await shield(groups.add(_group(0, read_json(request, NewGroup))))
        request.setHeader(b"Location", f"{PATH}/{group.id}".encode("ascii"))
        return told(request, 201, group)

    @app.route(PATH + "/<group_id>", methods=["GET"])
    async def get_group(request: Request, group_id: str) -> bytes:
        await admit(request)
        return told(request, 200, groups.get(read_id(group_id, "group")))

    @app.route(PATH + "/<group_id>", methods=["PUT"])
    async def put_group(request: Request, group_id: str) -> bytes:
        await admit(request)
        present = groups.get(read_id(group_id, "group"))
        version = version_to_match(request, present.version)
        wanted = _group(present.id, read_json(request, NewGroup))
        return told(request, 200, await shield(groups.replace(wanted, if_version=version)))

    @app.route(PATH + "/<group_id>", methods=["DELETE"])
    async def delete_group(request: Request, group_id: str) -> bytes:
        await admit(request)
        present = groups.get(read_id(group_id, "group"))
        version = version_to_match(request, present.version)
        await shield(groups.delete(present.id, if_version=version))
        return empty_answer(request, 204)

    async def admit(request: Request) -> None:
        asking = await authenticator.user(request)
        if not asking.admin:
            raise Forbidden("Only an administrator looks after the hunt groups.")
        require_json_accepted(request)

    def told(request: Request, status: int, group: CallGroup) -> bytes:
        body = encode_json(group_document(group))
        return tagged_answer(request, status, body, JSON, group.version)


def group_document(group: CallGroup) -> dict[str, Any]:
    """A hunt group as it is told."""
    return {
        "id": group.id,
        "name": group.name,
        "extension": group.extension,
        "did": group.did,
        "description": group.description,
        "enabled": group.enabled,
        "follow": group.follow,
        "members": [
            {"user": member.user, "seconds": member.seconds, "type": RingKind.of(member.type)}
            for member in group.members
        ],
        "voicemail_fallback": group.voicemail_fallback,
        "fallback": group.fallback,
        "fallback_seconds": group.fallback_seconds,
    }


def _group(group_id: int, new: NewGroup) -> CallGroup:
    members = [Member(member.user, member.seconds, member.type.type) for member in new.members]
    return CallGroup(
        id=group_id,
        name=new.name,
        extension=new.extension,
        members=tuple(members),
        description=new.description,
        did=new.did,
        enabled=new.enabled,
        follow=new.follow,
        voicemail_fallback=new.voicemail_fallback,
        fallback=new.fallback,
        fallback_seconds=new.fallback_seconds,
    )
