"""The rules of a registrar: what a REGISTER does to the bindings of an address-of-record.

RFC 3261 section 10.3, RFC 3327 (Path), RFC 5626 section 6 (one binding per instance).  Pure:
bindings in, bindings out; who may register, and where bindings are kept, is somebody else's
business.
"""

from __future__ import annotations

import attrs

from sipxd.sip.flow import Flow
from sipxd.sip.headers import (
    HeaderError,
    NameAddr,
    Parameters,
    parameter,
    parse_name_addr,
    parse_number,
    quality,
    unquote,
)
from sipxd.sip.message import Header, Request, displayable
from sipxd.sip.uri import UriError, parse_uri, same_uri

MINIMUM_EXPIRES = 60
"""Shortest registration that is taken, in seconds; shorter ones get 423."""
MAXIMUM_EXPIRES = 7200
"""Longest registration that is given, in seconds."""
DEFAULT_EXPIRES = 3600
"""Where the phone names no time."""
MAXIMUM_PATH = 10
"""Most proxies on the way to a phone."""


@attrs.frozen
class Binding:
    """One contact of an address-of-record.

    ``expires_at`` is in seconds since the epoch; ``flow`` the path that the REGISTER came over,
    ``path`` the Path values that lead there through proxies, ``instance`` names the device (with
    its reg-id), empty where it does not say.
    """

    uri: str
    expires_at: float
    call_id: str
    cseq: int
    flow: Flow
    q: float = 1.0
    path: tuple[str, ...] = ()
    user_agent: str = ""
    instance: str = ""


@attrs.frozen
class Registered:
    """The REGISTER was right: the bindings after it, and what the 200 says."""

    bindings: tuple[Binding, ...]
    headers: tuple[Header, ...]
    changed: bool


@attrs.frozen
class Rejected:
    """The REGISTER changed nothing; ``status`` and ``reason`` are its answer."""

    status: int
    reason: str
    headers: tuple[Header, ...] = ()


class _Wrong(Exception):
    """A contact that cannot be taken; its ``rejection`` is the answer."""

    def __init__(self, status: int, reason: str, *headers: Header) -> None:
        super().__init__(reason)
        self.rejection = Rejected(status, reason, headers)


def active(bindings: tuple[Binding, ...], now: float) -> tuple[Binding, ...]:
    """The bindings that have not expired, those with the highest q first."""
    alive = [binding for binding in bindings if binding.expires_at > now]
    return tuple(sorted(alive, key=lambda binding: -binding.q))


def register(
    request: Request, existing: tuple[Binding, ...], flow: Flow, now: float, limit: int
) -> Registered | Rejected:
    """Work off a valid REGISTER against ``existing``; ``limit``: the most bindings there may be."""
    before = active(existing, now)
    try:
        after = _apply(request, before, flow, now)
    except _Wrong as wrong:
        return wrong.rejection
    except (HeaderError, UriError) as error:
        return Rejected(400, f"Bad Request: {error}")
    if len(after) > limit and len(after) > len(before):
        return Rejected(403, f"Forbidden: more than {limit} phones are registered for this user")
    headers: list[Header] = [("Contact", _contact(binding, now)) for binding in after]
    headers += [("Path", line) for line in request.get_all("Path")]
    return Registered(after, tuple(headers), changed=after != existing)


def _apply(
    request: Request, before: tuple[Binding, ...], flow: Flow, now: float
) -> tuple[Binding, ...]:
    contacts = request.values("Contact")
    if not contacts:
        return before
    call_id, (cseq, _) = request.call_id, request.cseq
    general = request.get("Expires")
    default = DEFAULT_EXPIRES if general is None else _seconds(general)
    if "*" in contacts:
        if len(contacts) > 1 or general is None or default != 0:
            raise _Wrong(400, "Bad Request: Contact * needs Expires: 0 and no other contact")
        for binding in before:
            _check_order(binding, call_id, cseq)
        return ()
    after = list(before)
    for contact in map(parse_name_addr, contacts):
        new = _binding(request, contact, default, flow, now)
        stays = new.expires_at > now
        for old in [b for b in after if _replaces(new, b, by_instance=stays)]:
            if old in before:
                _check_order(old, call_id, cseq)
            after.remove(old)
        if stays:
            after.append(new)
    return tuple(after)


def _replaces(new: Binding, old: Binding, *, by_instance: bool) -> bool:
    """Whether both are one binding; a phone that takes a contact back means that contact only."""
    return same_uri(parse_uri(new.uri), parse_uri(old.uri)) or (
        by_instance and bool(new.instance) and new.instance == old.instance
    )


def _check_order(binding: Binding, call_id: str, cseq: int) -> None:
    """A request that was overtaken by a later one changes nothing (10.3 step 7)."""
    if binding.call_id == call_id and cseq <= binding.cseq:
        raise _Wrong(500, "Server Internal Error: a later REGISTER has been here already")


def _binding(request: Request, contact: NameAddr, default: int, flow: Flow, now: float) -> Binding:
    uri = parse_uri(contact.uri)
    if uri.scheme not in ("sip", "sips"):
        raise _Wrong(400, "Bad Request: a contact must be a SIP URI")
    own = parameter(contact.parameters, "expires")
    seconds = default if own is None else _seconds(own)
    if 0 < seconds < MINIMUM_EXPIRES:
        raise _Wrong(423, "Interval Too Brief", ("Min-Expires", str(MINIMUM_EXPIRES)))
    path = tuple(request.values("Path"))
    if len(path) > MAXIMUM_PATH:
        raise _Wrong(400, f"Bad Request: more than {MAXIMUM_PATH} Path values")
    for value in path:
        parse_uri(parse_name_addr(value).uri)
    return Binding(
        uri=contact.uri,
        expires_at=now + min(seconds, MAXIMUM_EXPIRES),
        call_id=request.call_id,
        cseq=request.cseq[0],
        flow=flow,
        q=quality(contact.parameters),
        path=path,
        user_agent=displayable((request.get("User-Agent") or "")[:128]),
        instance=_instance(contact.parameters),
    )


def _instance(parameters: Parameters) -> str:
    """The device, and which of its flows (RFC 5626 section 6: instance and reg-id together)."""
    instance = unquote(parameter(parameters, "+sip.instance") or "")[:128]
    flow = parameter(parameters, "reg-id")
    return f"{instance};reg-id={flow[:16]}" if instance and flow else instance


def _seconds(text: str) -> int:
    """Expires; a malformed value counts as the default (RFC 3261 section 10.3 step 6)."""
    try:
        return min(parse_number(text, 2**32 - 1), MAXIMUM_EXPIRES)
    except HeaderError:
        return DEFAULT_EXPIRES


def _contact(binding: Binding, now: float) -> str:
    seconds = max(1, round(binding.expires_at - now))
    return f"<{binding.uri}>;expires={seconds}"
