"""``/permission``, ``/user-permission`` and ``/user-group-permission`` (contract 4.3 to 4.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.permission import Permission
from sipxd.directory.user import User
from sipxd.directory.user_group import UserGroup
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import UserChange
from sipxd.service.permissions import Permissions
from sipxd.service.user_groups import UserGroups
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import read_document
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
    refuse,
    result_answer,
)
from sipxd.web.rest.user_groups import COLUMNS as GROUP_COLUMNS
from sipxd.web.rest.user_groups import present_group
from sipxd.web.rest.users import PERSON_COLUMNS, present_user, wanted_users
from sipxd.web.services import Accounts
from sipxd.xml import Items

MAX_SETTINGS = 1000
COLUMNS = {
    "name": lambda permission: permission.name,
    "description": lambda permission: permission.description,
    "label": lambda permission: permission.label,
    "defaultvalue": lambda permission: permission.default,
}


def add_permission_routes(
    app: Klein, authenticator: Authenticator, permissions: Permissions
) -> None:
    """Add the permissions that there are."""
    routes = AdministratorRoutes(app, authenticator)

    async def present(name: str) -> Permission:
        try:
            return await permissions.get(name)
        except NotFound:
            refuse(NOT_FOUND, additionalMessage=name)

    @routes.add("GET", "permission", READ_FAILED)
    async def get_permissions(request: Request) -> bytes:
        page = paged(request, ordered(request, await permissions.all(), COLUMNS))
        names = ("permissions", "permissions", "permission")
        return await list_answer(request, names, page, permission_document)

    @routes.add("PUT", "permission", CREATE_FAILED)
    async def create_permission(request: Request) -> bytes:
        label, description, default = _read_permission(request)
        made = await shield(permissions.add(label, description, default))
        return result_answer(request, CREATED, additionalMessage=made.name)

    @routes.add("GET", "permission/<name>", READ_FAILED)
    async def get_permission(request: Request, name: str) -> bytes:
        return object_answer(request, "permission", permission_document(await present(name)))

    @routes.add("PUT", "permission/<name>", UPDATE_FAILED)
    async def update_permission(request: Request, name: str) -> bytes:
        await present(name)
        label, description, default = _read_permission(request)

        def change(old: Permission) -> Permission:
            return attrs.evolve(old, label=label, description=description, default=default)

        await shield(permissions.change(name, change))
        return result_answer(request, UPDATED, additionalMessage=name)

    @routes.add("DELETE", "permission/<name>", DELETE_FAILED)
    async def delete_permission(request: Request, name: str) -> bytes:
        await present(name)
        await shield(permissions.delete(name))
        return result_answer(request, DELETED, additionalMessage=name)

    routes.needs_id("DELETE", "permission")


def add_user_permission_routes(
    app: Klein,
    authenticator: Authenticator,
    accounts: Accounts,
    permissions: Permissions,
) -> None:
    """Add what users may do."""
    routes = AdministratorRoutes(app, authenticator)

    @routes.add("GET", "user-permission", READ_FAILED)
    async def get_users(request: Request) -> bytes:
        page = paged(request, ordered(request, wanted_users(request, accounts), PERSON_COLUMNS))
        known = await permissions.all()
        names = ("user-permission", "users", "user")
        return await list_answer(request, names, page, lambda user: _of_user(user, known))

    @routes.add("GET", "user-permission/<id_text>", READ_FAILED)
    async def get_user(request: Request, id_text: str) -> bytes:
        user = present_user(accounts, id_text)
        return object_answer(request, "user", _of_user(user, await permissions.all()))

    @routes.add("PUT", "user-permission/<id_text>", UPDATE_FAILED)
    async def update_user(request: Request, id_text: str) -> bytes:
        user = present_user(accounts, id_text)
        values = _read_values(read_document(request, "user", ("permissions",)))
        await shield(accounts.change(user, UserChange(values=values)))
        return result_answer(request, UPDATED, id=user.id)

    routes.needs_id("PUT", "user-permission")


def add_user_group_permission_routes(
    app: Klein, authenticator: Authenticator, groups: UserGroups, permissions: Permissions
) -> None:
    """Add what groups permit their members."""
    routes = AdministratorRoutes(app, authenticator)

    @routes.add("GET", "user-group-permission", READ_FAILED)
    async def get_groups(request: Request) -> bytes:
        page = paged(request, ordered(request, await groups.all(), GROUP_COLUMNS))
        known = await permissions.all()
        names = ("user-group-permission", "groups", "group")
        return await list_answer(request, names, page, lambda group: _of_group(group, known))

    @routes.add("GET", "user-group-permission/<id_text>", READ_FAILED)
    async def get_group(request: Request, id_text: str) -> bytes:
        group = await present_group(groups, id_text)
        return object_answer(request, "group", _of_group(group, await permissions.all()))

    @routes.add("PUT", "user-group-permission/<id_text>", UPDATE_FAILED)
    async def update_group(request: Request, id_text: str) -> bytes:
        group = await present_group(groups, id_text)
        values = _read_values(read_document(request, "group", ("permissions",)))
        defaults = {each.name: each.default for each in await permissions.all()}

        def change(old: UserGroup) -> UserGroup:
            said = {**old.permissions, **values}
            # What is as by default anyway is not said, so that lighter and later words count.
            said = {name: value for name, value in said.items() if value != defaults.get(name)}
            return attrs.evolve(old, permissions=said)

        await shield(groups.change(group.id, change))
        return result_answer(request, UPDATED, id=group.id)

    routes.needs_id("PUT", "user-group-permission")


def permission_document(permission: Permission) -> dict[str, Any]:
    """A permission with everything that there is to know of it (4.4, 11.2)."""
    return {
        "name": permission.name,
        "label": permission.label,
        "description": permission.description or None,
        "defaultValue": permission.default,
        "type": str(permission.type),
        "builtIn": permission.built_in,
    }


def _of_user(user: User, known: Sequence[Permission]) -> dict[str, Any]:
    return {
        "id": user.id,
        "lastName": user.last_name,
        "firstName": user.first_name,
        "permissions": _settings(known, user.permissions),
    }


def _of_group(group: UserGroup, known: Sequence[Permission]) -> dict[str, Any]:
    having = {each.name for each in known if group.permissions.get(each.name, each.default)}
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description or None,
        "permissions": _settings(known, having),
    }


def _settings(known: Sequence[Permission], having: Collection[str]) -> Items:
    return Items(
        "setting",
        [
            {
                "name": permission.name,
                "label": permission.label,
                "value": "ENABLE" if permission.name in having else "DISABLE",
                "defaultValue": permission.default,
            }
            for permission in known
        ],
    )


def _read_permission(request: Request) -> tuple[str, str, bool]:
    document = read_document(
        request, "permission", ("name", "label", "description", "defaultValue", "type", "builtIn")
    )
    label = document.text("label")
    if not label:
        refuse(INVALID, additionalMessage="Label: Cannot be empty")
    return label, document.text("description"), document.flag("defaultValue", False)


def _read_values(document: Node) -> dict[str, bool]:
    """The permissions that a document sets. Raises BadInput."""
    values: dict[str, bool] = {}
    for setting in document.list("permissions", "setting", MAX_SETTINGS):
        name, text = setting.needed("name").as_text(), setting.text("value")
        if not text:
            values[name] = setting.flag("defaultValue", False)
        elif text in ("ENABLE", "DISABLE"):
            values[name] = text == "ENABLE"
        else:
            path = setting.path_to("value")
            raise BadInput(f"{path} must be ENABLE or DISABLE, not {text[:40]!a}.", field=path)
    return values
