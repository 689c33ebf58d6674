"""Rehearsals: who would ring when, what the caller gets, and what is amiss."""

from __future__ import annotations

import attrs
import pytest

from sipxd.call.rehearsal import Rehearsal
from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.forwarding import Action, Forwarding, Ring, RingType, Rule, When
from sipxd.errors import BadInput
from sipxd.testing.office import EPOCH, Office

VOICEMAIL = '[voicemail]\nuri = "sip:box-{user}@voicemail.example.net"\n'
GATEWAY = """
[[gateway]]
name = "provider"
uri = "sip:192.0.2.50"
[[route]]
pattern = "0X."
gateways = ["provider"]
"""
TOGETHER = RingType.AT_THE_SAME_TIME


def store(office: Office, name: str, *rings: Ring, **more: object) -> None:
    """What the user ``name`` wants done from now on; no rule is checked."""
    user = office.users[name]
    office.forwardings._forwardings[user.id] = Forwarding(rings=rings, **more)  # type: ignore[arg-type]


def rehearse(
    office: Office, name: str, caller: str | None = None, at: float | None = None
) -> Rehearsal:
    return office.now(office.rehearsals.rehearse(office.users[name], caller, at))


def steps(rehearsal: Rehearsal) -> list[tuple[float, float | None, str, str]]:
    return [(step.begins, step.ends, step.kind, step.number) for step in rehearsal.steps]


def findings(rehearsal: Rehearsal) -> list[tuple[str, str]]:
    return [(finding.kind, finding.where) for finding in rehearsal.findings]


def office(*names: str, settings: str = "") -> Office:
    """Users with a phone each."""
    made = Office(settings=settings)
    for name in names:
        made.add_phone(name)
    return made


def test_own_phones_ring_then_the_rings_then_voicemail() -> None:
    made = office("200", "201", "202", settings=VOICEMAIL + GATEWAY)
    rings = (Ring("201", 10), Ring("0171", 5, TOGETHER), Ring("202", 7))
    store(made, "200", *rings, timer=20)
    told = rehearse(made, "200")
    assert steps(told) == [
        (0, 20, "phone", "200"),
        (20, 30, "phone", "201"),
        (20, 25, "number", "0171"),
        (30, 37, "phone", "202"),
        (37, None, "voicemail", "voicemail of 200"),
    ]
    assert [step.stage for step in told.steps] == [0, 1, 1, 2, 3]
    assert told.answer == "A voicemail box answers after 37 seconds."
    assert (told.at, told.caller, findings(told)) == (made.time(), "", [])


def test_who_sends_a_call_on_is_told_with_each_step() -> None:
    made = office("200", "201", "202")
    store(made, "200", Ring("201", 30), timer=10)
    store(made, "201", Ring("202", 5), timer=12)
    told = rehearse(made, "200", "200")
    assert [(step.whom, step.via) for step in told.steps] == [
        ("200", ()),
        ("201", ("200",)),
        ("202", ("200", "201")),
    ]
    assert steps(told)[2] == (22, 27, "phone", "202")
    assert told.answer == "Nobody answers: after 27 seconds the caller is told 408 No answer."


def test_all_the_time_together_is_limited() -> None:
    made = office("200", "201", "202", settings="[call]\nring_limit = 15\n")
    store(made, "200", Ring("201", 30), Ring("202", 30), timer=10)
    told = rehearse(made, "200")
    assert steps(told) == [(0, 10, "phone", "200"), (10, 15, "phone", "201")]
    assert told.steps[1].note == "Cut short: the time for all together is over."


def test_the_caller_and_the_time_decide_which_rule_holds() -> None:
    made = office("200", "201", "202", settings=GATEWAY)
    rules = (
        Rule(caller="+49171", number="202", seconds=9),
        Rule(caller="internal", action=Action.REJECT),
        Rule(until=EPOCH + 3600, number="201", seconds=8),
    )
    store(made, "200", rules=rules)
    assert steps(rehearse(made, "200", "0049171")) == [(0, 9, "phone", "202")]
    assert rehearse(made, "200", "201").answer.endswith("at once the caller is told 603 Decline.")
    assert steps(rehearse(made, "200", "anonymous")) == [(0, 8, "phone", "201")]
    assert steps(rehearse(made, "200", at=EPOCH + 3601)) == [(0, 30, "phone", "200")]


def test_a_rule_for_no_answer_takes_the_place_of_the_call_sequence() -> None:
    made = office("200", "201", "202")
    rules = (Rule(When.NO_ANSWER, number="202", seconds=9),)
    store(made, "200", Ring("201"), timer=10, rules=rules)
    assert steps(rehearse(made, "200")) == [(0, 10, "phone", "200"), (10, 19, "phone", "202")]


def test_a_member_of_a_hunt_group_that_is_forwarded_to_is_rung_on_its_behalf() -> None:
    made = office("200", "201", "202")
    members = (Member("201", 6), Member("202", 7))
    made.now(made.call_groups.add(CallGroup(0, "sales", "600", members, follow=False)))
    store(made, "200", Ring("600", 30), timer=10)
    told = rehearse(made, "200")
    assert [(s.begins, s.ends, s.whom, s.via) for s in told.steps[1:]] == [
        (10, 16, "201", ("200", "600")),
        (16, 23, "202", ("200", "600")),
    ]


def test_a_user_without_phone_and_rings_is_not_there() -> None:
    made = Office()
    made.add_user("200")
    told = rehearse(made, "200")
    assert told.steps == ()
    assert told.answer == (
        "Nobody answers: at once the caller is told 404 No phone of 200 is registered."
    )
    assert findings(told) == [("no-phone", "")]


def test_do_not_disturb_is_told() -> None:
    made = office("200")
    store(made, "200", do_not_disturb=True)
    assert rehearse(made, "200").answer.endswith("at once the caller is told 486 Do Not Disturb.")


def test_what_is_amiss_with_the_settings_is_found() -> None:
    made = office("200", settings=GATEWAY + '[call]\nforbidden = ["0900"]\n')
    made.add_user("201")
    rings = (
        Ring("201"),
        Ring("0900123"),
        Ring("4711"),
        Ring(""),
        Ring("0900", enabled=False),
    )
    rules = (
        Rule(When.BUSY, action=Action.VOICEMAIL),
        Rule(When.BUSY, "0171", number="201"),
    )
    store(made, "200", *rings, rules=rules)
    told = rehearse(made, "200")
    assert findings(told) == [
        ("forbidden", "rings[1].number"),
        ("dead-step", "rings[3].number"),
        ("no-voicemail", "rules[0].action"),
        ("dead-step", "rules[1]"),
        ("no-phone", "rings[0].number"),
        ("no-route", "rings[2].number"),
    ]
    assert told.findings[0].sentence == "0900123 may not be called by anybody."
    assert told.findings[-1].sentence == "4711: No route leads to 4711."


def test_a_circle_that_came_about_later_is_found_and_cut() -> None:
    made = office("200", "201")
    store(made, "200", Ring("201", 30), timer=10)
    store(made, "201", Ring("200", 30), timer=10)
    told = rehearse(made, "200")
    assert steps(told) == [(0, 10, "phone", "200"), (10, 20, "phone", "201")]
    assert [finding.kind for finding in told.findings] == ["circle", "circle"]
    assert told.findings[0].sentence == "Calls would go in a circle: 200 -> 201 -> 200."
    assert told.findings[1].sentence.startswith("201 sends the call on to 200: ")


@pytest.mark.parametrize("at", [-1.0, float("nan"), float("inf"), 1e12])
def test_a_time_that_cannot_be_is_refused(at: float) -> None:
    with pytest.raises(BadInput, match="between 1970 and 3000") as caught:
        rehearse(office("200"), "200", at=at)
    assert caught.value.field == "at"


def test_a_caller_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        rehearse(office("200"), "200", "no\nnumber")
    assert caught.value.field == "from"


def test_nobody_is_rung() -> None:
    made = office("200", "201")
    store(made, "200", Ring("201"))
    before = len(made.network.log)
    rehearse(made, "200")
    made.run(60)
    assert not made.requests("INVITE")
    assert len(made.network.log) >= before
    assert attrs.asdict(made.forwardings.of(made.users["200"]))["version"] == 0
