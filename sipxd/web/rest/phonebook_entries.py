"""Single entries of a user's own phonebook, and what else he says of it (contract 3.8, 3.9)."""

from __future__ import annotations

import re

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.phonebook import Entry
from sipxd.directory.phonebook_rules import MAX_TEXT
from sipxd.directory.user import User
from sipxd.directory.vcard import read_card
from sipxd.errors import BadInput, Conflict, Forbidden, NotFound
from sipxd.service.private_phonebooks import PrivatePhonebooks
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import JSON, XML, choose, empty_answer, read_document, write_document
from sipxd.web.problems import HttpProblem, answer
from sipxd.web.rest.phonebook_documents import ENTRY_MEMBERS, entry_document, read_entry
from sipxd.web.rest.phonebooks import OWN, refuse_forged
from sipxd.web.services import Accounts

CARD = "/sipxconfig/rest/my/phonebookentry"
CARD_MEMBERS = ("internalId", "uid", "vcard", "userName")

BIGGEST = 2**31 - 1
_ID = re.compile(r"[0-9]{1,10}", re.ASCII)


def add_phonebook_entry_routes(
    app: Klein,
    authenticator: Authenticator,
    accounts: Accounts,
    private: PrivatePhonebooks,
    duplicate_status: int,
) -> None:
    """Add entries by their ids, and by the names that clients give them.

    ``duplicate_status`` is the answer to an entry that is there already: 747, or 409.
    """

    @app.route(OWN + "/entry/<entry_id>", methods=["GET"])
    async def get_entry(request: Request, entry_id: str) -> bytes:
        user = await authenticator.user(request)
        form = choose(request, XML, JSON)
        entry = await shield(private.entry(user, _id(entry_id)))
        return answer(
            request, 200, write_document(form, "entry", entry_document(entry, with_id=False)), form
        )

    @app.route(OWN + "/entry/<entry_id>", methods=["POST"])
    async def post_entry(request: Request, entry_id: str) -> bytes:
        user = await authenticator.user(request)
        refuse_forged(request)
        entry = read_entry(read_document(request, "entry", ENTRY_MEMBERS))
        try:
            await shield(private.add(user, entry))
        except Conflict as error:
            raise _twice(error) from None
        return empty_answer(request, 200)

    @app.route(OWN + "/entry/<entry_id>", methods=["PUT"])
    async def put_entry(request: Request, entry_id: str) -> bytes:
        user = await authenticator.user(request)
        entry = read_entry(read_document(request, "entry", ENTRY_MEMBERS))
        try:
            await shield(private.replace(user, attrs.evolve(entry, id=_id(entry_id))))
        except Conflict as error:
            raise _twice(error) from None
        return empty_answer(request, 200)

    @app.route(OWN + "/entry/<entry_id>", methods=["DELETE"])
    async def delete_entry(request: Request, entry_id: str) -> bytes:
        user = await authenticator.user(request)
        number = _number(entry_id)
        if number is not None:
            await shield(private.remove(user, number))
        return empty_answer(request, 200)

    @app.route(CARD + "/<internal_id>", methods=["PUT"])
    async def put_card(request: Request, internal_id: str) -> bytes:
        user = await authenticator.user(request)
        _check_internal(internal_id)
        document = read_document(request, "pb", CARD_MEMBERS)
        owner = _owner(user, document)
        uid = document.text("uid")
        entry_number = _number(uid)
        if uid and entry_number is None:
            path = document.path_to("uid")
            raise BadInput(f"{path} must be the number of an entry, or empty.", field=path)
        entry = attrs.evolve(_read_card(document), internal_id=internal_id)
        await shield(private.put(user, owner, entry, entry_number))
        return empty_answer(request, 200)

    @app.route(CARD + "/<internal_id>", methods=["DELETE"])
    async def delete_card(request: Request, internal_id: str) -> bytes:
        user = await authenticator.user(request)
        _check_internal(internal_id)
        await shield(private.take_away(user, internal_id, _number(internal_id)))
        return empty_answer(request, 200)

    @app.route(OWN + "/showContactsOnPhone/<value>", methods=["PUT"])
    async def put_show(request: Request, value: str) -> bytes:
        user = await authenticator.user(request)
        if value not in ("true", "false"):
            raise BadInput("The path ends with true or false.", field="value")
        await shield(private.show_on_phone(user, value == "true"))
        return empty_answer(request, 200)

    @app.route(OWN + "/googleImport", methods=["POST"])
    async def post_google_import(request: Request) -> bytes:
        await authenticator.user(request)
        raise HttpProblem(
            745,
            "The import from Google is no part of sipxd, and Google takes no passwords for it any "
            f"more: export the contacts as vCard or CSV, and POST the file to {OWN}.",
        )

    def _owner(user: User, document: Node) -> User:
        name = document.text("userName")
        if not name or name in (user.name, *user.aliases):
            return user
        path = document.path_to("userName")
        if not user.admin:
            raise Forbidden(f"{path} must be yourself.", field=path)
        other = accounts.find(name)
        if other is None:
            raise NotFound(f"{path}: there is no such user.", field=path)
        return other

    def _twice(error: Conflict) -> HttpProblem | Conflict:
        return error if duplicate_status == 409 else HttpProblem(duplicate_status, error.detail)


def _id(text: str) -> int:
    number = _number(text)
    if number is None:
        raise NotFound("There is no such entry.", field="id")
    return number


def _number(text: str) -> int | None:
    """The id that ``text`` may be; None: no database gives such a one."""
    return int(text) if _ID.fullmatch(text) and int(text) <= BIGGEST else None


def _read_card(document: Node) -> Entry:
    path = document.path_to("vcard")
    try:
        return read_card(document.lines("vcard"))
    except BadInput as error:
        detail = error.detail if error.field == path else f"{path}: {error.detail}."
        raise BadInput(detail, field=path) from None


def _check_internal(text: str) -> None:
    if len(text) > MAX_TEXT or not text.isprintable():
        raise BadInput(
            f"An internal id has at most {MAX_TEXT} printable characters.", field="internalId"
        )
