"""Contact information: what is known of a person beside his name and number (contract 3.11)."""

from __future__ import annotations

import attrs

from sipxd.directory.branch import Address, Branch
from sipxd.directory.user import User

NOWHERE = Address()


@attrs.frozen
class Contact:
    """What phonebooks tell of a person; what is not known is empty."""

    job_title: str = ""
    job_dept: str = ""
    company_name: str = ""
    assistant_name: str = ""
    location: str = ""
    home_address: Address = NOWHERE
    office_address: Address = NOWHERE
    branch_address: Address = NOWHERE
    cell_phone_number: str = ""
    home_phone_number: str = ""
    assistant_phone_number: str = ""
    fax_number: str = ""
    did_number: str = ""
    im_id: str = ""
    im_display_name: str = ""
    alternate_im_id: str = ""
    email_address: str = ""
    alternate_email_address: str = ""
    avatar: str = ""
    """Where a picture is."""


NOTHING = Contact()
ADDRESSES = ("home_address", "office_address", "branch_address")
TEXTS = tuple(field.name for field in attrs.fields(Contact) if field.name not in ADDRESSES)


@attrs.frozen
class Profile:
    """The contact information of a user, but his name, his e-mail address and his branch.

    These are the account's: ``contact.email_address`` and ``contact.branch_address`` are empty
    where a profile is stored.
    """

    contact: Contact = NOTHING
    auth_account_name: str = ""
    use_branch_address: bool = False
    manager: str = ""
    salutation: str = "None"
    employee_id: str = ""
    twitter_name: str = ""
    linkedin_name: str = ""
    facebook_name: str = ""
    xing_name: str = ""
    timestamp: int = 0
    """Milliseconds since the epoch, as a client has set it."""
    ldap_managed: bool = False
    last_imported: str = ""
    disabled: str = ""
    """When he was disabled, as sipXcom writes a date."""
    custom1: str = ""
    custom2: str = ""
    custom3: str = ""

    def replaced_by(self, new: Profile) -> Profile:
        """``new`` with what a user cannot change himself as it is here (contract 3.11)."""
        kept = {name: getattr(self, name) for name in KEPT}
        contact = attrs.evolve(
            new.contact, im_id=self.contact.im_id, email_address="", branch_address=NOWHERE
        )
        return attrs.evolve(new, contact=contact, **kept)


KEPT = ("manager", "salutation", "employee_id", "ldap_managed", "last_imported", "disabled")


@attrs.frozen
class Person:
    """A user with all that phonebooks may tell of him."""

    user: User
    profile: Profile = Profile()
    branch: Branch | None = None
    im_on: bool = False
    """Whether he may use instant messages."""

    @property
    def contact(self) -> Contact:
        """What is told of him, that of his account included."""
        own = self.profile.contact
        return attrs.evolve(
            own,
            email_address=self.user.email,
            branch_address=NOWHERE if self.branch is None else self.branch.address,
            im_id=(own.im_id or self.user.name) if self.im_on else "",
        )
