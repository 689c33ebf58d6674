"""Two baresip phones, registered over UDP: real media, counted on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from baresip import Baresip
from daemon import Client, Daemon, until
from rtp import rtp_flows

SECONDS = 0.6
"""How long RTP is counted. At 50 packets a second each way that makes 30."""


@attrs.frozen
class Phones:
    """The user's phone and the other one, both registered."""

    a: Baresip
    b: Baresip
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

    def talk(self) -> None:
        """Both are in the call, and media flows both ways at full rate."""
        until(lambda: self.a.is_in_call() and self.b.is_in_call(), "both phones to be in the call")
        until(lambda: min(self.flows()) >= 20, "RTP in both directions")

    def are_silent(self) -> None:
        """Neither phone sends any media."""
        until(lambda: self.flows() == (0, 0), "silence")

    def are_free(self) -> None:
        """Neither phone is in a call any more, and no media flows."""
        until(lambda: self.a.has_no_call() and self.b.has_no_call(), "both calls to end")
        self.are_silent()


@pytest.fixture
def phones(
    daemon: Daemon, new_user: Callable[[], str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Phones]:
    """A's phone answers by itself, B's when it is told to (other ways by parameter)."""
    names = new_user(), new_user()
    modes = getattr(request, "param", ("auto", "manual"))
    started: list[Baresip] = []
    try:
        for name, mode in zip(names, modes, strict=True):
            started.append(
                Baresip(
                    tmp_path / name,
                    name,
                    daemon.domain,
                    registrar=daemon.sip_address,
                    password=daemon.sip_password(name),
                    answer=mode,
                )
            )
        client = daemon.client(names[0])
        yield Phones(*started, names[1], client)
        client.hang_up_all()
    finally:
        for phone in started:
            phone.stop()


@pytest.mark.parametrize("phones", [("manual", "manual")], indirect=True)
def test_users_phone_rings_first_then_the_other_and_both_talk(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.a.is_ringing, "the user's phone to ring")
    assert phones.b.has_no_call()
    phones.a.command("accept")
    until(phones.b.is_ringing, "the other phone to ring")
    phones.client.wait_state(call, "ringing-callee")
    phones.are_silent()
    phones.b.command("accept")
    phones.talk()
    phones.client.wait_state(call, "bridged")
    phones.a.command("hangup")
    phones.are_free()
    record = phones.client.wait_state(call, "ended")
    assert record["cause"]["who"] == "caller"
    assert not record["media_mismatch"]


def _bridged(phones: Phones) -> str:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.command("accept")
    phones.talk()
    return call


@pytest.mark.parametrize("holder", ["a", "b"])
def test_hold_and_resume(phones: Phones, holder: str) -> None:
    _bridged(phones)
    phone = phones.a if holder == "a" else phones.b
    phone.command("hold")
    phones.are_silent()
    assert phones.a.is_in_call()
    assert phones.b.is_in_call()
    phone.command("resume")
    phones.talk()
    phone.command("hangup")
    phones.are_free()


def test_callee_hangs_up(phones: Phones) -> None:
    call = _bridged(phones)
    phones.b.command("hangup")
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "callee"


def test_delete_hangs_both_up(phones: Phones) -> None:
    call = _bridged(phones)
    assert phones.client.ask("DELETE", f"/v1/calls/{call}").status // 100 == 2
    phones.are_free()
    assert phones.client.wait_state(call, "ended")["cause"]["who"] == "api"


def test_callee_declines(phones: Phones) -> None:
    call = phones.client.call(phones.b_name).call
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.command("hangup")
    phones.are_free()
    cause = phones.client.wait_state(call, "ended")["cause"]
    assert (cause["leg"], cause["code"]) == ("callee", 486)


@pytest.mark.parametrize("phones", [("auto", "early")], indirect=True)
def test_early_media_then_answer(phones: Phones) -> None:
    """A sends to B's early media already; baresip as B sends only from its answer on."""
    call = phones.client.call(phones.b_name).call
    until(lambda: phones.flows()[0] >= 20, "A's media to B's early session")
    phones.client.wait_state(call, "ringing-callee")
    phones.b.command("accept")
    phones.talk()
    phones.a.command("hangup")
    phones.are_free()


@pytest.mark.parametrize("by", ["a", "b"])
def test_direct_call(daemon: Daemon, phones: Phones, by: str) -> None:
    phones.a.command("dial", f"sip:{phones.b_name}@{daemon.domain}")
    until(phones.b.is_ringing, "the other phone to ring")
    phones.b.command("accept")
    phones.talk()
    phones.b.command("hold")
    phones.are_silent()
    phones.b.command("resume")
    phones.talk()
    (phones.a if by == "a" else phones.b).command("hangup")
    phones.are_free()
