"""The endpoints of the services, and the WSDL (contract 11.1).

What a handler raises of `sipxd.errors` becomes a fault; who asks is found out as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from klein import Klein
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request

from sipxd.errors import BadInput, SipxdError
from sipxd.web.auth import Authenticator, shield
from sipxd.web.problems import HttpProblem, answer, log_defect
from sipxd.web.soap.envelope import (
    Code,
    Fault,
    Message,
    Version,
    read_message,
    write_answer,
    write_fault,
)
from sipxd.web.soap.schema import PATH, Description, Operation, load
from sipxd.web.soap.values import Values, read

log = Logger()

Handler = Callable[[Values], Awaitable[Values | None]]
"""Is given the members of the element in the body, and gives those of the answer's."""
Handlers = Mapping[str, Handler]
"""The handlers of a service, by the names of its operations."""

NO_MEMBERS: Values = {}
_WORD = re.compile(r"[a-z_]+")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}", re.ASCII)


class Endpoints:
    """Adds the services; ``host`` is what the WSDL says where a request names none."""

    def __init__(self, app: Klein, authenticator: Authenticator, host: str) -> None:
        self._app = app
        self._authenticator = authenticator
        self._host = host
        self._description = load()

    def add(self, service: str, handlers: Handlers, elements: Mapping[str, str]) -> None:
        """Add a service with its WSDL.

        ``elements`` are the names that elements have where errors call them otherwise.
        """
        path = f"{PATH}/{service}"

        async def get_wsdl(request: Request) -> bytes:
            await self._authenticator.administrator(request)
            # Twisted's own reading of the query leaves out what has no "=".
            names = (each.partition(b"=")[0] for each in _query(request).split(b"&"))
            if b"wsdl" not in map(bytes.lower, names):
                raise HttpProblem(
                    405, "Ask by POST, or for the WSDL with ?wsdl.", {b"Allow": b"POST"}
                )
            body = self._description.wsdl(self._host_of(request))
            return answer(request, 200, body, b"text/xml; charset=utf-8")

        async def post(request: Request) -> bytes:
            await self._authenticator.administrator(request)
            return await self._answer(request, service, handlers, elements)

        get_wsdl.__qualname__ = f"get_wsdl.{service}"  # the router knows handlers by it
        post.__qualname__ = f"post.{service}"
        self._app.route(path, methods=["GET"])(get_wsdl)
        self._app.route(path, methods=["POST"])(post)

    async def _answer(
        self, request: Request, service: str, handlers: Handlers, elements: Mapping[str, str]
    ) -> bytes:
        version = Version.SOAP_11

        async def turn() -> None:
            await deferLater(request.site.reactor, 0)  # type: ignore[union-attr]

        try:
            message = await read_message(request.content.read(), turn)  # type: ignore[union-attr]
            version = message.version
            operation, values = _read(self._description, service, message)
            told = await shield(_run(handlers[operation.name], values))
            body = await write_answer(
                version, self._description, operation.output, told or NO_MEMBERS, turn
            )
        except Exception as error:
            return self._refuse(request, version, _fault(error, elements))
        return answer(request, 200, body, version.content_type)

    def _refuse(self, request: Request, version: Version, fault: Fault) -> bytes:
        """Answer with a fault: 500 as SOAP 1.1 has it, and 400 where 1.2 blames the sender."""
        client = version is Version.SOAP_12 and fault.code is Code.SENDER
        body = write_fault(version, fault, self._host)
        return answer(request, 400 if client else 500, body, version.content_type)

    def _host_of(self, request: Request) -> str:
        host = (request.getHeader(b"host") or b"").decode("latin-1")
        return host if _HOST.fullmatch(host) else self._host


def _query(request: Request) -> bytes:
    """What stands behind the question mark."""
    uri: bytes = request.uri
    return uri.partition(b"?")[2]


def _fault(error: Exception, elements: Mapping[str, str]) -> Fault:
    """The fault that tells of an error."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, SipxdError):
        return Fault(_sentence(error, elements), kind=type(error).__name__)
    number = log_defect(Failure())
    sentence = f"The log of the daemon has this error under {number}."
    return Fault(sentence, Code.RECEIVER, "InternalError")


def _sentence(error: SipxdError, elements: Mapping[str, str]) -> str:
    """What is wrong, with the name of the element where it is another than the error's own."""
    field, detail = error.field or "", error.detail
    element = _WORD.sub(lambda word: elements.get(word[0], word[0]), field)
    if element == field:
        return detail
    if detail.startswith(f"{field} "):
        return f"{element}{detail[len(field) :]}"
    return f"{element}: {detail}"


async def _run(handler: Handler, values: Values) -> Values | None:
    return await handler(values)


def _read(
    description: Description, service: str, message: Message
) -> tuple[Operation, dict[str, Any]]:
    """The operation that is asked for, and what it is given. Raises `Fault`, BadInput."""
    operations = description.ports[service]
    element = message.element
    if element is None:
        empty = [each for each in operations.values() if each.input is None]
        if not empty:
            raise Fault(f"The Body is empty; {service} needs the element of an operation.")
        return empty[0], {}
    operation = operations.get(element.name)
    if operation is None:
        known = ", ".join(sorted({each.name for each in operations.values()}))
        raise Fault(f"{service} has no operation {element.name[:40]!a}; it has {known}.")
    if element.namespace not in ("", description.namespace):
        raise BadInput(f"{element.name} is in the namespace {element.namespace[:80]!a}")
    if operation.input is None:
        return operation, {}
    return operation, read(description, operation.input, element)
