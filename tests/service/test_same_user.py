"""Who was looked up is the one who is changed, whoever has got his name meanwhile."""

from __future__ import annotations

import pytest

from sipxd.directory.user import User
from sipxd.errors import NotFound
from sipxd.service.account_requests import UserChange
from sipxd.testing.office import Office


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def ann(office: Office) -> User:
    """Ann as she was looked up when she was still called 200, as somebody else is by now."""
    ann = office.add_user("200", "Ann")
    office.now(office.accounts.change("200", UserChange(name="300")))
    office.add_user("200", "Bob")
    return ann


def test_a_change_is_that_of_the_user_who_was_looked_up(office: Office, ann: User) -> None:
    changed = office.now(office.accounts.change(ann, UserChange(last_name="Ek")))
    assert (changed.id, changed.name, changed.last_name) == (ann.id, "300", "Ek")
    assert office.accounts.find("200").last_name == ""
    assert office.now(office.accounts.change("200", UserChange(last_name="Ray"))).id != ann.id


def test_the_user_who_was_looked_up_is_deleted_and_nobody_else(office: Office, ann: User) -> None:
    assert office.now(office.accounts.delete(ann)).name == "300"
    assert office.accounts.find("200").first_name == "Bob"
    for work in (office.accounts.delete(ann), office.accounts.change(ann, UserChange())):
        with pytest.raises(NotFound):
            office.now(work)
    assert [user.first_name for user in office.accounts.all()] == ["Bob"]
