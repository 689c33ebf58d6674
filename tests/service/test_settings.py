"""Settings of users, on a database in memory."""

from __future__ import annotations

import pytest

from sipxd.directory.speed_dial import Button
from sipxd.errors import BadInput, NotFound, StoreFailed
from sipxd.service.settings import Settings
from sipxd.testing.office import Office

MESSAGE = "im/on-the-phone-message"
GREETING = "voicemail/mailbox/active-greeting"


def an_office() -> tuple[Office, Settings]:
    office = Office()
    office.add_user("200")
    return office, Settings(office.store, office.accounts)


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"im/im-account": "1", "no/such": "1"}, NotFound, "path"),
        ({"im/im-account": "1", MESSAGE: "a\n"}, BadInput, MESSAGE),
        ({"im/im-account": "1", MESSAGE: "a" * 256}, BadInput, MESSAGE),
        ({MESSAGE: "x", "im/im-account": "2"}, BadInput, "im/im-account"),
        ({MESSAGE: "x", GREETING: "x"}, BadInput, GREETING),
    ],
)
def test_values_are_set_all_or_none(values, error, field) -> None:
    office, settings = an_office()
    user = office.users["200"]
    for work in (settings.change(user, values), settings.change_mailbox(user, values, "a@b.org")):
        with pytest.raises(error) as caught:
            office.now(work)
        assert caught.value.field == field
    assert office.now(settings.own(user)) == {}
    assert office.accounts.find("200").email == ""


def test_a_value_that_is_taken_back_is_as_by_default() -> None:
    office, settings = an_office()
    user = office.users["200"]
    office.now(settings.change(user, {MESSAGE: "Busy", "im/im-account": "true"}))
    assert office.now(settings.own(user)) == {MESSAGE: "Busy", "im/im-account": "1"}
    office.now(settings.change(user, {MESSAGE: None}))
    office.now(settings.change(user, {}))
    assert office.now(settings.own(user)) == {"im/im-account": "1"}
    assert office.now(settings.of(user))[MESSAGE] == "On the phone"


def test_addresses_are_set_with_the_values_or_not_at_all() -> None:
    office, settings = an_office()
    user = office.users["200"]
    values = {GREETING: "standard"}
    for bad in ({"email": "nobody"}, {"alternate_email": "nobody"}):
        with pytest.raises(BadInput) as caught:
            office.now(settings.change_mailbox(user, values, **bad))
        assert caught.value.field == next(iter(bad))
    office.store.failing = StoreFailed("the disk is full")
    with pytest.raises(StoreFailed):
        office.now(settings.change_mailbox(user, values, "a@b.org", "c@d.org"))
    office.store.failing = None
    assert office.now(settings.own(user)) == {}
    office.now(settings.change_mailbox(user, values, "a@b.org", "c@d.org"))
    mailbox = office.now(settings.mailbox(office.accounts.find("200")))
    assert (mailbox.email, mailbox.alternate_email) == ("a@b.org", "c@d.org")
    assert mailbox.values[GREETING] == "standard"
    office.now(settings.change_mailbox(user, {}, alternate_email=""))
    mailbox = office.now(settings.mailbox(office.accounts.find("200")))
    assert (mailbox.email, mailbox.alternate_email) == ("a@b.org", "")


@pytest.mark.parametrize(
    ("buttons", "field"),
    [
        ([Button("", "1")] * 201, "buttons"),
        ([Button("", "1"), Button("", "")], "buttons[1].number"),
        ([Button("a\t", "1")], "buttons[0].label"),
        ([Button("", "1" * 256)], "buttons[0].number"),
    ],
)
def test_buttons_that_break_a_rule_are_not_stored(buttons, field) -> None:
    office, settings = an_office()
    user = office.users["200"]
    for work in (
        settings.set_speed_dial(user, buttons),
        settings.set_speed_dial_of_group("sales", buttons),
    ):
        with pytest.raises(BadInput) as caught:
            office.now(work)
        assert caught.value.field == field
    assert office.now(settings.speed_dial(user)).buttons == ()
