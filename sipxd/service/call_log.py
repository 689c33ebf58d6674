"""Call detail records: the calls of this daemon as sipXcom tells them (contract 5.1, 6.2, 8.6)."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from sipxd.call.record import CallRecord, CallState
from sipxd.directory.user import User
from sipxd.service.accounts import Accounts
from sipxd.service.calls import Calls
from sipxd.store import calls as stored
from sipxd.store.calls import Wanted
from sipxd.store.store import Store

MAXIMUM = 10_000
"""Records that are read at once."""


class Termination(enum.StrEnum):
    """How far a call came, as the letter and the word for it."""

    letter: str

    def __new__(cls, word: str, letter: str) -> Termination:
        """The word is the value."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.letter = letter
        return made

    REQUESTED = "REQUESTED", "R"
    IN_PROGRESS = "IN_PROGRESS", "I"
    COMPLETED = "COMPLETED", "C"
    FAILED = "FAILED", "F"
    ABANDONED = "ABANDONED", "A"


@attrs.frozen
class Party:
    """One end of a call. ``user``: whoever it is of the house."""

    number: str
    aor: str
    """As ``"Ada Park" <sip:401@example.org>``."""
    user: User | None


@attrs.frozen
class Cdr:
    """One call. Times are seconds since the epoch."""

    record: CallRecord
    caller: Party
    callee: Party
    """Whom the caller wanted."""
    recipient: str
    """Who was reached, or whom he wanted."""
    duration: float
    """Seconds of talking; while it is not over: since it began."""

    @property
    def internal(self) -> bool:
        """Whether both ends are users of the house."""
        return self.caller.user is not None and self.callee.user is not None

    @property
    def termination(self) -> Termination:
        """How far it came."""
        record = self.record
        if record.state is not CallState.ENDED:
            return Termination.REQUESTED if record.bridged is None else Termination.IN_PROGRESS
        if record.bridged is not None:
            return Termination.COMPLETED
        code = 487 if record.cause is None else record.cause.code
        return Termination.ABANDONED if code in (200, 408, 487) else Termination.FAILED

    @property
    def route(self) -> str:
        """The steps that it took, in sipXcom's words; empty: it reached nobody."""
        reached = self.record.reached
        if not reached:
            return ""
        if reached.startswith("voicemail of "):
            return "VMR,VM"
        user = self.callee.user
        return "INT" if user is not None and reached == user.name else "AL,INT"

    def is_incoming(self, user: User) -> bool:
        """Whether it comes in, seen from ``user``."""
        return self.caller.user is None or self.caller.user.id != user.id


class CallLog:
    """The calls under way, and those that have ended. ``domain`` is our own."""

    def __init__(
        self,
        domain: str,
        calls: Calls,
        accounts: Accounts,
        store: Store,
        now: Callable[[], float],
    ) -> None:
        self._domain = domain
        self._calls = calls
        self._accounts = accounts
        self._store = store
        self._now = now

    def active(self, user: User | None = None) -> list[Cdr]:
        """The calls under way of ``user`` (None: of everybody), the newest first."""
        names = None if user is None else {user.name, *user.aliases}

        def concerns(record: CallRecord) -> bool:
            parties = {record.user, record.number, record.reached, *record.ringing}
            return names is None or not names.isdisjoint(parties)

        return [self.cdr(record) for record in self._calls.live() if concerns(record)]

    async def ended(
        self,
        user: User | None,
        wanted: Wanted,
        *,
        limit: int,
        offset: int = 0,
        order: str = "",
    ) -> list[CallRecord]:
        """The calls of ``user`` (None: of everybody) that have ended, the newest first.

        There may be many: ``cdr`` tells of one after the other, so that calls are attended to
        meanwhile.  ``order`` is one of `sipxd.store.calls.ORDERS`; the party in ``wanted`` is
        ignored.
        """
        party = () if user is None else (user.name, *user.aliases)
        wanted = attrs.evolve(wanted, party=party)
        limit, offset = min(limit, MAXIMUM), min(offset, 2**53)
        return await self._store.read(
            "call log",
            lambda connection: stored.ended(
                connection, wanted, limit=limit, offset=offset, order=order
            ),
        )

    def cdr(self, record: CallRecord) -> Cdr:
        """A call as sipXcom tells it."""
        end = self._now() if record.ended is None else record.ended
        begin = record.started if record.ended is None else record.bridged or end
        callee = self._party(record.number)
        return Cdr(
            record,
            self._party(record.user),
            callee,
            record.reached or record.number,
            max(0.0, end - begin),
        )

    def _party(self, number: str) -> Party:
        user = self._accounts.find(number)
        name = "" if user is None else f"{user.first_name} {user.last_name}".strip()
        shown = f'"{name}" ' if name and not set(name) & set('"\\') else ""
        uri = number if "@" in number else f"{number}@{self._domain}"
        return Party(number, f"{shown}<sip:{uri}>", user)
