"""User groups: users who have something in common (contract 4.5, 8.3)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class UserGroup:
    """A group; its name is unique. ``weight``: where groups disagree, the lightest decides."""

    id: int
    name: str
    description: str = ""
    weight: int = 0
    branch: int | None = None
    """The id of the branch that it belongs to."""
    permissions: Mapping[str, bool] = attrs.field(factory=dict)
    """What it grants (true) or denies its members."""
    settings: Mapping[str, str] = attrs.field(factory=dict)
    """Values by their paths, as in ``callfwd/timer``, for members who have set none."""
