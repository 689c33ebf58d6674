"""``/auto-attendant``: the attendants and the special one of them (contract 4.8).

No attendant answers callers here: a PBX beside sipxd does, where there is one.
"""

from __future__ import annotations

from klein import Klein
from twisted.web.server import Request

from sipxd.directory.attendant import ATTENDANTS
from sipxd.errors import NotFound
from sipxd.service.attendants import Attendants
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import JSON, XML, choose, empty_answer, write_document
from sipxd.web.problems import answer
from sipxd.xml import Items

PATH = "/sipxconfig/rest/auto-attendant"


def add_attendant_routes(app: Klein, authenticator: Authenticator, attendants: Attendants) -> None:
    """Add the list, the special attendant, and its mode."""

    @app.route(PATH, methods=["GET"])
    async def get_attendants(request: Request) -> bytes:
        await authenticator.attendant(request)
        form = choose(request, XML, JSON)
        special = await attendants.special()
        rows = [
            {
                "name": each.name,
                "systemId": each.system_id,
                "specialSelected": each.system_id == special.attendant,
            }
            for each in ATTENDANTS
        ]
        body = write_document(form, "autoAttendants", Items("autoAttendant", rows))
        return answer(request, 200, body, form)

    @app.route(f"{PATH}/<attendant>/special", methods=["PUT"])
    async def select(request: Request, attendant: str) -> bytes:
        await authenticator.attendant(request)
        await shield(attendants.select(attendant))
        return empty_answer(request, 204)

    @app.route(f"{PATH}/<attendant>/special", methods=["DELETE"])
    async def deselect(request: Request, attendant: str) -> bytes:
        await authenticator.attendant(request)
        await shield(attendants.deselect(attendant))
        return empty_answer(request, 204)

    @app.route(f"{PATH}/specialmode", methods=["GET"])
    async def get_mode(request: Request) -> bytes:
        await authenticator.attendant(request)
        form = choose(request, XML, JSON)
        document = {"specialMode": (await attendants.special()).mode}
        return answer(request, 200, write_document(form, "specialAttendant", document), form)

    @app.route(f"{PATH}/specialmode", methods=["PUT"])
    async def begin(request: Request) -> bytes:
        await authenticator.attendant(request)
        await shield(attendants.set_mode(True))
        return empty_answer(request, 204)

    @app.route(f"{PATH}/specialmode", methods=["DELETE"])
    async def end(request: Request) -> bytes:
        await authenticator.attendant(request)
        await shield(attendants.set_mode(False))
        return empty_answer(request, 204)

    @app.route(f"{PATH}/livemode/<code>", methods=["PUT", "DELETE"])
    async def set_live(request: Request, code: str) -> bytes:
        await authenticator.administrator(request)
        raise NotFound(
            f"There is no live attendant with the code {code[:40]!r}: attendants are the PBX's, "
            "beside sipxd."
        )
