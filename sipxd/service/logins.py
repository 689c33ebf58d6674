"""Checking PINs: argon2id in one thread, a memory of right ones, and the guard against guessing.

One check at a time bounds the memory (19 MiB each) and the processor time that log-ins can take.
API clients send the PIN with every request, so that a right one is remembered for a minute as an
HMAC under a key that lives only in this process.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from sipxd import metrics
from sipxd.errors import Overloaded, Unauthorized
from sipxd.service.guessing import GuessGuard
from sipxd.service.vault import generate_password, hash_pin, pin_matches
from sipxd.store.threads import start_pool

T = TypeVar("T")

MAX_WAITING = 500
"""Log-ins that may wait for the thread; at about 25 ms each the last waits 12 s."""
REMEMBERED = 60.0
"""Seconds after its last use for which a right PIN is remembered."""
REMEMBERED_AT_MOST = 900.0
"""Seconds after which it is checked in full again, however often it was used."""
MAX_REMEMBERED = 20_000
MAX_COUNTED_NAME = 65
"""Characters of a name that the guard counts by: no user has a longer one than 64."""

WRONG = "the user name or the password is wrong"


@functools.cache
def _nobody() -> str:
    """A hash that no PIN has: unknown names cost as much as known ones."""
    return hash_pin(generate_password())


class Logins:
    """Checks log-ins; knows no users, only the hashes it is given."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._time = cast(IReactorTime, reactor)
        self._guard = GuessGuard()
        self._thread = start_pool(1, "sipxd-pin")
        self._one_at_a_time = DeferredLock()
        self._thread.callInThread(_nobody)  # so that it is there when it is first asked for
        self._waiting = 0
        self._process_key = os.urandom(32)
        # HMAC of a right PIN -> (forget at, forget at the latest); the least recently used first
        self._remembered: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def close(self) -> None:
        """Stop the thread; waits for the check that it is at."""
        self._thread.stop()

    async def hash(self, function: Callable[[], T]) -> T:
        """What ``function``, which hashes, gives in the thread."""
        return await deferToThreadPool(self._reactor, self._thread, function)

    async def check(self, name: str, pin_hash: str | None, pin: str, source: str) -> None:
        """Return when ``pin`` is the one of ``pin_hash``; None: nobody may log in by this name.

        ``name`` is what failures are counted for, ``source`` the peer's IP address.  Raises
        Unauthorized (late, after repeated failures), TooManyGuesses, Overloaded.
        """
        name = name[:MAX_COUNTED_NAME]
        # Before the memory of right PINs, which could be guessed at without limit otherwise.
        self._guard.check(name, source, self._time.seconds())
        proof = self._proof(pin_hash or "", pin)
        if self._recall(proof):
            return
        if self._waiting >= MAX_WAITING:
            raise Overloaded("too many log-ins at the same time; try again", retry_after=5)
        self._waiting += 1
        try:
            # Each failure is counted before the next check begins: guesses made side by side
            # find the door as closed as those made one after the other.
            await self._one_at_a_time.acquire()
            try:
                delay = await self._verify(name, pin_hash, pin, proof, source)
            finally:
                self._one_at_a_time.release()
        finally:
            self._waiting -= 1
        if delay is not None:
            if delay:
                await cast("Deferred[None]", deferLater(self._reactor, delay))
            raise Unauthorized(WRONG)

    async def judge(self, name: str, right: bool, source: str) -> None:
        """Return where credentials that others have looked at were right; raises as ``check``."""
        name, now = name[:MAX_COUNTED_NAME], self._time.seconds()
        self._guard.check(name, source, now)
        if right:
            self._guard.succeeded(name, source)
            return
        metrics.logins_failed.inc()
        delay = self._guard.failed(name, source, now)
        if delay:
            await cast("Deferred[None]", deferLater(self._reactor, delay))
        raise Unauthorized(WRONG)

    async def _verify(
        self, name: str, pin_hash: str | None, pin: str, proof: bytes, source: str
    ) -> float | None:
        """None when the PIN is right, else the seconds to wait before saying so."""
        self._guard.check(name, source, self._time.seconds())
        if self._recall(proof):
            return None  # the request before this one has shown it
        right = await self.hash(lambda: pin_matches(pin_hash or _nobody(), pin))
        now = self._time.seconds()
        if right and pin_hash is not None:
            self._guard.succeeded(name, source)
            self._remember(proof, now)
            return None
        metrics.logins_failed.inc()
        return self._guard.failed(name, source, now)

    def _proof(self, pin_hash: str, pin: str) -> bytes:
        """What stands for a right PIN in memory. It holds the hash, so a changed PIN voids it."""
        text = f"{pin_hash}\0{pin}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._process_key, text, hashlib.sha256)

    def _recall(self, proof: bytes) -> bool:
        entry = self._remembered.get(proof)
        now = self._time.seconds()
        if entry is None or now >= min(entry):
            return False
        self._remembered[proof] = (now + REMEMBERED, entry[1])
        self._remembered.move_to_end(proof)
        return True

    def _remember(self, proof: bytes, now: float) -> None:
        self._remembered[proof] = (now + REMEMBERED, now + REMEMBERED_AT_MOST)
        self._remembered.move_to_end(proof)
        while self._remembered:
            oldest = next(iter(self._remembered.values()))
            if len(self._remembered) <= MAX_REMEMBERED and now < oldest[0]:
                break
            self._remembered.popitem(last=False)
