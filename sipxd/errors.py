"""The errors that sipxd raises on purpose, each with a sentence for the person who caused it.

A service raises one of these; every door (REST, admin socket, command line) renders it in its own
form.  Anything else that escapes is a defect and is shown as an internal error without details.
"""

from __future__ import annotations


class SipxdError(Exception):
    """Base of every expected error.

    ``kind`` is a stable machine-readable slug, ``detail`` one sentence with the way out, ``field``
    the name of the offending input where there is one.
    """

    kind = "error"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class ConfigError(SipxdError):
    """The daemon cannot start as configured; ``detail`` says what to change."""

    kind = "configuration"


class BadInput(SipxdError):
    """The request is malformed or breaks a rule of its own (HTTP 400)."""

    kind = "bad-input"


class Unauthorized(SipxdError):
    """No or wrong credentials (HTTP 401)."""

    kind = "unauthorized"


class Forbidden(SipxdError):
    """The principal is known, and may not do this (HTTP 403)."""

    kind = "forbidden"


class NotFound(SipxdError):
    """The thing named does not exist, or no route leads to it (HTTP 404)."""

    kind = "not-found"


class Conflict(SipxdError):
    """The change contradicts what is stored (HTTP 409)."""

    kind = "conflict"


class PreconditionFailed(SipxdError):
    """Somebody else has changed it since it was read (HTTP 412)."""

    kind = "precondition-failed"


class Unprocessable(SipxdError):
    """What shall be stored is readable and contradicts itself (HTTP 422, sipXcom contract 3.4)."""

    kind = "unprocessable"


class RetryLater(SipxdError):
    """Refused for now; ``retry_after`` is in seconds."""

    kind = "retry-later"

    def __init__(self, detail: str, *, retry_after: int, field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.retry_after = retry_after


class TooManyGuesses(RetryLater):
    """Too many wrong credentials from this account and address (HTTP 429)."""

    kind = "too-many-guesses"


class TooManyCalls(RetryLater):
    """The user's own limit of calls is reached (HTTP 429)."""

    kind = "too-many-calls"


class Overloaded(RetryLater):
    """The daemon takes no new work now; what it has accepted goes on (SIP 503, HTTP 503)."""

    kind = "overloaded"


class StoreFailed(SipxdError):
    """The database refused a read or a change; nothing of it was stored (SIP 500, HTTP 502)."""

    kind = "store-failed"


class StoreBusy(Overloaded):
    """Too much waits for the database; nothing of this was stored (SIP 503, HTTP 502)."""

    kind = "store-busy"
