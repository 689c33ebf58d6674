"""SIP, SIPS, TEL and other URIs (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import functools
import ipaddress
import re
from urllib.parse import unquote

import attrs

from sipxd.sip.headers import HeaderError, Parameters, split_host_port

MAXIMUM_LENGTH = 2048
"""Longest URI in characters that is looked at."""

_HOSTNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*+)(?:\.[A-Za-z0-9_-]++)*+\.?\Z")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}+\Z")
_BAD = re.compile(r"[\x00-\x20\x7f<>\"]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class UriError(ValueError):
    """A URI that does not follow its grammar."""


@attrs.frozen
class Uri:
    """A parsed URI. ``user`` and parameter values are kept escaped, as they came.

    For schemes other than sip and sips everything behind the colon is in ``opaque``.
    """

    scheme: str
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    parameters: Parameters = ()
    headers: str | None = None
    opaque: str = ""

    @property
    def user_text(self) -> str:
        """The user part with its escapes resolved; for ``tel:`` the number. Empty where none."""
        if self.scheme == "tel":
            return self.opaque.partition(";")[0]
        return unquote(self.user) if self.user else ""

    def parameter(self, name: str) -> str | None:
        """The value of a URI parameter, ``""`` for one without value, None where it is missing."""
        for key, value in self.parameters:
            if key == name:
                return "" if value is None else value
        return None

    def __str__(self) -> str:
        if self.scheme not in ("sip", "sips"):
            return f"{self.scheme}:{self.opaque}"
        user = ""
        if self.user is not None:
            user = self.user + (f":{self.password}" if self.password is not None else "") + "@"
        port = "" if self.port is None else f":{self.port}"
        parameters = "".join(f";{n}" if v is None else f";{n}={v}" for n, v in self.parameters)
        headers = "" if self.headers is None else f"?{self.headers}"
        return f"{self.scheme}:{user}{self.host}{port}{parameters}{headers}"


def is_address(host: str) -> bool:
    """Whether the host of a URI is an IP address, IPv6 in brackets."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def parse_uri(text: str) -> Uri:
    """The parts of ``text``. Raises UriError; results are cached because contacts repeat."""
    if len(text) > MAXIMUM_LENGTH:
        raise UriError(f"a URI is longer than {MAXIMUM_LENGTH} characters")
    if _BAD.search(text):
        raise UriError("a URI holds blanks, control characters, quotes or angle brackets")
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.match(scheme):
        raise UriError("a URI has no scheme")
    scheme = scheme.lower()
    if scheme not in ("sip", "sips"):
        if not rest:
            raise UriError("a URI is empty")
        return Uri(scheme, opaque=rest)
    user: str | None = None
    password: str | None = None
    # ";" and "?" may stand in the user part, so the "@" is looked for first.
    userinfo, at, hostpart = rest.rpartition("@")
    if at and "?" in rest and rest.index("?") < len(userinfo) and "@" in rest[: rest.index("?")]:
        # An "@" inside the headers part (?Replaces=a@b) is not the one before the host.
        userinfo, at, hostpart = rest.partition("@")
    if at:
        user, separator, secret = userinfo.partition(":")
        password = secret if separator else None
        if not user or "@" in userinfo or _BAD_ESCAPE.search(userinfo):
            raise UriError("the user part of a URI is malformed")
    else:
        hostpart = rest
    hostpart, question, headers = hostpart.partition("?")
    hostport, semicolon, tail = hostpart.partition(";")
    try:
        host, port = split_host_port(hostport)
    except HeaderError as error:
        raise UriError(str(error)) from None
    if len(host) > 253 or not (_HOSTNAME.match(host) or _is_ipv6(host)):
        raise UriError("the host of a URI is malformed")
    parameters: list[tuple[str, str | None]] = []
    if semicolon:
        for part in tail.split(";"):
            name, equals, value = part.partition("=")
            if not name or _BAD_ESCAPE.search(part):
                raise UriError("a parameter of a URI is malformed")
            parameters.append((name.lower(), value if equals else None))
    return Uri(scheme, user, password, host, port, tuple(parameters), headers if question else None)


def _is_ipv6(host: str) -> bool:
    if not _IPV6.match(host):
        return False
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def same_uri(a: Uri, b: Uri) -> bool:
    """Whether two URIs are equivalent (RFC 3261 section 19.1.4)."""
    if a.scheme not in ("sip", "sips") or b.scheme not in ("sip", "sips"):
        return a.scheme == b.scheme and a.opaque.lower() == b.opaque.lower()
    if (a.scheme, a.host.rstrip("."), a.port) != (b.scheme, b.host.rstrip("."), b.port):
        return False
    if (
        (a.user is None) != (b.user is None)
        or a.user_text != b.user_text
        or a.password != b.password
    ):
        return False
    ours = {name: unquote(value or "").lower() for name, value in a.parameters}
    theirs = {name: unquote(value or "").lower() for name, value in b.parameters}
    for name in ours.keys() | theirs.keys():
        if name in ours and name in theirs:
            if ours[name] != theirs[name]:
                return False
        elif name in ("user", "ttl", "method", "maddr"):
            return False
    if (a.headers is None) != (b.headers is None):
        return False
    if a.headers is None or b.headers is None:
        return True
    return sorted(a.headers.split("&")) == sorted(b.headers.split("&"))
