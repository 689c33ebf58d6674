"""Forwardings as values."""

from __future__ import annotations

from sipxd.directory.forwarding import Forwarding, Ring, Rule


def test_what_used_a_schedule_that_is_gone_holds_always() -> None:
    forwarding = Forwarding(
        rings=(Ring("1", schedule=7), Ring("2", schedule=8)),
        rules=(Rule(number="3", schedule=7), Rule(number="4")),
    )
    left = forwarding.without_schedule(7)
    assert [ring.schedule for ring in left.rings] == [None, 8]
    assert [rule.schedule for rule in left.rules] == [None, None]
    assert left.without_schedule(7) == left
