"""A package that adds a resource: installed, named in the configuration, called by curl."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import Daemon

EXAMPLE = Path(__file__).parents[2] / "docs/examples/sipxd-lunch"
PATH = "/sipxconfig/rest/my/lunch"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the example is installed; daemons that are started find it."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "sipxd-lunch"
    subprocess.run(["cp", "-r", EXAMPLE, source], check=True)  # pip builds beside the source
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", target, source], check=True, timeout=120)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(target)
    yield target
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def test_a_plugin_answers_at_its_own_path_and_does_what_it_says(
    installed: Path, make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = make_daemon(web__plugins=["lunch"])
    daemon.command("user", "add", "200", "--pin", "pin4711Zk", "--sip-password", "sip-Pw-of-200")
    daemon.start()
    url = f"https://127.0.0.1:{daemon.web_port}{PATH}"

    def curl(*arguments: str, user: str = "200:pin4711Zk") -> str:
        done = subprocess.run(
            ["curl", "--silent", "--insecure", "-u", user, *arguments, url],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        return done.stdout

    assert curl("-H", "Accept: application/json") == '{"lunch":{"atLunch":false,"minutes":0}}'
    assert curl("-X", "PUT", "-d", "<lunch><minutes>45</minutes></lunch>") == ""
    assert curl() == "<lunch>\n  <atLunch>true</atLunch>\n  <minutes>45</minutes>\n</lunch>\n"
    assert "Do not disturb, until" in daemon.command("forward", "show", "200")
    refused = curl("-X", "PUT", "-d", "<lunch><minutes>1000</minutes></lunch>")
    assert '"status":400' in refused and "/lunch/minutes" in refused
    assert '"status":401' in curl(user="200:wrong")
    assert curl("-X", "DELETE") == ""
    assert "Do not disturb" not in daemon.command("forward", "show", "200")


def test_a_plugin_that_is_not_installed_keeps_the_daemon_from_starting_in_a_sentence(
    make_daemon: Callable[..., Daemon],
) -> None:
    daemon = make_daemon(web__plugins=["dinner"])
    with pytest.raises(AssertionError, match="names 'dinner', which is not installed; installed:"):
        daemon.start()
