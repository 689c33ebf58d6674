"""All that can be set of users and user groups by path, wherever it is kept (contract 2, 8.2).

Three families look alike from outside: what is kept for clients (`sipxd.service.settings`), the
permissions, and how long a user's own phones ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import attrs
import sqlalchemy as sa

from sipxd.directory.permission import Permission, PermissionType
from sipxd.directory.setting import Setting, SettingType, Value
from sipxd.directory.user import User
from sipxd.directory.user_group import UserGroup
from sipxd.directory.user_setting import SETTINGS
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import UserChange
from sipxd.service.accounts import Accounts
from sipxd.service.forwarding_rules import check_seconds
from sipxd.service.forwardings import Forwardings
from sipxd.service.permissions import Permissions
from sipxd.service.settings import Settings, checked
from sipxd.service.user_groups import UserGroups
from sipxd.store import settings as stored

T = TypeVar("T")

TIMER = "callfwd/timer"
SECTIONS = {
    PermissionType.APPLICATION: "permission/application",
    PermissionType.CALL: "permission/call-handling",
    PermissionType.VOICEMAIL_SERVER: "permission/voicemail-server",
}
"""Where the permissions of each type stand."""
AT_ONCE = 100
"""Users of whom a setting is stored in one go; so many take the database 20 ms."""
_VALUES = {"enable": True, "1": True, "true": True, "disable": False, "0": False, "false": False}


class SettingValues:
    """See the module."""

    def __init__(
        self,
        accounts: Accounts,
        forwardings: Forwardings,
        settings: Settings,
        permissions: Permissions,
        groups: UserGroups,
    ) -> None:
        self._accounts = accounts
        self._forwardings = forwardings
        self._settings = settings
        self._permissions = permissions
        self._groups = groups

    async def of(self, user: User) -> list[Value]:
        """Every setting of a user, with what holds for him."""
        timer = self._forwardings.of(user).timer or self._forwardings.default_timer
        values = await self._settings.of(user)
        return [
            Value(self._timer(), str(timer)),
            *(
                Value(_of_permission(each), _told(each.name in user.permissions))
                for each in await self._permissions.all()
            ),
            *(Value(setting, values[path]) for path, setting in SETTINGS.items()),
        ]

    async def of_group(self, group: UserGroup) -> list[Value]:
        """Every setting of a group, with what it sets, or what holds where it sets nothing."""
        return [
            *(
                Value(_of_permission(each), _told(group.permissions.get(each.name, each.default)))
                for each in await self._permissions.all()
            ),
            *(
                Value(setting, group.settings.get(path, setting.default))
                for path, setting in SETTINGS.items()
            ),
        ]

    async def change(self, user: User, values: Mapping[str, str | None]) -> None:
        """Set these values of a user; None: whatever holds without.

        Nothing is set where one cannot be.  Raises NotFound (there is no such setting), BadInput,
        Forbidden, Overloaded; ``field`` is the path.
        """
        permissions, others = _parted(values, await self._names())
        timer = others.pop(TIMER, None) if TIMER in others else ""
        kept = checked(others)
        seconds = _seconds(timer)

        def also(connection: sa.Connection, changed: User) -> None:
            stored.save(connection, changed.id, kept)

        if permissions:
            await self._accounts.change(user, UserChange(values=permissions), also=also)
        else:
            await self._settings.change(user, kept)
        # Last, because a timer that was read is not refused any more.
        if timer != "":
            await self._forwardings.change(user, lambda old: attrs.evolve(old, timer=seconds))

    async def change_of_many(self, path: str, wanted: Sequence[tuple[User, str]]) -> None:
        """Set one setting of many users, of each to the value beside him.

        Raises as ``change``; nothing is set where one of the values cannot be.
        """
        names = await self._names()
        for value in {value for _, value in wanted}:
            _, others = _parted({path: value}, names)
            _seconds(others.pop(TIMER, None))
            checked(others)
        if path in SETTINGS:
            for start in range(0, len(wanted), AT_ONCE):
                part = wanted[start : start + AT_ONCE]
                await self._settings.change_of_many(path, part)
        else:
            for user, value in wanted:
                await self.change(user, {path: value})

    async def change_group(self, group: UserGroup, values: Mapping[str, str | None]) -> None:
        """Set these values of a group; None: whatever holds without. Raises as ``change``."""
        permissions, others = _parted(values, await self._names())
        kept = checked(others)

        def change(old: UserGroup) -> UserGroup:
            return attrs.evolve(
                old,
                permissions=_merged(old.permissions, permissions),
                settings=_merged(old.settings, kept),
            )

        await self._groups.change(group.id, change)

    async def _names(self) -> dict[str, str]:
        """The names of the permissions by their paths."""
        return {_of_permission(each).path: each.name for each in await self._permissions.all()}

    def _timer(self) -> Setting:
        default = str(self._forwardings.default_timer)
        label = "Seconds that the user's own phones ring"
        return Setting(TIMER, SettingType.INTEGER, default, label)


def below(values: Iterable[Value], path: str) -> list[Value]:
    """The setting with this path, or those behind it. Raises NotFound where there are none."""
    found = [
        each
        for each in values
        if each.setting.path == path or each.setting.path.startswith(f"{path}/")
    ]
    if not found:
        raise NotFound(f"there is no setting {path[:80]!r}", field="path")
    return found


def _parted(
    values: Mapping[str, str | None], names: Mapping[str, str]
) -> tuple[dict[str, bool | None], dict[str, str | None]]:
    """The permissions among the values, by name; the others by path. Raises BadInput."""
    permissions: dict[str, bool | None] = {}
    others: dict[str, str | None] = {}
    for path, text in values.items():
        if path not in names:
            others[path] = text
        elif text is None or text.strip().lower() in _VALUES:
            permissions[names[path]] = None if text is None else _VALUES[text.strip().lower()]
        else:
            raise BadInput(f"{path} must be ENABLE or DISABLE", field=path)
    return permissions, others


def _merged(old: Mapping[str, T], new: Mapping[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _of_permission(permission: Permission) -> Setting:
    path = f"{SECTIONS[permission.type]}/{permission.name}"
    label, description = permission.label, permission.description
    return Setting(path, SettingType.BOOLEAN, _told(permission.default), label, description)


def _told(value: bool) -> str:
    return "ENABLE" if value else "DISABLE"


def _seconds(text: str | None) -> int | None:
    if not text:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 5):
        raise BadInput(f"{TIMER} must be a whole number of seconds", field=TIMER)
    check_seconds(int(digits), TIMER)
    return int(digits)
