"""``/v1/phonebooks``: the shared phonebooks, for administrators.

sipXcom's REST only reads them; here they are made, and filled from files.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from klein import Klein
from msgspec import Meta
from twisted.web.server import Request

from sipxd.directory import phonebook_csv as csv
from sipxd.directory.phonebook import Entry, Phonebook
from sipxd.directory.phonebook_rules import check
from sipxd.directory.profile import NOTHING, Contact
from sipxd.errors import BadInput
from sipxd.service.phonebooks import MAX_NAME, Parse, Phonebooks
from sipxd.store.profiles import without_defaults
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import (
    JSON,
    choose,
    empty_answer,
    encode_json,
    json_answer,
    read_json,
    require_json_accepted,
)
from sipxd.web.problems import answer
from sipxd.web.rest.phonebook_documents import (
    NEW_CSV,
    VCARD_3,
    VCARD_4,
    read_file_entries,
    write_entries,
)
from sipxd.web.rest.phonebooks import MAX_ENTRIES, refuse_forged
from sipxd.web.v1.paging import read_cursor, read_limit
from sipxd.web.v1.values import ID, Text, read_id

PATH = "/v1/phonebooks"
Groups = Annotated[list[Text], Meta(max_length=50)]


@attrs.frozen
class NewPhonebook:
    """The body of ``POST`` and ``PUT``."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    description: Text = ""
    members: Groups = attrs.field(factory=list)
    consumers: Groups = attrs.field(factory=list)


@attrs.frozen
class NewEntry:
    """An entry of ``entries``."""

    number: str
    first_name: str = ""
    last_name: str = ""
    contact: Contact = NOTHING


@attrs.frozen
class NewEntries:
    """The body of an import."""

    entries: Annotated[list[NewEntry], Meta(max_length=MAX_ENTRIES)]


def add_phonebooks_routes(app: Klein, authenticator: Authenticator, phonebooks: Phonebooks) -> None:
    """Add the collection, its members and their entries."""

    @app.route(PATH, methods=["GET"])
    async def get_phonebooks(request: Request) -> bytes:
        await admit(request)
        limit = read_limit(request)
        after = int(read_cursor(request, ID) or 0)
        found = [book for book in await shield(phonebooks.shared()) if book.id > after]
        found.sort(key=lambda book: book.id)
        shown = found[:limit]
        next_cursor = str(shown[-1].id) if len(found) > limit else None
        documents = [phonebook_document(book) for book in shown]
        return json_answer(request, 200, {"phonebooks": documents, "next": next_cursor})

    @app.route(PATH, methods=["POST"])
    async def post_phonebook(request: Request) -> bytes:
        await admit(request)
        book = await shield(phonebooks.add(_phonebook(0, read_json(request, NewPhonebook))))
        request.setHeader(b"Location", f"{PATH}/{book.id}".encode("ascii"))
        return json_answer(request, 201, phonebook_document(book))

    @app.route(PATH + "/<phonebook_id>", methods=["GET"])
    async def get_phonebook(request: Request, phonebook_id: str) -> bytes:
        await admit(request)
        book = await shield(phonebooks.get(_id(phonebook_id)))
        return json_answer(request, 200, phonebook_document(book))

    @app.route(PATH + "/<phonebook_id>", methods=["PUT"])
    async def put_phonebook(request: Request, phonebook_id: str) -> bytes:
        await admit(request)
        wanted = _phonebook(_id(phonebook_id), read_json(request, NewPhonebook))
        book = await shield(phonebooks.replace(wanted))
        return json_answer(request, 200, phonebook_document(book))

    @app.route(PATH + "/<phonebook_id>", methods=["DELETE"])
    async def delete_phonebook(request: Request, phonebook_id: str) -> bytes:
        await admit(request)
        await shield(phonebooks.delete(_id(phonebook_id)))
        return empty_answer(request, 204)

    @app.route(PATH + "/<phonebook_id>/entries", methods=["GET"])
    async def get_entries(request: Request, phonebook_id: str) -> bytes:
        await authenticator.administrator(request)
        form = choose(request, JSON, NEW_CSV, VCARD_4, VCARD_3)

        def render(entries: list[Entry]) -> bytes:
            if form != JSON:
                return write_entries(form, entries, csv.LONG)
            return encode_json({"entries": [entry_document(entry) for entry in entries]})

        body = await shield(phonebooks.own_entries(_id(phonebook_id), render))
        return answer(request, 200, body, form)

    @app.route(PATH + "/<phonebook_id>/entries", methods=["POST"])
    async def post_entries(request: Request, phonebook_id: str) -> bytes:
        return await imported(request, phonebook_id, replace=False)

    @app.route(PATH + "/<phonebook_id>/entries", methods=["PUT"])
    async def put_entries(request: Request, phonebook_id: str) -> bytes:
        return await imported(request, phonebook_id, replace=True)

    async def imported(request: Request, phonebook_id: str, *, replace: bool) -> bytes:
        await admit(request)
        refuse_forged(request)
        parse = read_file_entries(request) or _read_entries(request)
        work = phonebooks.import_entries(_id(phonebook_id), parse, replace=replace)
        return json_answer(request, 200, {"imported": await shield(work)})

    async def admit(request: Request) -> None:
        await authenticator.administrator(request)
        require_json_accepted(request)


def phonebook_document(book: Phonebook) -> dict[str, Any]:
    """A phonebook as it is told."""
    return {
        "id": book.id,
        "name": book.name,
        "description": book.description,
        "members": book.members,
        "consumers": book.consumers,
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """An entry as it is told; of its contact information what is known."""
    return {
        "id": entry.id,
        "first_name": entry.first_name,
        "last_name": entry.last_name,
        "number": entry.number,
        "contact": without_defaults(entry.contact),
    }


def _id(text: str) -> int:
    return read_id(text, "phonebook")


def _phonebook(phonebook_id: int, new: NewPhonebook) -> Phonebook:
    return Phonebook(
        phonebook_id, new.name, new.description, tuple(new.members), tuple(new.consumers)
    )


def _read_entries(request: Request) -> Parse:
    given = read_json(request, NewEntries).entries

    def parse() -> list[Entry]:
        return [_entry(index, new) for index, new in enumerate(given)]

    return parse


def _entry(index: int, new: NewEntry) -> Entry:
    entry = Entry(0, new.first_name, new.last_name, new.number, new.contact)
    try:
        return check(entry, strict=False)
    except BadInput as error:
        name = error.field or ""
        path = f"entries[{index}].{name if hasattr(new, name) else f'contact.{name}'}"
        raise BadInput(f"{path}: {error.detail}.", field=path) from None
