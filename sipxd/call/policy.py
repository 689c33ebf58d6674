"""The dial policy: whether a user may have a number called. A pure function of directory types."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from sipxd.call.numbers import Number
from sipxd.directory.user import User
from sipxd.errors import Forbidden

SIP_ADDRESS = "sip-address"
"""Permission to call SIP addresses of foreign domains."""


@attrs.frozen
class DialPolicy:
    """The rules of one domain. ``emergency`` are the numbers that only a phone itself may dial."""

    domain: str
    emergency: Collection[str]

    def is_local(self, number: Number) -> bool:
        """Whether the number is one of our own domain."""
        return number.host in (None, self.domain)

    def check(self, user: User, number: Number) -> None:
        """Raise Forbidden where ``user`` may not have ``number`` called for him by an API."""
        if number.user in self.emergency and self.is_local(number):
            raise Forbidden(
                f"{number.user} is an emergency number: dial it on the phone itself, so that the "
                "call comes from where you are.",
                field="number",
            )
        if not self.is_local(number) and SIP_ADDRESS not in user.permissions:
            raise Forbidden(
                f"{user.name} may not call addresses outside of {self.domain}; an administrator "
                f"can grant the permission {SIP_ADDRESS}.",
                field="number",
            )
