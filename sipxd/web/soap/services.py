"""The table of the SOAP services."""

from __future__ import annotations

from klein import Klein

from sipxd.web.auth import Authenticator
from sipxd.web.services import Services
from sipxd.web.soap.call_groups import CallGroupService, ParkOrbitService
from sipxd.web.soap.endpoint import Endpoints
from sipxd.web.soap.permissions import PermissionService
from sipxd.web.soap.phones import PhoneService
from sipxd.web.soap.system import SystemService, TestService
from sipxd.web.soap.users import UserService


def add_soap_services(app: Klein, authenticator: Authenticator, services: Services) -> None:
    """Add all of them."""
    config, accounts, telephones = services.config, services.accounts, services.telephones
    permissions, orbits, groups = services.permissions, services.park_orbits, services.call_groups
    test = TestService(
        config.web.soap_test_service, accounts, groups, orbits, permissions, telephones
    )
    endpoints = Endpoints(app, authenticator, config.domain)
    for name, service in (
        ("UserService", UserService(accounts, services.branches)),
        ("PermissionService", PermissionService(permissions)),
        ("CallGroupService", CallGroupService(accounts, groups)),
        ("ParkOrbitService", ParkOrbitService(orbits)),
        ("PhoneService", PhoneService(telephones, accounts, services.lines)),
        ("SystemService", SystemService(config)),
        ("TestService", test),
    ):
        endpoints.add(name, service.handlers())
