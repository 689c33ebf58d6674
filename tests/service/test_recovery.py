"""What a restart makes of the calls that the process before it has left."""

from __future__ import annotations

from sipxd.call.record import CallState
from sipxd.service.recovery import CAUSE, recover
from sipxd.testing.office import Office


def crashed(office: Office) -> None:
    """Forget everything that was in memory only, as kill -9 does."""
    office.table.calls.clear()
    office.table._legs.clear()
    for timer in list(office.timers._heap):
        timer[2].cancel()


def test_both_phones_of_a_call_that_died_with_the_process_are_hung_up_and_its_record_ends() -> None:
    office = Office()
    alice, bob = office.add_phone("200"), office.add_phone("201")
    call = office.click("200", "201")
    office.run(5)
    alice.calls[-1].hold()
    office.run(1)
    crashed(office)
    store = office.store
    assert office.now(recover(store, office.table, office.stack, office.timers)) == 1  # type: ignore[arg-type]
    office.run(2)
    assert not alice.live_calls and not bob.live_calls
    record = office.record(call)
    assert (record.state, record.cause) == (CallState.ENDED, CAUSE)
    assert office.now(recover(store, office.table, office.stack, office.timers)) == 0  # type: ignore[arg-type]
    office.run(70)
    assert office.left_over() == {}


def test_a_call_that_was_still_ringing_has_no_dialogs_and_its_record_ends() -> None:
    office = Office()
    office.add_phone("200")
    office.add_phone("201")
    call = office.click("200", "201")
    office.run(0.5)
    crashed(office)
    store = office.store
    assert office.now(recover(store, office.table, office.stack, office.timers)) == 1  # type: ignore[arg-type]
    assert office.record(call).cause == CAUSE
