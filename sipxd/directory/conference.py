"""The conference: a number where many talk to each other (contract 3.10).

Conferences are stored, with their settings, for their owners.  Nothing mixes voices here: that
takes a media server.
"""

from __future__ import annotations

import attrs

MAX_MEMBERS = 10_000


@attrs.frozen
class Conference:
    """A conference. ``name`` and ``extension`` are in the name space of the users."""

    id: int
    name: str
    extension: str
    owner: int | None = None
    """The id of the user who may change it; None: administrators alone."""
    enabled: bool = True
    description: str = ""
    autorecorded: bool = False
    access_code: str = ""
    """What callers have to dial; empty: nothing."""
    moderator_code: str = ""
    quickstart: bool = False
    """Whether it begins before a moderator is there."""
    video: bool = False
    active_video_only: bool = False
    """Whether members see the one who speaks, instead of all."""
    max_members: int = 0
    """0: as many as there is room for."""
    moh: str = ""
    """What who is alone hears; empty: as the media server has it."""
    entry_tone: bool = True
    exit_tone: bool = True
    name_on_entry: bool = False
    """Whether members say their names, and are told to the others when they enter."""
    name_on_exit: bool = False
