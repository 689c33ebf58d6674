"""A whole office in memory: the server's services, phones and the network on one fake clock.

Everything is the real thing but sockets, threads and time: SQL runs on a SQLite database in memory,
in the caller's thread.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import sqlalchemy as sa
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from sipxd import config
from sipxd.call.record import CallRecord, CallUnit
from sipxd.directory.user import User
from sipxd.net.locator import Locator
from sipxd.net.stack import SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.account_changes import create_user
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.service.authentication import Authentication
from sipxd.service.authorizers import Authorizers
from sipxd.service.call_groups import CallGroups
from sipxd.service.calls import Calls
from sipxd.service.conferences import Conferences
from sipxd.service.destinations import Destinations
from sipxd.service.forwardings import Forwardings
from sipxd.service.gateways import Gateways
from sipxd.service.live import LiveCalls
from sipxd.service.park_orbits import ParkOrbits
from sipxd.service.phones import Phones
from sipxd.service.plans import Plans
from sipxd.service.registrations import Registrations
from sipxd.service.rehearsals import Rehearsals
from sipxd.service.signalling import Signalling
from sipxd.service.transfers import Transfers
from sipxd.service.vault import Vault
from sipxd.sip.flow import Flow
from sipxd.store.calls import save_units
from sipxd.store.schema import metadata
from sipxd.testing.names import Table
from sipxd.testing.network import Network, NetworkTransport
from sipxd.testing.phone import Behaviour, Phone

T = TypeVar("T")
SERVER = ("192.0.2.1", 5060)
DOMAIN = "example.org"
EPOCH = 1_800_000_000.0
"""Seconds since the epoch when the fake clock shows 0."""


class MemoryStore:
    """`sipxd.store.store.Store` without threads: every change is committed before the call returns.

    ``failing``: an exception that every write meets instead.
    """

    def __init__(self) -> None:
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        metadata.create_all(self.engine)
        self.units: list[CallUnit] = []
        self.failing: Exception | None = None

    async def read(self, name: str, function: Callable[[sa.Connection], T]) -> T:
        """What ``function`` reads."""
        with self.engine.begin() as connection:
            return function(connection)

    async def write(self, name: str, function: Callable[[sa.Connection], T]) -> T:
        """What ``function`` gives, committed."""
        if self.failing is not None:
            raise self.failing
        return await self.read(name, function)

    def submit(self, unit: CallUnit) -> Deferred[None]:
        """Store a step of a call."""
        if self.failing is not None:
            return fail(self.failing)
        self.units.append(unit)
        with self.engine.begin() as connection:
            save_units(connection, [unit])
        return succeed(None)


class Office:
    """A server at 192.0.2.1 and any number of phones. ``seed`` decides everything random."""

    def __init__(
        self,
        *,
        seed: int = 1,
        settings: str = "",
        loss: float = 0.0,
        reordering: float = 0.0,
        duplication: float = 0.0,
    ) -> None:
        self.clock = Clock()
        self.random = random.Random(seed)
        self.network = Network(
            self.clock, self.random, loss=loss, reordering=reordering, duplication=duplication
        )
        self.config = config.parse(f'domain = "{DOMAIN}"\n{settings}')
        self.vault = Vault(self.random.randbytes(32))
        self.store = MemoryStore()
        self.timers = TimerQueue(self.clock)
        self.phones: list[Phone] = []
        self.users: dict[str, User] = {}
        store: Any = self.store
        self.accounts = self.now(Accounts.load(store, self.vault, self.clock))
        self.registrations = Registrations(store, 10, self.time)
        self.registrations.follow(self.accounts)
        self.call_groups = CallGroups(store, self.accounts, DOMAIN)
        self.now(self.call_groups.load())
        self.park_orbits = ParkOrbits(store, DOMAIN)
        self.conferences = Conferences(store, self.accounts)
        self.forwardings = Forwardings(
            store,
            self.accounts,
            self.call_groups,
            permit=self._permit,
            default_timer=self.config.call.ring_timeout,
            has_voicemail_service=bool(self.config.voicemail.uri),
        )
        self.now(self.forwardings.load())
        self.table = LiveCalls(
            store,
            self.timers,
            Phones(store, self.time),
            session_expires=self.config.call.session_expires,
            random=self.random.randbytes,
            now=self.time,
        )
        authorizers = Authorizers(self.config, self.accounts, self.random.randbytes)
        self.gateways = Gateways(
            self.config.gateway,
            self.timers,
            authorizers.of,
            random=self.random,
            octets=self.random.randbytes,
        )
        self.table.authorizer = authorizers.of
        plans = Plans(
            self.accounts,
            self.forwardings,
            self.call_groups,
            self.park_orbits,
            time_zone=self.config.call.time_zone,
            is_holiday=self.forwardings.holidays.is_holiday,
        )
        self.destinations = Destinations(
            self.config,
            self.accounts,
            self.registrations,
            plans,
            self.gateways.is_well,
            self.time,
        )
        self.calls = Calls(self.config, self.destinations, store, self.table, self.timers)
        self.rehearsals = Rehearsals(
            DOMAIN,
            self.accounts,
            self.forwardings,
            self.call_groups.house,
            self.destinations,
            self.time,
        )
        authentication = Authentication(
            self.config,
            self.accounts,
            random=self.random.randbytes,
            now=self.time,
            gateway_at=self.gateways.at,
        )
        self.transfers = Transfers(authentication, self.accounts, self.destinations, self.table)
        signalling = Signalling(
            authentication,
            self.registrations,
            self.calls,
            self.transfers,
            self.table,
            random=self.random.randbytes,
        )
        self.stack = SipStack(
            self.clock, self.timers, signalling, limit=100_000, random=self.random
        )
        signalling.join_stack(self.stack)
        self.names: dict[str, list[tuple[str, int]]] = {}
        """The addresses of host names."""
        locator = Locator(Table(self.names), self.stack)
        self.table.join_stack(self.stack, locator)
        self.transport: NetworkTransport = self.network.node(*SERVER, self.stack.receive)
        self.stack.add_transport(self.transport)
        self.gateways.start(self.stack, locator)

    def _permit(self, user: User, number: str) -> None:
        self.destinations.permit(user, number)

    def time(self) -> float:
        """Seconds since the epoch on the fake clock."""
        return EPOCH + self.clock.seconds()

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that has nothing to wait for."""
        results: list[T] = []
        failures: list[Any] = []
        Deferred.fromCoroutine(coroutine).addCallbacks(results.append, failures.append)
        if failures:
            failures[0].raiseException()
        return results[0]

    def add_user(self, name: str, first_name: str = "") -> User:
        """A user with the SIP password ``secret-NAME``."""
        new = NewUser(
            name=name, pin="12345678", sip_password=f"secret-{name}", first_name=first_name
        )
        with self.store.engine.begin() as connection:
            user, _ = create_user(connection, self.vault, new)
        store: Any = self.store
        loaded = self.now(Accounts.load(store, self.vault, self.clock))
        loaded._observers = self.accounts._observers  # who follows this table goes on to
        self.accounts.__dict__.update(loaded.__dict__)
        self.users[name] = user
        return user

    def change_user(self, name: str, **changes: Any) -> User:
        """Change the user ``name`` as `sipxd.service.accounts.UserChange` says."""
        changed = self.accounts.change(name, UserChange(**changes))
        self.users[name] = self.now(changed)
        return self.users[name]

    def add_phone(self, name: str, behaviour: Behaviour | None = None) -> Phone:
        """A registered phone of the user ``name``, who is made where he does not exist."""
        if name not in self.users:
            self.add_user(name)
        number = len(self.phones) + 1
        host = f"198.51.100.{number}"
        phone = Phone(
            name,
            f"secret-{name}",
            domain=DOMAIN,
            server=Flow("UDP", f"udp:{host}:5060", *SERVER),
            clock=self.clock,
            random=self.random,
            behaviour=behaviour,
            media_port=20_000 + 2 * number,
        )
        phone.attach(self.network.node(host, 5060, phone.stack.receive))
        self.phones.append(phone)
        phone.register()
        for _ in range(400):
            if phone.registered.called:
                break
            self.run(0.1)
        return phone

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass, event by event."""
        end = self.clock.seconds() + seconds
        while True:
            pending = [call.getTime() for call in self.clock.getDelayedCalls()]
            if not pending or min(pending) > end:
                break
            self.clock.advance(max(0.0, min(pending) - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def click(self, user: str, number: str) -> str:
        """Click-to-call; gives the id of the call."""
        call = self.calls.click_to_call(self.users[user], number, source="192.0.2.99")
        return self.now(call).id

    def record(self, call_id: str) -> CallRecord:
        """The record of a call."""
        return self.now(self.calls.find(call_id))

    def requests(self, method: str, host: str | None = None) -> list[bytes]:
        """The requests of ``method`` that were sent (to ``host``), in order."""
        start = f"{method} ".encode()
        return [
            packet.data
            for packet in self.network.log
            if packet.data.startswith(start)
            and (host is None or packet.destination.startswith(f"{host}:"))
        ]

    def left_over(self) -> dict[str, int]:
        """What should be nothing after the last call and its lingering transactions."""
        counts = {
            "calls": len(self.table.calls),
            "legs": self.table.leg_count,
            "client transactions": self.stack.client_count,
            "server transactions": self.stack.server_count,
            "timers": len(self.timers),
            "phones": sum(len(phone.live_calls) for phone in self.phones),
        }
        return {name: count for name, count in counts.items() if count}
