"""Protection against guessing of PINs and passwords: slow, then refuse for a while.

Design section 6.  Failures are counted for each pair of account and address, so that the owner gets
in from another address while somebody guesses, and for each address over all accounts.  In the long
run only the free failures of a pair count for its address: one forgotten client with an old PIN
does not lock out its whole office, and somebody who tries many accounts runs into the limit.
Within a minute all count.  Unknown accounts are counted like known ones.  The tables are bounded;
what has been quiet longest is forgotten first.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict, deque
from typing import Generic, TypeVar

import attrs

from sipxd.errors import TooManyGuesses

FREE = 5
"""Failures of a pair that are answered at once."""
REFUSE_AFTER = 10
"""Failures after which a pair is refused; after the pause every five more."""
REFUSE_ADDRESS_AFTER = 30
"""Failures over all accounts after which an address is refused; no more in any minute."""
PAUSE = 60.0
"""Seconds for which it is refused."""
FORGET = 600.0
"""Seconds without a failure after which the count begins again."""
MAX_ENTRIES = 20_000

K = TypeVar("K")


@attrs.define
class _Count:
    failures: int = 0
    last: float = -math.inf
    refused_until: float = -math.inf


class _Table(Generic[K]):
    def __init__(self) -> None:
        self._counts: OrderedDict[K, _Count] = OrderedDict()

    def get(self, key: K) -> _Count | None:
        return self._counts.get(key)

    def touch(self, key: K, now: float) -> _Count:
        """The count of ``key``, begun anew where it is old, as the youngest of the table."""
        count = self._counts.setdefault(key, _Count())
        self._counts.move_to_end(key)
        if now - count.last > FORGET:
            count.failures = 0
        count.last = now
        if len(self._counts) > MAX_ENTRIES:
            self._counts.popitem(last=False)
        return count

    def drop(self, key: K) -> None:
        self._counts.pop(key, None)


class GuessGuard:
    """Counts failures. ``account`` is the name as it was typed, ``source`` an IP address."""

    def __init__(self) -> None:
        self._pairs: _Table[tuple[str, str]] = _Table()
        self._addresses: _Table[str] = _Table()
        # When the last failures of an address were, the oldest of its thirty first.
        self._minutes: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, account: str, source: str, now: float) -> None:
        """Raise TooManyGuesses while this account from this address, or the address, is refused."""
        address = _network(source)
        pair = self._pairs.get((account, address))
        whole = self._addresses.get(address)
        minute = self._minutes.get(address) or deque()
        until = max(
            pair.refused_until if pair else -math.inf,
            whole.refused_until if whole else -math.inf,
            minute[0] + PAUSE if len(minute) == REFUSE_ADDRESS_AFTER else -math.inf,
        )
        if now < until:
            seconds = math.ceil(until - now)
            raise TooManyGuesses(
                f"too many wrong passwords; try again in {seconds} seconds", retry_after=seconds
            )

    def failed(self, account: str, source: str, now: float) -> float:
        """Count a failure; the seconds by which its answer shall be delayed."""
        address = _network(source)
        minute = self._minutes.setdefault(address, deque(maxlen=REFUSE_ADDRESS_AFTER))
        minute.append(now)
        self._minutes.move_to_end(address)
        if len(self._minutes) > MAX_ENTRIES:
            self._minutes.popitem(last=False)
        pair = self._pairs.touch((account, address), now)
        pair.failures += 1
        delay = float(max(0, pair.failures - FREE))
        if not delay:
            whole = self._addresses.touch(address, now)
            whole.failures += 1
            if whole.failures >= REFUSE_ADDRESS_AFTER:
                whole.refused_until = now + PAUSE
                whole.failures = REFUSE_ADDRESS_AFTER // 2
        if pair.failures >= REFUSE_AFTER:
            pair.refused_until = now + PAUSE
            pair.failures = FREE
        return delay

    def succeeded(self, account: str, source: str) -> None:
        """Forget the failures of this account from this address; those of the address stay."""
        self._pairs.drop((account, _network(source)))


def _network(source: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv4Address):
        return source
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
