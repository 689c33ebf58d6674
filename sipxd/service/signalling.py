"""What comes in over SIP, and whom it concerns: registrations, new calls, requests within calls."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sipxd.call.numbers import Number, clean_number
from sipxd.config import Config
from sipxd.directory.user import User
from sipxd.errors import BadInput, NotFound, Overloaded
from sipxd.net.stack import ServerHandle, SipStack
from sipxd.service.accounts import Accounts
from sipxd.service.calls import Calls
from sipxd.service.live import LiveCalls
from sipxd.service.registrations import Registrations
from sipxd.service.runner import CallRunner
from sipxd.sip import digest, session_timer
from sipxd.sip.dialog import DialogError
from sipxd.sip.digest import Algorithm, Nonces, Outcome
from sipxd.sip.flow import Flow
from sipxd.sip.headers import HeaderError, parse_name_addr
from sipxd.sip.message import Header, Request, respond
from sipxd.sip.registrar import Rejected
from sipxd.sip.uri import Uri, UriError, parse_uri
from sipxd.sip.usage import ALLOW

_log = Logger()

ALLOW_ALL = f"{ALLOW}, REGISTER"


class Signalling:
    """The handler above the SIP stack. ``random`` gives n random bytes, ``now`` epoch seconds."""

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        registrations: Registrations,
        calls: Calls,
        table: LiveCalls,
        *,
        random: Callable[[int], bytes],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._domain = config.domain.lower()
        self._realm = config.realm_or_domain
        self._trusted = config.sip.trusted_networks
        self._accounts = accounts
        self._registrations = registrations
        self._calls = calls
        self._table = table
        self._random = random
        self._now = now
        self._nonces = Nonces(random(32))
        self._trust: dict[str, bool] = {}
        self._stack: SipStack | None = None

    def join_stack(self, stack: SipStack) -> None:
        """Answer through ``stack`` from now on."""
        self._stack = stack

    # -- from the stack ------------------------------------------------------------------------

    def on_request(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        """A valid request other than ACK and CANCEL."""
        if request.to_tag is not None:
            self._in_dialog(handle, request)
            return
        match request.method:
            case "REGISTER":
                self._spawn(handle, self._register(handle, request, flow))
            case "INVITE":
                self._spawn(handle, self._invite(handle, request, flow))
            case "OPTIONS":
                self._answer(
                    handle, 200, headers=(("Allow", ALLOW_ALL), ("Accept", "application/sdp"))
                )
            case "BYE" | "UPDATE" | "INFO" | "PRACK":
                self._answer(handle, 481)
            case "SUBSCRIBE" | "PUBLISH" | "NOTIFY":
                self._answer(handle, 489)
            case _:
                self._answer(handle, 405, headers=(("Allow", ALLOW_ALL),))

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

    def _in_dialog(self, handle: ServerHandle, request: Request) -> None:
        found = self._leg_of(request)
        if found is None:
            self._answer(handle, 481)
        else:
            found[0].receive_request(found[1], handle, request)

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

    # -- who is it? ----------------------------------------------------------------------------

    def is_trusted(self, host: str) -> bool:
        """Whether ``host`` is one of the configured trusted peers."""
        if not self._trusted:
            return False
        known = self._trust.get(host)
        if known is None:
            if len(self._trust) >= 4096:
                self._trust.clear()
            address = ipaddress.ip_address(host.partition("%")[0])
            known = self._trust[host] = any(address in network for network in self._trusted)
        return known

    def _ha1(self, name: str, algorithm: Algorithm) -> str | None:
        user = self._accounts.find(name)
        if user is None or not user.enabled:
            return None
        return digest.ha1(algorithm, name, self._realm, self._accounts.sip_password(user))

    def _authenticate(self, handle: ServerHandle, request: Request) -> User | None:
        """The user whose credentials the request carries; otherwise it is answered and None."""
        verdict = digest.verify(
            request.get_all("Authorization"),
            method=request.method,
            request_uri=request.uri,
            realm=self._realm,
            nonces=self._nonces,
            now=self._now(),
            find_ha1=self._ha1,
        )
        if verdict.outcome is Outcome.ACCEPTED:
            return self._accounts.find(verdict.username)
        if verdict.outcome is Outcome.REFUSED:
            _log.warn(
                "SIP: wrong credentials for {name!r} in {method} from {host}",
                name=verdict.username[:64], method=request.method, host=handle.flow.host,
            )  # fmt: skip
            self._answer(handle, 403)
            return None
        values = digest.challenges(
            self._realm,
            self._nonces.issue(self._now()),
            stale=verdict.outcome is Outcome.STALE,
        )
        self._answer(handle, 401, headers=[("WWW-Authenticate", value) for value in values])
        return None

    def _address_user(self, request: Request, name: str) -> User | None:
        """The user that From or To names, where it is one of our domain."""
        try:
            uri = parse_uri(parse_name_addr(request.get(name) or "").uri)
        except (HeaderError, UriError):
            return None
        return self._accounts.find(uri.user_text) if self._is_ours(uri) else None

    def _is_ours(self, uri: Uri) -> bool:
        """Our domain, or an IP address: phones that know no domain write ours there."""
        host = uri.host.rstrip(".")
        if uri.scheme == "tel" or host == self._domain:
            return True
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return True

    # -- REGISTER ------------------------------------------------------------------------------

    async def _register(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        user = self._authenticate(handle, request)
        if user is None:
            return
        subject = self._address_user(request, "To")
        if subject is None or subject.id != user.id:
            self._answer(handle, 403, "Forbidden: these credentials are for another user")
            return
        result = await self._registrations.register(user, request, flow)
        if isinstance(result, Rejected):
            self._answer(handle, result.status, result.reason, result.headers)
        else:
            self._answer(handle, 200, headers=result.headers)

    # -- INVITE --------------------------------------------------------------------------------

    async def _invite(self, handle: ServerHandle, request: Request, flow: Flow) -> None:
        caller = self._caller(handle, request, flow)
        if caller is None:
            return
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

    def _caller(self, handle: ServerHandle, request: Request, flow: Flow) -> User | None:
        """Whose call it is: From, proven by digest or vouched for by a trusted peer."""
        claimed = self._address_user(request, "From")
        if self.is_trusted(flow.host):
            if claimed is None:
                self._answer(handle, 403, "Forbidden: From names nobody here")
            return claimed
        user = self._authenticate(handle, request)
        if user is None:
            return None
        if claimed is None or claimed.id != user.id:
            self._answer(handle, 403, "Forbidden: From names another user than the credentials")
            return None
        return user

    def _number(self, handle: ServerHandle, request: Request) -> Number | None:
        uri = parse_uri(request.uri)
        if not self._is_ours(uri):
            self._answer(handle, 404, "Not Found: no route leads to that domain")
            return None
        try:
            return clean_number(uri.user_text)
        except BadInput as error:
            self._answer(handle, 404, f"Not Found: {error.detail}")
            return None
