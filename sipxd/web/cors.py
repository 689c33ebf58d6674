"""Which web pages of other origins may use the doors (CORS, contract 1.3.7)."""

from __future__ import annotations

from collections.abc import Collection

from twisted.web.server import Request

METHODS = b"DELETE, HEAD, GET, PATCH, POST, PUT"
HEADERS = b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID"
EXPOSED = b"ETag, Location, Retry-After"
SECONDS = b"3600"
"""For how long a browser may remember what it was told."""


FORMS = (b"", b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain")
"""What any page may have a browser send in the name of its visitor without asking first."""


def is_forged(request: Request, media_type: bytes) -> bool:
    """Whether a form of a web page that nobody has allowed may have sent a body of that type."""
    origin = request.getHeader(b"origin")
    if origin is None or media_type not in FORMS:
        return False
    own = b"https://" + (request.getHeader(b"host") or b"")
    return origin != own and not request.responseHeaders.hasHeader(b"access-control-allow-origin")


def answered(request: Request, origins: Collection[bytes]) -> bool:
    """Let a page of one of ``origins`` read the answer; its preflight is answered whole: True."""
    headers = request.responseHeaders
    headers.addRawHeader(b"Vary", b"Origin")
    origin = request.getHeader(b"origin")
    if origin is None or origin not in origins:
        return False
    headers.setRawHeaders(b"Access-Control-Allow-Origin", [origin])
    headers.setRawHeaders(b"Access-Control-Allow-Credentials", [b"true"])
    headers.setRawHeaders(b"Access-Control-Expose-Headers", [EXPOSED])
    if request.method != b"OPTIONS" or request.getHeader(b"access-control-request-method") is None:
        return False
    headers.setRawHeaders(b"Access-Control-Allow-Methods", [METHODS])
    headers.setRawHeaders(b"Access-Control-Allow-Headers", [HEADERS])
    headers.setRawHeaders(b"Access-Control-Max-Age", [SECONDS])
    headers.setRawHeaders(b"Content-Length", [b"0"])
    request.setResponseCode(200)
    request.finish()
    return True
