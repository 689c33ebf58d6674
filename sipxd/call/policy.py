"""The dial policy: whether a user may call a number at all. A pure function of directory types."""

from __future__ import annotations

from collections.abc import Collection

from sipxd.call.numbers import Number
from sipxd.directory.user import User
from sipxd.errors import Forbidden

SIP_ADDRESS = "sip-address"
"""Permission to call SIP addresses of foreign domains."""


def check(user: User, number: Number, *, domain: str, emergency: Collection[str]) -> None:
    """Raise Forbidden where ``user`` may not have ``number`` called for him by an API."""
    if number.user in emergency and number.host in (None, domain):
        raise Forbidden(
            f"{number.user} is an emergency number: dial it on the phone itself, so that the call "
            "comes from where you are.",
            field="number",
        )
    if number.host not in (None, domain) and SIP_ADDRESS not in user.permissions:
        raise Forbidden(
            f"{user.name} may not call addresses outside of {domain}; an administrator can grant "
            f"the permission {SIP_ADDRESS}.",
            field="number",
        )
