"""``PUT /call/{number}``: click-to-call, on its own path and the two of sipXcom (contract 3.1).

The answer comes when the call is accepted.  With ``?wait=bridged`` it comes when the two are
connected, or when that has failed; the statuses for the failure are those of design section 6.
``?flow=`` says how the call is set up, this time only.
"""

from __future__ import annotations

from typing import Any

from klein import Klein
from twisted.web.server import Request

from sipxd.call.record import CallRecord, CallState
from sipxd.errors import BadInput
from sipxd.web.auth import Authenticator, address, shield
from sipxd.web.negotiate import empty_answer, json_answer, parameter
from sipxd.web.problems import PROBLEM_JSON, answer, problem
from sipxd.web.services import Calls

PATHS = ("/call/", "/sipxconfig/rest/call/", "/sipxconfig/rest/my/call/")

NOT_ANSWERED = frozenset({200, 408, 487})
"""SIP codes of a call that nobody answered: it timed out or was given up (200: a normal BYE)."""
NO_SUCH_NUMBER = frozenset({404, 410, 604})


def add_call_routes(app: Klein, authenticator: Authenticator, calls: Calls) -> None:
    """Add ``PUT`` on the three paths."""

    async def put_call(request: Request, number: str) -> bytes:
        user = await authenticator.user(request)
        waits = wait_option(request)
        flow = parameter(request, "flow")
        number = number.removesuffix("/")
        record = await shield(calls.click_to_call(user, number, source=address(request), flow=flow))
        request.setHeader(b"Location", b"/v1/calls/" + record.id.encode("ascii"))
        if not waits:
            return empty_answer(request, 200)
        return outcome_answer(request, await calls.outcome(record.id))

    for path in PATHS:
        app.route(path + "<text:number>", methods=["PUT"])(put_call)


def wait_option(request: Request) -> bool:
    """Whether ``?wait=bridged`` is there; raises BadInput for any other ``wait``."""
    given = request.args.get(b"wait")
    if given is None:
        return False
    if given != [b"bridged"]:
        raise BadInput("The only value of wait is bridged.", field="wait")
    return True


def outcome_answer(request: Request, record: CallRecord) -> bytes:
    """How the call went: 200, or a problem that names leg, SIP code and sentence."""
    cause = record.cause
    if record.bridged is not None or record.state is CallState.BRIDGED or cause is None:
        return json_answer(
            request,
            200,
            _told(record) | {"leg": None, "code": 200, "sentence": "Both sides are connected."},
        )
    status, title = failure_status(cause.code)
    members = _told(record) | {
        "who": cause.who,
        "leg": cause.leg,
        "code": cause.code,
        "sentence": cause.sentence,
    }
    body = problem(status, cause.sentence, kind="call-failed", title=title, **members)
    return answer(request, status, body, PROBLEM_JSON)


def failure_status(code: int) -> tuple[int, str]:
    """HTTP status and title for the SIP code of a call that was never bridged."""
    if code in NOT_ANSWERED:
        return 408, "Not answered"
    if code in NO_SUCH_NUMBER:
        return 404, "No such number"
    return 502, "The call failed"


def _told(record: CallRecord) -> dict[str, Any]:
    return {"id": record.id, "state": record.state}
