"""What users have set of themselves. Read when somebody asks: no call goes by any of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import sqlalchemy as sa

from sipxd.directory.permission import PRESENCE
from sipxd.directory.setting import MAX_VALUE
from sipxd.directory.speed_dial import MAX_BUTTONS, Button, SpeedDial, permitted
from sipxd.directory.user import User
from sipxd.directory.user_setting import SETTINGS, effective
from sipxd.errors import BadInput, NotFound
from sipxd.service.account_requests import NewUser, UserChange
from sipxd.service.accounts import Accounts
from sipxd.service.profiles import as_stored
from sipxd.store import profiles
from sipxd.store import settings as stored
from sipxd.store.store import Store


@attrs.frozen
class Mailbox:
    """The settings of a user, and where mails about voicemail go."""

    values: Mapping[str, str]
    email: str
    alternate_email: str


class Settings:
    """Values by path, speed dials, and what goes with them."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    async def of(self, user: User) -> dict[str, str]:
        """The values of all settings: his own, else of his groups, else by default."""
        return await self._store.read("settings", lambda c: _effective(c, user))

    async def own(self, user: User) -> dict[str, str]:
        """The values that he has set himself."""
        return await self._store.read("settings", lambda c: stored.of(c, user.id))

    async def change(self, user: User, values: Mapping[str, str | None]) -> None:
        """Set these values, all or none; None: whatever his groups say.

        Raises NotFound (there is no such setting, or the user is gone), BadInput, Overloaded.
        """
        kept = checked(values)
        if kept:
            await self._store.write("settings.change", lambda c: stored.save(c, user.id, kept))

    async def change_of_many(self, path: str, wanted: Sequence[tuple[User, str]]) -> None:
        """Set one value of many users, each to his own, all or none. Raises as ``change``."""
        kept = [(user, checked({path: value})) for user, value in wanted]

        def write(connection: sa.Connection) -> None:
            for user, values in kept:
                stored.save(connection, user.id, values)

        await self._store.write("settings.change", write)

    async def mailbox(self, user: User) -> Mailbox:
        """What is set of his voicemail."""

        def read(connection: sa.Connection) -> Mailbox:
            profile = profiles.of(connection, user.id)
            alternate = profile.contact.alternate_email_address
            email = as_stored(connection, user).email
            return Mailbox(_effective(connection, user), email, alternate)

        return await self._store.read("mailbox", read)

    async def change_mailbox(
        self,
        user: User,
        values: Mapping[str, str | None],
        email: str | None = None,
        alternate_email: str | None = None,
    ) -> None:
        """Set these values and addresses, all or none; an address that is None stays as it is.

        Raises as ``change``.
        """
        kept = checked(values)
        if alternate_email is not None:
            _check_email(alternate_email)

        def also(connection: sa.Connection, changed: User) -> None:
            stored.save(connection, changed.id, kept)
            if alternate_email is not None:
                present = profiles.of(connection, changed.id)
                contact = attrs.evolve(present.contact, alternate_email_address=alternate_email)
                profiles.save(connection, changed.id, attrs.evolve(present, contact=contact))

        await self._accounts.change(user, UserChange(email=email), also=also)

    async def speed_dial(self, user: User) -> SpeedDial:
        """His buttons, or those of the first of his groups that has some."""
        return await self._store.read("speed dial", lambda c: _speed_dial(c, user))

    async def set_speed_dial(self, user: User, buttons: Sequence[Button] | None) -> None:
        """Replace his buttons; None: those of his groups count again. Raises BadInput, NotFound.

        Without the permission subscribe-to-presence no button gets a lamp that it did not have.
        """
        _check_buttons(buttons or ())

        def write(connection: sa.Connection) -> None:
            chosen = buttons
            if chosen is not None:
                present = _speed_dial(connection, user).buttons
                chosen = permitted(chosen, present, presence=PRESENCE in user.permissions)
            stored.save_speed_dial(connection, user.id, chosen)

        await self._store.write("speed dial.set", write)

    async def speed_dial_of_group(self, group: str) -> tuple[Button, ...]:
        """The buttons of a user group. Raises NotFound where it has none."""
        buttons = await self._store.read(
            "speed dial of group", lambda c: stored.speed_dial_of_groups(c, [group])
        )
        if buttons is None:
            raise NotFound(f"there is no user group {group[:80]!r} with a speed dial")
        return buttons

    async def set_speed_dial_of_group(self, group: str, buttons: Sequence[Button] | None) -> None:
        """Replace the buttons of a user group; None: it has none. Raises BadInput, NotFound."""
        _check_buttons(buttons or ())
        await self._store.write(
            "speed dial of group.set",
            lambda c: stored.save_speed_dial_of_group(c, group, buttons),
        )


def _effective(connection: sa.Connection, user: User) -> dict[str, str]:
    own = stored.of(connection, user.id)
    return effective(own, stored.of_groups(connection, user.groups))


def _speed_dial(connection: sa.Connection, user: User) -> SpeedDial:
    own = stored.speed_dial(connection, user.id)
    if own is not None:
        return SpeedDial(own)
    of_group = stored.speed_dial_of_groups(connection, user.groups)
    return SpeedDial(of_group or (), of_group=of_group is not None)


def checked(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """The values as they are kept, by path; None stays. Raises NotFound, BadInput."""
    kept: dict[str, str | None] = {}
    for path, value in values.items():
        if path not in SETTINGS:
            raise NotFound(f"there is no setting {path[:80]!r}", field="path")
        try:
            kept[path] = None if value is None else SETTINGS[path].read(value)
        except ValueError as error:
            raise BadInput(f"{path} {error}", field=path) from None
    return kept


def _check_email(email: str) -> None:
    try:
        NewUser(name="x", email=email)
    except BadInput as error:
        raise BadInput(error.detail, field="alternate_email") from None


def _check_buttons(buttons: Sequence[Button]) -> None:
    if len(buttons) > MAX_BUTTONS:
        raise BadInput(f"a speed dial has at most {MAX_BUTTONS} buttons", field="buttons")
    for number, button in enumerate(buttons):
        for name, text, least in (("label", button.label, 0), ("number", button.number, 1)):
            if not least <= len(text) <= MAX_VALUE or not text.isprintable():
                raise BadInput(
                    f"{name} must have {least} to {MAX_VALUE} printable characters",
                    field=f"buttons[{number}].{name}",
                )
