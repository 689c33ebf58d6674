"""The log of calls: who called whom, how it ended, and what is under way."""

from __future__ import annotations

import pytest

from sipxd.directory.forwarding import Forwarding, Ring
from sipxd.service.call_log import CallLog, Cdr, Termination
from sipxd.store.calls import ORDERS, Wanted
from sipxd.testing.office import EPOCH, Office
from sipxd.testing.phone import Behaviour


def office(**behaviours: Behaviour) -> tuple[Office, CallLog]:
    made = Office()
    for name in ("200", "201", "202"):
        made.add_phone(name, behaviours.get(f"of_{name}", Behaviour(answer_after=1.0)))
    made.users["201"] = made.change_user("201", first_name="Ben", last_name="Ortiz", aliases=("b",))
    return made, CallLog("example.org", made.calls, made.accounts, made.store, made.time)  # type: ignore[arg-type]


def ended(made: Office, log: CallLog, name: str | None, **more: object) -> list[Cdr]:
    user = None if name is None else made.users[name]
    found = made.now(log.ended(user, Wanted(**more), limit=100))  # type: ignore[arg-type]
    return [log.cdr(record) for record in found]


def test_a_call_under_way_is_seen_by_both_of_its_users_and_nobody_else() -> None:
    made, log = office()
    made.phones[0].call("b")
    made.run(4)
    (cdr,) = log.active(made.users["201"])
    assert [c.record.id for c in log.active(made.users["200"])] == [cdr.record.id]
    assert log.active(made.users["202"]) == [] and len(log.active()) == 1
    assert cdr.caller.aor == "<sip:200@example.org>"
    assert (cdr.callee.number, cdr.callee.aor) == ("b", '"Ben Ortiz" <sip:b@example.org>')
    assert (cdr.recipient, cdr.internal, cdr.route) == ("201", True, "INT")
    assert cdr.is_incoming(made.users["201"]) and not cdr.is_incoming(made.users["200"])
    assert cdr.termination is Termination.IN_PROGRESS
    assert cdr.duration == pytest.approx(4, abs=0.1)


def test_ended_calls_are_told_to_both_the_newest_first() -> None:
    made, log = office(of_202=Behaviour(refuse=486))
    for number in ("201", "202"):
        made.phones[0].call(number)
        made.run(4)
        if made.phones[0].live_calls:
            made.phones[0].calls[-1].hang_up()
        made.run(2)
    busy, talked = ended(made, log, "200")
    assert (busy.termination, busy.callee.number) == (Termination.FAILED, "202")
    assert (talked.termination.letter, talked.callee.number) == ("C", "201")
    assert 2 < talked.duration < 4 and busy.duration == 0
    assert [c.record.id for c in ended(made, log, "202")] == [busy.record.id]
    assert [c.record.id for c in ended(made, log, "201")] == [talked.record.id]
    assert len(ended(made, log, None)) == 2


def test_whom_a_call_came_to_in_the_end_is_told_and_sees_it() -> None:
    made, log = office(of_201=Behaviour(answer_after=None))
    made.forwardings._forwardings[made.users["201"].id] = Forwarding(
        timer=2, rings=(Ring("202", 10),)
    )
    made.phones[0].call("201")
    made.run(6)
    (cdr,) = log.active(made.users["202"])
    assert (cdr.callee.number, cdr.recipient, cdr.route) == ("201", "202", "AL,INT")


def test_a_call_given_up_before_its_answer_is_missed() -> None:
    made, log = office(of_201=Behaviour(answer_after=None))
    made.phones[0].call("201")
    made.run(2)
    made.phones[0].calls[-1].hang_up()
    made.run(2)
    (cdr,) = ended(made, log, "201")
    assert (cdr.termination, cdr.record.bridged) == (Termination.ABANDONED, None)


def test_the_log_is_narrowed_by_time_and_by_parties_and_ordered() -> None:
    made, log = office()
    for _ in range(2):
        made.phones[0].call("201")
        made.run(4)
        made.phones[0].calls[-1].hang_up()
        made.run(6)
    first, second = reversed(ended(made, log, None))
    middle = (first.record.started + second.record.started) / 2
    assert ended(made, log, None, since=middle) == [second]
    assert ended(made, log, None, until=middle) == [first]
    assert ended(made, log, None, since=EPOCH + 10_000) == []
    assert len(ended(made, log, None, caller="20", callee="1")) == 2
    assert ended(made, log, None, callee="%") == []
    for order in ORDERS:
        assert len(made.now(log.ended(None, Wanted(), limit=9, order=order))) == 2
    assert made.now(log.ended(None, Wanted(), limit=1, offset=1)) == [first.record]
