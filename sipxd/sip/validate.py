"""Whether a parsed message is right, and what its sender is owed where it is not.

RFC 3261 sections 8.1.1, 8.2, 16.3 and 18.3.  A request gets a `Refusal` to answer with; a wrong
response can only be dropped.
"""

from __future__ import annotations

import attrs

from sipxd.sip.headers import HeaderError, is_token, parse_name_addr, parse_number, parse_via
from sipxd.sip.message import Header, Message, Request, Response
from sipxd.sip.transaction import BRANCH_PREFIX
from sipxd.sip.uri import UriError, parse_uri

SUPPORTED_EXTENSIONS = frozenset({"timer", "path", "100rel", "replaces"})
"""Option tags that a peer may require of us."""

_NEEDED = ("Via", "From", "To", "Call-ID", "CSeq")
_SINGLE = frozenset((*_NEEDED[1:], "Max-Forwards", "Content-Length", "Content-Type"))


@attrs.frozen
class Refusal:
    """The response that a wrong request is owed."""

    status: int
    reason: str
    headers: tuple[Header, ...] = ()


def _check_common(message: Message) -> str | None:
    """What is wrong with the headers that every message has, or None."""
    seen: dict[str, str] = {}
    vias: list[str] = []
    for name, value in message.headers:
        if name == "Via":
            vias.append(value)
            seen[name] = value
        elif name in _SINGLE:
            if name in seen:
                return f"{name} stands twice"
            seen[name] = value
    for name in _NEEDED:
        if name not in seen:
            return f"{name} is missing"
    content_length = seen.get("Content-Length")
    try:
        method = message.cseq[1]
        via = message.via
        if len(vias) > 1 or "," in vias[0]:
            for value in message.values("Via"):
                parse_via(value)
        if not message.call_id or " " in message.call_id:
            return "Call-ID is malformed"
        for name in ("From", "To"):
            parse_uri(parse_name_addr(seen[name]).uri)
        if content_length is not None and parse_number(content_length, 2**31) > len(message.body):
            return "the body is shorter than Content-Length"
    except HeaderError as error:
        return str(error)
    except UriError as error:
        return str(error)
    if not via.host:
        return "Via has no sent-by"
    if via.version != "2.0":
        return "a Via value is not of SIP/2.0"
    if via.branch == BRANCH_PREFIX:
        return "the branch of Via names no transaction"
    if isinstance(message, Request) and method != message.method:
        return "CSeq and request line name different methods"
    return None


def validate_request(request: Request) -> Refusal | None:
    """The refusal that ``request`` is owed, or None where it is fit to be worked on."""
    if request.version.lower() != "sip/2.0":
        if request.version.endswith(" "):
            return Refusal(400, "Bad Request: blanks stand at the end of the request line")
        return Refusal(505, "Version Not Supported")
    if not is_token(request.method):
        return Refusal(400, "Bad Request: the method is not a token")
    wrong = _check_common(request)
    if wrong:
        return Refusal(400, f"Bad Request: {wrong}")
    try:
        uri = parse_uri(request.uri)
    except UriError as error:
        return Refusal(400, f"Bad Request: {error}")
    if uri.scheme not in ("sip", "sips", "tel"):
        return Refusal(416, "Unsupported URI Scheme")
    if uri.headers is not None:
        return Refusal(400, "Bad Request: the Request-URI carries headers")
    forwards = request.get("Max-Forwards")
    if forwards is not None:
        try:
            parse_number(forwards, 255)
        except HeaderError:
            return Refusal(400, "Bad Request: Max-Forwards is not a number from 0 to 255")
    if request.method in ("ACK", "CANCEL"):
        return None  # neither may be refused for what it requires (RFC 3261 section 8.2.2.3)
    try:
        unsupported = [
            tag
            for name in ("Require", "Proxy-Require")
            for tag in request.values(name)
            if tag.lower() not in SUPPORTED_EXTENSIONS
        ]
        contacts = request.values("Contact") if request.get("Contact") is not None else []
        for contact in contacts:
            if contact != "*" or request.method != "REGISTER":
                parse_uri(parse_name_addr(contact).uri)
        if request.method == "REGISTER":
            address = parse_name_addr(request.require("To")).uri
            if parse_uri(address).scheme not in ("sip", "sips"):
                return Refusal(400, "Bad Request: only SIP and SIPS addresses are registered")
    except (HeaderError, UriError) as error:
        return Refusal(400, f"Bad Request: {error}")
    if unsupported:
        return Refusal(420, "Bad Extension", (("Unsupported", ", ".join(unsupported[:16])),))
    if request.method in ("INVITE", "UPDATE"):
        return _check_session_request(request, len(contacts))
    return None


def _check_session_request(request: Request, contacts: int) -> Refusal | None:
    """What only INVITE and UPDATE must fulfil: one Contact, a body that we can read and write.

    One of RFC 2543, known by its branch, may go without Contact (RFC 4475 section 3.4.1).
    """
    if contacts != 1 and (contacts or request.via.branch.startswith(BRANCH_PREFIX)):
        return Refusal(400, "Bad Request: exactly one Contact is needed")
    encoding = (request.get("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        return Refusal(415, "Unsupported Media Type", (("Accept-Encoding", "identity"),))
    if request.body and request.sdp is None:
        return Refusal(415, "Unsupported Media Type", (("Accept", "application/sdp"),))
    if request.method == "INVITE" and not _accepts_sdp(request):
        return Refusal(406, "Not Acceptable")
    return None


def _accepts_sdp(request: Request) -> bool:
    """Whether an answer of ours can be read (RFC 3261 section 20.1)."""
    if request.get("Accept") is None:
        return True
    ranges = {each.partition(";")[0].strip().lower() for each in request.tokens("Accept")}
    return not ranges.isdisjoint(("application/sdp", "application/*", "*/*"))


def validate_response(response: Response) -> str | None:
    """Why ``response`` must be dropped, or None."""
    if response.version.lower() != "sip/2.0":
        return "the version is not SIP/2.0"
    if not 100 <= response.status <= 699:
        return "the status code is out of range"
    return _check_common(response)
