"""Which numbers a call has come through, so that one that goes in a circle is ended.

Every INVITE that leaves for another server says in ``X-sipxd-Path`` whom we were asked to call, so
far.  When the call comes back to us, the server in between having kept the header, a number that
stands there already, or one more than `MAXIMUM`, is a loop: 482 (RFC 3261 section 21.4.20).
Registered phones are not told: they are where a call ends, and whom else it went through is none of
their business.

A number stands there with its domain, for another server's 201 is not ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sipxd.call.numbers import MAX_HOST, MAX_USER, Number
from sipxd.sip.message import Header

HEADER = "X-sipxd-Path"
MAXIMUM = 10
"""Numbers that a call may come through."""

Path = tuple[str, ...]
"""The numbers, the first one first."""

_ENTRY = re.compile(
    rf"[A-Za-z0-9_!~*'+#]{{1,{MAX_USER}}}+@[A-Za-z0-9.:\[\]-]{{1,{MAX_HOST}}}+", re.ASCII
)


class Loop(Exception):
    """The call has been here before, or in too many places."""


def read_path(lines: Iterable[str]) -> Path:
    """The path that the lines of the header tell; empty where part of it cannot be read.

    What cannot be read is ignored rather than refused: the INVITE that we send carries a path of
    our own making again, so that it costs a loop one more round and no honest call its connection.
    """
    path: list[str] = []
    for entry in (entry.strip(" \t") for line in lines for entry in line.split(",")):
        if len(path) > MAXIMUM:
            break  # it is too long whatever follows
        if not _ENTRY.fullmatch(entry):
            return ()
        path.append(entry.lower())
    return tuple(path)


def extend_path(path: Path, number: Number, domain: str) -> Path:
    """``path`` with ``number``, of ``domain`` where it names none. Raises Loop."""
    entry = f"{number.user}@{number.host or domain}".lower()
    if entry in path:
        raise Loop("the call has been at this number already")
    if len(path) >= MAXIMUM:
        raise Loop(f"the call has come through {MAXIMUM} numbers already")
    return (*path, entry)


def turn_path(path: Path, number: Number, domain: str) -> Path:
    """``path`` where ``number`` takes the place of the last one: a transfer. Raises Loop.

    The one who was called has sent the call on, and may well be called again by where it went to:
    an agent who transfers a caller back into the queue.
    """
    return extend_path(path[:-1], number, domain)


def path_headers(path: Path) -> tuple[Header, ...]:
    """What an INVITE to another server says; nothing for an empty path."""
    return ((HEADER, ", ".join(path)),) if path else ()
