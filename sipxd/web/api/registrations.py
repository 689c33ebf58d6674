"""``/sipxconfig/api/registrations/``: which phones are registered here (8.5)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.call.numbers import uri_user
from sipxd.errors import NotFound
from sipxd.sip.registrar import Binding
from sipxd.sip.uri import UriError, parse_uri
from sipxd.web.api.base import API, administrator, find_user, list_answer, page
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer
from sipxd.web.services import Accounts, Registrations

PATH = f"{API}/registrations"
SERVER = "1"
"""The id of this server, the only one."""

Which = Callable[[int, Binding], bool]
"""Whether the binding of the user with that id is meant."""


def add_registrations_routes(
    app: Klein,
    authenticator: Authenticator,
    accounts: Accounts,
    registrations: Registrations,
    domain: str,
) -> None:
    """Add the list of all, and parts of it, which can be dropped."""

    def document(found: tuple[str, Binding], form: bytes) -> dict[str, Any]:
        name, binding = found
        left = binding.expires_at - time.time()
        address = f"{uri_user(name)}@{domain}"
        return {
            "uri": f"sip:{address}",
            "contact": f"<{binding.uri}>",
            "expires": round(binding.expires_at),
            "primary": domain,
            "instrument": binding.user_agent or None,
            "regCallId": binding.call_id,
            "identity": address,
            "status": "active" if left > 0 else "expired",
            "secondsToExpire": max(0, round(left)),
        }

    async def told(request: Request, which: Which) -> bytes:
        found = [
            (user.name, binding)
            for user_id, binding in registrations.every()
            if which(user_id, binding) and (user := accounts.by_id(user_id)) is not None
        ]
        rows = found[page(request)]
        return await list_answer(request, "Registrations", "Registration", rows, document)

    async def tell_or_drop(request: Request, which: Which) -> bytes:
        if request.method == b"DELETE":
            await shield(registrations.drop(which))
            return empty_answer(request, 200)
        return await told(request, which)

    @app.route(PATH, methods=["GET"])
    async def get_all(request: Request) -> bytes:
        await administrator(authenticator, request)
        return await told(request, lambda user_id, binding: True)

    @app.route(f"{PATH}/user/<name>", methods=["GET", "DELETE"])
    async def of_user(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        return await tell_or_drop(request, lambda user_id, binding: user_id == user.id)

    @app.route(f"{PATH}/serialNo/<serial>", methods=["GET", "DELETE"])
    async def of_phone(request: Request, serial: str) -> bytes:
        """A phone does not tell its serial number when it registers, so it has none here."""
        await administrator(authenticator, request)
        return await tell_or_drop(request, lambda user_id, binding: False)

    @app.route(f"{PATH}/ip/<ip>", methods=["GET", "DELETE"])
    async def of_address(request: Request, ip: str) -> bytes:
        await administrator(authenticator, request)
        wanted = ip.strip("[]").lower()
        return await tell_or_drop(request, lambda user_id, binding: wanted in _addresses(binding))

    @app.route(f"{PATH}/callid/<path:call_id>", methods=["GET", "DELETE"])
    async def of_call_id(request: Request, call_id: str) -> bytes:
        await administrator(authenticator, request)
        wanted = call_id.removesuffix("/")
        return await tell_or_drop(request, lambda user_id, binding: binding.call_id == wanted)

    @app.route(f"{PATH}/server/<server>", methods=["GET", "DELETE"])
    async def of_server(request: Request, server: str) -> bytes:
        await administrator(authenticator, request)
        if server.lower() not in (SERVER, domain.lower()):
            raise NotFound(f"There is one server here, with the id {SERVER}, called {domain}.")
        return await tell_or_drop(request, lambda user_id, binding: True)


def _addresses(binding: Binding) -> set[str]:
    """Where the phone says that it is, and where its REGISTER came from."""
    found = {binding.flow.host.partition("%")[0].lower()}
    with contextlib.suppress(UriError):
        found.add(parse_uri(binding.uri).host.strip("[]").lower())
    return found
