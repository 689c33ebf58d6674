"""The bound on the calls that one user sends on while nobody has answered."""

from __future__ import annotations

import pytest

from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.service.pending_forwards import PendingForwards
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour


def test_so_many_calls_are_sent_on_and_one_more_when_one_is_over() -> None:
    ringing = {"a", "b"}
    forwards = PendingForwards(2, ringing.__contains__)
    assert [forwards.admit("200", call) for call in ("a", "b", "c", "a")] == [
        True,
        True,
        False,
        True,
    ]
    assert forwards.admit("201", "c")
    ringing.discard("a")
    ringing.add("c")
    assert forwards.admit("200", "c")
    assert not forwards.admit("200", "d")


@pytest.mark.parametrize(("limit", "rung"), [(1, 1), (2, 2)])
def test_beyond_the_bound_a_user_is_rung_on_his_own_phones_only(limit: int, rung: int) -> None:
    office = Office(settings=f"[limits]\nuser_forwards_pending = {limit}\n")
    callers = [office.add_phone(name) for name in ("100", "101")]
    silent = Behaviour(answer_after=None)
    office.add_phone("200", silent)
    office.add_phone("201", silent)
    user = office.users["200"]
    office.forwardings._forwardings[user.id] = Forwarding(timer=5, rings=(Ring("201", 20),))
    calls = [caller.call("200") for caller in callers]
    office.run(10)
    assert len(office.requests("INVITE", "198.51.100.3")) == 2
    assert len(office.requests("INVITE", "198.51.100.4")) == rung
    office.run(40)
    assert all(call.ended for call in calls)
    calls = [caller.call("200") for caller in callers[:1]]
    office.run(10)
    assert len(office.requests("INVITE", "198.51.100.4")) == rung + 1
