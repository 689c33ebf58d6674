"""Where a number leads: phones, gateways, the PBX, another domain, or nowhere."""

from __future__ import annotations

import pytest

from sipxd.call.effects import Identity, Target
from sipxd.call.numbers import Number
from sipxd.call.plan import Onward, Plan
from sipxd.call.policy import SIP_ADDRESS, outsider
from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.user import User
from sipxd.errors import Forbidden, NotFound
from sipxd.testing.office import Office

GATEWAYS = """
    [call]
    home = ["+49"]
    [[gateway]]
    name = "one"
    uri = "sip:192.0.2.10:5070"
    username = "acct"
    password = "geheim"
    asserted_identity = "+4930"
    diversion = true
    [[gateway]]
    name = "two"
    uri = "sip:sip.example.net:5070"
    domain = "example.net"
    called_strip = 1
    called_prepend = "00"
    patience = 7
    [[route]]
    pattern = "112"
    gateways = ["one"]
    permission = "nobody"
    [[route]]
    pattern = "0[1-9]."
    strip = 1
    prepend = "+49"
    gateways = ["one", "two"]
    [[route]]
    pattern = "0."
    strip = 1
    gateways = ["one"]
    [[route]]
    pattern = "7"
    strip = 1
    gateways = ["one"]
"""
BESIDE = """
    [sip]
    outbound_proxy = "sip:pbx.example.net"
"""


def chain(target: Target | None) -> list[Target]:
    """A target and its fallbacks."""
    return [] if target is None else [target, *chain(target.fallback)]


def office(settings: str) -> tuple[Office, User]:
    made = Office(settings=settings)
    return made, made.add_user("200", "Ann")


def test_the_gateways_of_a_route_are_one_target_with_fallbacks() -> None:
    made, ann = office(GATEWAYS)
    (target,) = made.calls.destinations.find(ann, Number("030123")).targets
    one, two = chain(target)
    assert (one.uri, one.routes) == ("sip:+4930123@192.0.2.10:5070", ())
    assert (one.account, one.patience, one.flow) == ("gateway:one", 5.0, None)
    assert one.identity is not None and two.identity is not None
    assert one.identity.from_ == '"Ann" <sip:200@192.0.2.10>'
    assert one.headers == (("P-Asserted-Identity", "<sip:+4930@192.0.2.10>"),)
    assert (two.uri, two.patience) == ("sip:004930123@example.net", 7.0)
    assert two.routes == ("<sip:sip.example.net:5070;lr>",)
    assert two.identity.to == "<sip:004930123@example.net>"


def test_a_sick_gateway_is_the_last_resort() -> None:
    made, ann = office(GATEWAYS)
    made.calls.destinations._is_well = lambda name: name != "one"
    (target,) = made.calls.destinations.find(ann, Number("030123")).targets
    assert [each.account for each in chain(target)] == ["gateway:two", "gateway:one"]


@pytest.mark.parametrize("number", ["0+33", "00033123", "0011"])
def test_the_policy_looks_at_the_number_that_leaves(number: str) -> None:
    made, ann = office(GATEWAYS)
    with pytest.raises(Forbidden, match="abroad"):
        made.calls.destinations.find(ann, Number(number))


def test_a_call_for_help_passes_from_a_phone_alone() -> None:
    made, ann = office(GATEWAYS)
    find = made.calls.destinations.find
    (target,) = find(ann, Number("112"), from_phone=True, private=True).targets
    assert target.identity is not None and "anonymous" not in target.identity.from_
    with pytest.raises(Forbidden, match="on the phone itself"):
        find(ann, Number("112"))


def test_no_rewriting_hides_a_call_for_help() -> None:
    route = '[[route]]\npattern = "9."\nstrip = 1\ngateways = ["one"]\n'
    made, ann = office(GATEWAYS + route)
    with pytest.raises(Forbidden, match="112 is an emergency number"):
        made.destinations.find(ann, Number("9112"))
    with pytest.raises(Forbidden, match="112 is an emergency number"):
        made.destinations.permit(ann, "9112")
    assert made.destinations.find(ann, Number("9112"), from_phone=True).targets


def test_the_number_of_a_user_or_a_group_that_is_switched_off_is_not_called_outside() -> None:
    made, ann = office(GATEWAYS.replace('"7"', '"[26]."'))
    made.add_user("201")
    made.now(made.call_groups.add(CallGroup(0, "sales", "600", enabled=False)))
    made.change_user("201", enabled=False)
    assert made.destinations.find(ann, Number("699")).targets
    for number in ("201", "600", "sales"):
        with pytest.raises(NotFound, match="switched off"):
            made.destinations.find(ann, Number(number))


@pytest.mark.parametrize("number", ["999999", "bob", "7"])
def test_what_no_route_takes_leads_nowhere(number: str) -> None:
    made, ann = office(GATEWAYS)
    with pytest.raises(NotFound, match=f"No route leads to {number}"):
        made.calls.destinations.find(ann, Number(number))


def test_a_call_that_was_sent_on_says_by_whom() -> None:
    made, ann = office(GATEWAYS)
    find = made.calls.destinations.find
    (target,) = find(ann, Number("030123"), caller=outsider("+4917", "Zoe")).targets
    one, two = chain(target)
    assert one.identity is not None and two.identity is not None
    assert one.identity.from_ == '"Zoe" <sip:+4917@192.0.2.10>'
    assert ("Diversion", "<sip:200@192.0.2.10>;reason=unknown") in one.headers
    assert two.identity.from_ == "<sip:200@example.net>"


def test_nobody_from_outside_goes_out_again() -> None:
    made, _ = office(GATEWAYS)
    with pytest.raises(Forbidden, match="from outside"):
        made.calls.destinations.find(outsider("+4917"), Number("030123"), from_phone=True)


def test_another_domain_is_found_by_dns_and_needs_a_permission() -> None:
    made, ann = office(GATEWAYS + BESIDE)
    number = Number("bob", "elsewhere.example")
    with pytest.raises(Forbidden, match=SIP_ADDRESS):
        made.calls.destinations.find(ann, number)
    allowed = User(ann.id, "200", permissions=frozenset({SIP_ADDRESS}))
    (target,) = made.calls.destinations.find(allowed, number).targets
    assert target == Target(
        "sip:bob@elsewhere.example",
        identity=Identity("<sip:200@example.org>", "<sip:bob@elsewhere.example>"),
        label="bob@elsewhere.example",
    )


def test_the_pbx_takes_what_is_nobodys_here() -> None:
    made, ann = office(BESIDE)
    made.add_phone("201")
    find = made.calls.destinations.find
    destination = find(ann, Number("4711"))
    (target,) = destination.targets
    assert target.uri == "sip:4711@example.org"
    assert (target.routes, target.account) == (("<sip:pbx.example.net;lr>",), "user:200")
    assert target.identity == Identity('"Ann" <sip:200@example.org>', "<sip:4711@example.org>")
    assert destination.identity.from_ == '"Ann" <sip:200@example.org>'
    (target,) = find(ann, Number("201")).targets
    assert target.flow is not None and not target.account
    with pytest.raises(Forbidden, match="abroad"):
        find(ann, Number("0033"))


def test_users_whose_phones_the_pbx_has_are_rung_there_without_forwarding() -> None:
    made, ann = office(BESIDE)
    made.add_user("201")
    (target,) = made.calls.destinations.find(ann, Number("201")).targets
    assert target.uri == "sip:201@example.org;sipx-userforward=false"
    assert target.account == "user:200"
    own = made.calls.destinations.own_phones(ann, Number("201"))
    assert own.targets[0].uri == "sip:200@example.org;sipx-userforward=false"
    assert own.identity.from_ == '"201" <sip:200@example.org>'


def test_without_a_registrar_phones_registered_before_do_not_count() -> None:
    made, ann = office(BESIDE + "registrar = false")
    made.add_phone("200")
    (target,) = made.calls.destinations.own_phones(ann, Number("201")).targets
    assert target.flow is None and target.account == "user:200"


def test_an_own_phone_registered_here_is_shown_the_number() -> None:
    made, ann = office(BESIDE)
    made.add_phone("200")
    own = made.calls.destinations.own_phones(ann, Number("201"))
    assert own.identity.from_ == "<sip:201@example.org>"
    assert own.targets[0].flow is not None


def test_a_caller_from_outside_is_rung_through_for_the_account_of_the_one_called() -> None:
    made, _ = office(BESIDE)
    find = made.calls.destinations.find
    (target,) = find(outsider("+4917", "Zoe"), Number("200")).targets
    assert target.account == "user:200"
    assert target.identity is not None
    assert target.identity.from_ == '"Zoe" <sip:+4917@example.org>'


def test_a_pbx_that_insists_is_shown_the_one_called_where_the_caller_is_from_outside() -> None:
    made, _ = office(BESIDE + '[call]\ncaller_leg_from = "user"')
    (target,) = made.calls.destinations.find(outsider("+4917"), Number("200")).targets
    assert target.account == "user:200"
    assert target.identity is not None
    assert target.identity.from_ == '"+4917" <sip:200@example.org>'


def test_the_phones_of_a_hunt_group_at_the_pbx_are_rung_for_the_account_of_each_member() -> None:
    made, ann = office(BESIDE)
    made.add_user("201")
    members = (Member("201"),)
    made.now(made.call_groups.add(CallGroup(0, "sales", "600", members)))
    destinations = made.calls.destinations
    plan = destinations.find(ann, Number("600")).plan
    (onward,) = plan.branches()
    assert isinstance(onward, Onward)
    assert plan.passage is not None
    found = destinations.seek(onward, plan.passage)
    assert isinstance(found, Plan)
    (target,) = found.targets
    assert target.account == "user:201"
    assert target.identity is not None
    assert target.identity.from_ == '"Ann" <sip:201@example.org>'
