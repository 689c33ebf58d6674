"""``/sipxconfig/api/orbits/``: the park orbits, which are stored only (8.7)."""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.park_orbit import SETTINGS, ParkOrbit
from sipxd.directory.setting import Value
from sipxd.errors import BadInput, NotFound
from sipxd.web.api.base import (
    API,
    administrator,
    id_answer,
    list_answer,
    number,
    object_answer,
    read_object,
    read_text,
)
from sipxd.web.api.settings import setting_document
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import empty_answer
from sipxd.web.services import ParkOrbits

PATH = f"{API}/orbits"
MEMBERS = ("name", "enabled", "extension", "description", "music", "server")
SERVER = "1"
"""The id of this server."""


def add_orbits_routes(
    app: Klein, authenticator: Authenticator, orbits: ParkOrbits, domain: str
) -> None:
    """Add the list, the orbits, those of one server, and the settings of each."""

    def present(orbit_id: str) -> ParkOrbit:
        return orbits.get(number(orbit_id, "park orbit"))

    def on(server: str) -> list[ParkOrbit]:
        name = domain if server == SERVER else server
        return [orbit for orbit in orbits.all() if orbit.server.lower() == name.lower()]

    @app.route(PATH, methods=["GET"])
    async def get_orbits(request: Request) -> bytes:
        await administrator(authenticator, request)
        return await list_answer(request, "Orbits", "Orbit", orbits.all(), _document)

    @app.route(PATH, methods=["POST"])
    async def post_orbit(request: Request) -> bytes:
        await administrator(authenticator, request)
        new = _read(read_object(request, "Orbit", MEMBERS), ParkOrbit(0, "", ""))
        return id_answer(request, (await shield(orbits.add(new))).id)

    @app.route(f"{PATH}/servers/<server>", methods=["GET"])
    async def get_of_server(request: Request, server: str) -> bytes:
        await administrator(authenticator, request)
        return await list_answer(request, "Orbits", "Orbit", on(server), _document)

    @app.route(f"{PATH}/servers/<server>", methods=["POST"])
    async def post_to_server(request: Request, server: str) -> bytes:
        await administrator(authenticator, request)
        new = _read(read_object(request, "Orbit", MEMBERS), ParkOrbit(0, "", ""))
        new = attrs.evolve(new, server=domain if server == SERVER else server)
        return id_answer(request, (await shield(orbits.add(new))).id)

    @app.route(f"{PATH}/servers/<server>", methods=["DELETE"])
    async def delete_of_server(request: Request, server: str) -> bytes:
        await administrator(authenticator, request)
        await shield(orbits.delete([orbit.id for orbit in on(server)]))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<orbit_id>", methods=["GET"])
    async def get_orbit(request: Request, orbit_id: str) -> bytes:
        await administrator(authenticator, request)
        return object_answer(request, "Orbit", present(orbit_id), _document)

    @app.route(f"{PATH}/<orbit_id>", methods=["PUT"])
    async def put_orbit(request: Request, orbit_id: str) -> bytes:
        await administrator(authenticator, request)
        orbit_number = present(orbit_id).id
        document = read_object(request, "Orbit", MEMBERS)
        await shield(orbits.change(orbit_number, lambda old: _read(document, old)))
        return id_answer(request, orbit_number)

    @app.route(f"{PATH}/<orbit_id>", methods=["DELETE"])
    async def delete_orbit(request: Request, orbit_id: str) -> bytes:
        await administrator(authenticator, request)
        await shield(orbits.delete([present(orbit_id).id]))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<orbit_id>/settings", methods=["GET"])
    async def get_settings(request: Request, orbit_id: str) -> bytes:
        await administrator(authenticator, request)
        orbit = present(orbit_id)
        values = [_value(orbit, path) for path in SETTINGS]
        return await list_answer(request, "Settings", "Setting", values, setting_document)

    @app.route(f"{PATH}/<orbit_id>/settings/<path:path>", methods=["GET"])
    async def get_setting(request: Request, orbit_id: str, path: str) -> bytes:
        await administrator(authenticator, request)
        value = _value(present(orbit_id), _known(path))
        return object_answer(request, "Setting", value, setting_document)

    @app.route(f"{PATH}/<orbit_id>/settings/<path:path>", methods=["PUT"])
    async def put_setting(request: Request, orbit_id: str, path: str) -> bytes:
        await administrator(authenticator, request)
        orbit_number, known = present(orbit_id).id, _known(path)
        try:
            value = SETTINGS[known].read(read_text(request))
        except ValueError as error:
            raise BadInput(f"{known} {error}.", field=known) from None

        def change(old: ParkOrbit) -> ParkOrbit:
            return attrs.evolve(old, settings={**old.settings, known: value})

        await shield(orbits.change(orbit_number, change))
        return empty_answer(request, 200)

    @app.route(f"{PATH}/<orbit_id>/settings/<path:path>", methods=["DELETE"])
    async def delete_setting(request: Request, orbit_id: str, path: str) -> bytes:
        await administrator(authenticator, request)
        orbit_number, known = present(orbit_id).id, _known(path)

        def change(old: ParkOrbit) -> ParkOrbit:
            rest = {path: value for path, value in old.settings.items() if path != known}
            return attrs.evolve(old, settings=rest)

        await shield(orbits.change(orbit_number, change))
        return empty_answer(request, 200)


def _document(orbit: ParkOrbit, form: bytes) -> dict[str, Any]:
    return {
        "id": orbit.id,
        "name": orbit.name,
        "enabled": orbit.enabled,
        "extension": orbit.extension,
        "description": orbit.description or None,
        "music": orbit.music or None,
        "server": orbit.server,
    }


def _read(document: Node, old: ParkOrbit) -> ParkOrbit:
    """``old`` with what the document has. Raises BadInput."""
    return attrs.evolve(
        old,
        name=document.text("name", old.name),
        enabled=document.flag("enabled", old.enabled),
        extension=document.text("extension", old.extension),
        description=document.text("description", old.description),
        music=document.text("music", old.music),
        server=document.text("server", old.server),
    )


def _value(orbit: ParkOrbit, path: str) -> Value:
    setting = SETTINGS[path]
    return Value(setting, orbit.settings.get(path, setting.default))


def _known(path: str) -> str:
    known = path.removesuffix("/")
    if known not in SETTINGS:
        raise NotFound(f"A park orbit has no setting {known[:80]!r}.")
    return known
