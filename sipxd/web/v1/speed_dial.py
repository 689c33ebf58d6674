"""``/v1/user-groups/{name}/speed-dial``: buttons for members who have none themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import attrs
from klein import Klein
from msgspec import Meta
from twisted.web.server import Request

from sipxd.directory.speed_dial import MAX_BUTTONS, Button
from sipxd.service.settings import Settings
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer, json_answer, read_json, require_json_accepted
from sipxd.web.v1.values import Text

PATH = "/v1/user-groups/<name>/speed-dial"


@attrs.frozen
class NewButton:
    """A button of ``buttons``."""

    number: Text
    label: Text = ""
    blf: bool = False


@attrs.frozen
class NewSpeedDial:
    """The body of ``PUT``."""

    buttons: Annotated[list[NewButton], Meta(max_length=MAX_BUTTONS)]


def add_group_speed_dial_routes(
    app: Klein, authenticator: Authenticator, settings: Settings
) -> None:
    """Add the document."""

    @app.route(PATH, methods=["GET"])
    async def get_speed_dial(request: Request, name: str) -> bytes:
        await admit(request)
        return json_answer(request, 200, _document(await settings.speed_dial_of_group(name)))

    @app.route(PATH, methods=["PUT"])
    async def put_speed_dial(request: Request, name: str) -> bytes:
        await admit(request)
        new = read_json(request, NewSpeedDial)
        buttons = [Button(each.label, each.number, each.blf) for each in new.buttons]
        await shield(settings.set_speed_dial_of_group(name, buttons))
        return json_answer(request, 200, _document(buttons))

    @app.route(PATH, methods=["DELETE"])
    async def delete_speed_dial(request: Request, name: str) -> bytes:
        await admit(request)
        await shield(settings.set_speed_dial_of_group(name, None))
        return empty_answer(request, 204)

    async def admit(request: Request) -> None:
        await authenticator.administrator(request)
        require_json_accepted(request)


def _document(buttons: Sequence[Button]) -> dict[str, Any]:
    return {
        "buttons": [
            {"label": button.label, "number": button.number, "blf": button.blf}
            for button in buttons
        ]
    }
