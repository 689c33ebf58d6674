"""The dial policy: one set of rules for every door."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.call.numbers import Number, clean_number
from sipxd.call.policy import INTERNATIONAL, SIP_ADDRESS, DialPolicy, outsider
from sipxd.directory.user import User
from sipxd.errors import Forbidden

POLICY = DialPolicy(
    "example.org",
    ("112", "911"),
    international=("+", "00"),
    home=("+49", "001340"),
    forbidden=("0900", "+49900"),
)
USER = User(1, "200")
TRAVELLER = User(1, "200", permissions=frozenset({INTERNATIONAL}))


@pytest.mark.parametrize("number", ["201", "+4930123", "201@example.org", "*98"])
def test_numbers_of_the_own_domain_are_allowed(number: str) -> None:
    POLICY.check(USER, clean_number(number))


@pytest.mark.parametrize("number", ["112", "1-1-2", "911", "112@example.org"])
def test_emergency_numbers_are_for_the_phone_itself(number: str) -> None:
    with pytest.raises(Forbidden, match="dial it on the phone itself") as refused:
        POLICY.check(USER, clean_number(number))
    assert refused.value.field == "number"
    POLICY.check(USER, clean_number(number), from_phone=True)


def test_foreign_addresses_need_a_permission() -> None:
    number = clean_number("ann@elsewhere.example")
    for from_phone in (False, True):
        with pytest.raises(Forbidden, match=SIP_ADDRESS):
            POLICY.check(USER, number, from_phone=from_phone)
    POLICY.check(User(1, "200", permissions=frozenset({SIP_ADDRESS})), number)


@pytest.mark.parametrize(
    "number", ["0301234", "+49301234", "004930", "+1340", "0013405", "1", "*31#"]
)
def test_calls_at_home_are_allowed(number: str) -> None:
    POLICY.check_outside(USER, clean_number(number), [number])


@pytest.mark.parametrize("number", ["+33123", "0033123", "+4", "00", "+134"])
def test_calls_abroad_need_a_permission(number: str) -> None:
    with pytest.raises(Forbidden, match=r"which is abroad; .* permission InternationalDialing"):
        POLICY.check_outside(USER, clean_number(number), [number])
    POLICY.check_outside(TRAVELLER, clean_number(number), [number])


@pytest.mark.parametrize("number", ["0900123", "+49900123", "0049900123"])
def test_what_is_forbidden_nobody_may_call(number: str) -> None:
    with pytest.raises(Forbidden, match="not be called by anybody"):
        POLICY.check_outside(TRAVELLER, clean_number(number), [number])


@pytest.mark.parametrize("forms", [["90033", "0033"], ["0033", "33"], ["1", "2", "0900"]])
def test_no_rewriting_hides_a_number(forms: list[str]) -> None:
    with pytest.raises(Forbidden):
        POLICY.check_outside(USER, Number("1"), forms)


def test_a_route_may_ask_for_a_permission() -> None:
    number = clean_number("0301")
    with pytest.raises(Forbidden, match="permission LongDistance"):
        POLICY.check_outside(USER, number, ["0301"], permission="LongDistance")
    user = User(1, "200", permissions=frozenset({"LongDistance"}))
    POLICY.check_outside(user, number, ["0301"], permission="LongDistance")


def test_a_call_for_help_from_a_phone_is_never_refused() -> None:
    strict = DialPolicy("example.org", ("112",), international=("1",), forbidden=("1",))
    for user in (USER, outsider("+4917")):
        strict.check(user, Number("112"), from_phone=True)
        strict.check_outside(user, Number("112"), ["112"], permission="x", from_phone=True)
        with pytest.raises(Forbidden):
            strict.check_outside(user, Number("112"), ["112"])


def test_who_calls_from_outside_stays_there() -> None:
    caller = outsider("+4917")
    POLICY.check(caller, Number("201"), from_phone=True)
    with pytest.raises(Forbidden, match="from outside"):
        POLICY.check(caller, Number("ann", "elsewhere.example"), from_phone=True)
    with pytest.raises(Forbidden, match="from outside"):
        POLICY.check_outside(caller, Number("030"), ["030"], from_phone=True)


@given(st.text("0123456789*#", min_size=1, max_size=20))
def test_without_permissions_nothing_abroad_leaves(rest: str) -> None:
    for start in ("+", "00"):
        number = start + rest
        try:
            POLICY.check_outside(USER, Number(number), [number])
        except Forbidden:
            continue
        assert rest.startswith(("49", "1340"))
