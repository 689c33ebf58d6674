"""Resources of others: a plug-in adds them without a change of sipxd.

A plug-in is a function behind an entry point of the group ``sipxd.resources``; the configuration
names those that are used (``[web] plugins``).  It is given `Resources`, with everything that our
own resources have: the services, who asks, and the negotiation of what is told.  A package that
shows how is in ``docs/examples/``.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from importlib import metadata
from typing import Any, TypeVar

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.user import User
from sipxd.errors import ConfigError
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    empty_answer,
    parameter,
    read_document,
    read_json,
    write_document,
)
from sipxd.web.problems import answer
from sipxd.web.services import Services

GROUP = "sipxd.resources"
"""The group of entry points."""
TEXT = b"text/plain; charset=utf-8"

T = TypeVar("T")


class Role(enum.Enum):
    """Who may use a resource; everybody else is answered 401 or 403."""

    USER = "user"
    ADMINISTRATOR = "administrator"


@attrs.frozen
class Asked:
    """One request: who asks, and for what."""

    user: User
    path: Mapping[str, str]
    """The variable parts of the path, by their names."""
    request: Request

    def parameter(self, name: str) -> str | None:
        """A parameter of the query, given at most once. Raises BadInput."""
        return parameter(self.request, name)

    def json(self, shape: type[T]) -> T:
        """The body as ``shape``, an attrs class. Raises BadInput, naming what is wrong."""
        return read_json(self.request, shape)

    def document(self, root: str, members: Container[str]) -> Node:
        """The body in sipXcom's way: XML or JSON, with ``members`` in ``root``. Raises BadInput."""
        return read_document(self.request, root, members)


Handler = Callable[[Asked], Awaitable[Any]]
"""Gives None (an empty 200), a text, or a mapping or `sipxd.xml.Items` to be told in XML or JSON.

It may raise the errors of `sipxd.errors`, which become 4xx; whatever else it raises is a 500.  What
it has begun is finished even where the client goes away.
"""


class Resources:
    """Where a plug-in adds its resources."""

    def __init__(self, app: Klein, authenticator: Authenticator, services: Services) -> None:
        self.services = services
        self._app = app
        self._authenticator = authenticator
        self._name = ""

    def add(
        self,
        path: str,
        handler: Handler,
        *,
        methods: Iterable[str] = ("GET",),
        role: Role = Role.USER,
        root: str = "answer",
    ) -> None:
        """Have ``handler`` answer ``methods`` of ``path``; ``<name>`` in it is a variable part.

        ``root`` is the name around what is told.  Raises ConfigError where the path is taken.
        """
        wanted = sorted(methods)
        for rule in self._app.url_map.iter_rules():
            if rule.rule == path and (rule.methods is None or rule.methods & set(wanted)):
                raise ConfigError(f"the plug-in {self._name} adds {path}, which is there already")
        find = {Role.USER: self._authenticator.user}.get(role, self._authenticator.administrator)

        async def carry_out(request: Request, **path: str) -> bytes:
            user = await find(request)
            told = await shield(_awaited(handler(Asked(user, path, request))))
            if told is None:
                return empty_answer(request, 200)
            if isinstance(told, str):
                return answer(request, 200, told.encode(), TEXT)
            form = choose(request, XML, JSON)
            return answer(request, 200, write_document(form, root, told), form)

        # The router knows handlers by their names.
        carry_out.__qualname__ = f"{self._name} {' '.join(wanted)} {path}"
        self._app.route(path, methods=wanted)(carry_out)

    def load(self, names: Iterable[str]) -> None:
        """Have the plug-ins of these names add theirs. Raises ConfigError with the way out."""
        found = {point.name: point for point in metadata.entry_points(group=GROUP)}
        for name in names:
            if name not in found:
                known = ", ".join(sorted(found)) or "none"
                raise ConfigError(
                    f"[web] plugins names {name!r}, which is not installed; installed: {known}"
                )
            self._name = name
            try:
                found[name].load()(self)
            except ConfigError:
                raise
            except Exception as error:
                raise ConfigError(
                    f"the plug-in {name} cannot be used: {type(error).__name__}: {error}"
                ) from error


async def _awaited(told: Awaitable[T]) -> T:
    return await told
