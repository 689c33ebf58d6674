"""The import rule: which package of sipxd may import which, read from the source.

``sip <- call <- service <- web``; ``sip <- net <- service``; ``sip, call, directory <- store <-
events <- service``; ``directory <- call``; ``app`` may import all; only ``tap`` and ``cli`` import
``app`` and the global reactor.  The core (sip, call, directory) does no IO and knows no Twisted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "sipxd"
CORE = {"sip", "call", "directory"}
LEAVES = {"errors", "ids"}
"""Modules without IO that everything may import."""
TOOLS = {"config", "config_values", "log", "metrics", "sdnotify", "xml"}
"""Modules that everything outside the core may import."""
CONFIGURED = "directory"
"""Gateways and routes are types of the domain, and sections of the configuration as they stand."""
EDGES = {"app", "cli", "tap"}

ALLOWED: dict[str, set[str]] = {
    "sip": set(),
    "directory": set(),
    "call": {"sip", "directory"},
    "net": {"sip"},
    "store": {"sip", "call", "directory"},
    "events": {"sip", "call", "directory", "store"},
    "service": {"sip", "call", "directory", "net", "store", "events"},
    "web": {"sip", "call", "directory", "net", "store", "events", "service"},
    "client": set(),
    # The test kit is phones on the same core and network.
    "testing": {"sip", "call", "directory", "net", "store", "events", "service", "web"},
    "app": {"sip", "call", "directory", "net", "store", "events", "service", "web"},
    "tap": {"app"},
    "cli": {
        *("sip", "call", "directory", "net", "store", "events", "service", "web"),
        *("app", "tap", "testing"),
    },
}
PURE_FORBIDDEN = {
    *("twisted", "klein", "treq", "sqlalchemy", "alembic", "OpenSSL"),
    *("asyncio", "selectors", "socket", "subprocess", "threading"),
}
"""The core takes time, randomness and bytes as arguments."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module below sipxd with its unit: the package or top module that it belongs to."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts != ("__init__",):
            yield parts[0], path


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything that a module imports, also inside functions."""
    package = ("sipxd", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += (node.module or "").split(".") if node.module else []
            for alias in node.names:
                yield node.lineno, ".".join([*base, alias.name])


def complaint(unit: str, name: str) -> str | None:
    """What is wrong with unit importing name; None when nothing is."""
    top, *rest = name.split(".")
    if top != "sipxd":
        if unit in CORE and top in PURE_FORBIDDEN:
            return f"the core does no IO: {name}"
        if name.startswith("twisted.internet.reactor") and unit not in {"tap", "cli"}:
            return "only tap and cli import the global reactor"
        if top == "klein" and unit != "web":
            return "only web imports klein"
        return None
    other = rest[0] if rest else "__init__"
    if other in {unit, "__init__", "__version__"} or other in LEAVES:
        return None
    if unit == "config" and other == CONFIGURED:
        return None
    if unit in LEAVES or unit in TOOLS:
        return None if unit in TOOLS and other in TOOLS else f"{unit} is a leaf: {name}"
    if other in TOOLS:
        return f"the core imports no {other}" if unit in CORE else None
    if other not in ALLOWED.get(unit, set()):
        return f"{unit} may not import {other}: {name}"
    return None


def test_every_module_imports_only_what_its_layer_may() -> None:
    broken = [
        f"{path.relative_to(ROOT.parent)}:{line}: {reason}"
        for unit, path in modules()
        for line, name in imported(path)
        if (reason := complaint(unit, name))
    ]
    assert not broken, "\n".join(broken)


def test_every_part_of_the_package_has_a_place_in_the_rule() -> None:
    known = {*ALLOWED, *LEAVES, *TOOLS}
    assert {unit for unit, _ in modules()} <= known


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("sip", "twisted.internet.defer"),
        ("sip", "sipxd.call.record"),
        ("call", "sipxd.config"),
        ("net", "sipxd.call.record"),
        ("net", "twisted.internet.reactor"),
        ("service", "sipxd.web.site"),
        ("service", "sipxd.app"),
        ("service", "klein"),
        ("web", "sipxd.app"),
        ("errors", "sipxd.sip.uri"),
        ("config", "sipxd.call.policy"),
        ("metrics", "sipxd.directory.gateway"),
    ],
)
def test_the_rule_notices(unit: str, name: str) -> None:
    assert complaint(unit, name)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("call", "sipxd.sip.uri"),
        ("sip", "sipxd.errors"),
        ("net", "sipxd.metrics"),
        ("web", "klein"),
        ("tap", "sipxd.app"),
        ("tap", "twisted.internet.reactor"),
        ("config", "sipxd.directory.gateway"),
    ],
)
def test_the_rule_permits(unit: str, name: str) -> None:
    assert complaint(unit, name) is None


def test_twisted_folder_holds_only_the_plugin() -> None:
    """An ``__init__.py`` there would hide Twisted itself."""
    folder = ROOT.parent / "twisted"
    assert [path.name for path in folder.rglob("*.py")] == ["sipxd_plugin.py"]
