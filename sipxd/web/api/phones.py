"""``/sipxconfig/api/phones/``: telephones, which are stored only (8.7), those of a user (8.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.telephone import Line, Telephone, address, serial_of
from sipxd.errors import BadInput, NotFound
from sipxd.service.telephones import Lines, Telephones
from sipxd.web.api.base import (
    API,
    administrator,
    find_user,
    id_answer,
    list_answer,
    number,
    object_answer,
    page,
    read_object,
)
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import JSON, empty_answer, parameter
from sipxd.web.services import Accounts
from sipxd.xml import Items

PATH = f"{API}/phones"
USERS = f"{API}/users"
MEMBERS = ("id", "serialNo", "deviceVersion", "description", "model", "lines", "groups")
LINE_MEMBERS = ("id", "uri", "user", "userId", "extension", "displayName", "registrationServer")
MAX_GROUPS = 50


def add_phones_routes(
    app: Klein,
    authenticator: Authenticator,
    accounts: Accounts,
    telephones: Telephones,
    lines: Lines,
) -> None:
    """Add the list, the telephones, their lines, and the telephones of users."""

    async def present(text: str) -> Telephone:
        found = await telephones.find(serial_of(text))
        if found is not None:
            return found
        wanted = number(text, "telephone")
        for telephone in await telephones.all():
            if telephone.id == wanted:
                return telephone
        raise NotFound(f"There is no telephone {text[:40]!r}.")

    def row(telephone: Telephone, form: bytes) -> dict[str, Any]:
        told = [line_row((place, line), form) for place, line in enumerate(telephone.lines, 1)]
        groups = [{"name": name} for name in telephone.groups]
        return {
            "id": telephone.id,
            "serialNo": telephone.serial,
            "deviceVersion": telephone.version or None,
            "description": telephone.description or None,
            "model": telephone.model,
            "lines" if form == JSON else "Lines": Items("Line", told),
            "groups" if form == JSON else "Groups": Items("Group", groups),
        }

    def line_row(placed: tuple[int, Line], form: bytes) -> dict[str, Any]:
        place, line = placed
        user = lines.user(line)
        return {
            "id": place,
            "uri": lines.uri(line),
            "user": None if user is None else user.name,
            "userId": None if user is None else str(user.id),
            "extension": lines.name(line),
            "displayName": None,
            "password": None,
            "registrationServer": None,
            "registrationServerPort": None,
            "voicemail": None,
        }

    async def told(request: Request, found: Iterable[Telephone]) -> bytes:
        return await list_answer(request, "Phones", "Phone", found, row)

    @app.route(PATH, methods=["GET"])
    async def get_phones(request: Request) -> bytes:
        await administrator(authenticator, request)
        return await told(request, (await telephones.all())[page(request)])

    @app.route(f"{PATH}/line", methods=["GET"])
    async def get_phones_by_line(request: Request) -> bytes:
        await administrator(authenticator, request)
        part = (parameter(request, "lineFilter") or "").lower()
        every = await telephones.all()
        return await told(
            request,
            (each for each in every if any(part in lines.uri(x).lower() for x in each.lines)),
        )

    @app.route(PATH, methods=["POST"])
    async def post_phone(request: Request) -> bytes:
        await administrator(authenticator, request)
        new = _read(read_object(request, "Phone", MEMBERS), Telephone(0, "", ""))
        return id_answer(request, (await shield(telephones.add(new))).id)

    @app.route(f"{PATH}/<phone>", methods=["GET"])
    async def get_phone(request: Request, phone: str) -> bytes:
        await administrator(authenticator, request)
        return object_answer(request, "Phone", await present(phone), row)

    @app.route(f"{PATH}/<phone>", methods=["PUT"])
    async def put_phone(request: Request, phone: str) -> bytes:
        await administrator(authenticator, request)
        telephone = await present(phone)
        document = read_object(request, "Phone", MEMBERS)
        await shield(telephones.change(telephone.id, lambda old: _read(document, old)))
        return id_answer(request, telephone.id)

    @app.route(f"{PATH}/<phone>", methods=["DELETE"])
    async def delete_phone(request: Request, phone: str) -> bytes:
        await administrator(authenticator, request)
        await shield(telephones.delete((await present(phone)).id))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<phone>/lines", methods=["GET"])
    async def get_lines(request: Request, phone: str) -> bytes:
        await administrator(authenticator, request)
        placed = enumerate((await present(phone)).lines, 1)
        return await list_answer(request, "Lines", "Line", placed, line_row)

    @app.route(f"{PATH}/<phone>/lines", methods=["POST"])
    async def post_line(request: Request, phone: str) -> bytes:
        await administrator(authenticator, request)
        telephone = await present(phone)
        line = _read_line(read_object(request, "Line", LINE_MEMBERS), accounts)

        def add(old: Telephone) -> Telephone:
            return attrs.evolve(old, lines=(*old.lines, line))

        await shield(telephones.change(telephone.id, add))
        return id_answer(request, len(telephone.lines) + 1)

    @app.route(f"{PATH}/<phone>/lines/<place>", methods=["GET"])
    async def get_line(request: Request, phone: str, place: str) -> bytes:
        await administrator(authenticator, request)
        telephone = await present(phone)
        at = _place(telephone, place)
        return object_answer(request, "Line", (at, telephone.lines[at - 1]), line_row)

    @app.route(f"{PATH}/<phone>/lines/<place>", methods=["DELETE"])
    async def delete_line(request: Request, phone: str, place: str) -> bytes:
        await administrator(authenticator, request)
        telephone = await present(phone)
        unwanted = telephone.lines[_place(telephone, place) - 1]

        def remove(old: Telephone) -> Telephone:
            return attrs.evolve(old, lines=tuple(line for line in old.lines if line != unwanted))

        await shield(telephones.change(telephone.id, remove))
        return empty_answer(request, 200)

    @app.route(f"{USERS}/<any(name,id):kind>/<user>/phones", methods=["GET"])
    async def get_phones_of_user(request: Request, kind: str, user: str) -> bytes:
        await administrator(authenticator, request)
        user_id = find_user(accounts, user).id if kind == "name" else number(user, "user")
        every = await telephones.all()
        return await told(
            request, (each for each in every if any(x.user_id == user_id for x in each.lines))
        )


def _read(document: Node, old: Telephone) -> Telephone:
    """``old`` with what the document has. Raises BadInput."""
    groups = old.groups
    for name in ("groups", "Groups"):
        if document.member(name) is not None:
            found = document.list(name, "Group", MAX_GROUPS)
            groups = tuple(group.needed("name").as_text() for group in found)
    return attrs.evolve(
        old,
        serial=serial_of(document.text("serialNo", old.serial)),
        model=document.text("model", old.model),
        description=document.text("description", old.description),
        version=document.text("deviceVersion", old.version),
        groups=tuple(dict.fromkeys(groups)),
    )


def _read_line(document: Node, accounts: Accounts) -> Line:
    """A line of a user here, or with a registrationServer of somebody elsewhere."""
    server = document.text("registrationServer")
    name = document.text("extension") or document.text("user")
    if server:
        return Line(None, name, address(document.text("displayName"), name, server))
    user = accounts.find(name)
    if user is None:
        raise BadInput(f"user: there is no user {name[:80]!r}.", field="user")
    return Line(user.id)


def _place(telephone: Telephone, text: str) -> int:
    place = number(text, "line")
    if not 0 < place <= len(telephone.lines):
        raise NotFound(f"The telephone {telephone.serial} has no line {place}.")
    return place
