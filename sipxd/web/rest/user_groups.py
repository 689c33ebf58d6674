"""``/user-group``: groups of users (contract 4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.branch import Branch
from sipxd.directory.user_group import UserGroup
from sipxd.errors import NotFound
from sipxd.service.branches import Branches
from sipxd.service.user_groups import UserGroups
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import read_document
from sipxd.web.rest.branches import branch_document, read_reference
from sipxd.web.rest.lists import list_answer, object_answer, ordered, paged
from sipxd.web.rest.results import (
    CREATE_FAILED,
    CREATED,
    DELETE_FAILED,
    DELETED,
    INVALID,
    NOT_FOUND,
    READ_FAILED,
    UPDATE_FAILED,
    UPDATED,
    AdministratorRoutes,
    read_id,
    refuse,
    result_answer,
)

MEMBERS = ("id", "name", "description", "branch")
COLUMNS = {
    "name": lambda group: group.name,
    "description": lambda group: group.description,
}


async def present_group(groups: UserGroups, id_text: str) -> UserGroup:
    """The group whose id stands in the path. Raises `Refusal`."""
    number = read_id(id_text)
    try:
        return await groups.get(number)
    except NotFound:
        refuse(NOT_FOUND, id=number)


def add_user_group_routes(
    app: Klein, authenticator: Authenticator, groups: UserGroups, branches: Branches
) -> None:
    """Add the list and the groups."""
    routes = AdministratorRoutes(app, authenticator)

    async def places() -> dict[int, Branch]:
        return {branch.id: branch for branch in await branches.all()}

    @routes.add("GET", "user-group", READ_FAILED)
    async def get_groups(request: Request) -> bytes:
        page = paged(request, ordered(request, await groups.all(), COLUMNS))
        known = await places()
        names = ("user-group", "groups", "group")
        return await list_answer(request, names, page, lambda group: _document(group, known))

    @routes.add("PUT", "user-group", CREATE_FAILED)
    async def create_group(request: Request) -> bytes:
        made = await shield(groups.add(_read(request, UserGroup(0, ""))))
        return result_answer(request, CREATED, id=made.id)

    @routes.add("GET", "user-group/<id_text>", READ_FAILED)
    async def get_group(request: Request, id_text: str) -> bytes:
        group = await present_group(groups, id_text)
        return object_answer(request, "group", _document(group, await places()))

    @routes.add("PUT", "user-group/<id_text>", UPDATE_FAILED)
    async def update_group(request: Request, id_text: str) -> bytes:
        group = await present_group(groups, id_text)
        new = _read(request, group)

        def change(present: UserGroup) -> UserGroup:
            return attrs.evolve(
                present, name=new.name, description=new.description, branch=new.branch
            )

        await shield(groups.change(group.id, change))
        return result_answer(request, UPDATED, id=group.id)

    @routes.add("DELETE", "user-group/<id_text>", DELETE_FAILED)
    async def delete_group(request: Request, id_text: str) -> bytes:
        group = await present_group(groups, id_text)
        await shield(groups.delete(group.id))
        return result_answer(request, DELETED, id=group.id)

    routes.needs_id("DELETE", "user-group")


def _document(group: UserGroup, places: Mapping[int, Branch]) -> dict[str, Any]:
    branch = None if group.branch is None else places.get(group.branch)
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description or None,
        "branch": None if branch is None else branch_document(branch),
    }


def _read(request: Request, old: UserGroup) -> UserGroup:
    document = read_document(request, "group", MEMBERS)
    name = document.text("name")
    if not name:
        refuse(INVALID, additionalMessage="Name: Cannot be empty")
    return attrs.evolve(
        old,
        name=name,
        description=document.text("description"),
        branch=read_reference(document),
    )
