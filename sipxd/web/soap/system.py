"""SystemService, and TestService in test mode (contract 11.4)."""

from __future__ import annotations

from typing import Any

import attrs

from sipxd.errors import Forbidden
from sipxd.service.permissions import Permissions
from sipxd.service.telephones import Telephones
from sipxd.web.services import Accounts, CallGroups, Configured, ParkOrbits
from sipxd.web.soap.endpoint import Handlers
from sipxd.web.soap.values import Values


@attrs.frozen
class SystemService:
    """What there is to know of the domain."""

    config: Configured

    def handlers(self) -> Handlers:
        """By their names."""
        return {"systemInfo": self.info}

    async def info(self, request: Values) -> dict[str, Any]:
        """The domain, which has no other names here."""
        config = self.config
        return {"domain": {"name": config.domain, "realm": config.realm_or_domain, "aliases": ()}}


@attrs.frozen
class TestService:
    """Deletes all there is of something. For test systems alone: ``[web] soap_test_service``."""

    enabled: bool
    accounts: Accounts
    groups: CallGroups
    orbits: ParkOrbits
    permissions: Permissions
    telephones: Telephones

    def handlers(self) -> Handlers:
        """By their names."""
        return {"resetServices": self.reset}

    async def reset(self, request: Values) -> None:
        """Delete what is said; superadmin stays as he is, whatever is said."""
        if not self.enabled:
            raise Forbidden("TestService is for test systems: switch on [web] soap_test_service")
        if request["callGroup"] or request["user"]:
            for group in self.groups.all():
                await self.groups.delete(group.id)
        if request["parkOrbit"]:
            await self.orbits.delete([orbit.id for orbit in self.orbits.all()])
        if request["phone"]:
            for telephone in await self.telephones.all():
                await self.telephones.delete(telephone.id)
        if request["permission"]:
            for permission in await self.permissions.all():
                if not permission.built_in:
                    await self.permissions.delete(permission.name)
        if request["user"]:
            for user in self.accounts.all():
                try:
                    await self.accounts.delete(user)
                except Forbidden:
                    continue  # superadmin
