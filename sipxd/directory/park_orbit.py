"""The park orbit: an extension at which calls would be parked (contract 8.7, 11.4).

They are stored, with their settings, for clients that keep them.  Nothing parks calls here: that
takes a media server.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from sipxd.directory.setting import Setting, SettingType

SETTINGS = {
    setting.path: setting
    for setting in (
        Setting(
            "general/enableTimeout",
            SettingType.BOOLEAN,
            "0",
            "Enable time-out",
            "Whether a parked call goes back after the park time-out.",
        ),
        Setting(
            "general/parkTimeout",
            SettingType.INTEGER,
            "120",
            "Park time-out",
            "Seconds after which a parked call goes back to the extension that parked it.",
        ),
        Setting(
            "general/multipleCalls",
            SettingType.BOOLEAN,
            "0",
            "Allow multiple calls",
            "Whether several calls may be parked in this orbit at the same time.",
        ),
        Setting(
            "general/allowTransfer",
            SettingType.BOOLEAN,
            "0",
            "Allow transfer",
            "Whether a parked caller goes back when he dials the transfer key.",
        ),
        Setting(
            "general/transferKey",
            SettingType.STRING,
            "0",
            "Transfer key",
            "What a parked caller dials to go back.",
        ),
    )
}
"""What can be set of an orbit, by its path."""


@attrs.frozen
class ParkOrbit:
    """An orbit. ``name`` and ``extension`` are in the name space of the users."""

    id: int
    name: str
    extension: str
    description: str = ""
    enabled: bool = True
    """One that is not is 404 for callers."""
    music: str = ""
    """The name of the file that a parked caller hears; empty: none."""
    server: str = ""
    """The name of the server that parks; empty: ours."""
    settings: Mapping[str, str] = attrs.field(factory=dict)
    """Values by their paths, of what has been set."""
