"""The user: a person with a number, telephones and credentials."""

from __future__ import annotations

import attrs


@attrs.frozen
class User:
    """A user without his secrets.

    ``name`` is the user name, normally the extension ("200"); ``aliases`` are further numbers or
    names that reach him.  Names and aliases share one name space.
    """

    id: int
    name: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    admin: bool = False
    enabled: bool = True
    flow: str = ""
    """How his click-to-calls are set up (`sipxd.call.record.ClickFlow`); empty: as configured."""
    voicemail: bool = True
    """Whether calls for him may end in a voicemail box, where there is one."""
