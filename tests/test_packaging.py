"""The wheel: it carries everything, and a plain ``pip install`` of it gives a working sipxd."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program to its end, away from the source tree; returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git would hand out: nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source, cwd=folder)
    (built,) = folder.glob("sipxd-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    run(folder / "venv/bin/pip", "install", wheel, cwd=folder)
    return folder / "venv"


def test_the_wheel_carries_every_module(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "sipxd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sources <= packed
    assert any(name.startswith("sipxd/store/migrations/versions/") for name in packed)


def test_the_wheel_carries_the_plugin_and_nothing_else_of_twisted(wheel: Path) -> None:
    """A ``twisted/__init__.py`` in it would overwrite Twisted, and uninstalling would remove it."""
    packed = zipfile.ZipFile(wheel).namelist()
    plugin = "twisted/plugins/sipxd_plugin.py"
    assert [name for name in packed if name.startswith("twisted/")] == [plugin]


def test_the_wheel_carries_the_sample_configuration_and_the_unit(wheel: Path) -> None:
    packed = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("/data/etc/sipxd/sipxd.toml") for name in packed)
    assert any(name.endswith("/data/lib/systemd/system/sipxd.service") for name in packed)
    assert any(name.endswith("/LICENSE") for name in packed)


def test_twistd_finds_the_plugin(installed: Path) -> None:
    helped = run(installed / "bin/twistd", "--help", cwd=installed)
    assert any(line.split()[:1] == ["sipxd"] for line in helped.splitlines())
    assert "--config" in run(installed / "bin/twistd", "sipxd", "--help", cwd=installed)


def test_the_command_is_there_with_everything_that_it_needs(installed: Path) -> None:
    assert "sipxd, version" in run(installed / "bin/sipxd", "--version", cwd=installed)
    run(installed / "bin/python", "-c", "import sipxd.app, sipxd.tap", cwd=installed)


def test_the_installed_sample_configuration_is_accepted(installed: Path) -> None:
    script = (
        "import pathlib, sys, sipxd.config;"
        "sipxd.config.load(pathlib.Path(sys.prefix) / 'etc/sipxd/sipxd.toml')"
    )
    run(installed / "bin/python", "-c", script, cwd=installed)


def test_the_installed_migrations_make_a_database(installed: Path, tmp_path: Path) -> None:
    init = ("init", "--config", tmp_path / "sipxd.toml", "--state-dir", tmp_path / "state")
    run(installed / "bin/sipxd", *init, "--domain", "example.org", cwd=tmp_path)
    assert (tmp_path / "state/sipxd.sqlite").is_file()


def test_twisted_survives_the_removal(wheel: Path, installed: Path) -> None:
    """Last, because it takes sipxd away."""
    run(installed / "bin/pip", "uninstall", "--yes", "sipxd", cwd=installed)
    helped = run(installed / "bin/twistd", "--help", cwd=installed)
    assert not any(line.split()[:1] == ["sipxd"] for line in helped.splitlines())
