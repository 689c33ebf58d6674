"""Nonces of digest challenges: given out without memory, used once (RFC 7616 section 3.3)."""

from __future__ import annotations

import hmac
from collections import OrderedDict

NONCE_LIFETIME = 60.0
"""Seconds for which a nonce is good."""


class Nonces:
    """Nonces that carry their own proof, and the memory of how often each was used.

    A nonce is time of issue, serial number and a MAC over both and the address that it was given
    to: giving one out costs no memory, and who shows one receives what is sent to his address.
    One that was used is remembered until it expires, with its highest count; when the table is
    full the oldest is forgotten, and with it all that were issued before and not yet used are
    taken as stale, so that nothing forgotten can be replayed.
    """

    def __init__(
        self, key: bytes, *, lifetime: float = NONCE_LIFETIME, capacity: int = 100_000
    ) -> None:
        """``lifetime`` is in seconds, ``capacity`` in nonces.

        ``key``: 16 random bytes or more, fresh for every process, because the memory of used
        nonces ends with it; a nonce of an earlier process is then stale.
        """
        self._key = key
        self._lifetime = lifetime
        self._capacity = capacity
        self._serial = 0
        self._forgotten = 0
        # Serial number -> (time of issue in ms, highest nc), in order of first use.
        self._used: OrderedDict[int, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many nonces are remembered."""
        return len(self._used)

    def issue(self, now: float, source: str) -> str:
        """A nonce for the address ``source``, good from ``now`` (seconds since the epoch) on."""
        self._serial += 1
        text = f"{int(now * 1000):012x}{self._serial:012x}"
        return text + self._mac(text, source)

    def fresh(self, nonce: str, count: int, now: float, source: str) -> bool:
        """Whether the nonce is ours, for ``source``, not too old, and not used ``count`` times yet.

        A lower count than the highest seen is refused too: the client is told "stale" and tries
        again, and the table keeps one number per nonce.
        """
        text, mac = nonce[:24], nonce[24:]
        if not nonce.isascii() or not hmac.compare_digest(mac, self._mac(text, source)):
            return False
        issued, serial = int(text[:12], 16), int(text[12:], 16)
        age = now - issued / 1000
        # A clock set back by more than a moment makes nonces of the future: not to be trusted.
        if not -1.0 <= age <= self._lifetime:
            return False
        seen = self._used.get(serial)
        return count > seen[1] if seen is not None else serial > self._forgotten

    def use(self, nonce: str, count: int, now: float) -> None:
        """Note the ``count``-th use of a nonce that is ``fresh``."""
        issued, serial = int(nonce[:12], 16), int(nonce[12:24], 16)
        self._used[serial] = (issued, count)
        self._shrink(now)

    def _shrink(self, now: float) -> None:
        while self._used:
            serial, (issued, _) = next(iter(self._used.items()))
            expired = now - issued / 1000 > self._lifetime
            if not expired and len(self._used) <= self._capacity:
                return
            del self._used[serial]
            if not expired:
                self._forgotten = max(self._forgotten, serial)

    def _mac(self, text: str, source: str) -> str:
        return hmac.digest(self._key, f"{text}{source}".encode(), "sha256")[:16].hex()
