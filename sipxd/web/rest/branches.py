"""``/branch``: the places of a company (contract 4.6)."""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.branch import Address, Branch
from sipxd.errors import NotFound
from sipxd.service.branches import Branches
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import read_document
from sipxd.web.rest.lists import list_answer, object_answer, ordered, paged
from sipxd.web.rest.results import (
    CREATE_FAILED,
    CREATED,
    DELETE_FAILED,
    DELETED,
    NOT_FOUND,
    READ_FAILED,
    UPDATE_FAILED,
    UPDATED,
    AdministratorRoutes,
    read_id,
    refuse,
    result_answer,
)

MEMBERS = ("id", "name", "description", "address", "phoneNumber", "faxNumber")
COLUMNS = {
    "name": lambda branch: branch.name,
    "description": lambda branch: branch.description,
    "city": lambda branch: branch.address.city,
    "officedesignation": lambda branch: branch.address.office_designation,
}
_ADDRESS = {
    "street": "street",
    "city": "city",
    "country": "country",
    "state": "state",
    "zip": "zip",
    "office_designation": "officeDesignation",
}


def add_branch_routes(app: Klein, authenticator: Authenticator, branches: Branches) -> None:
    """Add the list and the branches."""
    routes = AdministratorRoutes(app, authenticator)

    async def present(id_text: str) -> Branch:
        number = read_id(id_text)
        try:
            return await branches.get(number)
        except NotFound:
            refuse(NOT_FOUND, id=number)

    @routes.add("GET", "branch", READ_FAILED)
    async def get_branches(request: Request) -> bytes:
        page = paged(request, ordered(request, await branches.all(), COLUMNS))
        return await list_answer(request, ("branch", "branches", "branch"), page, branch_document)

    @routes.add("PUT", "branch", CREATE_FAILED)
    async def create_branch(request: Request) -> bytes:
        made = await shield(branches.add(_read(request, 0)))
        return result_answer(request, CREATED, id=made.id)

    @routes.add("GET", "branch/<id_text>", READ_FAILED)
    async def get_branch(request: Request, id_text: str) -> bytes:
        return object_answer(request, "branch", branch_document(await present(id_text)))

    @routes.add("PUT", "branch/<id_text>", UPDATE_FAILED)
    async def update_branch(request: Request, id_text: str) -> bytes:
        branch = await present(id_text)
        await shield(branches.replace(_read(request, branch.id)))
        return result_answer(request, UPDATED, id=branch.id)

    @routes.add("DELETE", "branch/<id_text>", DELETE_FAILED)
    async def delete_branch(request: Request, id_text: str) -> bytes:
        branch = await present(id_text)
        await shield(branches.delete(branch.id))
        return result_answer(request, DELETED, id=branch.id)

    routes.needs_id("DELETE", "branch")


def branch_document(branch: Branch) -> dict[str, Any]:
    """A branch with its address; texts that are empty are left out."""
    address = {wire: getattr(branch.address, name) or None for name, wire in _ADDRESS.items()}
    return {
        "id": branch.id,
        "name": branch.name,
        "description": branch.description or None,
        # sipXcom keeps addresses apart, each with an id; here there is one of each branch.
        "address": {"id": branch.id} | address,
        "phoneNumber": branch.phone_number or None,
        "faxNumber": branch.fax_number or None,
    }


def short_document(branch: Branch | None) -> dict[str, Any] | None:
    """A branch as other things name it."""
    if branch is None:
        return None
    return {
        "id": branch.id,
        "name": branch.name,
        "description": branch.description or None,
    }


def read_reference(document: Node) -> int | None:
    """The id of the branch that a document names, if it names one. Raises BadInput."""
    branch = document.member("branch")
    if branch is None or branch.is_empty():
        return None
    branch.needed("id")
    return branch.number("id", 0, 1, 10**9)


def _read(request: Request, branch_id: int) -> Branch:
    document = read_document(request, "branch", MEMBERS)
    address = document.member("address")
    texts = {} if address is None else {n: address.text(wire) for n, wire in _ADDRESS.items()}
    return Branch(
        id=branch_id,
        name=document.text("name"),
        description=document.text("description"),
        address=attrs.evolve(Address(), **texts),
        phone_number=document.text("phoneNumber"),
        fax_number=document.text("faxNumber"),
    )
