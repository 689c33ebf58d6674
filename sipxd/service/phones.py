"""The memory of phones: what those that call themselves so have refused.

In memory, because every click-to-call looks here; written behind, because a call does not wait for
it, and what is lost is learned again from the next refusal.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd.call.phones import Refusal, Refusing
from sipxd.store import phones as stored
from sipxd.store.store import Store

_log = Logger()


class Phones:
    """Refusals by User-Agent. ``now`` gives seconds since the epoch."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._known: dict[tuple[str, Refusal], Refusing] = {}
        """In the order in which they were noted."""

    async def load(self) -> None:
        """Take up what was stored before a restart."""
        known = await self._store.read("phones", stored.every)
        self._known = {(each.user_agent, each.refuses): each for each in known}

    def refuses(self, user_agent: str, refusal: Refusal) -> bool:
        """Whether such phones are known to refuse that; not those without a name."""
        return (user_agent, refusal) in self._known

    def note(self, user_agent: str, refusal: Refusal) -> None:
        """Such a phone has refused that."""
        key = (user_agent, refusal)
        if not user_agent or key in self._known:
            return
        new = self._known[key] = Refusing(user_agent, refusal, self._now())
        while len(self._known) > stored.MAXIMUM:
            del self._known[next(iter(self._known))]
        _log.info(
            "phones that call themselves {agent!r} refuse {what}", agent=user_agent, what=refusal
        )
        write = self._store.write("phones.note", lambda connection: stored.add(connection, new))
        Deferred.fromCoroutine(write).addErrback(self._not_stored)

    def _not_stored(self, failure: Failure) -> None:
        _log.error("what a phone refused was not stored: {why}", why=failure.getErrorMessage())

    def all(self) -> list[Refusing]:
        """Everything that is known, by name."""
        return sorted(self._known.values(), key=lambda each: (each.user_agent, each.refuses))

    async def clear(self, user_agent: str | None) -> int:
        """Forget what is known of such phones, None: of all; gives how many refusals that were.

        Raises Overloaded and StoreFailed.
        """
        count = await self._store.write(
            "phones.clear", lambda connection: stored.clear(connection, user_agent)
        )
        for key in [key for key in self._known if user_agent in (None, key[0])]:
            del self._known[key]
        return count
