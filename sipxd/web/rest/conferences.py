"""``/my/conferences``: the conferences of a user (contract 3.10, 3.16, 3.17).

Their settings are stored. Nothing mixes voices here, so that none of them ever runs.
"""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.conference import MAX_MEMBERS, Conference
from sipxd.errors import BadInput
from sipxd.service.conferences import Conferences
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    empty_answer,
    read_document,
    write_document,
)
from sipxd.web.problems import HttpProblem, answer
from sipxd.xml import Items

MY = "/sipxconfig/rest/my"
PATH = f"{MY}/conferences"
NO_SERVER = (
    "The conference server is no part of sipxd: run one beside it, and lead the numbers of its "
    "conferences there with a [[route]]"
)
WITH_ARGUMENT = ("invite", "inviteim")

_MEMBERS = {
    "enabled": "enabled",
    "name": "name",
    "description": "description",
    "autorecorded": "autorecorded",
    "accessCode": "access_code",
    "moderatorCode": "moderator_code",
    "quickstart": "quickstart",
    "video": "video",
    "sendActiveVideoOnly": "active_video_only",
    "maxMembers": "max_members",
    "moh": "moh",
    "playEntryToneEnabled": "entry_tone",
    "playExitToneEnabled": "exit_tone",
    "recordAndPlayNameOnEntryEnabled": "name_on_entry",
    "recordAndPlayNameOnExitEnabled": "name_on_exit",
}
"""The members of ``setting`` in their order, and what they are of `Conference`."""

_ANY = Conference(0, "", "")
"""Of what type each member is."""


def add_conferences_routes(
    app: Klein, authenticator: Authenticator, conferences: Conferences
) -> None:
    """Add the list, the settings of each, and what a running conference would be asked."""

    @app.route(PATH, methods=["GET"])
    async def get_conferences(request: Request) -> bytes:
        user = await authenticator.user(request)
        form = choose(request, XML, JSON)
        found = [_listed(conference) for conference in conferences.of(user)]
        body = write_document(form, "conferences", Items("conference", found))
        return answer(request, 200, body, form)

    @app.route(PATH, methods=["PUT"])
    async def put_nothing(request: Request) -> bytes:
        await authenticator.user(request)
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<conference>", methods=["GET"])
    async def get_conference(request: Request, conference: str) -> bytes:
        user = await authenticator.user(request)
        form = choose(request, XML, JSON)
        body = write_document(form, "setting", _settings(conferences.own(user, conference)))
        return answer(request, 200, body, form)

    @app.route(f"{PATH}/<conference>", methods=["PUT"])
    async def put_conference(request: Request, conference: str) -> bytes:
        user = await authenticator.user(request)
        present = conferences.own(user, conference)
        document = read_document(request, "setting", _MEMBERS)
        changes = _read(document)

        def change(old: Conference) -> Conference:
            return attrs.evolve(conferences.own(user, old.name), **changes)

        try:
            await shield(conferences.change(present.id, change))
        except BadInput as error:
            named = {field: name for name, field in _MEMBERS.items()}
            name = named.get(error.field or "")
            field = error.field if name is None else document.path_to(name)
            raise BadInput(error.detail, field=field) from None
        return empty_answer(request, 200)

    @app.route(f"{MY}/conferencedetails/<conference>", methods=["GET"])
    async def get_details(request: Request, conference: str) -> bytes:
        conferences.own(await authenticator.user(request), conference)
        raise HttpProblem(406, f"The conference is not running. {NO_SERVER}.")

    @app.route(f"{MY}/conference/<conference>", methods=["GET"])
    async def get_no_command(request: Request, conference: str) -> bytes:
        conferences.own(await authenticator.user(request), conference)
        raise BadInput("The command is missing: it follows the name of the conference.")

    @app.route(f"{MY}/conference/<conference>/<command>", methods=["GET"])
    async def get_command(request: Request, conference: str, command: str) -> bytes:
        conferences.own(await authenticator.user(request), conference)
        name, _, arguments = command.partition("&")
        if name in WITH_ARGUMENT and not arguments:
            raise BadInput(f"{name} lacks whom to invite: {name}&NUMBER.")
        raise HttpProblem(501, f"{NO_SERVER}.")


def _listed(conference: Conference) -> dict[str, Any]:
    return {
        "enabled": conference.enabled,
        "name": conference.name,
        "description": conference.description or None,
        "extension": conference.extension,
        "accessCode": conference.access_code or None,
    }


def _settings(conference: Conference) -> dict[str, Any]:
    """Texts that are not set are left out."""
    document = {name: getattr(conference, field) for name, field in _MEMBERS.items()}
    return {name: None if value == "" else value for name, value in document.items()}


def _read(document: Node) -> dict[str, Any]:
    """What the document has of the settings. Raises BadInput."""
    changes: dict[str, Any] = {}
    for name, field in _MEMBERS.items():
        if document.member(name) is None:
            continue
        match getattr(_ANY, field):
            case bool():
                changes[field] = document.flag(name, False)
            case int():
                changes[field] = document.number(name, 0, 0, MAX_MEMBERS)
            case _:
                changes[field] = document.text(name)
    return changes
