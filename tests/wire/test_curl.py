"""The documented command line, word for word, against both ways to start the daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from curl import curl_call
from daemon import TWISTD, Daemon
from roles import answered_by, joined, picked_up
from sipp import Phone
from steps import hang_up, hung_up, pause

PIN = "pin4711Zk"


@pytest.fixture(params=["sipxd run", "twistd"])
def fresh(request: pytest.FixtureRequest, make_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon of its own with the users 200 and 201, added by the command before it runs."""
    daemon = make_daemon()
    for name, password in (("200", "sip-Pw-of-200"), ("201", "sip-Pw-of-201")):
        daemon.command("user", "add", name, "--pin", PIN, "--sip-password", password)
        daemon.know_user(name, PIN, password)
    if request.param == "twistd":
        daemon.start(str(TWISTD), "-n", "sipxd", "--config", str(daemon.config))
    else:
        daemon.start()
    return daemon


def test_curl_makes_the_call(fresh: Daemon, tmp_path: Path) -> None:
    a, b = (Phone(tmp_path, fresh, name) for name in ("200", "201"))
    try:
        a.register()
        b.register()
        a.start(picked_up(a), joined(a, b), hung_up())
        b.start(answered_by(b, a), pause(200), hang_up())
        assert curl_call(fresh, "200", "201")
        a.finish()
        b.finish()
    finally:
        a.stop()
        b.stop()
