"""Calls that phones make through the server, on phones in memory."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from sipxd.call.record import CallKind, CallState
from sipxd.testing.office import Office
from sipxd.testing.phone import Behaviour, Phone


def two_phones(far: Behaviour | None = None, **options: object) -> tuple[Office, Phone, Phone]:
    office = Office(**options)  # type: ignore[arg-type]
    return office, office.add_phone("200"), office.add_phone("201", far)


def test_a_phone_calls_another_with_its_password_and_media_meets() -> None:
    office, alice, bob = two_phones()
    call = alice.call("201")
    office.run(5)
    assert call.up and bob.calls[-1].up
    assert call.remote_media == ("198.51.100.2", 20004, "sendrecv")
    assert bob.calls[-1].remote_media == ("198.51.100.1", 20002, "sendrecv")
    (record,) = office.calls.live()
    assert (record.kind, record.user, record.state) == (CallKind.PHONE, "200", CallState.BRIDGED)
    bob.calls[-1].hang_up()
    office.run(1)
    assert call.ended
    office.run(70)
    assert office.left_over() == {}


def test_the_caller_sees_his_own_identity_passed_on_and_nothing_of_his_credentials() -> None:
    office, alice, bob = two_phones()
    alice.call("201")
    office.run(1)
    (invite,) = office.requests("INVITE", "198.51.100.2")
    assert b"From: <sip:200@example.org>" in invite
    assert b"Authorization" not in invite
    assert b"Max-Forwards: 69" in invite
    assert bob.calls[-1].peer == "200"


@pytest.mark.parametrize(
    ("far", "status"),
    [
        (Behaviour(refuse=486), 486),
        (Behaviour(refuse=603), 603),
        (Behaviour(answer_after=None), 408),
    ],
)
def test_a_refusal_goes_back_to_the_caller(far: Behaviour, status: int) -> None:
    office, alice, _ = two_phones(far)
    call = alice.call("201")
    office.run(40)
    assert call.status == status
    office.run(70)
    assert office.left_over() == {}


def test_an_unknown_number_is_404() -> None:
    office, alice, _ = two_phones()
    call = alice.call("555")
    office.run(2)
    assert call.status == 404


def test_a_cancel_reaches_the_far_phone() -> None:
    office, alice, bob = two_phones(Behaviour(answer_after=None))
    call = alice.call("201")
    office.run(3)
    call.hang_up()
    office.run(1)
    assert call.status == 487
    assert not bob.live_calls
    office.run(70)
    assert office.left_over() == {}


def test_a_wrong_password_makes_no_call() -> None:
    office, alice, bob = two_phones()
    alice.change_password("wrong")
    call = alice.call("201")
    office.run(2)
    assert call.status == 403
    assert bob.calls == []


def test_ones_own_password_does_not_make_calls_in_somebody_elses_name() -> None:
    office, alice, bob = two_phones()
    office.add_phone("202")

    alice.name = "202"  # its credentials are those of 200 still
    call = alice.call("201")
    office.run(2)
    assert call.status == 403
    assert bob.calls == []


def test_early_media_reaches_the_caller() -> None:
    office, alice, _ = two_phones(Behaviour(early_media=True, answer_after=5))
    call = alice.call("201")
    office.run(3)
    assert not call.up
    assert call.remote_media == ("198.51.100.2", 20004, "sendrecv")
    office.run(4)
    assert call.up


def test_the_server_is_stopped_and_every_call_is_hung_up() -> None:

    office, alice, bob = two_phones()
    call = alice.call("201")
    office.run(5)
    closed: list[None] = []
    Deferred.fromCoroutine(office.calls.close()).addCallback(closed.append)
    office.run(1)
    assert closed == [None]
    assert call.ended and not bob.live_calls
    assert alice.call("201") and office.run(2) is None
    assert alice.calls[-1].status == 503


def test_a_caller_who_waits_long_is_told_every_minute_that_it_still_rings() -> None:
    office, alice, _ = two_phones(
        Behaviour(answer_after=150.0), settings="[call]\nring_timeout = 170\n"
    )

    def told() -> int:
        return sum(
            packet.data.startswith(b"SIP/2.0 180 ")
            and packet.destination.startswith("198.51.100.1:")
            for packet in office.network.log
        )

    call = alice.call("201")
    office.run(59)
    assert told() == 1
    office.run(62)
    assert told() == 3
    office.run(40)
    assert call.up and told() == 3
    call.hang_up()
    office.run(80)
    assert told() == 3 and office.left_over() == {}
