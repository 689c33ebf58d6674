"""The use-cases around calls: begin one, read about it, end it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from sipxd import metrics
from sipxd.call.click import ClickToCall
from sipxd.call.click_offer import OfferClick
from sipxd.call.click_offerless import OfferlessClick
from sipxd.call.click_refer import RETURN, ReferClick
from sipxd.call.effects import Seek, Target
from sipxd.call.identity import wants_privacy
from sipxd.call.numbers import Number, clean_number
from sipxd.call.path import HEADER, Path, extend_path, read_path
from sipxd.call.phone import PhoneCall
from sipxd.call.plan import Destination, Nowhere, Plan
from sipxd.call.policy import OUTSIDE
from sipxd.call.record import CallKind, CallRecord, CallState, ClickFlow
from sipxd.config import Config
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound, Overloaded, TooManyCalls
from sipxd.net.legs import INVITE
from sipxd.net.stack import ServerHandle
from sipxd.net.timers import TimerQueue
from sipxd.service.destinations import Destinations
from sipxd.service.live import LiveCalls
from sipxd.service.near_side import OWN_PHONES, FirstLeg, answering, near_side, saying
from sipxd.service.pending_forwards import PendingForwards
from sipxd.service.plans import ANYTHING, Wish
from sipxd.service.runner import CallRunner
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request
from sipxd.sip.uas import UasLeg
from sipxd.store import calls as stored
from sipxd.store.store import Store

_log = Logger()


def _settled(record: CallRecord) -> bool:
    return record.state in (CallState.BRIDGED, CallState.ENDED)


def _ended(record: CallRecord) -> bool:
    return record.state is CallState.ENDED


def parse_flow(name: str) -> ClickFlow:
    """The flow of that name. Raises BadInput."""
    try:
        return ClickFlow(name)
    except ValueError:
        raise BadInput(f"flow is one of {', '.join(ClickFlow)}.", field="flow") from None


def _forwards_left(request: Request) -> int:
    """The Max-Forwards of what we send on account of ``request``."""
    forwards = request.get("Max-Forwards")
    return min(70, int(forwards) - 1) if forwards else 69


def _in_time(destination: Destination, request: Request) -> Destination:
    """``destination`` within the time that the caller himself gives (RFC 3261 section 13.3.1)."""
    text = (request.get("Expires") or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return destination
    plan = destination.plan
    seconds = max(1.0, float(text))
    limit = seconds if plan.limit is None else min(plan.limit, seconds)
    return attrs.evolve(destination, plan=attrs.evolve(plan, limit=limit))


class Calls:
    """Every call of this daemon."""

    def __init__(
        self,
        config: Config,
        destinations: Destinations,
        store: Store,
        table: LiveCalls,
        timers: TimerQueue,
        *,
        ringback: Target | None = None,
        busy_tone: Target | None = None,
    ) -> None:
        self._config = config
        self.destinations = destinations
        self._store = store
        self._table = table
        self._timers = timers
        self.ringback = ringback
        self.busy_tone = busy_tone
        self.is_overloaded: Callable[[], bool] = lambda: False
        """Whether there is more to do on the SIP side than can be done in time."""
        limit = config.limits.user_forwards_pending
        self._forwards = PendingForwards(limit, self._is_pending)
        self._starts: dict[int, deque[float]] = {}
        self._closing = False
        table.on_seek(self._seek)

    # -- click-to-call -------------------------------------------------------------------------

    async def click_to_call(
        self,
        user: User,
        number: str,
        *,
        source: str,
        flow: str | None = None,
        first: FirstLeg = OWN_PHONES,
        headers: tuple[Header, ...] = (),
    ) -> CallRecord:
        """Ring the user's own phones, or ``first``, then ``number``, and bridge the two.

        ``source`` is the address that asked, ``flow`` how to do it, None: as the user or the
        configuration says; ``headers`` are said to whoever has ``number``.  The call is committed
        when this returns.  While it lives, the same user and number again give the same call.
        Raises BadInput, Forbidden, NotFound, TooManyCalls, Overloaded.
        """
        cleaned = clean_number(number)
        usual = user.flow or self._config.call.flow
        chosen = parse_flow(usual if flow is None else flow)
        key = (user.id, f"{first.number or ''}>{cleaned}")
        running = self._table.by_key(key)
        if running is not None:
            return await running.when(lambda record: True)
        path = self._extended((), cleaned)
        destination = self.destinations.find(user, cleaned, path=path)
        destination = saying(destination, headers)
        own_phones = near_side(self.destinations, user, cleaned, first)
        if self.is_overloaded():
            raise Overloaded("There is too much to do; try again.", retry_after=5)
        self._check_caps(user)
        machine = self._click(chosen, own_phones, destination, cleaned)
        record = self._new_record(CallKind.CLICK, user, cleaned, CallState.CALLER)
        record = attrs.evolve(record, flow=chosen)
        live = self._table.enter(record, machine, key)
        _log.info(
            "call {call}: {user} calls {number}, asked for from {source}",
            call=record.id,
            user=user.name,
            number=record.number,
            source=source,
        )
        live.runner.path = path
        await self._table.begin(live)
        live.runner.start(machine.start)
        return record

    def _click(
        self, flow: ClickFlow, own_phones: Destination, destination: Destination, number: Number
    ) -> ClickToCall:
        """The machine of a click-to-call."""
        registrar = self._config.sip.registrar
        devices = answering(own_phones, self._config.domain)
        options: dict[str, Any] = {
            "refuses": self._table.phones.refuses,
            "ringback": self.ringback,
            "busy_tone": self.busy_tone,
        }
        if flow is ClickFlow.OFFERLESS:
            return OfferlessClick(devices, destination, **options)
        if flow is ClickFlow.REFER or (flow is ClickFlow.AUTO and registrar):
            return ReferClick(
                devices,
                destination,
                refer_to=self.destinations.address(number),
                token=self._table.return_token() if registrar else "",
                only_known=flow is ClickFlow.AUTO,
                **options,
            )
        return OfferClick(devices, destination, **options)

    def _new_record(
        self, kind: CallKind, user: User, number: Number, state: CallState
    ) -> CallRecord:
        started = self._table.now()
        return CallRecord(self._table.call_id(), kind, user.name, str(number), state, started)

    def _check_caps(self, user: User) -> None:
        """The user's own caps, and the daemon's."""
        limits = self._config.limits
        pending = sum(live.pending for live in self._table.of_user(user.id))
        if pending >= limits.user_calls_pending:
            raise TooManyCalls(
                f"{pending} calls of {user.name} are being set up already; wait for one of them.",
                retry_after=5,
            )
        now = self._table.now()
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
        if len(self._table.calls) >= self._config.limits.calls:
            metrics.sip_refused_full_calls.inc()
            raise Overloaded("Too many calls are under way; try again.", retry_after=5)

    # -- calls from phones ---------------------------------------------------------------------

    async def from_phone(
        self,
        caller: User,
        number: Number,
        request: Request,
        handle: ServerHandle,
        flow: Flow,
        *,
        account: str = "",
        wish: Wish = ANYTHING,
        guest: bool = False,
    ) -> None:
        """A call that ``caller``'s phone makes, its INVITE authenticated.

        ``account`` is whose credentials answer where requests within the call are challenged;
        ``wish`` what the INVITE asks for beside the number.  A ``guest`` is a stranger for whom
        nobody vouches: it is for his own provider to pass on his calls for help.

        Raises NotFound where no route leads to ``number``, Forbidden where the dial policy is
        against it, Loop where the call goes in a circle, DialogError where the INVITE cannot make a
        dialog, BadInput where its SDP cannot be read, Overloaded.
        """
        path = self._extended(read_path(request.get_all(HEADER)), number)
        destination = self.destinations.find(
            caller,
            number,
            from_phone=not guest,
            private=wants_privacy(request),
            path=path,
            wish=wish,
        )
        destination = _in_time(destination, request)
        if guest or not self.destinations.policy.is_emergency(number):
            self.check_room()
        leg_id = self._table.leg_id()
        authorizer = self._table.authorizer(account) if account else None
        leg = UasLeg(self._table.local(leg_id, flow), INVITE, request, flow, authorizer)
        if not leg.readable:
            raise BadInput("The session description cannot be read.")
        user = "" if caller.id == OUTSIDE else caller.name
        machine = PhoneCall("near", leg.offer_in, destination, user)
        record = self._new_record(CallKind.PHONE, caller, number, CallState.CALLEE)
        live = self._table.enter(record, machine, None)
        runner = live.runner
        runner.max_forwards = _forwards_left(request)
        runner.path = path
        runner.add("near", leg_id, leg, handle)
        self._table.incoming(leg_id, handle)
        _log.info(
            "call {call}: {user} calls {number} from a phone at {host}",
            call=record.id,
            user=caller.name,
            number=record.number,
            host=flow.host,
        )
        try:
            await self._table.begin(live)
        except BaseException:
            # The INVITE is refused by whoever called us; the leg must not linger meanwhile.
            self._table.leg_gone(leg_id)
            raise
        runner.start(machine.start)

    def _extended(self, path: Path, number: Number) -> Path:
        """``path`` with ``number``, whatever alias of a user it is. Raises Loop."""
        known_as = Number(self.destinations.canonical(number), number.host)
        return extend_path(path, known_as, self._config.domain)

    def _seek(self, runner: CallRunner, ask: Seek) -> None:
        """Tell the call of ``runner`` where a branch of its search leads."""
        found = self._sent_on(runner, ask)
        if isinstance(found, Plan):
            runner.start(lambda: runner.machine.found(ask.leg, found))
            return
        _log.info(
            "call {call}: {by} cannot send it on to {number!r}: {status} {reason}",
            call=runner.record.id,
            by=ask.onward.by,
            number=ask.onward.number,
            status=found.status,
            reason=found.reason,
        )
        runner.start(lambda: runner.machine.not_found(ask.leg, found.status, found.reason))

    def _sent_on(self, runner: CallRunner, ask: Seek) -> Plan | Nowhere:
        if not self._forwards.admit(ask.onward.by, runner.record.id):
            return Nowhere(503, f"Too many calls of {ask.onward.by} ring elsewhere already")
        return self.destinations.seek(ask.onward, ask.passage)

    def _is_pending(self, call_id: str) -> bool:
        live = self._table.calls.get(call_id)
        return live is not None and live.pending

    def returned(
        self, runner: CallRunner, request: Request, handle: ServerHandle, flow: Flow
    ) -> None:
        """The phone that was referred to us calls: its INVITE goes on in the call of ``runner``.

        Raises NotFound where that call no longer waits for it, DialogError where the INVITE cannot
        make a dialog, BadInput where its SDP cannot be read.
        """
        leg_id = self._table.leg_id()
        leg = UasLeg(self._table.local(leg_id, flow), INVITE, request, flow)
        if not leg.readable:
            raise BadInput("The session description cannot be read.")
        waiting = runner.machine
        successor = None
        if isinstance(waiting, ReferClick):
            successor = waiting.came_back(RETURN, leg.offer_in)
        if successor is None:
            raise NotFound("The call that was asked for has ended.")
        self._table.returns.forget(runner)
        _log.info(
            "call {call}: the phone at {host} calls as it was asked to",
            call=runner.record.id,
            host=flow.host,
        )
        runner.max_forwards = _forwards_left(request)
        runner.succeed(successor)
        runner.add(RETURN, leg_id, leg, handle)
        self._table.incoming(leg_id, handle)
        runner.start(successor.start)

    # -- reading and ending --------------------------------------------------------------------

    def live(self) -> list[CallRecord]:
        """The calls under way, the newest first."""
        records = [live.committed for live in self._table.calls.values()]
        return sorted(
            (record for record in records if record is not None),
            key=lambda record: record.started,
            reverse=True,
        )

    async def outcome(self, call_id: str) -> CallRecord:
        """Wait until the call is bridged or has ended. Raises NotFound."""
        live = self._table.calls.get(call_id)
        return await (self.find(call_id) if live is None else live.when(_settled))

    async def find(self, call_id: str) -> CallRecord:
        """The record of a call, under way or over. Raises NotFound."""
        live = self._table.calls.get(call_id)
        if live is not None and live.committed is not None:
            return live.committed
        record = await self._store.read("find call", lambda c: stored.find(c, call_id))
        if record is None:
            raise NotFound(f"There is no call {call_id}.")
        return record

    async def hang_up(self, call_id: str, *, by: str) -> CallRecord:
        """End a call in whatever state, for the user ``by``. Raises NotFound."""
        live = self._table.calls.get(call_id)
        if live is None:
            return await self.find(call_id)
        live.runner.hang_up("api", f"Ended by {by}.")
        return await live.when(_ended)

    async def history(
        self, *, user: str | None, before: str | None, limit: int
    ) -> list[CallRecord]:
        """Records, the newest first, from the one behind ``before`` on; None: of all users."""
        return await self._store.read(
            "page of calls", lambda c: stored.page(c, user=user, before=before, limit=limit)
        )

    def subscribe(self, callback: Callable[[CallRecord], None]) -> Callable[[], None]:
        """Have ``callback`` told of every committed step; gives what ends that."""
        return self._table.subscribe(callback)

    async def close(self, seconds: float = 3.0) -> None:
        """Take no new call, hang up every one, and wait up to ``seconds`` for their ends."""
        self._closing = True
        calls = self._table.calls
        for live in list(calls.values()):
            live.runner.hang_up("sipxd", "sipxd was stopped.")
        if not calls:
            return
        done: Deferred[None] = Deferred()

        def check(left: float) -> None:
            if not calls or left <= 0:
                done.callback(None)
            else:
                self._timers.schedule(0.05, check, left - 0.05)

        check(seconds)
        await done
