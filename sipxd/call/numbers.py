"""The number that somebody asks for, cleaned: the one place that decides what may be dialled.

Click-to-call takes what people type or copy ("+49 (30) 123-45").  Everything that passes here is
put into a SIP URI, so the rule is a list of what is allowed, never of what is forbidden
(sipXcom contract 3.1; RFC 3261 section 25.1).  The contract removes punctuation everywhere and so
breaks every address with a host; here it is removed before the ``@`` only.
"""

from __future__ import annotations

import re

import attrs

from sipxd.errors import BadInput
from sipxd.sip.uri import UriError, is_address, parse_uri

MAX_DIGITS = 32
MAX_USER = 64
MAX_HOST = 253
MAX_INPUT = 512
"""Characters before cleaning; nothing that a person means to dial is longer."""

_REMOVED = str.maketrans("", "", "[](){}-. \t")
_NUMBER = re.compile(rf"\+?[0-9*#]{{1,{MAX_DIGITS}}}", re.ASCII)
_DIALLED = re.compile(r"[0-9*#+]++", re.ASCII)
_USER = re.compile(rf"[A-Za-z0-9_!~*'+]{{1,{MAX_USER}}}", re.ASCII)
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_!~*'+#]", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_TOP_LABEL = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])", re.ASCII)


@attrs.frozen
class Number:
    """A cleaned number.

    ``user`` is as dialled (``#`` not escaped); ``host`` is in lower case, ``None`` for our own
    domain.
    """

    user: str
    host: str | None = None

    def __str__(self) -> str:
        return self.user if self.host is None else f"{self.user}@{self.host}"


def clean_number(text: str) -> Number:
    """Clean what was asked for, or raise BadInput with the rule that it breaks.

    Brackets, braces, dots, hyphens and blanks are removed before the ``@``.  What is left is an
    optional ``+`` and 1 to 32 of ``0-9 * #``, or a user part of 1 to 64 letters, digits and
    ``_ ! ~ * ' +``; then, optionally, ``@`` and a host name with a top-level domain.
    """
    if len(text) > MAX_INPUT:
        raise _bad(f"A number has at most {MAX_DIGITS} digits; this has {len(text)} characters.")
    given, at, host = text.partition("@")
    user = given.translate(_REMOVED)
    _check_user(user)
    if not at:
        return Number(user)
    _check_host(host)
    return Number(user, host.lower())


def read_number(text: str, domain: str) -> Number:
    """The number that a user has stored, or the SIP or tel URI of a redirection. Raises BadInput.

    An IP address in a URI stands for ``domain``, ours: phones that know no domain write one there.
    """
    if ":" not in text:
        return clean_number(text)
    try:
        uri = parse_uri(text)
    except UriError as error:
        raise _bad(f"That is no address: {error}.") from None
    ours = uri.scheme == "tel" or uri.host == domain or is_address(uri.host)
    return clean_number(uri.user_text if ours else f"{uri.user_text}@{uri.host}")


def uri_user(user: str) -> str:
    """The user part as a SIP URI writes it: ``#`` is not allowed there and is sent as %23."""
    return user.replace("#", "%23")


def _check_user(user: str) -> None:
    if not user:
        raise _bad("The number is empty; give digits, for example 201 or +4930123456.")
    strange = _NOT_ALLOWED.search(user)
    if strange is not None:
        raise _bad(
            f"A number may not contain the character U+{ord(strange.group()):04X}; allowed are"
            " digits, * and #, a + in front, or the letters and _ ! ~ ' of a user name."
        )
    if _DIALLED.fullmatch(user):
        if _NUMBER.fullmatch(user):
            return
        if len(user.lstrip("+")) > MAX_DIGITS:
            raise _bad(f"A number has at most {MAX_DIGITS} digits; this one has {len(user)}.")
        raise _bad("A + stands only at the beginning of a number, and digits follow it.")
    if "#" in user:
        raise _bad("The character # is allowed in a number only, not in a user name.")
    if not _USER.fullmatch(user):
        raise _bad(f"A user name has at most {MAX_USER} characters; this one has {len(user)}.")


def _check_host(host: str) -> None:
    labels = host.split(".")
    if (
        len(host) > MAX_HOST
        or len(labels) < 2
        or not all(_LABEL.fullmatch(label) for label in labels)
        or not _TOP_LABEL.fullmatch(labels[-1])
    ):
        raise _bad(
            "What follows the @ must be a host name with a top-level domain, such as"
            " example.org; leave it out to call within the own domain."
        )


def _bad(detail: str) -> BadInput:
    return BadInput(detail, field="number")
