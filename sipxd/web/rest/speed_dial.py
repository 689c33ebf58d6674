"""``/my/speeddial``: the buttons of a user's telephones (contract 3.15). JSON only."""

from __future__ import annotations

from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.directory.permission import PRESENCE
from sipxd.directory.speed_dial import MAX_BUTTONS, Button, SpeedDial
from sipxd.directory.user import User
from sipxd.service.settings import Settings
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import empty_answer, json_answer, read_plain, require_json_accepted
from sipxd.web.problems import HttpProblem

PATH = "/sipxconfig/rest/my/speeddial"


def add_speed_dial_routes(app: Klein, authenticator: Authenticator, settings: Settings) -> None:
    """Add the document of the one who asks."""

    @app.route(PATH, methods=["GET"])
    async def get_speed_dial(request: Request) -> bytes:
        user = await authenticator.user(request)
        require_json_accepted(request)
        return json_answer(request, 200, _document(await settings.speed_dial(user), user))

    @app.route(PATH, methods=["PUT"])
    async def put_speed_dial(request: Request) -> bytes:
        user = await authenticator.user(request)
        document = read_plain(request)
        of_group = document.flag("groupSpeedDial", False)
        buttons = None if of_group else _read_buttons(document)
        if document.flag("updatePhones", False):
            raise HttpProblem(
                501,
                "The provisioning of telephones is no part of sipxd, so no telephone is given its "
                "buttons from here; leave updatePhones out to store them.",
            )
        await shield(settings.set_speed_dial(user, buttons))
        return empty_answer(request, 200)


def _document(speed_dial: SpeedDial, user: User) -> dict[str, Any]:
    return {
        "buttons": [
            {
                "label": button.label,
                "number": button.number,
                "blf": button.blf,
                "name": f"{button.label}={button.number}",
            }
            for button in speed_dial.buttons
        ],
        "groupSpeedDial": speed_dial.of_group,
        "updatePhones": None,
        "canSubscribeToPresence": PRESENCE in user.permissions,
    }


def _read_buttons(document: Node) -> list[Button]:
    return [
        Button(
            node.text("label"),
            node.needed("number").as_text(),
            node.flag("blf", False),
        )
        for node in document.list("buttons", "button", MAX_BUTTONS)
    ]
