"""How many calls each user is sending on that nobody has answered yet, and the bound on that.

A gateway or PBX that sends calls back, and forgets what they tell of the way that they have come,
lets two users who forward to each other through it double a call with every round (RFC 5393).  What
is counted here ends that: a real user has few calls at a time that ring on his behalf.
"""

from __future__ import annotations

from collections.abc import Callable


class PendingForwards:
    """``limit`` calls for each user or hunt group; ``pending`` tells whether a call still rings."""

    def __init__(self, limit: int, pending: Callable[[str], bool]) -> None:
        self._limit = limit
        self._pending = pending
        self._calls: dict[str, set[str]] = {}

    def admit(self, by: str, call_id: str) -> bool:
        """Whether ``by`` may send the call on; then it is counted until it is answered or over."""
        calls = self._calls.setdefault(by, set())
        if call_id not in calls and len(calls) >= self._limit:
            # Who has left is looked for here only: few users ever come so far.
            calls.intersection_update([each for each in calls if self._pending(each)])
            if len(calls) >= self._limit:
                return False
        calls.add(call_id)
        return True
