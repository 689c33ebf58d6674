"""What a user and an administrator may see of calls and log-ins (contract 5, 6.2)."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.call.record import CallRecord
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound
from sipxd.service.call_log import Cdr
from sipxd.store.calls import Wanted
from sipxd.web.auth import Authenticator, password_used
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    empty_answer,
    in_turns,
    parameter,
    require_json_accepted,
    write_document,
)
from sipxd.web.problems import answer
from sipxd.web.services import Accounts, CallLog
from sipxd.xml import Items, write_xml

REST = "/sipxconfig/rest"
TEXT = b"text/plain; charset=utf-8"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
DEFAULT_LIMIT = 1000

_DAY = re.compile(r"[0-9]{8}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)


def add_diagnose_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, call_log: CallLog
) -> None:
    """Add what is read only."""

    def active(request: Request, user: User) -> bytes:
        form = choose(request, XML, JSON)
        cdrs = [active_document(cdr, user) for cdr in call_log.active(user)]
        return answer(request, 200, write_document(form, "cdrs", Items("cdr", cdrs)), form)

    def login(request: Request, user: User, more: dict[str, Any]) -> bytes:
        form = choose(request, XML, JSON)
        document = {
            "userName": user.name,
            "imId": "",
            "ldapImAuth": False,
            "sipPassword": accounts.sip_password(user),
        }
        request.setHeader(b"Cache-Control", b"no-store")
        return answer(request, 200, write_document(form, "login-details", document | more), form)

    @app.route(f"{REST}/my/activecdrs", methods=["GET"])
    async def get_my_active(request: Request) -> bytes:
        return active(request, await authenticator.user(request))

    @app.route(f"{REST}/activecdrs/<name>", methods=["GET"])
    async def get_active(request: Request, name: str) -> bytes:
        await authenticator.administrator(request)
        user = accounts.find(name)
        if user is None or user.name != name:
            raise NotFound(f"There is no user {name[:80]!r}.")
        return active(request, user)

    @app.route(f"{REST}/my/logindetails", methods=["GET"])
    async def get_login_details(request: Request) -> bytes:
        user = await authenticator.user(request)
        return login(request, user, {})

    @app.route(f"{REST}/my/logindetailsunite", methods=["GET"])
    async def get_portal_login_details(request: Request) -> bytes:
        user = await authenticator.user(request)
        servers = {
            "pin": password_used(request),
            "im-locations": Items("im-location", []),
            "wrtc-locations": Items("wrtc-location", []),
        }
        return login(request, user, servers)

    @app.route(f"{REST}/my/logoutunite", methods=["GET"])
    async def get_portal_logout(request: Request) -> bytes:
        await authenticator.user(request)
        request.setHeader(b"Location", b"/")
        request.setHeader(b"Connection", b"close")
        return empty_answer(request, 302)

    @app.route(f"{REST}/my/time", methods=["GET"])
    async def get_time(request: Request) -> bytes:
        await authenticator.user(request)
        choose(request, b"text/plain")
        now = datetime.datetime.fromtimestamp(time.time())
        hour = now.hour % 12 or 12
        text = f"{now:%b} {now.day}, {now.year} {hour}:{now:%M %p}"
        return answer(request, 200, text.encode(), TEXT)

    @app.route(f"{REST}/my/keepalive", methods=["GET"])
    async def get_keepalive(request: Request) -> bytes:
        await authenticator.user(request)
        require_json_accepted(request)
        return empty_answer(request, 200)


def add_cdr_routes(
    app: Klein, authenticator: Authenticator, call_log: CallLog, prefix: str
) -> None:
    """Add the log of ended calls of one user, under ``prefix``."""

    @app.route(f"{prefix}/cdr/<name>", methods=["GET"])
    async def get_cdrs(request: Request, name: str) -> bytes:
        user = await authenticator.user_called(request, name)
        choose(request, XML)
        since = _since(parameter(request, "fromdate"))
        limit = _count(request, "limit", DEFAULT_LIMIT)
        offset = _count(request, "offset", 0)
        records = await call_log.ended(user, Wanted(since=since), limit=limit, offset=offset)

        def row(record: CallRecord) -> bytes:
            return write_xml("Row", _row(call_log.cdr(record)))

        rows = b"".join(await in_turns(request, records, row))
        body = b"<Results>\n%b</Results>\n" % rows if rows else b"<Results/>\n"
        return answer(request, 200, DECLARATION + body, XML)


def active_document(cdr: Cdr, user: User) -> dict[str, Any]:
    """A call under way, seen from ``user`` (5.1)."""
    return {
        "from": cdr.caller.number,
        "from-aor": cdr.caller.aor,
        "to": cdr.callee.number,
        "to-aor": cdr.callee.aor,
        "route": cdr.route or None,
        "direction": "INCOMING" if cdr.is_incoming(user) else "OUTGOING",
        "recipient": cdr.recipient,
        "internal": cdr.internal,
        "type": "Unknown",
        "start-time": round(cdr.record.started * 1000),
        "duration": round(cdr.duration * 1000),
    }


def _row(cdr: Cdr) -> dict[str, Any]:
    record = cdr.record
    start = datetime.datetime.fromtimestamp(record.started, datetime.UTC)
    milliseconds = start.microsecond // 1000
    return {
        "caller_aor": cdr.caller.aor,
        "callee_aor": cdr.callee.aor,
        "callee_contact": "null",
        "start_time": f"{start:%Y-%m-%d %H:%M:%S}.{milliseconds:03}",
        "duration": "null" if record.bridged is None else _interval(cdr.duration),
        "termination": cdr.termination.letter,
        "callee_route": cdr.route or "null",
    }


def _interval(seconds: float) -> str:
    """An interval as a database tells it."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return (
        f"0 years 0 mons {days:.0f} days {hours:.0f} hours {minutes:.0f} mins "
        f"{round(rest, 3):.15g} secs"
    )


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return datetime.datetime.strptime(text, "%Y%m%d").astimezone().timestamp()
    except ValueError:
        raise BadInput("fromdate is a day as 20260131.", field="fromdate") from None


def _count(request: Request, name: str, default: int) -> int:
    text = parameter(request, name)
    if text is None:
        return default
    if not _COUNT.fullmatch(text):
        raise BadInput(f"{name} is a number.", field=name)
    return int(text)
