"""``/my/contact-information`` (contract 3.11), and the pictures at ``/avatar/{user}`` (3.18)."""

from __future__ import annotations

from typing import Any

import attrs
from klein import Klein
from twisted.web.server import Request

from sipxd.directory.profile import NOWHERE, Person, Profile
from sipxd.directory.user import User
from sipxd.errors import BadInput, Forbidden, NotFound
from sipxd.service.profiles import Profiles
from sipxd.web.auth import Authenticator, shield
from sipxd.web.document import Node
from sipxd.web.negotiate import (
    JSON,
    XML,
    choose,
    empty_answer,
    read_document,
    write_document,
)
from sipxd.web.problems import answer
from sipxd.web.rest.phonebook_documents import (
    CONTACT,
    address_document,
    contact_document,
    read_contact,
    wire_name,
)
from sipxd.web.rest.phonebooks import refuse_forged
from sipxd.web.services import Accounts
from sipxd.web.upload import only_file

PATH = "/sipxconfig/rest/my/contact-information"
AVATAR = "/sipxconfig/rest/avatar"
PNG = b"image/png"

_LAST_TIME = 10**15
_TEXTS = {
    "auth_account_name": "authAccountName",
    "twitter_name": "twiterName",  # sic
    **{
        name: wire_name(name)
        for name in ("linkedin_name", "facebook_name", "xing_name", "custom1", "custom2", "custom3")
    },
}
"""What a user sets himself, beside what phonebooks tell of him."""
_OF_ACCOUNT = {"first_name": "firstName", "last_name": "lastName", "email": "emailAddress"}


def add_contact_information_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, profiles: Profiles
) -> None:
    """Add the document and the pictures."""

    @app.route(PATH, methods=["GET"])
    async def get_contact_information(request: Request) -> bytes:
        user = await authenticator.user(request)
        form = choose(request, XML, JSON)
        person = await shield(profiles.of(user))
        return answer(request, 200, write_document(form, CONTACT, person_document(person)), form)

    @app.route(PATH, methods=["PUT"])
    async def put_contact_information(request: Request) -> bytes:
        user = await authenticator.user(request)
        document = read_document(request, CONTACT, ())
        profile = _read_profile(document)
        names = document.text("firstName"), document.text("lastName")
        email = profile.contact.email_address
        try:
            await shield(profiles.change(user, *names, email, profile))
        except BadInput as error:
            if error.field not in _OF_ACCOUNT:
                raise
            path = document.path_to(_OF_ACCOUNT[error.field])
            detail = error.detail.removeprefix(error.field)
            raise BadInput(f"{path}{detail}.", field=path) from None
        return empty_answer(request, 200)

    @app.route(AVATAR + "/<name>", methods=["GET"])
    async def get_avatar(request: Request, name: str) -> bytes:
        choose(request, PNG)
        user = accounts.find(name)
        png = None if user is None else await shield(profiles.avatar(user))
        if png is None:
            raise NotFound("There is no picture of such a user.")
        return answer(request, 200, png, PNG)

    @app.route(AVATAR + "/<name>", methods=["POST"])
    async def post_avatar(request: Request, name: str) -> bytes:
        asking = await authenticator.user(request)
        refuse_forged(request)
        await shield(profiles.set_avatar(_pictured(asking, name), only_file(request)))
        return empty_answer(request, 200)

    def _pictured(asking: User, name: str) -> User:
        if name in (asking.name, *asking.aliases):
            return asking
        if not asking.admin:
            raise Forbidden("This is for the user himself, and for administrators.")
        user = accounts.find(name)
        if user is None:
            raise NotFound("There is no such user.")
        return user


def person_document(person: Person) -> dict[str, Any]:
    """All contact information of a user, members in sipXcom's order."""
    user, profile, contact = person.user, person.profile, person.contact
    told = contact_document(contact)
    avatar = told.pop("avatar")
    addresses = {
        wire: address_document(getattr(contact, name))
        for name, wire in (
            ("home_address", "homeAddress"),
            ("office_address", "officeAddress"),
            ("branch_address", "branchAddress"),
        )
    }
    return {
        "authAccountName": profile.auth_account_name or None,
        **told,
        **addresses,
        "imId": contact.im_id,  # empty while instant messages are off
        "useBranchAddress": profile.use_branch_address,
        "branchName": None if person.branch is None else person.branch.name,
        "manager": profile.manager or None,
        "salutation": profile.salutation,
        "employeeId": profile.employee_id or None,
        "twiterName": profile.twitter_name or None,
        "linkedinName": profile.linkedin_name or None,
        "facebookName": profile.facebook_name or None,
        "xingName": profile.xing_name or None,
        "timestamp": profile.timestamp,
        "avatar": avatar,
        "enabled": user.enabled,
        "ldapManaged": profile.ldap_managed,
        "lastImportedDate": profile.last_imported or None,
        "disabledDate": profile.disabled or None,
        "custom1": profile.custom1 or None,
        "custom2": profile.custom2 or None,
        "custom3": profile.custom3 or None,
        "firstName": user.first_name or None,
        "lastName": user.last_name or None,
    }


def _read_profile(document: Node) -> Profile:
    contact = read_contact(document)
    texts: dict[str, Any] = {name: document.text(wire) for name, wire in _TEXTS.items()}
    return Profile(
        contact=attrs.evolve(contact, branch_address=NOWHERE),
        use_branch_address=document.flag("useBranchAddress", False),
        timestamp=document.number("timestamp", 0, 0, _LAST_TIME),
        **texts,
    )
