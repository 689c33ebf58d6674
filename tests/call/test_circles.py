"""Circles in which calls would go within the house."""

from __future__ import annotations

from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipxd.call.circles import House, find_circle, sent_to
from sipxd.directory.call_group import CallGroup, Member
from sipxd.directory.forwarding import Action, Forwarding, Ring, Rule
from sipxd.directory.user import User

NONE = Forwarding()


def rings(*numbers: str) -> Forwarding:
    return Forwarding(rings=tuple(map(Ring, numbers)))


def rule(number: str, **others: object) -> Forwarding:
    return Forwarding(rules=(attrs.evolve(Rule(number=number), **others),))


class Model:
    """A house of users who have set something, and of hunt groups."""

    def __init__(self, *groups: CallGroup, **users: Forwarding) -> None:
        self.users = {
            name.removeprefix("u"): User(index, name.removeprefix("u"))
            for index, name in enumerate(users, 1)
        }
        settings = dict(enumerate(users.values(), 1))
        by_name = {name: group for group in groups for name in group.names}
        aliases = {f"a{name}": user for name, user in self.users.items()}
        self.house = House(
            "example.org", (self.users | aliases).get, by_name.get, lambda id: settings[id]
        )

    def sets(self, name: str, new: Forwarding, old: Forwarding = NONE) -> tuple[str, str] | None:
        return self.house.circle_of_user(self.users[name], old, new)


# -- the search ------------------------------------------------------------------------------------


def test_the_shortest_circle_is_found() -> None:
    ways = {1: [2, 3], 2: [4], 4: [1], 3: [1]}
    assert find_circle(1, ways[1], ways.__getitem__) == [1, 3, 1]
    assert find_circle(1, [2], ways.__getitem__) == [1, 2, 4, 1]
    assert find_circle(1, [1, 2], ways.__getitem__) == [1, 1]


def test_a_circle_that_leaves_the_start_out_is_none_of_its_own_and_ends() -> None:
    ways = {1: [2], 2: [3], 3: [2]}
    assert find_circle(1, ways[1], ways.__getitem__) == []


GRAPHS = st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 7), max_size=4))


@given(GRAPHS, st.integers(0, 7))
def test_a_circle_is_found_exactly_where_there_is_one(
    ways: dict[int, list[int]], start: int
) -> None:
    circle = find_circle(start, ways.get(start, []), lambda at: ways.get(at, []))
    reached: set[int] = set()
    coming = list(ways.get(start, []))
    while coming:
        here = coming.pop()
        if here not in reached:
            reached.add(here)
            coming += ways.get(here, [])
    assert bool(circle) == (start in reached)
    if circle:
        assert circle[0] == circle[-1] == start
        assert all(there in ways[here] for here, there in pairwise(circle))
        assert len(set(circle)) == len(circle) - 1


# -- what leads where ------------------------------------------------------------------------------


def test_what_is_disabled_empty_or_no_forward_sends_nothing() -> None:
    forwarding = Forwarding(
        rings=(Ring("1", enabled=False), Ring(""), Ring("2")),
        rules=(
            Rule(number="3", action=Action.VOICEMAIL),
            Rule(number="4", action=Action.REJECT),
            Rule(number="5", enabled=False),
            Rule(number="6"),
        ),
    )
    assert list(sent_to(forwarding)) == [("rings[2].number", "2"), ("rules[3].number", "6")]


@pytest.mark.parametrize("number", ["201", "a201", "2-0-1", "201@example.org", "201@EXAMPLE.ORG"])
@pytest.mark.parametrize("make", [rings, rule])
def test_who_forwards_to_himself_is_told(number: str, make: object) -> None:
    assert callable(make)
    assert Model(u201=NONE).sets("201", make(number)) == (
        "201 -> 201",
        "rings[0].number" if make is rings else "rules[0].number",
    )


@pytest.mark.parametrize("number", ["201@example.com", "+4930201", "999", "20 1@", "§", ""])
def test_numbers_of_others_lead_out(number: str) -> None:
    assert Model(u201=NONE).sets("201", rings(number)) is None


def test_two_users_who_ring_each_other_are_a_circle_whatever_the_schedule() -> None:
    model = Model(u201=NONE, u202=Forwarding(rings=(Ring("201", schedule=7),)))
    assert model.sets("201", rings("+49301", "202")) == ("201 -> 202 -> 201", "rings[1].number")


def test_a_circle_of_others_is_theirs() -> None:
    model = Model(u201=NONE, u202=rings("203"), u203=rings("202"))
    assert model.sets("201", rings("202")) is None


def test_a_circle_that_was_there_already_is_not_held_against_a_change() -> None:
    old = rings("202")
    model = Model(u201=old, u202=rings("201"), u203=rings("201"))
    assert model.sets("201", attrs.evolve(old, timer=7), old) is None
    assert model.sets("201", rings("202", "+49301"), old) is None
    assert model.sets("201", rings("202", "203"), old) == ("201 -> 203 -> 201", "rings[1].number")


# -- hunt groups -----------------------------------------------------------------------------------

SALES = CallGroup(9, "sales", "500", (Member("201"), Member("202")), did="+4930500")


@pytest.mark.parametrize("number", ["500", "sales", "+4930500", "500@example.org"])
def test_a_member_who_forwards_to_his_group_is_told(number: str) -> None:
    model = Model(SALES, u201=NONE, u202=NONE)
    assert model.sets("201", rings(number)) == ("201 -> 500 -> 201", "rings[0].number")


def test_a_group_that_rings_phones_only_or_is_off_sends_nobody_on() -> None:
    for group in (attrs.evolve(SALES, follow=False), attrs.evolve(SALES, enabled=False)):
        assert Model(group, u201=NONE, u202=NONE).sets("201", rings("500")) is None


def test_a_fallback_is_a_way_as_well() -> None:
    group = attrs.evolve(SALES, follow=False, fallback="201")
    model = Model(group, u201=NONE, u202=rings("500"))
    assert model.sets("201", rings("202")) == ("201 -> 202 -> 500 -> 201", "rings[0].number")


def test_a_new_group_is_known_by_the_names_that_it_is_to_have() -> None:
    model = Model(u201=rings("sales"), u202=NONE)
    assert model.house.circle_of_group(None, attrs.evolve(SALES, id=0)) == "500 -> 201 -> 500"
    assert model.house.circle_of_group(None, attrs.evolve(SALES, id=0, name="x")) == ""


def test_a_group_that_falls_back_to_itself_or_to_one_that_leads_back_is_told() -> None:
    other = CallGroup(8, "support", "501", fallback="500")
    model = Model(other, SALES, u201=NONE, u202=NONE)
    to_itself = attrs.evolve(SALES, fallback="sales")
    assert model.house.circle_of_group(SALES, to_itself) == "500 -> 500"
    to_other = attrs.evolve(SALES, fallback="501")
    assert model.house.circle_of_group(SALES, to_other) == "500 -> 501 -> 500"


def test_a_group_that_is_switched_on_or_renamed_is_looked_at_as_if_new() -> None:
    model = Model(SALES, u201=rings("500"), u202=rings("600"))
    assert model.house.circle_of_group(SALES, attrs.evolve(SALES, description="x")) == ""
    off = attrs.evolve(SALES, enabled=False)
    assert model.house.circle_of_group(SALES, off) == ""
    assert model.house.circle_of_group(off, SALES) == "500 -> 201 -> 500"
    renamed = attrs.evolve(SALES, extension="600", members=(Member("202"),))
    assert model.house.circle_of_group(SALES, renamed) == "600 -> 202 -> 600"


def test_the_names_that_a_group_gives_up_lead_nowhere() -> None:
    model = Model(SALES, u201=rings("500"), u202=NONE)
    assert model.house.circle_of_group(SALES, attrs.evolve(SALES, extension="600")) == ""


def test_a_user_and_a_group_with_the_same_id_are_two() -> None:
    group = CallGroup(1, "sales", "500", (Member("202"),))
    assert Model(group, u201=NONE, u202=NONE).sets("201", rings("500")) is None
