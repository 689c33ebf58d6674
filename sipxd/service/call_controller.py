"""The call controller: click-to-call by two numbers, and how that goes (contract 6.1).

What it tells is read off the record of the real call: lines of INVITE are about the calling party,
lines of NOTIFY about the called one, those of REFER about a transfer.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipxd.call.effects import TransferTold
from sipxd.call.numbers import clean_number
from sipxd.call.record import CallRecord, CallState
from sipxd.directory.user import User
from sipxd.errors import BadInput, Conflict, NotFound, Overloaded
from sipxd.service.calls import Calls
from sipxd.service.near_side import FirstLeg
from sipxd.service.transfers import Transfers
from sipxd.sip.message import Header, reason_phrase

MAXIMUM = 10_000
"""Calls that are remembered; further ones are refused."""
MAXIMUM_SECONDS = 86_400
MAXIMUM_LINES = 200
"""Lines of one call that are kept."""


@attrs.frozen
class Asked:
    """What a client wants besides the two parties."""

    invite: bool = False
    """Whether it wants to be told of dialogs, in the place of responses."""
    seconds: float | None = None
    """How long the calling party may ring."""
    subject: str = ""
    follow: bool = False
    """Whether the forwarding of the calling party is followed."""
    remembered: float = 180.0
    """Seconds for which the course of the call can be read after its end."""
    pin: str = ""
    """The PIN of the conference that is called."""


@attrs.frozen
class Line:
    """One line of the course of a call; ``at`` in seconds since the epoch."""

    at: float
    method: str
    text: str


@attrs.frozen
class Dialog:
    """One side of a call; ``state`` in the words of JAIN-SIP."""

    id: str
    local: str
    remote: str
    state: str


@attrs.define(eq=False)
class Course:
    """How a call goes, or went."""

    record: CallRecord
    asked: Asked
    calling: str
    called: str
    lines: list[Line] = attrs.field(factory=list)
    forgotten: float | None = None
    """When it is; None: the call is not over."""

    @property
    def dialogs(self) -> list[Dialog]:
        """The dialogs with the two parties, as far as they have begun."""
        record = self.record
        over = record.state is CallState.ENDED
        near = Dialog(
            f"{record.id}-1", self.called, self.calling, _state(record.answered is not None, over)
        )
        if record.answered is None:
            return [near]
        far = Dialog(
            f"{record.id}-2", self.calling, self.called, _state(record.bridged is not None, over)
        )
        return [near, far]


Key = tuple[str, str, str]
"""Agent, calling and called party."""


class CallController:
    """Makes the calls and remembers how they went."""

    def __init__(self, calls: Calls, transfers: Transfers, now: Callable[[], float]) -> None:
        self._calls = calls
        self._transfers = transfers
        self._now = now
        self._courses: dict[Key, Course] = {}
        self._by_call: dict[str, Course] = {}
        calls.subscribe(self._changed)

    async def start(
        self, agent: User, calling: str, called: str, asked: Asked, *, source: str
    ) -> None:
        """Ring ``calling``, then ``called``, for ``agent``.

        Raises Conflict where the same is under way and dialogs are asked for, and what
        `Calls.click_to_call` raises.
        """
        _check(asked)
        key = self._key(agent, calling, called)
        self._forget()
        before = self._courses.get(key)
        if before is not None and before.forgotten is None and asked.invite:
            raise Conflict("A call between these two is under way already.")
        if before is None and len(self._courses) >= MAXIMUM:
            raise Overloaded("Too many calls are remembered; try again.", retry_after=60)
        headers: tuple[Header, ...] = (("X-ConfPin", asked.pin),) if asked.pin else ()
        record = await self._calls.click_to_call(
            agent,
            called,
            source=source,
            flow="offer" if asked.invite else None,
            first=self._first(agent, calling, asked),
            headers=headers,
        )
        if record.id in self._by_call:
            return  # it was under way already
        course = Course(record, asked, *key[1:])
        course.lines.append(Line(record.started, "INVITE", _status(100)))
        self._courses[key] = course
        self._by_call[record.id] = course
        self._follow(course, attrs.evolve(record, state=CallState.CALLER), record)

    def transfer(self, agent: User, calling: str, called: str, target: str) -> None:
        """Connect ``called`` with ``target``; ``calling`` leaves.

        Raises BadInput, NotFound where there is no such call, Conflict where it is not connected.
        """
        number = clean_number(target)
        course = self.course(agent, calling, called)
        if course is None or course.forgotten is not None:
            raise NotFound("There is no call between these two.")

        begun = len(course.lines)

        def told(news: TransferTold) -> None:
            self._note(course, "NOTIFY", news.status, news.reason)

        self._transfers.transfer(course.record.id, agent, number, told)
        # Told only now that it was begun, but before whatever has been heard of it already.
        course.lines.insert(begun, Line(self._now(), "REFER", _status(202)))

    def course(self, agent: User, calling: str, called: str) -> Course | None:
        """How the call goes, or went; None: nothing is known of it."""
        self._forget()
        return self._courses.get(self._key(agent, calling, called))

    def _key(self, agent: User, calling: str, called: str) -> Key:
        return agent.name, str(clean_number(calling)), str(clean_number(called))

    def _first(self, agent: User, calling: str, asked: Asked) -> FirstLeg:
        number = clean_number(calling)
        canonical = self._calls.destinations.canonical(number)
        local = self._calls.destinations.policy.is_local(number)
        own = local and canonical == agent.name
        return FirstLeg(
            None if own else number,
            asked.follow,
            asked.seconds,
            (("Subject", asked.subject),) if asked.subject else (),
        )

    def _changed(self, record: CallRecord) -> None:
        course = self._by_call.get(record.id)
        if course is not None:
            self._follow(course, course.record, record)

    def _follow(self, course: Course, before: CallRecord, record: CallRecord) -> None:
        """Note what has become of the call since ``before``."""
        course.record = record
        if record.ringing and record.state is CallState.CALLER and not before.ringing:
            self._note(course, "INVITE", 180)
        if record.answered is not None and before.answered is None:
            self._note(course, "INVITE", 200)
            self._note(course, "NOTIFY", 100)
        if record.ringing and record.ringing != before.ringing and record.answered is not None:
            self._note(course, "NOTIFY", 180)
        if record.bridged is not None and before.bridged is None:
            self._note(course, "NOTIFY", 200)
        if record.state is CallState.ENDED and before.state is not CallState.ENDED:
            if record.bridged is None:
                code = record.cause.code if record.cause is not None else 487
                about = "INVITE" if record.answered is None else "NOTIFY"
                self._note(course, about, 487 if code < 300 else code)
            course.forgotten = self._now() + course.asked.remembered

    def _note(self, course: Course, method: str, status: int, reason: str = "") -> None:
        if len(course.lines) < MAXIMUM_LINES:
            course.lines.append(Line(self._now(), method, _status(status, reason)))

    def _forget(self) -> None:
        now = self._now()
        for key, course in list(self._courses.items()):
            if course.forgotten is not None and course.forgotten <= now:
                del self._courses[key]
                self._by_call.pop(course.record.id, None)


def _check(asked: Asked) -> None:
    if asked.seconds is not None and not 0 <= asked.seconds <= MAXIMUM_SECONDS:
        raise BadInput(f"timeout is 0 to {MAXIMUM_SECONDS} seconds.", field="timeout")
    if not 0 <= asked.remembered <= MAXIMUM_SECONDS:
        raise BadInput(
            f"resultCacheTime is 0 to {MAXIMUM_SECONDS} seconds.", field="resultCacheTime"
        )
    if not asked.subject.isprintable() or len(asked.subject) > 255:
        raise BadInput("subject is one line of at most 255 characters.", field="subject")
    if asked.pin and not (asked.pin.isascii() and asked.pin.isdigit() and len(asked.pin) <= 32):
        raise BadInput("confpin is digits.", field="confpin")


def _status(status: int, reason: str = "") -> str:
    return f"SIP/2.0 {status} {reason or reason_phrase(status)}"


def _state(confirmed: bool, over: bool) -> str:
    return "TERMINATED" if over else "CONFIRMED" if confirmed else "EARLY"
