"""What telephones written by others have in common, and two of them in a call with each other."""

from __future__ import annotations

from typing import Protocol

import attrs
from daemon import Client, until
from rtp import rtp_flows

SECONDS = 0.6
"""How long RTP is counted. At 50 packets a second each way that makes 30."""
ENOUGH = 20


class Telephone(Protocol):
    """A program that is a telephone: what a person does with it, and sees of it."""

    def dial(self, uri: str) -> None: ...
    def accept(self) -> None: ...
    def hang_up(self) -> None: ...
    def hold(self) -> None: ...
    def resume(self) -> None: ...
    def is_ringing(self) -> bool: ...
    def is_in_call(self) -> bool: ...
    def has_no_call(self) -> bool: ...
    def owns(self, port: int) -> bool: ...
    def trace(self) -> str: ...
    def stop(self) -> None: ...


@attrs.frozen
class Phones:
    """The user's phone and the other one, both registered, and the user's HTTPS connection."""

    a: Telephone
    b: Telephone
    b_name: str
    client: Client

    def flows(self) -> tuple[int, int]:
        """RTP packets straight from A to B, and from B to A, within `SECONDS`."""
        a_to_b = b_to_a = 0
        for (source, target), count in rtp_flows(SECONDS).items():
            if self.a.owns(source) and self.b.owns(target):
                a_to_b += count
            elif self.b.owns(source) and self.a.owns(target):
                b_to_a += count
            else:
                mine = self.a.owns(source) or self.b.owns(source)
                assert not mine, f"{count} packets from {source} to {target}"
        return a_to_b, b_to_a

    def bridged(self, flow: str = "") -> str:
        """Click-to-call; B picks up when it rings, and both talk. Returns the call's id."""
        call = self.client.call(self.b_name, flow=flow).call
        until(self.b.is_ringing, "the other phone to ring")
        self.b.accept()
        self.talk()
        self.client.wait_state(call, "bridged")
        return call

    def hold(self, holder: str) -> None:
        """The phone `holder` (a or b) puts the other one on hold, which therefore falls silent.

        The holder itself may go on sending: linphone does, its music.
        """
        (self.a if holder == "a" else self.b).hold()
        until(lambda: self.flows()["ba".index(holder)] == 0, "the held phone to be silent")
        assert self.a.is_in_call()
        assert self.b.is_in_call()

    def talk(self) -> None:
        """Both are in the call, and media flows both ways at full rate."""
        until(lambda: self.a.is_in_call() and self.b.is_in_call(), "both phones to be in the call")
        until(lambda: min(self.flows()) >= ENOUGH, "RTP in both directions")

    def are_silent(self) -> None:
        """Neither phone sends any media."""
        until(lambda: self.flows() == (0, 0), "silence")

    def are_free(self) -> None:
        """Neither phone is in a call any more, and no media flows."""
        until(lambda: self.a.has_no_call() and self.b.has_no_call(), "both calls to end")
        self.are_silent()
