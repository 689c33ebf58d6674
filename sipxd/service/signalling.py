"""What comes in over SIP, and whom it concerns: registrations, new calls, requests within calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd.call.numbers import Number, clean_number
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound, Overloaded
from sipxd.net.servers import stateless_tag
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.service.authentication import Authentication, Refused
from sipxd.service.calls import Calls
from sipxd.service.live import LiveCalls
from sipxd.service.registrations import Registrations
from sipxd.service.runner import CallRunner
from sipxd.sip import session_timer
from sipxd.sip.dialog import DialogError
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request, Response, respond
from sipxd.sip.registrar import Rejected
from sipxd.sip.uri import UriError, parse_uri
from sipxd.sip.usage import ALLOW

_log = Logger()

ALLOW_ALL = f"{ALLOW}, REGISTER"


class Signalling:
    """The handler above the SIP stack. ``random`` gives n random bytes."""

    def __init__(
        self,
        authentication: Authentication,
        registrations: Registrations,
        calls: Calls,
        table: LiveCalls,
        *,
        random: Callable[[int], bytes],
    ) -> None:
        self._authentication = authentication
        self._registrations = registrations
        self._calls = calls
        self._table = table
        self._random = random
        self._stack: SipStack | None = None

    def join_stack(self, stack: SipStack) -> None:
        """Answer through ``stack`` from now on."""
        self._stack = stack

    # -- from the stack ------------------------------------------------------------------------

    def screen(self, request: Request, flow: Flow) -> Response | object:
        """The answer that a request gets at once, else its sender: the user whose request it is,
        or, within a dialog, the leg that it is for."""
        if request.to_tag is not None:
            return self._leg_of(request) or _at_once(request, 481)
        match request.method:
            case "REGISTER":
                sender = self._authentication.registrant(request, flow)
            case "INVITE":
                sender = self._authentication.caller(request, flow)
            case "OPTIONS":
                able = (("Allow", ALLOW_ALL), ("Accept", "application/sdp"))
                return _at_once(request, 200, headers=able)
            case "BYE" | "UPDATE" | "INFO" | "PRACK":
                return _at_once(request, 481)
            case "SUBSCRIBE" | "PUBLISH" | "NOTIFY":
                return _at_once(request, 489)
            case _:
                return _at_once(request, 405, headers=(("Allow", ALLOW_ALL),))
        if isinstance(sender, Refused):
            return _at_once(request, sender.status, sender.reason, sender.headers)
        return sender

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        """A request that was let in."""
        sender = handle.sender
        if not isinstance(sender, User):
            runner, leg = cast("tuple[CallRunner, str]", sender)
            runner.receive_request(leg, handle, request)
        elif request.method == "REGISTER":
            self._spawn(handle, self._register(handle, request, sender, flow))
        else:
            self._spawn(handle, self._invite(handle, request, sender, flow))

    def on_cancel(self, handle: ServerHandle, cancel: Request) -> None:
        """The INVITE of ``handle`` was cancelled."""
        found = self._table.find_incoming(handle) or self._leg_of(handle.request)
        if found is not None:
            found[0].receive_cancel(found[1], handle)
        elif not handle.answered:
            self._answer(handle, 487)

    def on_ack(self, request: Request, flow: Flow) -> None:
        """The ACK of a 2xx."""
        found = self._leg_of(request)
        if found is not None:
            found[0].receive_ack(found[1], request)

    def _leg_of(self, request: Request) -> tuple[CallRunner, str] | None:
        """Runner and name of the leg that the Request-URI names, where the dialog is the same."""
        try:
            leg_id = parse_uri(request.uri).user or ""
        except UriError:
            return None
        found = self._table.find_leg(leg_id)
        if found is None:
            return None
        leg = found[0].leg(found[1])
        return found if leg is not None and leg.matches(request) else None

    def _spawn(self, handle: ServerHandle, work: Coroutine[Any, Any, None]) -> None:
        def failed(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, Overloaded):
                retry = (("Retry-After", str(error.retry_after)),)
                self._answer(handle, 503, headers=retry)
                return
            _log.failure("a request could not be worked on", failure)
            self._answer(handle, 500)

        Deferred.fromCoroutine(work).addErrback(failed)

    def _answer(
        self,
        handle: ServerHandle,
        status: int,
        reason: str | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        if handle.answered:
            return
        assert self._stack is not None
        tag = self._random(8).hex()
        response = respond(handle.request, status, to_tag=tag, reason=reason, headers=headers)
        self._stack.respond(handle, response)

    # -- REGISTER ------------------------------------------------------------------------------

    async def _register(
        self, handle: ServerHandle, request: Request, user: User, flow: Flow
    ) -> None:
        result = await self._registrations.register(user, request, flow)
        if isinstance(result, Rejected):
            self._answer(handle, result.status, result.reason, result.headers)
        else:
            self._answer(handle, 200, headers=result.headers)

    # -- INVITE --------------------------------------------------------------------------------

    async def _invite(
        self, handle: ServerHandle, request: Request, caller: User, flow: Flow
    ) -> None:
        number = self._number(handle, request)
        if number is None:
            return
        if (request.get("Max-Forwards") or "70").strip() == "0":
            self._answer(handle, 483)
            return
        if session_timer.too_small(request):
            self._answer(handle, 422, headers=(("Min-SE", str(session_timer.MINIMUM)),))
            return
        try:
            await self._calls.from_phone(caller, number, request, handle, flow)
        except NotFound as error:
            self._answer(handle, 404, f"Not Found: {error.detail}")
        except DialogError as error:
            self._answer(handle, 400, f"Bad Request: {error}")
        except BadInput as error:
            self._answer(handle, 488, f"Not Acceptable Here: {error.detail}")

    def _number(self, handle: ServerHandle, request: Request) -> Number | None:
        uri = parse_uri(request.uri)
        if not self._authentication.is_ours(uri):
            self._answer(handle, 404, "Not Found: no route leads to that domain")
            return None
        try:
            return clean_number(uri.user_text)
        except BadInput as error:
            self._answer(handle, 404, f"Not Found: {error.detail}")
            return None


def _at_once(
    request: Request, status: int, reason: str | None = None, headers: Sequence[Header] = ()
) -> Response:
    """An answer that needs no transaction."""
    tag = stateless_tag(request)
    return respond(request, status, to_tag=tag, reason=reason, headers=headers)
