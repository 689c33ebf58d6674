"""Calls of random users, seen on the wire, do what the model of the contract says (9.2, 9.3).

The whole server answers, with phones in memory and a clock of the test's own; who was rung from
when to when, and what the caller got, is read off the messages alone.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "call"))

import forwarding_model as model

from sipxd.directory.forwarding import Forwarding, Ring, RingType
from sipxd.directory.schedule import Schedule
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request, Response, parse_message
from sipxd.testing.network import Packet
from sipxd.testing.office import DOMAIN, SERVER, Office
from sipxd.testing.phone import Behaviour, Phone

LIMIT = 60.0
BOX = "198.51.100.250"
NEVER = 9
"""The id of a schedule that never holds."""

SECONDS = st.integers(2, 60).map(float)
SOON = st.integers(1, 15).map(float)
"""So that what follows has its turn before the time is over."""
BITS = 24
"""Behind the point, of all times of the model: the errors of the clock are smaller."""
STATUSES = st.sampled_from([302, 401, 403, 404, 407, 408, 480, 486, 487, 500, 503, 600, 603, 606])
REFUSES = st.builds(model.Refuses, STATUSES, SOON)
ENDS: st.SearchStrategy[model.Behaviour] = st.one_of(
    REFUSES, REFUSES, REFUSES, st.just(model.Silent()), st.builds(model.Answers, SECONDS)
)
KINDS = st.sampled_from(["If no response", "At the same time"])
USUALLY = st.sampled_from([True, True, True, False])


def plans(rings: int, nested: int) -> st.SearchStrategy[model.Plan]:
    """Users with so many rings, which lead at most through ``nested`` users one by one."""
    unusual = USUALLY.map(lambda usual: not usual)
    behaviours = ENDS
    if nested:
        inside = plans(3, nested - 1)
        behaviours = USUALLY.flatmap(lambda usual: ENDS if usual else inside)
    ring = st.builds(model.Ring, KINDS, SECONDS, behaviours, USUALLY, unusual, USUALLY)
    return st.builds(
        model.Plan,
        st.lists(ENDS, max_size=3).map(tuple),
        SOON,
        st.lists(ring, max_size=rings).map(tuple),
        st.sampled_from([None, 3.0]),
    )


PLANS = plans(rings=8, nested=3)


def moved(plan: model.Plan, move: Callable[[model.Behaviour], model.Behaviour]) -> model.Plan:
    """The plan with each telephone's behaviour changed."""

    def inside(does: model.Behaviour) -> model.Behaviour:
        return moved(does, move) if isinstance(does, model.Plan) else move(does)

    rings = [replace(ring, behaviour=inside(ring.behaviour)) for ring in plan.rings]
    return model.Plan([move(does) for does in plan.phones], plan.timer, rings, plan.voicemail)


def untied(plan: model.Plan) -> model.Plan:
    """The same with answers and refusals at times that no sum of others hits."""
    fractions = (0.5 ** (n % BITS + 1) for n in itertools.count())

    def move(does: model.Behaviour) -> model.Behaviour:
        match does:
            case model.Answers(after):
                return model.Answers(after + next(fractions))
            case model.Refuses(status, after):
                return model.Refuses(status, after + next(fractions))
            case _:
                return does

    return moved(plan, move)


class House:
    """An office whose users and phones are used again and again, each time as a plan has them."""

    def __init__(self) -> None:
        self.office = Office(settings=f'[call]\nring_limit = {LIMIT:.0f}\n[voicemail]\n'
                                      f'uri = "sip:{{user}}@{BOX}"\n')  # fmt: skip
        self.office.network.latency = (0.0, 0.0)
        self.office.forwardings._schedules[NEVER] = Schedule(NEVER, "Never", (), user_id=1)
        self.caller = self.office.add_phone("100")
        self.box = self._phone_outside(BOX)
        self._pools: dict[tuple[int, bool], list[tuple[str, list[Phone]]]] = {}
        self._used: dict[tuple[int, bool], int] = {}
        self.names: dict[str, str] = {}
        """The model's name of a telephone, by the host of ours."""
        self.users: dict[str, str] = {}
        """The user whose telephone that is."""

    def _phone_outside(self, host: str) -> Phone:
        office = self.office
        server = Flow("UDP", f"udp:{host}:5060", *SERVER)
        phone = Phone("box", "none", domain=DOMAIN, server=server, clock=office.clock,
                      random=office.random)  # fmt: skip
        phone.attach(office.network.node(host, 5060, phone.stack.receive))
        return phone

    def _take(self, phones: int, *, voicemail: bool) -> tuple[str, list[Phone]]:
        """A user with so many phones whom this plan has not used yet."""
        key = (phones, voicemail)
        pool, used = self._pools.setdefault(key, []), self._used.get(key, 0)
        self._used[key] = used + 1
        if used == len(pool):
            name = f"{2 + voicemail}{phones}{used:02}"
            self.office.add_user(name)
            if not voicemail:
                self.office.change_user(name, voicemail=False)
            pool.append((name, [self.office.add_phone(name) for _ in range(phones)]))
        return pool[used]

    def furnish(self, plan: model.Plan) -> str:
        """Have users and phones do what the plan says; gives whom to call."""
        self._used.clear()
        self.names.clear()
        self.users.clear()
        self.names[BOX] = "voicemail"
        self.box.behaviour = Behaviour(answer_after=plan.voicemail)
        return self._user(plan, "", voicemail=plan.voicemail is not None)

    def _user(self, plan: model.Plan, within: str, *, voicemail: bool = False) -> str:
        name, phones = self._take(len(plan.phones), voicemail=voicemail)
        for index, (phone, does) in enumerate(zip(phones, plan.phones, strict=True)):
            self._behave(phone, does, f"{within}phone {index}", name)
        rings = tuple(self._ring(ring, f"{within}ring {n}") for n, ring in enumerate(plan.rings))
        self._store(name, Forwarding(timer=int(plan.timer), rings=rings))
        return name

    def _ring(self, ring: model.Ring, where: str) -> Ring:
        does = ring.behaviour
        if isinstance(does, model.Plan):
            number = self._user(does, f"{where}/")
        else:
            number, (phone,) = self._take(1, voicemail=False)
            self._behave(phone, does, where, number)
            self._store(number, Forwarding(timer=999))
        return Ring(
            "" if ring.empty else number,
            int(ring.seconds),
            RingType(ring.kind),
            ring.enabled,
            None if ring.active else NEVER,
        )

    def _host_of(self, phone: Phone) -> str:
        return f"198.51.100.{self.office.phones.index(phone) + 1}"

    def _store(self, name: str, forwarding: Forwarding) -> None:
        self.office.forwardings._forwardings[self.office.users[name].id] = forwarding

    def _behave(self, phone: Phone, does: model.Behaviour, who: str, user: str) -> None:
        match does:
            case model.Answers(after):
                phone.behaviour = Behaviour(answer_after=after)
            case model.Refuses(status, after):
                phone.behaviour = Behaviour(refuse=status, refuse_after=after)
            case _:
                phone.behaviour = Behaviour(answer_after=None)
        # Whether something is to be heard while it rings makes no difference.
        plays = len(self.names) % 2 == 1
        phone.behaviour = attrs.evolve(phone.behaviour, early_media=plays)
        host = self._host_of(phone)
        self.names[host], self.users[host] = who, user

    def call(self, number: str) -> model.Outcome:
        """Call it, and tell what was seen on the wire."""
        office = self.office
        office.network.log.clear()
        begin = office.clock.seconds()
        call = self.caller.call(number)
        while not (call.up or call.ended):
            office.run(5)
        call.hang_up()
        office.run(5)
        assert not {"calls", "legs", "phones"} & set(office.left_over())
        return self._seen(office.network.log, begin)

    def _seen(self, log: list[Packet], begin: float) -> model.Outcome:
        begun: dict[str, float] = {}
        ended: dict[str, float] = {}
        answered: list[tuple[float, str]] = []
        final = (0.0, 0)
        for packet in log:
            message = parse_message(packet.data)
            source, destination = (_host(each) for each in (packet.source, packet.destination))
            at = packet.time - begin
            match message:
                case Request(method="INVITE") if destination in self.names:
                    assert destination not in begun, "nobody is rung twice"
                    begun[destination] = at
                case Request(method="CANCEL") if destination in self.names:
                    ended.setdefault(destination, at)
                case Response(status=status) if message.cseq[1] == "INVITE" and status >= 200:
                    if source in self.names:
                        ended.setdefault(source, at)
                        if status == 200:
                            answered.append((at, self.names[source]))
                    elif destination == self._host_of(self.caller) and status not in (401, 407):
                        final = final if final[1] else (at, status)
        rung = sorted(model.Rung(begun[host], ended[host], self.names[host]) for host in begun)
        who = min(answered)[1] if answered else None
        return model.Outcome(*final, who, rung)


def _host(address: str) -> str:
    return address.rpartition(":")[0]


@pytest.fixture(scope="module")
def house() -> House:
    return House()


def rounded(outcome: model.Outcome) -> tuple[Any, ...]:
    """Without the last digits, which depend on what the clock has counted before."""

    def grains(seconds: float) -> int:
        return round(seconds * 2**BITS)

    rung = sorted((grains(begin), grains(end), who) for begin, end, who in outcome.rung)
    return grains(outcome.at), outcome.status, outcome.answered_by, rung


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(PLANS.map(untied))
def test_who_rings_when_and_what_the_caller_gets_is_what_the_model_says(
    house: House, plan: model.Plan
) -> None:
    number = house.furnish(plan)
    assert rounded(house.call(number)) == rounded(model.search(plan, LIMIT))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PLANS.map(lambda plan: moved(plan, lambda does: model.Silent())))
def test_a_rehearsal_tells_what_the_model_does_when_nobody_answers(
    house: House, plan: model.Plan
) -> None:
    user = house.office.users[house.furnish(plan)]
    told = house.office.now(house.office.rehearsals.rehearse(user, None, None))
    of = {who: house.users.get(host, "") for host, who in house.names.items()}
    expected = model.search(plan, LIMIT)
    rung = [r for r in expected.rung if r.who != "voicemail"]
    assert sorted((s.begins, s.ends, s.whom) for s in told.steps if s.kind == "phone") == sorted(
        (r.begin, r.end, of[r.who]) for r in rung
    )
    begins = [r.begin for r in expected.rung if r.who == "voicemail"]
    assert [step.begins for step in told.steps if step.kind == "voicemail"] == begins
    at = begins[0] if begins else expected.at
    after = f"after {at:g} seconds" if at else "at once"
    if begins:
        assert told.answer == f"A voicemail box answers {after}."
    else:
        says = f"Nobody answers: {after} the caller is told {expected.status} "
        assert told.answer.startswith(says)
