"""The dial policy of an API call."""

from __future__ import annotations

import pytest

from sipxd.call.numbers import clean_number
from sipxd.call.policy import SIP_ADDRESS, DialPolicy
from sipxd.directory.user import User
from sipxd.errors import Forbidden

POLICY = DialPolicy("example.org", ("112", "911"))
USER = User(1, "200")


@pytest.mark.parametrize("number", ["201", "+4930123", "201@example.org", "*98"])
def test_numbers_of_the_own_domain_are_allowed(number: str) -> None:
    POLICY.check(USER, clean_number(number))


@pytest.mark.parametrize("number", ["112", "1-1-2", "911", "112@example.org"])
def test_emergency_numbers_are_for_the_phone_itself(number: str) -> None:
    with pytest.raises(Forbidden, match="dial it on the phone itself") as refused:
        POLICY.check(USER, clean_number(number))
    assert refused.value.field == "number"


def test_foreign_addresses_need_a_permission() -> None:
    number = clean_number("ann@elsewhere.example")
    with pytest.raises(Forbidden, match=SIP_ADDRESS):
        POLICY.check(USER, number)
    POLICY.check(User(1, "200", permissions=frozenset({SIP_ADDRESS})), number)
