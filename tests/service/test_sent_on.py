"""Who answers for a call that is sent on, and what is left to him who does not."""

from __future__ import annotations

import pytest

from sipxd.call.branches import Level, Node, redirection
from sipxd.call.numbers import Number
from sipxd.call.plan import Leaf, Nowhere, Onward, Passage, Plan
from sipxd.call.policy import outsider
from sipxd.directory.call_group import CallGroup
from sipxd.directory.forwarding import Action, Forwarding, Ring, Rule
from sipxd.service.account_requests import UserChange
from sipxd.service.plans import Wish
from sipxd.testing.office import Office

GATEWAY = """
[[gateway]]
name = "provider"
uri = "sip:192.0.2.50"
[[route]]
pattern = "0."
strip = 1
gateways = ["provider"]
"""
VOICEMAIL = '[voicemail]\nuri = "sip:box-{user}@voicemail.example.net"\n'
ABROAD = "00044123"
STRANGER = outsider("+4930")


def house_of(*names: str, settings: str = GATEWAY) -> Office:
    office = Office(settings=settings)
    for name in names:
        office.add_user(name)
    return office


def store(office: Office, name: str, *rings: Ring) -> None:
    """What the user ``name`` wants done; no rule is checked."""
    user = office.users[name]
    office.forwardings._forwardings[user.id] = Forwarding(rings=rings)


def redirected(plan: Plan, leaf: Leaf, uri: str) -> Plan | None:
    """What the search makes of a 302 to ``uri`` by a branch of ``plan``."""
    return redirection(Node("1", leaf, Level(plan, None, 0)), [(1.0, uri)])


def onward_of(plan: Plan) -> tuple[Onward, Passage]:
    (branch,) = plan.branches()
    assert isinstance(branch, Onward) and plan.passage is not None
    return branch, plan.passage


@pytest.mark.parametrize("gone", ["deleted", "switched off", "renamed"])
def test_a_user_who_is_gone_when_his_number_is_tried_sends_nothing_on(gone: str) -> None:
    office = house_of("200", "201", settings=GATEWAY.replace("strip = 1", ""))
    store(office, "201", Ring("0123", 10))
    onward = onward_of(office.destinations.find(office.users["200"], Number("201")).plan)
    assert isinstance(office.destinations.seek(*onward), Plan)
    match gone:
        case "deleted":
            office.now(office.accounts.delete("201"))
        case "switched off":
            office.change_user("201", enabled=False)
        case _:
            office.now(office.accounts.change("201", UserChange(name="299")))
    found = office.destinations.seek(*onward)
    assert isinstance(found, Nowhere) and found.status == 403


def test_a_number_outside_that_a_hunt_group_calls_cannot_send_the_call_abroad() -> None:
    office = house_of("200")
    group = CallGroup(0, "sales", "600", (), fallback="0123")
    office.now(office.call_groups.add(group))
    onward = onward_of(office.destinations.find(STRANGER, Number("600")).plan)
    found = office.destinations.seek(*onward)
    assert isinstance(found, Plan)
    (leaf,) = found.branches()
    assert isinstance(leaf, Leaf)
    assert redirected(found, leaf, f"sip:{ABROAD}@example.org") is None


def test_a_stranger_who_reaches_voicemail_cannot_be_sent_on_by_it() -> None:
    office = house_of("200", settings=GATEWAY + VOICEMAIL)
    plan = office.destinations.find(STRANGER, Number("200")).plan
    (box,) = plan.last
    assert isinstance(box, Leaf)
    assert redirected(plan, box, f"sip:{ABROAD}@example.org") is None


def test_a_redirection_by_the_phone_of_a_user_passes_his_policy() -> None:
    office = house_of(settings=GATEWAY)
    office.add_phone("200")
    plan = office.destinations.find(STRANGER, Number("200")).plan
    (phone,) = plan.branches()
    assert isinstance(phone, Leaf)
    for number, status in ((ABROAD, 403), ("112", 403), ("999999", 404)):
        sent_on = redirected(plan, phone, f"sip:{number}@example.org")
        assert sent_on is not None
        found = office.destinations.seek(*onward_of(sent_on))
        assert isinstance(found, Nowhere) and found.status == status


@pytest.mark.parametrize("uri", ["SIP:201@example.org", "sip:201@192.0.2.9:5070", "Tel:201", "201"])
def test_a_user_is_found_by_whatever_uri_a_phone_gives(uri: str) -> None:
    office = house_of("200")
    office.add_phone("201")
    onward = Onward(uri, 3.0, "200")
    found = office.destinations.seek(onward, Passage(office.users["200"], "200"))
    assert isinstance(found, Plan) and found.whose == "201"


@pytest.mark.parametrize("uri", ["http://201", "sip:example.org", "sip:", "sip:a b@example.org"])
def test_what_is_no_number_leads_nowhere(uri: str) -> None:
    office = house_of("200")
    found = office.destinations.seek(Onward(uri, 3.0, "200"), Passage(office.users["200"], "200"))
    assert isinstance(found, Nowhere) and found.status == 404


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (Forwarding(rules=(Rule(action=Action.REJECT),)), 603),
        (Forwarding(rules=(Rule(action=Action.REJECT, caller="anonymous"),)), None),
        (Forwarding(do_not_disturb=True), 486),
        (Forwarding(rules=(Rule(action=Action.FORWARD, number="0123"),)), None),
    ],
)
def test_no_flag_of_a_caller_rings_who_rejects_him_or_wants_no_calls(
    settings: Forwarding, status: int | None
) -> None:
    office = house_of()
    office.add_phone("200")
    office.forwardings._forwardings[office.users["200"].id] = settings
    plan = office.destinations.find(STRANGER, Number("200"), wish=Wish(follow=False)).plan
    if status is None:
        assert [target.user for target in plan.targets] == ["200"]
    else:
        assert plan.is_empty and plan.refusal[0] == status


def test_a_time_zone_that_the_machine_has_lost_since_refuses_no_call() -> None:
    office = house_of()
    office.add_phone("200")
    settings = Forwarding(time_zone="Europe/Atlantis")
    office.forwardings._forwardings[office.users["200"].id] = settings
    assert office.destinations.find(STRANGER, Number("200")).targets
