"""The use-cases around calls, and the live table of those that are under way."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd import __version__, ids, metrics
from sipxd.call import policy
from sipxd.call.call import Destination, Phase
from sipxd.call.click import ClickToCall
from sipxd.call.effects import Identity, Target
from sipxd.call.numbers import Number, clean_number, uri_user
from sipxd.call.phone import PhoneCall
from sipxd.call.record import CallEvent, CallKind, CallRecord, CallState, CallUnit, Cause
from sipxd.config import Config
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound, Overloaded, TooManyCalls
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.accounts import Accounts
from sipxd.service.registrations import Registrations
from sipxd.service.runner import CallRunner
from sipxd.sip.flow import Flow
from sipxd.sip.headers import NameAddr, split_host_port
from sipxd.sip.leg import Local
from sipxd.sip.message import Request
from sipxd.sip.registrar import Binding
from sipxd.sip.uas import UasLeg
from sipxd.store import calls as stored
from sipxd.store.store import Store

_log = Logger()

MAXIMUM_SHY = 1000
"""Kinds of phones that are remembered to refuse an INVITE without SDP."""
USER_AGENT = f"sipxd/{__version__}"


class _Live:
    """A call under way: its runner, and the record as far as it is committed."""

    __slots__ = ("commits", "committed", "ended", "key", "legs", "over", "runner", "waiting")

    def __init__(self, runner: CallRunner, key: tuple[int, str] | None) -> None:
        self.runner = runner
        self.key = key
        self.committed: CallRecord | None = None
        self.commits = 0
        self.over = False
        self.legs: tuple[str, ...] = ()
        self.waiting: list[tuple[Callable[[CallRecord], bool], Deferred[CallRecord]]] = []
        self.ended = False


def _settled(record: CallRecord) -> bool:
    return record.state in (CallState.BRIDGED, CallState.ENDED)


def _ended(record: CallRecord) -> bool:
    return record.state is CallState.ENDED


class Calls:
    """Every call of this daemon. ``now`` gives seconds since the epoch."""

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        registrations: Registrations,
        store: Store,
        timers: TimerQueue,
        *,
        random: ids.Random = os.urandom,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._accounts = accounts
        self._registrations = registrations
        self._store = store
        self._timers = timers
        self._random = random
        self._now = now
        self._live: dict[str, _Live] = {}
        self._by_key: dict[tuple[int, str], str] = {}
        self._legs: dict[str, tuple[CallRunner, str]] = {}
        self._incoming: dict[ServerHandle, tuple[CallRunner, str]] = {}
        self._invites: dict[str, ServerHandle] = {}
        self._shy: dict[str, None] = {}
        self._calls_of: dict[int, set[str]] = {}
        """The ids of a user's click-to-calls under way."""
        self._starts: dict[int, deque[float]] = {}
        self._observers: list[Callable[[CallRecord], None]] = []
        self._stack: SipStack | None = None
        self._tones: tuple[Target | None, Target | None] = (None, None)
        self._closing = False

    def join_stack(
        self, stack: SipStack, ringback: Target | None = None, busy_tone: Target | None = None
    ) -> None:
        """Use ``stack`` for signalling from now on."""
        self._stack = stack
        self._tones = (ringback, busy_tone)

    @property
    def live_count(self) -> int:
        """Calls that are not over."""
        return len(self._live)

    @property
    def leg_count(self) -> int:
        """Legs of all calls."""
        return len(self._legs)

    # -- click-to-call -------------------------------------------------------------------------

    async def click_to_call(self, user: User, number: str, *, source: str) -> CallRecord:
        """Ring the user's own phones, then ``number``, and bridge the two.

        ``source`` is the address that asked.  The call is committed when this returns.  While it lives, the same user and number again
        give the same call.  Raises BadInput, Forbidden, NotFound, TooManyCalls, Overloaded.
        """
        cleaned = clean_number(number)
        domain = self._config.domain
        policy.check(user, cleaned, domain=domain, emergency=self._config.call.emergency)
        key = (user.id, str(cleaned))
        running = self._by_key.get(key)
        if running is not None:
            return await self._when(running, lambda record: True)
        callee = self._callee(cleaned)
        phones = self._phones(callee)
        own = self._registrations.of(user)
        if not own:
            raise NotFound(
                f"No phone of {user.name} is registered; switch it on, or check its account.",
                field="user",
            )
        self._check_caps(user)
        called = f"sip:{uri_user(cleaned.user)}@{domain}"
        seconds = float(self._config.call.ring_timeout)
        ringback, busy_tone = self._tones
        machine = ClickToCall(
            Destination(
                self._targets(own), Identity(f"<{called}>", f"<{self._uri(user)}>"), seconds
            ),
            Destination(
                self._targets(phones), Identity(self._caller_id(user), f"<{called}>"), seconds
            ),
            shy=frozenset(self._shy),
            ringback=ringback,
            busy_tone=busy_tone,
        )
        record = self._new_record(CallKind.CLICK, user.name, str(cleaned), CallState.CALLER)
        runner = self._runner(record, machine)
        live = self._enter(runner, key)
        _log.info(
            "call {call}: {user} calls {number}, asked for from {source}",
            call=record.id, user=user.name, number=str(cleaned), source=source,
        )  # fmt: skip
        await self._begin(live)
        runner.start(machine.start)
        return record

    def _callee(self, number: Number) -> User:
        if number.host in (None, self._config.domain):
            callee = self._accounts.find(number.user)
            if callee is not None and callee.enabled:
                return callee
        raise NotFound(f"No route leads to {number}.", field="number")

    def _phones(self, callee: User) -> tuple[Binding, ...]:
        phones = self._registrations.of(callee)
        if not phones:
            raise NotFound(f"No phone of {callee.name} is registered.", field="number")
        return phones

    def _targets(self, bindings: tuple[Binding, ...]) -> tuple[Target, ...]:
        return tuple(
            Target(binding.uri, binding.flow, binding.path, binding.user_agent)
            for binding in bindings[: self._config.limits.parallel_branches]
        )

    def _uri(self, user: User) -> str:
        return f"sip:{uri_user(user.name)}@{self._config.domain}"

    def _caller_id(self, user: User) -> str:
        display = f"{user.first_name} {user.last_name}".strip()
        return str(NameAddr(self._uri(user), display))

    def _check_caps(self, user: User) -> None:
        """The user's own caps, and the daemon's."""
        limits = self._config.limits
        pending = sum(
            self._live[call].runner.machine.phase not in (Phase.BRIDGED, Phase.ENDED)
            for call in self._calls_of.get(user.id, ())
        )
        if pending >= limits.user_calls_pending:
            raise TooManyCalls(
                f"{pending} calls of {user.name} are being set up already; wait for one of them.",
                retry_after=5,
            )
        now = self._now()
        starts = self._starts.setdefault(user.id, deque(maxlen=limits.user_calls_per_minute))
        while starts and starts[0] <= now - 60:
            starts.popleft()
        if len(starts) >= limits.user_calls_per_minute:
            raise TooManyCalls(
                f"{user.name} has started {len(starts)} calls within a minute; that is the limit.",
                retry_after=max(1, int(starts[0] + 60 - now) + 1),
            )
        self.check_room()
        starts.append(now)

    def check_room(self) -> None:
        """Raise Overloaded where no new call can be taken."""
        if self._closing:
            raise Overloaded("sipxd is being stopped.", retry_after=10)
        if len(self._live) >= self._config.limits.calls:
            metrics.sip_refused_full_calls.inc()
            raise Overloaded("Too many calls are under way; try again.", retry_after=5)

    # -- calls from phones ---------------------------------------------------------------------

    async def from_phone(
        self, caller: User, number: Number, request: Request, handle: ServerHandle, flow: Flow
    ) -> None:
        """A call that ``caller``'s phone makes, its INVITE authenticated.

        Raises NotFound where no route leads to ``number``, DialogError where the INVITE cannot make
        a dialog, BadInput where its SDP cannot be read, Overloaded.
        """
        phones = self._phones(self._callee(number))
        self.check_room()
        leg_id = self.leg_id()
        leg = UasLeg(self.local(leg_id, flow), "invite", request, flow)
        if not leg.readable:
            raise BadInput("The session description cannot be read.")
        called = f"sip:{uri_user(number.user)}@{self._config.domain}"
        destination = Destination(
            self._targets(phones),
            Identity(self._caller_id(caller), f"<{called}>"),
            float(self._config.call.ring_timeout),
        )
        machine = PhoneCall("near", leg.offer_in, destination)
        record = self._new_record(CallKind.PHONE, caller.name, str(number), CallState.CALLEE)
        runner = self._runner(record, machine)
        forwards = request.get("Max-Forwards")
        runner.max_forwards = min(70, int(forwards) - 1) if forwards else 69
        live = self._enter(runner, None)
        runner.add_incoming("near", leg_id, leg, handle)
        self._incoming[handle] = (runner, "near")
        self._invites[leg_id] = handle
        _log.info(
            "call {call}: {user} calls {number} from a phone at {host}",
            call=record.id, user=caller.name, number=str(number), host=flow.host,
        )  # fmt: skip
        try:
            await self._begin(live)
        except BaseException:
            runner.hang_up("sipxd", "The call could not be stored.")
            raise
        runner.start(machine.start)

    # -- reading and ending --------------------------------------------------------------------

    def live(self) -> list[CallRecord]:
        """The calls under way, the newest first."""
        records = [live.committed for live in self._live.values() if live.committed is not None]
        return sorted(records, key=lambda record: record.started, reverse=True)

    async def outcome(self, call_id: str) -> CallRecord:
        """Wait until the call is bridged or has ended."""
        return await self._when(call_id, _settled)

    async def find(self, call_id: str) -> CallRecord:
        """The record of a call, under way or over. Raises NotFound."""
        live = self._live.get(call_id)
        if live is not None and live.committed is not None:
            return live.committed
        record = await self._store.read("find call", lambda c: stored.find(c, call_id))
        if record is None:
            raise NotFound(f"There is no call {call_id}.")
        return record

    async def hang_up(self, call_id: str, *, by: str) -> CallRecord:
        """End a call in whatever state, for the user ``by``. Raises NotFound."""
        live = self._live.get(call_id)
        if live is None:
            return await self.find(call_id)
        live.runner.hang_up("api", f"Ended by {by}.")
        return await self._when(call_id, _ended)

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]:
        """Records, the newest first, from the one behind ``before`` on; None: of all users."""
        return await self._store.read(
            "page of calls", lambda c: stored.page(c, user=user, before=before, limit=limit)
        )

    def subscribe(self, callback: Callable[[CallRecord], None]) -> Callable[[], None]:
        """Have ``callback`` told of every committed step; gives what ends that."""
        self._observers.append(callback)
        return lambda: self._observers.remove(callback)

    async def _when(self, call_id: str, reached: Callable[[CallRecord], bool]) -> CallRecord:
        """The committed record once ``reached`` holds for it."""
        live = self._live.get(call_id)
        if live is None:
            return await self.find(call_id)
        if live.committed is not None and reached(live.committed):
            return live.committed
        waiter: Deferred[CallRecord] = Deferred(
            lambda d: live.waiting.remove(next(w for w in live.waiting if w[1] is d))
        )
        live.waiting.append((reached, waiter))
        return await waiter

    # -- steps and their commits ---------------------------------------------------------------

    def _new_record(self, kind: CallKind, user: str, number: str, state: CallState) -> CallRecord:
        return CallRecord(ids.call_id(self._random), kind, user, number, state, self._now())

    def _runner(self, record: CallRecord, machine: ClickToCall | PhoneCall) -> CallRunner:
        assert self._stack is not None
        return CallRunner(record, machine, self._stack, self._timers, self)

    def _enter(self, runner: CallRunner, key: tuple[int, str] | None) -> _Live:
        live = self._live[runner.record.id] = _Live(runner, key)
        if key is not None:
            self._by_key[key] = runner.record.id
            self._calls_of.setdefault(key[0], set()).add(runner.record.id)
        metrics.calls_started.inc()
        metrics.calls_live.set(len(self._live))
        return live

    async def _begin(self, live: _Live) -> None:
        """Commit the beginning of a call; where that fails the call has never been."""
        record = live.runner.record
        try:
            live.commits += 1
            await self._store.submit(self._unit(live, "call.started", record))
        except BaseException as error:
            live.commits -= 1
            live.over = True
            self._leave(live)
            for _, waiter in live.waiting:
                waiter.errback(error)
            live.waiting.clear()
            raise
        self._committed(None, live, record)

    def step(
        self, runner: CallRunner, kind: str, changes: dict[str, Any], now: tuple[str, ...]
    ) -> None:
        """A step of a call: evolve its record, and hand it to the store in order."""
        moment = self._now()
        record = runner.evolve(**changes, **dict.fromkeys(now, moment))
        live = self._live[record.id]
        if _ended(record):
            live.ended = True
            if live.key is not None:
                self._by_key.pop(live.key, None)
            self._count_end(record)
        live.commits += 1
        unit = self._unit(live, kind, record, moment)
        try:
            done = self._store.submit(unit)
        except Overloaded as error:
            done = Deferred()
            done.errback(Failure(error))
        done.addBoth(self._committed, live, record)

    def _unit(
        self, live: _Live, kind: str, record: CallRecord, at: float | None = None
    ) -> CallUnit:
        event = CallEvent(kind, record.id, record.user, record.started if at is None else at)
        if record.cause is not None:
            event = attrs.evolve(
                event, data={"code": record.cause.code, "sentence": record.cause.sentence}
            )
        dialogs = live.runner.snapshot() if kind == "call.bridged" else {}
        released = live.legs if _ended(record) else ()
        live.legs = tuple(dialogs) or live.legs
        return CallUnit(event, record, dialogs, released)

    def _committed(self, result: Any, live: _Live, record: CallRecord) -> None:
        live.commits -= 1
        if isinstance(result, Failure):
            # The call goes on: what it lost is a line of its record, and the log says so.
            _log.error(
                "call {call}: a step could not be stored: {why}",
                call=record.id, why=result.getErrorMessage(),
            )  # fmt: skip
        live.committed = record
        for reached, waiter in list(live.waiting):
            if reached(record):
                live.waiting.remove((reached, waiter))
                waiter.callback(record)
        for observer in list(self._observers):
            observer(record)
        self._leave(live)

    def _count_end(self, record: CallRecord) -> None:
        if record.bridged is not None:
            metrics.calls_ended_bridged.inc()
        elif record.cause is not None and record.cause.code >= 500:
            metrics.calls_ended_failed.inc()
        else:
            metrics.calls_ended_unanswered.inc()
        cause = record.cause
        _log.info(
            "call {call}: ended by {who}: {code} {sentence}",
            call=record.id,
            who=cause.who if cause else "",
            code=cause.code if cause else 0,
            sentence=cause.sentence if cause else "",
        )

    def over(self, runner: CallRunner) -> None:
        """The call has ended and none of its legs is left."""
        live = self._live.get(runner.record.id)
        if live is not None:
            live.over = True
            self._leave(live)

    def _leave(self, live: _Live) -> None:
        """Forget a call once it is over and everything of it is stored."""
        if not live.over or live.commits:
            return
        call = live.runner.record.id
        self._live.pop(call, None)
        if live.key is not None:
            if self._by_key.get(live.key) == call:
                del self._by_key[live.key]
            own = self._calls_of.get(live.key[0], set())
            own.discard(call)
            if not own:
                self._calls_of.pop(live.key[0], None)
        metrics.calls_live.set(len(self._live))

    # -- surroundings of the runners -----------------------------------------------------------

    def local(self, leg_id: str, flow: Flow) -> Local:
        """Our side of a leg over ``flow``. Raises OSError where there is no way out."""
        assert self._stack is not None
        sent_by = self._stack.contact(flow)
        host, _ = split_host_port(sent_by)
        return Local(
            contact=f"<sip:{leg_id}@{sent_by}>",
            address=host.strip("[]"),
            random=self._random,
            session_expires=self._config.call.session_expires,
            user_agent=USER_AGENT,
        )

    def leg_id(self) -> str:
        """A fresh id of a leg."""
        return ids.leg_id(self._random)

    def sip_call_id(self) -> str:
        """A fresh Call-ID."""
        return ids.sip_call_id(self._random)

    def leg_started(self, leg_id: str, runner: CallRunner, name: str) -> None:
        """Requests to the leg's Contact belong to ``runner`` from now on."""
        self._legs[leg_id] = (runner, name)

    def leg_gone(self, leg_id: str) -> None:
        """There is no such leg any more."""
        self._legs.pop(leg_id, None)
        handle = self._invites.pop(leg_id, None)
        if handle is not None:
            del self._incoming[handle]

    def find_incoming(self, handle: ServerHandle) -> tuple[CallRunner, str] | None:
        """The runner and leg of an INVITE that came in."""
        return self._incoming.get(handle)

    def find_leg(self, leg_id: str) -> tuple[CallRunner, str] | None:
        """The runner and name of a leg."""
        return self._legs.get(leg_id)

    def remember_shy(self, user_agent: str) -> None:
        """Phones of that kind refuse an INVITE without SDP."""
        if len(self._shy) < MAXIMUM_SHY:
            self._shy[user_agent] = None

    # -- start and stop ------------------------------------------------------------------------

    async def mark_lost(self) -> int:
        """End the records of calls that died with an earlier process; gives their number."""
        lost = await self._store.read("unfinished calls", stored.unfinished)
        for record in lost:
            moment = self._now()
            cause = Cause("sipxd", None, 500, "sipxd was restarted during the call.")
            ended = attrs.evolve(record, state=CallState.ENDED, ended=moment, cause=cause)
            event = CallEvent("call.ended", record.id, record.user, moment)
            await self._store.submit(CallUnit(event, ended))
        return len(lost)

    async def close(self, seconds: float = 3.0) -> None:
        """Take no new call, hang up every one, and wait up to ``seconds`` for their ends."""
        self._closing = True
        for live in list(self._live.values()):
            live.runner.hang_up("sipxd", "sipxd was stopped.")
        if not self._live:
            return
        done: Deferred[None] = Deferred()

        def check(left: float) -> None:
            if not self._live or left <= 0:
                done.callback(None)
            else:
                self._timers.schedule(0.05, check, left - 0.05)

        check(seconds)
        await done
