"""Auto attendants: what would answer callers with a menu (contract 4.8). Their state is kept."""

from __future__ import annotations

import attrs


@attrs.frozen
class Attendant:
    """An auto attendant; ``system_id`` is what clients call it."""

    name: str
    system_id: str


ATTENDANTS = (Attendant("Operator", "operator"), Attendant("After hours", "afterhour"))
"""Those that exist always."""


@attrs.frozen
class Special:
    """The attendant for special days, and whether it answers instead of the others."""

    attendant: str = ""
    """Its system id; empty: none."""
    mode: bool = False
