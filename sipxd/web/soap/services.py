"""The table of the SOAP services."""

from __future__ import annotations

from collections.abc import Mapping

from klein import Klein

from sipxd.web.auth import Authenticator
from sipxd.web.services import Services
from sipxd.web.soap import call_groups, users
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
    nothing: Mapping[str, str] = {}
    for name, service, elements in (
        ("UserService", UserService(accounts, services.branches), users.ELEMENTS),
        ("PermissionService", PermissionService(permissions), nothing),
        ("CallGroupService", CallGroupService(accounts, groups), call_groups.ELEMENTS),
        ("ParkOrbitService", ParkOrbitService(orbits), nothing),
        ("PhoneService", PhoneService(telephones, accounts, services.lines), nothing),
        ("SystemService", SystemService(config), nothing),
        ("TestService", test, nothing),
    ):
        endpoints.add(name, service.handlers(), elements)
