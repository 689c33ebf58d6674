"""The command itself: its commands, its help, and the look of its errors."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from sipxd import __version__
from sipxd.cli.main import COMMANDS, main


def run(*arguments: str) -> click.testing.Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = run(name, "--help")
    assert done.exit_code == 0, done.output
    assert "Options:" in done.output


def test_help_lists_every_command() -> None:
    assert all(f"  {name} " in run("--help").output for name in COMMANDS)


def test_version() -> None:
    assert run("--version").output == f"sipxd, version {__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    done = run("cal")
    assert done.exit_code == 2
    assert "No such command 'cal'" in done.output


@pytest.mark.parametrize("command", [("run",), ("check",), ("calls",), ("user", "list")])
def test_a_wrong_configuration_is_one_sentence_and_status_1(
    command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("wrong") / "sipxd.toml"
    path.write_text('domain = "example.test"\n[web]\nlissen = []\n')
    done = run(*command, "--config", str(path))
    assert done.exit_code == 1
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("sipxd: ")
    assert "did you mean web.listen?" in sentence


def test_the_environment_names_the_default_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIPXD_CONFIG", "/nowhere/sipxd.toml")
    done = run("check")
    assert done.exit_code == 1
    assert "there is no configuration file /nowhere/sipxd.toml" in done.stderr
