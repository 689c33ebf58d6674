"""Who sees which entries of phonebooks, held against a slow model."""

from __future__ import annotations

import random
from typing import Any

import attrs

from sipxd.directory.phonebook import OF_A_USER, Entry, Phonebook
from sipxd.directory.user import User
from sipxd.service.phonebooks import Phonebooks
from sipxd.service.private_phonebooks import PrivatePhonebooks
from sipxd.testing.office import Office

NAMES = ("Ada", "ada", "Ben", "Zoë", "ZOË", "Straße", "STRASSE", "_", "%", "1")
GROUPS = ("sales", "support", "night")


class House:
    """Three users, two shared phonebooks, and entries that are alike in part."""

    def __init__(self, chance: random.Random, *, everyone: bool) -> None:
        self.office = Office()
        store: Any = self.office.store
        self.phonebooks = Phonebooks(store, self.office.accounts, everyone=everyone)
        self.private = PrivatePhonebooks(store)
        self.everyone = everyone
        self.own: dict[str, list[Entry]] = {}
        self.shared: list[tuple[Phonebook, list[Entry]]] = []

        def some_groups() -> tuple[str, ...]:
            return tuple(chance.sample(GROUPS, chance.randint(0, 2)))

        def some_entries() -> list[Entry]:
            return [
                Entry(0, chance.choice(NAMES), chance.choice(NAMES), str(chance.randint(200, 205)))
                for _ in range(chance.randint(0, 6))
            ]

        now = self.office.now
        for name in ("200", "201", "202"):
            self.office.add_user(name)
            self.office.change_user(
                name,
                first_name=chance.choice(NAMES),
                last_name=chance.choice(NAMES),
                groups=some_groups(),
                enabled=chance.random() < 0.8,
            )
            self.own[name] = some_entries()
            now(self.private.append(self.office.users[name], lambda n=name: self.own[n]))
        for name in ("a", "b"):
            new = Phonebook(0, name, members=some_groups(), consumers=some_groups())
            book, found = now(self.phonebooks.add(new)), some_entries()
            now(self.phonebooks.import_entries(book.id, lambda f=found: f, replace=True))
            self.shared.append((book, found))

    def expected(self, user: User, begins: str) -> list[tuple[bool, tuple[str, str, str]]]:
        """Whether each is made of a user, and its number and names."""
        start = begins.casefold()

        def has(*texts: str) -> bool:
            return any(text.casefold().startswith(start) for text in texts)

        books = [book for book in self.shared if set(book[0].consumers) & set(user.groups)]
        groups = {group for book, _ in books for group in book.members}
        told = [(False, entry.key) for entry in self.own[user.name] if has(*entry.key)]
        rest = [(False, each.key) for _, found in books for each in found if has(*each.key)]
        for other in self.office.accounts.all():
            seen = groups & set(other.groups) or (self.everyone and other.id != user.id)
            if other.enabled and seen and has(other.name, other.first_name, other.last_name):
                rest.append((True, (other.name, other.first_name, other.last_name)))
        known = {key for _, key in told}
        for each in rest:
            if each[1] not in known:
                known.add(each[1])
                told.append(each)
        return sorted(told, key=lambda each: "".join(each[1]))


def keys(entries: list[Entry]) -> list[tuple[bool, tuple[str, str, str]]]:
    """What `House.expected` gives."""
    return [(entry.id == OF_A_USER, entry.key) for entry in entries]


def test_everybody_sees_what_the_model_says() -> None:
    chance = random.Random(1)
    for _ in range(12):
        house = House(chance, everyone=chance.random() < 0.5)
        now = house.office.now
        for user in house.office.users.values():
            wanted = house.expected(user, "")
            assert keys(now(house.phonebooks.visible(user, list))) == wanted
            for begins in ("a", "STR", "zo", "20", "_", "201", "ß"):
                found = keys(now(house.phonebooks.search(user, begins, list)))
                assert found == house.expected(user, begins), begins
            start, end = chance.randint(0, 5), chance.randint(0, 9)
            page = now(house.phonebooks.page(user, start, end, "", lambda page: page))
            assert keys(page.entries) == wanted[start:end]
            assert (page.size, page.filtered_size) == (len(wanted), len(wanted))
            part = now(house.phonebooks.page(user, 0, 99, "D", lambda page: page))
            assert keys(part.entries) == [
                each for each in wanted if any("d" in text.casefold() for text in each[1])
            ]


def test_the_account_of_the_administrator_is_in_no_phonebook() -> None:
    house = House(random.Random(2), everyone=True)
    new = attrs.evolve(house.office.add_user("superadmin"))
    for user in house.office.users.values():
        seen = house.office.now(house.phonebooks.visible(user, list))
        assert new.name not in [entry.number for entry in seen]
