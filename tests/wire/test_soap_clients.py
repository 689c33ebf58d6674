"""Foreign SOAP clients, each of which reads and writes messages in its own way.

zeep runs every operation. SOAP::Lite for Perl, the stubs of Axis 1.4 for Java and Node's package
soap do what users and hunt groups need, and have to be told the same.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import pytest
from daemon import Daemon
from foreign_soap import Program, Zeep

USERS = {"perl": "5201", "java": "5202", "node": "5203"}
GROUPS = {"perl": "5301", "java": "5302", "node": "5303"}
MEMBERS = ("5211", "5212")

USER_LINES = """\
realm example.test
user {name} Ortiz Ben {name}@example.org {name}-a,{name}-b field-team
found 1
user {name} Ortiz Ben {name}@example.org {name}-a,{name}-b field-team
found 1
refused Server.userException *{name}*
user {name} Møller & Søn <Ltd> Ben {name}@example.org {name}-c night-shift
found 1
refused Server.userException *shoeSize*
found 0
"""
"""Added, found by name and by a part of an alias, added again, changed, changed wrongly, deleted;
a star stands for anything."""

GROUP_LINES = """\
refused Server.userException *Cannot find user with userName: nobody-{name}
found 0
group group-{name} {name} Sales & Støtte true
ring 0 5211 delayed 20
ring 1 5212 immediate 21
found 1
refused Server.userException *{name}*
found 0
"""
"""Added with a member who does not exist, added, added again, removed."""


@pytest.fixture(scope="module", params=["perl", "java", "node"])
def program(
    request: pytest.FixtureRequest,
    soap_daemon: Daemon,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Program]:
    """A language and the client in it."""
    language: str = request.param
    return language, Program(language, soap_daemon, tmp_path_factory.mktemp(language))


def assert_lines(told: list[str], expected: str) -> None:
    patterns = expected.splitlines()
    assert len(told) == len(patterns), "\n".join(told)
    for line, pattern in zip(told, patterns, strict=True):
        assert fnmatchcase(line, pattern), f"not {pattern!r}: {line!r}"


def test_users_are_added_found_changed_and_deleted(program: tuple[str, Program]) -> None:
    language, client = program
    name = USERS[language]
    assert_lines(client.run("users", name), USER_LINES.format(name=name))


@pytest.fixture(scope="module")
def members(soap_daemon: Daemon) -> tuple[str, ...]:
    """Users who are in hunt groups."""
    return tuple(soap_daemon.add_user(name) for name in MEMBERS)


def test_hunt_groups_are_added_listed_and_removed(
    program: tuple[str, Program], members: tuple[str, ...]
) -> None:
    language, client = program
    name = GROUPS[language]
    assert_lines(client.run("groups", name, *members), GROUP_LINES.format(name=name))
