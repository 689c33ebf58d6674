"""The document that sipXcom's resources for administrators answer with (contract 4.0).

Every PUT, every DELETE and every failed GET is answered with it, as XML whatever the client takes.
One thing is different: where the client is at fault the status is one of 400 to 409, never 500.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.errors import BadInput, Conflict, Forbidden, NotFound, SipxdError
from sipxd.web.auth import Authenticator
from sipxd.web.negotiate import XML
from sipxd.web.problems import answer
from sipxd.xml import write_xml

REST = "/sipxconfig/rest"

_ID = re.compile(r"[0-9]{1,9}", re.ASCII)

Handler = Callable[..., Awaitable[bytes]]


@attrs.frozen
class Result:
    """How it went."""

    code: str
    message: str
    status: int


CREATED = Result("SUCCESS_CREATED", "Created", 201)
UPDATED = Result("SUCCESS_UPDATED", "Updated", 200)
DELETED = Result("SUCCESS_DELETED", "Deleted", 200)
MISSING_ID = Result("ERROR_MISSING_ID", "ID value missing from request", 400)
NOT_FOUND = Result("ERROR_OBJECT_NOT_FOUND", "Could not retrieve object using ID", 400)
ID_INVALID = Result("ERROR_ID_INVALID", "ID value is invalid", 400)
INVALID = Result("ERROR_VALIDATION_FAILED", "Failed input validation", 400)
READ_FAILED = Result("ERROR_READ_FAILED", "Read failed", 400)
CREATE_FAILED = Result("ERROR_CREATE_FAILED", "Create failed", 400)
UPDATE_FAILED = Result("ERROR_UPDATE_FAILED", "Update failed", 400)
DELETE_FAILED = Result("ERROR_DELETE_FAILED", "Delete failed", 400)

_STATUSES: dict[type[SipxdError], int] = {Conflict: 409, Forbidden: 403, NotFound: 400}
"""What is told with the code that the handler fails with; the status is HTTP's word for it."""


class Refusal(Exception):
    """The end of a request with that document; ``data`` are its ``id``, ``string`` and
    ``additionalMessage``, in the order in which they shall stand."""

    def __init__(self, result: Result, **data: int | str) -> None:
        super().__init__(result.message)
        self.result = result
        self.data = data


def refuse(result: Result, **data: int | str) -> NoReturn:
    """Raise a `Refusal`."""
    raise Refusal(result, **data)


def result_answer(request: Request, result: Result, status: int = 0, /, **data: int | str) -> bytes:
    """Answer with the document; without ``status`` with the usual one of ``result``."""
    document = {
        "code": result.code,
        "message": result.message,
        "data": data or None,
    }
    return answer(request, status or result.status, write_xml("response", document), XML)


def read_id(text: str) -> int:
    """The id in a path or parameter. Raises `Refusal`."""
    if not _ID.fullmatch(text):
        refuse(ID_INVALID, additionalMessage=text[:80])
    return int(text)


class AdministratorRoutes:
    """Adds resources that are for administrators, and answer so."""

    def __init__(self, app: Klein, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    def add(self, method: str, path: str, failed: Result) -> Callable[[Handler], Handler]:
        """Add a handler below ``/sipxconfig/rest``; ``failed`` is told where a service refuses."""

        def decorate(handler: Handler) -> Handler:
            @functools.wraps(handler)
            async def handle(request: Request, **variables: str) -> bytes:
                await self._authenticator.administrator(request)
                try:
                    return await handler(request, **variables)
                except Refusal as refusal:
                    return result_answer(request, refusal.result, 0, **refusal.data)
                except BadInput as error:
                    return result_answer(request, INVALID, additionalMessage=error.detail)
                except (Conflict, Forbidden, NotFound) as error:
                    data = _named(variables) | {"additionalMessage": error.detail}
                    return result_answer(request, failed, _STATUSES[type(error)], **data)

            added: Handler = self._app.route(f"{REST}/{path}", methods=[method])(handle)
            return added

        return decorate

    def needs_id(self, method: str, path: str) -> None:
        """Add the answer to a request whose path lacks the id."""

        async def refuse_without_id(request: Request) -> bytes:
            refuse(MISSING_ID)

        refuse_without_id.__qualname__ = f"refuse_without_id.{method}.{path}"
        self.add(method, path, MISSING_ID)(refuse_without_id)


def _named(variables: dict[str, str]) -> dict[str, Any]:
    """What is told of the object in the path."""
    if "id_text" in variables and _ID.fullmatch(variables["id_text"]):
        return {"id": int(variables["id_text"])}
    return {"string": variables["name"]} if "name" in variables else {}
