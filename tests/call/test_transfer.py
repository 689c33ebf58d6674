"""Parties of a bridged call change: the machine on plain data, and in any order of events."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipxd.call.call import Phase
from sipxd.call.effects import (
    Accept,
    AcceptReferral,
    AnswerHeld,
    AskOffer,
    AskReferral,
    Effect,
    Identity,
    NotifyReferral,
    Offer,
    Record,
    Refuse,
    RefuseReferral,
    Reject,
    Release,
    Respond,
    Ring,
    Target,
)
from sipxd.call.phone import PhoneCall
from sipxd.call.plan import Destination, ring_all
from sipxd.call.transferable import MAXIMUM_CHANGES
from sipxd.sip import leg
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request
from sipxd.sip.referral import Replaces


def sdp(port: int, direction: str = "sendrecv") -> bytes:
    return (
        "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 8\r\na={direction}\r\n"
    ).encode()


def target(n: int, user: str = "") -> Target:
    flow = Flow("UDP", "udp:192.0.2.1:5060", f"198.51.100.{n}", 5060)
    return Target(f"sip:x@198.51.100.{n}", flow, user=user)


IDENTITY = Identity("<sip:200@example.org>", "<sip:201@example.org>")
NEAR, FAR, THIRD, FOURTH = sdp(1000), sdp(2000), sdp(3000), sdp(4000)
REPLACES = Replaces("a", "b", "c")
INFO = Request("INFO", "sip:x@y", headers=[])


def bridged(user: str = "200", callee: str = "201") -> PhoneCall:
    call = PhoneCall("near", NEAR, ring_all((target(1, callee),), IDENTITY, 20.0), user)
    call.start()
    call.leg_event("far-1", leg.Answered(FAR))
    assert call.phase is Phase.BRIDGED
    return call


def third(*users: str) -> Destination:
    targets = tuple(target(n, user) for n, user in enumerate(users or ("202",), 3))
    return ring_all(targets, IDENTITY, 20.0)


def referred(call: PhoneCall, who: str = "near", key: str = "in-1") -> list[Effect]:
    return call.leg_event(who, leg.Referred(key, "sip:202@example.org"))


def ringing(who: str = "near") -> PhoneCall:
    """A transfer is under way, and its target rings as ``transfer-1.1``."""
    call = bridged()
    referred(call, who)
    call.transfer("in-1", third(), "202")
    return call


def of(effects: list[Effect], kind: type) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def test_a_party_that_refers_is_accepted_and_asked_for_by_the_name_of_its_user() -> None:
    call = bridged()
    assert referred(call) == [
        AcceptReferral("near", "in-1"),
        AskReferral("near", "in-1", "200", "far-1", "sip:202@example.org", None),
    ]
    call = bridged()
    event = leg.Referred("in-7", "sip:202@example.org", REPLACES)
    (ask,) = of(call.leg_event("far-1", event), AskReferral)
    assert (ask.user, ask.staying, ask.replaces) == ("201", "near", REPLACES)


@pytest.mark.parametrize(("user", "callee", "who"), [("", "201", "near"), ("200", "", "far-1")])
def test_an_outside_party_does_not_transfer_at_our_cost(user: str, callee: str, who: str) -> None:
    (refused,) = referred(bridged(user, callee), who)
    assert isinstance(refused, RefuseReferral)
    assert refused.status == 403


def test_before_the_bridge_nobody_transfers() -> None:
    call = PhoneCall("near", NEAR, third(), "200")
    call.start()
    assert referred(call) == [RefuseReferral("near", "in-1", 491)]


def test_one_change_is_under_way_at_a_time() -> None:
    call = ringing()
    assert referred(call, "far-1", "in-2") == [RefuseReferral("far-1", "in-2", 491)]
    assert call.replace("near", "transfer-9", NEAR, "200") == [
        Refuse("transfer-9", 491, "Request Pending")
    ]


def test_the_target_is_rung_with_what_the_staying_party_said() -> None:
    call = bridged()
    call.leg_event("near", leg.Offered(sdp(1000, "sendonly")))
    call.leg_event("far-1", leg.Answered(sdp(2000, "recvonly"), sdp(1000, "sendonly")))
    referred(call)
    (ring,) = of(call.transfer("in-1", third(), "202"), Ring)
    assert ring.leg == "transfer-1.1"
    assert b"m=audio 2000" in ring.sdp and b"a=recvonly" not in ring.sdp


def test_the_target_answers_and_takes_the_side_of_who_referred() -> None:
    call = ringing()
    assert call.leg_event("transfer-1.1", leg.Progress(180)) == [
        NotifyReferral("near", "in-1", 180, "", final=False)
    ]
    assert call.leg_event("transfer-1.1", leg.Progress(180)) == []
    out = call.leg_event("transfer-1.1", leg.Answered(THIRD))
    assert NotifyReferral("near", "in-1", 200, "OK", final=True) in out
    assert [e.leg for e in of(out, Release)] == ["near"]
    assert Offer("far-1", THIRD) in out
    (step,) = of(out, Record)
    assert (step.kind, step.data) == (
        "call.transferred",
        {"party": "caller", "by": "200", "to": "202"},
    )
    assert call.leg_event("far-1", leg.Answered(FAR, THIRD)) == []
    assert (call.near, call.far) == ("transfer-1.1", "far-1")
    # the new party can transfer in its turn
    (ask,) = of(referred(call, "transfer-1.1", "in-2"), AskReferral)
    assert ask.user == "202"
    call.transfer("in-2", third("203"), "203")
    call.leg_event("transfer-2.1", leg.Answered(FOURTH))
    ended = call.leg_event("transfer-2.1", leg.Ended(True, 200, "bye"))
    assert {e.leg for e in of(ended, Release)} >= {"transfer-2.1", "far-1"}


def test_the_far_party_is_replaced_on_its_own_side() -> None:
    call = ringing("far-1")
    out = call.leg_event("transfer-1.1", leg.Answered(THIRD))
    assert Offer("near", THIRD) in out
    assert (call.near, call.far) == ("near", "transfer-1.1")


def test_of_several_phones_of_the_target_one_wins() -> None:
    call = bridged()
    referred(call)
    out = call.transfer("in-1", third("202", "202"), "202")
    assert len(of(out, Ring)) == 2
    out = call.leg_event("transfer-1.2", leg.Answered(THIRD))
    assert {e.leg for e in of(out, Release)} == {"transfer-1.1", "near"}
    assert call.leg_event("transfer-1.1", leg.Answered(FOURTH)) == [Release("transfer-1.1")]


def test_a_refusal_is_told_and_the_call_goes_on() -> None:
    call = ringing()
    out = call.leg_event("transfer-1.1", leg.Refused(486, "Busy"))
    assert NotifyReferral("near", "in-1", 486, "Busy", final=True) in out
    assert call.phase is Phase.BRIDGED and call.partner_of("near") == "far-1"


def test_the_ring_time_of_the_target_is_limited() -> None:
    call = ringing()
    out = call.timer("ring:transfer-1.1")
    assert of(out, NotifyReferral)[0].status == 408
    assert Release("transfer-1.1") in out


def test_a_referral_that_leads_nowhere_is_told() -> None:
    call = bridged()
    referred(call)
    out = call.refuse_transfer("in-1", 403, "Forbidden: no")
    assert of(out, NotifyReferral) == [
        NotifyReferral("near", "in-1", 403, "Forbidden: no", final=True)
    ]
    assert call.refuse_transfer("in-1", 403, "") == []
    assert call.transfer("in-1", third(), "202") == []
    assert call.partner_of("near") == "far-1"


def test_who_referred_hangs_up_and_the_search_goes_on() -> None:
    call = ringing()
    assert call.leg_event("near", leg.Ended(True, 200, "bye")) == []
    assert call.leg_event("far-1", leg.Offered(sdp(2002))) == [AnswerHeld("far-1")]
    relay = leg.Relay("in-5", INFO)
    assert call.leg_event("far-1", relay) == [Respond("far-1", "in-5", leg.Relayed("in-5", 480))]
    out = call.leg_event("transfer-1.1", leg.Answered(THIRD))
    assert Offer("far-1", THIRD) in out


def test_who_referred_hangs_up_with_an_offer_unanswered() -> None:
    call = ringing()
    call.leg_event("far-1", leg.Offered(sdp(2002)))
    assert call.leg_event("near", leg.Ended(True, 200, "bye")) == [AnswerHeld("far-1")]


def test_who_referred_hung_up_and_nobody_comes() -> None:
    call = ringing()
    call.leg_event("near", leg.Ended(True, 200, "bye"))
    out = call.leg_event("transfer-1.1", leg.Refused(486, "Busy"))
    assert Release("far-1", of(out, Release)[-1].headers) in out
    assert call.phase is Phase.ENDED


def test_the_staying_party_hangs_up_and_everything_ends() -> None:
    call = ringing()
    out = call.leg_event("far-1", leg.Ended(True, 200, "bye"))
    assert of(out, NotifyReferral)[0].status == 487
    assert {e.leg for e in of(out, Release)} >= {"near", "far-1", "transfer-1.1"}
    assert out.index(of(out, NotifyReferral)[0]) < out.index(
        next(e for e in of(out, Release) if e.leg == "near")
    )


def test_an_offer_under_way_is_refused_when_its_partner_leaves() -> None:
    call = ringing()
    call.leg_event("far-1", leg.Offered(sdp(2002)))
    out = call.leg_event("transfer-1.1", leg.Answered(THIRD))
    assert Reject("far-1", 491) in out
    assert out.index(Reject("far-1", 491)) < out.index(Offer("far-1", THIRD))


def test_a_relayed_request_is_answered_when_its_partner_leaves() -> None:
    call = ringing()
    call.leg_event("far-1", leg.Relay("in-5", INFO))
    out = call.leg_event("transfer-1.1", leg.Answered(THIRD))
    assert [e.relayed.status for e in of(out, Respond)] == [480]


def test_a_late_answer_of_a_leg_of_an_earlier_transfer_is_hung_up() -> None:
    call = ringing()
    call.timer("ring:transfer-1.1")
    assert call.leg_event("transfer-1.1", leg.Answered(THIRD)) == [Release("transfer-1.1")]
    assert call.leg_event("transfer-1.1", leg.Progress(180)) == []


def test_a_call_is_transferred_only_so_often() -> None:
    call = bridged()
    for number in range(MAXIMUM_CHANGES):
        assert of(referred(call, call.near, f"in-{number}"), AcceptReferral)
        call.refuse_transfer(f"in-{number}", 404, "")
    assert referred(call) == [RefuseReferral("near", "in-1", 482)]
    assert call.replace("near", call.new_leg(), THIRD, "200")[0] == Refuse(
        "transfer-101", 482, "Loop Detected"
    )


# -- a party of another call -------------------------------------------------------------------


def test_a_party_of_another_call_is_asked_for_an_offer_and_joined() -> None:
    giving = bridged("200", "202")
    out = giving.part_with("far-1", "Transferred.")
    assert [e.leg for e in of(out, Release)] == ["near"]
    (step,) = of(out, Record)
    assert step.kind == "call.ended" and step.changes["cause"].sentence == "Transferred."
    call = bridged()
    referred(call)
    out = call.take_over("in-1", "transfer-2", giving.said_by("far-1"), user="202", number="202")
    assert out[-1] == AskOffer("transfer-2")
    assert NotifyReferral("near", "in-1", 200, "OK", final=True) in out
    assert call.leg_event("transfer-2", leg.Offered(THIRD)) == [Offer("far-1", THIRD)]
    assert call.user_of("transfer-2") == "202"


def test_a_party_that_comes_too_late_is_hung_up() -> None:
    call = bridged()
    assert call.take_over("in-1", "transfer-2", FAR, user="", number="202") == [
        Release("transfer-2")
    ]


def test_a_call_that_parts_with_a_party_owes_it_nothing_any_more() -> None:
    call = bridged()
    call.leg_event("far-1", leg.Offered(sdp(2002)))
    call.leg_event("far-1", leg.Relay("in-5", INFO))
    out = call.part_with("far-1", "Transferred.")
    assert Reject("far-1", 491) in out
    assert len(of(out, Respond)) == 1


# -- Replaces ----------------------------------------------------------------------------------


def test_an_invite_takes_the_place_of_a_party() -> None:
    call = bridged()
    out = call.replace("near", "transfer-1", THIRD, "200")
    assert of(out, Offer) == [Offer("far-1", THIRD)]
    out = call.leg_event("far-1", leg.Answered(FAR, THIRD))
    assert Accept("transfer-1", FAR, "transfer-1") in out
    assert [e.leg for e in of(out, Release)] == ["near"]
    assert call.near == "transfer-1"
    assert call.leg_event("transfer-1", leg.Offered(FOURTH)) == [Offer("far-1", FOURTH)]


def test_an_invite_without_sdp_is_answered_with_an_offer_and_joined_by_its_ack() -> None:
    call = bridged()
    out = call.replace("near", "transfer-1", None, "200")
    assert b"m=audio 2000" in of(out, Accept)[0].sdp
    assert call.leg_event("transfer-1", leg.Updated(THIRD)) == [Offer("far-1", THIRD)]


def test_media_that_the_staying_party_refuses_leave_the_call_as_it_was() -> None:
    call = bridged()
    call.replace("near", "transfer-1", THIRD, "200")
    out = call.leg_event("far-1", leg.OfferFailed(488, THIRD))
    assert Refuse("transfer-1", 488, "") in out
    assert call.partner_of("near") == "far-1"


def test_a_replacement_that_is_given_up_is_undone() -> None:
    call = bridged()
    call.replace("near", "transfer-1", THIRD, "200")
    assert call.leg_event("transfer-1", leg.Ended(True, 487, "given up")) == []
    out = call.leg_event("far-1", leg.Answered(FAR, THIRD))
    assert Offer("far-1", NEAR) in out
    assert call.partner_of("near") == "far-1"


def test_the_replacement_waits_only_so_long() -> None:
    call = bridged()
    call.replace("near", "transfer-1", THIRD, "200")
    out = call.timer("replace")
    assert Refuse("transfer-1", 408, "") in out
    assert call.partner_of("near") == "far-1"


def test_the_replaced_party_may_hang_up_first() -> None:
    call = bridged()
    call.replace("near", "transfer-1", THIRD, "200")
    assert call.leg_event("near", leg.Ended(True, 200, "bye")) == []
    out = call.leg_event("far-1", leg.Answered(FAR, THIRD))
    assert Accept("transfer-1", FAR, "transfer-1") in out


def test_the_call_ends_while_a_replacement_waits() -> None:
    call = bridged()
    call.replace("near", "transfer-1", THIRD, "200")
    out = call.hang_up("api", "enough")
    assert Refuse("transfer-1", 480, "Temporarily Unavailable") in out
    assert call.replace("near", "transfer-2", THIRD, "200") == [
        Refuse("transfer-2", 491, "Request Pending")
    ]


# -- any order ---------------------------------------------------------------------------------

LEGS = st.sampled_from(
    ["near", "far-1", "transfer-1", "transfer-2", "transfer-1.1", "transfer-2.1", "transfer-3.1"]
)
BODIES = st.sampled_from([NEAR, FAR, THIRD, FOURTH, sdp(1000, "inactive"), b"x"])
STATUSES = st.sampled_from([403, 408, 486, 488, 491, 603])
EVENTS: st.SearchStrategy[leg.Event] = st.one_of(
    st.builds(leg.Progress, st.sampled_from([180, 183]), st.none() | BODIES),
    st.just(leg.Up()),
    st.builds(leg.Offered, BODIES),
    st.builds(leg.Answered, BODIES, st.none() | BODIES),
    st.builds(leg.OfferFailed, STATUSES, st.none() | BODIES),
    st.builds(leg.Updated, BODIES),
    st.builds(leg.Refused, STATUSES, st.just("no")),
    st.builds(leg.Ended, st.booleans(), st.just(200), st.just("over")),
    st.builds(leg.Relay, st.sampled_from(["in-1", "in-2"]), st.just(INFO)),
    st.builds(leg.Referred, st.just("in-1"), st.just("sip:202@x"), st.none() | st.just(REPLACES)),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), LEGS, EVENTS),
        st.tuples(st.just("event"), st.sampled_from(["near", "far-1"]), EVENTS),
        st.tuples(st.just("transfer")),
        st.tuples(st.just("refuse")),
        st.tuples(st.just("take over")),
        st.tuples(st.just("replace"), st.none() | BODIES),
        st.tuples(st.just("part")),
        st.tuples(st.just("timer"), st.sampled_from(["replace", "ring:transfer-1.1"])),
        st.tuples(st.just("hang up")),
    ),
    max_size=30,
)


@attrs.define
class Legs:
    """Which legs exist, as the runner would know it, and which referrals wait for a last word."""

    open: set[str]
    waiting: set[tuple[str, str]] = attrs.field(factory=set)
    asked: set[tuple[str, str]] = attrs.field(factory=set)
    given: str = ""

    def note(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ring(name):
                    assert name not in self.open, "a leg is rung once"
                    self.open.add(name)
                case Release(name) | Refuse(name):
                    assert name != self.given, "a leg that was given away is left alone"
                    self.open.discard(name)
                    self.waiting = {w for w in self.waiting if w[0] != name}
                case AcceptReferral(name, key):
                    self.asked.discard((name, key))
                    self.waiting.add((name, key))
                case RefuseReferral(name, key):
                    self.asked.discard((name, key))
                case NotifyReferral(name, key, _, _, final) if final:
                    self.waiting.discard((name, key))
                case _:
                    pass


@settings(max_examples=400)
@given(STEPS)
def test_whatever_happens_no_leg_and_no_question_is_left(steps: list[Any]) -> None:
    call = bridged()
    legs = Legs({"near", "far-1"})
    for step in steps:
        was = call.phase
        match step:
            case ("event", name, event):
                up = name in (call.near, call.far)
                if name not in legs.open or (up and isinstance(event, leg.Refused)):
                    continue
                if isinstance(event, leg.Referred):
                    legs.asked.add((name, event.key))
                out = call.leg_event(name, event)
                if isinstance(event, leg.Ended | leg.Refused):
                    legs.open.discard(name)
                    legs.waiting = {w for w in legs.waiting if w[0] != name}
                    legs.asked = {w for w in legs.asked if w[0] != name}
            case ("transfer",):
                out = call.transfer("in-1", third(), "202")
            case ("refuse",):
                out = call.refuse_transfer("in-1", 404, "no")
            case ("take over",):
                name = call.new_leg()
                legs.open.add(name)
                out = call.take_over("in-1", name, FAR, user="203", number="203")
            case ("replace", body):
                name = call.new_leg()
                legs.open.add(name)
                out = call.replace(call.near, name, body, "200")
            case ("part",):
                partner = call.partner_of(call.near)
                if partner is None:
                    continue
                out = call.part_with(partner, "gone")
                legs.given = partner
                legs.open.discard(partner)
            case ("timer", name):
                out = call.timer(name)
            case _:
                out = call.hang_up("api", "enough")
        legs.note(out)
        if was is Phase.ENDED:
            assert not of(out, Record)
        if call.phase is not Phase.ENDED and not legs.asked:
            assert {call.near, call.far} & legs.open
    legs.note(call.hang_up("api", "the end"))
    assert not legs.waiting
    left = {name for name in legs.open if name not in (call.near, call.far)}
    assert not left, "no leg is left over"
    assert not legs.open or call.phase is not Phase.ENDED
