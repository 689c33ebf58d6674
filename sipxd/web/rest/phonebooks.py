"""``/phonebook`` for administrators, and what a user sees: ``/my/phonebook``, whole, searched and
page by page (contract 3.5 to 3.7, 3.9)."""

from __future__ import annotations

import re
from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.directory import phonebook_csv as csv
from sipxd.directory.phonebook import Entry
from sipxd.errors import BadInput
from sipxd.service.phonebooks import Page, Phonebooks
from sipxd.service.private_phonebooks import PrivatePhonebooks
from sipxd.web.auth import Authenticator, shield
from sipxd.web.cors import is_forged
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    empty_answer,
    media_type,
    parameter,
    read_list,
    write_document,
)
from sipxd.web.problems import HttpProblem, answer
from sipxd.web.rest.phonebook_documents import (
    CSV,
    FILES,
    NEW_CSV,
    choose_form,
    entry_document,
    read_entry,
    read_file_entries,
    write_entries,
)
from sipxd.xml import Items

SHARED = "/sipxconfig/rest/phonebook"
OWN = "/sipxconfig/rest/my/phonebook"
SEARCH = "/sipxconfig/rest/my/search/phonebook"
PAGED = "/sipxconfig/rest/my/pagedphonebook"

MAX_ENTRIES = 10_000
"""In one body; bounds of the parsers are met before."""
ROWS = 100
"""Told at once, where nothing is said."""

_ROW = re.compile(r"[0-9]{1,9}", re.ASCII)


def add_phonebook_routes(
    app: Klein,
    authenticator: Authenticator,
    phonebooks: Phonebooks,
    private: PrivatePhonebooks,
    domain: str,
) -> None:
    """Add the lists; ``domain`` is told as that for contacts of Google."""

    @app.route(SHARED, methods=["GET"])
    async def get_phonebooks(request: Request) -> bytes:
        await authenticator.administrator(request)
        form = choose(request, XML)
        books = [{"@name": book.name} for book in await phonebooks.shared()]
        return answer(request, 200, write_document(form, "phonebooks", {"phonebook": books}), form)

    @app.route(SHARED + "/<name>", methods=["GET"])
    async def get_phonebook(request: Request, name: str) -> bytes:
        await authenticator.administrator(request)
        form, told_as = choose_form(request, CSV, NEW_CSV, XML, JSON)

        def render(entries: list[Entry]) -> bytes:
            if form in (CSV, NEW_CSV):
                return csv.write_csv(entries, csv.SHORT)
            documents = [
                {
                    "first-name": entry.first_name,
                    "last-name": entry.last_name,
                    "number": entry.number,
                }
                for entry in entries
            ]
            return write_document(form, "phonebook", Items("entry", documents))

        return answer(request, 200, await shield(phonebooks.named(name, render)), told_as)

    @app.route(OWN, methods=["GET"])
    async def get_own(request: Request) -> bytes:
        user = await authenticator.user(request)
        form, told_as = choose_form(request, XML, JSON, *FILES)
        body = await shield(phonebooks.visible(user, lambda entries: write_entries(form, entries)))
        return answer(request, 200, body, told_as)

    @app.route(OWN, methods=["POST"])
    async def post_own(request: Request) -> bytes:
        user = await authenticator.user(request)
        refuse_forged(request)
        parse = read_file_entries(request)
        if parse is None:
            nodes = read_list(request, "phonebook", "entry", MAX_ENTRIES)

            def parse() -> list[Entry]:
                return [read_entry(node) for node in nodes]

        await shield(private.append(user, parse))
        return empty_answer(request, 200)

    @app.route(OWN, methods=["DELETE"])
    async def delete_own(request: Request) -> bytes:
        user = await authenticator.user(request)
        await shield(private.delete(user))
        return empty_answer(request, 200)

    @app.route(SEARCH, methods=["GET"])
    async def search(request: Request) -> bytes:
        user = await authenticator.user(request)
        form, told_as = choose_form(request, XML, JSON)
        text = parameter(request, "query") or ""
        body = await shield(
            phonebooks.search(user, text, lambda entries: write_entries(form, entries))
        )
        return answer(request, 200, body, told_as)

    @app.route(PAGED, methods=["GET"])
    async def get_page(request: Request) -> bytes:
        user = await authenticator.user(request)
        form, told_as = choose_form(request, XML, JSON)
        start, end = _row(request, "start", 0), _row(request, "end", ROWS)
        part = parameter(request, "filter") or ""

        def render(page: Page) -> bytes:
            return write_document(form, "phonebook", page_document(page, domain))

        looked_for = "" if part == "null" else part
        body = await shield(phonebooks.page(user, start, end, looked_for, render))
        return answer(request, 200, body, told_as)


def refuse_forged(request: Request) -> None:
    """Raise HttpProblem (415) where a web page elsewhere may have sent it in the user's name."""
    if is_forged(request, media_type(request)):
        raise HttpProblem(415, "From a web page elsewhere, send JSON, or XML as text/xml.")


def page_document(page: Page, domain: str) -> dict[str, Any]:
    """A page as sipXcom tells it."""
    shown = {None: "n/a", True: "true", False: "false"}[page.show_on_phone]
    return {
        "size": page.size,
        "filtered-size": page.filtered_size,
        "start-row": page.start,
        "end-row": page.end,
        "show-on-phone": shown,
        "google-domain": domain,
        "entries": Items("entry", [entry_document(entry) for entry in page.entries]),
    }


def _row(request: Request, name: str, default: int) -> int:
    text = parameter(request, name)
    if text is None:
        return default
    if not _ROW.fullmatch(text):
        raise BadInput(f"{name} is the number of a row, from 0.", field=name)
    return int(text)
