"""Whose password answers, and whose does not."""

from __future__ import annotations

from gatewaykit import challenge

from sipxd.service.account_changes import change_user
from sipxd.service.account_requests import UserChange
from sipxd.service.authorizers import Authorizers
from sipxd.sip.message import Request, Response
from sipxd.testing.office import Office

SETTINGS = """
    [sip]
    outbound_proxy = "sip:192.0.2.9"
    realm = "pbx"
    [[gateway]]
    name = "one"
    uri = "sip:192.0.2.10"
    username = "acct"
    password = "geheim"
    realm = "asterisk"
    [[gateway]]
    name = "open"
    uri = "sip:192.0.2.11"
"""
REQUEST = Request("INVITE", "sip:1@b")


def authorizers(settings: str = SETTINGS) -> tuple[Office, Authorizers]:
    office = Office(settings=settings)
    office.add_user("200")
    return office, Authorizers(office.config, office.accounts, office.random.randbytes)


def answers(made: Authorizers, account: str, realm: str) -> bool:
    authorizer = made.of(account)
    response = Response(401, "Unauthorized", headers=[challenge(realm)])
    return authorizer is not None and authorizer.answer(response, REQUEST) is not None


def test_an_account_answers_for_its_own_realm_only() -> None:
    _, made = authorizers()
    assert answers(made, "gateway:one", "asterisk")
    assert not answers(made, "gateway:one", "pbx")
    assert answers(made, "user:200", "pbx")
    assert not answers(made, "user:200", "asterisk")


def test_there_are_no_credentials_for_anybody_else() -> None:
    _, made = authorizers()
    assert made.of("") is made.of("gateway:open") is made.of("user:999") is None
    _, alone = authorizers('[[gateway]]\nname = "one"\nuri = "sip:a"')
    assert alone.of("user:200") is None


def test_nonces_are_kept_between_calls_and_forgotten_with_the_password() -> None:
    office, made = authorizers()
    first = made.of("user:200")
    assert first is not None and made.of("user:200") is first
    store = office.store
    with store.engine.begin() as connection:
        change_user(connection, office.vault, "200", UserChange(sip_password="another"))
    office.add_user("201")  # loads the accounts anew
    assert made.of("user:200") is not first
