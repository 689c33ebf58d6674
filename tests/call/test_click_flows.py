"""The flows of a click-to-call on plain data: what each does with each answer."""

from __future__ import annotations

from typing import TypeVar

import pytest

from sipxd.call.call import Phase
from sipxd.call.click import ClickToCall
from sipxd.call.click_offerless import OfferlessClick
from sipxd.call.click_refer import ReferClick, ReferredCall
from sipxd.call.effects import (
    Accept,
    Answer,
    AnswerHeld,
    Effect,
    Identity,
    Offer,
    Record,
    Refer,
    ReferHome,
    Reject,
    Release,
    Remember,
    Ring,
    StopTimer,
    Target,
)
from sipxd.call.phones import Refusal
from sipxd.call.plan import Destination, ring_all
from sipxd.call.record import ClickFlow
from sipxd.sip import leg
from sipxd.sip.flow import Flow
from sipxd.sip.sdp import Direction

T = TypeVar("T")
TAKES_REFER = frozenset({"INVITE", "REFER"})


def sdp(port: int) -> bytes:
    return (
        "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 8\r\na=sendrecv\r\n"
    ).encode()


ALICE, BOB = sdp(1000), sdp(2000)


def destination(n: int, user: str = "") -> Destination:
    flow = Flow("UDP", "udp:192.0.2.1:5060", f"198.51.100.{n}", 5060)
    target = Target(f"sip:x@198.51.100.{n}", flow, user_agent=f"phone-{n}", user=user)
    return ring_all((target,), Identity("<sip:201@example.org>", "<sip:200@example.org>"), 20.0)


def offerless(*refusing: str) -> OfferlessClick:
    return OfferlessClick(
        destination(1),
        destination(2),
        refuses=lambda agent, what: what is Refusal.OFFERLESS and agent in refusing,
    )


def refer(*refusing: str, token: str = "f00d", only_known: bool = False) -> ReferClick:
    return ReferClick(
        destination(1),
        destination(2),
        refer_to="sip:201@example.org",
        token=token,
        only_known=only_known,
        refuses=lambda agent, what: what is Refusal.REFER and agent in refusing,
    )


def answered(call: ClickToCall, allows: frozenset[str] = TAKES_REFER) -> list[Effect]:
    """The user's phone answers."""
    call.start()
    call.leg_event("near-1", leg.Up("phone-1", allows))
    return call.leg_event("near-1", leg.Offered(ALICE))


def of(kind: type[T], effects: list[Effect]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


# -- offerless -------------------------------------------------------------------------------------


def test_offerless_invites_the_destination_without_an_offer() -> None:
    (ring,) = of(Ring, answered(offerless()))
    assert (ring.leg, ring.sdp, ring.held) == ("far-1", None, None)


def test_offerless_carries_the_destinations_offer_to_the_user_and_the_answer_back() -> None:
    call = offerless()
    answered(call)
    out = call.leg_event("far-1", leg.Offered(BOB))
    assert of(Offer, out) == [Offer("near-1", BOB)]
    out = call.leg_event("near-1", leg.Answered(ALICE, BOB))
    assert of(Answer, out) == [Answer("far-1", ALICE)]
    assert call.phase is Phase.BRIDGED


def test_offerless_ends_both_where_the_user_refuses() -> None:
    call = offerless()
    answered(call)
    call.leg_event("far-1", leg.Offered(BOB))
    out = call.leg_event("near-1", leg.OfferFailed(488, BOB))
    assert of(Reject, out) == [Reject("far-1", 488)]  # which is a held answer in the ACK
    assert {release.leg for release in of(Release, out)} == {"near-1", "far-1"}
    assert call.phase is Phase.ENDED


def test_offerless_tries_again_with_the_users_offer_and_remembers_why() -> None:
    call = offerless()
    answered(call)
    out = call.leg_event("far-1", leg.Refused(488, "no", "phone-2"))
    assert of(Remember, out) == [Remember("phone-2", Refusal.OFFERLESS)]
    assert [ring.sdp for ring in of(Ring, out)] == [ALICE]
    out = call.leg_event("far-1", leg.Refused(488, "no", "phone-2"))
    assert of(Ring, out) == [] and call.phase is Phase.ENDED


def test_offerless_offers_at_once_to_phones_that_are_known_to_want_it() -> None:
    (ring,) = of(Ring, answered(offerless("phone-2")))
    assert ring.sdp == ALICE


# -- refer -----------------------------------------------------------------------------------------


def test_the_phone_is_held_then_referred_and_nobody_else_rings() -> None:
    out = answered(refer())
    kinds = [type(effect) for effect in out]
    assert kinds.index(AnswerHeld) < kinds.index(ReferHome)
    (sent,) = of(ReferHome, out)
    assert (sent.leg, sent.token) == ("near-1", "f00d")
    assert of(Ring, out) == []


def test_beside_a_pbx_the_phone_is_referred_to_the_number() -> None:
    (sent,) = of(Refer, answered(refer(token="")))
    assert (sent.leg, sent.uri) == ("near-1", "sip:201@example.org")


def test_an_offer_before_refer_claims_to_send() -> None:
    call = refer()
    call.start()
    (again,) = of(Ring, call.leg_event("near-1", leg.Refused(488, "no", "phone-1")))
    assert again.held is Direction.SENDONLY


@pytest.mark.parametrize(
    ("only_known", "allows", "referred"),
    [
        (False, TAKES_REFER, True),
        (False, frozenset(), True),
        (False, frozenset({"INVITE"}), False),
        (True, TAKES_REFER, True),
        (True, frozenset(), False),
        (True, frozenset({"INVITE"}), False),
    ],
)
def test_phones_are_referred_by_what_they_say_they_take(
    only_known: bool, allows: frozenset[str], referred: bool
) -> None:
    call = refer(only_known=only_known)
    out = answered(call, allows)
    assert bool(of(ReferHome, out)) is referred
    assert bool(of(Ring, out)) is not referred
    assert call.flow is (ClickFlow.REFER if referred else ClickFlow.OFFER)


def test_phones_that_are_known_to_refuse_refer_are_not_asked() -> None:
    out = answered(refer("phone-1"))
    assert of(ReferHome, out) == []
    assert [ring.sdp for ring in of(Ring, out)] == [ALICE]


@pytest.mark.parametrize(("status", "remembered"), [(405, True), (501, True), (603, False)])
def test_a_refused_refer_becomes_an_offer(status: int, remembered: bool) -> None:
    call = refer()
    answered(call)
    out = call.leg_event("near-1", leg.ReferOutcome(status, "no", final=True))
    assert [ring.sdp for ring in of(Ring, out)] == [ALICE]
    assert Record("call.flow", {"flow": ClickFlow.OFFER}) in out
    assert bool(of(Remember, out)) is remembered


def test_a_lost_refer_rings_nobody_because_the_end_of_the_call_follows() -> None:
    call = refer()
    answered(call)
    assert call.leg_event("near-1", leg.ReferOutcome(408, "lost", final=True)) == []
    call.leg_event("near-1", leg.Ended(False, 408, "lost"))
    assert call.phase is Phase.ENDED


def test_a_failure_that_the_phone_tells_ends_the_call_with_it() -> None:
    call = refer()
    answered(call)
    call.leg_event("near-1", leg.ReferOutcome(202, "Accepted", final=False))
    out = call.leg_event("near-1", leg.ReferOutcome(503, "no way", final=True))
    (record,) = of(Record, out)
    assert record.changes["cause"].sentence == (
        "The user's phone could not make the call: 503 no way"
    )


def returned(offer: bytes | None = ALICE) -> ReferredCall:
    call = refer()
    answered(call)
    call.leg_event("near-1", leg.ReferOutcome(202, "Accepted", final=False))
    heir = call.came_back("return", offer)
    assert heir is not None
    assert call.came_back("return", offer) is None
    return heir


def test_the_returned_call_rings_the_destination_with_its_own_offer() -> None:
    assert [ring.sdp for ring in of(Ring, returned(BOB).start())] == [BOB]
    assert [ring.sdp for ring in of(Ring, returned(None).start())] == [None]


def test_the_first_call_is_ended_when_the_phone_has_told_of_its_success_or_by_a_timer() -> None:
    for tell in (True, False):
        call = returned()
        call.start()
        out = call.leg_event("far-1", leg.Answered(BOB))
        assert of(Accept, out) and of(Release, out) == []
        if tell:
            out = call.leg_event("near-1", leg.ReferOutcome(200, "OK", final=True))
        else:
            out = call.timer("refer")
        assert of(Release, out) == [Release("near-1")]
        assert call.phase is Phase.BRIDGED
        assert call.leg_event("near-1", leg.Ended(True, 200, "late")) == []


def test_the_end_of_the_first_call_does_not_end_the_second() -> None:
    call = returned()
    call.start()
    assert call.leg_event("near-1", leg.Ended(True, 200, "Hung up.")) == [StopTimer("refer")]
    out = call.leg_event("far-1", leg.Answered(BOB))
    assert of(Accept, out) and call.phase is Phase.BRIDGED
    (record,) = of(Record, out)
    assert record.now == ("bridged",)  # the user was there before
