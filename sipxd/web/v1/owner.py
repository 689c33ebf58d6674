"""Whose resources a path below ``/v1/users/`` means."""

from __future__ import annotations

from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.web.services import Accounts

ME = "me"
"""Who asks."""


def find_owner(accounts: Accounts, asking: User, name: str) -> User:
    """The user with that name; somebody else only for an administrator.

    For others he is not there, so that names cannot be probed. Raises NotFound.
    """
    if name in (ME, asking.name, *asking.aliases):
        return asking
    other = accounts.find(name) if asking.admin else None
    if other is None:
        raise NotFound("There is no user with this name.")
    return other
