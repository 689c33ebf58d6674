"""Writes the page of sipXcom's resources, from their list and the routes of this very release."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.task import Clock

from sipxd.config import parse
from sipxd.web.services import Services
from sipxd.web.site import build_controller_site, build_site

LIST = Path(__file__).parent.parent / "sipxcom.toml"
PAGE = "sipxcom-api.rst"
ABSENT = ".absent."
"""In the endpoints of what is answered 501 because its sub-system is not there."""
_VARIABLE = re.compile(r"<(?:\w+:)?\w+>|\{\w+\}")


@attrs.frozen
class Resource:
    """A resource of sipXcom's interface."""

    part: str
    path: str
    methods: tuple[str, ...] = attrs.field(converter=lambda text: tuple(text.split()))
    who: str
    note: str = ""
    absent: str = ""
    """Why no route leads to it."""

    @property
    def whole(self) -> str:
        """Its path, from the first slash on."""
        return self.path if self.path.startswith("/") else f"/sipxconfig/{self.path}"


@attrs.frozen
class State:
    """A resource, and what the routes say of it."""

    resource: Resource
    missing: tuple[str, ...]
    """Methods to which no route leads."""
    refused: bool
    """Whether its sub-system is not there, and it is answered 501."""

    @property
    def told(self) -> str:
        """In words."""
        if len(self.missing) == len(self.resource.methods):
            return "Not there"
        return "501, with a sentence" if self.refused else "There"


def resources() -> list[Resource]:
    """All of them, in the order of the list."""
    with LIST.open("rb") as file:
        parts = tomllib.load(file)["part"]
    return [Resource(part=part["name"], **each) for part in parts for each in part["resources"]]


def routes() -> dict[tuple[str, str], str]:
    """The endpoint of each method and path, variables as ``{}``."""
    # Routes are made without asking the services for anything.
    nothing: dict[str, Any] = dict.fromkeys(attrs.fields_dict(Services))
    services = Services(**nothing | {"config": parse('domain = "example.org"')})
    found = {}
    for build in (build_controller_site, build_site):
        resource: Any = build(services, reactor=Clock()).resource
        for rule in resource._app.url_map.iter_rules():
            for method in rule.methods:
                found[method, plain(rule.rule)] = rule.endpoint
    return found


def plain(path: str) -> str:
    """A path whose variables have no names."""
    return _VARIABLE.sub("{}", path)


def states() -> list[State]:
    """What the routes say of every resource."""
    known = routes()
    found = []
    for resource in resources():
        keys = [(method, plain(resource.whole)) for method in resource.methods]
        missing = tuple(key[0] for key in keys if key not in known)
        there = [known[key] for key in keys if key in known]
        refused = bool(there) and all(ABSENT in endpoint for endpoint in there)
        found.append(State(resource, missing, refused))
    return found


def page(found: Iterable[State]) -> str:
    """The page as reStructuredText."""
    lines = [
        "sipXcom's resources, one by one",
        "===============================",
        "",
        "Every resource of sipXcom's public interface and what it is here, as the routes of this",
        "release have it. Where a sub-system is not there, the resource is answered 501 with a",
        "sentence that names the sub-system, and the place where its work is done instead.",
    ]
    part = ""
    for state in found:
        resource = state.resource
        if resource.part != part:
            part = resource.part
            lines += ["", part, "-" * len(part), "", ".. list-table::", "   :header-rows: 1"]
            lines += ["   :widths: 45 15 15 25", ""]
            lines += _row("Resource", "Methods", "Who", "State")
        lines += _row(
            f"``{resource.whole}``", " ".join(resource.methods), resource.who, _sentence(state)
        )
    return "\n".join(lines) + "\n"


def _sentence(state: State) -> str:
    told = [state.told, state.resource.absent, state.resource.note]
    if 0 < len(state.missing) < len(state.resource.methods):
        told.append(f"Without {' and '.join(state.missing)}")
    return " ".join(f"{text.removesuffix('.')}." for text in told if text)


def _row(*cells: str) -> list[str]:
    return [f"   {' ' if number else '*'} - {cell}" for number, cell in enumerate(cells)]


def write(app: Any) -> None:
    """Write the page where Sphinx is about to read; where it is as it was, it stays."""
    path = Path(app.srcdir) / PAGE
    text = page(states())
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
