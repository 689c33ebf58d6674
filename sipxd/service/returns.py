"""Phones that were referred to us: the one-time user parts at which their INVITEs are awaited.

A token is the only credential of such an INVITE, because a phone may make it without its account.
It is 128 random bits, works once, for a short time, and from the host that the REFER went to.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipxd.service.runner import CallRunner
from sipxd.sip.flow import Flow

MAXIMUM = 10_000
"""Tokens that are awaited at once; the oldest go first."""
LIFE = 60.0
"""Seconds that a token works, for a call that itself forgets to give up."""


@attrs.frozen
class _Awaited:
    runner: CallRunner
    host: str
    until: float


class Returns:
    """The tokens. ``now`` gives seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._awaited: dict[str, _Awaited] = {}
        """In the order in which they expire."""

    def __len__(self) -> int:
        return len(self._awaited)

    def expect(self, token: str, runner: CallRunner, flow: Flow) -> None:
        """Await the phone behind ``flow`` at ``token``, for the call of ``runner``."""
        now = self._now()
        while self._awaited:
            oldest = next(iter(self._awaited))
            if self._awaited[oldest].until > now and len(self._awaited) < MAXIMUM:
                break
            del self._awaited[oldest]
        self._awaited[token] = _Awaited(runner, flow.host, now + LIFE)

    def awaits(self, token: str, flow: Flow) -> CallRunner | None:
        """The call that awaits an INVITE for ``token`` over ``flow``."""
        awaited = self._awaited.get(token)
        if awaited is None or awaited.host != flow.host or awaited.until <= self._now():
            return None
        return awaited.runner

    def forget(self, runner: CallRunner) -> None:
        """The call of ``runner`` awaits nobody any more: the phone came, or the call is over."""
        for token in [t for t, awaited in self._awaited.items() if awaited.runner is runner]:
            del self._awaited[token]
