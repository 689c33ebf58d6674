"""What most scenarios have in common: two users with a phone each, and their usual parts."""

from __future__ import annotations

import attrs
from daemon import Client
from sipp import Phone
from steps import OFFERLESS, answer, has, invited, lacks, receive, reply, sdp

RING_TIMEOUT = 3
"""Seconds a phone may ring in the daemon that most tests share."""
TRUSTED = "127.0.0.5"
"""The address of a trusted peer of that daemon."""


@attrs.frozen
class Pair:
    """Two users with a registered phone each, and the first one's HTTPS connection."""

    caller: Phone
    callee: Phone
    client: Client

    def call(self) -> str:
        """Start the call; returns its id."""
        answer = self.client.call(self.callee.user)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.call

    def finish(self) -> None:
        """Both phones went through their scenarios."""
        try:
            self.caller.finish()
        except AssertionError as error:
            # What the other phone saw explains it more often than not.
            raise AssertionError(f"{error}\n--- other phone\n{self.callee.messages()}") from None
        try:
            self.callee.finish()
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- other phone\n{self.caller.messages()}") from None


def picked_up(phone: Phone, *, ringing: bool = True) -> str:
    """The caller's phone is asked for an offer, rings, answers, and is held at once."""
    return (
        invited(OFFERLESS)
        + (answer(180) if ringing else "")
        + answer(200, body=sdp(phone.media))
        + receive("ACK", has("a=inactive", "body"), has("m=audio [1-9]", "body"))
    )


def joined(phone: Phone, other: Phone, *, media: int = 0) -> str:
    """The caller's phone is offered the other one's media, and takes it."""
    return (
        receive("INVITE", has(f"m=audio {media or other.media} ", "body"))
        + reply(200, body=sdp(phone.media, version=2))
        + receive("ACK")
    )


def offered(other: Phone) -> str:
    """The callee's phone is called with the offer of the caller's phone."""
    return invited(
        has(f"m=audio {other.media} ", "body"),
        lacks("a=(inactive|sendonly|recvonly)", "body"),
        has("[0-9]", "Max-Forwards"),
    )


def answered_by(phone: Phone, other: Phone) -> str:
    """The callee's phone is called, rings and answers."""
    return offered(other) + answer(180) + answer(200, body=sdp(phone.media)) + receive("ACK")
