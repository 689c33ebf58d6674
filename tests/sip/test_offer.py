"""Whose turn it is to offer."""

from __future__ import annotations

from sipxd.sip.offer import Exchange, Intent, OfferAnswer

ONE, TWO = Intent(b"one"), Intent(b"two")
REFRESH = Intent(b"same", refresh=True)


def test_an_offer_goes_out_when_nothing_is_open() -> None:
    exchange = OfferAnswer()
    assert exchange.propose(ONE)
    assert exchange.state is Exchange.OFFER_SENT
    assert exchange.closed() == ONE
    assert exchange.state is Exchange.STABLE


def test_asking_is_an_exchange_too() -> None:
    exchange = OfferAnswer()
    assert exchange.propose(Intent(None))
    assert exchange.state is Exchange.ASKED


def test_one_waits_and_the_newest_wins() -> None:
    exchange = OfferAnswer()
    exchange.propose(ONE)
    assert not exchange.propose(ONE)
    assert not exchange.propose(TWO)
    assert exchange.next_intent() is None
    exchange.closed()
    assert exchange.next_intent() == TWO
    assert exchange.state is Exchange.OFFER_SENT
    assert exchange.queued is None


def test_what_is_blocked_waits_although_nothing_is_open() -> None:
    exchange = OfferAnswer()
    assert not exchange.propose(ONE, blocked=True)
    assert exchange.next_intent() == ONE


def test_a_refresh_waits_for_nobody_and_replaces_nobody() -> None:
    exchange = OfferAnswer()
    exchange.propose(ONE)
    assert not exchange.propose(REFRESH)
    exchange.closed()
    assert exchange.next_intent() is None
    exchange.propose(ONE, blocked=True)
    exchange.propose(REFRESH, blocked=True)
    assert exchange.next_intent() == ONE


def test_an_offer_replaces_a_refresh_that_waits() -> None:
    exchange = OfferAnswer()
    exchange.propose(REFRESH, blocked=True)
    exchange.propose(ONE, blocked=True)
    assert exchange.next_intent() == ONE


def test_the_peers_offer_keeps_ours_waiting() -> None:
    exchange = OfferAnswer()
    exchange.received()
    assert not exchange.propose(ONE)
    assert exchange.closed() is None
    assert exchange.next_intent() == ONE


def test_a_collision_puts_the_intent_back_until_the_back_off_is_over() -> None:
    exchange = OfferAnswer()
    exchange.propose(ONE)
    assert exchange.collided() == Intent(b"one", attempts=1)
    assert not exchange.propose(TWO)
    assert exchange.next_intent() is None
    exchange.backing_off = False
    assert exchange.next_intent() == TWO


def test_a_collision_gives_way_to_what_is_newer() -> None:
    exchange = OfferAnswer()
    exchange.propose(ONE)
    exchange.propose(TWO)
    assert exchange.collided() is None
    assert exchange.queued == TWO


def test_what_waits_can_be_withdrawn_and_what_is_open_not() -> None:
    exchange = OfferAnswer()
    exchange.propose(ONE)
    exchange.propose(TWO)
    exchange.withdraw()
    assert exchange.closed() == ONE
    assert exchange.next_intent() is None
