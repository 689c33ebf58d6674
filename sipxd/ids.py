"""Identifiers made of random bytes, for the wire, the store and URLs alike.

Hexadecimal digits are the one alphabet that is safe as a SIP token (RFC 3261 section 25.1), as a
URI user part, in a URL, in a file name and as a command-line argument, and they are the cheapest
to make.  Randomness is an argument, so that the sans-IO core stays reproducible in tests.
"""

from __future__ import annotations

from collections.abc import Callable

Random = Callable[[int], bytes]
"""Gives that many random bytes; in production ``os.urandom``."""

BRANCH_COOKIE = "z9hG4bK"
"""What every RFC 3261 branch begins with (section 8.1.1.7)."""


def call_id(random: Random) -> str:
    """The id of a call, as in ``/v1/calls/{id}``: 96 bits, so that it cannot be guessed."""
    return random(12).hex()


def leg_id(random: Random) -> str:
    """The id of a leg; it is the user part of the leg's Contact, so 80 bits must be enough."""
    return random(10).hex()


def sip_call_id(random: Random) -> str:
    """A Call-ID header value: 128 bits, globally unique (RFC 3261 section 8.1.1.4)."""
    return random(16).hex()


def return_token(random: Random) -> str:
    """The one-time user part that a phone is referred to: the 128 bits are its credential."""
    return random(16).hex()


def tag(random: Random) -> str:
    """A From or To tag: 64 bits (RFC 3261 section 19.3 asks for at least 32)."""
    return random(8).hex()


def branch(random: Random) -> str:
    """A Via branch: the cookie and 80 bits."""
    return BRANCH_COOKIE + random(10).hex()
