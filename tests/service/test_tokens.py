"""Tokens and private keys in the daemon: kept as digests, gone with their users."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.errors import BadInput, NotFound, Unauthorized
from sipxd.service.tokens import MAX_TOKENS, Tokens
from sipxd.store import tokens as stored
from sipxd.testing.office import Office


@pytest.fixture
def office() -> Office:
    made = Office()
    made.add_user("200")
    made.add_user("201")
    return made


def tokens_of(office: Office) -> Tokens:
    store: Any = office.store
    made = Tokens(store, office.accounts, office.time)
    office.now(made.load())
    return made


def test_a_token_is_known_again_after_a_restart_and_its_text_is_kept_nowhere(
    office: Office,
) -> None:
    tokens, ann = tokens_of(office), office.users["200"]
    secret, token = office.now(tokens.make(ann, "CRM"))
    assert tokens.user_of(secret).name == "200"
    again = tokens_of(office)
    assert again.user_of(secret).name == "200"
    assert again.of(ann) == [token]
    with office.store.engine.begin() as connection:
        assert secret not in repr(stored.every(connection))
    office.now(again.revoke(ann, token.id))
    for each in (again, tokens_of(office)):
        with pytest.raises(Unauthorized):
            each.user_of(secret)


def test_a_token_of_somebody_else_cannot_be_revoked(office: Office) -> None:
    tokens = tokens_of(office)
    _, token = office.now(tokens.make(office.users["200"], "CRM"))
    with pytest.raises(NotFound):
        office.now(tokens.revoke(office.users["201"], token.id))


@pytest.mark.parametrize("label", ["", "  ", "a\n", "x" * 101])
def test_a_label_has_to_say_something(office: Office, label: str) -> None:
    with pytest.raises(BadInput):
        office.now(tokens_of(office).make(office.users["200"], label))


def test_the_tokens_of_a_user_are_limited(office: Office) -> None:
    tokens, ann = tokens_of(office), office.users["200"]
    for number in range(MAX_TOKENS):
        office.now(tokens.make(ann, str(number)))
    with pytest.raises(BadInput, match="revoke one"):
        office.now(tokens.make(ann, "one more"))
    office.now(tokens.make(office.users["201"], "another user"))


def test_a_new_private_key_takes_the_place_of_the_old_one(office: Office) -> None:
    tokens, ann = tokens_of(office), office.users["200"]
    old = office.now(tokens.make_key(ann))
    new = office.now(tokens.make_key(ann))
    assert (len(old), len(new)) == (32, 32)
    for each in (tokens, tokens_of(office)):
        assert each.user_of_key(new).name == "200"
        with pytest.raises(Unauthorized):
            each.user_of_key(old)
    office.change_user("200", first_name="Ann")
    assert tokens_of(office).user_of_key(new).first_name == "Ann"
    office.now(tokens.revoke_key(ann))
    with pytest.raises(Unauthorized):
        tokens.user_of_key(new)


def test_who_is_disabled_or_deleted_has_no_token_that_works(office: Office) -> None:
    tokens, ann = tokens_of(office), office.users["200"]
    secret, _ = office.now(tokens.make(ann, "CRM"))
    key = office.now(tokens.make_key(ann))
    office.change_user("200", enabled=False)
    for asked, what in ((tokens.user_of, secret), (tokens.user_of_key, key)):
        with pytest.raises(Unauthorized):
            asked(what)
    office.now(office.accounts.delete("200"))
    assert tokens.of(ann) == []
    with pytest.raises(NotFound):
        office.now(tokens.make(ann, "too late"))
