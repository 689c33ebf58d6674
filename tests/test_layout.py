"""What setup.cfg says about the tree is true: packages, dependencies, Debian packages."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROVIDED = {"OpenSSL": "pyopenssl", "_pytest": "pytest"}
"""Import names whose package has another name, where the metadata does not say it."""


def described() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def names(requirements: str) -> set[str]:
    """The names of a list of requirements, normalised."""
    lines = (line for line in requirements.splitlines() if line.strip())
    return {normal(re.split(r"[\s\[<>=~!]", line.strip(), maxsplit=1)[0]) for line in lines}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: str) -> Iterator[tuple[Path, str]]:
    """Every top-level name that a module below the folder imports."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield path, alias.name.partition(".")[0]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield path, node.module.partition(".")[0]


def undeclared(folder: str, declared: set[str]) -> set[str]:
    distributions = packages_distributions()
    own = {"sipxd", *(path.stem for path in (ROOT / folder).rglob("*.py"))}
    own |= {path.name for path in (ROOT / folder).iterdir() if path.is_dir()}
    return {
        f"{path.relative_to(ROOT)} imports {name}"
        for path, name in imported(folder)
        if name not in sys.stdlib_module_names and name not in own and not name.startswith(folder)
        if not declared
        & {normal(PROVIDED.get(name, name)), *map(normal, distributions.get(name, []))}
    }


def test_every_package_is_listed() -> None:
    listed = set(described()["options"]["packages"].split())
    present = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "sipxd").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert listed == present | {"twisted.plugins"}


def test_every_import_of_the_daemon_is_a_declared_dependency() -> None:
    options = described()["options"]
    optional = described()["options.extras_require"]["postgresql"]
    assert not undeclared("sipxd", names(options["install_requires"]) | names(optional))


def test_every_import_of_the_tests_is_a_declared_dependency() -> None:
    options, extras = described()["options"], described()["options.extras_require"]
    declared = names(options["install_requires"]) | names(extras["test"])
    assert not undeclared("tests", declared | names(extras["postgresql"]))


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "sipxd").rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_tests_are_no_packages() -> None:
    """They are imported by path; an ``__init__.py`` would let two of the same name collide."""
    assert not list((ROOT / "tests").rglob("__init__.py"))
