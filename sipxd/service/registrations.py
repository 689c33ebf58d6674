"""The live table of registrations: which phones of a user can be rung, and over which flow.

In memory, because every call looks here; written through, so that a REGISTER that was answered 200
survives a restart.  A binding whose connection has ended is kept, but not shown: its phone can be
rung again once it has registered anew, or (RFC 5626 section 5.3) where a connection to its Contact
may be opened.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import sqlalchemy as sa
from twisted.internet.defer import DeferredLock

from sipxd import metrics
from sipxd.directory.user import User
from sipxd.net.stack import SipStack
from sipxd.service.accounts import Accounts
from sipxd.service.keepalive import NatKeepalive
from sipxd.sip.flow import Flow, reconnected
from sipxd.sip.headers import parse_name_addr
from sipxd.sip.message import Request
from sipxd.sip.registrar import Binding, Registered, Rejected, active, register
from sipxd.store import bindings as stored
from sipxd.store.store import Store


class Registrations:
    """Bindings by user id. ``now`` gives seconds since the epoch."""

    def __init__(self, store: Store, limit: int, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._limit = limit
        self._now = now
        self._bindings: dict[int, tuple[Binding, ...]] = {}
        self._locks: dict[int, DeferredLock] = {}
        self._stack: SipStack | None = None
        self._keepalive: NatKeepalive | None = None

    def join_stack(self, stack: SipStack) -> None:
        """``stack`` knows which connections are open."""
        self._stack = stack

    def follow(self, accounts: Accounts) -> None:
        """The bindings of a user who is deleted from ``accounts`` go with him."""
        accounts.observe(self._user_changed)

    def _user_changed(self, before: User, after: User | None) -> None:
        if after is None:
            self._bindings.pop(before.id, None)

    def keep_alive(self, keepalive: NatKeepalive) -> None:
        """``keepalive`` keeps the ways to phones behind NAT open."""
        self._keepalive = keepalive
        keepalive.take_up(list(self._bindings))

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        now = self._now()
        self._bindings = await self._store.read("bindings", lambda c: stored.load_all(c, now))

    def of(self, user: User) -> tuple[Binding, ...]:
        """The bindings of ``user`` that hold now, the preferred ones first."""
        return self.of_id(user.id)

    def of_id(self, user_id: int) -> tuple[Binding, ...]:
        """The same by the user's id."""
        bindings = active(self._bindings.get(user_id, ()), self._now())
        if not any(binding.flow.connection for binding in bindings):
            return bindings
        return tuple(filter(None, map(self._reachable, bindings)))

    def _reachable(self, binding: Binding) -> Binding | None:
        """``binding`` with a flow that leads to its phone; None where there is none."""
        flow = binding.flow
        if not flow.connection or (self._stack is not None and self._stack.is_open(flow)):
            return binding
        uri = parse_name_addr(binding.path[0]).uri if binding.path else binding.uri
        new = reconnected(flow, uri)
        return None if new is None else attrs.evolve(binding, flow=new)

    def all(self) -> list[Binding]:
        """Every binding, of whomever."""
        return [binding for bindings in self._bindings.values() for binding in bindings]

    def every(self) -> list[tuple[int, Binding]]:
        """The bindings of all users, each with the user's id.

        Those that have just expired are among them, those without a way to their phones are not.
        """
        return [
            (user_id, binding)
            for user_id, bindings in sorted(self._bindings.items())
            for binding in bindings
            if self._reachable(binding)
        ]

    async def drop(self, unwanted: Callable[[int, Binding], bool]) -> None:
        """Drop the bindings of which ``unwanted`` says so, given the user's id and the binding.

        Raises Overloaded and StoreFailed; then those of some users may be dropped, of others not.
        """
        for user_id in list(self._bindings):
            async with self._exclusively(user_id):
                before = self._bindings.get(user_id, ())
                after = tuple(binding for binding in before if not unwanted(user_id, binding))
                if after != before:
                    await self._keep(user_id, after)

    async def register(self, user: User, request: Request, flow: Flow) -> Registered | Rejected:
        """Work off an authenticated REGISTER; the change is stored when this returns.

        Raises Overloaded and StoreFailed, and has changed nothing then.
        """
        async with self._exclusively(user.id):
            # What cannot be reached any more takes no place from a phone that comes back.
            existing = tuple(b for b in self._bindings.get(user.id, ()) if self._reachable(b))
            result = register(request, existing, flow, self._now(), self._limit)
            if isinstance(result, Rejected):
                if result.status == 403:
                    metrics.sip_refused_full_bindings.inc()
                return result
            if result.changed:
                await self._keep(user.id, result.bindings)
                if self._keepalive is not None:
                    self._keepalive.registered(user.id, result.bindings)
            return result

    @asynccontextmanager
    async def _exclusively(self, user_id: int) -> AsyncIterator[None]:
        """Wait until nobody else changes the bindings of this user."""
        lock = self._locks.setdefault(user_id, DeferredLock())
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()
            if not lock.locked and not lock.waiting:
                self._locks.pop(user_id, None)

    async def _keep(self, user_id: int, after: tuple[Binding, ...]) -> None:
        def save(connection: sa.Connection) -> bool:
            return stored.replace_for_user(connection, user_id, after)

        if await self._store.write("save bindings", save):
            self._bindings[user_id] = after
        else:
            self._bindings.pop(user_id, None)
