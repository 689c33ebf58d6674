"""ETag, If-Match and If-None-Match (RFC 9110 section 13), for what carries a version.

A tag is the version and a checksum of the representation: a change is guarded by the version,
whichever form the client has read, and a copy is fresh only while every byte of it is.
"""

from __future__ import annotations

import re
import zlib

from twisted.web.server import Request

from sipxd.errors import BadInput, PreconditionFailed
from sipxd.web.problems import answer

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*+)"')
_TAGS = re.compile(rf"\s*+{_TAG.pattern}\s*+(?:,\s*+{_TAG.pattern}\s*+)*+")
_OWN = re.compile(r'(?<!W/)"([0-9]{1,18}+)-[0-9a-f]{8}"')


def tagged_answer(
    request: Request, status: int, body: bytes, content_type: bytes, version: int
) -> bytes:
    """Answer with ``body`` and its ETag; a GET of what the client has already is answered 304."""
    tag = set_tag(request, body, version)
    known = _given(request, b"if-none-match") if request.method in (b"GET", b"HEAD") else None
    if known is not None and (known == "*" or tag[1:-1] in _TAG.findall(known)):
        answer(request, 304, b"", b"")
        request.responseHeaders.removeHeader(b"Content-Length")
        return b""
    return answer(request, status, body, content_type)


def set_tag(request: Request, body: bytes, version: int) -> str:
    """Set the ETag of a representation, also where it is not in the answer itself."""
    tag = _tag(body, version)
    request.setHeader(b"ETag", tag.encode("ascii"))
    return tag


def insists_on(request: Request, body: bytes, version: int) -> bool:
    """Whether If-Match is there and names this very representation.

    For what has no version of its own.  Raises PreconditionFailed when it names others, BadInput
    when it cannot be read.
    """
    given = _given(request, b"if-match")
    if given in (None, "*"):
        return False
    if _tag(body, version) not in (found[0] for found in _TAG.finditer(given)):
        raise _changed()
    return True


def version_to_match(request: Request, present: int) -> int | None:
    """The version that If-Match insists on, None where it does not.

    Raises PreconditionFailed when ``present`` is no version that it names, BadInput when it cannot
    be read.
    """
    given = _given(request, b"if-match")
    if given in (None, "*"):
        return None
    versions = {int(version) for version in _OWN.findall(given)}
    if present not in versions:
        raise _changed()
    return present


def _changed() -> PreconditionFailed:
    return PreconditionFailed("It has been changed since you read it; read it again.")


def _tag(body: bytes, version: int) -> str:
    return f'"{version}-{zlib.crc32(body):08x}"'


def _given(request: Request, name: bytes) -> str | None:
    headers = request.requestHeaders.getRawHeaders(name)
    if headers is None:
        return None
    text = b",".join(headers).decode("latin-1").strip()
    if text != "*" and not _TAGS.fullmatch(text):
        shown = "If-Match" if name == b"if-match" else "If-None-Match"
        raise BadInput(f"{shown} is an ETag as it was given, in quotation marks, or *.")
    return text
