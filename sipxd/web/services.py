"""What the web doors need of the services behind them; the services know nothing of the web."""

from __future__ import annotations

from typing import Any, Protocol

from sipxd.call.record import CallRecord
from sipxd.directory.user import User


class Accounts(Protocol):
    """Who exists, and who may log in."""

    def find(self, name_or_alias: str) -> User | None:
        """The user of that name or alias."""

    async def authenticate(self, name: str, pin: str, source: str) -> User:
        """The user, or Unauthorized, or TooManyGuesses; ``source`` is the client's IP address."""


class Calls(Protocol):
    """Calls, living and ended."""

    async def click_to_call(
        self, user: User, number: str, *, source: str, flow: str | None = None
    ) -> CallRecord:
        """Begin the call, or find the one that is under way to the same number.

        ``flow`` is how to do it, None: as it is configured for him.
        Raises BadInput, Forbidden, NotFound, TooManyCalls, Overloaded.
        """

    async def outcome(self, call_id: str) -> CallRecord:
        """Wait until the call is bridged or has ended. Cancelling ends the waiting only."""

    async def find(self, call_id: str) -> CallRecord:
        """The record, or NotFound."""

    async def hang_up(self, call_id: str, *, by: str) -> CallRecord:
        """End the call in whatever state; ``by`` is the name of the user who asked."""

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]:
        """Records older than the call ``before``, newest first; ``None``: of all users."""


class Configured(Protocol):
    """The part of the configuration that the doors read."""

    @property
    def realm_or_domain(self) -> str: ...

    @property
    def limits(self) -> Any: ...
