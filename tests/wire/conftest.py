"""What the tests against real programs share: running daemons, and telephones of fresh users."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The helpers lie beside the tests and are no package.
sys.path.append(str(Path(__file__).parent))

from daemon import Daemon, until
from roles import RING_TIMEOUT, TRUSTED, Pair
from sipp import Phone


@pytest.fixture(scope="session")
def make_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Daemon]]:
    """Make daemons, not yet started; at the end of the session every running one must be clean:
    nothing left open, nothing secret in its log, and an orderly exit."""
    made: list[Daemon] = []

    def make(**options: object) -> Daemon:
        daemon = Daemon(tmp_path_factory.mktemp("daemon"), **options)
        made.append(daemon)
        return daemon

    yield make
    try:
        for daemon in made:
            if daemon.is_running():
                daemon.wait_until_idle()
                daemon.stop()
            for secret in daemon.secrets():
                assert secret not in daemon.log(), f"the log holds the secret {secret}"
    finally:
        for daemon in made:
            daemon.kill()


@pytest.fixture(scope="session")
def daemon(make_daemon: Callable[..., Daemon]) -> Daemon:
    """The daemon that most tests share; each test brings its own users."""
    daemon = make_daemon(call__ring_timeout=RING_TIMEOUT, sip__trusted_peers=[TRUSTED])
    daemon.start()
    return daemon


_names = itertools.count(3001)


@pytest.fixture
def new_user(daemon: Daemon) -> Callable[[], str]:
    """Create a user whom no other test knows."""
    return lambda: daemon.add_user(str(next(_names)))


@pytest.fixture
def make_phone(daemon: Daemon, tmp_path: Path) -> Iterator[Callable[[str], Phone]]:
    """Make unregistered phones of users; they end with the test."""
    made: list[Phone] = []

    def make(user: str) -> Phone:
        phone = Phone(tmp_path, daemon, user)
        made.append(phone)
        return phone

    yield make
    for phone in made:
        phone.stop()


@pytest.fixture
def pair(
    daemon: Daemon, new_user: Callable[[], str], make_phone: Callable[[str], Phone]
) -> Iterator[Pair]:
    """A caller and a callee; afterwards no call is left."""
    caller, callee = (make_phone(new_user()).register() for _ in range(2))
    yield Pair(caller, callee, daemon.client(caller.user))
    # A connection of its own: the daemon closes one that was idle during a long test.
    client = daemon.client(caller.user)
    try:
        until(lambda: not client.live_calls(), "no call to be left")
    finally:
        client.hang_up_all()
