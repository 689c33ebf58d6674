"""Which web pages of other origins may use the doors (CORS, contract 1.3.7)."""

from __future__ import annotations

from collections.abc import Collection

from twisted.web.server import Request

METHODS = b"DELETE, HEAD, GET, PATCH, POST, PUT"
HEADERS = b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID"
EXPOSED = b"ETag, Location, Retry-After"
SECONDS = b"3600"
"""For how long a browser may remember what it was told."""


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
