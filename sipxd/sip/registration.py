"""Our own registration with a provider: the REGISTER side of a user agent (RFC 3261 section 10.2).

::

    state         event                      next
    IDLE          time to register           ASKING
    ASKING        200                        REGISTERED, until shortly before it expires
    ASKING        401, 407, 423              ASKING, once more as the registrar wants it
    ASKING        anything else, no answer   FAILED, for longer every time (RFC 5626 section 4.5)
    REGISTERED    time to register           ASKING
    FAILED        time to register           ASKING
    any           leave                      LEAVING
    LEAVING       any answer                 GONE

Sans-IO: a method takes an event and gives what is to be done.
"""

from __future__ import annotations

import enum
from typing import Protocol

import attrs

from sipxd.sip.credentials import Attempts, Authorizer
from sipxd.sip.headers import HeaderError, parameter, parse_name_addr, parse_number
from sipxd.sip.message import Header, Request, Response, displayable
from sipxd.sip.uri import UriError, parse_uri, same_uri

FIRST_PAUSE = 30.0
"""Seconds after the first failure; twice as many after each further one."""
REFUSED_PAUSE = 300.0
"""The same where the registrar does not know us: asking again soon looks like guessing."""
LONGEST_PAUSE = 1_800.0
SHORTEST, LONGEST = 10, 86_400
"""Bounds in seconds of the time for which a registrar may register us."""
_REFUSALS = frozenset({401, 403, 404, 407})
_KEY = "register"


class RegistrationState(enum.StrEnum):
    """How far a registration is."""

    IDLE = "not yet tried"
    ASKING = "under way"
    REGISTERED = "registered"
    FAILED = "failed"
    LEAVING = "being taken back"
    GONE = "taken back"


@attrs.frozen
class SendRegister:
    """Send a REGISTER, and tell the machine what becomes of it."""

    request: Request


@attrs.frozen
class Wait:
    """So many seconds from now it is time to register."""

    seconds: float


Output = SendRegister | Wait


class Random(Protocol):
    """The part of random.Random that is used."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between the two."""
        ...


class Registration:
    """The registration of one address-of-record at one registrar.

    ``registrar`` and ``address`` are URIs; ``random`` spreads those that would all come at once.
    """

    def __init__(
        self,
        registrar: str,
        address: str,
        *,
        expires: int,
        call_id: str,
        tag: str,
        user_agent: str,
        routes: tuple[str, ...],
        authorizer: Authorizer | None,
        random: Random,
    ) -> None:
        self.state = RegistrationState.IDLE
        self.sentence = ""
        """Why it failed the last time; empty where it did not."""
        self.granted = 0
        """For how many seconds the registrar registered us."""
        self._registrar = registrar
        self._address = address
        self._expires = expires
        self._call_id = call_id
        self._tag = tag
        self._user_agent = user_agent
        self._routes = routes
        self._attempts = Attempts(authorizer)
        self._random = random
        self._cseq = 0
        self._contact = ""
        self._raised = False
        self._failures = 0

    @property
    def is_registered(self) -> bool:
        """Whether the registrar sends us calls, as far as we know."""
        return self.granted > 0

    def send(self, contact: str) -> list[Output]:
        """It is time to register ``contact``, a URI."""
        if self.state in (RegistrationState.LEAVING, RegistrationState.GONE):
            return []
        self.state = RegistrationState.ASKING
        self._contact = contact
        self._raised = False
        return [self._register(self._expires)]

    def leave(self) -> list[Output]:
        """Take the registration back; what is still to be answered counts no more."""
        if self.state in (RegistrationState.LEAVING, RegistrationState.GONE):
            return []
        maybe_there = self.is_registered or self.state is RegistrationState.ASKING
        self.granted = 0
        if not maybe_there:
            self.state = RegistrationState.GONE
            return []
        self.state = RegistrationState.LEAVING
        return [self._register(0)]

    def receive(self, response: Response) -> list[Output]:
        """The final response to the last REGISTER."""
        if self.state not in (RegistrationState.ASKING, RegistrationState.LEAVING):
            return []
        if response.status in (401, 407):
            again = self._attempts.again(_KEY, response, self._cseq + 1)
            if again is not None:
                self._cseq += 1
                return [SendRegister(again)]
        if self.state is RegistrationState.LEAVING:
            self.state = RegistrationState.GONE
            return []
        if 200 <= response.status < 300:
            return self._registered(response)
        if response.status == 423 and self._raise(response):
            return [self._register(self._expires)]
        sentence = displayable(f"{response.status} {response.reason}".strip()[:200])
        if response.status in (401, 407):
            sentence = self._attempts.explain(response)
        return self._failed(response.status, sentence, _retry_after(response))

    def failed(self, status: int, sentence: str) -> list[Output]:
        """No registrar was found, or none answered (408), or nothing could be sent (503)."""
        if self.state is RegistrationState.LEAVING:
            self.state = RegistrationState.GONE
        if self.state is RegistrationState.GONE:
            return []
        return self._failed(status, sentence, 0.0)

    def _register(self, expires: int) -> SendRegister:
        self._cseq += 1
        headers: list[Header] = [("Route", route) for route in self._routes]
        headers += (
            ("Max-Forwards", "70"),
            ("From", f"<{self._address}>;tag={self._tag}"),
            ("To", f"<{self._address}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", f"<{self._contact}>"),
            ("Expires", str(expires)),
            ("User-Agent", self._user_agent),
        )
        request = Request("REGISTER", self._registrar, headers=headers)
        return SendRegister(self._attempts.first(_KEY, request))

    def _registered(self, response: Response) -> list[Output]:
        self.state = RegistrationState.REGISTERED
        self.sentence = ""
        self._failures = 0
        granted = _granted(response, self._contact, self._expires)
        self.granted = min(max(granted, SHORTEST), LONGEST)
        return [Wait(self.granted * self._random.uniform(0.75, 0.9))]

    def _raise(self, response: Response) -> bool:
        """Ask for as long as the registrar wants it at least (RFC 3261 section 10.2.8)."""
        try:
            least = parse_number(response.get("Min-Expires") or "", LONGEST)
        except HeaderError:
            return False
        if self._raised or least <= self._expires:
            return False
        self._raised = True
        self._expires = least
        return True

    def _failed(self, status: int, sentence: str, at_least: float) -> list[Output]:
        self.state = RegistrationState.FAILED
        self.sentence = sentence
        self.granted = 0
        first = REFUSED_PAUSE if status in _REFUSALS else FIRST_PAUSE
        pause = min(first * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures += 1
        return [Wait(max(at_least, pause * self._random.uniform(0.5, 1.0)))]


def _retry_after(response: Response) -> float:
    """Seconds that the registrar asks us to wait, within bounds."""
    words = (response.get("Retry-After") or "").replace("(", ";").split(";")
    try:
        return float(min(parse_number(words[0], 2**32 - 1), LONGEST_PAUSE))
    except HeaderError:
        return 0.0


def _granted(response: Response, contact: str, asked: int) -> int:
    """For how long ``contact`` is registered: its own parameter, Expires, else what was asked."""
    try:
        own = parse_uri(contact)
        for value in response.values("Contact"):
            address = parse_name_addr(value)
            expires = parameter(address.parameters, "expires")
            if expires is not None and same_uri(parse_uri(address.uri), own):
                return parse_number(expires, 2**32 - 1)
    except (HeaderError, UriError):
        pass
    try:
        return parse_number(response.get("Expires") or "", 2**32 - 1)
    except HeaderError:
        return asked
