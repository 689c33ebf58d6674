"""The values of a referral: Refer-To, Replaces and the status line in a message/sipfrag body.

RFC 3515 (REFER), RFC 3891 (Replaces), RFC 3420 (sipfrag).  Pure text in, values out, and back.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

import attrs

from sipxd.sip.headers import (
    HeaderError,
    is_token,
    parameter,
    parse_name_addr,
    parse_parameters,
)
from sipxd.sip.message import Message
from sipxd.sip.uri import UriError, parse_uri

SIPFRAG = "message/sipfrag"
MAXIMUM_EMBEDDED = 16
"""Headers that a Refer-To URI may carry."""
MAXIMUM_FRAGMENT = 8_192
"""Longest message/sipfrag body in octets that is looked at."""
_LONGEST_CALL_ID = 256
_LONGEST_REASON = 120


class ReferralError(ValueError):
    """A Refer-To or Replaces that cannot be followed."""


@attrs.frozen
class Replaces:
    """Which dialog a new one takes the place of, seen from the one who has that dialog.

    ``to_tag`` is his own tag, ``from_tag`` his peer's (RFC 3891 section 3).
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


@attrs.frozen
class ReferTo:
    """Whom to call instead: a URI without headers, and the dialog that the call shall replace."""

    uri: str
    replaces: Replaces | None = None

    def __str__(self) -> str:
        if self.replaces is None:
            return f"<{self.uri}>"
        return f"<{self.uri}?Replaces={quote(str(self.replaces), safe='')}>"


def parse_replaces(value: str) -> Replaces:
    """One Replaces value. Raises ReferralError (RFC 3891 section 6.1)."""
    call_id, semicolon, tail = value.strip().partition(";")
    call_id = call_id.strip()
    try:
        parameters = parse_parameters(semicolon + tail)
    except HeaderError as error:
        raise ReferralError(f"Replaces: {error}") from None
    to_tag, from_tag = parameter(parameters, "to-tag"), parameter(parameters, "from-tag")
    if not call_id or len(call_id) > _LONGEST_CALL_ID or not call_id.isprintable():
        raise ReferralError("Replaces has no usable Call-ID")
    if " " in call_id or "," in call_id:
        raise ReferralError("Replaces names several dialogs, or a malformed Call-ID")
    if not to_tag or not from_tag or not is_token(to_tag) or not is_token(from_tag):
        raise ReferralError("Replaces needs one to-tag and one from-tag")
    if sum(name in ("to-tag", "from-tag") for name, _ in parameters) > 2:
        raise ReferralError("Replaces needs one to-tag and one from-tag")
    return Replaces(call_id, to_tag, from_tag, parameter(parameters, "early-only") is not None)


def replaces_of(message: Message) -> Replaces | None:
    """The dialog that an INVITE takes the place of. Raises ReferralError: it is 400 then."""
    values = message.get_all("Replaces")
    if not values:
        return None
    if len(values) > 1:
        raise ReferralError("Replaces stands twice")
    return parse_replaces(values[0])


def parse_refer_to(value: str) -> ReferTo:
    """One Refer-To value, its embedded headers read. Raises ReferralError.

    Headers other than Replaces are left out: what a stranger writes there is not sent by us.
    """
    try:
        uri = parse_uri(parse_name_addr(value).uri)
    except (HeaderError, UriError) as error:
        raise ReferralError(f"Refer-To: {error}") from None
    if uri.scheme not in ("sip", "sips", "tel"):
        raise ReferralError("Refer-To names no telephone")
    method = uri.parameter("method")
    if method is not None and method.upper() != "INVITE":
        raise ReferralError("Refer-To asks for another request than INVITE")
    parameters = tuple(p for p in uri.parameters if p[0] != "method")
    plain = attrs.evolve(uri, headers=None, parameters=parameters)
    return ReferTo(str(plain), _embedded_replaces(uri.headers))


def _embedded_replaces(headers: str | None) -> Replaces | None:
    found: Replaces | None = None
    parts = headers.split("&") if headers else []
    if len(parts) > MAXIMUM_EMBEDDED:
        raise ReferralError("Refer-To carries too many headers")
    for part in parts:
        name, _, value = part.partition("=")
        if unquote(name).strip().lower() != "replaces":
            continue
        if found is not None:
            raise ReferralError("Replaces stands twice")
        found = parse_replaces(unquote(value))
    return found


def fragment(status: int, reason: str) -> bytes:
    """A message/sipfrag body that tells of a response."""
    safe = "".join(c for c in reason if c.isprintable())[:_LONGEST_REASON]
    return f"SIP/2.0 {status} {safe}\r\n".encode()


def parse_fragment(message: Message) -> tuple[int, str] | None:
    """Status and reason in the message/sipfrag body of a NOTIFY; None where it has none."""
    kind = (message.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind != SIPFRAG or len(message.body) > MAXIMUM_FRAGMENT:
        return None
    line = message.body.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r")
    version, _, rest = line.decode("utf-8", "replace").partition(" ")
    code, _, reason = rest.strip().partition(" ")
    if version.upper() != "SIP/2.0" or not (code.isascii() and code.isdigit() and len(code) == 3):
        return None
    status = int(code)
    return (status, reason.strip()[:_LONGEST_REASON]) if 100 <= status <= 699 else None
