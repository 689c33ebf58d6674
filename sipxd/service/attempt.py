"""The ways to reach one branch, tried one after the other.

A target has hops (the addresses that DNS gives, RFC 3263 section 4.3) and may have a fallback (the
next gateway of a route).  The next way is tried where the last one could not be reached, kept
silent, or failed on its own account before anything rang; a telephone's own answer is final.
"""

from __future__ import annotations

from collections import deque

import attrs

from sipxd.call.effects import Ring, Target
from sipxd.sip.flow import Flow
from sipxd.sip.leg import Refused

SILENCE = 4.0
"""Seconds without any response after which the next way is tried, where the target says nothing."""
_NOT_REACHED = frozenset({408, 430, 503})
_NEXT_GATEWAY = frozenset({401, 407, 408, 430})


@attrs.define
class Attempt:
    """A branch on its way: what was asked for, and what is left to be tried."""

    ring: Ring
    target: Target
    hops: deque[Flow] = attrs.field(factory=deque)
    rang: bool = False
    """Whether anything beyond 100 came back."""
    refusal: Refused | None = None
    """How the last way failed."""

    @property
    def more(self) -> bool:
        """Whether there is another way."""
        return bool(self.hops) or self.target.fallback is not None

    @property
    def patience(self) -> float:
        """Seconds that the present way may keep silent; 0: as long as it likes."""
        return (self.target.patience or SILENCE) if self.more else self.target.patience

    def goes_on(self, refused: Refused) -> bool:
        """Whether another way is to be tried after ``refused``; drops hops that make no sense."""
        if self.rang:
            return False
        if refused.status in _NOT_REACHED:
            return self.more
        gateway = self.target.fallback is not None and (
            refused.status in _NEXT_GATEWAY or 500 <= refused.status < 600
        )
        if gateway:
            self.hops.clear()  # the gateway was reached: its other addresses are no better
        return gateway

    def fall_back(self) -> bool:
        """Turn to the target's fallback; False where there is none."""
        if self.target.fallback is None:
            return False
        self.target = self.target.fallback
        return True
