"""Contact information of users, and their pictures; what is not set takes no room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import attrs
import msgspec
import sqlalchemy as sa

from sipxd.directory.profile import Person, Profile
from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.store import branches, user_groups
from sipxd.store.plain import decode, encode
from sipxd.store.schema import avatars, profiles, settings, users

IM_ACCOUNT = "im/im-account"
"""The setting that switches instant messages on."""
AT_ONCE = 500
"""Users of whom one query asks."""

T = TypeVar("T")


def person(connection: sa.Connection, user: User) -> Person:
    """``user`` with his contact information."""
    return people(connection, [user])[0]


def people(connection: sa.Connection, users: Sequence[User]) -> list[Person]:
    """These users with their contact information, in the same order."""
    known: dict[int, Profile] = {}
    im: dict[int, str] = {}
    for start in range(0, len(users), AT_ONCE):
        ids = [user.id for user in users[start : start + AT_ONCE]]
        query = sa.select(profiles.c.user_id, profiles.c.data).where(profiles.c.user_id.in_(ids))
        for row in connection.execute(query):
            known[row.user_id] = read_plain(row.data, Profile)
        own = sa.select(settings.c.user_id, settings.c.value).where(
            settings.c.user_id.in_(ids), settings.c.path == IM_ACCOUNT
        )
        im.update((row.user_id, row.value) for row in connection.execute(own))
    of_groups = _im_of_groups(connection)
    places = branches.every(connection) if any(user.branch for user in users) else {}
    nothing = Profile()
    return [
        Person(
            user,
            known.get(user.id, nothing),
            None if user.branch is None else places.get(user.branch),
            _im_on(user, im, of_groups),
        )
        for user in users
    ]


def _im_on(user: User, own: Mapping[int, str], of_groups: Mapping[str, str]) -> bool:
    """Whether he may use instant messages, by himself or by the lightest group that says so."""
    said = (value for group, value in of_groups.items() if group in user.groups)
    return own.get(user.id, next(said, "0")) == "1"


def _im_of_groups(connection: sa.Connection) -> dict[str, str]:
    """What groups say of instant messages, in the order in which they count."""
    return {
        group.name: group.settings[IM_ACCOUNT]
        for group in user_groups.every(connection)
        if IM_ACCOUNT in group.settings
    }


def of(connection: sa.Connection, user_id: int) -> Profile:
    """What is stored of a user; nothing where nothing is."""
    data = connection.scalar(sa.select(profiles.c.data).where(profiles.c.user_id == user_id))
    return Profile() if data is None else read_plain(data, Profile)


def save(connection: sa.Connection, user_id: int, profile: Profile) -> None:
    """Replace what is stored of a user."""
    connection.execute(sa.delete(profiles).where(profiles.c.user_id == user_id))
    values = {"user_id": user_id, "data": encode(without_defaults(profile))}
    connection.execute(sa.insert(profiles).values(values))


def avatar(connection: sa.Connection, user_id: int) -> bytes | None:
    """The picture of a user, as PNG."""
    return connection.scalar(sa.select(avatars.c.png).where(avatars.c.user_id == user_id))


def save_avatar(connection: sa.Connection, user_id: int, png: bytes) -> None:
    """Replace the picture of a user. Raises NotFound: he is gone."""
    if connection.scalar(sa.select(users.c.id).where(users.c.id == user_id)) is None:
        raise NotFound("there is no such user any more")
    connection.execute(sa.delete(avatars).where(avatars.c.user_id == user_id))
    connection.execute(sa.insert(avatars).values(user_id=user_id, png=png))


def without_defaults(value: Any) -> dict[str, Any]:
    """The members of an attrs object that are not as by default."""
    plain = {}
    for field in attrs.fields(type(value)):
        given = getattr(value, field.name)
        if given != field.default:
            plain[field.name] = without_defaults(given) if attrs.has(type(given)) else given
    return plain


def read_plain(text: str, kind: type[T]) -> T:
    """The object of which ``without_defaults`` made the JSON in ``text``."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return msgspec.convert(decode(text), kind)
