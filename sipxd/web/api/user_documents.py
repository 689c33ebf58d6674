"""A user with everything of his, as ``/sipxconfig/api`` tells and takes him (8.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from sipxd.directory.profile import ADDRESSES, NOWHERE, Person, Profile
from sipxd.directory.user_group import UserGroup
from sipxd.errors import BadInput
from sipxd.service.account_requests import MAX_ALIASES, MAX_GROUPS, NewUser
from sipxd.web.document import Node
from sipxd.web.negotiate import JSON
from sipxd.web.rest.contact_information import person_document
from sipxd.web.rest.phonebook_documents import ADDRESS_NAMES, CONTACT_NAMES, wire_name
from sipxd.xml import Items

MEMBERS = (
    "id",
    "userName",
    "lastName",
    "firstName",
    "aliases",
    "Aliases",
    "sipPassword",
    "pintoken",
    "voicemailPin",
    "branchName",
    "userProfile",
    "notified",
    "groups",
    "Groups",
)
_TEXTS = {
    "auth_account_name": "authAccountName",
    "twitter_name": "twiterName",  # sic
    **{
        name: wire_name(name)
        for name in (
            "manager",
            "salutation",
            "employee_id",
            "linkedin_name",
            "facebook_name",
            "xing_name",
            "custom1",
            "custom2",
            "custom3",
        )
    },
}
"""What an administrator sets of contact information, beside what phonebooks tell of a user."""
_ADDRESSES = [wire_name(name) for name in ADDRESSES]
_ADDRESS_IN_JSON = ("country", "street", "city", "zip", "officeDesignation", "state")


# -- out ------------------------------------------------------------------------------------------


def user_document(person: Person, form: bytes, groups: Mapping[str, UserGroup]) -> dict[str, Any]:
    """A user; of his secrets nothing is told."""
    user = person.user
    own = [groups[name] for name in user.groups if name in groups]
    own.sort(key=lambda group: (group.weight, group.id))
    aliases = Items("Alias", list(user.aliases))
    members = Items("Group", [group_document(group) for group in own])
    return {
        "id": user.id,
        "userName": user.name,
        "lastName": user.last_name or None,
        "firstName": user.first_name or None,
        "aliases" if form == JSON else "Aliases": aliases,
        "sipPassword": None,
        "pintoken": None,
        "voicemailPin": None,
        "branchName": None if person.branch is None else person.branch.name,
        "userProfile": _profile_document(person, form),
        "notified": False,
        "groups" if form == JSON else "Groups": members,
    }


def group_document(group: UserGroup, count: int | None = None) -> dict[str, Any]:
    """A user group; ``count`` is that of its members."""
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description or None,
        "weight": group.weight,
        "count": count,
    }


def _profile_document(person: Person, form: bytes) -> dict[str, Any]:
    told = person_document(person)
    if form == JSON:
        for name in _ADDRESSES:
            told[name] = {member: told[name][member] for member in _ADDRESS_IN_JSON}
    names = {"firstName": told.pop("firstName"), "lastName": told.pop("lastName")}
    document = {
        "userName": person.user.name,
        "authAccountName": told.pop("authAccountName"),
        **names,
    }
    for name, value in told.items():
        document[name] = value
        if name == "alternateEmailAddress":
            document["emailAddressAliasesSet"] = Items("emailAddressAlias", [])
            document["emailAddressAliases"] = None
        elif name == "avatar":
            document["extAvatar"] = None
            document["useExtAvatar"] = False
    return document | {"userId": str(person.user.id), "salutationId": None}


# -- in -------------------------------------------------------------------------------------------


@attrs.frozen
class Given:
    """What a document says of a user; what it does not say is None."""

    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    enabled: bool | None
    aliases: tuple[str, ...] | None
    groups: tuple[str, ...]
    branch_name: str | None
    change_profile: Callable[[Profile], Profile]
    pin: str | None = attrs.field(repr=False)
    sip_password: str | None = attrs.field(repr=False)
    voicemail_pin: str | None = attrs.field(repr=False)

    def changes(self) -> dict[str, Any]:
        """What accounts are given of it, groups and branch excepted."""
        fields = ("name", "first_name", "last_name", "email", "enabled", "aliases", "pin")
        given = {field: getattr(self, field) for field in (*fields, "sip_password")}
        return {field: value for field, value in given.items() if value is not None}


def read_user(document: Node) -> Given:
    """What a document says of a user. Raises BadInput."""
    profile = document.member("userProfile")
    aliases = _list(document, "aliases", "Alias", MAX_ALIASES)
    groups = _list(document, "groups", "Group", MAX_GROUPS) or []

    def of_person(name: str) -> str | None:
        """The names of a user stand in both; those outside count first."""
        text = _text(document, name)
        return text if text is not None or profile is None else _text(profile, name)

    return Given(
        name=_secret(document, "userName"),
        first_name=of_person("firstName"),
        last_name=of_person("lastName"),
        email=None if profile is None else _text(profile, "emailAddress"),
        enabled=None if profile is None else _flag(profile, "enabled"),
        aliases=None if aliases is None else tuple(alias.as_text() for alias in aliases),
        groups=tuple(group.needed("name").as_text() for group in groups),
        branch_name=_text(document, "branchName"),
        change_profile=_reader(profile),
        pin=_secret(document, "pintoken"),
        sip_password=_secret(document, "sipPassword"),
        voicemail_pin=_voicemail_pin(document),
    )


def _reader(node: Node | None) -> Callable[[Profile], Profile]:
    """What sets the members of contact information that a document has. Raises BadInput."""
    if node is None:
        return _as_it_is
    texts: dict[str, Any] = {
        name: text for name, wire in _TEXTS.items() if (text := _text(node, wire)) is not None
    }
    contact: dict[str, Any] = {}
    for name, wire in CONTACT_NAMES:
        if name in ("email_address", "branch_address", "im_id", "avatar"):
            continue  # of the account, of the branch, and made of what else there is
        member = node.member(wire)
        if member is None:
            continue
        if name in ADDRESSES:
            parts = {part: member.text(at) for part, at in ADDRESS_NAMES}
            contact[name] = attrs.evolve(NOWHERE, **parts)
        else:
            contact[name] = member.as_text()
    use_branch = _flag(node, "useBranchAddress")

    def change(old: Profile) -> Profile:
        new = attrs.evolve(old, contact=attrs.evolve(old.contact, **contact), **texts)
        return new if use_branch is None else attrs.evolve(new, use_branch_address=use_branch)

    return change


def _as_it_is(profile: Profile) -> Profile:
    return profile


def _list(document: Node, name: str, item: str, most: int) -> list[Node] | None:
    """A list; its name has a capital letter in XML."""
    for each in (name, name.capitalize()):
        if document.member(each) is not None:
            return document.list(each, item, most)
    return None


def _text(node: Node, name: str) -> str | None:
    member = node.member(name)
    return None if member is None else member.as_text()


def _secret(node: Node, name: str) -> str | None:
    """A text that cannot be empty: where it is, it stays as it is."""
    return _text(node, name) or None


def _voicemail_pin(document: Node) -> str | None:
    """Held against the rules here, where its path is known."""
    pin = _secret(document, "voicemailPin")
    try:
        NewUser(name="x", pin=pin)
    except BadInput as error:
        path = document.path_to("voicemailPin")
        raise BadInput(f"{path}{error.detail.removeprefix('pin')}.", field=path) from None
    return pin


def _flag(node: Node, name: str) -> bool | None:
    member = node.member(name)
    if member is None:
        return None
    flag = member.as_flag()
    if flag is None:
        raise BadInput(f"{member.path} must be true or false.", field=member.path)
    return flag
