"""``/sipxconfig/api/users/`` and ``/sipxconfig/api/my/user/`` (8.2)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.profile import Person
from sipxd.directory.user_group import UserGroup
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.branches import Branches
from sipxd.service.profiles import Profiles
from sipxd.service.user_groups import UserGroups
from sipxd.web.api.base import (
    API,
    Row,
    administrator,
    find_user,
    id_answer,
    list_answer,
    object_answer,
    page,
    read_object,
)
from sipxd.web.api.user_documents import MEMBERS, group_document, read_user, user_document
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer, parameter
from sipxd.web.services import Accounts

PATH = f"{API}/users"
MY = f"{API}/my/user"


@attrs.frozen
class Users:
    """What the resources of users have in common."""

    accounts: Accounts
    profiles: Profiles
    groups: UserGroups
    branches: Branches

    async def row(self) -> Row:
        """What makes a document of a person."""
        groups = {group.name: group for group in await self.groups.all()}
        return functools.partial(user_document, groups=groups)

    async def branch(self, name: str | None) -> int | None:
        """The id of the branch of that name; None: nothing is said; 0: none. Raises BadInput."""
        if not name:
            return None if name is None else 0
        for branch in await self.branches.all():
            if branch.name == name:
                return branch.id
        raise BadInput(f"branchName: there is no branch {name[:80]!r}.", field="branchName")


def add_users_routes(app: Klein, authenticator: Authenticator, users: Users) -> None:
    """Add the list, the users, and the groups of each."""
    accounts, profiles = users.accounts, users.profiles

    async def told(request: Request, wanted: Sequence[Person]) -> bytes:
        return await list_answer(request, "Users", "User", wanted, await users.row())

    @app.route(PATH, methods=["GET"])
    async def get_users(request: Request) -> bytes:
        await administrator(authenticator, request)
        everybody = sorted(accounts.all(), key=lambda user: user.id)[page(request)]
        people = await profiles.people(everybody)
        return await told(request, _with_email(people, parameter(request, "email")))

    @app.route(f"{PATH}/email", methods=["GET"])
    async def get_users_by_email(request: Request) -> bytes:
        await administrator(authenticator, request)
        people = await profiles.people(sorted(accounts.all(), key=lambda user: user.id))
        return await told(request, _with_email(people, parameter(request, "emailFilter")))

    @app.route(PATH, methods=["POST"])
    async def post_user(request: Request) -> bytes:
        await administrator(authenticator, request)
        given = read_user(read_object(request, "User", MEMBERS))
        if given.name is None:
            raise BadInput("userName is missing.", field="userName")
        values = {
            "groups": given.groups,
            "branch": await users.branch(given.branch_name) or None,
            "voicemail_pin": given.voicemail_pin,
        }
        new = NewUser(**given.changes() | values)
        user = await shield(profiles.add(new, given.change_profile))
        return id_answer(request, user.id)

    @app.route(f"{PATH}/<name>", methods=["GET"])
    async def get_user(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        person = await profiles.of(find_user(accounts, name))
        return object_answer(request, "User", person, await users.row())

    @app.route(f"{PATH}/<name>", methods=["PUT"])
    async def put_user(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        given = read_user(read_object(request, "User", MEMBERS))
        change = UserChange(
            **given.changes(),
            joins=given.groups,
            branch=await users.branch(given.branch_name),
            voicemail_pin=given.voicemail_pin,
        )
        await shield(profiles.administer(user, change, given.change_profile))
        return id_answer(request, user.id)

    @app.route(f"{PATH}/<name>", methods=["DELETE"])
    async def delete_user(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        await shield(accounts.delete(find_user(accounts, name)))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<name>/groups", methods=["GET"])
    async def get_groups(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        own = find_user(accounts, name).groups
        found = [group for group in await users.groups.all() if group.name in own]
        return await list_answer(request, "Groups", "Group", found, _group)

    @app.route(f"{PATH}/<name>/groups", methods=["DELETE"])
    async def leave_groups(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        await shield(accounts.change(user, UserChange(groups=())))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<name>/groups/<group>", methods=["POST"])
    async def join_group(request: Request, name: str, group: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        await shield(accounts.change(user, UserChange(joins=(group,))))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<name>/groups/<group>", methods=["DELETE"])
    async def leave_group(request: Request, name: str, group: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        if group not in user.groups:
            raise NotFound(f"{user.name} is in no user group {group[:80]!r}.")
        await shield(accounts.change(user, UserChange(leaves=(group,))))
        return empty_answer(request, 200)


def add_my_user_routes(app: Klein, authenticator: Authenticator, users: Users) -> None:
    """Add what a user sees of himself; he changes nothing here."""

    @app.route(MY, methods=["GET"])
    async def get_my_user(request: Request) -> bytes:
        person = await users.profiles.of(await authenticator.user(request))
        return object_answer(request, "User", person, await users.row())

    @app.route(MY, methods=["PUT", "DELETE"])
    @app.route(f"{MY}/<path:rest>", methods=["PUT", "DELETE"])
    async def refuse(request: Request, rest: str = "") -> bytes:
        await authenticator.user(request)
        raise Forbidden("Only administrators change users here, at /sipxconfig/api/users.")


def _group(group: UserGroup, form: bytes) -> dict[str, Any]:
    return group_document(group)


def _with_email(people: Sequence[Person], part: str | None) -> Sequence[Person]:
    """Those one of whose addresses contains ``part``; all where nothing is asked for."""
    if not part:
        return people
    wanted = part.lower()
    return [
        person
        for person in people
        if wanted in person.user.email.lower()
        or wanted in person.profile.contact.alternate_email_address.lower()
    ]
