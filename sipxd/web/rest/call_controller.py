"""``/callcontroller/{calling}/{called}``: a call of two parties, and how it goes (contract 6.1)."""

from __future__ import annotations

import math
from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.directory.user import User
from sipxd.errors import BadInput, Conflict, Forbidden, NotFound
from sipxd.service.call_controller import Asked, Course
from sipxd.web.auth import Authenticator, address, shield
from sipxd.web.negotiate import XML, choose, empty_answer, parameter
from sipxd.web.problems import answer
from sipxd.web.services import CallController
from sipxd.xml import Items, write_xml

NAMESPACE = "http://www.sipfoundry.org/sipX/schema/xml/call-status-00-00"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
CACHE_SECONDS = 180.0


def add_call_controller_routes(
    app: Klein, authenticator: Authenticator, controller: CallController, prefix: str
) -> None:
    """Add ``POST`` and ``GET`` under ``prefix``."""
    path = f"{prefix}/callcontroller/<calling>/<called>"

    async def agent(request: Request, calling: str) -> User:
        named = parameter(request, "agent")
        name = calling.partition("@")[0] if named is None else named
        return await authenticator.user_called(request, name)

    @app.route(path, methods=["POST"])
    async def post_call(request: Request, calling: str, called: str) -> bytes:
        user = await agent(request, calling)
        method = (parameter(request, "sipMethod") or "refer").lower()
        action = (parameter(request, "action") or "call").lower()
        if method not in ("refer", "invite"):
            return _failed(request, 406, "sipMethod is refer or invite")
        if action not in ("call", "transfer"):
            raise BadInput("action is call or transfer.", field="action")
        try:
            if action == "transfer":
                target = parameter(request, "target")
                if not target:
                    raise BadInput("A transfer needs a target.", field="target")
                controller.transfer(user, calling, called, target)
            else:
                asked = _asked(request, invite=method == "invite")
                source = address(request)
                await shield(controller.start(user, calling, called, asked, source=source))
        except Forbidden as error:
            return _failed(request, 403, error.detail)
        except (Conflict, NotFound) as error:
            if action == "call" and isinstance(error, NotFound):
                raise
            return _failed(request, 406, error.detail)
        return empty_answer(request, 200)

    @app.route(path, methods=["GET"])
    async def get_course(request: Request, calling: str, called: str) -> bytes:
        user = await agent(request, calling)
        choose(request, XML)
        course = controller.course(user, calling, called)
        return answer(request, 200, b"" if course is None else _document(course), XML)


def _asked(request: Request, *, invite: bool) -> Asked:
    return Asked(
        invite=invite,
        seconds=_seconds(request, "timeout"),
        subject=parameter(request, "subject") or "",
        follow=(parameter(request, "isForwardingAllowed") or "false").lower() == "true",
        remembered=_seconds(request, "resultCacheTime") or CACHE_SECONDS,
        pin=parameter(request, "confpin") or "",
    )


def _seconds(request: Request, name: str) -> float | None:
    text = parameter(request, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadInput(f"{name} is a number of seconds.", field=name)
    return float(text)


def _document(course: Course) -> bytes:
    if course.asked.invite:
        root, item = "dialogs", "dialog"
        values: list[Any] = [
            {
                "dialog-id": dialog.id,
                "local-party": dialog.local,
                "remote-party": dialog.remote,
                "dialog-state": dialog.state,
            }
            for dialog in course.dialogs
        ]
    else:
        root, item = "status-lines", "status"
        values = [
            {
                "timestamp": math.floor(line.at * 1000),
                "call-id": course.record.id,
                "method": line.method,
                "status-line": line.text,
            }
            for line in course.lines
        ]
    return write_xml(root, Items(item, values), namespace=NAMESPACE)


def _failed(request: Request, status: int, sentence: str) -> bytes:
    document = {"error-flag": "ERROR", "error-code": 403, "error-text": sentence}
    body = write_xml("processing-status", document, namespace=NAMESPACE)
    return answer(request, status, DECLARATION + body, XML)
