"""One HTTP connection and what it may cost us: bytes of header and body, seconds, connections.

twisted.web bounds the header with a bare 400, bodies not at all, and starts its idle timer anew
with each byte, so that a client may dribble a header for ever.  Here a request has three clocks:
one for waiting until it begins, one for its *whole* header, one for its whole body.  Refusals are
problem documents (RFC 9457) with the status that names the limit (RFC 6585, RFC 9110), and every
closing is followed by an abort, because a TLS peer need not answer our close_notify.
"""

# mypy: disable-error-code="no-untyped-call"
# (twisted.web's channel has no annotations)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from sipxd.web.problems import count_refusal, reason

if TYPE_CHECKING:
    from sipxd.web.site import LimitedSite

IDLE_SECONDS = 30.0
"""How long a connection may wait for the first byte of a request, its TLS handshake included."""
HEADER_SECONDS = 20.0
"""From the first byte of a request to the end of its header."""
BODY_SECONDS = 40.0
"""From the end of the header to the end of the body."""
ABORT_SECONDS = 5.0
"""From our closing to the reset of a connection that the peer leaves open."""
MAX_LENGTH_DIGITS = 18
"""Python's int() refuses more than 4300 digits with an exception; nobody needs 18."""


class Channel(HTTPChannel):
    """A connection of :class:`LimitedSite`; keep-alive and pipelining are twisted.web's."""

    site: LimitedSite
    transport: Any
    requests: list[Any]
    timeOut: float | None  # type: ignore[assignment]
    _path = b""  # twisted.web sets it once it has read a request line
    refused = False
    """A refusal has been sent; nothing that still arrives is looked at."""
    _began = False
    """The first byte of a request is here, the request not yet complete."""

    def connectionMade(self) -> None:
        self.MAX_LENGTH = self.totalHeadersSize = self.site.header_limit
        self.site.connections += 1
        self.site.waiting[self] = None
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.waiting.pop(self, None)
        self.site.connections -= 1
        super().connectionLost(reason)

    # -- the clocks ------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Unlike twisted.web's, this does not start the idle timer anew."""
        if self.refused:
            return
        if not self._began and not self._handlingRequest:
            self._began = True
            self.setTimeout(HEADER_SECONDS)
        super(HTTPChannel, self).dataReceived(data)

    def allHeadersReceived(self) -> None:
        if self._refuse_by_header():
            return
        super().allHeadersReceived()
        if self.length != 0:
            self.setTimeout(BODY_SECONDS)

    def allContentReceived(self) -> None:
        if self.refused:
            return
        self._began = False
        self.site.waiting.pop(self, None)
        self.timeOut = self.site.timeOut  # twisted.web saves it now and sets it after the answer
        super().allContentReceived()

    def requestDone(self, request: object) -> None:
        self.site.waiting[self] = None
        super().requestDone(request)

    def timeoutConnection(self) -> None:
        if self._began:
            self.refuse(408, "The request did not arrive in time.")
        else:
            self.loseConnection()

    def loseConnection(self) -> None:
        if self._abortingCall is None:
            self._abortingCall = self.callLater(ABORT_SECONDS, self.forceAbortClient)
        super().loseConnection()

    def forceAbortClient(self) -> None:
        pending, self._abortingCall = self._abortingCall, None
        if pending is not None and pending.active():
            pending.cancel()
        self.transport.abortConnection()

    # -- the sizes, and what is malformed --------------------------------------------------------

    def lineReceived(self, line: bytes) -> None:
        # Counted before twisted.web counts it, which would answer a bare 400.
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self.lineLengthExceeded(line)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        if self._receivedHeaderSize == 0:
            self.refuse(414, f"The request line is longer than {self.site.header_limit} bytes.")
        else:
            self.refuse(431, f"The header is larger than {self.site.header_limit} bytes.")

    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value.strip()) > MAX_LENGTH_DIGITS:
            self.refuse(413, f"The body is larger than {self.site.body_limit} bytes.")
            return False
        if self._receivedHeaderCount >= self.maxHeaders:
            self.refuse(431, f"The header has more than {self.maxHeaders} fields.")
            return False
        return bool(super().headerReceived(line))

    def _refuse_by_header(self) -> bool:
        headers = self.requests[-1].requestHeaders
        if len(headers.getRawHeaders(b"host", ())) != 1 and self._version == b"HTTP/1.1":
            self.refuse(400, "A request has exactly one Host header.")
        elif self.length is not None and self.length > self.site.body_limit:
            self.refuse(413, f"The body is larger than {self.site.body_limit} bytes.")
        else:
            expect = headers.getRawHeaders(b"expect")
            if expect and expect[0].lower() != b"100-continue":
                self.refuse(417, "The only expectation known here is 100-continue.")
        return self.refused

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(400, "The request is malformed.")

    def refuse(self, status: int, detail: str) -> None:
        """Answer the request that is being received and close; only before it is complete."""
        if self.refused:
            return
        self.refused = True
        self.persistent = False
        count_refusal(status)
        status, body, kind = self.site.refusal(self._path, status, detail)
        self.transport.writeSequence(
            [
                b"HTTP/1.1 %d %s\r\n" % (status, reason(status)),
                b"Date: %s\r\n" % self.site.date(),
                b"Content-Type: %s\r\n" % kind,
                b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body),
                body,
            ]
        )
        self.loseConnection()


class Refused(Protocol):
    """A connection too many: reset at once, because even a polite answer costs a handshake."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]
