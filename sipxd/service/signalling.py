"""What comes in over SIP, and whom it concerns: registrations, new calls, requests within calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd.call.numbers import Number, clean_number
from sipxd.call.path import Loop
from sipxd.call.policy import OUTSIDE
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound, Overloaded
from sipxd.net.replies import stateless_tag
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.service.authentication import Authentication, Refused
from sipxd.service.authorizers import gateway_account
from sipxd.service.calls import Calls
from sipxd.service.live import LiveCalls
from sipxd.service.plans import Wish
from sipxd.service.registrations import Registrations
from sipxd.service.runner import CallRunner
from sipxd.service.transfers import CannotReplace, Transfers
from sipxd.sip import session_timer
from sipxd.sip.dialog import DialogError
from sipxd.sip.flow import Flow
from sipxd.sip.message import Header, Request, Response, respond
from sipxd.sip.referral import ReferralError, replaces_of
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
        transfers: Transfers,
        table: LiveCalls,
        *,
        random: Callable[[int], bytes],
    ) -> None:
        self._authentication = authentication
        self._registrations = registrations
        self._calls = calls
        self._transfers = transfers
        self._table = table
        self._random = random
        self._stack: SipStack | None = None

    def join_stack(self, stack: SipStack) -> None:
        """Answer through ``stack`` from now on."""
        self._stack = stack

    # -- from the stack ------------------------------------------------------------------------

    def screen(self, request: Request, flow: Flow) -> Response | object:
        """The answer that a request gets at once, else its sender: the user whose request it is,
        within a dialog the leg that it is for, of a phone that was referred to us its call."""
        if request.to_tag is not None:
            return self._leg_of(request) or _at_once(request, 481)
        match request.method:
            case "REGISTER":
                sender = self._authentication.registrant(request, flow)
            case "INVITE":
                awaiting = self._table.returns.awaits(parse_uri(request.uri).user or "", flow)
                if awaiting is not None:
                    return awaiting
                sender = self._authentication.caller(request, flow)
            case "OPTIONS":
                able = (("Allow", ALLOW_ALL), ("Accept", "application/sdp"))
                return _at_once(request, 200, headers=able)
            case "BYE" | "UPDATE" | "INFO" | "PRACK":
                return _at_once(request, 481)
            case "SUBSCRIBE" | "PUBLISH" | "NOTIFY" | "REFER" | "MESSAGE":
                return self._outside_of_calls(request, flow)
            case _:
                return _at_once(request, 405, headers=(("Allow", ALLOW_ALL),))
        if isinstance(sender, Refused):
            return _at_once(request, sender.status, sender.reason, sender.headers)
        return sender

    def _outside_of_calls(self, request: Request, flow: Flow) -> Response:
        """What exists within calls only, or not at all; strangers are not told even that."""
        sender = self._authentication.caller(request, flow)
        if isinstance(sender, Refused):
            return _at_once(request, sender.status, sender.reason, sender.headers)
        if request.method in ("REFER", "MESSAGE"):
            return _at_once(request, 403, f"Forbidden: {request.method} is for calls only")
        return _at_once(request, 489, headers=(("Allow-Events", "refer"),))

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        """A request that was let in."""
        sender = handle.sender
        if isinstance(sender, CallRunner):
            self._spawn(handle, self._returned(handle, request, sender, flow))
        elif not isinstance(sender, User):
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
            match failure.value:
                case Overloaded() as error:
                    retry = (("Retry-After", str(error.retry_after)),)
                    self._answer(handle, 503, headers=retry)
                case CannotReplace() as error:
                    self._answer(handle, error.status, error.reason)
                case Loop() as error:
                    self._answer(handle, 482, f"Loop Detected: {error}")
                case Forbidden() as error:
                    self._answer(handle, 403, f"Forbidden: {error.detail}")
                case NotFound() as error:
                    self._answer(handle, 404, f"Not Found: {error.detail}")
                case DialogError() as error:
                    self._answer(handle, 400, f"Bad Request: {error}")
                case BadInput() as error:
                    self._answer(handle, 488, f"Not Acceptable Here: {error.detail}")
                case _:
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
        try:
            replaces = replaces_of(request)
        except ReferralError as error:
            self._answer(handle, 400, f"Bad Request: {error}")
            return
        number = None if replaces is not None else self._number(handle, request, caller, flow)
        if number is None and replaces is None:
            return
        if self._cannot_begin(handle, request):
            return
        if replaces is not None:
            self._transfers.replace(caller, replaces, request, handle, flow)
        elif number is not None:
            gateway = self._authentication.gateway_at(flow.host)
            await self._calls.from_phone(
                caller,
                number,
                request,
                handle,
                flow,
                account="" if gateway is None else gateway_account(gateway.name),
                wish=_wish(request),
                guest=caller.id == OUTSIDE and not self._authentication.is_trusted(flow.host),
            )

    async def _returned(
        self, handle: ServerHandle, request: Request, runner: CallRunner, flow: Flow
    ) -> None:
        if self._cannot_begin(handle, request):
            return
        self._calls.returned(runner, request, handle, flow)

    def _cannot_begin(self, handle: ServerHandle, request: Request) -> bool:
        """Whether no call can come of an INVITE, which is answered then."""
        if (request.get("Max-Forwards") or "70").strip() == "0":
            self._answer(handle, 483)
        elif session_timer.too_small(request):
            self._answer(handle, 422, headers=(("Min-SE", str(session_timer.MINIMUM)),))
        return handle.answered

    def _number(
        self, handle: ServerHandle, request: Request, caller: User, flow: Flow
    ) -> Number | None:
        uri = parse_uri(request.uri)
        gateway = self._authentication.gateway_at(flow.host)
        if caller.id == OUTSIDE and gateway is not None:
            names = (uri.user_text, self._authentication.user_text(request, "To"))
            number = self._calls.destinations.inward(gateway, names)
            if number is None:
                self._answer(handle, 404, "Not Found: nobody here has that number")
            return number
        elsewhere = "" if self._authentication.is_ours(uri) else f"@{uri.host.rstrip('.')}"
        try:
            return clean_number(f"{uri.user_text}{elsewhere}")
        except BadInput as error:
            self._answer(handle, 404, f"Not Found: {error.detail}")
            return None


def _wish(request: Request) -> Wish:
    """What the Request-URI says beside the number (sipXcom contract 9.1)."""
    uri = parse_uri(request.uri)
    noroute = (uri.parameter("sipx-noroute") or "").lower()
    return Wish(
        follow=(uri.parameter("sipx-userforward") or "").lower() != "false",
        voicemail=noroute != "voicemail",
    )


def _at_once(
    request: Request, status: int, reason: str | None = None, headers: Sequence[Header] = ()
) -> Response:
    """An answer that needs no transaction."""
    tag = stateless_tag(request)
    return respond(request, status, to_tag=tag, reason=reason, headers=headers)
