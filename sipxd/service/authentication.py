"""Who a SIP request comes from: digest credentials, trusted peers, and what a stranger is told."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable

import attrs
from twisted.logger import Logger

from sipxd import metrics
from sipxd.call.policy import outsider
from sipxd.config import Config
from sipxd.directory.gateway import Gateway
from sipxd.directory.user import User
from sipxd.errors import TooManyGuesses
from sipxd.service.accounts import Accounts
from sipxd.service.guessing import GuessGuard
from sipxd.sip import digest
from sipxd.sip.digest import Algorithm, Outcome
from sipxd.sip.flow import Flow
from sipxd.sip.headers import HeaderError, parse_name_addr
from sipxd.sip.message import Header, Request
from sipxd.sip.nonces import Nonces
from sipxd.sip.profiles import profile_of
from sipxd.sip.uri import Uri, UriError, is_address, parse_uri

_log = Logger()

MD5 = (Algorithm.MD5,)
ANY = (Algorithm.MD5, Algorithm.SHA_256)
"""MD5 first: many phones read the first challenge only (RFC 8760 section 2.4 leaves the order to
us)."""
SMALL = 400
"""Octets, beside eight for each one of the realm, below which a request gets one challenge: nobody
shall make us send more than 1.2 times what he has sent, and 300 octets."""
SHOWABLE = re.compile(r"[A-Za-z0-9_.!~*'+#-]{1,64}+")
"""Names of callers that can stand in an address of ours as they are."""
ANONYMOUS = "anonymous"
MAX_COUNTED_NAME = 65
"""Characters of a name that failures are counted by: no user has a longer one than 64."""


@attrs.frozen
class Refused:
    """The request is not worked on; this is its answer."""

    status: int
    reason: str | None = None
    headers: tuple[Header, ...] = ()


class Authentication:
    """Judges requests. ``random`` gives n random bytes, ``now`` epoch seconds."""

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        *,
        random: Callable[[int], bytes],
        now: Callable[[], float] = time.time,
        gateway_at: Callable[[str], Gateway | None] = lambda host: None,
    ) -> None:
        self._domain = config.domain.lower()
        self._realm = config.realm_or_domain
        self._trusted = config.sip.trusted_networks
        self._allow_guests = config.sip.allow_guests
        self._accounts = accounts
        self._now = now
        self._nonces = Nonces(random(32))
        self._guesses = GuessGuard()
        self._trust: dict[str, bool] = {}
        self.gateway_at = gateway_at
        """The gateway that is at an address."""

    def is_trusted(self, host: str) -> bool:
        """Whether ``host`` is one of the configured trusted peers, or a gateway."""
        return self._is_configured(host) or self.gateway_at(host) is not None

    def _is_configured(self, host: str) -> bool:
        if not self._trusted:
            return False
        known = self._trust.get(host)
        if known is None:
            if len(self._trust) >= 4096:
                self._trust.clear()
            address = ipaddress.ip_address(host.partition("%")[0])
            known = self._trust[host] = any(address in network for network in self._trusted)
        return known

    def is_ours(self, uri: Uri) -> bool:
        """Our domain, or an IP address: phones that know no domain write ours there."""
        host = uri.host.rstrip(".")
        return uri.scheme == "tel" or host == self._domain or is_address(host)

    def user_text(self, request: Request, header: str) -> str:
        """The user part of From or To; empty where there is none."""
        try:
            return parse_uri(parse_name_addr(request.get(header) or "").uri).user_text
        except (HeaderError, UriError):
            return ""

    def named(self, request: Request, header: str) -> User | None:
        """The user that From or To names, where it is one of our domain."""
        try:
            uri = parse_uri(parse_name_addr(request.get(header) or "").uri)
        except (HeaderError, UriError):
            return None
        return self._accounts.find(uri.user_text) if self.is_ours(uri) else None

    def authenticate(self, request: Request, flow: Flow) -> User | Refused:
        """The user whose credentials the request carries, else a challenge or a refusal."""
        source, now = flow.host, self._now()
        verdict = digest.verify(
            request.get_all("Authorization") + request.get_all("Proxy-Authorization"),
            method=request.method,
            request_uri=request.uri,
            realm=self._realm,
            nonces=self._nonces,
            now=now,
            source=source,
            find_ha1=self._ha1,
            locked=lambda name: self._locked(name, source, now) > 0,
        )
        user = self._accounts.find(verdict.username)
        match verdict.outcome:
            case Outcome.ACCEPTED if user is not None:
                self._guesses.succeeded(user.name, source)
                return user
            case Outcome.REFUSED:
                metrics.logins_failed.inc()
                self._guesses.failed(self._counted(verdict.username), source, now)
                _log.warn(
                    "SIP: wrong credentials for {name!r} in {method} from {host}",
                    name=verdict.username[:64], method=request.method, host=source,
                )  # fmt: skip
                return Refused(403)
            case Outcome.LOCKED:
                seconds = self._locked(verdict.username, source, now)
                return Refused(503, headers=(("Retry-After", str(seconds)),))
        stale = verdict.outcome is Outcome.STALE
        return Refused(401, headers=self._challenge(request, source, now, stale))

    def _challenge(
        self, request: Request, source: str, now: float, stale: bool
    ) -> tuple[Header, ...]:
        algorithms: tuple[Algorithm, ...] = ANY
        size = len(request.body) + sum(len(name) + len(text) for name, text in request.headers)
        md5_only = profile_of(request.get("User-Agent") or "").md5_only
        if md5_only or size < SMALL + 8 * len(self._realm):
            algorithms = MD5
        nonce = self._nonces.issue(now, source)
        values = digest.challenges(self._realm, nonce, stale=stale, algorithms=algorithms)
        return tuple(("WWW-Authenticate", value) for value in values)

    def _counted(self, name: str) -> str:
        """What failures with ``name`` are counted by: all names of a user are one."""
        user = self._accounts.find(name)
        return user.name if user is not None else name[:MAX_COUNTED_NAME]

    def _locked(self, name: str, source: str, now: float) -> int:
        """Seconds for which passwords for ``name`` from ``source`` are not looked at."""
        try:
            self._guesses.check(self._counted(name), source, now)
        except TooManyGuesses as error:
            return error.retry_after
        return 0

    def caller(self, request: Request, flow: Flow) -> User | Refused:
        """Whose call it is: From, proven by digest or vouched for by a trusted peer.

        A gateway vouches for callers from outside only: whom it calls one of our users has to prove
        it like everybody.
        """
        claimed = self.named(request, "From")
        from_gateway = self.gateway_at(flow.host) is not None
        if claimed is None and from_gateway:
            return self._outsider(request)
        if self._is_configured(flow.host):
            return claimed or self._outsider(request)
        if self._is_guest(request, claimed):
            return self._outsider(request)
        user = self.authenticate(request, flow)
        if isinstance(user, Refused):
            return user
        if claimed is None or claimed.id != user.id:
            return Refused(403, "Forbidden: From names another user than the credentials")
        return user

    def _is_guest(self, request: Request, claimed: User | None) -> bool:
        """Whether a stranger may call: he claims to be nobody here, and calls somebody who is."""
        if not self._allow_guests or claimed is not None or request.method != "INVITE":
            return False
        try:
            return self.is_ours(parse_uri(request.uri))
        except UriError:
            return False

    def _outsider(self, request: Request) -> User:
        """The caller from outside whom From names; no name of a user of ours is left to him."""
        shown = _outsider(request)
        namesake = self._accounts.find(shown.name)
        if namesake is not None and namesake.name.lower() == shown.name.lower():
            return outsider(ANONYMOUS)
        return shown

    def registrant(self, request: Request, flow: Flow) -> User | Refused:
        """Whose telephones a REGISTER is about: To, proven by digest (RFC 3261 section 10.3)."""
        user = self.authenticate(request, flow)
        if isinstance(user, Refused):
            return user
        subject = self.named(request, "To")
        if subject is None or subject.id != user.id:
            return Refused(403, "Forbidden: these credentials are for another user")
        return user

    def _ha1(self, name: str, algorithm: Algorithm) -> str | None:
        user = self._accounts.find(name)
        if user is None or not user.enabled:
            return None
        return digest.ha1(algorithm, name, self._realm, self._accounts.sip_password(user))


def _outsider(request: Request) -> User:
    """The caller from outside whom From names, as far as it can be shown to anybody."""
    try:
        address = parse_name_addr(request.get("From") or "")
        number = parse_uri(address.uri).user_text
    except (HeaderError, UriError):
        return outsider(ANONYMOUS)
    if not SHOWABLE.fullmatch(number):
        return outsider(ANONYMOUS)
    return outsider(number, address.display[:64])
