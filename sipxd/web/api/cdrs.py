"""``/sipxconfig/api/cdrs/``: the calls under way, and those that have ended (8.6)."""

from __future__ import annotations

import datetime
import re
from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.call.record import CallRecord
from sipxd.directory.user import User
from sipxd.service.call_log import MAXIMUM, Cdr
from sipxd.store.calls import ORDERS, Wanted
from sipxd.web.api.base import (
    API,
    administrator,
    count,
    find_user,
    list_answer,
    text_answer,
)
from sipxd.web.auth import Authenticator
from sipxd.web.negotiate import parameter
from sipxd.web.services import Accounts, CallLog

PATH = f"{API}/cdrs"

_MINUTE = re.compile(r"[0-9]{12}", re.ASCII)


class _Refused(Exception):
    """What is asked for cannot be; the sentence is sipXcom's."""


def add_cdrs_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, call_log: CallLog
) -> None:
    """Add what is under way and what has ended, of everybody and of one user."""

    async def active(request: Request, user: User | None) -> bytes:
        return await list_answer(request, "Cdrs", "Cdr", call_log.active(user), _document)

    async def history(request: Request, user: User | None) -> bytes:
        limit, offset = count(request, "limit") or MAXIMUM, count(request, "offset") or 0
        try:
            wanted, order = _wanted(request), _order(request)
        except _Refused as refused:
            return text_answer(request, 400, str(refused))
        records = await call_log.ended(user, wanted, limit=limit, offset=offset, order=order)

        def document(record: CallRecord, form: bytes) -> dict[str, Any]:
            return _document(call_log.cdr(record), form)

        return await list_answer(request, "Cdrs", "Cdr", records, document)

    @app.route(f"{PATH}/active", methods=["GET"])
    async def get_active(request: Request) -> bytes:
        await administrator(authenticator, request)
        return await active(request, None)

    @app.route(f"{PATH}/history", methods=["GET"])
    async def get_history(request: Request) -> bytes:
        await administrator(authenticator, request)
        return await history(request, None)

    @app.route(f"{PATH}/user/<name>/active", methods=["GET"])
    async def get_active_of_user(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        return await active(request, find_user(accounts, name))

    @app.route(f"{PATH}/user/<name>/history", methods=["GET"])
    async def get_history_of_user(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        return await history(request, find_user(accounts, name))


def _document(cdr: Cdr, form: bytes) -> dict[str, Any]:
    record = cdr.record
    seconds = int(cdr.duration)
    return {
        "callId": record.id,
        "caller": cdr.caller.number,
        "callerAor": cdr.caller.aor,
        "callee": cdr.callee.number,
        "calleeAor": cdr.callee.aor,
        "recipient": cdr.recipient,
        "termination": str(cdr.termination),
        "duration": f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        "startTime": round(record.started * 1000),
        "startAt": _shown(record.started),
        "connectAt": None if record.bridged is None else _shown(record.bridged),
    }


def _shown(when: float) -> str:
    """A time on the wall of the machine, as English Java writes it: ``11/26/26 1:20 AM``."""
    time = datetime.datetime.fromtimestamp(when)
    return f"{time.month}/{time.day}/{time:%y} {time.hour % 12 or 12}:{time:%M %p}"


def _wanted(request: Request) -> Wanted:
    now = datetime.datetime.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since, until = _date(request, "fromDate", midnight), _date(request, "toDate", now)
    caller, callee = (parameter(request, "from") or "").strip(), parameter(request, "to") or ""
    callee = callee.strip()
    if caller == callee:  # sipXcom's way to ask for whatever he had to do with
        return Wanted(since=since, until=until, either=caller)
    return Wanted(since=since, until=until, caller=caller, callee=callee)


def _date(request: Request, name: str, default: datetime.datetime) -> float:
    """Seconds since the epoch; the clock is the machine's."""
    text = parameter(request, name)
    if text is None:
        return default.timestamp()
    try:
        if not _MINUTE.fullmatch(text):
            raise ValueError(text)
        return datetime.datetime.strptime(text, "%Y%m%d%H%M").timestamp()
    except (ValueError, OverflowError):
        raise _Refused("Bad date format") from None


def _order(request: Request) -> str:
    order = parameter(request, "orderBy")
    if order is not None and order not in ORDERS:
        raise _Refused("Unknown order by criteria")
    return order or ""
