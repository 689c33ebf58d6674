"""The runner: one call's machine, its legs, and the order in which things happen to them.

Events stand in a queue; one is worked off to its end before the next, its effects in their order,
and nothing re-enters a machine.  An effect that fails comes back as an event.  Every step of the
call is handed to the store in order; SIP does not wait for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd.call import effects as do
from sipxd.call.call import Phase
from sipxd.call.path import Path, path_headers
from sipxd.call.record import CallRecord
from sipxd.net.legs import LegDriver
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.net.timers import Timer, TimerQueue
from sipxd.service.attempt import Attempt
from sipxd.service.leg_effects import carry_out
from sipxd.service.surroundings import Machine, Surroundings
from sipxd.sip import leg as sip
from sipxd.sip.flow import Flow
from sipxd.sip.headers import parse_name_addr
from sipxd.sip.message import Header, Request
from sipxd.sip.uac import Invitation, UacLeg
from sipxd.sip.usage import InviteUsage, LegState

_log = Logger()

MAXIMUM_EVENTS = 1000
"""Events of one call that may wait; a flood beyond that is dropped and counted as a defect."""


class _Leg:
    """A leg by its name in the call, and the relayed requests of it that wait for the far side."""

    __slots__ = ("attempt", "driver", "id", "name", "requests")

    def __init__(self, name: str, leg_id: str, driver: LegDriver) -> None:
        self.name = name
        self.id = leg_id
        self.driver = driver
        self.requests: dict[str, Request] = {}
        self.attempt: Attempt | None = None
        """How it was reached, while another way may have to be found."""


class CallRunner:
    """One call."""

    def __init__(
        self,
        record: CallRecord,
        machine: Machine,
        stack: SipStack,
        timers: TimerQueue,
        around: Surroundings,
    ) -> None:
        self.record = record
        self.machine = machine
        self._stack = stack
        self._queue_of_timers = timers
        self._around = around
        self._legs: dict[str, _Leg] = {}
        self._left: dict[str, _Leg] = {}
        """Legs by their id that were given up for another way and have not ended yet."""
        self._seeking: dict[str, Attempt] = {}
        """Branches by their leg whose way is being looked for."""
        self._timers: dict[str, Timer] = {}
        self._events: deque[Callable[[], None]] = deque()
        self._running = False
        self._over = False
        self._serial = 0
        self.max_forwards = 70
        self.path: Path = ()
        """The numbers that the call has come through, the one that it calls last."""

    # -- entrances: each queues an event -------------------------------------------------------

    def start(self, effects: Callable[[], list[do.Effect]]) -> None:
        """Begin with what ``effects`` gives."""
        self._post(lambda: self._do(effects()))

    def hang_up(self, who: str, sentence: str) -> None:
        """End the call from outside."""
        self._post(lambda: self._do(self.machine.hang_up(who, sentence)))

    def add(
        self,
        name: str,
        leg_id: str,
        machine: InviteUsage,
        handle: ServerHandle | None = None,
        *,
        pinned: bool = True,
    ) -> LegDriver:
        """Take in a leg; one that came in is answered through the ``handle`` of its INVITE.

        ``pinned``: its messages take the flow of the first one, as those of a registered phone.
        """

        def told(event: sip.Event) -> None:
            self._told(leg, event)

        driver = LegDriver(
            machine,
            self._stack,
            self._queue_of_timers,
            self._post,
            told,
            self._around.known,
            pinned=pinned,
        )
        if handle is not None:
            driver.incoming(handle)
        leg = self._legs[name] = _Leg(name, leg_id, driver)
        self._around.leg_started(leg_id, self, name)
        return driver

    def succeed(self, machine: Machine) -> None:
        """Go on with another machine, which knows the legs by the same names."""
        self.machine = machine

    def hand_over(
        self,
        name: str,
        parting: Callable[[], list[do.Effect] | None],
        heir: CallRunner,
        new_name: str,
        then: Callable[[bool], list[do.Effect]],
    ) -> None:
        """Give the leg ``name`` to the call of ``heir``, where it is called ``new_name``.

        ``parting`` gives what this call does about it, None where it keeps the leg.  The heir goes
        on with ``then``, which is told whether it has the leg.
        """

        def part() -> None:
            effects = parting() if name in self._legs else None
            if effects is not None:
                self._do(effects)
                heir.inherit(self._legs.pop(name), new_name)
            heir.start(lambda: then(effects is not None))

        self._post(part)

    def inherit(self, leg: _Leg, name: str) -> None:
        """Take in a leg of another call; what comes for it takes its turn here from now on."""
        leg.name = name
        leg.requests.clear()
        self._legs[name] = leg
        leg.driver.move(self._post, lambda event: self._told(leg, event))
        self._around.leg_started(leg.id, self, name)

    def receive_request(self, name: str, handle: ServerHandle, request: Request) -> None:
        """A request within the dialog of a leg."""
        self._to_driver(name, lambda driver: driver.receive_request(handle, request))

    def receive_cancel(self, name: str, handle: ServerHandle) -> None:
        """The INVITE of ``handle``, with which a leg began or within its dialog, was cancelled."""
        self._to_driver(name, lambda driver: driver.receive_cancel(handle))

    def receive_ack(self, name: str, request: Request) -> None:
        """An ACK for a 2xx of a leg."""
        self._to_driver(name, lambda driver: driver.receive_ack(request))

    def leg(self, name: str) -> InviteUsage | None:
        """The machine of a leg, while there is one."""
        leg = self._legs.get(name)
        return None if leg is None else leg.driver.machine

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """The dialogs of all legs that are up, as plain data by leg id."""
        out: dict[str, dict[str, Any]] = {}
        for leg in self._legs.values():
            if leg.driver.machine.state is LegState.UP:
                plain = leg.driver.machine.to_plain()
                if plain is not None:
                    out[leg.id] = {**plain, "name": leg.name, "pinned": leg.driver.pinned}
        return out

    def _post(self, event: Callable[[], None]) -> None:
        if len(self._events) >= MAXIMUM_EVENTS:
            _log.error("call {call}: too many events wait, one is dropped", call=self.record.id)
            return
        self._events.append(event)
        if self._running:
            return
        self._running = True
        try:
            while self._events:
                try:
                    self._events.popleft()()
                except Exception:
                    _log.failure("call {call}: an event failed", call=self.record.id)
                    self._do(self.machine.hang_up("sipxd", "An internal error ended the call."))
        finally:
            self._running = False
        nothing_left = not self._legs and not self._left
        if self.machine.phase is Phase.ENDED and nothing_left and not self._over:
            self._over = True
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._around.over(self)

    def _to_driver(self, name: str, event: Callable[[LegDriver], None]) -> None:
        leg = self._legs.get(name)
        if leg is not None:
            driver = leg.driver
            driver.enter(lambda: event(driver))

    # -- what legs tell ------------------------------------------------------------------------

    def _told(self, leg: _Leg, event: sip.Event) -> None:
        if isinstance(event, sip.Gone):
            if self._legs.get(leg.name) is leg:
                del self._legs[leg.name]
            self._left.pop(leg.id, None)
            self._around.leg_gone(leg.id)
            return
        if leg.id in self._left:
            return  # another way has taken its place
        if leg.attempt is not None:
            if isinstance(event, sip.Progress):
                leg.attempt.rang = True
            elif isinstance(event, sip.Refused) and leg.attempt.goes_on(event):
                self._give_up(leg, event)
                return
        if isinstance(event, sip.Relay):
            leg.requests[event.key] = event.request
        self._do(self.machine.leg_event(leg.name, event))

    # -- effects of the call -------------------------------------------------------------------

    def _do(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            match effect:
                case do.Ring():
                    self._reach(Attempt(effect, effect.target))
                case do.StartTimer(name, seconds):
                    self._start_timer(name, seconds)
                case do.StopTimer(name):
                    self._stop_timer(name)
                case do.Record(kind, changes, now, data):
                    self._around.step(self, kind, changes, now, data)
                case do.AskReferral():
                    self._around.referred(self, effect)
                case do.TransferTold():
                    self._around.transfer_told(self, effect)
                case do.Seek():
                    self._around.sought(self, effect)
                case do.ReferHome():
                    self._refer_home(effect)
                case do.Remember(user_agent, refuses):
                    self._around.remember(user_agent, refuses)
                case _:
                    leg = self._legs.get(effect.leg)
                    if isinstance(effect, do.Release):
                        self._seeking.pop(effect.leg, None)
                        if leg is not None:
                            leg.attempt = None
                    if leg is not None:
                        leg.driver.work(carry_out(effect, leg.driver.machine, leg.requests))

    def _refer_home(self, effect: do.ReferHome) -> None:
        """Refer a phone to us, so that its own call comes back into this one."""
        leg = self._legs.get(effect.leg)
        dialog = None if leg is None else leg.driver.machine.dialog
        if leg is None or dialog is None:
            return
        uri = self._around.await_return(effect.token, self, dialog.flow)
        leg.driver.work(leg.driver.machine.refer(uri, effect.headers))

    # -- reaching a branch ---------------------------------------------------------------------

    def _reach(self, attempt: Attempt) -> None:
        """Find the way to the target of ``attempt`` and take it."""
        target = attempt.target
        if target.flow is not None:
            attempt.hops.append(target.flow)
            self._try_next(attempt)
            return
        name = attempt.ring.leg
        self._seeking[name] = attempt

        def located(result: tuple[Flow, ...] | Failure) -> None:
            self._post(lambda: self._located(attempt, result))

        self._around.locate(next_hop(target)).addBoth(located)

    def _located(self, attempt: Attempt, result: tuple[Flow, ...] | Failure) -> None:
        if self._seeking.get(attempt.ring.leg) is not attempt:
            return  # released meanwhile
        del self._seeking[attempt.ring.leg]
        if isinstance(result, Failure):
            attempt.refusal = sip.Refused(503, result.getErrorMessage())
        else:
            attempt.hops.extend(result)
        self._try_next(attempt)

    def _try_next(self, attempt: Attempt) -> None:
        while attempt.hops:
            flow = attempt.hops.popleft()
            leg_id = self._around.leg_id()
            try:
                local = self._around.local(leg_id, flow)
            except OSError:
                attempt.refusal = sip.Refused(503, "There is no way to the phone")
                continue
            self._invite(attempt, leg_id, local, flow)
            return
        if attempt.fall_back():
            self._reach(attempt)
            return
        refused = attempt.refusal or sip.Refused(503, "There is no way to the phone")
        self._post(lambda: self._do(self.machine.leg_event(attempt.ring.leg, refused)))

    def _invite(self, attempt: Attempt, leg_id: str, local: sip.Local, flow: Flow) -> None:
        ring, target = attempt.ring, attempt.target
        identity = target.identity or ring.identity
        path: tuple[Header, ...] = ()
        if target.flow is None:
            path = path_headers(self.path if target.path is None else target.path)
        invitation = Invitation(
            uri=target.uri,
            from_=identity.from_,
            to=identity.to,
            flow=flow,
            call_id=self._around.sip_call_id(),
            headers=(*target.headers, *path),
            routes=target.routes,
            max_forwards=self.max_forwards,
        )
        machine = UacLeg(local, invitation, self._around.authorizer(target.account))
        machine.media.peer_agent = target.user_agent
        driver = self.add(ring.leg, leg_id, machine, pinned=target.flow is not None)
        leg = self._legs[ring.leg]
        leg.attempt = attempt
        self._stop_timer(f"silence:{ring.leg}")  # that of the way before
        if attempt.patience:
            self._start_timer(f"silence:{ring.leg}", attempt.patience)
        if ring.held is None:
            driver.work(machine.start(ring.sdp))
        else:
            driver.work(machine.start_held(ring.held))

    def _silent(self, name: str) -> None:
        """The present way has been silent for long enough."""
        leg = self._legs.get(name)
        if leg is None or leg.attempt is None or leg.driver.heard:
            return
        self._give_up(leg, sip.Refused(408, "No response"))

    def _give_up(self, leg: _Leg, refused: sip.Refused) -> None:
        """Turn from ``leg`` to the next way; what still comes of it is ended by itself."""
        attempt, leg.attempt = leg.attempt, None
        assert attempt is not None
        del self._legs[leg.name]
        self._left[leg.id] = leg
        leg.driver.work(leg.driver.machine.hang_up())
        attempt.refusal = refused
        self._try_next(attempt)

    def _stop_timer(self, name: str) -> None:
        running = self._timers.pop(name, None)
        if running is not None:
            running.cancel()

    def _start_timer(self, name: str, seconds: float) -> None:
        self._stop_timer(name)

        def fire() -> None:
            self._timers.pop(name, None)
            kind, _, leg = name.partition(":")
            if kind == "silence":
                self._post(lambda: self._silent(leg))
            else:
                self._post(lambda: self._do(self.machine.timer(name)))

        self._timers[name] = self._queue_of_timers.schedule(seconds, fire)

    def evolve(self, **changes: Any) -> CallRecord:
        """Set fields of the record and give the new one."""
        self.record = attrs.evolve(self.record, **changes)
        return self.record


def next_hop(target: do.Target) -> str:
    """The URI that tells where a request to ``target`` is sent (RFC 3261 section 8.1.2)."""
    return parse_name_addr(target.routes[0]).uri if target.routes else target.uri
