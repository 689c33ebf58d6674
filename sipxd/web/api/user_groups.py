"""``/sipxconfig/api/userGroups/``: groups of users (8.3)."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.permission import ADMIN
from sipxd.directory.user import User
from sipxd.directory.user_group import UserGroup
from sipxd.errors import Forbidden, NotFound
from sipxd.service.user_groups import UserGroups
from sipxd.web.api.base import (
    API,
    BIGGEST,
    administrator,
    id_answer,
    list_answer,
    object_answer,
    read_object,
)
from sipxd.web.api.user_documents import group_document
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import empty_answer
from sipxd.web.services import Accounts

PATH = f"{API}/userGroups"
MEMBERS = ("id", "name", "description", "weight", "count")
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


async def find_group(groups: UserGroups, text: str) -> UserGroup:
    """The group of that name, or else with that id. Raises NotFound."""
    try:
        return await groups.named(text)
    except NotFound:
        if not _NUMBER.fullmatch(text) or int(text) > BIGGEST:
            raise
    return await groups.get(int(text))


def refuse_own(user: User, group: UserGroup) -> None:
    """Raise Forbidden where he is an administrator by that very group."""
    if group.name in user.groups and group.permissions.get(ADMIN):
        raise Forbidden(
            f"{group.name!r} makes you an administrator: somebody outside of it may change it."
        )


def add_user_groups_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, groups: UserGroups
) -> None:
    """Add the list, the groups, and the order in which they count."""

    def counts() -> Counter[str]:
        return Counter(name for user in accounts.all() for name in user.groups)

    @app.route(PATH, methods=["GET"])
    async def get_groups(request: Request) -> bytes:
        await administrator(authenticator, request)
        members = counts()

        def row(group: UserGroup, form: bytes) -> dict[str, Any]:
            return group_document(group, members[group.name])

        return await list_answer(request, "Groups", "Group", await groups.all(), row)

    @app.route(PATH, methods=["POST"])
    async def post_group(request: Request) -> bytes:
        await administrator(authenticator, request)
        new = _read(read_object(request, "group", MEMBERS), UserGroup(0, ""))
        return id_answer(request, (await shield(groups.add(new))).id)

    @app.route(f"{PATH}/<name>", methods=["GET"])
    async def get_group(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        group, members = await find_group(groups, name), counts()

        def row(group: UserGroup, form: bytes) -> dict[str, Any]:
            return group_document(group, members[group.name])

        return object_answer(request, "group", group, row)

    @app.route(f"{PATH}/<name>", methods=["PUT"])
    async def put_group(request: Request, name: str) -> bytes:
        user = await administrator(authenticator, request)
        group = await find_group(groups, name)
        refuse_own(user, group)
        document = read_object(request, "group", MEMBERS)
        await shield(groups.change(group.id, lambda old: _read(document, old)))
        return id_answer(request, group.id)

    @app.route(f"{PATH}/<name>", methods=["DELETE"])
    async def delete_group(request: Request, name: str) -> bytes:
        user = await administrator(authenticator, request)
        group = await find_group(groups, name)
        refuse_own(user, group)
        await shield(groups.delete(group.id))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<name>/<any(up,down):direction>", methods=["PUT"])
    async def move_group(request: Request, name: str, direction: str) -> bytes:
        user = await administrator(authenticator, request)
        group = await find_group(groups, name)
        refuse_own(user, group)
        await shield(groups.move(group.id, -1 if direction == "up" else 1))
        return empty_answer(request, 200)


def _read(document: Node, old: UserGroup) -> UserGroup:
    """``old`` with what the document has. Raises BadInput."""
    return attrs.evolve(
        old,
        name=document.text("name", old.name),
        description=document.text("description", old.description),
    )
