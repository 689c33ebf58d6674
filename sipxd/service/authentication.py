"""Who a SIP request comes from: digest credentials, trusted peers, and what a stranger is told."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

import attrs
from twisted.logger import Logger

from sipxd.config import Config
from sipxd.directory.user import User
from sipxd.service.accounts import Accounts
from sipxd.sip import digest
from sipxd.sip.digest import Algorithm, Nonces, Outcome
from sipxd.sip.flow import Flow
from sipxd.sip.headers import HeaderError, parse_name_addr
from sipxd.sip.message import Header, Request
from sipxd.sip.uri import Uri, UriError, parse_uri

_log = Logger()


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
    ) -> None:
        self._domain = config.domain.lower()
        self._realm = config.realm_or_domain
        self._trusted = config.sip.trusted_networks
        self._accounts = accounts
        self._now = now
        self._nonces = Nonces(random(32))
        self._trust: dict[str, bool] = {}

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

    def is_ours(self, uri: Uri) -> bool:
        """Our domain, or an IP address: phones that know no domain write ours there."""
        host = uri.host.rstrip(".")
        if uri.scheme == "tel" or host == self._domain:
            return True
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return True

    def named(self, request: Request, header: str) -> User | None:
        """The user that From or To names, where it is one of our domain."""
        try:
            uri = parse_uri(parse_name_addr(request.get(header) or "").uri)
        except (HeaderError, UriError):
            return None
        return self._accounts.find(uri.user_text) if self.is_ours(uri) else None

    def authenticate(self, request: Request, flow: Flow) -> User | Refused:
        """The user whose credentials the request carries, else a challenge or a refusal."""
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
            user = self._accounts.find(verdict.username)
            return Refused(403) if user is None else user
        if verdict.outcome is Outcome.REFUSED:
            _log.warn(
                "SIP: wrong credentials for {name!r} in {method} from {host}",
                name=verdict.username[:64], method=request.method, host=flow.host,
            )  # fmt: skip
            return Refused(403)
        values = digest.challenges(
            self._realm,
            self._nonces.issue(self._now()),
            stale=verdict.outcome is Outcome.STALE,
        )
        return Refused(401, headers=tuple(("WWW-Authenticate", value) for value in values))

    def caller(self, request: Request, flow: Flow) -> User | Refused:
        """Whose call it is: From, proven by digest or vouched for by a trusted peer."""
        claimed = self.named(request, "From")
        if self.is_trusted(flow.host):
            return claimed or Refused(403, "Forbidden: From names nobody here")
        user = self.authenticate(request, flow)
        if isinstance(user, Refused):
            return user
        if claimed is None or claimed.id != user.id:
            return Refused(403, "Forbidden: From names another user than the credentials")
        return user

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
