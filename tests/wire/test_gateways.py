"""Gateways on the wire: what they are sent, which one is tried, and who gets the password.

SIPp plays the gateways, each at an address of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import Client, Daemon, free_port, until
from sipp import Phone, Sipp
from steps import (
    OFFERLESS,
    answer,
    answered,
    call_unasked,
    expect,
    hang_up,
    has,
    hung_up,
    invited,
    lacks,
    pause,
    receive,
    reply,
    sdp,
)

ONE, TWO, GONE, PROVIDER, ASKED = (f"127.0.0.{n}" for n in range(31, 36))
SECRET = "gateway-Secret-Vx7"
INCOMING = "4100"

CHALLENGE = 'WWW-Authenticate: Digest realm="{}", nonce="n1", qop="auth"'
NO_CREDENTIALS = lacks("[Aa]uthorization: Digest")


_names = itertools.count(4101)


class Trunks:
    """A daemon with one user, his phone, and two gateways."""

    def __init__(self, daemon: Daemon, directory: Path, ports: dict[str, int]) -> None:
        self.user = daemon.add_user(str(next(_names)))
        self.phone = Phone(directory, daemon, self.user).register()
        self.one = Phone(directory, daemon, "one", ONE)
        self.two = Phone(directory, daemon, "two", TWO)
        self.one.port, self.two.port = ports[ONE], ports[TWO]
        self.client: Client = daemon.client(self.user)

    def finish(self) -> None:
        """Everybody went through his scenario."""
        everybody = (self.phone, self.one, self.two)
        try:
            for phone in everybody:
                phone.finish()
        except AssertionError as error:
            seen = "".join(phone.messages() for phone in everybody)
            raise AssertionError(f"{error}\n--- all\n{seen}") from None

    def stop(self) -> None:
        for phone in (self.phone, self.one, self.two):
            phone.stop()

    def refused(self, number: str, status: int) -> None:
        """The phone dials the number and is refused."""
        self.phone.dial(number, expect(status) + self.phone.refused(number))

    def connected(self, number: str, *headers: str) -> None:
        """The phone dials the number, is answered and hangs up."""
        ringing = expect(180, optional=True) + answered()
        self.phone.dial(number, ringing, pause(100), hang_up(), headers=headers)


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {host: free_port() for host in (ONE, TWO, GONE)}


@pytest.fixture(scope="module")
def routed(make_daemon: Callable[..., Daemon], ports: dict[str, int]) -> Daemon:
    one = {
        "name": "one", "uri": f"sip:{ONE}:{ports[ONE]}", "domain": "provider.test",
        "username": "acct", "password": SECRET, "caller_prepend": "+4930",
        "asserted_identity": "+493099", "health_check": 0, "patience": 3,
    }  # fmt: skip
    two = {
        "name": "two", "uri": f"sip:{TWO}:{ports[TWO]}", "called_strip": 1,
        "called_prepend": "00", "caller_id": "+493055", "privacy": "id", "health_check": 0,
    }  # fmt: skip
    gone = {
        "name": "gone", "uri": f"sip:{GONE}:{ports[GONE]};transport=tcp", "health_check": 0,
    }  # fmt: skip
    home = {"strip": 1, "prepend": "+49"}
    daemon = make_daemon(
        transports=("udp", "tcp"),
        call__home=["+49"],
        gateway=[one, two, gone],
        route=[
            {"pattern": "112", "gateways": ["one"], "permission": "nobody"},
            {"pattern": "09.", "gateways": ["gone", "two"], **home},
            {"pattern": "0[1-8].", "gateways": ["one", "two"], **home},
            {"pattern": "00.", "gateways": ["one"], "strip": 0},
        ],
    )
    daemon.know_user("acct", "gateway", SECRET)  # must not be written down either
    daemon.start()
    return daemon


@pytest.fixture
def trunks(routed: Daemon, ports: dict[str, int], tmp_path: Path) -> Iterator[Trunks]:
    made = Trunks(routed, tmp_path, ports)
    yield made
    made.stop()
    made.client.hang_up_all()
    until(lambda: not made.client.live_calls(), "no call to be left")


def takes(gateway: Phone, *checks: str) -> None:
    """The gateway takes one call, which the caller ends."""
    gateway.start(
        invited(*checks), answer(180), answer(200, body=sdp(gateway.media)),
        receive("ACK"), hung_up(),
    )  # fmt: skip


def right(text: str, user: str, realm: str, method: str) -> bool:
    """Whether the last credentials in ``text`` are those of the account for such a request."""
    header = re.findall(r"^Authorization: Digest (.*?)\r?$", text, re.MULTILINE)[-1]
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', header))

    def md5(what: str) -> str:
        return hashlib.md5(what.encode(), usedforsecurity=False).hexdigest()

    proof = ":".join((
        md5(f"{user}:{realm}:{SECRET}"), fields["nonce"], fields["nc"], fields["cnonce"], "auth",
        md5(f"{method}:{fields['uri']}"),
    ))  # fmt: skip
    return bool(fields["username"] == user and fields["response"] == md5(proof))


# -- what a gateway is sent ------------------------------------------------------------------------


def test_numbers_are_rewritten_and_the_caller_is_shown_by_the_rules(trunks: Trunks) -> None:
    takes(
        trunks.one,
        has(r"^INVITE sip:\+4930123@provider\.test SIP/2\.0"),
        has(rf"<sip:{re.escape(ONE)}:[0-9]+;lr>", "Route"),
        has(rf"<sip:\+4930{trunks.user}@provider\.test>;tag=", "From"),
        has(r"<sip:\+4930123@provider\.test>", "To"),
        has(r"<sip:\+493099@provider\.test>", "P-Asserted-Identity"),
        lacks("Privacy:"),
    )
    trunks.connected("030123")
    trunks.finish()


def test_a_caller_who_asks_for_it_is_hidden(trunks: Trunks) -> None:
    takes(
        trunks.one,
        has('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=', "From"),
        has("id", "Privacy"),
        lacks(rf"sip:\+4930{trunks.user}"),
    )
    trunks.connected("030123", "Privacy: id")
    trunks.finish()


def test_a_click_to_call_goes_over_a_gateway(trunks: Trunks) -> None:
    a, one = trunks.phone, trunks.one
    a.start(
        invited(OFFERLESS), answer(200, body=sdp(a.media)), receive("ACK"),
        receive("INVITE", has(f"m=audio {one.media} ", "body")),
        reply(200, body=sdp(a.media, version=2)), receive("ACK"), pause(200), hang_up(),
    )  # fmt: skip
    takes(one, has(r"^INVITE sip:\+4930123@"), has(f"m=audio {a.media} ", "body"))
    assert trunks.client.call("030123").status == 200
    trunks.finish()


# -- failover --------------------------------------------------------------------------------------


def second(trunks: Trunks, number: str) -> None:
    """The second gateway takes the call, and sees the number and the caller as it wants them."""
    takes(
        trunks.two,
        has(rf"^INVITE sip:0049{number}@{re.escape(TWO)}:"),
        has(rf"<sip:\+493055@{re.escape(TWO)}>;tag=", "From"),
        has("id", "Privacy"),
        lacks("P-Asserted-Identity"),
        NO_CREDENTIALS,
    )


def test_a_gateway_that_is_overloaded_is_passed_by(trunks: Trunks) -> None:
    trunks.one.start(invited(), answer(503), receive("ACK"))
    second(trunks, "30123")
    trunks.connected("030123")
    trunks.finish()


def test_a_gateway_that_does_not_answer_is_passed_by(trunks: Trunks) -> None:
    trunks.one.start(invited(), pause(4_000))
    second(trunks, "30123")
    trunks.connected("030123")
    trunks.finish()


def test_a_gateway_that_refuses_the_connection_is_passed_by(trunks: Trunks) -> None:
    second(trunks, "9123")
    trunks.connected("09123")
    trunks.finish()


def test_a_number_that_is_busy_is_not_tried_elsewhere(trunks: Trunks) -> None:
    trunks.one.start(invited(), answer(486), receive("ACK"))
    trunks.refused("030123", 486)
    trunks.finish()
    assert not trunks.two.messages()


# -- passwords -------------------------------------------------------------------------------------


def test_a_challenge_of_the_gateway_is_answered(trunks: Trunks) -> None:
    one = trunks.one
    one.start(
        invited(NO_CREDENTIALS), answer(401, CHALLENGE.format("provider.test")), receive("ACK"),
        invited(has('username="acct"', "Authorization")), answer(200, body=sdp(one.media)),
        receive("ACK"), hung_up(has('nc=00000002', "Authorization")),
    )  # fmt: skip
    trunks.connected("030123")
    trunks.finish()
    assert right(one.messages(), "acct", "provider.test", "BYE")


@pytest.mark.parametrize("realm", ["example.test", "stranger.test"])
def test_a_challenge_for_another_realm_is_never_answered(trunks: Trunks, realm: str) -> None:
    for gateway in (trunks.one, trunks.two):
        gateway.start(invited(), answer(401, CHALLENGE.format(realm)), receive("ACK"))
    trunks.phone.dial("030123", expect(403) + trunks.phone.refused("030123"))
    trunks.finish()
    # The first gateway may be sent what an earlier call with it has earned, and nothing new.
    for gateway in (trunks.one, trunks.two):
        assert gateway.messages().count("INVITE sip:") == 1
        assert f'realm="{realm}", nonce="n1", uri=' not in gateway.messages()


# -- the dial policy -------------------------------------------------------------------------------


def test_calls_abroad_are_refused_at_every_door(trunks: Trunks) -> None:
    refused = trunks.client.call("0033123")
    assert refused.status == 403 and "InternationalDialing" in refused.json()["detail"]
    trunks.refused("0033123", 403)
    trunks.finish()
    assert not trunks.one.messages()


def test_a_call_for_help_goes_out_from_the_phone_alone(trunks: Trunks) -> None:
    assert trunks.client.call("112").status == 403
    takes(trunks.one, has(r"^INVITE sip:112@"))
    trunks.connected("112", "Privacy: id")
    trunks.finish()


# -- registration and health -----------------------------------------------------------------------


def test_sipxd_registers_with_a_provider_who_then_calls(
    make_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    port = free_port()
    daemon = make_daemon(
        gateway=[{
            "name": "provider", "uri": f"sip:{PROVIDER}:{port}", "domain": "provider.test",
            "username": "4930", "password": SECRET, "register": True, "expires": 90,
            "health_check": 0, "incoming": INCOMING,
        }],
    )  # fmt: skip
    provider = Phone(tmp_path, daemon, "provider", PROVIDER)
    provider.port = port
    registering = provider.start(
        receive("REGISTER", NO_CREDENTIALS, has("^REGISTER sip:provider.test SIP/2.0"),
                has("<sip:4930@provider.test>", "To"), has("<sip:4930@127.0.0.1:", "Contact")),
        reply(401, CHALLENGE.format("provider.test")),
        receive("REGISTER", has('username="4930"', "Authorization"), has("90", "Expires")),
        reply(200, "Expires: 90"),
    )  # fmt: skip
    daemon.start()
    registering.finish()
    assert right(provider.messages(), "4930", "provider.test", "REGISTER")
    until(lambda: "registered" in daemon.command("gateways"), "the registration to be shown")
    assert daemon.metrics()['sipxd_gateway_registered{gateway="provider"}'] == 1
    daemon.add_user(INCOMING)
    phone = Phone(tmp_path, daemon, INCOMING).register()
    phone.start(
        invited(has(r"<sip:\+4917@example\.test>;tag=", "From")), answer(180),
        answer(200, body=sdp(phone.media)), receive("ACK"), hung_up(),
    )  # fmt: skip
    calling = call_unasked("+4917", "pstn.test", "4930", sdp(provider.media)).replace(
        "sip:4930@pstn.test", f"sip:4930@{daemon.sip_address}"
    )
    provider.start(
        calling, expect(180, optional=True), answered(), pause(200), hang_up(),
        request_uri=f"4930@{daemon.sip_address}",
    )  # fmt: skip
    phone.finish()
    provider.finish()
    leaving: Sipp = provider.start(receive("REGISTER", has("0", "Expires")), reply(200))
    daemon.stop()
    leaving.finish()
    assert SECRET not in daemon.log()


def test_health_is_asked_for_and_shown(make_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    port = free_port()
    daemon = make_daemon(
        gateway=[{"name": "asked", "uri": f"sip:{ASKED}:{port}", "health_check": 1}]
    )
    daemon.start()

    def shows(word: str) -> Callable[[], bool]:
        return lambda: word in daemon.command("gateways")

    until(shows("It does not answer."), "the gateway to be found ill", 15, every=1)
    assert daemon.metrics()['sipxd_gateway_well{gateway="asked"}'] == 0
    asked = Phone(tmp_path, daemon, "asked", ASKED)
    asked.port = port
    asked.start(receive("OPTIONS", has(f"^OPTIONS sip:{ASKED}")), reply(200))
    until(shows(" well "), "the gateway to be found well", 15, every=1)
    asked.finish()
    daemon.stop()
