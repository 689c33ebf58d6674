"""The user: a person with a number, telephones and credentials."""

from __future__ import annotations

import attrs

from sipxd.directory.permission import ADMIN, VOICEMAIL, PermissionRules


@attrs.frozen
class User:
    """A user without his secrets.

    ``name`` is the user name, normally the extension ("200"); ``aliases`` are further numbers or
    names that reach him.  Names and aliases share one name space.
    """

    id: int
    name: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    """What he may do, whoever has granted that."""
    admin: bool = False
    """Whether he has the permission ``superadmin``."""
    enabled: bool = True
    flow: str = ""
    """How his click-to-calls are set up (`sipxd.call.record.ClickFlow`); empty: as configured."""
    voicemail: bool = True
    """Whether he has the permission ``Voicemail``: calls for him may end in a voicemail box, where
    there is one."""
    branch: int | None = None
    """The id of the branch where he works."""
    granted: frozenset[str] = frozenset()
    """The permissions that he himself was granted, whatever his groups say."""
    denied: frozenset[str] = frozenset()
    """The permissions that were taken from him himself."""

    def ruled_by(self, rules: PermissionRules) -> User:
        """The same with the permissions that follow from what is set of him, and ``rules``."""
        return self.allowed(rules.effective(self.granted, self.denied, self.groups))

    def allowed(self, permissions: frozenset[str]) -> User:
        """The same with these permissions."""
        return attrs.evolve(
            self,
            permissions=permissions,
            admin=ADMIN in permissions,
            voicemail=VOICEMAIL in permissions,
        )
