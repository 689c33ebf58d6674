"""What the tests against real programs share: running daemons, and telephones of fresh users."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The helpers lie beside the tests and are no package.
sys.path.extend(str(Path(__file__).parents[1] / each) for each in ("wire", "torture", "store"))

from baresip import Baresip
from daemon import Client, Daemon, until
from forwarding import House, Site, build
from linphone import Linphone
from postgresql import empty_database, running
from roles import RING_TIMEOUT, TRUSTED, Pair
from sipp import Phone
from telephones import Phones, Telephone


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


@pytest.fixture(scope="session")
def soap_daemon(make_daemon: Callable[..., Daemon]) -> Daemon:
    """The daemon that the SOAP clients share, TestService included."""
    daemon = make_daemon(web__soap_test_service=True)
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


@pytest.fixture
def start_telephone(tmp_path: Path) -> Iterator[Callable[..., Telephone]]:
    """Start telephones written by others, ``baresip`` or ``linphone``; they end with the test."""
    kinds: dict[str, type[Baresip] | type[Linphone]] = {"baresip": Baresip, "linphone": Linphone}
    started: list[Telephone] = []

    def start(kind: str, user: str, domain: str, **options: Any) -> Telephone:
        phone = kinds[kind](tmp_path / f"{kind}-{user}", user, domain, **options)
        started.append(phone)
        return phone

    yield start
    for phone in started:
        phone.stop()


@pytest.fixture
def make_phones(
    daemon: Daemon, new_user: Callable[[], str], start_telephone: Callable[..., Telephone]
) -> Iterator[Callable[..., Phones]]:
    """Two registered telephones of fresh users; as long as nothing else is said, A's answers by
    itself and B's when it is told to. At the end of the test no call is left."""
    clients: list[Client] = []

    def make(
        kinds: tuple[str, str] = ("baresip", "baresip"),
        answers: tuple[str, str] = ("auto", "manual"),
        encryptions: tuple[str, str] = ("none", "none"),
    ) -> Phones:
        names = new_user(), new_user()
        a, b = (
            start_telephone(
                kind,
                name,
                daemon.domain,
                registrar=daemon.sip_address,
                password=daemon.sip_password(name),
                answer=answer,
                encryption=encryption,
            )
            for kind, name, answer, encryption in zip(
                kinds, names, answers, encryptions, strict=True
            )
        )
        clients.append(daemon.client(names[0]))
        return Phones(a, b, names[1], clients[-1])

    yield make
    for client in clients:
        client.hang_up_all()


@pytest.fixture(scope="session")
def site(make_daemon: Callable[..., Daemon]) -> Site:
    """The daemon whose users forward their calls, and where everything around it is."""
    return build(make_daemon)


@pytest.fixture(scope="session")
def lenient_site(make_daemon: Callable[..., Daemon]) -> Site:
    """One that lets guests in, leaves what plays something ringing, and rings for 3 s in all."""
    return build(
        make_daemon, sip__allow_guests=True, call__early_media_extends=True, call__ring_limit=3
    )


@pytest.fixture
def house(site: Site, tmp_path: Path) -> Iterator[House]:
    """The users and phones of one test; afterwards no call is left."""
    house = House(site, tmp_path)
    yield house
    house.stop()
    house.nothing_is_left()


@pytest.fixture
def lenient_house(lenient_site: Site, tmp_path: Path) -> Iterator[House]:
    """The same in the lenient one."""
    house = House(lenient_site, tmp_path)
    yield house
    house.stop()
    house.nothing_is_left()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server; its URL has ``{}`` for the name of the database."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgresql: str) -> str:
    """The URL of an empty database of it."""
    return empty_database(postgresql)
