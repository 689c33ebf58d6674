"""What a user wants done with the calls for him: his call sequence, and rules beyond it.

The call sequence is sipXcom's (contract 3.2, 9): rings in an order, each "If no response" or "At
the same time".  Rules go further: they look at who calls and at what has become of the user's own
phones, and may end by themselves.
"""

from __future__ import annotations

import enum
import re

import attrs

MAX_RINGS = 1000
MAX_RULES = 100
MAX_SECONDS = 999
"""The longest time that a phone or a ring may be given, in seconds."""
MAX_NUMBER = 255
"""Characters of a number as it is stored."""
DEFAULT_SECONDS = 30
"""How long a ring that does not say it rings."""


class RingType(enum.StrEnum):
    """When a ring begins."""

    IF_NO_RESPONSE = "If no response"
    """Once everybody before has failed."""
    AT_THE_SAME_TIME = "At the same time"
    """Together with the one before, the first ones with the user's own phones."""


@attrs.frozen
class Ring:
    """One number of a call sequence; ``seconds`` is how long it may ring.

    An empty number is kept and never rung (contract 3.2).
    """

    number: str = ""
    seconds: int = DEFAULT_SECONDS
    type: RingType = RingType.IF_NO_RESPONSE
    enabled: bool = True
    schedule: int | None = None
    """The id of the schedule at whose times it rings; None: always."""


class When(enum.StrEnum):
    """The situation in which a rule holds."""

    ALWAYS = "always"
    """The user's own phones are not rung at all."""
    BUSY = "busy"
    """One of his phones said that he is busy, or declined; or he does not want to be disturbed."""
    NO_ANSWER = "no-answer"
    """His phones rang in vain."""
    NOT_REGISTERED = "not-registered"
    """None of his phones can be reached."""


class Action(enum.StrEnum):
    """What a rule does with the call."""

    FORWARD = "forward"
    VOICEMAIL = "voicemail"
    REJECT = "reject"


EVERYONE, INTERNAL, ANONYMOUS = "everyone", "internal", "anonymous"
"""Callers that a rule may name beside a number: everybody, users of the house, the unknown."""


@attrs.frozen
class Rule:
    """An exception from the call sequence. The first one that holds decides its situation.

    All of its conditions have to hold.  Times are seconds since the epoch.
    """

    when: When = When.ALWAYS
    caller: str = EVERYONE
    """``everyone``, ``internal``, ``anonymous``, or the number of one caller."""
    action: Action = Action.FORWARD
    number: str = ""
    """Where to, for the action ``forward``."""
    seconds: int = DEFAULT_SECONDS
    enabled: bool = True
    until: float | None = None
    """It ends by itself then."""
    schedule: int | None = None
    only_on_holidays: str = ""
    """A country, or a part of one (``DE``, ``DE-BY``): it holds on its public holidays only."""
    not_on_holidays: str = ""
    """The same: it does not hold on its public holidays."""


@attrs.frozen
class Forwarding:
    """Everything that one user has set. What he has not set is that of a new user."""

    version: int = 0
    """Rises with every change; 0: nothing has ever been stored."""
    timer: int | None = None
    """Seconds that his own phones ring; None: as configured."""
    rings: tuple[Ring, ...] = ()
    rules: tuple[Rule, ...] = ()
    do_not_disturb: bool = False
    do_not_disturb_until: float | None = None
    """It ends by itself then (seconds since the epoch)."""
    time_zone: str = ""
    """As in ``Europe/Berlin``; empty: as configured."""

    def without_schedule(self, schedule_id: int) -> Forwarding:
        """What is left where that schedule is gone: whatever used it holds always."""
        return attrs.evolve(
            self,
            rings=tuple(
                attrs.evolve(ring, schedule=None) if ring.schedule == schedule_id else ring
                for ring in self.rings
            ),
            rules=tuple(
                attrs.evolve(rule, schedule=None) if rule.schedule == schedule_id else rule
                for rule in self.rules
            ),
        )

    def is_undisturbed(self, now: float) -> bool:
        """Whether his phones shall be silent at ``now`` (seconds since the epoch)."""
        until = self.do_not_disturb_until
        return self.do_not_disturb and (until is None or now < until)


HOLIDAYS = re.compile(r"[A-Z]{2}(?:-[A-Za-z0-9]{1,3})?")
"""How a country, or a part of one, is written (ISO 3166)."""
