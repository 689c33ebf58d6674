"""Phonebooks: shared ones, that groups of users see, and one of each user's own (contract 3.5)."""

from __future__ import annotations

import attrs

from sipxd.directory.profile import NOTHING, Contact, Person

OF_A_USER = -1
"""The id of all entries that are made from users."""
PRIVATE = "privatePhonebook_"
"""What the name of a private phonebook begins with; the id of its owner follows."""


@attrs.frozen
class Phonebook:
    """A phonebook; its name is unique. One with an owner is private."""

    id: int
    name: str
    description: str = ""
    members: tuple[str, ...] = ()
    """The groups whose users are in it."""
    consumers: tuple[str, ...] = ()
    """The groups whose users see it."""
    owner_id: int | None = None
    show_on_phone: bool = True
    """Whether it is loaded into telephones."""


@attrs.frozen
class Entry:
    """One person, or one number of a person."""

    id: int
    first_name: str
    last_name: str
    number: str
    contact: Contact = NOTHING
    internal_id: str = ""
    """What a client calls it; empty: nothing."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two entries of a shared phonebook one."""
        return self.number, self.first_name, self.last_name

    @property
    def place(self) -> str:
        """What entries are ordered by."""
        return f"{self.number}{self.first_name}{self.last_name}"


def private_name(user_id: int) -> str:
    """The name of a user's own phonebook."""
    return f"{PRIVATE}{user_id}"


def folded(text: str) -> str:
    """``text`` as searches compare it."""
    return text.casefold()


def entry_of(person: Person) -> Entry:
    """The entry that is made from a user."""
    user = person.user
    return Entry(OF_A_USER, user.first_name, user.last_name, user.name, person.contact)
