"""The table of all resources, but those that need no services."""

from __future__ import annotations

from klein import Klein

from sipxd.web.api.absent import add_absent_routes as add_api_absent_routes
from sipxd.web.api.cdrs import add_cdrs_routes as add_api_cdrs_routes
from sipxd.web.api.orbits import add_orbits_routes
from sipxd.web.api.phones import add_phones_routes
from sipxd.web.api.registrations import add_registrations_routes
from sipxd.web.api.schedules import add_schedules_routes as add_api_schedules_routes
from sipxd.web.api.user_groups import add_user_groups_routes
from sipxd.web.api.user_settings import add_group_settings_routes, add_user_settings_routes
from sipxd.web.api.users import Users, add_my_user_routes, add_users_routes
from sipxd.web.auth import Authenticator
from sipxd.web.rest.absent import add_absent_routes
from sipxd.web.rest.attendants import add_attendant_routes
from sipxd.web.rest.branches import add_branch_routes
from sipxd.web.rest.call import add_call_routes
from sipxd.web.rest.call_controller import add_call_controller_routes
from sipxd.web.rest.callfwd import add_callfwd_routes
from sipxd.web.rest.conferences import add_conferences_routes
from sipxd.web.rest.contact_information import add_contact_information_routes
from sipxd.web.rest.diagnose import add_cdr_routes, add_diagnose_routes
from sipxd.web.rest.forward import add_forward_routes
from sipxd.web.rest.passwords import add_password_routes
from sipxd.web.rest.permissions import (
    add_permission_routes,
    add_user_group_permission_routes,
    add_user_permission_routes,
)
from sipxd.web.rest.phonebook_entries import add_phonebook_entry_routes
from sipxd.web.rest.phonebooks import add_phonebook_routes
from sipxd.web.rest.phones import add_phone_routes
from sipxd.web.rest.preferences import add_preferences_routes
from sipxd.web.rest.speed_dial import add_speed_dial_routes
from sipxd.web.rest.user_groups import add_user_group_routes
from sipxd.web.rest.users import add_user_routes
from sipxd.web.services import Services
from sipxd.web.soap.services import add_soap_services
from sipxd.web.v1.calls import add_calls_routes
from sipxd.web.v1.conferences import add_conferences_routes as add_v1_conferences_routes
from sipxd.web.v1.forwarding import add_forwarding_routes
from sipxd.web.v1.groups import add_groups_routes
from sipxd.web.v1.phonebooks import add_phonebooks_routes
from sipxd.web.v1.rehearsal import add_rehearsal_routes
from sipxd.web.v1.schedules import add_schedules_routes
from sipxd.web.v1.speed_dial import add_group_speed_dial_routes
from sipxd.web.v1.tokens import add_tokens_routes

REDIRECT = "/sipxconfig/rest/my/redirect"


def add_routes(app: Klein, authenticator: Authenticator, services: Services) -> None:
    """Add every resource."""
    config, accounts, calls = services.config, services.accounts, services.calls
    forwardings = services.forwardings
    add_call_routes(app, authenticator, calls)
    add_diagnose_routes(app, authenticator, accounts, services.call_log)
    add_cdr_routes(app, authenticator, services.call_log, REDIRECT)
    add_call_controller_routes(app, authenticator, services.call_controller, REDIRECT)
    add_forward_routes(app, authenticator, forwardings)
    add_callfwd_routes(app, authenticator, forwardings)
    private = services.private_phonebooks
    add_phonebook_routes(app, authenticator, services.phonebooks, private, config.domain)
    add_phonebook_entry_routes(
        app, authenticator, accounts, private, config.phonebook.duplicate_status
    )
    add_contact_information_routes(app, authenticator, accounts, services.profiles)
    add_conferences_routes(app, authenticator, services.conferences)
    add_preferences_routes(app, authenticator, services.settings)
    add_speed_dial_routes(app, authenticator, services.settings)
    add_password_routes(app, authenticator, accounts)
    groups, branches, permissions = services.user_groups, services.branches, services.permissions
    add_user_routes(app, authenticator, accounts, groups)
    add_user_group_routes(app, authenticator, groups, branches)
    add_branch_routes(app, authenticator, branches)
    add_permission_routes(app, authenticator, permissions)
    add_user_permission_routes(app, authenticator, accounts, permissions)
    add_user_group_permission_routes(app, authenticator, groups, permissions)
    add_phone_routes(app, authenticator, services.telephones)
    add_attendant_routes(app, authenticator, services.attendants)
    add_calls_routes(app, authenticator, accounts, calls)
    add_forwarding_routes(app, authenticator, accounts, forwardings)
    add_rehearsal_routes(app, authenticator, accounts, services.rehearsals)
    add_schedules_routes(app, authenticator, accounts, forwardings)
    add_tokens_routes(app, authenticator, services.tokens)
    add_groups_routes(app, authenticator, services.call_groups)
    add_group_speed_dial_routes(app, authenticator, services.settings)
    add_v1_conferences_routes(app, authenticator, accounts, services.conferences)
    add_phonebooks_routes(app, authenticator, services.phonebooks)
    add_api_schedules_routes(app, authenticator, accounts, forwardings)
    add_registrations_routes(app, authenticator, accounts, services.registrations, config.domain)
    add_orbits_routes(app, authenticator, services.park_orbits, config.domain)
    add_api_cdrs_routes(app, authenticator, accounts, services.call_log)
    add_phones_routes(app, authenticator, accounts, services.telephones, services.lines)
    users = Users(accounts, services.profiles, groups, branches)
    add_users_routes(app, authenticator, users)
    add_my_user_routes(app, authenticator, users)
    add_user_groups_routes(app, authenticator, accounts, groups)
    values = services.setting_values
    add_user_settings_routes(app, authenticator, accounts, values)
    add_group_settings_routes(app, authenticator, groups, values)
    add_soap_services(app, authenticator, services)
    add_api_absent_routes(app, authenticator)
    add_absent_routes(app, authenticator)
