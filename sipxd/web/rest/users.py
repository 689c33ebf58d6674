"""``/user``: the users (contract 4.2)."""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.user import User
from sipxd.directory.user_group import UserGroup
from sipxd.errors import Conflict
from sipxd.service.account_requests import MAX_ALIASES, MAX_GROUPS, NewUser, UserChange
from sipxd.service.user_groups import Belonging, UserGroups
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import parameter, read_document
from sipxd.web.rest.branches import read_reference, short_document
from sipxd.web.rest.lists import list_answer, object_answer, ordered, paged
from sipxd.web.rest.results import (
    CREATE_FAILED,
    CREATED,
    DELETE_FAILED,
    DELETED,
    ID_INVALID,
    INVALID,
    NOT_FOUND,
    READ_FAILED,
    UPDATE_FAILED,
    UPDATED,
    AdministratorRoutes,
    Refusal,
    read_id,
    refuse,
    result_answer,
)
from sipxd.web.services import Accounts
from sipxd.xml import Items

SUPERADMIN = "superadmin"
MEMBERS = (
    "id",
    "lastName",
    "firstName",
    "userName",
    "pin",
    "sipPassword",
    "emailAddress",
    "groups",
    "branch",
    "aliases",
)
PERSON_COLUMNS = {
    "lastname": lambda user: user.last_name,
    "firstname": lambda user: user.first_name,
}
COLUMNS = PERSON_COLUMNS | {"username": lambda user: user.name}
MAX_IDS = 1000


def present_user(accounts: Accounts, id_text: str) -> User:
    """The user whose id stands in the path. Raises `Refusal`."""
    number = read_id(id_text)
    user = accounts.by_id(number)
    if user is None:
        refuse(NOT_FOUND, id=number)
    return user


def wanted_users(request: Request, accounts: Accounts) -> list[User]:
    """The users that a list is asked for, ordered by id; superadmin only where he is named.

    Raises `Refusal`.
    """
    ids = parameter(request, "ids")
    if ids is not None:
        asked = ids.split(",")
        if len(asked) > MAX_IDS:
            refuse(ID_INVALID, additionalMessage=f"more than {MAX_IDS} ids")
        return [present_user(accounts, id_text.strip()) for id_text in asked]
    users = sorted(accounts.all(), key=lambda user: user.id)
    users = [user for user in users if user.name != SUPERADMIN]
    branch_text = parameter(request, "branch")
    if branch_text is None:
        return users
    try:
        branch = read_id(branch_text)
    except Refusal:
        refuse(ID_INVALID, additionalMessage=f"Branch:{branch_text[:80]}")
    return [user for user in users if user.branch == branch]


def _document(user: User, known: Belonging) -> dict[str, Any]:
    """A user without his secrets."""
    branch = None if user.branch is None else known.branches.get(user.branch)
    groups = [_group_document(group) for group in known.groups_of(user)]
    return {
        "id": user.id,
        "lastName": user.last_name,
        "firstName": user.first_name,
        "userName": user.name,
        "pin": "",
        "sipPassword": "",
        "emailAddress": user.email or None,
        "groups": Items("group", groups),
        "branch": short_document(branch),
        "aliases": Items("alias", [{"alias": alias} for alias in user.aliases]),
    }


def add_user_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, groups: UserGroups
) -> None:
    """Add the list and the users."""
    routes = AdministratorRoutes(app, authenticator)

    @routes.add("GET", "user", READ_FAILED)
    async def get_users(request: Request) -> bytes:
        page = paged(request, ordered(request, wanted_users(request, accounts), COLUMNS))
        known = await groups.belonging(page.things)
        page = attrs.evolve(page, things=known.users)
        names = ("user", "users", "user")
        return await list_answer(request, names, page, lambda user: _document(user, known))

    @routes.add("PUT", "user", CREATE_FAILED)
    async def create_user(request: Request) -> bytes:
        wanted = _read(request)

        async def create(names: tuple[str, ...]) -> User:
            user, _ = await accounts.add(NewUser(**wanted.same(names), branch=wanted.branch))
            return user

        user = await shield(groups.with_names(wanted.group_ids, create))
        return result_answer(request, CREATED, id=user.id)

    @routes.add("GET", "user/<id_text>", READ_FAILED)
    async def get_user(request: Request, id_text: str) -> bytes:
        known = await groups.belonging([present_user(accounts, id_text)])
        if not known.users:
            refuse(NOT_FOUND, id=int(id_text))
        return object_answer(request, "user", _document(known.users[0], known))

    @routes.add("PUT", "user/<id_text>", UPDATE_FAILED)
    async def update_user(request: Request, id_text: str) -> bytes:
        user = present_user(accounts, id_text)
        wanted = _read(request)
        if wanted.name != user.name and wanted.pin is None:
            raise Conflict("A new userName needs a new pin in the same request", field="pin")

        async def change(names: tuple[str, ...]) -> None:
            same = wanted.same(names)
            await accounts.change(user, UserChange(**same, branch=wanted.branch or 0))

        await shield(groups.with_names(wanted.group_ids, change))
        return result_answer(request, UPDATED, id=user.id)

    @routes.add("DELETE", "user/<id_text>", DELETE_FAILED)
    async def delete_user(request: Request, id_text: str) -> bytes:
        user = present_user(accounts, id_text)
        await shield(accounts.delete(user))
        return result_answer(request, DELETED, id=user.id)

    routes.needs_id("DELETE", "user")


def _group_document(group: UserGroup) -> dict[str, Any]:
    return {"id": group.id, "name": group.name, "description": group.description or None}


@attrs.frozen
class _Wanted:
    """A user as a client wants him; secrets that are None are kept, or generated."""

    name: str
    first_name: str
    last_name: str
    email: str
    aliases: tuple[str, ...]
    group_ids: list[int]
    branch: int | None
    pin: str | None = attrs.field(repr=False)
    sip_password: str | None = attrs.field(repr=False)

    def same(self, groups: tuple[str, ...]) -> dict[str, Any]:
        """What new and changed users have in common."""
        fields = ("name", "first_name", "last_name", "email", "aliases", "pin", "sip_password")
        return {field: getattr(self, field) for field in fields} | {"groups": groups}


def _read(request: Request) -> _Wanted:
    document = read_document(request, "user", MEMBERS)
    name = document.text("userName")
    if not name:
        refuse(INVALID, additionalMessage="UserName: Cannot be empty")
    aliases = _list(document, "aliases", "alias", MAX_ALIASES)
    groups = _list(document, "groups", "group", MAX_GROUPS)
    return _Wanted(
        name=name,
        first_name=document.text("firstName"),
        last_name=document.text("lastName"),
        email=document.text("emailAddress"),
        aliases=tuple(alias.needed("alias").as_text() for alias in aliases),
        group_ids=[_id_of(group) for group in groups],
        branch=read_reference(document),
        pin=document.text("pin") or None,
        sip_password=document.text("sipPassword") or None,
    )


def _list(document: Node, name: str, item: str, most: int) -> list[Node]:
    return [] if document.member(name) is None else document.list(name, item, most)


def _id_of(group: Node) -> int:
    group.needed("id")
    return group.number("id", 0, 1, 10**9)
