"""The live table: the calls under way, their legs, and the commits of their steps.

What a reader is shown of a call is what is committed of it.  The steps of one call are handed to
the store in order, and SIP does not wait for them; only the beginning of a call is waited for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd import __version__, ids, metrics
from sipxd.call.call import Phase
from sipxd.call.effects import AskReferral, Seek, TransferTold
from sipxd.call.phones import Refusal
from sipxd.call.record import CallEvent, CallRecord, CallState, CallUnit
from sipxd.errors import Overloaded
from sipxd.net.locator import Locator
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.phones import Phones
from sipxd.service.returns import Returns
from sipxd.service.runner import CallRunner
from sipxd.service.surroundings import Machine
from sipxd.sip.credentials import Authorizer
from sipxd.sip.flow import Flow
from sipxd.sip.headers import split_host_port
from sipxd.sip.leg import Local
from sipxd.sip.referral import Replaces
from sipxd.store.store import Store

_log = Logger()

USER_AGENT = f"sipxd/{__version__}"

Key = tuple[int, str]
"""Who asked for a click-to-call, and to which number: while it lives there is no second one."""


class LiveCall:
    """A call under way: its runner, and the record as far as it is committed."""

    __slots__ = ("_waiting", "commits", "committed", "key", "over", "runner", "stored_legs")

    def __init__(self, runner: CallRunner, key: Key | None) -> None:
        self.runner = runner
        self.key = key
        self.committed: CallRecord | None = None
        self.commits = 0
        """Steps that are on their way to the store."""
        self.over = False
        """Whether the call has ended and none of its legs is left."""
        self.stored_legs: tuple[str, ...] = ()
        self._waiting: list[tuple[Callable[[CallRecord], bool], Deferred[CallRecord]]] = []

    @property
    def id(self) -> str:
        """The id of the call."""
        return self.runner.record.id

    @property
    def pending(self) -> bool:
        """Whether the call is still being set up."""
        return self.runner.machine.phase not in (Phase.BRIDGED, Phase.ENDED)

    async def when(self, reached: Callable[[CallRecord], bool]) -> CallRecord:
        """The committed record once ``reached`` holds for it."""
        if self.committed is not None and reached(self.committed):
            return self.committed

        def forget(cancelled: Deferred[CallRecord]) -> None:
            self._waiting = [entry for entry in self._waiting if entry[1] is not cancelled]

        waiter: Deferred[CallRecord] = Deferred(forget)
        self._waiting.append((reached, waiter))
        return await waiter

    def tell(self, record: CallRecord) -> None:
        """``record`` is committed."""
        self.committed = record
        ready = [entry for entry in self._waiting if entry[0](record)]
        if ready:
            self._waiting = [entry for entry in self._waiting if entry not in ready]
            for _, waiter in ready:
                waiter.callback(record)

    def never_was(self, why: Failure) -> None:
        """The beginning of the call could not be stored."""
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            waiter.errback(why)


class LiveCalls:
    """Every call of this process; also what runners need of the world around them."""

    def __init__(
        self,
        store: Store,
        timers: TimerQueue,
        phones: Phones,
        *,
        session_expires: int,
        authorizer: Callable[[str], Authorizer | None] = lambda account: None,
        random: ids.Random = os.urandom,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.authorizer = authorizer
        self.phones = phones
        self.returns = Returns(now)
        self._store = store
        self._timers = timers
        self._session_expires = session_expires
        self._random = random
        self.now = now
        self.calls: dict[str, LiveCall] = {}
        self._by_key: dict[Key, LiveCall] = {}
        self._by_user: dict[int, dict[str, LiveCall]] = {}
        self._legs: dict[str, tuple[CallRunner, str]] = {}
        self._incoming: dict[ServerHandle, tuple[CallRunner, str]] = {}
        self._invites: dict[str, ServerHandle] = {}
        self._observers: list[Callable[[CallRecord], None]] = []
        self._resolve: Callable[[CallRunner, AskReferral], None] | None = None
        self._seek: Callable[[CallRunner, Seek], None] | None = None
        self._transfers: dict[CallRunner, Callable[[TransferTold], None]] = {}
        self._stack: SipStack | None = None
        self._locator: Locator | None = None

    def join_stack(self, stack: SipStack, locator: Locator) -> None:
        """Use ``stack`` for signalling from now on, on the ways that ``locator`` finds."""
        self._stack = stack
        self._locator = locator

    # -- the table -----------------------------------------------------------------------------

    def by_key(self, key: Key) -> LiveCall | None:
        """The click-to-call of that user to that number."""
        return self._by_key.get(key)

    def of_user(self, user_id: int) -> list[LiveCall]:
        """The click-to-calls of a user."""
        return list(self._by_user.get(user_id, {}).values())

    def enter(self, record: CallRecord, machine: Machine, key: Key | None) -> LiveCall:
        """Put a new call into the table; `begin` comes next."""
        assert self._stack is not None
        runner = CallRunner(record, machine, self._stack, self._timers, self)
        live = self.calls[record.id] = LiveCall(runner, key)
        if key is not None:
            self._by_key[key] = live
            self._by_user.setdefault(key[0], {})[record.id] = live
        metrics.calls_started.inc()
        metrics.calls_live.set(len(self.calls))
        return live

    async def begin(self, live: LiveCall) -> None:
        """Commit the beginning of a call; where that fails the call has never been."""
        record = live.runner.record
        live.commits += 1
        try:
            await self._store.submit(self._unit(live, "call.started", record, record.started, {}))
        except BaseException:
            live.commits -= 1
            live.over = True
            self._leave(live)
            live.never_was(Failure())
            raise
        self._committed(None, live, record)

    def _leave(self, live: LiveCall) -> None:
        """Forget a call once it is over and everything of it is stored."""
        if not live.over or live.commits:
            return
        self.calls.pop(live.id, None)
        self._release_key(live)
        metrics.calls_live.set(len(self.calls))

    def _release_key(self, live: LiveCall) -> None:
        if live.key is None:
            return
        if self._by_key.get(live.key) is live:
            del self._by_key[live.key]
        own = self._by_user.get(live.key[0], {})
        own.pop(live.id, None)
        if not own:
            self._by_user.pop(live.key[0], None)

    # -- steps ---------------------------------------------------------------------------------

    def step(
        self,
        runner: CallRunner,
        kind: str,
        changes: dict[str, Any],
        now: tuple[str, ...],
        data: dict[str, Any],
    ) -> None:
        """A step of a call: evolve its record, and hand it to the store in order."""
        moment = self.now()
        record = runner.evolve(**changes, **dict.fromkeys(now, moment))
        live = self.calls[record.id]
        if record.state is CallState.ENDED:
            self._release_key(live)
            _count_end(record)
        live.commits += 1
        try:
            done = self._store.submit(self._unit(live, kind, record, moment, data))
        except Overloaded as error:
            done = Deferred()
            done.errback(Failure(error))
        done.addBoth(self._committed, live, record)

    def _unit(
        self, live: LiveCall, kind: str, record: CallRecord, at: float, data: dict[str, Any]
    ) -> CallUnit:
        if record.cause is not None:
            data = {"code": record.cause.code, "sentence": record.cause.sentence}
        event = CallEvent(kind, record.id, record.user, at, data)
        dialogs = live.runner.snapshot() if record.state is CallState.BRIDGED else {}
        before = live.stored_legs if dialogs or record.state is CallState.ENDED else ()
        released = tuple(leg for leg in before if leg not in dialogs)
        live.stored_legs = tuple(dialogs) or live.stored_legs
        return CallUnit(event, record, dialogs, released)

    def _committed(self, result: Any, live: LiveCall, record: CallRecord) -> None:
        live.commits -= 1
        if isinstance(result, Failure):
            # The call goes on: what is lost is a line of its record, and the log says so.
            _log.error(
                "call {call}: a step could not be stored: {why}",
                call=record.id,
                why=result.getErrorMessage(),
            )
        live.tell(record)
        for observer in list(self._observers):
            observer(record)
        self._leave(live)

    def subscribe(self, callback: Callable[[CallRecord], None]) -> Callable[[], None]:
        """Have ``callback`` told of every committed step; gives what ends that."""
        self._observers.append(callback)
        return lambda: self._observers.remove(callback)

    # -- surroundings of the runners -----------------------------------------------------------

    def local(self, leg_id: str, flow: Flow) -> Local:
        """Our side of a leg over ``flow``. Raises OSError where there is no way out."""
        assert self._stack is not None
        host, _ = split_host_port(self._stack.contact(flow))
        return Local(
            contact=f"<{self._stack.contact_uri(leg_id, flow)}>",
            address=host.strip("[]"),
            random=self._random,
            session_expires=self._session_expires,
            user_agent=USER_AGENT,
        )

    def locate(self, uri: str) -> Deferred[tuple[Flow, ...]]:
        """The flows that lead to ``uri``; fails with ResolveError or Unreachable."""
        assert self._locator is not None
        return Deferred.fromCoroutine(self._locator.find(uri))

    def known(self, uri: str) -> Flow | None:
        """The first of them where that needs no waiting."""
        assert self._locator is not None
        return self._locator.known(uri)

    def call_id(self) -> str:
        """A fresh id of a call."""
        return ids.call_id(self._random)

    def leg_id(self) -> str:
        """A fresh id of a leg."""
        return ids.leg_id(self._random)

    def return_token(self) -> str:
        """A fresh one-time user part that a phone is referred to."""
        return ids.return_token(self._random)

    def sip_call_id(self) -> str:
        """A fresh Call-ID."""
        return ids.sip_call_id(self._random)

    @property
    def leg_count(self) -> int:
        """Legs of all calls."""
        return len(self._legs)

    def leg_started(self, leg_id: str, runner: CallRunner, name: str) -> None:
        """Requests to the leg's Contact belong to ``runner`` from now on."""
        self._legs[leg_id] = (runner, name)
        handle = self._invites.get(leg_id)
        if handle is not None:
            self._incoming[handle] = (runner, name)

    def on_referral(self, resolve: Callable[[CallRunner, AskReferral], None]) -> None:
        """Have ``resolve`` find out where referrals lead."""
        self._resolve = resolve

    def referred(self, runner: CallRunner, ask: AskReferral) -> None:
        """A phone refers the other party of its call."""
        assert self._resolve is not None
        self._resolve(runner, ask)

    def watch_transfer(self, runner: CallRunner, told: Callable[[TransferTold], None]) -> None:
        """Have ``told`` hear how the transfer of the call goes that is asked for now."""
        self._transfers[runner] = told

    def transfer_told(self, runner: CallRunner, told: TransferTold) -> None:
        """Tell whoever has asked for it over an API how a transfer goes."""
        watcher = self._transfers.get(runner)
        if told.final:
            self._transfers.pop(runner, None)
        if watcher is not None:
            watcher(told)

    def on_seek(self, seek: Callable[[CallRunner, Seek], None]) -> None:
        """Have ``seek`` find out where the branches of searches lead."""
        self._seek = seek

    def sought(self, runner: CallRunner, ask: Seek) -> None:
        """A branch of a call's search is a number that has to be looked up."""
        assert self._seek is not None
        self._seek(runner, ask)

    def find_dialog(self, replaces: Replaces) -> tuple[CallRunner, str] | None:
        """The runner and name of the leg whose dialog ``replaces`` names (RFC 3891 section 3).

        Every leg is looked at: this is asked for once in many calls, an index for it kept in all.
        """
        for runner, name in self._legs.values():
            leg = runner.leg(name)
            dialog = None if leg is None else leg.dialog
            if (
                dialog is not None
                and dialog.call_id == replaces.call_id
                and dialog.local_tag == replaces.to_tag
                and dialog.remote_tag == replaces.from_tag
            ):
                return runner, name
        return None

    def incoming(self, leg_id: str, handle: ServerHandle) -> None:
        """The leg began with the INVITE of ``handle``: a CANCEL of that concerns it."""
        self._incoming[handle] = self._legs[leg_id]
        self._invites[leg_id] = handle

    def leg_gone(self, leg_id: str) -> None:
        """There is no such leg any more."""
        self._legs.pop(leg_id, None)
        handle = self._invites.pop(leg_id, None)
        if handle is not None:
            del self._incoming[handle]

    def find_leg(self, leg_id: str) -> tuple[CallRunner, str] | None:
        """The runner and name of a leg."""
        return self._legs.get(leg_id)

    def find_incoming(self, handle: ServerHandle) -> tuple[CallRunner, str] | None:
        """The runner and name of the leg that an INVITE began."""
        return self._incoming.get(handle)

    def await_return(self, token: str, runner: CallRunner, flow: Flow) -> str:
        """Await the phone behind ``flow`` at the URI that this gives. Raises OSError."""
        assert self._stack is not None
        uri = self._stack.contact_uri(token, flow)
        self.returns.expect(token, runner, flow)
        return uri

    def remember(self, user_agent: str, refuses: Refusal) -> None:
        """Phones that call themselves so refuse that."""
        self.phones.note(user_agent, refuses)

    def over(self, runner: CallRunner) -> None:
        """The call has ended and none of its legs is left."""
        self.returns.forget(runner)
        live = self.calls.get(runner.record.id)
        if live is not None:
            live.over = True
            self._leave(live)


def _count_end(record: CallRecord) -> None:
    cause = record.cause
    if record.bridged is not None:
        metrics.calls_ended_bridged.inc()
    elif cause is not None and cause.code >= 500:
        metrics.calls_ended_failed.inc()
    else:
        metrics.calls_ended_unanswered.inc()
    if cause is not None:
        _log.info(
            "call {call}: ended by {who}: {code} {sentence}",
            call=record.id,
            who=cause.who,
            code=cause.code,
            sentence=cause.sentence,
        )
