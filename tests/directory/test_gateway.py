"""Gateways: their addresses, their realm, how they want numbers."""

from __future__ import annotations

import pytest

from sipxd.directory.gateway import Gateway


@pytest.mark.parametrize(
    ("uri", "domain"),
    [
        ("sip:sip.example.net", "sip.example.net"),
        ("sips:sip.example.net:5061", "sip.example.net"),
        ("sip:192.0.2.7:5080;transport=tcp", "192.0.2.7"),
        ("sip:[2001:db8::7]", "[2001:db8::7]"),
    ],
)
def test_the_domain_and_the_realm_are_those_of_its_address(uri: str, domain: str) -> None:
    gateway = Gateway("a", uri)
    assert gateway.domain_or_host == gateway.realm_or_domain == domain


def test_the_domain_can_be_another_and_the_realm_another_still() -> None:
    gateway = Gateway("a", "sip:192.0.2.7", domain="example.net")
    assert gateway.realm_or_domain == gateway.domain_or_host == "example.net"
    assert Gateway("a", "sip:192.0.2.7", realm="asterisk").realm_or_domain == "asterisk"


@pytest.mark.parametrize(
    "uri",
    ["", "a", "sip:", "sip:user@a", "sip:a;transport=ws", "sip:a?b=c", "sip:a b", "sip:a:65536",
     "sip:-a", "sip:a..b", "http://a", "sip:a;lr"],
)  # fmt: skip
def test_an_address_is_a_host_and_nothing_else(uri: str) -> None:
    with pytest.raises(ValueError, match="uri"):
        Gateway("a", uri)


def test_numbers_are_rewritten_in_front() -> None:
    gateway = Gateway("a", "sip:b", called_strip=1, called_prepend="00")
    assert gateway.called("+4930123") == "004930123"
    gateway = Gateway("a", "sip:b", caller_strip=1, caller_prepend="+49301")
    assert gateway.caller("201") == "+4930101"
    assert gateway.caller("ann") == "ann"


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "x"},
        {"register": True},
        {"caller_id": "account"},
        {"caller_id": "+49x"},
        {"asserted_identity": "all"},
        {"privacy": "maybe"},
        {"called_prepend": "0+49"},
        {"called_strip": 33},
        {"username": "a b"},
        {"realm": 'a"b'},
        {"incoming": "<a>"},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Gateway("a", "sip:b", **wrong)  # type: ignore[arg-type]


def test_the_password_is_not_shown() -> None:
    assert "geheim" not in repr(Gateway("a", "sip:b", username="u", password="geheim"))
