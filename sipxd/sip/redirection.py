"""What a 3xx says where the call should go instead (RFC 3261 section 21.3)."""

from __future__ import annotations

from sipxd.sip.headers import HeaderError, parse_name_addr, quality
from sipxd.sip.message import Response
from sipxd.sip.uri import UriError, parse_uri

MAXIMUM_CONTACTS = 10
"""Contacts that are looked at."""
_CALLABLE = frozenset({"sip", "sips", "tel"})


def contacts_of(response: Response) -> tuple[tuple[float, str], ...]:
    """The URIs that can be called instead, each with its q value; what cannot be read is left out.

    Empty for every response that is no redirection.
    """
    if not 300 <= response.status < 400:
        return ()
    found: list[tuple[float, str]] = []
    try:
        values = response.values("Contact")[:MAXIMUM_CONTACTS]
    except HeaderError:
        return ()
    for value in values:
        try:
            contact = parse_name_addr(value)
            if parse_uri(contact.uri).scheme in _CALLABLE:
                found.append((quality(contact.parameters), contact.uri))
        except (HeaderError, UriError):
            continue
    return tuple(found)
