"""The memory of phones."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.call.phones import Refusal, Refusing
from sipxd.errors import StoreFailed
from sipxd.service.phones import Phones
from sipxd.store import phones as stored
from sipxd.testing.office import Office


def fresh(office: Office) -> Phones:
    """The memory as a daemon has it that has just started."""
    store: Any = office.store
    phones = Phones(store, office.time)
    office.now(phones.load())
    return phones


def test_a_refusal_is_known_at_once_and_after_a_restart() -> None:
    office = Office()
    phones = fresh(office)
    phones.note("snom", Refusal.REFER)
    phones.note("snom", Refusal.REFER)
    for memory in (phones, fresh(office)):
        assert memory.refuses("snom", Refusal.REFER)
        assert not memory.refuses("snom", Refusal.OFFERLESS)
        assert memory.all() == [Refusing("snom", Refusal.REFER, office.time())]


def test_phones_without_a_name_are_not_remembered() -> None:
    phones = fresh(Office())
    phones.note("", Refusal.REFER)
    assert not phones.refuses("", Refusal.REFER)


def test_what_is_cleared_is_asked_again() -> None:
    office = Office()
    phones = fresh(office)
    for agent in ("snom", "yealink"):
        phones.note(agent, Refusal.OFFERLESS)
    assert office.now(phones.clear("snom")) == 1
    for memory in (phones, fresh(office)):
        assert [each.user_agent for each in memory.all()] == ["yealink"]
    assert office.now(phones.clear(None)) == 1
    assert fresh(office).all() == phones.all() == []


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAXIMUM", 2)
    office = Office()
    phones = fresh(office)
    for number in range(4):
        phones.note(f"phone {number}", Refusal.REFER)
        office.run(1)
    for memory in (phones, fresh(office)):
        assert [each.user_agent for each in memory.all()] == ["phone 2", "phone 3"]


def test_a_refusal_that_cannot_be_stored_is_known_until_the_restart() -> None:
    office = Office()
    phones = fresh(office)
    office.store.failing = StoreFailed("full")
    phones.note("snom", Refusal.REFER)
    assert phones.refuses("snom", Refusal.REFER)
    office.store.failing = None
    assert fresh(office).all() == []
