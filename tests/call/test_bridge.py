"""The bridge: whose description is shown to whom, until both are right."""

from __future__ import annotations

from sipxd.call.bridge import Bridge, Joined, JoinFailed
from sipxd.call.effects import Answer, AskOffer, Offer, Reject, Withdraw


def sdp(port: int, *, codecs: str = "0 8", direction: str = "sendrecv") -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {codecs}\r\na={direction}\r\n"
    ).encode()


A, A2, B, B2 = sdp(1000), sdp(1002), sdp(2000), sdp(2002)


def waiting() -> Bridge:
    """As in click-to-call: a is held, b was called with a's offer."""
    bridge = Bridge("a", "b")
    bridge.said["a"] = A
    bridge.shown["b"] = A
    return bridge


def talking() -> Bridge:
    bridge = waiting()
    bridge.join("b", B)
    bridge.answered("a", A, B)
    return bridge


def test_a_join_shows_what_is_fresh_and_ends_when_the_answer_is_known_already() -> None:
    bridge = waiting()
    assert bridge.join("b", B) == [Offer("a", B)]
    assert bridge.answered("a", A, B) == [Joined()]


def test_a_shorter_list_of_codecs_in_the_answer_needs_no_second_round() -> None:
    bridge = waiting()
    bridge.join("b", B)
    assert bridge.answered("a", sdp(1000, codecs="0"), B) == [Joined()]


def test_a_new_address_in_the_answer_is_carried_back() -> None:
    bridge = waiting()
    bridge.join("b", B)
    assert bridge.answered("a", A2, B) == [Offer("b", A2)]
    assert bridge.answered("b", B, A2) == [Joined()]


def test_phones_that_never_agree_keep_the_call_after_two_rounds() -> None:
    bridge = waiting()
    bridge.join("b", B)
    assert bridge.answered("a", A2, B) == [Offer("b", A2)]
    assert bridge.answered("b", B2, A2) == [Offer("a", B2)]
    assert bridge.answered("a", sdp(1004), B2) == [Joined(mismatch=True)]


def test_what_a_preview_has_shown_already_is_not_offered_again() -> None:
    bridge = waiting()
    bridge.shown["a"] = B
    assert bridge.join("b", B) == [Joined()]


def test_an_answer_to_an_older_offer_does_not_end_the_join() -> None:
    bridge = waiting()
    bridge.join("b", B)
    assert bridge.answered("a", A, B2) == []
    assert bridge.answered("a", A, B) == [Joined()]


def test_a_refused_offer_fails_the_join() -> None:
    bridge = waiting()
    bridge.join("b", B)
    assert bridge.failed("a", 488, B) == [JoinFailed(488)]


def test_a_refused_second_round_keeps_the_call() -> None:
    bridge = waiting()
    bridge.join("b", B)
    bridge.answered("a", A2, B)
    assert bridge.failed("b", 488, A2) == [Joined(mismatch=True)]


def test_a_join_may_ask_for_the_offer() -> None:
    bridge = Bridge("a", "b")
    assert bridge.join("a") == [AskOffer("a")]
    assert bridge.offered("a", A) == [Offer("b", A)]
    assert bridge.answered("b", B, A) == [Answer("a", B), Joined()]


def test_where_asking_is_refused_the_last_description_is_offered() -> None:
    bridge = waiting()
    bridge.join("a")
    (offer,) = bridge.failed("a", 488, None)
    assert isinstance(offer, Offer) and offer.leg == "b"
    assert b"m=audio 1000" in offer.sdp


def test_a_hold_is_relayed_and_its_answer_brought_back() -> None:
    bridge = talking()
    hold = sdp(1000, direction="sendonly")
    held = sdp(2000, direction="recvonly")
    assert bridge.offered("a", hold) == [Offer("b", hold)]
    assert bridge.answered("b", held, hold) == [Answer("a", held)]


def test_what_came_by_update_goes_on_by_update() -> None:
    bridge = talking()
    hold = sdp(1000, direction="sendonly")
    assert bridge.offered("a", hold, update=True) == [Offer("b", hold, update=True)]


def test_a_refused_hold_is_refused_to_who_asked() -> None:
    bridge = talking()
    hold = sdp(1000, direction="sendonly")
    bridge.offered("a", hold)
    assert bridge.failed("b", 488, hold) == [Reject("a", 488)]


def test_two_holds_at_once_the_one_that_met_ours_goes_first() -> None:
    bridge = talking()
    hold_a, hold_b = sdp(1000, direction="sendonly"), sdp(2000, direction="sendonly")
    bridge.offered("a", hold_a)
    assert bridge.offered("b", hold_b) == [Withdraw("b"), Reject("a", 491), Offer("a", hold_b)]
    answer = sdp(1000, direction="inactive")
    assert bridge.answered("a", answer, hold_b) == [Answer("b", answer)]


def test_an_offer_of_the_leg_that_is_not_being_asked_waits_for_the_end_of_the_exchange() -> None:
    bridge = waiting()
    bridge.join("b", B)
    assert bridge.offered("b", B2) == []
    assert bridge.answered("a", A, B) == [Joined(), Offer("a", B2)]


def test_a_hold_during_the_join_stands_in_for_the_join() -> None:
    bridge = waiting()
    bridge.join("b", B)
    hold = sdp(1000, direction="sendonly")
    assert bridge.offered("a", hold) == [Withdraw("a"), Offer("b", hold)]
    held = sdp(2000, direction="recvonly")
    assert bridge.answered("b", held, hold) == [Answer("a", held), Joined()]


def test_who_held_meanwhile_is_told_to_the_other_side() -> None:
    bridge = waiting()
    bridge.join("b", B)
    holding = sdp(1000, direction="sendonly")
    assert bridge.answered("a", holding, B) == [Offer("b", holding)]


def test_a_change_outside_of_an_exchange_is_told_once() -> None:
    bridge = talking()
    assert bridge.updated("a", A) == []
    assert bridge.updated("a", A2) == [Offer("b", A2)]
