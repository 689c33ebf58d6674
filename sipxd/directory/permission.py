"""Permissions: what a user may do, by himself, by his groups, or by default (contract 4.4)."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping

import attrs

ADMIN = "superadmin"
VOICEMAIL = "Voicemail"
INTERNATIONAL = "InternationalDialing"
"""To call numbers abroad."""
SIP_ADDRESS = "sip-address"
"""To call SIP addresses of foreign domains."""
PRESENCE = "subscribe-to-presence"
PROMPTS = "RecordSystemPrompts"


class PermissionType(enum.StrEnum):
    """What a permission is about."""

    APPLICATION = "APPLICATION"
    CALL = "CALL"
    VOICEMAIL_SERVER = "VOICEMAIL_SERVER"


@attrs.frozen
class Permission:
    """A permission that the system knows; ``default`` holds where nobody has set anything."""

    name: str
    label: str
    default: bool
    type: PermissionType = PermissionType.CALL
    description: str = ""
    built_in: bool = False


def _built_in(kind: PermissionType, **defaults: bool) -> list[Permission]:
    names = ((name.replace("_", "-"), default) for name, default in defaults.items())
    return [Permission(name, name, default, kind, built_in=True) for name, default in names]


BUILT_IN = {
    permission.name: permission
    for permission in (
        *_built_in(
            PermissionType.APPLICATION,
            superadmin=False,
            dbauth_only=False,
            tui_change_pin=True,
            personal_auto_attendant=True,
            music_on_hold=True,
            group_music_on_hold=False,
            subscribe_to_presence=True,
        ),
        *_built_in(
            PermissionType.CALL,
            AutoAttendant=False,
            # Where somebody's account has been stolen, calls abroad are what it is used for.
            InternationalDialing=False,
            LocalDialing=True,
            LongDistanceDialing=True,
            Mobile=True,
            TollFree=True,
            Voicemail=True,
            RecordSystemPrompts=False,
            sip_address=False,
        ),
        Permission("900Dialing", "900Dialing", False, built_in=True),
        *_built_in(
            PermissionType.VOICEMAIL_SERVER,
            FreeswitchVoicemailServer=True,
            ExchangeUMVoicemailServer=False,
        ),
    )
}
"""Those that exist always. Different from sipXcom: calls abroad have to be granted, and so have
addresses of other domains."""


@attrs.frozen
class PermissionRules:
    """What decides where a user has nothing set himself."""

    defaults: Mapping[str, bool] = attrs.field(
        factory=lambda: {name: each.default for name, each in BUILT_IN.items()}
    )
    by_group: Mapping[str, Mapping[str, bool]] = attrs.field(factory=dict)
    """What the groups have set, by the name of the group, in the order in which they count."""

    def effective(
        self, granted: Collection[str], denied: Collection[str], groups: Collection[str]
    ) -> frozenset[str]:
        """The permissions of a user who was ``granted`` and ``denied`` some himself.

        Of ``groups`` the lightest one that says something decides.
        """
        decided: dict[str, bool] = {}
        for group, settings in self.by_group.items():
            if group in groups:
                for name, value in settings.items():
                    decided.setdefault(name, value)
        decided = {**self.defaults, **decided}
        decided.update(dict.fromkeys(granted, True))
        decided.update(dict.fromkeys(denied, False))
        return frozenset(name for name, value in decided.items() if value)
