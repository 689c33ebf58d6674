"""The dial policy: whether a user may have a number called. A pure function of directory types.

Two questions guard every door.  `DialPolicy.check` asks about the number as it was dialled, before
anybody looks where it leads; `DialPolicy.check_outside` about a call that is to leave the house.
Whatever rings somebody (click-to-call, phones, transfers, redirects, forwards) finds its
destination by `sipxd.service.destinations.Destinations.find`, which asks both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

from sipxd.call.numbers import Number
from sipxd.directory.permission import INTERNATIONAL, SIP_ADDRESS
from sipxd.directory.user import User
from sipxd.errors import Forbidden

OUTSIDE = 0
"""The id of a caller who is no user: a call that came in through a gateway."""
HOUSE = -1
"""The id of the house itself, for which a hunt group calls on: its administrator has chosen so."""


def outsider(number: str, display: str = "") -> User:
    """A caller from outside. He reaches the users of the house, and nothing behind it."""
    return User(OUTSIDE, number, last_name=display)


def house(name: str) -> User:
    """The house itself, calling on for its hunt group ``name``: nobody has to permit that."""
    return User(HOUSE, name)


@attrs.frozen
class DialPolicy:
    """The rules of one domain.

    ``emergency`` are the numbers that only a phone itself may dial.  Numbers that begin like one of
    ``international`` are abroad, unless they begin like one of ``home`` too; nobody may call those
    that begin like one of ``forbidden``.  Where ``+`` and ``00`` both lead abroad, ``+49`` and
    ``0049`` are the same.
    """

    domain: str
    emergency: Collection[str] = ()
    international: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()

    def is_local(self, number: Number) -> bool:
        """Whether the number is one of our own domain."""
        return number.host in (None, self.domain)

    def is_emergency(self, number: Number) -> bool:
        """Whether somebody calls for help."""
        return number.user in self.emergency and self.is_local(number)

    def check(self, user: User, number: Number, *, from_phone: bool = False) -> None:
        """Raise Forbidden where ``user`` may not have ``number`` called, wherever it leads.

        ``from_phone``: the number was dialled on a phone, and is neither somebody's wish over an
        API nor the target of a transfer or a redirect.
        """
        if self.is_emergency(number) and not from_phone:
            raise _for_phones_only(number.user)
        if not self.is_local(number):
            self._check_outsider(user, number)
            if not _may(user, SIP_ADDRESS):
                raise _missing(user, f"addresses outside of {self.domain}", SIP_ADDRESS)

    def check_outside(
        self,
        user: User,
        number: Number,
        forms: Iterable[str],
        *,
        permission: str = "",
        from_phone: bool = False,
    ) -> None:
        """Raise Forbidden where ``user`` may not call a number that is nobody's here.

        ``forms`` are the number as it is sent: no rewriting may hide a forbidden number, or one
        that calls for help.
        ``permission`` is what the route asks for.  Calls for help from a phone always pass.
        """
        if from_phone and self.is_emergency(number):
            return
        self._check_outsider(user, number)
        if permission and not _may(user, permission):
            raise _missing(user, number, permission)
        for form in forms:
            if form in self.emergency and not from_phone:
                raise _for_phones_only(form)
            if any(self._begins(form, prefix) for prefix in self.forbidden):
                raise Forbidden(f"{number} may not be called by anybody.", field="number")
            abroad = self._country(form) is not None and not any(
                self._begins(form, prefix) for prefix in self.home
            )
            if abroad and not _may(user, INTERNATIONAL):
                raise _missing(user, f"{number}, which is abroad", INTERNATIONAL)

    def _begins(self, form: str, prefix: str) -> bool:
        """Whether a number begins like ``prefix``, whichever way abroad is dialled."""
        country, wanted = self._country(form), self._country(prefix)
        if country is None or wanted is None:
            return form.startswith(prefix)
        return country.startswith(wanted)

    def _country(self, form: str) -> str | None:
        """What stands behind the prefix of an international number; None where it is none."""
        prefixes = [prefix for prefix in self.international if form.startswith(prefix)]
        return form[len(max(prefixes, key=len)) :] if prefixes else None

    def _check_outsider(self, user: User, number: Number) -> None:
        if user.id == OUTSIDE:
            raise Forbidden(f"A call from outside cannot go on to {number}.", field="number")


def _may(user: User, permission: str) -> bool:
    return user.id == HOUSE or permission in user.permissions


def _for_phones_only(emergency: str) -> Forbidden:
    return Forbidden(
        f"{emergency} is an emergency number: dial it on the phone itself, so that the call comes "
        "from where you are.",
        field="number",
    )


def _missing(user: User, what: object, permission: str) -> Forbidden:
    return Forbidden(
        f"{user.name} may not call {what}; an administrator can grant the permission {permission}.",
        field="number",
    )
