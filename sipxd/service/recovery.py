"""After a crash: calls that died with the process are ended, in their records and at the phones.

Both legs of every stored dialog get a BYE, so that no phone sits in a dead call until its session
timer runs out.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa
from twisted.logger import Logger

from sipxd.call import effects as do
from sipxd.call.call import Phase
from sipxd.call.plan import Plan
from sipxd.call.record import CallEvent, CallRecord, CallState, CallUnit, Cause
from sipxd.net.stack import SipStack
from sipxd.net.timers import TimerQueue
from sipxd.service.live import LiveCalls
from sipxd.service.runner import CallRunner
from sipxd.sip import leg as sip
from sipxd.sip.dialog import DialogState
from sipxd.sip.leg_media import LegMedia
from sipxd.sip.usage import InviteUsage
from sipxd.store import calls as stored
from sipxd.store.store import Store

_log = Logger()

CSEQ_MARGIN = 10_000
"""Added to our stored CSeq: requests since the snapshot have used numbers that were not stored."""
CAUSE = Cause("sipxd", None, 500, "sipxd was restarted during the call.")


class Remains:
    """What is left of a call whose machine died: its legs only want to be ended."""

    phase = Phase.ENDED

    def leg_event(self, leg: str, event: sip.Event) -> list[do.Effect]:
        """Nothing matters any more."""
        return []

    def found(self, branch: str, plan: Plan) -> list[do.Effect]:
        """Nobody is looked for."""
        return []

    def not_found(self, branch: str, status: int, text: str) -> list[do.Effect]:
        """Nobody is looked for."""
        return []

    def timer(self, name: str) -> list[do.Effect]:
        """There is none."""
        return []

    def hang_up(self, who: str, sentence: str) -> list[do.Effect]:
        """It has ended."""
        return []


async def recover(store: Store, live: LiveCalls, stack: SipStack, timers: TimerQueue) -> int:
    """End every call that an earlier process has left; gives their number."""
    lost = await store.read("unfinished calls", stored.unfinished)
    for record in lost:
        dialogs = await store.read("dialogs", partial(_dialogs, record.id))
        _end_legs(record, dialogs, live, stack, timers)
        moment = live.now()
        ended = attrs.evolve(record, state=CallState.ENDED, ended=moment, cause=CAUSE)
        event = CallEvent("call.ended", record.id, record.user, moment, {"code": CAUSE.code})
        await store.submit(CallUnit(event, ended, released=tuple(dialogs)))
    return len(lost)


def _dialogs(call_id: str, connection: sa.Connection) -> dict[str, dict[str, Any]]:
    return stored.dialogs_of(connection, call_id)


def _end_legs(
    record: CallRecord,
    dialogs: dict[str, dict[str, Any]],
    live: LiveCalls,
    stack: SipStack,
    timers: TimerQueue,
) -> None:
    runner = CallRunner(record, Remains(), stack, timers, live)
    names: list[str] = []
    for leg_id, plain in dialogs.items():
        try:
            dialog = DialogState.from_plain(plain["dialog"])
            dialog = attrs.evolve(dialog, local_seq=dialog.local_seq + CSEQ_MARGIN)
            local = live.local(leg_id, dialog.flow)
            usage = InviteUsage(local, LegMedia(local.address, local.random))
            usage.restore({**plain, "dialog": dialog.to_plain()})
            name, pinned = str(plain["name"]), bool(plain["pinned"])
        except (KeyError, OSError, TypeError, msgspec.ValidationError) as error:
            _log.warn(
                "call {call}: a leg of it cannot be ended: {why}", call=record.id, why=str(error)
            )
            continue
        runner.add(name, leg_id, usage, pinned=pinned)
        names.append(name)
    headers = do.reason(500, CAUSE.sentence)
    runner.start(lambda: [do.Release(name, headers) for name in names])
