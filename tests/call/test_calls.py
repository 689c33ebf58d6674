"""The call machines, driven with arbitrary events in arbitrary order, also after the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sipxd.call.call import Call, Phase
from sipxd.call.click import ClickToCall
from sipxd.call.click_offer import OfferClick
from sipxd.call.click_offerless import OfferlessClick
from sipxd.call.click_refer import ReferClick
from sipxd.call.effects import (
    Accept,
    Answer,
    AnswerHeld,
    Effect,
    Identity,
    Offer,
    Record,
    Refuse,
    Reject,
    Release,
    Respond,
    Ring,
    Target,
)
from sipxd.call.phone import PhoneCall
from sipxd.call.phones import Refusal
from sipxd.call.plan import Destination, ring_all
from sipxd.sip import leg
from sipxd.sip.flow import Flow
from sipxd.sip.message import Request
from sipxd.sip.sdp import Direction


def sdp(port: int, direction: str = "sendrecv") -> bytes:
    return (
        "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 8\r\na={direction}\r\n"
    ).encode()


def target(n: int) -> Target:
    flow = Flow("UDP", "udp:192.0.2.1:5060", f"198.51.100.{n}", 5060)
    return Target(f"sip:x@198.51.100.{n}", flow, user_agent=f"phone-{n}")


IDENTITY = Identity("<sip:200@example.org>", "<sip:201@example.org>")
TONE = target(9)


def destination(first: int) -> Destination:
    return ring_all((target(first), target(first + 1)), IDENTITY, 20.0)


def phone_two_wants_sdp(user_agent: str, refusal: Refusal) -> bool:
    return refusal is Refusal.OFFERLESS and user_agent == "phone-2"


def offerless_click() -> OfferlessClick:
    return OfferlessClick(
        destination(1),
        destination(3),
        refuses=phone_two_wants_sdp,
        ringback=TONE,
        busy_tone=TONE,
    )


def refer_click(token: str = "f00d", *, only_known: bool = False) -> ReferClick:
    return ReferClick(
        destination(1),
        destination(3),
        refer_to="sip:201@example.org",
        token=token,
        only_known=only_known,
        refuses=phone_two_wants_sdp,
        ringback=TONE,
        busy_tone=TONE,
    )


def referred_elsewhere() -> ReferClick:
    return refer_click(token="")


def click() -> OfferClick:
    return OfferClick(
        destination(1),
        destination(3),
        refuses=phone_two_wants_sdp,
        ringback=TONE,
        busy_tone=TONE,
    )


BODIES = st.sampled_from([sdp(1000), sdp(1002), sdp(1000, "sendonly"), sdp(1000, "inactive"), b"x"])
OWN = sdp(1000)
UP = leg.Up("phone-1", frozenset({"INVITE", "REFER"}))
STATUSES = st.sampled_from([302, 401, 404, 408, 415, 486, 487, 488, 491, 503, 603])
INFO = Request("INFO", "sip:x@y", headers=[])
EVENTS: st.SearchStrategy[leg.Event] = st.one_of(
    st.builds(leg.Progress, st.sampled_from([180, 183]), st.none() | BODIES),
    st.builds(leg.Up, st.just("phone-1"), st.sampled_from([frozenset(), frozenset({"REFER"})])),
    st.builds(
        leg.ReferOutcome,
        st.sampled_from([100, 202, 200, 405, 481, 486]),
        st.just(""),
        st.booleans(),
    ),
    st.builds(leg.Offered, BODIES),
    st.builds(leg.Answered, BODIES, st.none() | BODIES),
    st.builds(leg.OfferFailed, STATUSES, st.none() | BODIES),
    st.builds(leg.Updated, BODIES),
    st.builds(leg.Refused, STATUSES, st.just("no"), st.sampled_from(["", "phone-1"])),
    st.builds(leg.Ended, st.booleans(), st.sampled_from([200, 408]), st.just("over")),
    st.builds(leg.Relay, st.sampled_from(["in-1", "in-2"]), st.just(INFO)),
    st.builds(leg.Relayed, st.sampled_from(["near-1>in-1", "far-1>in-1", "?"]), STATUSES),
)
LEGS = st.sampled_from(
    [
        "near",
        "near-1",
        "near-2",
        "far-1",
        "far-2",
        "tone-1",
        "tone-2",
        "return",
    ]
)
TIMERS = st.sampled_from(
    ["ring:near-1", "ring:near-2", "ring:far-1", "ring:far-2", "busy", "refer", "?"]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), LEGS, EVENTS),
        st.tuples(st.just("timer"), TIMERS),
        st.tuples(st.just("hang up")),
        st.tuples(st.just("return"), st.none() | BODIES),
    ),
    max_size=25,
)


class Legs:
    """Which legs exist, as the runner would know it."""

    def __init__(self, incoming: str | None) -> None:
        self.open = {incoming} if incoming else set()
        self.refused: set[str] = set()
        self.kinds: list[str] = []

    def note(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ring(name):
                    assert name not in self.open, "a leg is rung once"
                    self.open.add(name)
                case Release(name) | Refuse(name):
                    self.open.discard(name)
                case Record(kind):
                    self.kinds.append(kind)
                case _:
                    pass


def drive(call: Any, steps: list[Any], incoming: str | None) -> None:
    legs = Legs(incoming)
    legs.note(call.start())
    for step in steps:
        ended = call.phase is Phase.ENDED
        match step:
            case ("event", name, event):
                if name not in legs.open and not ended:
                    continue  # there is no such leg to tell anything
                if isinstance(event, leg.Refused | leg.Ended):
                    legs.open.discard(name)
                effects = call.leg_event(name, event)
            case ("timer", name):
                effects = call.timer(name)
            case ("return", offer):
                heir = call.came_back("return", offer) if isinstance(call, ReferClick) else None
                if heir is None:
                    continue
                call = heir
                legs.open.add("return")
                effects = call.start()
            case _:
                effects = call.hang_up("api", "Ended by the test.")
        legs.note(effects)
        if ended:
            kinds = (Release, Respond)
            assert all(isinstance(effect, kinds) for effect in effects), effects
    legs.note(call.hang_up("api", "At last."))
    assert call.phase is Phase.ENDED
    assert legs.open == set(), "every leg that was rung is released"
    assert legs.kinds.count("call.ended") == 1 and legs.kinds[-1] == "call.ended"
    assert legs.kinds.count("call.bridged") <= 1
    assert legs.kinds.count("call.answered") <= 1


@settings(max_examples=600, deadline=None)
@given(STEPS, st.sampled_from([click, offerless_click, refer_click, referred_elsewhere]))
def test_a_click_to_call_ends_once_and_leaves_no_leg_whatever_happens(
    steps: list[Any], make: Callable[[], ClickToCall]
) -> None:
    drive(make(), steps, None)


@settings(max_examples=600, deadline=None)
@given(STEPS, st.sampled_from([click, offerless_click, refer_click, referred_elsewhere]))
def test_a_click_to_call_whose_user_is_there_ends_once_and_leaves_no_leg(
    steps: list[Any], make: Callable[[], ClickToCall]
) -> None:
    drive(make(), [("event", "near-1", UP), ("event", "near-1", leg.Offered(OWN)), *steps], None)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_a_call_from_a_phone_ends_once_and_leaves_no_leg_whatever_happens(
    steps: list[Any], offerless: bool
) -> None:
    offer = None if offerless else sdp(900)
    drive(PhoneCall("near", offer, destination(3)), steps, "near")


def answered_near(call: Call) -> list[Effect]:
    call.start()  # type: ignore[attr-defined]
    return call.leg_event("near-1", leg.Offered(sdp(1000)))


def test_the_first_phone_is_held_before_the_destination_rings() -> None:
    call = click()
    kinds = [type(effect) for effect in answered_near(call)]
    assert kinds.index(AnswerHeld) < kinds.index(Ring)


def test_the_destination_is_offered_what_the_callers_phone_offered() -> None:
    call = click()
    rings = [effect for effect in answered_near(call) if isinstance(effect, Ring)]
    assert [ring.sdp for ring in rings] == [sdp(1000), sdp(1000)]


def test_a_phone_that_answered_our_held_offer_is_offered_on_without_its_inactive() -> None:
    call = click()
    call.start()
    effects = call.leg_event("near-2", leg.Answered(sdp(1000, "inactive")))
    (ring, _) = (effect for effect in effects if isinstance(effect, Ring))
    assert ring.sdp is not None and b"a=inactive" not in ring.sdp


def test_a_phone_known_to_want_sdp_gets_it_at_once() -> None:
    rings = [effect for effect in click().start() if isinstance(effect, Ring)]
    assert [ring.held for ring in rings] == [None, Direction.INACTIVE]


def test_every_offer_of_a_leg_gets_an_answer_or_a_refusal() -> None:
    call = PhoneCall("near", sdp(900), destination(3))
    call.start()
    out = call.leg_event("far-1", leg.Answered(sdp(1000)))
    assert any(isinstance(effect, Accept) for effect in out)
    call.leg_event("near", leg.Offered(sdp(900, "sendonly")))
    out = call.leg_event("far-1", leg.OfferFailed(488, sdp(900, "sendonly")))
    assert out == [Reject("near", 488)]
    call.leg_event("near", leg.Offered(sdp(902)))
    out = call.leg_event("far-1", leg.Answered(sdp(1000), sdp(902)))
    assert out == [Answer("near", sdp(1000))]


def test_media_that_the_caller_changes_before_the_answer_reaches_who_answers() -> None:
    call = PhoneCall("near", sdp(900), destination(3))
    call.start()
    call.leg_event("far-1", leg.Progress(183, sdp(1000)))
    assert call.leg_event("near", leg.Updated(sdp(902))) == [Offer("far-1", sdp(902), update=True)]
    out = call.leg_event("far-1", leg.Answered(sdp(1000)))
    assert out[-1] == Offer("far-1", sdp(902))
    assert call.leg_event("far-1", leg.Answered(sdp(1000), sdp(902))) == []


def test_an_answer_to_new_early_media_is_the_callers_description() -> None:
    call = PhoneCall("near", sdp(900), destination(3))
    call.start()
    assert call.leg_event("near", leg.Answered(sdp(902), sdp(1000))) == []
    assert call.leg_event("far-1", leg.Answered(sdp(1000)))[-1] == Offer("far-1", sdp(902))
