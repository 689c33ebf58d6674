"""The live table of registrations: which phones of a user can be rung, and over which flow.

In memory, because every call looks here; written through, so that a REGISTER that was answered 200
survives a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from twisted.internet.defer import DeferredLock

from sipxd import metrics
from sipxd.directory.user import User
from sipxd.sip.flow import Flow
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

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        now = self._now()
        self._bindings = await self._store.read("bindings", lambda c: stored.load_all(c, now))

    def of(self, user: User) -> tuple[Binding, ...]:
        """The bindings of ``user`` that hold now, the preferred ones first."""
        return active(self._bindings.get(user.id, ()), self._now())

    async def register(self, user: User, request: Request, flow: Flow) -> Registered | Rejected:
        """Work off an authenticated REGISTER; the change is stored when this returns.

        Raises Overloaded and StoreFailed, and has changed nothing then.
        """
        lock = self._locks.setdefault(user.id, DeferredLock())
        await lock.acquire()
        try:
            existing = self._bindings.get(user.id, ())
            result = register(request, existing, flow, self._now(), self._limit)
            if isinstance(result, Rejected):
                if result.status == 403:
                    metrics.sip_refused_full_bindings.inc()
                return result
            if result.changed:
                await self._keep(user.id, result.bindings)
            return result
        finally:
            lock.release()
            if not lock.locked and not lock.waiting:
                self._locks.pop(user.id, None)

    async def _keep(self, user_id: int, after: tuple[Binding, ...]) -> None:
        def save(connection: sa.Connection) -> None:
            stored.replace_for_user(connection, user_id, after)

        await self._store.write("save bindings", save)
        if after:
            self._bindings[user_id] = after
        else:
            self._bindings.pop(user_id, None)
